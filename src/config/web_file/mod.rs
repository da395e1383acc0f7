//! The web configuration file, in the format of Prometheus' exporter-toolkit.
//!
//! Takes the text of a file; gives its settings, or the first mistake with line and column. Must not know certificates,
//! nor how access is granted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::Yaml;
use super::given::{Content, Given, RefusedSetting};
use super::kinds::ValueKind as _;
use super::kinds::durations::WAIT;
use super::kinds::keywords::{BOOLEAN, Keywords};
use super::kinds::numbers::FEW;
use super::kinds::rules::known_key;
use crate::http::access::{
    CIPHER_SUITES, CURVES, ClientCertificates, OTHER_CIPHER_SUITES, OTHER_CURVES, PasswordHash, PemSource, PemText,
    RequestRate, ResponseHeader, TlsSettings, TlsVersions, WebSettings,
};

const TLS: &str = "tls_server_config";
const HTTP: &str = "http_server_config";
const USERS: &str = "basic_auth_users";
const RATE: &str = "rate_limit";
const SECTIONS: [&str; 4] = [TLS, HTTP, USERS, RATE];
const TLS_KEYS: [&str; 13] = [
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];
/// The names that exporter-toolkit has. It accepts no other headers.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
];
const CLIENT_AUTH: Keywords<ClientCertificates> = Keywords {
    synonyms: &[("RequireClientCert", ClientCertificates::AnyRequired)],
    ..Keywords::of(&[
        ("NoClientCert", ClientCertificates::None),
        ("RequestClientCert", ClientCertificates::Requested),
        ("RequireAnyClientCert", ClientCertificates::AnyRequired),
        ("VerifyClientCertIfGiven", ClientCertificates::VerifiedIfGiven),
        ("RequireAndVerifyClientCert", ClientCertificates::VerifiedRequired),
    ])
};
const VERSION: Keywords<u8> = Keywords::of(&[("TLS10", 10), ("TLS11", 11), ("TLS12", 12), ("TLS13", 13)]);

/// Parses the text of the web configuration file `path`. Files that it names are relative to its directory.
///
/// # Errors
/// File, line, column, the fault and its remedy.
pub fn parse(text: &str, path: &Path) -> Result<WebSettings, String> {
    // The YAML crate refuses a text without a document.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(WebSettings::default());
    }
    let yaml = Yaml { text, path };
    let nodes = yaml.nodes().map_err(|error| without_hashes(&error.to_string()))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    settings(&nodes, directory).map_err(|refusal| without_hashes(&yaml.refused(&refusal).to_string()))
}

/// A message without hashes of passwords, which may stand in a line that it quotes.
fn without_hashes(message: &str) -> String {
    let mut shown = String::new();
    let mut rest = message;
    while let Some(at) = rest.find("$2") {
        shown += &rest[..at];
        shown += "…";
        let behind = &rest[at..];
        rest = &behind[behind.find([' ', '`', '"', '\'']).unwrap_or(behind.len())..];
    }
    shown + rest
}

fn settings(document: &Given, directory: &Path) -> Result<WebSettings, RefusedSetting> {
    let sections = NodeKeys::of(document, &SECTIONS)?;
    let mut settings = WebSettings::default();
    if let Some(node) = sections.value(TLS) {
        settings.tls = tls(node, directory, &mut settings.notices)?;
    }
    if let Some(node) = sections.value(HTTP) {
        settings.headers = headers(node)?;
    }
    if let Some(node) = sections.value(USERS) {
        settings.users = users(node)?;
    }
    if let Some(node) = sections.value(RATE) {
        settings.rate_limit = rate_limit(node)?;
    }
    Ok(settings)
}

/// The keys of a mapping with their values. A key without a value counts as not given.
struct NodeKeys<'a> {
    node: &'a Given,
    values: BTreeMap<&'static str, &'a Given>,
}

impl<'a> NodeKeys<'a> {
    fn of(node: &'a Given, known: &[&'static str]) -> Result<Self, RefusedSetting> {
        let mut values = BTreeMap::new();
        for (key, value) in mapping(node)? {
            let key = known_key(key, known)?;
            if !value.is_blank() {
                values.insert(key, value);
            }
        }
        Ok(Self { node, values })
    }

    fn value(&self, key: &str) -> Option<&'a Given> {
        self.values.get(key).copied()
    }

    /// The words of a list that are in one of two tables; those in the second one have no effect.
    fn words(
        &self,
        key: &str,
        tables: [&[&'static str]; 2],
        notices: &mut Vec<String>,
    ) -> Result<Vec<&'static str>, RefusedSetting> {
        let Some(node) = self.value(key) else { return Ok(Vec::new()) };
        let [available, others] = tables;
        let mut words = Vec::new();
        for entry in list(node)? {
            let word = text(entry)?;
            if let Some(word) = available.iter().find(|known| **known == word) {
                words.push(*word);
            } else if others.contains(&word) {
                notices.push(format!("{}: {word} is not available here and has no effect", entry.place()));
            } else {
                return Err(entry.refused(format!("{word}: not known; the names here are {}", available.join(", "))));
            }
        }
        if words.is_empty() {
            return Err(node.refused(format!("none of these is available here; name some of {}", available.join(", "))));
        }
        Ok(words)
    }
}

