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
mod figures;
mod inbox;
mod intake;
mod journal;
mod notice;
mod notifier;
mod queue;
mod receivers;
mod restart;
mod secret;

pub use config::{Config, ReceiverConfig, Selection, Vendor};
pub use endpoint::EndpointError;
pub use figures::{FailureReason, LATENCY_BUCKETS, Latency, ReceiverFigures};
pub use journal::JournalError;
pub use notice::Notice;
pub use notifier::{Error, NotificationSink, Notifier};
pub use secret::{Secret, SecretSource};

#[cfg(test)]
mod tests;
