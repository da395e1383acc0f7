//! Readers of standard output and standard error that read nothing, and a disk that is full: they cost lines, never a
//! frame, and never hold up the end.

use std::fs::{self, File};
use std::io::{PipeReader, Read};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::common::ip::{Ipv4, udp};
use super::common::link::Link;
use super::common::metrics::Metrics;
use super::common::monitor::{Ended, Monitor, PROGRAM, STOPS_WITHIN};
use super::common::namespace::wait_for;
use super::common::outputs::{fill, full_pipe, with_small_file_system};
use super::common::webhook::{Conduct, Webhook};
use super::traffic::{Flood, Pair, send_frames};
use super::wire::{Pieces, Wire};

/// Every packet is more than the limit of its source.
pub const LOW_LIMIT: [&str; 2] = ["-ByteLimit", "10"];
/// Alerts of one moment, more than lines may wait.
const MANY: u16 = 6_000;
const DROPPED: &str = "trafficmonitor_queue_dropped_total";
const FRAMES: &str = "trafficmonitor_interface_frames_total";

/// The exporter of `pair`, with both outputs blocked, and the readers that block them.
fn blocked<'a>(pair: &'a Pair, arguments: &[&str]) -> (Monitor<'a>, [PipeReader; 2]) {
    let ([out_reader, error_reader], outputs) = {
        let [(out_reader, out), (error_reader, error)] = [full_pipe(), full_pipe()];
        ([out_reader, error_reader], [Some(out), Some(error)])
    };
    let arguments = [&["-iface", "eth0"], arguments].concat();
    let monitor = Monitor::spawn_onto(&pair.host, Command::new(PROGRAM), &arguments, outputs);
    (monitor.wait_until_ready(), [out_reader, error_reader])
}

fn dropped(metrics: &Metrics, queue: &str) -> u64 {
    metrics.value(DROPPED, &[("queue", queue)]).expect("the queue has its counter")
}

/// Ends it with TERM, in time; nothing can be read of its last line.
#[track_caller]
fn ends_in_time(monitor: Monitor<'_>) -> Ended {
    monitor.signal(libc::SIGTERM);
    let ended = monitor.wait();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.took < STOPS_WITHIN, "it took {:?} to stop", ended.took);
    ended
}

/// A frame of each of these sources, for which [`LOW_LIMIT`] makes an alert of each.
pub fn sources(numbers: Range<u16>) -> Vec<Vec<u8>> {
    let frame = |source: u16| {
        let [high, low] = source.to_be_bytes();
        let packet = Ipv4::carrying(udp(40_000, 9, &[0x55; 31]));
        let packet = packet.between(Ipv4Addr::new(10, 8, high, low), Ipv4Addr::new(10, 1, 0, 1));
        Link::ethernet().carrying(&packet.build()).bytes
    };
    numbers.map(frame).collect()
}

pub fn send_at_once(pair: &Pair, frames: &[Vec<u8>]) {
    let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
    send_frames(&wire, frames);
}

/// Waits until all frames are counted. The kernel received and dropped the expected numbers.
fn expect_all_counted(monitor: &Monitor<'_>, sent: u64) {
    let metrics = monitor.wait_for(&format!("{sent} frames"), |metrics| metrics.sum(FRAMES) >= sent);
    assert_eq!(metrics.sum(FRAMES), sent);
    assert_eq!(metrics.sum("trafficmonitor_capture_packets_dropped_total"), 0);
}

#[test]
fn outputs_that_are_not_read_cost_lines_but_no_frame() {
    let pair = Pair::new();
    let (monitor, _readers) = blocked(&pair, &["--log.level", "debug"]);
    let (client, server) = pair.resolver();
    let to = server.local_addr().unwrap();
    let flood = Flood::start(move |_| assert_eq!(client.send_to(&[0x55; 31], to).unwrap(), 31));
    let busy = Instant::now();
    while busy.elapsed() < Duration::from_secs(3) || dropped(&monitor.metrics(), "log") == 0 {
        // Each of these is a line of the log.
        (0..200).for_each(|_| assert_eq!(monitor.ask("GET", "/-/healthy").unwrap().status, 200));
        assert!(busy.elapsed() < Duration::from_secs(60), "no log line is lost");
    }
    expect_all_counted(&monitor, flood.stop());
    ends_in_time(monitor);
}

