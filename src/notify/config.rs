//! The settings of receivers.
//!
//! A plain value. Must not know where its text came from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::secret::{Secret, SecretSource};
use crate::alert::Severity;
use crate::detect::Kind;

/// The receivers, and what they have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Each has a name of its own.
    pub receivers: Vec<ReceiverConfig>,
    /// The folder that keeps undelivered alerts over a restart; without one they are kept in memory alone.
    pub state_dir: Option<PathBuf>,
    /// The URL under which people reach this program's pages, for links; none for no links.
    pub external_url: Option<String>,
    /// After a restart, the time until an alert that was delivered and does not fire again is resolved at its receivers.
    pub restart_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { receivers: Vec::new(), state_dir: None, external_url: None, restart_grace: Duration::from_secs(300) }
    }
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// The value of the label `receiver`.
    pub name: String,
    /// What it is, with the settings of its kind.
    pub vendor: Vendor,
    /// The base URL; none for the vendor's own.
    pub url: Option<SecretSource>,
    /// The longest time of one attempt.
    pub timeout: Duration,
    /// Further headers of each request, such as `Authorization`.
    pub headers: BTreeMap<String, Secret>,
    /// A PEM file with the roots to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The alerts that it gets.
    pub selection: Selection,
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

/// The alerts that a receiver gets: those to which all given conditions apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Any of these kinds; empty for all.
    pub kinds: Vec<Kind>,
    /// This severity or a more urgent one.
    pub severity: Option<Severity>,
    /// Any of these networks contains an address of the subject; empty for all.
    pub networks: Vec<IpNet>,
}

impl Selection {
    /// True if the receiver gets this notice.
    pub(super) fn accepts(&self, notice: &super::notice::Notice) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.label() == notice.kind)
    }
}
