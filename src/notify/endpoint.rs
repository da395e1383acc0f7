//! The address of a receiver: its URL, headers and key, some of them secret.
//!
//! Takes settings and a request without an address; gives an HTTP request. Must not know deliveries. No text of an
//! error contains a value.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};

use super::config::{ReceiverConfig, Vendor};
use super::receivers;
use super::secret::{Secret, SecretError, SecretSource};
use super::url::UrlError;

/// A fault of a receiver's settings, as the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Neither the settings nor its kind give a URL.
    #[error("it has no URL; give url or url_file")]
    NoUrl,
    /// A URL that no request can be sent to.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A header that HTTP does not allow.
    #[error("its header {0} has a name or a value that HTTP does not allow")]
    Header(String),
    /// A secret that cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// The address of a receiver. Files are read when it is used, so that they can be replaced while the program runs.
#[derive(Debug, Clone)]
pub(super) struct ReceiverEndpoint(Arc<EndpointParts>);

#[derive(Debug)]
struct EndpointParts {
    vendor: Vendor,
    url: SecretSource,
    /// Headers by name.
    headers: Vec<(String, SecretSource)>,
}

/// An address as it is at the moment.
#[derive(Debug)]
pub(super) struct ReceiverAddress {
    url: Uri,
    pub key: Option<Secret>,
    headers: HeaderMap,
}

impl ReceiverEndpoint {
    /// The endpoint of a receiver.
    ///
    /// # Errors
    /// The first setting that cannot be used, secret files included.
    pub(super) fn new(config: &ReceiverConfig, default_url: Option<&str>) -> Result<Self, EndpointError> {
        let given = config.url.clone();
        let url = given.or_else(|| default_url.map(|url| SecretSource::Given(Secret::new(url))));
        let url = url.ok_or(EndpointError::NoUrl)?;
        let headers = config.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let endpoint = Self(Arc::new(EndpointParts { vendor: config.vendor.clone(), url, headers }));
        endpoint.address().map(|_| endpoint)
    }

    /// The address now. Reads files.
    pub(super) fn address(&self) -> Result<ReceiverAddress, EndpointError> {
        let EndpointParts { vendor, url, headers: given } = &*self.0;
        let url = url.read()?;
        vendor.check_url(&url)?;
        let url = url.expose().parse().map_err(|_| UrlError::Malformed)?;
        let key = vendor.key().map(SecretSource::read).transpose()?;
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static(concat!("trafficmonitor/", env!("CARGO_PKG_VERSION")))),
        ]);
        for (name, value) in given {
            set(&mut headers, name, &value.read()?)?;
        }
        Ok(ReceiverAddress { url, key, headers })
    }

    /// True if the receiver may be reached with TLS.
    pub(super) fn may_use_tls(&self) -> bool {
        self.address().is_ok_and(|address| address.url.scheme_str() == Some("https"))
            || !matches!(self.0.url, SecretSource::Given(_))
    }
}

impl ReceiverAddress {
    /// The HTTP request for a receiver's request.
    pub(super) fn request(self, request: receivers::Request) -> Result<hyper::Request<Full<Bytes>>, EndpointError> {
        let mut headers = self.headers;
        request.headers.iter().try_for_each(|(name, value)| set(&mut headers, name, value))?;
        let mut http = hyper::Request::new(Full::new(Bytes::from(request.body)));
        *http.method_mut() = Method::POST;
        *http.uri_mut() = join(self.url, &request.path)?;
        *http.headers_mut() = headers;
        Ok(http)
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &Secret) -> Result<(), EndpointError> {
    let fault = || EndpointError::Header(name.to_owned());
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| fault())?;
    value.set_sensitive(true);
    headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?, value);
    Ok(())
}

