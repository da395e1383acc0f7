//! The web configuration file with the files that it names. Takes paths; gives their contents and the rules that follow
//! from them. Must not know when they are read again.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustls::ServerConfig;

use super::certificates::Validity;
use super::pace::TokenBucket;
use super::passwords::Users;
use super::settings::{PemSource, PemText, RequestRate, ResponseHeader, TlsSettings, WebSettings};
use super::tls_rules::{TlsTexts, at, tls_rules};
use super::warnings::Warnings;

/// The most bytes of a file. A longer one is something else.
const LONGEST: u64 = 1 << 20;

/// A web configuration file.
#[derive(Debug, Clone)]
pub struct WebFile {
    /// Its path.
    pub path: PathBuf,
    /// Parses its text. The error has the place and the fault.
    pub parse: fn(&str, &Path) -> Result<WebSettings, String>,
}

/// The contents of the file and of the files that it names.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FileVersion {
    settings: WebSettings,
    tls: Option<TlsTexts>,
}

impl WebFile {
    /// The files that the present version names; none if it has a fault.
    pub fn named_files(&self) -> Vec<PathBuf> {
        let text = read(&self.path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let tls = text.and_then(|text| (self.parse)(&text, &self.path).ok()).and_then(|settings| settings.tls);
        let Some(tls) = tls else { return Vec::new() };
        let sources = [Some(tls.certificate), Some(tls.key), tls.client_authorities];
        let file = |source: PemSource| match source.pem {
            PemText::File(path) => Some(path),
            PemText::Inline(_) => None,
        };
        sources.into_iter().flatten().filter_map(file).collect()
    }

    /// Reads the present version.
    pub(super) fn read(&self) -> Result<FileVersion, String> {
        let name = self.path.display();
        let bytes = read(&self.path).map_err(|fault| format!("{name}: cannot read the web configuration: {fault}"))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("{name}: not UTF-8; save the file as UTF-8"))?;
        let settings = (self.parse)(text, &self.path)?;
        let texts = |tls: &TlsSettings| {
            let client_authorities = tls.client_authorities.as_ref().map(read_pem).transpose()?;
            Ok::<_, String>(TlsTexts {
                certificate: read_pem(&tls.certificate)?,
                key: read_pem(&tls.key)?,
                client_authorities,
            })
        };
        let tls = settings.tls.as_ref().map(texts).transpose()?;
        Ok(FileVersion { settings, tls })
    }
}

fn read_pem(source: &PemSource) -> Result<Vec<u8>, String> {
    match &source.pem {
        PemText::Inline(text) => Ok(text.clone().into_bytes()),
        PemText::File(path) => read(path).map_err(|fault| at(source, &format!("cannot read the file: {fault}"))),
    }
}

/// The content of a file, or the fault as the end of a sentence.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = path.metadata().map_err(|error| with_remedy(&error))?;
    if metadata.is_dir() {
        return Err("it is a directory; name a file".to_owned());
    }
    // A named pipe would be read only once.
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(|error| with_remedy(&error))?;
    file.take(LONGEST + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() as u64 > LONGEST {
        return Err(format!("it has more than {LONGEST} bytes"));
    }
    Ok(content)
}

fn with_remedy(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("{error}; create it, or correct its name"),
        ErrorKind::PermissionDenied => format!("{error}; make it and its directories accessible to this user"),
        _ => error.to_string(),
    }
}

/// The rules for connections and requests.
#[derive(Default)]
pub(super) struct AccessRules {
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) validity: Option<Validity>,
    /// True if a client needs a certificate that an authority has signed.
    pub(super) verifies_clients: bool,
    pub(super) headers: Vec<ResponseHeader>,
    pub(super) users: Arc<Users>,
    rate: Option<RequestRate>,
    pub(super) bucket: Option<Arc<Mutex<TokenBucket>>>,
    pub(super) warnings: Warnings,
}

impl AccessRules {
    /// The rules of a version of the file `path`. The limit on requests goes on where it has not changed.
    pub(super) fn of(path: &Path, version: &FileVersion, before: &Self) -> Result<Self, String> {
        let FileVersion { settings, tls } = version;
        let warnings = Warnings::new(path, settings, tls.as_ref());
        let built =
            settings.tls.as_ref().zip(tls.as_ref()).map(|(settings, texts)| tls_rules(settings, texts)).transpose()?;
        let (tls, validity) = built.map_or((None, None), |(tls, validity)| (Some(Arc::new(tls)), Some(validity)));
        let bucket = || settings.rate_limit.map(|rate| Arc::new(Mutex::new(TokenBucket::new(rate, Instant::now()))));
        let is_same = before.rate == settings.rate_limit;
        Ok(Self {
            tls,
            validity,
            verifies_clients: settings
                .tls
                .as_ref()
                .is_some_and(|tls| tls.clients.is_verified() && tls.clients.is_required()),
            headers: settings.headers.clone(),
            users: Arc::new(settings.users.clone()),
            rate: settings.rate_limit,
            bucket: before.bucket.clone().filter(|_| is_same).or_else(bucket),
            warnings,
        })
    }

    /// The protection that these rules have and `next` lacks. A file that is being written is often empty for a moment.
    pub(super) fn lost_in(&self, next: &Self) -> Option<&'static str> {
        match () {
            () if self.tls.is_some() && next.tls.is_none() => Some("tls_server_config"),
            () if !self.users.is_empty() && next.users.is_empty() => Some("basic_auth_users"),
            () if self.verifies_clients && !next.verifies_clients => {
                Some("client_auth_type: RequireAndVerifyClientCert")
            }
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_the_system_come_with_what_to_do() {
        let said = |number| with_remedy(&Error::from_raw_os_error(number));
        assert_eq!(said(2), "No such file or directory (os error 2); create it, or correct its name");
        let expected = "Permission denied (os error 13); make it and its directories accessible to this user";
        assert_eq!(said(13), expected);
        assert_eq!(said(5), "Input/output error (os error 5)");
    }
}
