//! Delivers alerts to receivers: Alertmanager, Slack, PagerDuty, Opsgenie and webhooks.
//!
//! Takes changes of alerts, which never wait; gives HTTP requests. Must not know detection, nor what makes an alert.

mod config;
#[cfg(test)]
mod made;
mod notice;
mod receivers;
mod secret;
mod selection;
mod text;
mod url;

pub use config::{AlertSelection, Config, ReceiverConfig, Vendor};
pub use notice::Notice;
pub use secret::{Secret, SecretError, SecretSource};
pub use url::{UrlError, check_url, is_base};
