//! Tests of restarts: after an orderly end and after SIGKILL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::notices::{firing, resolved};
use super::server::{Answer, Server};
use super::*;
use crate::notify::ReadyReceivers;
use crate::os::rerun;

/// All alerts of the requests, in their order.
fn received(server: &Server) -> Vec<(u64, bool)> {
    server.requests().iter().flat_map(|request| alerts(&request.body)).collect()
}

fn config_with(server: &Server, state_dir: &Path, grace: Duration) -> Config {
    Config { restart_grace: grace, ..config(vec![receiver("one", &server.url())], Some(state_dir.to_owned())) }
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn undelivered_notices_are_delivered_after_a_restart() {
    for batching in [Batching::Each, QUICK_ALL] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start([Answer::Status(503, "")]);
        let notifier = start(config_with(&server, folder.path(), LONG), batching);
        put(&notifier, (0..100).map(firing));
        let figures = &notifier.figures()[0].1;
        wait("an attempt fails", || figures.failed_attempts(FailureReason::ServerError) > 0);
        notifier.finish(Instant::now() + Duration::from_secs(5));
        let before = server.requests().len();
        let notifier = start(config_with(&server, folder.path(), LONG), batching);
        wait_settled(&notifier, 0, 100);
        let after: Vec<_> = received(&server).into_iter().skip(alerts_of(&server, before)).collect();
        assert_eq!(after, (0..100).map(|key| (key, true)).collect::<Vec<_>>());
        finish(notifier);
        let notifier = start(config_with(&server, folder.path(), LONG), batching);
        assert_eq!(notifier.figures()[0].1.waiting(), 0, "delivered notices are settled in the journal");
    }
}

/// The notifier with these receivers in the place of another.
fn hand_over(notifier: Notifier, config: Config, batching: Batching) -> Notifier {
    let of = |_: &ReceiverConfig| Box::new(Plain(batching)) as Box<dyn Receiver>;
    let ready = ReadyReceivers::with(config, of).unwrap();
    let mut installed = None;
    let next = notifier.hand_over(ready, (EvidenceIndex::default(), "host".to_owned()), |sink| installed = Some(sink));
    installed.unwrap().put(firing(99));
    next
}

#[test]
fn receivers_go_on_with_their_notices_and_figures_after_a_reload() {
    for (batching, is_kept) in [(Batching::Each, true), (Batching::Each, false), (QUICK_ALL, true)] {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Server::start([Answer::Status(503, "")]), Server::start([]));
        let state_dir = is_kept.then(|| folder.path().to_owned());
        let before =
            Config { restart_grace: Duration::ZERO, ..config(vec![receiver("one", &one.url())], state_dir.clone()) };
        let notifier = start(before.clone(), batching);
        put(&notifier, [firing(1), firing(2)]);
        let figures = Arc::clone(&notifier.figures()[0].1);
        wait("an attempt fails", || figures.failed_attempts(FailureReason::ServerError) > 0);
        let receivers = vec![receiver("two", &two.url()), receiver("one", &one.url())];
        let notifier = hand_over(notifier, Config { receivers, ..before }, batching);
        wait_settled(&notifier, 1, 3);
        wait_settled(&notifier, 0, 1);
        assert!(Arc::ptr_eq(&figures, &notifier.figures()[1].1), "its counters go on");
        put(&notifier, [resolved(1)]);
        wait_settled(&notifier, 1, 4);
        let all: BTreeSet<_> = received(&one).into_iter().collect();
        let expected = BTreeSet::from([(1, true), (2, true), (99, true), (1, false)]);
        assert_eq!(all, expected, "no alert is lost, and none that goes on is resolved");
        assert_eq!(figures.lost(FailureReason::Stopped), 0);
        finish(notifier);
    }
}

/// The number of alerts in the first requests.
fn alerts_of(server: &Server, requests: usize) -> usize {
    server.requests().iter().take(requests).map(|request| alerts(&request.body).len()).sum()
}

