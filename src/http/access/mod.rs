//! Web access: TLS, users, headers and a limit on requests, as a web configuration file has them. Takes connections and
//! requests; tells which get in. Must not know the pages.
//!
//! The file is read again every second. A change takes effect once it is the same in two readings, because a file that
//! is being written is incomplete for a moment. A file with a fault changes nothing.

mod certificates;
mod clients;
mod credentials;
mod file;
mod origin;
mod pace;
mod passwords;
mod settings;
mod tls_rules;
mod warnings;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio::time::sleep;

use super::answer::{Answer, PLAIN, page, unavailable};
use super::slots::ClientId;
use crate::export::access::{AccessFigures, DenialReason};
use file::{AccessRules, FileVersion};
use passwords::{CheckRefusal, PasswordChecks};

pub use file::WebFile;
pub use settings::{
    ClientCertificates, PasswordHash, PemSource, PemText, RequestRate, ResponseHeader, TlsSettings, TlsVersions,
    WebSettings,
};
pub use tls_rules::{CIPHER_SUITES, CURVES, OTHER_CIPHER_SUITES, OTHER_CURVES};

/// The time between two readings of the file.
const READING_INTERVAL: Duration = Duration::from_secs(1);
const CHALLENGE: &str = "Basic realm=\"trafficmonitor\", charset=\"UTF-8\"";

/// The rules of access in force.
pub struct WebAccess {
    rules: ArcSwap<AccessRules>,
    watched: Option<WatchedRules>,
    passwords: Arc<PasswordChecks>,
    figures: Arc<AccessFigures>,
}

/// The file, and its versions that were read last.
struct WatchedRules {
    file: WebFile,
    versions: Mutex<Versions>,
}

struct Versions {
    /// The version that was judged last: it is in force, or it has a fault.
    judged: Result<FileVersion, String>,
    /// Another one that was read once.
    read_once: Option<Result<FileVersion, String>>,
    /// The warnings that were logged.
    warned: Vec<String>,
}

impl WebAccess {
    /// The access by this file; without a file all get in over plain HTTP.
    ///
    /// # Errors
    /// The place and the fault.
    pub fn new(file: Option<WebFile>) -> Result<Self, String> {
        let mut key = [0; 32];
        let random = ring::default_provider().secure_random;
        random.fill(&mut key).map_err(|_| "the system gives no random numbers".to_owned())?;
        let passwords = Arc::new(PasswordChecks::new(key));
        let mut rules = AccessRules::default();
        let mut watched = None;
        if let Some(file) = file {
            let version = file.read()?;
            rules = AccessRules::of(&file.path, &version, &rules)?;
            let versions = Versions { judged: Ok(version), read_once: None, warned: rules.warnings.at(now()) };
            watched = Some(WatchedRules { file, versions: Mutex::new(versions) });
        }
        let access = Self { rules: ArcSwap::from_pointee(rules), watched, passwords, figures: Arc::default() };
        access.note_certificate();
        Ok(access)
    }

    /// The figures to export; none without a file.
    pub fn figures(&self) -> Option<Arc<AccessFigures>> {
        self.watched.is_some().then(|| Arc::clone(&self.figures))
    }

    /// True if a client needs a password, or a certificate that an authority has signed.
    pub fn is_authenticated(&self) -> bool {
        let rules = self.rules.load();
        !rules.users.is_empty() || rules.verifies_clients
    }

    /// Warnings about the rules in force, each as a sentence.
    pub fn warnings(&self) -> Vec<String> {
        self.rules.load().warnings.at(now())
    }

    /// Reads the file every second, and changes the rules when it changes.
    pub(super) async fn watch(self: Arc<Self>) {
        while self.watched.is_some() {
            sleep(READING_INTERVAL).await;
            let access = Arc::clone(&self);
            drop(tokio::task::spawn_blocking(move || access.read_again()).await);
        }
    }

    fn read_again(&self) {
        let Some(WatchedRules { file, versions }) = &self.watched else { return };
        let found = file.read();
        let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
        if found == versions.judged {
            versions.read_once = None;
            self.log_new_warnings(&mut versions.warned);
        } else if versions.read_once.as_ref() == Some(&found) {
            versions.read_once = None;
            // A new version repeats the warnings that still hold.
            versions.warned.clear();
            self.judge(file, &found);
            versions.judged = found;
            self.log_new_warnings(&mut versions.warned);
        } else {
            versions.read_once = Some(found);
        }
    }