#[test]
fn alert_lines_that_are_lost_are_counted_and_said_once_they_can_be() {
    let pair = Pair::new();
    let (monitor, [mut reader, _error]) = blocked(&pair, &LOW_LIMIT);
    send_at_once(&pair, &sources(0..MANY));
    let alerts = u64::from(MANY);
    let fired = |metrics: &Metrics| metrics.sum("trafficmonitor_alerts_total");
    let metrics = monitor.wait_for("all alerts", |metrics| fired(metrics) == alerts && dropped(metrics, "alerts") > 0);
    expect_all_counted(&monitor, alerts);
    // The reader goes on: the queued lines come whole, then the number of lines that are missing.
    let mut text = String::new();
    let gap = wait_for("the gap is said", || {
        let mut piece = [0; 65_536];
        let read = reader.read(&mut piece).unwrap();
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        let whole_lines = &text[..text.rfind('\n').unwrap_or_default()];
        whole_lines.lines().find(|line| line.contains("alert lines were lost")).map(str::to_owned)
    });
    let said = lost_lines(&gap);
    let counted = dropped(&monitor.metrics(), "alerts");
    assert!(dropped(&metrics, "alerts") <= said && said <= counted, "{gap}: {counted}");
    monitor.signal(libc::SIGTERM);
    reader.read_to_string(&mut text).unwrap();
    // More may have been lost while nothing was read.
    let missing: u64 = text.lines().filter(|line| line.contains("alert lines were lost")).map(lost_lines).sum();
    assert!(counted <= missing, "{counted}, {missing}");
    assert_eq!(text.matches("state=firing").count() as u64 + missing, alerts);
    assert_eq!(monitor.wait().status.code(), Some(0));
}

/// The number in a line that says how many are missing.
fn lost_lines(line: &str) -> u64 {
    line.trim_end().rsplit("lines=").next().unwrap().parse().unwrap()
}

#[test]
fn a_second_signal_ends_it_at_once_though_nothing_is_read() {
    let pair = Pair::new();
    let (monitor, _readers) = blocked(&pair, &[]);
    [libc::SIGSTOP, libc::SIGTERM, libc::SIGINT, libc::SIGCONT].iter().for_each(|&signal| monitor.signal(signal));
    let ended = monitor.wait();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.took < STOPS_WITHIN / 2, "it took {:?}", ended.took);
}

/// Two signals within 20 ms are one; the repetitions go on for longer than that.
#[test]
fn a_signal_that_is_repeated_ends_it_at_once() {
    let pair = Pair::new();
    let (monitor, _readers) = blocked(&pair, &[]);
    let ended = monitor.wait_while(|monitor| monitor.signal(libc::SIGTERM));
    println!("it ends {:?} after the first of many signals", ended.took);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.took < STOPS_WITHIN / 4, "it took {:?}", ended.took);
}

