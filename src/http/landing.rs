//! The landing page: a list of links, for people without a browser's page and for tools. Takes the version; gives HTML.
//! Must not know what is behind the links.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue, LOCATION, VARY};

use super::answer::{Answer, HTML, PLAIN, page};
use super::negotiate;

/// The parameter that asks for the landing page instead of the dashboard.
const PARAMETER: &str = "landing";

/// Relative, so that they work behind a proxy that adds a prefix.
const LINKS: [(&str, &str); 9] = [
    ("dashboard", "Dashboard"),
    ("metrics", "Metrics"),
    ("active", "Active alerts (JSON)"),
    ("all", "Heaviest sources (JSON)"),
    ("capabilities", "Settings (JSON)"),
    ("api/v1/snapshot", "API (JSON)"),
    ("runbooks", "Runbooks of alerts"),
    ("-/healthy", "Health"),
    ("-/ready", "Readiness"),
];

/// The landing page; browsers are sent to the dashboard instead, unless the query asks for the page.
pub(super) fn answer(version: &str, query: Option<&str>, headers: &HeaderMap) -> Answer {
    let asks_for_it = query.unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some(PARAMETER));
    let mut answer = if negotiate::prefers_html(headers) && !asks_for_it {
        let mut answer = page(StatusCode::FOUND, PLAIN, "the dashboard is at /dashboard\n");
        answer.headers_mut().insert(LOCATION, HeaderValue::from_static("dashboard"));
        answer
    } else {
        page(StatusCode::OK, HTML, landing(version))
    };
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

fn landing(version: &str) -> String {
    let links: String = LINKS.iter().map(|(path, name)| format!("<li><a href=\"{path}\">{name}</a></li>\n")).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>trafficmonitor</title></head>\n\
         <body>\n<h1>trafficmonitor</h1>\n<p>Who talks to whom, on what protocol, how much.</p>\n<ul>\n{links}</ul>\n\
         <p>Version {version}</p>\n</body>\n</html>\n",
    )
}
