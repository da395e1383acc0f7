//! The URLs of receivers.
//!
//! Takes a text; gives the faults that make a request to it impossible. Must not show the text, which may be a secret,
//! and must not know whether a host answers.

use hyper::Uri;

/// A fault of a URL. No message contains the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It has a blank, no host, or another fault of its form.
    #[error("not a valid URL; expected a form such as https://alerts.example.net:9093/path")]
    Malformed,
    /// There is no scheme.
    #[error("the URL has no scheme; put https:// or http:// before it")]
    NoScheme,
    /// Its scheme is no way to send a request.
    #[error("the scheme of the URL is not supported; use https or http")]
    Scheme,
    /// The host is missing.
    #[error("the URL has no host; expected a form such as https://alerts.example.net:9093/path")]
    NoHost,
    /// The port is 0 or above 65535.
    #[error("the port of the URL is not valid; use 1 to 65535")]
    Port,
    /// It contains a user or a password.
    #[error("a user or a password in the URL is not sent; give the header Authorization by header_files instead")]
    User,
    /// It has a query where a path is put behind it.
    #[error("a path is put behind this URL; remove its part from ? on")]
    Query,
    /// It ends with the path that is put behind it.
    #[error("a path is put behind this URL; give the URL without {0}")]
    Path(&'static str),
    /// It has a part that browsers do not send.
    #[error("the part of the URL from # on is never sent; remove it")]
    Fragment,
}

/// Checks that a request can be sent to `url`: http or https, a host, and no part that would not be sent.
///
/// # Errors
/// The first fault.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    let (scheme, rest) = url.split_once(':').ok_or(UrlError::NoScheme)?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-".contains(&byte));
    if !is_scheme || !rest.starts_with("//") {
        // `localhost:9093` begins with a host, `mailto:` with a scheme.
        return Err(UrlError::NoScheme);
    }
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(UrlError::Scheme);
    }
    if url.contains('#') {
        return Err(UrlError::Fragment);
    }
    check_authority(rest.trim_start_matches("//").split(['/', '?']).next().unwrap_or_default())?;
    let uri = url.parse::<Uri>().map_err(|_| UrlError::Malformed)?;
    if uri.host().is_none_or(str::is_empty) { Err(UrlError::NoHost) } else { Ok(()) }
}

fn check_authority(authority: &str) -> Result<(), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::User);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(_) => Err(UrlError::Port),
    }
}

/// True if a path can be put behind the URL: there is no query in between.
pub fn is_base(url: &str) -> bool {
    !url.contains('?')
}

/// Checks that `path` can be put behind a URL.
pub(super) fn check_base(url: &str, path: &'static str) -> Result<(), UrlError> {
    if !is_base(url) {
        return Err(UrlError::Query);
    }
    if url.trim_end_matches('/').ends_with(path) { Err(UrlError::Path(path)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_http_or_https_and_a_host_are_valid() {
        for url in [
            "http://localhost:9093",
            "HTTPS://alerts.example.net/prefix/",
            "https://hooks.slack.com/services/T0/B0/x",
            "http://[::1]:9093/a?token=b",
            "http://[2001:db8::1]",
            "http://192.0.2.1:1",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn path_that_is_put_behind_a_url_is_not_given_with_it() {
        const PATH: &str = "/api/v2/alerts";
        for url in ["http://host", "http://host/", "http://host/prefix", "http://host/api/v2", "http://alerts"] {
            assert_eq!(check_base(url, PATH), Ok(()), "{url}");
        }
        for url in ["http://host/api/v2/alerts", "http://host/prefix/api/v2/alerts/", "http://host/api/v2/alerts//"] {
            assert_eq!(check_base(url, PATH), Err(UrlError::Path(PATH)), "{url}");
        }
        assert_eq!(check_base("http://host/api/v2/alerts?x=1", PATH), Err(UrlError::Query));
    }

    #[test]
    fn other_urls_have_a_fault() {
        for (url, fault) in [
            ("", UrlError::NoScheme),
            ("localhost:9093", UrlError::NoScheme),
            ("hooks.slack.com/services", UrlError::NoScheme),
            ("//host/path", UrlError::NoScheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("ftp://host", UrlError::Scheme),
            ("http://", UrlError::NoHost),
            ("http:///path", UrlError::NoHost),
            ("http://:9093", UrlError::NoHost),
            ("http://host:0/", UrlError::Port),
            ("http://host:65536/", UrlError::Port),
            ("http://host:/", UrlError::Port),
            ("http://user:password@host/", UrlError::User),
            ("http://host/#part", UrlError::Fragment),
            ("http://host/a b", UrlError::Malformed),
            ("http://ho st/", UrlError::Malformed),
            ("http://host/\n", UrlError::Malformed),
        ] {
            assert_eq!(check_url(url), Err(fault), "{url}");
        }
    }
}