    /// Puts a version into force, or logs its fault.
    fn judge(&self, file: &WebFile, version: &Result<FileVersion, String>) {
        let before = self.rules.load();
        let rules =
            version.as_ref().map_err(Clone::clone).and_then(|version| AccessRules::of(&file.path, version, &before));
        let name = file.path.display();
        let rules = rules.and_then(|rules| match before.lost_in(&rules) {
            Some(lost) => Err(format!("{name}: {lost} is gone; restart the program to serve without it")),
            None => Ok(rules),
        });
        self.figures.set_current(rules.is_ok());
        match rules {
            Ok(rules) => {
                self.passwords.retain(&rules.users);
                self.rules.store(Arc::new(rules));
                self.note_certificate();
                tracing::info!(file = %name, "the web configuration has changed and is in force");
            }
            Err(fault) => tracing::error!("{fault}; the rules of access before this change stay in force"),
        }
    }

    /// Logs the warnings that are not among those of the reading before, and keeps all in their place: time passes, and
    /// rights of files change, while the file stays the same.
    fn log_new_warnings(&self, warned: &mut Vec<String>) {
        let warnings = self.warnings();
        warnings.iter().filter(|warning| !warned.contains(warning)).for_each(|warning| tracing::warn!("{warning}"));
        *warned = warnings;
    }

    fn note_certificate(&self) {
        self.figures.set_not_after(self.rules.load().validity.map(|validity| validity.not_after));
    }

    /// The configuration of TLS for a new connection; none for plain HTTP.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.rules.load().tls.clone()
    }

    /// Counts a denied connection.
    pub(super) fn count_denied(&self, reason: DenialReason) {
        self.figures.count_denied(reason);
    }

    /// Lets a request in, or gives the answer that denies it.
    pub(super) async fn admit<B>(&self, request: &Request<B>, client: ClientId) -> Result<(), Answer> {
        let denial = match self.judge_request(request, client).await {
            Ok(()) => return Ok(()),
            Err(denial) => denial,
        };
        match denial {
            Denial::Of(reason) => self.figures.count_denied(reason),
            Denial::WrongPair => self.figures.count_denied(DenialReason::Credentials),
            Denial::Busy => self.figures.count_denied(DenialReason::Checks),
        }
        Err(denial.answer())
    }

    async fn judge_request<B>(&self, request: &Request<B>, client: ClientId) -> Result<(), Denial> {
        // Taken out, because the guard must not be held while a check waits.
        let (users, bucket) = {
            let rules = self.rules.load();
            (Arc::clone(&rules.users), rules.bucket.clone())
        };
        let is_within =
            bucket.is_none_or(|bucket| bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()));
        if !is_within {
            return Err(Denial::Of(DenialReason::Rate));
        }
        if origin::is_forged(request.method(), request.headers()) {
            return Err(Denial::Of(DenialReason::Forged));
        }
        if users.is_empty() {
            return Ok(());
        }
        self.passwords.check(&users, request.headers(), client).await.map_err(|refusal| match refusal {
            CheckRefusal::Missing => Denial::Of(DenialReason::Credentials),
            CheckRefusal::Wrong => Denial::WrongPair,
            CheckRefusal::TooMany => Denial::Of(DenialReason::Checks),
            CheckRefusal::Busy => Denial::Busy,
        })
    }

    /// Adds the configured headers to an answer, in place of those of the same names.
    pub(super) fn add_headers<B>(&self, answer: &mut Response<B>) {
        for header in &self.rules.load().headers {
            answer.headers_mut().insert(&header.name, header.value.clone());
        }
    }
}

/// Seconds since the epoch.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// A request that is not let in.
enum Denial {
    Of(DenialReason),
    /// A user and a password were sent, and one of them is wrong.
    WrongPair,
    /// A password could not be checked in time.
    Busy,
}

impl Denial {
    fn answer(&self) -> Answer {
        match self {
            Self::Busy => unavailable("too many passwords to check\n"),
            Self::Of(DenialReason::Rate | DenialReason::Checks) => {
                let mut answer = page(StatusCode::TOO_MANY_REQUESTS, PLAIN, "too many requests\n");
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                answer
            }
            Self::Of(DenialReason::Forged) => {
                page(StatusCode::FORBIDDEN, PLAIN, "requests from pages of other sites are refused\n")
            }
            Self::WrongPair => unauthorized("unauthorized: the user or the password is wrong\n"),
            Self::Of(_) => unauthorized("unauthorized: a user and a password are needed\n"),
        }
    }
}

fn unauthorized(text: &'static str) -> Answer {
    let mut answer = page(StatusCode::UNAUTHORIZED, PLAIN, text);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    answer
}
