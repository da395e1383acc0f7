//! The kinds of receivers, each in a file of its own: how notices become an HTTP request.
//!
//! Takes notices; gives requests. Must not know queues, attempts or the network.

mod alertmanager;
mod opsgenie;
mod pagerduty;
mod slack;
mod webhook;

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::config::{ReceiverConfig, Vendor};
use super::notice::Notice;
use super::secret::Secret;
use super::text::AlertText;
use crate::alert::EvidenceFile;
use crate::packet::Timestamp;

/// A burst of alerts is one message: the first after this time.
const WAIT: Duration = Duration::from_secs(5);
/// The time between two messages about bursts.
const INTERVAL: Duration = Duration::from_secs(60);
/// The most alerts that a message names.
const NAMED: usize = 20;
/// The name under which messages come.
const SENDER: &str = "trafficmonitor";

/// The receiver of a configuration.
pub(super) fn of(config: &ReceiverConfig) -> Box<dyn Receiver> {
    match &config.vendor {
        Vendor::Alertmanager => Box::new(alertmanager::Alertmanager),
        Vendor::Slack { channel, emoji, icon } => {
            Box::new(slack::Slack { channel: channel.clone(), emoji: emoji.clone(), icon: icon.clone() })
        }
        Vendor::PagerDuty { .. } => Box::new(pagerduty::PagerDuty),
        Vendor::Opsgenie { .. } => Box::new(opsgenie::Opsgenie),
        Vendor::Webhook => Box::new(webhook::Webhook { receiver: config.name.clone() }),
    }
}

/// The way in which notices are put together into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batching {
    /// One request for each notice, in order.
    Each,
    /// All waiting notices in one request, at most `most`. Firing alerts are sent again after `again`.
    All { most: usize, again: Duration },
    /// One request for a burst: the first after `wait`, the next ones `interval` apart. At most `named` notices are in it;
    /// the rest are counted.
    Group { wait: Duration, interval: Duration, named: usize },
}

/// An HTTP request: always a POST.
#[derive(Clone)]
pub(super) struct Request {
    /// The path behind the base URL, such as `/api/v2/alerts`; empty if the base URL is the whole one.
    pub path: String,
    /// Headers besides the content type, which is JSON.
    pub headers: Vec<(&'static str, Secret)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// Without the body, which may contain a key.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, headers, body } = self;
        f.debug_struct("Request")
            .field("path", path)
            .field("headers", headers)
            .field("body_bytes", &body.len())
            .finish()
    }
}

/// The circumstances of a request.
pub(super) struct Context<'a> {
    /// The present time.
    pub now: Timestamp,
    /// The name of this host.
    pub host: &'a str,
    /// The URL of this program's pages, without a slash at the end; none for no links.
    pub external_url: Option<&'a str>,
    /// The address of the runbooks, with its placeholders; none for no links.
    pub runbook_url: Option<&'a str>,
    /// The number of further notices that have no room in this request: firing, resolved.
    pub unnamed: [u64; 2],
    /// The evidence file of an alert.
    pub evidence: &'a dyn Fn(&Notice) -> Option<EvidenceFile>,
    /// The vendor's key from its own setting, if it has one (PagerDuty's routing key, Opsgenie's API key).
    pub key: Option<&'a Secret>,
}

/// A kind of receivers.
pub(super) trait Receiver: Send + Sync {
    /// The way in which notices are put together.
    fn batching(&self) -> Batching;

    /// The base URL if none is configured; none if one must be.
    fn default_url(&self) -> Option<&'static str>;

    /// The request for some notices, of which there is at least one.
    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request;
}

impl<'a> Context<'a> {
    /// The words of a notice.
    fn text(&self, notice: &'a Notice) -> AlertText<'a> {
        AlertText {
            notice,
            host: self.host,
            external_url: self.external_url,
            runbook_url: self.runbook_url,
            evidence: (self.evidence)(notice),
        }
    }
}

/// A request with this JSON as its body.
fn json(path: impl Into<String>, body: &Value) -> Request {
    Request { path: path.into(), headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// An object of texts.
fn object(entries: impl IntoIterator<Item = (&'static str, String)>) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
}

#[cfg(test)]
mod tests;