#[test]
fn a_log_that_is_read_late_has_every_line() {
    let pair = Pair::new();
    let (monitor, [_out, mut reader]) = blocked(&pair, &[]);
    monitor.signal(libc::SIGHUP);
    let stopping = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    ends_in_time(monitor);
    let text = stopping.join().unwrap();
    for words in ["trafficmonitor starts", "capturing", "msg=stopping", "0 captured, 0 received by filter"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

/// Every line that ends as alert lines do is whole, and each other one is the beginning of one that follows.
fn whole_lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    for (at, torn) in lines.iter().enumerate().filter(|(_, line)| !line.contains(" fingerprint=")) {
        assert!(lines.get(at + 1).is_none_or(|next| next.starts_with(torn)), "{torn}");
    }
    lines.into_iter().filter(|line| line.contains(" fingerprint=")).collect()
}

#[test]
fn alerts_are_written_again_once_a_full_disk_has_room() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    with_small_file_system(folder.path(), 64 << 10, || {
        let path = folder.path().join("alerts");
        let out = Stdio::from(File::create(&path).unwrap());
        let arguments = [&["-iface", "eth0"][..], &LOW_LIMIT].concat();
        let monitor = Monitor::spawn_onto(&pair.host, Command::new(PROGRAM), &arguments, [Some(out), None]);
        let monitor = monitor.wait_until_ready();
        let text = || fs::read_to_string(&path).unwrap();
        send_at_once(&pair, &sources(0..1));
        wait_for("the first alert", || text().contains(" src=10.8.0.0 ").then_some(()));
        let filler = fill(folder.path());
        // More than fits into the rest of the last page.
        send_at_once(&pair, &sources(0..40));
        wait_for("the failure is said", || {
            monitor.messages().contains("cannot write alerts to standard output; retrying").then_some(())
        });
        fs::remove_file(filler).unwrap();
        let last = || whole_lines(&text()).len() == 40;
        wait_for("all alerts", || last().then_some(()));
        for source in 0..40 {
            let found =
                whole_lines(&text()).iter().filter(|line| line.contains(&format!(" src=10.8.0.{source} "))).count();
            assert_eq!(found, 1, "source {source}: {}", text());
        }
        assert_eq!(dropped(&monitor.metrics(), "alerts"), 0);
        monitor.stop();
    });
}

#[test]
fn control_characters_in_names_are_escaped_everywhere() {
    let pair = Pair::new();
    let name = "e\u{9b}\u{202e}\u{7f}\u{200b}";
    let renamed = pair.host.enter(|| Command::new("ip").args(["link", "set", "eth0", "name", name]).status());
    assert!(renamed.unwrap().success());
    let escaped = "e\\u{9b}\\u{202e}\\u{7f}\\u{200b}";
    let interfaces = pair.host.enter(|| Command::new(PROGRAM).arg("interfaces").output().unwrap());
    let table = String::from_utf8(interfaces.stdout).unwrap();
    assert!(table.contains(escaped) && is_harmless(&table), "{table:?}");
    for format in ["logfmt", "json"] {
        let arguments = ["-iface", name, "--log.format", format, "--log.level", "trace"];
        let ended = Monitor::start(&pair.host, &arguments).stop();
        assert!(ended.messages.contains("capturing") && is_harmless(&ended.messages), "{:?}", ended.messages);
    }
    let refused = Monitor::spawn(&pair.host, Command::new(PROGRAM), &["-iface", "x\u{9b}\u{2066}"]).wait();
    assert!(refused.messages.contains("x\\u{9b}\\u{2066}: no such interface"), "{:?}", refused.messages);
    assert!(refused.messages.contains(escaped) && is_harmless(&refused.messages), "{:?}", refused.messages);
}

/// Nothing but line feeds commands the terminal, and nothing reorders or hides text.
fn is_harmless(text: &str) -> bool {
    let hides = |letter| matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.contains(|letter: char| letter != '\n' && (letter.is_control() || hides(letter)))
}

