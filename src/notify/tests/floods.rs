//! Tests of floods: a million alerts to receivers that are down.

use super::faults::{dead, url};
use super::notices::{firing, resolved};
use super::*;
use crate::notify::queue::MOST_WAITING;
use crate::os::rerun;

/// Kilobytes of this process.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn million_alerts_to_a_dead_receiver_cost_little_memory() {
    rerun::output(rerun::start("notify::tests::floods::process_with_a_million_alerts", "run"));
}

const MILLION: u64 = 1_000_000;

/// Hands notices over; gives the kilobytes by which this process grew at most, once all of them are counted: as many as
/// `changes` at each receiver.
fn growth(notifier: &Notifier, notices: impl Iterator<Item = Notice>, changes: u64) -> u64 {
    let before = resident_kilobytes();
    let mut most = 0;
    for (at, notice) in notices.enumerate() {
        put(notifier, [notice]);
        if at % 1_000 == 0 {
            most = most.max(resident_kilobytes());
        }
    }
    for (name, figures) in notifier.figures() {
        wait(&name, || figures.waiting() + figures.lost(FailureReason::QueueFull) == changes);
        assert_eq!((figures.delivered(), figures.lost(FailureReason::TooOld)), (0, 0), "{name}");
    }
    most.max(resident_kilobytes()).saturating_sub(before)
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_with_a_million_alerts() {
    if rerun::parameter().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = config(vec![receiver("one", &url(dead()))], Some(folder.path().to_owned()));
    let notifier = start(config, Batching::Each);
    let more = growth(&notifier, (0..MILLION).map(firing), MILLION);
    assert_eq!(notifier.figures()[0].1.waiting(), MOST_WAITING as u64);
    assert!(more <= 32 * 1024, "{more} kB more");
    println!("{more} kB more");
}

/// For `make soak`.
#[test]
#[ignore = "takes minutes"]
fn soak_million_alerts_with_their_ends_to_dead_receivers_cost_little_memory() {
    for batching in ["each", "all", "group"] {
        let output = rerun::output(rerun::start("notify::tests::floods::process_with_a_million_ends", batching));
        println!("{batching}: {}", output.lines().find(|line| line.ends_with(" kB more")).unwrap());
    }
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_with_a_million_ends() {
    let Some(batching) = rerun::parameter() else { return };
    let batching = match batching.as_str() {
        "each" => Batching::Each,
        "all" => QUICK_ALL,
        _ => QUICK_GROUP,
    };
    let folder = tempfile::tempdir().unwrap();
    let receivers = ["one", "two", "three"].map(|name| receiver(name, &url(dead())));
    let notifier = start(config(receivers.into(), Some(folder.path().to_owned())), batching);
    let more = growth(&notifier, (0..MILLION).flat_map(|key| [firing(key), resolved(key)]), 2 * MILLION);
    for (name, figures) in notifier.figures() {
        assert!(figures.waiting() >= MOST_WAITING as u64, "{name}: {}", figures.waiting());
    }
    assert!(more <= 32 * 1024, "{more} kB more");
    println!("{more} kB more");
}