fn mapping(node: &Given) -> Result<&[(Given, Given)], RefusedSetting> {
    match &node.content {
        Content::Mapping(entries) => Ok(entries),
        _ => Err(node.refused("expected keys with values, each as `key: value`")),
    }
}

fn list(node: &Given) -> Result<&[Given], RefusedSetting> {
    match &node.content {
        Content::List(entries) => Ok(entries),
        _ => Err(node.refused("expected a list; each entry begins with a dash")),
    }
}

/// A text. The message does not repeat the value, which may be a secret.
fn text(node: &Given) -> Result<&str, RefusedSetting> {
    match &node.content {
        Content::Text(text) => Ok(text),
        _ => Err(node.refused("expected text; put the value in quotes")),
    }
}

fn tls(node: &Given, directory: &Path, notices: &mut Vec<String>) -> Result<Option<TlsSettings>, RefusedSetting> {
    let keys = NodeKeys::of(node, &TLS_KEYS)?;
    if keys.values.is_empty() {
        return Ok(None);
    }
    let pem = |names| pem(&keys, names, directory);
    let required = |names: [&'static str; 2]| {
        let missing = || keys.node.refused(format!("{TLS} needs {} or {}", names[1], names[0]));
        pem(names)?.ok_or_else(missing)
    };
    let client_authorities = pem(["client_ca", "client_ca_file"])?;
    let clients = keys.value("client_auth_type").map(|node| CLIENT_AUTH.parse_given(node)).transpose()?;
    let clients = clients.unwrap_or(ClientCertificates::None);
    check_authorities(&keys, clients, client_authorities.is_some())?;
    let prefers = keys.value("prefer_server_cipher_suites").map(|node| BOOLEAN.parse_given(node)).transpose()?;
    let versions = versions(&keys, notices)?;
    let suites = keys.words("cipher_suites", [&CIPHER_SUITES, &OTHER_CIPHER_SUITES], notices)?;
    let is_of_12 = |suite: &&str| suite.contains("_WITH_");
    if let (TlsVersions::Only12, Some(node), None) =
        (versions, keys.value("cipher_suites"), suites.iter().copied().find(is_of_12))
    {
        return Err(node.refused("none of these cipher suites is of TLS 1.2, which max_version asks for"));
    }
    Ok(Some(TlsSettings {
        certificate: required(["cert", "cert_file"])?,
        key: required(["key", "key_file"])?,
        client_authorities,
        clients,
        allowed_names: allowed_names(&keys, clients)?,
        versions,
        suites,
        prefers_own_order: prefers.unwrap_or(true),
        curves: keys.words("curve_preferences", [&CURVES, &OTHER_CURVES], notices)?,
    }))
}

/// The text of the first key, or the file of the second one.
fn pem(
    keys: &NodeKeys<'_>,
    [inline, file]: [&'static str; 2],
    directory: &Path,
) -> Result<Option<PemSource>, RefusedSetting> {
    let source = |node: &Given, key, pem| PemSource { place: node.place(), key, pem };
    match (keys.value(inline), keys.value(file)) {
        (Some(_), Some(node)) => Err(node.refused(format!("give only one of {inline} and {file}"))),
        (Some(node), None) => Ok(Some(source(node, inline, PemText::Inline(text(node)?.to_owned())))),
        (None, Some(node)) => {
            let path: PathBuf = directory.join(text(node)?);
            Ok(Some(source(node, file, PemText::File(path))))
        }
        (None, None) => Ok(None),
    }
}

fn check_authorities(
    keys: &NodeKeys<'_>,
    clients: ClientCertificates,
    has_authorities: bool,
) -> Result<(), RefusedSetting> {
    let given = keys.value("client_ca_file").or_else(|| keys.value("client_ca"));
    match (clients, given) {
        (ClientCertificates::None, Some(node)) => {
            Err(node.refused("it has no effect without client_auth_type: RequireAndVerifyClientCert"))
        }
        _ if clients.is_verified() && !has_authorities => {
            let node = keys.value("client_auth_type").unwrap_or(keys.node);
            Err(node.refused("certificates of clients cannot be verified without an authority; give client_ca_file"))
        }
        _ => Ok(()),
    }
}

fn allowed_names(keys: &NodeKeys<'_>, clients: ClientCertificates) -> Result<Vec<String>, RefusedSetting> {
    let Some(node) = keys.value("client_allowed_sans") else { return Ok(Vec::new()) };
    if !clients.is_required() {
        return Err(node.refused(
            "it needs client_auth_type: RequireAndVerifyClientCert (or RequireAnyClientCert), because a client without a \
             certificate has no names",
        ));
    }
    let names: Vec<String> =
        list(node)?.iter().map(|entry| text(entry).map(str::to_owned)).collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Err(node.refused("no names are given; name some, or remove the key"));
    }
    Ok(names)
}

