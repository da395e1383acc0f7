//! Tests of faults: receivers that are down, hang or never accept an alert, full disks, evidence that is late.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::notices::{firing, resolved};
use super::server::{Answer, Server};
use super::*;
use crate::alert::{EvidenceFile, Fingerprint};
use crate::notify::delivery::now;
use crate::notify::journal::{Journal, JournalRecord};
use crate::notify::queue::{LONGEST_AGE, MOST_WAITING};
use crate::os::rerun;
use crate::packet::Timestamp;

/// An address at which nothing listens.
pub(super) fn dead() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) fn url(address: SocketAddr) -> String {
    format!("http://{address}/hook")
}

/// All alerts of the requests, in their order.
pub(super) fn received(server: &Server) -> Vec<(u64, bool)> {
    server.requests().iter().flat_map(|request| alerts(&request.body)).collect()
}

#[test]
fn thousand_alerts_wait_in_order_for_a_receiver_that_is_down() {
    for batching in [Batching::Each, QUICK_ALL, QUICK_GROUP] {
        let address = dead();
        let notifier = start(config(vec![receiver("one", &url(address))], None), batching);
        put(&notifier, (0..1_000).map(firing));
        let figures = &notifier.figures()[0].1;
        wait("an attempt fails", || figures.failed_attempts(FailureReason::Connection) > 0);
        wait("all alerts are in the queue", || figures.waiting() == 1_000);
        let server = Server::start_at(address, [], None);
        wait_settled(&notifier, 0, 1_000);
        assert_eq!((figures.delivered(), figures.waiting(), figures.latency().count), (1_000, 0, 1_000));
        let received = received(&server);
        match batching {
            Batching::Group { named, .. } => assert_eq!(received.len(), named, "the rest are counted"),
            _ => assert_eq!(received, (0..1_000).map(|key| (key, true)).collect::<Vec<_>>()),
        }
        finish(notifier);
    }
}

/// For `make soak`.
#[test]
#[ignore = "takes a minute and a half"]
fn soak_thousand_alerts_pass_a_receiver_that_is_down_for_a_minute() {
    let addresses = [dead(), dead()];
    let notifiers = [(addresses[0], Batching::Each), (addresses[1], QUICK_ALL)].map(|(address, batching)| {
        let notifier = start(config(vec![receiver("one", &url(address))], None), batching);
        put(&notifier, (0..1_000).map(firing));
        notifier
    });
    std::thread::sleep(Duration::from_secs(60));
    let servers = addresses.map(|address| Server::start_at(address, [], None));
    let begin = Instant::now();
    notifiers.iter().for_each(|notifier| wait_settled(notifier, 0, 1_000));
    assert!(begin.elapsed() < Duration::from_secs(30), "drained in {:?}", begin.elapsed());
    for server in &servers {
        let received = received(server);
        let keys: std::collections::BTreeSet<u64> = received.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys.len(), 1_000);
        assert!(received.len() <= 1_010, "{} duplicates", received.len() - 1_000);
    }
}

#[test]
fn dead_receivers_delay_no_other() {
    let hung = Server::start(vec![Answer::Hang; 100]);
    let live = Server::start([]);
    let configs = vec![receiver("hung", &hung.url()), receiver("dead", &url(dead())), receiver("live", &live.url())];
    let notifier = start(config(configs, None), Batching::Each);
    put(&notifier, (0..200).map(firing));
    wait_settled(&notifier, 2, 200);
    let figures = notifier.figures();
    assert_eq!(received(&live), (0..200).map(|key| (key, true)).collect::<Vec<_>>());
    assert_eq!([0, 1].map(|at: usize| (figures[at].1.delivered(), figures[at].1.waiting())), [(0, 200); 2]);
}

#[test]
fn alert_that_a_receiver_never_accepts_goes_behind_the_others_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([Answer::Refuse("0000000000000007")]);
    let with = |server: &Server| Config { receivers: vec![receiver("one", &server.url())], ..config_of(&folder) };
    let notifier = start(with(&server), Batching::Each);
    put(&notifier, [firing(7), firing(1), resolved(7), firing(2), resolved(1)]);
    wait_settled(&notifier, 0, 3);
    let figures = &notifier.figures()[0].1;
    assert_eq!((figures.delivered(), figures.waiting()), (3, 2));
    assert_eq!(figures.failed_attempts(FailureReason::ServerError), 5);
    assert_eq!(received(&server)[5..], [(1, true), (2, true), (1, false)]);
    finish(notifier);
    drop(server);
    let server = Server::start([]);
    let notifier = start(with(&server), Batching::Each);
    wait_settled(&notifier, 0, 2);
    assert_eq!(received(&server), [(7, true), (7, false)], "in their order");
}