/// Sends frames at 50,000 packets/s, those of [`MANY`] alerting sources first, and asks for health meanwhile; gives their
/// number.
fn send_at_full_speed(pair: &Pair, monitor: &Monitor<'_>, lasts: Duration) -> u64 {
    const RATE: u64 = 50_000;
    let packet = Ipv4::carrying(udp(40_053, 53, &[0x55; 31]));
    let packet = packet.between(Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 1, 0, 1));
    let frames = [sources(0..MANY), vec![Link::ethernet().carrying(&packet.build()).bytes; 400_000]].concat();
    let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
    let (start, mut sent, mut asked) = (Instant::now(), 0, Instant::now());
    while start.elapsed() < lasts {
        let due = start.elapsed().as_micros() as u64 * RATE / 1_000_000;
        while sent + 50 <= due {
            let batch = (sent..sent + 50).map(|number| &frames[number as usize % frames.len()]);
            let pieces: Vec<Pieces<'_>> = batch.map(|frame| [frame.as_slice(), &[]]).collect();
            wire.send(&pieces).unwrap();
            sent += 50;
        }
        if asked.elapsed() > Duration::from_millis(10) {
            asked = Instant::now();
            monitor.ask("GET", "/-/healthy").unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// For `make soak`: 60 s at 50,000 packets/s.
#[test]
fn soak_outputs_that_are_not_read_cost_no_frame_at_full_speed() {
    let pair = Pair::new();
    let (monitor, _readers) = blocked(&pair, &[&["--log.level", "trace"][..], &LOW_LIMIT].concat());
    let sent = send_at_full_speed(&pair, &monitor, Duration::from_secs(60));
    expect_all_counted(&monitor, sent);
    // A slow machine writes fewer lines a second, so that the queue of the log is full later.
    let lost = |metrics: &Metrics| ["alerts", "log"].map(|queue| dropped(metrics, queue));
    let metrics = monitor.wait_for("both outputs lose lines", |metrics| !lost(metrics).contains(&0));
    println!("{sent} frames counted, {:?} alert and log lines lost", lost(&metrics));
    ends_in_time(monitor);
}

/// Receivers that take connections and never answer, one that is not there, one that answers, and an evidence file for
/// as many alerts as may have one.
#[test]
fn receivers_that_hang_and_evidence_cost_no_frame_and_delay_no_other_receiver() {
    let pair = Pair::new();
    let [hanging, good] = ["127.0.0.1:9101", "127.0.0.1:9102"].map(|address| Webhook::listen(&pair.host, address));
    hanging.set(Conduct::Hangs);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trafficmonitor.yml");
    let receivers = [("hang", "alertmanager", 9101), ("hang-too", "webhook", 9101), ("dead", "webhook", 9103)];
    let receivers = [&receivers[..], &[("good", "webhook", 9102)]].concat();
    let entry = |(name, of, port): &(&str, &str, u16)| {
        format!("  - {{name: {name}, type: {of}, url: 'http://127.0.0.1:{port}/'}}\n")
    };
    fs::write(&path, format!("notify:\n  receivers:\n{}", receivers.iter().map(entry).collect::<String>())).unwrap();
    let (path, archive) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
    let arguments = [&["-iface", "eth0", "--config.file", path, "-archive_dir", archive][..], &LOW_LIMIT].concat();
    let monitor = Monitor::start(&pair.host, &arguments);
    let sent = send_at_full_speed(&pair, &monitor, Duration::from_secs(5));
    expect_all_counted(&monitor, sent);
    let of = |metrics: &Metrics, name: &str, receiver: &str| {
        let series = metrics.labelled(&format!("trafficmonitor_notifications_{name}"), &["receiver"]);
        series.iter().filter(|(labels, _)| labels[0] == receiver).map(|(_, value)| *value as u64).sum::<u64>()
    };
    // The first message leaves 5 s after the first alert.
    let metrics = monitor.wait_for("the good receiver has all alerts but those that are counted as lost", |metrics| {
        let alerts = metrics.sum("trafficmonitor_alerts_total");
        alerts > 0 && of(metrics, "total", "good") + of(metrics, "failed_total", "good") == alerts
    });
    assert!(of(&metrics, "total", "good") > 0);
    assert_eq!(good.requests().len(), 1, "one message for the burst");
    let alerts = metrics.sum("trafficmonitor_alerts_total");
    for receiver in ["hang", "hang-too", "dead"] {
        assert_eq!(of(&metrics, "total", receiver), 0, "{receiver}: nothing is answered");
        let waiting_and_lost = of(&metrics, "queue", receiver) + of(&metrics, "failed_total", receiver);
        assert_eq!(waiting_and_lost, alerts, "{receiver}");
    }
    let is_written = |metrics: &Metrics| metrics.sum("trafficmonitor_evidence_packets_written_total") > 0;
    monitor.wait_for("packets are written to files", is_written);
    ends_in_time(monitor);
}