fn versions(keys: &NodeKeys<'_>, notices: &mut Vec<String>) -> Result<TlsVersions, RefusedSetting> {
    let version =
        |key| keys.value(key).map(|node| VERSION.parse_given(node).map(|version| (node, version))).transpose();
    let (lowest, highest) = (version("min_version")?, version("max_version")?);
    if let Some((node, 10 | 11)) = highest {
        return Err(node.refused("TLS 1.0 and 1.1 are not available here; expected TLS12 or TLS13"));
    }
    if let Some((node, 10 | 11)) = lowest {
        notices
            .push(format!("{}: TLS 1.0 and 1.1 are not available here; TLS 1.2 is the lowest version", node.place()));
    }
    let (lowest, highest) = (lowest.map_or(12, |(_, version)| version.max(12)), highest);
    match (lowest, highest.map_or(13, |(_, version)| version)) {
        (12, 12) => Ok(TlsVersions::Only12),
        (13, 12) => {
            let node = highest.map_or(keys.node, |(node, _)| node);
            Err(node.refused("max_version is below min_version; exchange them"))
        }
        (13, _) => Ok(TlsVersions::Only13),
        _ => Ok(TlsVersions::Both),
    }
}

fn headers(node: &Given) -> Result<Vec<ResponseHeader>, RefusedSetting> {
    let keys = NodeKeys::of(node, &["http2", "headers"])?;
    // HTTP/2 is not spoken here, with either value.
    keys.value("http2").map(|node| BOOLEAN.parse_given(node)).transpose()?;
    let Some(node) = keys.value("headers") else { return Ok(Vec::new()) };
    let headers = NodeKeys::of(node, &HEADERS)?;
    headers.values.iter().map(|(name, value)| header(name, value)).collect()
}

fn header(name: &'static str, node: &Given) -> Result<ResponseHeader, RefusedSetting> {
    let value = node.text().ok_or_else(|| node.refused("expected text"))?;
    let allowed: &[&str] = match name {
        "X-Frame-Options" => &["deny", "sameorigin"],
        "X-Content-Type-Options" => &["nosniff"],
        _ => &[],
    };
    if !allowed.is_empty() && !allowed.contains(&&*value) {
        return Err(node.refused(format!("expected {}", allowed.join(" or "))));
    }
    ResponseHeader::new(name, &value).ok_or_else(|| node.refused("not a value of a header; expected text of one line"))
}

fn users(node: &Given) -> Result<BTreeMap<String, PasswordHash>, RefusedSetting> {
    let user = |(name, hash): &(Given, Given)| {
        let user = name.text().ok_or_else(|| name.refused("expected the name of a user"))?;
        if user.contains(':') || user.contains(char::is_control) {
            return Err(name.refused("a user's name cannot contain a colon or a control character"));
        }
        let place = Given { content: Content::Null, origin: hash.origin.clone() };
        let hash = text(hash).map_err(|_| place.refused("expected the bcrypt hash of a password"))?;
        Ok((user.into_owned(), PasswordHash::parse(hash).map_err(|fault| place.refused(fault))?))
    };
    mapping(node)?.iter().map(user).collect()
}

fn rate_limit(node: &Given) -> Result<Option<RequestRate>, RefusedSetting> {
    let keys = NodeKeys::of(node, &["interval", "burst"])?;
    let interval = match keys.value("interval") {
        // exporter-toolkit reads a number as nanoseconds, which is hardly meant.
        Some(node) if !matches!(node.content, Content::Text(_) | Content::Unsigned(0)) => {
            return Err(node.refused("expected a duration with a unit, such as 100ms or 1s; 0 for no limit"));
        }
        Some(node) => WAIT.parse_given(node)?,
        None => Duration::ZERO,
    };
    let burst = keys.value("burst").map(|node| FEW.parse_given(node)).transpose()?;
    if interval.is_zero() {
        return Ok(None);
    }
    let burst = burst.ok_or_else(|| keys.node.refused("the key burst is missing; expected a number of at least 1"))?;
    Ok(Some(RequestRate { interval, burst }))
}

#[cfg(test)]
mod tests;
