//! The address of a receiver: its URL, headers and key, some of them secret.
//!
//! Takes settings and a request without an address; gives an HTTP request. Must not know deliveries. No text of an
//! error contains a value.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};

use super::config::{ReceiverConfig, Vendor};
use super::receivers;
use super::secret::{Secret, SecretSource};

/// The most bytes of a file with a secret.
const LONGEST_SECRET: u64 = 16 * 1024;

/// A fault of a receiver's settings, as the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Neither the settings nor its kind give a URL.
    #[error("it has no URL; give url or url_file")]
    NoUrl,
    /// No URL, or one of another scheme.
    #[error("its URL is not of the form http://host/path or https://host/path")]
    Url,
    /// A URL with a user's name.
    #[error("its URL contains a user name; give the header Authorization instead")]
    UserInfo,
    /// A header that HTTP does not allow.
    #[error("its header {0} has a name or a value that HTTP does not allow")]
    Header(String),
    /// A secret file that cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: io::Error,
    },
    /// A secret file that all users can read.
    #[error("{0}: all users can read this secret; use `chmod 600`")]
    Exposed(PathBuf),
    /// A secret file without a secret.
    #[error("{0}: empty, or longer than {LONGEST_SECRET} bytes")]
    NoSecret(PathBuf),
}

/// The address of a receiver. Files are read when it is used, so that they can be replaced while the program runs.
#[derive(Debug, Clone)]
pub(super) struct Endpoint(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    url: SecretSource,
    key: Option<SecretSource>,
    headers: HeaderMap,
}

/// An address as it is at the moment.
#[derive(Debug)]
pub(super) struct Address {
    url: Uri,
    pub key: Option<Secret>,
    headers: HeaderMap,
}

impl Endpoint {
    /// The endpoint of a receiver.
    ///
    /// # Errors
    /// The first setting that cannot be used; also if a secret file is missing or all users can read it.
    pub(super) fn new(config: &ReceiverConfig, default_url: Option<&str>) -> Result<Self, EndpointError> {
        let given = config.url.clone();
        let url = given.or_else(|| default_url.map(|url| SecretSource::Given(Secret::new(url))));
        let url = url.ok_or(EndpointError::NoUrl)?;
        let key = match &config.vendor {
            Vendor::PagerDuty { routing_key: key } | Vendor::Opsgenie { api_key: key } => Some(key.clone()),
            _ => None,
        };
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static(concat!("trafficmonitor/", env!("CARGO_PKG_VERSION")))),
        ]);
        config.headers.iter().try_for_each(|(name, value)| set(&mut headers, name, value))?;
        [Some(&url), key.as_ref()].into_iter().flatten().try_for_each(check_mode)?;
        let endpoint = Self(Arc::new(Parts { url, key, headers }));
        endpoint.address().map(|_| endpoint)
    }

    /// The address now. Reads files.
    pub(super) fn address(&self) -> Result<Address, EndpointError> {
        let Parts { url, key, headers } = &*self.0;
        let url = parse_url(read(url)?.expose())?;
        let key = key.as_ref().map(read).transpose()?;
        Ok(Address { url, key, headers: headers.clone() })
    }

    /// True if the receiver may be reached with TLS.
    pub(super) fn may_use_tls(&self) -> bool {
        self.address().is_ok_and(|address| address.url.scheme_str() == Some("https"))
            || matches!(self.0.url, SecretSource::File(_))
    }
}

impl Address {
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

/// Checks a URL: http or https, with a host and without a user.
fn parse_url(text: &str) -> Result<Uri, EndpointError> {
    let url: Uri = text.parse().map_err(|_| EndpointError::Url)?;
    let authority = url.authority().ok_or(EndpointError::Url)?;
    if authority.as_str().contains('@') {
        return Err(EndpointError::UserInfo);
    }
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    if is_http && !authority.host().is_empty() { Ok(url) } else { Err(EndpointError::Url) }
}

/// The URL with a further path, before its query if it has one.
fn join(url: Uri, path: &str) -> Result<Uri, EndpointError> {
    if path.is_empty() {
        return Ok(url);
    }
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    let joined = format!("{}{path}{query}", url.path().trim_end_matches('/'));
    let mut parts = url.into_parts();
    parts.path_and_query = Some(joined.parse().map_err(|_| EndpointError::Url)?);
    Uri::from_parts(parts).map_err(|_| EndpointError::Url)
}

fn read(source: &SecretSource) -> Result<Secret, EndpointError> {
    let path = match source {
        SecretSource::Given(secret) => return Ok(secret.clone()),
        SecretSource::File(path) => path,
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_SECRET + 1).read_to_string(&mut text));
    let length = read.map_err(|source| EndpointError::Unreadable { path: path.clone(), source })?;
    match text.trim() {
        "" => Err(EndpointError::NoSecret(path.clone())),
        _ if length as u64 > LONGEST_SECRET => Err(EndpointError::NoSecret(path.clone())),
        secret => Ok(Secret::new(secret)),
    }
}

fn check_mode(source: &SecretSource) -> Result<(), EndpointError> {
    const OF_OTHERS: u32 = 0o007;
    let SecretSource::File(path) = source else { return Ok(()) };
    let mode = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.mode());
    match mode(path) {
        Ok(mode) if mode & OF_OTHERS == 0 => Ok(()),
        Ok(_) => Err(EndpointError::Exposed(path.clone())),
        Err(source) => Err(EndpointError::Unreadable { path: path.clone(), source }),
    }
}
