//! Entity tags: an answer that the client has is not sent again (RFC 9110, section 13). Takes tags and the headers of a
//! request; gives headers, or the answer 304. Must not know what is tagged.

use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY};
use hyper::{Response, StatusCode};

use super::answer::Answer;
use super::body::Body;

/// True if the client has the answer with this tag. Tags are compared weakly.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let values = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut known = values.flat_map(|value| value.split(','));
    known.any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

/// Says that the client has the answer.
pub(super) fn not_modified(tag: &str, caching: &'static str) -> Answer {
    let mut answer = Response::new(Body::Ended);
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    add_headers(&mut answer, tag, caching);
    answer
}

/// Adds the tag, how long the answer may be kept, and that it depends on the coding.
pub(super) fn add_headers(answer: &mut Answer, tag: &str, caching: &'static str) {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_in_all_lists() {
        let is_known = |values: &[&str], tag| {
            let values = values.iter().map(|value| (IF_NONE_MATCH, HeaderValue::from_str(value).unwrap()));
            is_known(&values.collect(), tag)
        };
        for values in [&["W/\"a\""][..], &["\"a\""], &["\"x\", W/\"a\""], &["\"x\"", "\"a\""], &["*"]] {
            assert!(is_known(values, "W/\"a\"") && is_known(values, "\"a\""), "{values:?}");
        }
        for values in [&[][..], &["a"], &["\"ab\""], &["\"x\""], &[""]] {
            assert!(!is_known(values, "W/\"a\""), "{values:?}");
        }
    }
}
