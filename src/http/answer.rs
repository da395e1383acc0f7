//! Answers with a short text. Takes a status and a text; gives an answer. Must not know the pages.

use hyper::body::Bytes;
use hyper::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::body::Body;
use crate::export::api::error_json;

pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JSON: &str = "application/json";
/// The media type of pictures that may hold scripts.
pub(super) const SVG: &str = "image/svg+xml";

/// Media types that browsers show as pages.
const PAGES: [&str; 2] = [HTML, SVG];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(super) type Answer = Response<Body>;

/// Status 503 with `text`; the client may try again after a second.
pub(super) fn unavailable(text: &'static str) -> Answer {
    let mut answer = page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, text);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// Status 503 with a JSON text; the client may try again after a second.
pub(super) fn unavailable_json(text: String) -> Answer {
    let mut answer = page(StatusCode::SERVICE_UNAVAILABLE, JSON, text);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// The same answer with its error in JSON, as all errors of the API are.
pub(super) fn with_json_error(mut answer: Answer) -> Answer {
    let status = answer.status();
    let is_text = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == PLAIN);
    let is_error = status.is_client_error() || status.is_server_error();
    if let (true, Body::Whole(Some(text))) = (is_text && is_error, answer.body()) {
        let problem = error_json(String::from_utf8_lossy(text).trim_end());
        *answer.body_mut() = Body::from(Bytes::from(problem));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    answer
}

/// Adds the headers of every answer: no browser guesses its type, and no other site's page embeds it. A page loads
/// nothing from elsewhere and runs no script of its text.
pub(super) fn secure<B>(answer: &mut Response<B>) {
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    let is_page =
        headers.get(CONTENT_TYPE).is_some_and(|kind| PAGES.iter().any(|page| kind.as_bytes() == page.as_bytes()));
    if is_page {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
}

pub(super) fn page(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Body::from(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_api_keep_their_status_and_headers_and_say_the_same_in_json() {
        let answer = with_json_error(unavailable("too many \"connections\"\n"));
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        assert_eq!(answer.headers()[CONTENT_TYPE], JSON);
        let Body::Whole(Some(body)) = answer.body() else { panic!("a body") };
        assert_eq!(body[..], br#"{"error":"too many \"connections\""}"#[..]);
        for other in [page(StatusCode::OK, PLAIN, "x"), page(StatusCode::NOT_FOUND, JSON, "x")] {
            let (kind, answer) = (other.headers()[CONTENT_TYPE].clone(), with_json_error(other));
            assert_eq!(answer.headers()[CONTENT_TYPE], kind);
            assert!(matches!(answer.body(), Body::Whole(Some(body)) if **body == *b"x"));
        }
    }
}
