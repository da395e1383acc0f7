//! The settings of receivers.
//!
//! A plain value. Must not know where its text came from.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::secret::{Secret, SecretSource};
use super::url::{UrlError, check_base, check_url};
use crate::alert::Severity;
use crate::detect::Kind;
use crate::os::confinement::sandbox_hint;

/// The paths that are put behind the base URLs.
pub(super) const ALERTMANAGER_PATH: &str = "/api/v2/alerts";
pub(super) const PAGERDUTY_PATH: &str = "/v2/enqueue";
pub(super) const OPSGENIE_PATH: &str = "/v2/alerts";

/// The receivers, and what they have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Each has a name of its own.
    pub receivers: Vec<ReceiverConfig>,
    /// The folder that keeps undelivered alerts over a restart; without one they are kept in memory alone.
    pub state_dir: Option<PathBuf>,
    /// The URL under which people reach this program's pages, for links; none for no links.
    pub external_url: Option<String>,
    /// The address of the runbooks: a URL with the placeholders `{kind}` and `{alert}`; none for no links to them.
    pub runbook_url: Option<String>,
    /// After a restart, the time until an alert that was delivered and does not fire again is resolved at its receivers.
    pub restart_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            receivers: Vec::new(),
            state_dir: None,
            external_url: None,
            runbook_url: None,
            restart_grace: Duration::from_secs(300),
        }
    }
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// The value of the label `receiver`.
    pub name: String,
    /// Its kind, with the settings of that kind.
    pub vendor: Vendor,
    /// The base URL; none for the vendor's own.
    pub url: Option<SecretSource>,
    /// The longest time of one attempt.
    pub timeout: Duration,
    /// Further headers of each request, such as `Authorization`. Names are in lower case.
    pub headers: BTreeMap<String, SecretSource>,
    /// A PEM file with the roots to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The alerts that it gets.
    pub selection: AlertSelection,
}

/// A kind of receivers, with its own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vendor {
    /// `POST /api/v2/alerts`.
    Alertmanager,
    /// Slack's incoming webhooks.
    Slack {
        /// Overrides the channel of the hook.
        channel: Option<String>,
        /// Shown in place of the hook's icon, as `:warning:`.
        emoji: Option<String>,
        /// The URL of an icon; the emoji counts if both are given.
        icon: Option<String>,
    },
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// The integration key.
        routing_key: SecretSource,
    },
    /// Opsgenie's alert API.
    Opsgenie {
        /// The key of the integration.
        api_key: SecretSource,
    },
    /// The JSON of Alertmanager's own webhook receiver.
    Webhook,
}

impl ReceiverConfig {
    /// The faults of the files and environment variables that the receiver needs, as they are now, in words without a
    /// secret.
    pub fn faults(&self) -> Vec<String> {
        let of_url = self.url.as_ref().and_then(|source| match source.read() {
            Ok(url) => self.vendor.check_url(&url).err().map(|fault| format!("{}: {fault}", place(source))),
            Err(error) => Some(error.to_string()),
        });
        let others = self.vendor.key().into_iter().chain(self.headers.values());
        let of_others = others.filter_map(|source| source.read().err().map(|error| error.to_string()));
        let of_authorities = self.ca_file.as_deref().and_then(fault_of_authorities);
        of_url.into_iter().chain(of_others).chain(of_authorities).collect()
    }
}

/// The place of a secret, for messages.
fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Given(_) => "url".to_owned(),
        SecretSource::Variable(name) => name.clone(),
        SecretSource::File(path) => path.display().to_string(),
    }
}

impl Config {
    /// A digest of the contents of all `ca_file`s. It is the same within a process only.
    pub fn authorities_digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let files = self.receivers.iter().filter_map(|receiver| receiver.ca_file.as_deref());
        files.for_each(|path| std::fs::read(path).ok().hash(&mut hasher));
        hasher.finish()
    }
}

/// The reason why a file is no list of certificate authorities.
fn fault_of_authorities(path: &Path) -> Option<String> {
    let name = path.display();
    match std::fs::read_to_string(path) {
        Err(error) => Some(format!("{name}: cannot read the certificate authorities: {error}{}", sandbox_hint(&error))),
        Ok(text) if !text.contains("-----BEGIN CERTIFICATE-----") => {
            Some(format!("{name}: no certificate in this file; expected certificates in the PEM format"))
        }
        Ok(_) => None,
    }
}

impl Vendor {
    /// The setting with the vendor's own key.
    pub const fn key(&self) -> Option<&SecretSource> {
        match self {
            Self::PagerDuty { routing_key: key } | Self::Opsgenie { api_key: key } => Some(key),
            Self::Alertmanager | Self::Slack { .. } | Self::Webhook => None,
        }
    }

    /// Checks that requests of this vendor can be sent to the URL.
    ///
    /// # Errors
    /// The first fault.
    pub fn check_url(&self, url: &Secret) -> Result<(), UrlError> {
        check_url(url.expose())?;
        self.api_path().map_or(Ok(()), |path| check_base(url.expose(), path))
    }

    /// The text of a URL that is no secret: the base URL of an interface, without user and query. None for the URLs of
    /// hooks, which are keys.
    pub fn plain_url<'a>(&self, url: &'a Secret) -> Option<&'a str> {
        (self.api_path().is_some() && self.check_url(url).is_ok()).then(|| url.expose())
    }

    /// The path of the vendor's interface, which is put behind the base URL. None for hooks: requests go to the URL as it
    /// is given.
    pub(super) const fn api_path(&self) -> Option<&'static str> {
        match self {
            Self::Alertmanager => Some(ALERTMANAGER_PATH),
            Self::PagerDuty { .. } => Some(PAGERDUTY_PATH),
            Self::Opsgenie { .. } => Some(OPSGENIE_PATH),
            Self::Slack { .. } | Self::Webhook => None,
        }
    }
}

/// The alerts that a receiver gets: those to which all given conditions apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertSelection {
    /// Any of these kinds; empty for all.
    pub kinds: Vec<Kind>,
    /// This severity or a more urgent one.
    pub severity: Option<Severity>,
    /// Any of these networks contains an address of the subject; empty for all.
    pub networks: Vec<IpNet>,
}
