//! The kinds of receivers, each in a file of its own: how notices become an HTTP request.
//!
//! Takes notices; gives requests. Must not know queues, attempts or the network.

use std::time::Duration;

use super::config::Vendor;
use super::notice::Notice;
use super::secret::Secret;
use crate::alert::EvidenceFile;
use crate::packet::Timestamp;

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
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The path behind the base URL, such as `/api/v2/alerts`; empty if the base URL is the whole one.
    pub path: String,
    /// Headers besides the content type, which is JSON.
    pub headers: Vec<(&'static str, Secret)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// The circumstances of a request.
pub(super) struct Context<'a> {
    /// The present time.
    pub now: Timestamp,
    /// The name of this host.
    pub host: &'a str,
    /// The URL of this program's pages, without a slash at the end; none for no links.
    pub external_url: Option<&'a str>,
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

/// The receiver of a kind.
pub(super) fn of(_: &Vendor) -> Box<dyn Receiver> {
    Box::new(Plain)
}

/// Notices as they are.
struct Plain;

impl Receiver for Plain {
    fn batching(&self) -> Batching {
        Batching::Each
    }

    fn default_url(&self) -> Option<&'static str> {
        None
    }

    fn request(&self, notices: &[Notice], _: &Context<'_>) -> Request {
        Request { path: String::new(), headers: Vec::new(), body: serde_json::to_vec(notices).unwrap_or_default() }
    }
}
