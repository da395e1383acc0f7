//! Warnings about a web configuration file without faults, such as an expired certificate or an open key file. Takes a
//! version of the file, the rights of the files that it names and the time; gives sentences. Must not refuse anything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;

use super::certificates::{Shortcoming, Validity, certificates, shortcomings};
use super::settings::{ClientCertificates, PemSource, PemText, TlsSettings, TlsVersions, WebSettings};
use super::tls_rules::{TlsTexts, at};

/// Seconds before its end at which a certificate is warned of. Authorities renew about a month before.
const NEAR_END: i64 = 30 * 24 * 60 * 60;
/// The lowest cost of bcrypt that is not warned of: bcrypt's own default, and that of exporter-toolkit's documents.
const LOW_COST: u32 = 10;
/// The end of the year 9999. Certificates have no later moment.
const LAST_MOMENT: u64 = 253_402_300_799;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;

/// The inputs of the warnings about one version of the file.
#[derive(Default)]
pub(super) struct Warnings {
    /// Sentences that hold as long as the version.
    constant: Vec<String>,
    certificates: Vec<DatedCertificate>,
    files: Vec<RestrictedFile>,
}

/// A certificate whose time is compared with the clock.
struct DatedCertificate {
    source: PemSource,
    /// `the certificate` or `certificate 2 of the file`.
    name: String,
    validity: Validity,
    is_authority: bool,
}

/// A file that other users should not change, nor read if it has a key.
struct RestrictedFile {
    path: PathBuf,
    /// Its place in the web configuration file, or its own path.
    label: String,
    has_key: bool,
}

impl Warnings {
    /// The inputs from `settings`, which the file `path` has, with the texts of certificates.
    pub(super) fn new(path: &Path, settings: &WebSettings, texts: Option<&TlsTexts>) -> Self {
        let name = path.display();
        let has_inline_key = settings.tls.as_ref().is_some_and(|tls| matches!(tls.key.pem, PemText::Inline(_)));
        let mut warnings = Self { constant: settings.notices.clone(), ..Self::default() };
        warnings.constant.extend(of_settings(settings).map(|warning| format!("{name}: {warning}")));
        warnings.files.push(RestrictedFile { path: path.to_owned(), label: name.to_string(), has_key: has_inline_key });
        if let Some((tls, texts)) = settings.tls.as_ref().zip(texts) {
            warnings.add_tls(tls, texts);
        }
        warnings
    }

    fn add_tls(&mut self, tls: &TlsSettings, texts: &TlsTexts) {
        self.add_file(&tls.key, true);
        self.add_file(&tls.certificate, false);
        let chain = certificates(&texts.certificate).unwrap_or_default();
        self.constant.extend(shortcomings(&chain).into_iter().map(|found| at(&tls.certificate, of_chain(found))));
        self.add_certificates(&tls.certificate, &chain, false);
        if let Some((source, text)) = tls.client_authorities.as_ref().zip(texts.client_authorities.as_ref()) {
            self.add_file(source, false);
            self.add_certificates(source, &certificates(text).unwrap_or_default(), true);
        }
    }

    fn add_file(&mut self, source: &PemSource, has_key: bool) {
        if let PemText::File(path) = &source.pem {
            let label = at(source, "").trim_end_matches(": ").to_owned();
            self.files.push(RestrictedFile { path: path.clone(), label, has_key });
        }
    }

    fn add_certificates(&mut self, source: &PemSource, found: &[CertificateDer<'_>], is_authority: bool) {
        for (index, certificate) in found.iter().enumerate() {
            let Ok(validity) = Validity::of(certificate) else { continue };
            let name = match index {
                0 => "the certificate".to_owned(),
                _ => format!("certificate {} of this file", index + 1),
            };
            self.certificates.push(DatedCertificate { source: source.clone(), name, validity, is_authority });
        }
    }

    /// The warnings at a time in seconds since the epoch.
    pub(super) fn at(&self, now: i64) -> Vec<String> {
        let of_time = self.certificates.iter().filter_map(|certificate| certificate.warning(now));
        let of_files = self.files.iter().flat_map(RestrictedFile::warnings);
        self.constant.iter().cloned().chain(of_time).chain(of_files).collect()
    }
}

impl DatedCertificate {
    fn warning(&self, now: i64) -> Option<String> {
        let Validity { not_before, not_after } = self.validity;
        let name = &self.name;
        let (of_end, of_begin) = if self.is_authority {
            ("replace it: clients with certificates that it signed are still let in", "check the clock of this host")
        } else {
            ("clients refuse it until you renew it", "clients refuse it; check the clock of this host")
        };
        let warning = match () {
            () if not_after < now => format!("{name} expired on {}; {of_end}", date(not_after)),
            () if not_before > now => format!("{name} is not valid before {}; {of_begin}", date(not_before)),
            () if not_after - now < NEAR_END => format!("{name} expires on {}; renew it before", date(not_after)),
            () => return None,
        };
        Some(at(&self.source, &warning))
    }
}

impl RestrictedFile {
    /// The warnings about rights. A file that is gone is another fault, which the next reading finds.
    fn warnings(&self) -> Vec<String> {
        let mode = fs::metadata(&self.path).map_or(0, |metadata| metadata.permissions().mode());
        let (label, path) = (&self.label, self.path.display());
        let read = (self.has_key && mode & OTHERS_READ != 0)
            .then(|| format!("{label}: every user of this host can read the private key; run `chmod o-r {path}`"));
        let changed = (mode & OTHERS_WRITE != 0)
            .then(|| format!("{label}: every user of this host can change this file; run `chmod o-w {path}`"));
        read.into_iter().chain(changed).collect()
    }
}

/// The day of a moment, in UTC.
fn date(seconds: i64) -> String {
    let moment = Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LAST_MOMENT));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + moment).to_string().chars().take("2023-11-14".len()).collect()
}