#[test]
fn alert_that_no_longer_fires_is_resolved_after_the_grace() {
    for batching in [Batching::Each, QUICK_GROUP, QUICK_ALL] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start([]);
        let notifier = start(config_with(&server, folder.path(), LONG), batching);
        put(&notifier, [firing(1), firing(2), firing(3), resolved(3)]);
        wait_settled(&notifier, 0, 4);
        finish(notifier);
        let before = received(&server).len();
        let notifier = start(config_with(&server, folder.path(), Duration::from_secs(1)), batching);
        put(&notifier, [Notice { starts_at: 1_500_000_000, ..firing(2) }]);
        wait("the orphan is resolved", || received(&server).contains(&(1, false)));
        let repeated: &[(u64, bool)] = if batching == QUICK_ALL { &[(2, true)] } else { &[] };
        assert_eq!(received(&server)[before..], [repeated, &[(1, false)]].concat(), "{batching:?}");
        put(&notifier, [resolved(2)]);
        wait("the other is resolved", || received(&server).contains(&(2, false)));
        finish(notifier);
        let notifier = start(config_with(&server, folder.path(), Duration::ZERO), batching);
        put(&notifier, [firing(9)]);
        wait_settled(&notifier, 0, 1);
        assert_eq!(received(&server).last(), Some(&(9, true)), "nothing else is left");
        let last = server.requests().into_iter().rev().find(|request| request.body.contains("0000001\"")).unwrap();
        let body: serde_json::Value = serde_json::from_str(&last.body).unwrap();
        let ends_at = body["notices"][0]["ends_at"].as_i64().unwrap();
        assert!(ends_at > 1_700_000_000_000_000_000, "the end is the time of the resolution: {ends_at}");
        let sentence = body["notices"][0]["sentence"].as_str().unwrap();
        let expected = format!("resolved: it has not fired again since the restart; last seen: {}", firing(1).sentence);
        assert_eq!(sentence, expected);
    }
}

#[test]
fn receiver_that_left_the_configuration_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([]);
    let notifier = start(config_with(&server, folder.path(), LONG), Batching::Each);
    put(&notifier, [firing(1)]);
    wait_settled(&notifier, 0, 1);
    finish(notifier);
    finish(start(config(vec![receiver("other", &server.url())], Some(folder.path().to_owned())), Batching::Each));
    let notifier = start(config_with(&server, folder.path(), Duration::ZERO), Batching::Each);
    put(&notifier, [firing(2)]);
    wait_settled(&notifier, 0, 1);
    assert_eq!(received(&server), [(1, true), (2, true)]);
}

// ---- SIGKILL -------------------------------------------------------------------------------------------------------------

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_that_is_killed() {
    let Some(parameter) = rerun::parameter() else { return };
    let (url, state_dir) = parameter.split_once(' ').unwrap();
    let notifier = start(config(vec![receiver("one", url)], Some(state_dir.into())), Batching::Each);
    put(&notifier, (0..100).map(firing));
    std::thread::sleep(Duration::from_secs(120));
}

/// A process with 100 alerts is killed when the condition about its journal and its server holds. Gives how often each
/// alert was received after the deliveries of the next process.
fn received_after_sigkill(script: Vec<Answer>, is_time: impl Fn(&Server, usize) -> bool) -> BTreeMap<u64, usize> {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(script);
    let parameter = format!("{} {}", server.url(), folder.path().display());
    let mut child = rerun::start("notify::tests::restarts::process_that_is_killed", &parameter);
    wait("it is time", || {
        let journal = std::fs::read(folder.path().join("notify/journal")).unwrap_or_default();
        let queued = journal.windows(8).filter(|bytes| bytes == b"\"number\"").count();
        is_time(&server, queued)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let notifier = start(config_with(&server, folder.path(), LONG), Batching::Each);
    wait("all are delivered", || notifier.figures()[0].1.waiting() == 0 && received_keys(&server).len() == 100);
    finish(notifier);
    received_keys(&server)
}

fn received_keys(server: &Server) -> BTreeMap<u64, usize> {
    let mut keys = BTreeMap::new();
    received(server).into_iter().for_each(|(key, _)| *keys.entry(key).or_default() += 1);
    keys
}

#[test]
fn killed_with_a_hundred_queued_nothing_is_lost() {
    let keys =
        received_after_sigkill(vec![Answer::Hang], |server, queued| queued >= 100 && !server.requests().is_empty());
    assert_eq!(keys.len(), 100);
    assert_eq!(keys.values().sum::<usize>(), 101, "the first was on its way: {keys:?}");
}

#[test]
fn killed_while_delivering_each_alert_is_received_at_most_twice() {
    let slow = vec![Answer::Late(Duration::from_millis(10)); 100];
    let keys = received_after_sigkill(slow, |server, queued| queued >= 100 && server.requests().len() >= 30);
    assert_eq!(keys.len(), 100);
    assert!(keys.values().all(|count| *count <= 2), "{keys:?}");
    assert!(keys.values().sum::<usize>() <= 103, "what was delivered is in the journal: {keys:?}");
}