#[test]
fn notice_that_waited_for_days_is_given_up_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let long_ago = now() - LONGEST_AGE - Duration::from_secs(60);
    let record = |number: u64, changed_at: Timestamp| JournalRecord::Waits {
        number,
        receivers: vec!["one".to_owned()],
        changed_at: changed_at.nanoseconds(),
        notice: Arc::new(firing(number)),
    };
    let mut journal = Journal::open(folder.path(), &["one".to_owned()], Arc::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(journal.append(&[record(1, long_ago), record(2, now()), record(3, long_ago)]));
    drop(journal);
    let server = Server::start([Answer::Status(503, "")]);
    let notifier =
        start(Config { receivers: vec![receiver("one", &server.url())], ..config_of(&folder) }, Batching::Each);
    wait_settled(&notifier, 0, 3);
    let figures = notifier.figures();
    assert_eq!((figures[0].1.lost(FailureReason::TooOld), figures[0].1.delivered()), (2, 1));
    assert_eq!(received(&server), [(1, true), (2, true)]);
    finish(notifier);
    let state = Journal::open(folder.path(), &["one".to_owned()], Arc::default()).unwrap().state().clone();
    let one = &state.receivers["one"];
    assert_eq!(
        (one.waiting.len(), one.firing.notices().keys().copied().collect::<Vec<_>>()),
        (0, vec![Fingerprint(2)])
    );
}

/// A configuration without receivers, whose state directory is `folder`.
fn config_of(folder: &tempfile::TempDir) -> Config {
    config(Vec::new(), Some(folder.path().to_owned()))
}

#[test]
fn end_of_a_delivered_alert_survives_a_flood() {
    const DELIVERED: u64 = 100;
    let address = dead();
    let server = Server::start_at(address, [], None);
    let notifier = start(config(vec![receiver("one", &url(address))], None), QUICK_ALL);
    put(&notifier, (0..DELIVERED).map(firing));
    wait_settled(&notifier, 0, DELIVERED);
    drop(server);
    let flood = 20_000;
    put(&notifier, (DELIVERED..DELIVERED + flood).map(firing));
    put(&notifier, (0..DELIVERED).map(resolved));
    let figures = &notifier.figures()[0].1;
    let lost = || figures.lost(FailureReason::QueueFull);
    wait("the flood is counted", || figures.waiting() + lost() == flood + DELIVERED);
    assert!(lost() >= flood - MOST_WAITING as u64, "{} lost", lost());
    // A port that was just closed may still be taken by an attempt of the client.
    let server = Server::start_at(address, [], None);
    wait("all is delivered", || figures.waiting() == 0);
    assert_eq!(figures.delivered() + lost(), flood + 2 * DELIVERED);
    let last: BTreeMap<u64, bool> = received(&server).into_iter().collect();
    for key in 0..DELIVERED {
        assert_eq!(last.get(&key), Some(&false), "alert {key}");
    }
}

/// The receivers' own intervals. For `make soak`.
#[test]
#[ignore = "takes more than two minutes"]
fn soak_groups_of_alerts_are_sent_after_5_s_and_then_once_a_minute() {
    let slack = Vendor::Slack { channel: None, emoji: None, icon: None };
    let vendors = [("slack", slack), ("webhook", Vendor::Webhook)];
    let servers = [Server::start([]), Server::start([])];
    let configs = vendors.into_iter().zip(&servers);
    let configs = configs.map(|((name, vendor), server)| ReceiverConfig { vendor, ..receiver(name, &server.url()) });
    let config = config(configs.collect(), None);
    let notifier = Notifier::start(config, EvidenceIndex::default(), "host".to_owned()).unwrap();
    let begin = Instant::now();
    // A burst a second for 130 s.
    for second in 0..130 {
        put(&notifier, (0..30).map(|key| firing(second * 30 + key)));
        std::thread::sleep((begin + Duration::from_secs(second + 1)).saturating_duration_since(Instant::now()));
    }
    for (server, (name, figures)) in servers.iter().zip(notifier.figures()) {
        let times: Vec<f64> = server.requests().iter().map(|request| (request.at - begin).as_secs_f64()).collect();
        let [first, second, third] = times[..] else { panic!("{name}: {times:?}") };
        assert!((5.0..8.0).contains(&first), "{name}: {times:?}");
        assert!((60.0..63.0).contains(&(second - first)) && (60.0..63.0).contains(&(third - second)), "{times:?}");
        assert_eq!(figures.delivered() + figures.waiting(), 130 * 30, "{name}");
        assert!(figures.delivered() >= 120 * 30, "{name}: {}", figures.delivered());
    }
    finish(notifier);
}

