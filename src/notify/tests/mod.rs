//! Tests of deliveries over real connections.

mod battery;
mod faults;
mod floods;
pub(super) mod notices;
mod restarts;
mod secrets;
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::receivers::{Batching, Context, Receiver, Request};
use super::{AlertSelection, Config, FailureReason, Notice, Notifier, ReceiverConfig, Secret, SecretSource, Vendor};
use crate::alert::EvidenceIndex;

/// Sends notices as they are.
struct Plain(Batching);

impl Receiver for Plain {
    fn batching(&self) -> Batching {
        self.0
    }

    fn default_url(&self) -> Option<&'static str> {
        None
    }

    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        let evidence: Vec<_> =
            notices.iter().map(|notice| (context.evidence)(notice).map(|file| file.sha256)).collect();
        let body = serde_json::json!({ "notices": notices, "unnamed": context.unnamed, "evidence": evidence });
        Request { path: "/plain".to_owned(), headers: Vec::new(), body: body.to_string().into_bytes() }
    }
}

/// The alerts of a request of [`Plain`]: fingerprint, true if it fires.
fn alerts(body: &str) -> Vec<(u64, bool)> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let notices: Vec<Notice> = serde_json::from_value(body["notices"].clone()).unwrap();
    notices.iter().map(|notice| (notice.id().0, notice.is_firing)).collect()
}

/// Groups after 10 ms, at most every 20 ms.
const QUICK_GROUP: Batching =
    Batching::Group { wait: Duration::from_millis(10), interval: Duration::from_millis(20), named: 20 };

/// Batches of 64 without repetition.
const QUICK_ALL: Batching = Batching::All { most: 64, again: Duration::from_secs(3600) };

fn receiver(name: &str, url: &str) -> ReceiverConfig {
    ReceiverConfig {
        name: name.to_owned(),
        vendor: Vendor::Webhook,
        url: Some(SecretSource::Given(Secret::new(url))),
        timeout: Duration::from_millis(500),
        headers: BTreeMap::new(),
        ca_file: None,
        selection: AlertSelection::default(),
    }
}

fn config(receivers: Vec<ReceiverConfig>, state_dir: Option<PathBuf>) -> Config {
    Config { receivers, state_dir, ..Config::default() }
}

fn start(config: Config, batching: Batching) -> Notifier {
    let of = |_: &ReceiverConfig| Box::new(Plain(batching)) as Box<dyn Receiver>;
    Notifier::start_with(config, EvidenceIndex::default(), "host".to_owned(), of).unwrap()
}

fn put(notifier: &Notifier, notices: impl IntoIterator<Item = Notice>) {
    let sink = notifier.sink();
    notices.into_iter().for_each(|notice| sink.put(notice));
}

/// Waits until a condition holds.
#[track_caller]
fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "after a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a receiver has settled so many notices.
#[track_caller]
fn wait_settled(notifier: &Notifier, receiver: usize, count: u64) {
    let figures = &notifier.figures()[receiver].1;
    let lost = || FailureReason::ALL.map(|reason| figures.lost(reason)).iter().sum::<u64>();
    wait("all notices are settled", || figures.delivered() + lost() >= count);
}

fn finish(notifier: Notifier) {
    notifier.finish(Instant::now() + Duration::from_secs(10));
}
