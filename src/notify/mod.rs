//! Delivers alerts to receivers: Alertmanager, Slack, PagerDuty, Opsgenie and webhooks.
//!
//! Takes changes of alerts, which never wait; gives HTTP requests. Must not know detection, nor what makes an alert.

mod attempt;
mod backoff;
mod batch;
mod client;
mod config;
mod delivery;
mod endpoint;
mod engine;
mod figures;
mod firing;
mod inbox;
mod intake;
mod journal;
#[cfg(test)]
mod made;
mod notice;
mod notifier;
mod queue;
mod receivers;
mod restart;
mod runbook;
mod secret;
mod selection;
mod sink;
mod text;
mod url;

pub use config::{AlertSelection, Config, ReceiverConfig, Vendor};
pub use endpoint::EndpointError;
pub use figures::{FailureReason, LATENCY_BUCKETS, Latency, ReceiverFigures};
pub use journal::{JournalError, reread_journal};
pub use notice::Notice;
pub use notifier::{Error, Notifier, ReadyReceivers};
pub use runbook::{is_template, runbook_address};
pub use secret::{Secret, SecretError, SecretSource};
pub use selection::SelectionMismatch;
pub use sink::NotificationSink;
pub use url::{UrlError, check_url, is_base};

#[cfg(test)]
mod tests;