#[test]
#[ignore = "needs root: it mounts a small file system"]
fn full_disk_stops_no_delivery_and_is_written_when_there_is_room() {
    rerun::on_disk(512, "notify::tests::faults::process_on_a_small_disk");
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_on_a_small_disk() {
    let Some(folder) = rerun::directory() else { return };
    let (server, filler) = (Server::start([]), folder.join("filler"));
    let config = || config(vec![receiver("one", &server.url())], Some(folder.clone()));
    let notifier = start(config(), Batching::Each);
    assert!(std::fs::write(&filler, vec![0; 1 << 20]).is_err(), "the disk is full");
    put(&notifier, (0..200).map(firing));
    wait_settled(&notifier, 0, 200);
    assert_eq!(received(&server).len(), 200);
    assert!(notifier.journal_failures().load(Relaxed) > 0);
    std::fs::remove_file(&filler).unwrap();
    let begin = Instant::now();
    let journal = folder.join("notify/journal");
    wait("the journal is written", || std::fs::metadata(&journal).unwrap().len() > 50_000);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    finish(notifier);
    let notifier = start(Config { restart_grace: Duration::ZERO, ..config() }, Batching::Each);
    wait("all alerts are resolved", || received(&server).len() == 400);
    finish(notifier);
}

#[test]
fn end_of_the_program_delivers_what_waits_for_a_group() {
    let server = Server::start([]);
    let slow = Batching::Group { wait: Duration::from_secs(600), interval: Duration::from_secs(600), named: 3 };
    let notifier = start(config(vec![receiver("one", &server.url())], None), slow);
    put(&notifier, (0..5).map(firing));
    let figures = notifier.figures();
    finish(notifier);
    assert_eq!((figures[0].1.delivered(), server.requests().len()), (5, 1));
    assert_eq!(received(&server), [(0, true), (1, true), (2, true)]);
    assert!(server.requests()[0].body.contains("\"unnamed\":[2,0]"), "{:?}", server.requests());
}

#[test]
fn end_of_the_program_counts_what_no_journal_keeps() {
    let notifier = start(config(vec![receiver("one", &url(dead()))], None), Batching::Each);
    put(&notifier, (0..5).map(firing));
    let figures = notifier.figures();
    let begin = Instant::now();
    notifier.finish(begin + Duration::from_millis(300));
    assert_eq!(figures[0].1.lost(FailureReason::Stopped), 5);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

// ---- Evidence ------------------------------------------------------------------------------------------------------------

fn evidence_file(starts_at: i64, is_finished: bool) -> EvidenceFile {
    EvidenceFile {
        starts_at: Timestamp::from_nanoseconds(starts_at),
        path: PathBuf::from("file.pcapng"),
        is_finished,
        sha256: if is_finished { "hash".to_owned() } else { String::new() },
        packets: 1,
        is_complete: true,
    }
}

/// The hashes of the evidence that a resolved notice names, and the time until it was sent. `prepare` is called before
/// the notice is handed over, `finish` a little later.
fn evidence_of_a_resolved_alert(
    prepare: impl Fn(&EvidenceIndex),
    finish_file: impl Fn(&EvidenceIndex),
) -> (String, Duration) {
    let (server, index) = (Server::start([]), EvidenceIndex::default());
    let of = |_: &ReceiverConfig| Box::new(Plain(Batching::Each)) as Box<dyn Receiver>;
    let config = config(vec![receiver("one", &server.url())], None);
    let notifier = Notifier::start_with(config, index.clone(), "host".to_owned(), of).unwrap();
    prepare(&index);
    let begin = Instant::now();
    put(&notifier, [resolved(1)]);
    std::thread::sleep(Duration::from_millis(200));
    finish_file(&index);
    wait_settled(&notifier, 0, 1);
    let request = server.requests().remove(0);
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    (body["evidence"].to_string(), request.at - begin)
}

#[test]
fn resolved_notice_waits_for_its_evidence() {
    let start = resolved(1).starts_at;
    let note = |start: i64, is_finished: bool| {
        move |index: &EvidenceIndex| index.note(Fingerprint(1), evidence_file(start, is_finished))
    };
    let (evidence, time) = evidence_of_a_resolved_alert(note(start, false), note(start, true));
    assert_eq!(evidence, "[\"hash\"]");
    assert!(time >= Duration::from_millis(200), "{time:?}");

    let (evidence, time) = evidence_of_a_resolved_alert(note(start, false), |_| ());
    assert_eq!(evidence, "[\"\"]", "it is sent without a hash in the end");
    assert!(time >= Duration::from_millis(2_900), "{time:?}");

    let (evidence, _) = evidence_of_a_resolved_alert(note(start - 1_000, false), |_| ());
    assert_eq!(evidence, "[null]", "the file is of an earlier episode");
    let (evidence, _) = evidence_of_a_resolved_alert(|_| (), |_| ());
    assert_eq!(evidence, "[null]", "there is no file");
}
