//! Requests from pages of other sites. Takes the method and the headers of a request; tells whether it may change
//! something. Must not know what a request changes.
//!
//! A browser sends a user's credentials with every request to this server, also with those that a page of another site
//! makes. It names the site of the page in headers that the page cannot change.

use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

/// The relation of the page to this server (Fetch Metadata Request Headers).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// True if a request could change something and comes from a page of another site, as far as its headers show. Tools
/// send none of these headers.
pub(super) fn is_forged(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let mut sites = headers.get_all(FETCH_SITE).iter().peekable();
    if sites.peek().is_some() {
        return !sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    headers.get_all(ORIGIN).iter().any(|origin| {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        authority.is_none_or(|authority| host.is_none_or(|host| !authority.eq_ignore_ascii_case(host)))
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn is_forged_post(headers: &[(&'static str, &'static str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_forged(&Method::POST, &headers.collect())
    }

    #[test]
    fn requests_of_tools_and_of_own_pages_are_not_forged() {
        assert!(!is_forged_post(&[]));
        assert!(!is_forged_post(&[("host", "monitor:8888")]));
        assert!(!is_forged_post(&[("sec-fetch-site", "same-origin"), ("host", "monitor:8888")]));
        assert!(!is_forged_post(&[("sec-fetch-site", "none")]), "typed by the user");
        assert!(!is_forged_post(&[("origin", "https://monitor:8888"), ("host", "Monitor:8888")]));
    }

    #[test]
    fn requests_of_other_sites_are_forged() {
        assert!(is_forged_post(&[("sec-fetch-site", "cross-site"), ("host", "monitor:8888")]));
        assert!(is_forged_post(&[("sec-fetch-site", "same-site"), ("origin", "https://monitor"), ("host", "monitor")]));
        assert!(is_forged_post(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]));
        assert!(is_forged_post(&[("origin", "https://evil.example"), ("host", "monitor:8888")]));
        assert!(is_forged_post(&[("origin", "https://monitor"), ("host", "monitor:8888")]), "another port");
        assert!(is_forged_post(&[("origin", "null"), ("host", "monitor:8888")]));
        assert!(is_forged_post(&[("origin", "https://monitor:8888")]), "no host to compare with");
    }

    #[test]
    fn methods_that_change_nothing_are_never_forged() {
        let headers = [(FETCH_SITE, HeaderValue::from_static("cross-site"))].into_iter().collect();
        assert!(!is_forged(&Method::GET, &headers) && !is_forged(&Method::HEAD, &headers));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(is_forged(&method, &headers), "{method}");
        }
    }
}
