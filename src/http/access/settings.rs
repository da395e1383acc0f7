//! The settings of a web configuration file. Takes parsed values; gives types that the rules are made of. Must not know
//! the format of the file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use bcrypt::HashParts;
use hyper::header::{HeaderName, HeaderValue};

/// The length of a bcrypt hash in its text form.
const HASH_LENGTH: usize = 60;
/// The versions of bcrypt that tools write.
const HASH_PREFIXES: [&str; 4] = ["$2a$", "$2b$", "$2x$", "$2y$"];
/// The largest cost. One check with it takes about 16 s.
const MAXIMUM_COST: u32 = 18;
/// The smallest cost that bcrypt has.
const MINIMUM_COST: u32 = 4;

/// The settings of a web configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebSettings {
    /// TLS; none for plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Headers that every answer gets.
    pub headers: Vec<ResponseHeader>,
    /// Users with their passwords; empty if requests need no password.
    pub users: BTreeMap<String, PasswordHash>,
    /// The limit on requests of all clients together.
    pub rate_limit: Option<RequestRate>,
    /// Keys that have no effect here, each as a sentence with its place.
    pub notices: Vec<String>,
}

/// A header that every answer gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHeader {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
}

impl ResponseHeader {
    /// None if the name or the value has characters that a header cannot have.
    pub fn new(name: &str, value: &str) -> Option<Self> {
        let name = HeaderName::try_from(name).ok()?;
        Some(Self { name, value: HeaderValue::try_from(value).ok()? })
    }
}

/// The settings of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate and those between it and its authority.
    pub certificate: PemSource,
    /// The key of the certificate.
    pub key: PemSource,
    /// The authorities that sign certificates of clients.
    pub client_authorities: Option<PemSource>,
    /// The certificates that clients must have.
    pub clients: ClientCertificates,
    /// Alternative names, one of which the certificate of a client must have; empty if any name will do.
    pub allowed_names: Vec<String>,
    /// The versions that are accepted.
    pub versions: TlsVersions,
    /// The cipher suites of TLS 1.2, out of [`super::CIPHER_SUITES`]; empty for all.
    pub suites: Vec<&'static str>,
    /// True if the server's order of cipher suites counts, not the client's.
    pub prefers_own_order: bool,
    /// The groups for the exchange of keys, out of [`super::CURVES`]; empty for all.
    pub curves: Vec<&'static str>,
}

/// A PEM text, with the place where it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemSource {
    /// File, line and column of the web configuration file.
    pub place: String,
    /// The key in the web configuration file.
    pub key: &'static str,
    /// The text or its file.
    pub pem: PemText,
}

/// A PEM text, in the web configuration file itself or in a file of its own.
#[derive(Clone, PartialEq, Eq)]
pub enum PemText {
    /// The text.
    Inline(String),
    /// The file with it.
    File(PathBuf),
}

impl fmt::Debug for PemText {
    /// A text may be a key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => formatter.write_str("…"),
            Self::File(path) => path.fmt(formatter),
        }
    }
}

/// The certificates that clients must have, as Go's `ClientAuthType` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// `NoClientCert`: none is asked for.
    None,
    /// `RequestClientCert`: one is asked for, and not checked.
    Requested,
    /// `RequireAnyClientCert`: any one is needed.
    AnyRequired,
    /// `VerifyClientCertIfGiven`: one that is given must be signed by an authority.
    VerifiedIfGiven,
    /// `RequireAndVerifyClientCert`: one that is signed by an authority is needed.
    VerifiedRequired,
}

impl ClientCertificates {
    /// True if a certificate must be signed by an authority.
    pub const fn is_verified(self) -> bool {
        matches!(self, Self::VerifiedIfGiven | Self::VerifiedRequired)
    }

    /// True if a client without a certificate is refused.
    pub const fn is_required(self) -> bool {
        matches!(self, Self::AnyRequired | Self::VerifiedRequired)
    }
}

/// The accepted versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersions {
    /// TLS 1.2 and 1.3.
    Both,
    /// TLS 1.2 alone.
    Only12,
    /// TLS 1.3 alone.
    Only13,
}

/// A limit on requests: a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// The time after which one more request is accepted; more than 0.
    pub interval: Duration,
    /// The requests that are accepted at once; at least 1.
    pub burst: u32,
}

/// A password as bcrypt has hashed it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes the text form: `$2y$10$…`.
    ///
    /// # Errors
    /// The fault and its remedy, without a part of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_hash = text.len() == HASH_LENGTH && HASH_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        let parts = HashParts::from_str(text).ok().filter(|_| is_hash);
        let parts = parts.ok_or("not a bcrypt hash; make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`")?;
        if !(MINIMUM_COST..=MAXIMUM_COST).contains(&parts.get_cost()) {
            return Err(format!(
                "a bcrypt hash of cost {}; expected a cost from {MINIMUM_COST} to {MAXIMUM_COST}, such as 10",
                parts.get_cost()
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The cost: a check takes 2 to the power of it rounds.
    pub(super) fn cost(&self) -> u32 {
        HashParts::from_str(&self.0).map_or(0, |parts| parts.get_cost())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

    #[test]
    fn hashes_of_every_tool_are_read() {
        for prefix in HASH_PREFIXES {
            assert!(PasswordHash::parse(&HASH.replace("$2y$", prefix)).is_ok(), "{prefix}");
        }
    }

    #[test]
    fn texts_that_are_no_hash_are_refused_without_being_repeated() {
        let cut = &HASH[..59];
        for text in
            ["", "secret", cut, &HASH.replace("$2y$", "$2z$"), &HASH.replace("10", "xx"), &HASH.replace('X', "ä")]
        {
            let fault = PasswordHash::parse(text).unwrap_err();
            assert!(fault.starts_with("not a bcrypt hash; ") && !fault.contains("secret"), "{text}: {fault}");
        }
    }

    #[test]
    fn hashes_that_would_take_too_long_are_refused() {
        assert!(PasswordHash::parse(&HASH.replace("$10$", "$18$")).is_ok());
        let fault = PasswordHash::parse(&HASH.replace("$10$", "$31$")).unwrap_err();
        assert!(fault.starts_with("a bcrypt hash of cost 31; "), "{fault}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = PemText::Inline("-----BEGIN PRIVATE KEY-----".to_owned());
        assert_eq!(format!("{key:?} {:?}", PasswordHash::parse(HASH).unwrap()), "… …");
    }
}
