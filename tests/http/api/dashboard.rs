//! The page, the files that it loads, and the headers that protect it.

use std::io::Read as _;

use super::*;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const BROWSER: &str = "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The paths that a page loads, from the root.
fn loaded(page: &str) -> Vec<String> {
    let values = ["href=\"", "src=\""].into_iter().flat_map(|name| page.split(name).skip(1));
    let paths = values.filter_map(|rest| rest.split('"').next()).filter(|path| path.contains("dashboard/"));
    paths.map(|path| format!("/{}", path.trim_start_matches('/'))).collect()
}

#[test]
fn page_loads_files_that_browsers_may_keep_for_ever() {
    let exporter = serving();
    let page = request(exporter.address(), "GET", "/dashboard");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), "no-cache");
    let paths = loaded(&page.body);
    let kinds = ["text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/svg+xml"];
    for (ending, kind) in ["js", "css", "svg"].into_iter().zip(kinds) {
        let path = paths.iter().find(|path| path.ends_with(ending)).unwrap_or_else(|| panic!("{ending}: {paths:?}"));
        let file = request(exporter.address(), "GET", path);
        assert_eq!((file.status, file.header("content-type")), (200, kind), "{path}");
        assert!(file.header("cache-control").contains("immutable"), "{path}");
        let plain = format!("/dashboard/{}.{ending}", path.rsplit('/').next().unwrap().split('.').next().unwrap());
        let unhashed = request(exporter.address(), "GET", &plain);
        assert_eq!((unhashed.body.as_str(), unhashed.header("cache-control")), (file.body.as_str(), "no-cache"));
        let compressed = client::ask(exporter.address(), "GET", path, &["accept-encoding: gzip"]).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&compressed.bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, file.body, "{path}");
        let known = format!("if-none-match: {}", file.header("etag"));
        assert_eq!(client::ask(exporter.address(), "GET", path, &[&known]).unwrap().status, 304, "{path}");
    }
    assert_eq!(request(exporter.address(), "GET", "/dashboard/app.0123456789abcdef.js").status, 404);
    let slash = request(exporter.address(), "GET", "/dashboard/");
    assert_eq!((slash.status, slash.header("location")), (302, "../dashboard"));
}

#[test]
fn browsers_are_sent_to_the_dashboard_and_tools_get_the_links() {
    let exporter = serving();
    let at = |path: &str, headers: &[&str]| client::ask(exporter.address(), "GET", path, headers).unwrap();
    let sent = at("/", &[BROWSER]);
    assert_eq!((sent.status, sent.header("location"), sent.header("vary")), (302, "dashboard", "accept"));
    for (path, headers) in
        [("/", &[][..]), ("/", &["accept: */*"]), ("/?landing", &[BROWSER]), ("/?landing=1", &[BROWSER])]
    {
        let landing = at(path, headers);
        assert_eq!((landing.status, landing.header("vary")), (200, "accept"), "{path}");
        assert!(landing.body.contains("href=\"dashboard\"") && landing.body.contains("href=\"metrics\""));
    }
}

#[test]
fn pages_carry_a_strict_policy_and_all_answers_forbid_guessing() {
    let exporter = serving();
    for path in ["/dashboard", "/", "/?landing"] {
        let page = request(exporter.address(), "GET", path);
        for (name, value) in [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), value, "{path}");
        }
        // Nothing in the page needs less than the policy allows.
        assert!(!page.body.contains("style=") && !page.body.contains("<script>") && !page.body.contains("onload="));
    }
    for path in
        ["/metrics", "/active", "/capabilities", "/-/healthy", "/-/ready", "/nowhere", "/api/v1/flows", "/api/v1/x"]
    {
        assert_eq!(request(exporter.address(), "GET", path).header("x-content-type-options"), "nosniff", "{path}");
    }
    assert_eq!(request(exporter.address(), "POST", "/dashboard").header("x-content-type-options"), "nosniff");
}

#[test]
fn head_of_the_page_has_the_length_of_the_whole() {
    let exporter = serving();
    let (head, whole) =
        (request(exporter.address(), "HEAD", "/dashboard"), request(exporter.address(), "GET", "/dashboard"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
}

#[test]
fn alerts_lead_to_the_heading_of_their_runbook() {
    let exporter = serving();
    let alerts = json(&exporter, "alerts");
    let all = ["active", "resolved"].into_iter().flat_map(|list| alerts[list].as_array().unwrap());
    let urls: Vec<&str> = all.map(|alert| alert["runbook_url"].as_str().unwrap()).collect();
    assert!(!urls.is_empty());
    for url in urls {
        let (path, anchor) = url.split_once('#').unwrap();
        let page = request(exporter.address(), "GET", path);
        assert_eq!((page.status, page.header("content-security-policy")), (200, POLICY));
        assert!(page.body.contains(&format!("id=\"{anchor}\"")), "{url}");
    }
}