/// The URL with a further path, before its query if it has one.
fn join(url: Uri, path: &str) -> Result<Uri, UrlError> {
    if path.is_empty() {
        return Ok(url);
    }
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    let joined = format!("{}{path}{query}", url.path().trim_end_matches('/'));
    let mut parts = url.into_parts();
    parts.path_and_query = Some(joined.parse().map_err(|_| UrlError::Malformed)?);
    Uri::from_parts(parts).map_err(|_| UrlError::Malformed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::notify::AlertSelection;

    fn config(url: Option<SecretSource>, headers: &[(&str, &str)]) -> ReceiverConfig {
        ReceiverConfig {
            name: "one".to_owned(),
            vendor: Vendor::Webhook,
            url,
            timeout: Duration::from_secs(1),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), SecretSource::Given(Secret::new(*value))))
                .collect(),
            ca_file: None,
            selection: AlertSelection::default(),
        }
    }

    fn given(url: &str) -> Option<SecretSource> {
        Some(SecretSource::Given(Secret::new(url)))
    }

    /// The URL of a request with this path.
    fn target(url: &str, path: &str) -> Result<String, EndpointError> {
        let request = receivers::Request { path: path.to_owned(), headers: Vec::new(), body: Vec::new() };
        let address = ReceiverEndpoint::new(&config(given(url), &[]), None)?.address()?;
        Ok(address.request(request)?.uri().to_string())
    }

    #[test]
    fn path_follows_the_base_url() {
        for (url, path, expected) in [
            ("http://host", "/a/b", "http://host/a/b"),
            ("https://host:8443/base/", "/a", "https://host:8443/base/a"),
            ("http://[::1]:9093/base?token=x", "/a", "http://[::1]:9093/base/a?token=x"),
            ("http://host/hook?token=x", "", "http://host/hook?token=x"),
            ("HTTP://host/hook", "", "http://host/hook"),
        ] {
            assert_eq!(target(url, path).unwrap(), expected, "{url} {path}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_showing_them() {
        for url in
            ["", "host", "/path", "file:///secret", "ftp://secret/", "http://", "http:///secret", "http://ho st/secret"]
        {
            let error = target(url, "").unwrap_err();
            assert!(matches!(error, EndpointError::Url(_)), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{url}: {error}");
        }
        let error = target("http://user:secret@host/", "").unwrap_err();
        assert!(matches!(error, EndpointError::Url(UrlError::User)), "{error}");
        assert!(matches!(ReceiverEndpoint::new(&config(None, &[]), None), Err(EndpointError::NoUrl)));
        assert!(ReceiverEndpoint::new(&config(None, &[]), Some("https://vendor.example")).is_ok());
    }

    #[test]
    fn configured_headers_are_sent_and_wrong_ones_refused() {
        let endpoint =
            ReceiverEndpoint::new(&config(given("http://host"), &[("Authorization", "Bearer x")]), None).unwrap();
        let request = receivers::Request {
            path: String::new(),
            headers: vec![("x-key", Secret::new("key"))],
            body: b"{}".to_vec(),
        };
        let request = endpoint.address().unwrap().request(request).unwrap();
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("authorization").as_deref(), Some("Bearer x"));
        assert_eq!(header("x-key").as_deref(), Some("key"));
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert!(!format!("{request:?}").contains("Bearer"), "{request:?}");
        for (name, value) in [("a b", "x"), ("", "x"), ("name", "secret\nInjected: 1")] {
            let error = ReceiverEndpoint::new(&config(given("http://host"), &[(name, value)]), None).unwrap_err();
            assert!(matches!(&error, EndpointError::Header(header) if header == name), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn secret_file_is_read_each_time_and_must_not_be_open_to_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        let write = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let new = || ReceiverEndpoint::new(&config(Some(SecretSource::File(path.clone())), &[]), None);
        assert!(matches!(new(), Err(EndpointError::Secret(SecretError::Unreadable { .. }))));
        write("http://one/\n", 0o604);
        let error = new().unwrap_err().to_string();
        assert!(error.contains("chmod o-rw") && error.contains(&path.display().to_string()), "{error}");
        write(" \n", 0o600);
        assert!(matches!(new(), Err(EndpointError::Secret(SecretError::NoLine(_)))));
        write("http://one/\n", 0o640);
        let endpoint = new().unwrap();
        assert_eq!(endpoint.address().unwrap().url, "http://one/");
        write("\n http://two/ \n", 0o600);
        assert_eq!(endpoint.address().unwrap().url, "http://two/");
        write(&format!("http://{}/", "x".repeat(20_000)), 0o600);
        assert!(matches!(endpoint.address(), Err(EndpointError::Secret(SecretError::NoLine(_)))));
        assert!(endpoint.may_use_tls(), "the file may hold another URL later");
    }
}
