//! Impossible requests are refused in words, with the exit status that says whether the user or the system is at
//! fault.

use std::net::TcpListener;
use std::process::Command;
use std::time::Instant;

use super::common::metrics::Metrics;
use super::common::monitor::{Monitor, refused};
use super::common::outputs::{fill, with_small_file_system};
use super::output::{LOW_LIMIT, send_at_once, sources};
use super::traffic::Pair;

/// Checks the status, and that each of `words` is said.
fn is_refused(arguments: &[&str], status: i32, words: &[&str]) {
    let pair = Pair::new();
    let (ended, messages) = refused(&pair.host, arguments);
    assert_eq!(ended, Some(status), "{arguments:?}: {messages}");
    for words in words {
        assert!(messages.contains(words), "{arguments:?}: no `{words}` in: {messages}");
    }
}

#[test]
fn an_unknown_interface_is_refused_with_those_that_there_are() {
    is_refused(&["-iface", "eth9"], 2, &["eth9: no such interface (have: eth0, lo)"]);
    is_refused(&["-iface", "eth0,eth9"], 2, &["eth9: no such interface (have: eth0, lo)"]);
}

#[test]
fn a_filter_that_does_not_compile_is_refused() {
    is_refused(&["-iface", "eth0", "-filter", "udp prot 53"], 2, &["filter `udp prot 53` does not compile"]);
    is_refused(&["-iface", "eth0", "udp", "prot", "53"], 2, &["filter `udp prot 53` does not compile"]);
    is_refused(&["-iface", "eth0", "repaly", "x.pcap"], 2, &["did you mean the subcommand `replay`?"]);
    // On cooked frames alone, behind the terms that leave copies out.
    is_refused(&["-iface", "any", "vlan", "5"], 2, &["filter `vlan 5` does not compile"]);
}

#[test]
fn any_is_not_promiscuous() {
    is_refused(&["-iface", "any", "-promisc"], 2, &["any", "promisc"]);
}

#[test]
fn a_port_in_use_is_refused() {
    let pair = Pair::new();
    let _taken = pair.host.enter(|| TcpListener::bind("127.0.0.1:8888")).unwrap();
    let (status, messages) = refused(&pair.host, &["-iface", "eth0"]);
    assert_eq!(status, Some(1), "{messages}");
    for words in ["cannot listen on 127.0.0.1:8888", "the port is in use, choose another with -promHTTP"] {
        assert!(messages.contains(words), "{messages}");
    }
}

#[test]
fn directory_that_is_read_only_is_refused() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    with_small_file_system(folder.path(), 64 << 10, || {
        let mounted = Command::new("mount").args(["-o", "remount,ro", path]).status();
        assert!(mounted.expect("the tests need mount").success());
        for line in
            [&["-archive_dir", path][..], &["--state.dir", path], &["-archive_dir", "/tmp", "-log_packets", "-l", path]]
        {
            let (status, messages) = refused(&pair.host, &[&["-iface", "eth0"], line].concat());
            assert_eq!(status, Some(2), "{line:?}: {messages}");
            let words = format!("{path}: cannot write in this directory: Read-only file system");
            assert!(messages.contains(&words), "{line:?}: {messages}");
            assert!(!messages.contains("trafficmonitor starts"), "{messages}");
        }
    });
}

/// A full disk may have space again: it is no reason not to start.
#[test]
fn archive_that_is_full_at_the_start_is_warned_of_and_used_once_it_has_space() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    with_small_file_system(folder.path(), 64 << 10, || {
        let filler = fill(folder.path());
        let path = folder.path().to_str().unwrap();
        let configuration = with_a_receiver();
        let options = ["-iface", "eth0", "-archive_dir", path, "--state.dir", path];
        let options = [&options[..], &LOW_LIMIT, &["--config.file", configuration.path().to_str().unwrap()]].concat();
        let monitor = Monitor::start(&pair.host, &options);
        let warning = format!("archive_dir {path}: No space left on device");
        assert!(monitor.messages().contains(&warning), "{}", monitor.messages());
        let begun = Instant::now();
        send_at_once(&pair, &sources(0..1));
        let errors = |metrics: &Metrics| metrics.sum("trafficmonitor_evidence_write_errors_total");
        monitor.wait_for("two failed operations on files", |metrics| errors(metrics) >= 2);
        let lines = monitor.messages().matches("No space left on device").count();
        let possible = 1 + begun.elapsed().as_secs() as usize / 10;
        assert!(lines > 1, "failures are logged: {}", monitor.messages());
        assert!(lines <= 2 + 2 * possible, "at most one line in 10 s of each: {}", monitor.messages());
        assert_eq!(monitor.metrics().sum("trafficmonitor_interface_frames_total"), 1, "capture goes on");
        std::fs::remove_file(filler).unwrap();
        let written = |metrics: &Metrics| metrics.sum("trafficmonitor_evidence_packets_written_total") > 0;
        monitor.wait_for("the packet is written", written);
        monitor.stop();
        let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.collect();
        assert!(names.iter().any(|name| name.contains("-bandwidth-10.8.0.0-") && name.ends_with(".json")), "{names:?}");
    });
}

/// A receiver, so that there is a journal to write.
fn with_a_receiver() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let receiver = "{name: nothing-listens, type: webhook, url: 'http://127.0.0.1:9/'}";
    std::fs::write(file.path(), format!("notify: {{receivers: [{receiver}]}}\n")).unwrap();
    file
}
