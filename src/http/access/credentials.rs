//! The user and password of a request (RFC 7617). Takes headers; gives the pair. Must not know which pairs are right.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap};

/// The name of the scheme, with the space behind it.
const SCHEME: &[u8] = b"basic ";

/// A user and a password, as a client sent them.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Vec<u8>,
}

impl Credentials {
    /// The pair in the headers; none if there is not exactly one well-formed pair.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, None) = (values.next()?.as_bytes(), values.next()) else { return None };
        let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
        let decoded = STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case(SCHEME))?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
        Some(Self { user, password: decoded[colon + 1..].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Option<(String, String)> {
        let headers = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
        let pair = Credentials::of(&headers.collect())?;
        Some((pair.user, String::from_utf8(pair.password).unwrap()))
    }

    #[test]
    fn password_is_all_after_the_first_colon() {
        assert_eq!(read(&["Basic YWxpY2U6czplYw=="]), Some(("alice".to_owned(), "s:ec".to_owned())));
        assert_eq!(read(&["bAsIc OmE="]), Some((String::new(), "a".to_owned())));
    }

    #[test]
    fn malformed_headers_are_no_credentials() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic YWxpY2U=",
            "Basic YWxpY2U6cw",
            "Basic !!!",
            "Bearer YWxpY2U6cw==",
            "Basic /zph",
        ] {
            assert_eq!(read(&[value]), None, "{value}");
        }
        assert_eq!(read(&["Basic YWxpY2U6cw==", "Basic YWxpY2U6cw=="]), None, "two headers");
        assert_eq!(read(&[]), None);
    }
}