/// The warnings that follow from the settings alone.
fn of_settings(settings: &WebSettings) -> impl Iterator<Item = String> {
    let is_plain = settings.tls.is_none();
    let restricts_nothing = *settings == WebSettings::default();
    let nothing = restricts_nothing
        .then_some("the file has no settings; everything is served in plain HTTP to every client, as without it");
    let passwords = (is_plain && !settings.users.is_empty())
        .then_some("passwords cross the network unencrypted; configure tls_server_config as well");
    let transport = (is_plain && settings.headers.iter().any(|header| header.name == "strict-transport-security"))
        .then_some("browsers ignore Strict-Transport-Security over plain HTTP; configure tls_server_config as well");
    let tls = settings.tls.as_ref();
    let suites = tls
        .filter(|tls| tls.versions == TlsVersions::Only13 && tls.suites.iter().any(|suite| suite.contains("_WITH_")))
        .map(|_| "cipher_suites has no effect, because TLS 1.3 alone is spoken and always has its own suites");
    let clients = tls.and_then(|tls| of_clients(tls, !settings.users.is_empty()));
    let fixed = [nothing, passwords, transport, suites, clients].into_iter().flatten().map(str::to_owned);
    fixed.chain(of_hashes(settings))
}

/// The type of client authentication, where it keeps no client out.
fn of_clients(tls: &TlsSettings, has_users: bool) -> Option<&'static str> {
    match tls.clients {
        ClientCertificates::Requested => Some(
            "client_auth_type: RequestClientCert checks no certificate and keeps no client out; use \
             RequireAndVerifyClientCert",
        ),
        ClientCertificates::AnyRequired => Some(
            "client_auth_type: RequireAnyClientCert lets in every client, because anyone can make a certificate; use \
             RequireAndVerifyClientCert",
        ),
        ClientCertificates::VerifiedIfGiven if !has_users => Some(
            "client_auth_type: VerifyClientCertIfGiven lets in clients without a certificate; use \
             RequireAndVerifyClientCert",
        ),
        _ => None,
    }
}

/// The warnings about the costs of the hashes of passwords.
fn of_hashes(settings: &WebSettings) -> impl Iterator<Item = String> {
    let lowest = settings.users.iter().min_by_key(|(_, hash)| hash.cost());
    let highest = settings.users.values().map(super::settings::PasswordHash::cost).max();
    let low = lowest.filter(|(_, hash)| hash.cost() < LOW_COST).map(|(user, hash)| {
        let cost = hash.cost();
        format!("the hash of user {user} has bcrypt cost {cost} and is quickly guessed; make one with cost {LOW_COST}")
    });
    let differs = lowest.zip(highest).filter(|((_, hash), highest)| hash.cost() != *highest).map(|_| {
        "the hashes of passwords have different costs, so the time of an answer tells which users exist; give all the \
         same cost"
            .to_owned()
    });
    low.into_iter().chain(differs)
}

fn of_chain(found: Shortcoming) -> &'static str {
    match found {
        Shortcoming::NoNames => {
            "the certificate has no alternative names (subjectAltName), so clients refuse it; make one with the names \
             of this host"
        }
        Shortcoming::NotForServers => {
            "the certificate is not made for servers (its extended key usage lacks serverAuth), so clients refuse it; \
             make one for servers"
        }
        Shortcoming::BrokenChain => {
            "each certificate must be followed by that of its issuer, and one here is not; clients may refuse it; put \
             them in order"
        }
    }
}

#[cfg(test)]
mod tests;
