//! Tests of faults: receivers that are down, hang or are flooded, evidence that is late, secrets that change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering::Relaxed;

use super::notices::{firing, resolved};
use super::server::{Answer, Server};
use super::*;
use crate::alert::{EvidenceFile, Fingerprint};
use crate::notify::queue::MOST_WAITING;
use crate::packet::Timestamp;

/// An address at which nothing listens.
fn dead() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/hook")
}

/// All alerts of the requests, in their order.
fn received(server: &Server) -> Vec<(u64, bool)> {
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

/// Kilobytes of this process.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn million_alerts_to_a_dead_receiver_cost_little_memory() {
    process::output(process::start("notify::tests::faults::process_with_a_million_alerts", "run"));
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_with_a_million_alerts() {
    if process::parameter().is_none() {
        return;
    }
    const ALERTS: u64 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let config = config(vec![receiver("one", &url(dead()))], Some(folder.path().to_owned()));
    let notifier = start(config, Batching::Each);
    let before = resident_kilobytes();
    let mut most = 0;
    for key in 0..ALERTS {
        put(&notifier, [firing(key)]);
        if key % 1_000 == 0 {
            most = most.max(resident_kilobytes());
        }
    }
    let figures = &notifier.figures()[0].1;
    wait("all are counted", || figures.waiting() + figures.lost(FailureReason::QueueFull) == ALERTS);
    most = most.max(resident_kilobytes());
    assert_eq!(figures.waiting(), MOST_WAITING as u64);
    let more = most.saturating_sub(before);
    assert!(more <= 32 * 1024, "{more} kB more");
    println!("{more} kB more");
}

#[test]
#[ignore = "needs root: it mounts a small file system"]
fn full_disk_stops_no_delivery_and_is_written_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let test = "notify::tests::faults::process_on_a_small_disk";
    process::output(process::start_on_disk(512, folder.path(), test));
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_on_a_small_disk() {
    let Some(folder) = process::parameter().map(PathBuf::from) else { return };
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

    let (evidence, _) = evidence_of_a_resolved_alert(note(start - 1, false), |_| ());
    assert_eq!(evidence, "[null]", "the file is of an earlier episode");
    let (evidence, _) = evidence_of_a_resolved_alert(|_| (), |_| ());
    assert_eq!(evidence, "[null]", "there is no file");
}

// ---- Secrets -------------------------------------------------------------------------------------------------------------

#[test]
fn secret_file_that_is_missing_for_a_while_delays_deliveries() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start([]));
    let path = folder.path().join("url");
    let write = || {
        std::fs::write(&path, format!("{}\n", server.url())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write();
    let config =
        config(vec![ReceiverConfig { url: Some(SecretSource::File(path.clone())), ..receiver("one", "") }], None);
    let notifier = start(config, Batching::Each);
    let figures = &notifier.figures()[0].1;
    std::fs::remove_file(&path).unwrap();
    put(&notifier, [firing(1)]);
    wait("the attempt fails", || figures.failed_attempts(FailureReason::Secret) > 0);
    write();
    wait_settled(&notifier, 0, 1);
    assert_eq!((figures.delivered(), received(&server)), (1, vec![(1, true)]));
}

/// In all secrets of the next test.
const CANARY: &str = "canary7f3a";

/// Writes all log lines of all libraries at all levels.
struct LogAll;

impl tracing::Subscriber for LogAll {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        println!("{attributes:?}");
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        println!("{values:?}");
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        println!("{event:?}");
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn no_secret_is_in_a_log_line_at_any_level() {
    let output = process::output(process::start("notify::tests::faults::process_that_logs_all", "run"));
    assert!(output.contains("receiver refused"), "something is logged: {output}");
    assert!(!output.contains(CANARY), "{output}");
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_that_logs_all() {
    if process::parameter().is_none() {
        return;
    }
    tracing::subscriber::set_global_default(LogAll).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let (refusing, redirecting) =
        (Server::start([Answer::Status(403, "")]), Server::start([Answer::Status(302, "Location: /canary7f3a\r\n")]));
    std::fs::write(&file, format!("{}/{CANARY}", refusing.url())).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let with_secrets = |name: &str, url: &str| ReceiverConfig {
        headers: [("Authorization".to_owned(), SecretSource::Given(Secret::new(CANARY)))].into(),
        ..receiver(name, &format!("{url}/{CANARY}?{CANARY}"))
    };
    let configs = vec![
        with_secrets("refused", &refusing.url()),
        with_secrets("redirected", &redirecting.url()),
        with_secrets("dead", &url(dead())),
        with_secrets("unknown", "http://canary7f3a.invalid"),
        with_secrets("tls", &format!("https://{}", refusing.address)),
        ReceiverConfig { url: Some(SecretSource::File(file.clone())), ..with_secrets("file", "") },
    ];
    println!("{configs:?}");
    let notifier = start(config(configs, Some(folder.path().to_owned())), Batching::Each);
    std::fs::write(&file, format!("ftp://{CANARY}/")).unwrap();
    put(&notifier, [firing(1)]);
    wait_settled(&notifier, 0, 1);
    wait_settled(&notifier, 1, 1);
    let figures = notifier.figures();
    let failed = |at: usize| FailureReason::ALL.map(|reason| figures[at].1.failed_attempts(reason)).iter().sum::<u64>();
    wait("all attempts fail", || (2..6).all(|at| failed(at) > 0));
    println!("{notifier:?}");
    finish(notifier);
    for url in [format!("ftp://{CANARY}/"), format!("http://{CANARY}@host/"), CANARY.to_owned()] {
        let config = config(vec![receiver("one", &url)], None);
        let error = Notifier::start(config, EvidenceIndex::default(), "host".to_owned()).unwrap_err();
        println!("{error} {error:?}");
    }
}
