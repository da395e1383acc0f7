//! Evidence files and logged packets on a disk that fills up: capture and pages go on, and writing resumes by itself.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::common::metrics::Metrics;
use super::common::monitor::{Closing, Monitor};
use super::common::namespace::wait_for;
use super::common::outputs::{fill, with_small_file_system};
use super::traffic::{Flood, Pair};

const WRITTEN: &str = "trafficmonitor_evidence_packets_written_total";
const MISSED: &str = "trafficmonitor_evidence_packets_missed_total";
const ERRORS: &str = "trafficmonitor_evidence_write_errors_total";
const LOGGED: &str = "trafficmonitor_packet_log_packets_total";
const UNLOGGED: &str = "trafficmonitor_packet_log_packets_lost_total";
const FRAMES: &str = "trafficmonitor_interface_frames_total";
const DROPPED: &str = "trafficmonitor_capture_packets_dropped_total";
/// Bytes of the disk: more than the flood fills in a minute.
const DISK: usize = 128 << 20;
/// Time for which the disk is full.
const FULL_FOR: Duration = Duration::from_secs(3);
/// Longest time from free space to the first written packet.
const RESUMES_WITHIN: Duration = Duration::from_secs(5);

/// The exporter with an archive and a packet log in `disk`, and an alert for the first packet of each source.
fn writing<'a>(pair: &'a Pair, disk: &Path) -> Monitor<'a> {
    let paths = ["archive", "log"].map(|name| disk.join(name));
    paths.iter().for_each(|path| fs::create_dir(path).unwrap());
    let [archive, log] = paths.each_ref().map(|path| path.to_str().unwrap());
    let arguments = ["-iface", "eth0", "-ByteLimit", "10", "-archive_dir", archive, "-log_packets", "-l", log];
    Monitor::start(&pair.host, &arguments)
}

fn lines(monitor: &Monitor<'_>, words: &str) -> usize {
    monitor.messages().lines().filter(|line| line.contains(words)).count()
}

fn wait_for_more(monitor: &Monitor<'_>, name: &str, before: &Metrics) {
    monitor.wait_for(&format!("{name} grows"), |metrics| metrics.sum(name) > before.sum(name));
}

#[test]
fn capture_and_metrics_go_on_while_the_disk_is_full_and_writing_resumes() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    with_small_file_system(folder.path(), DISK, || {
        let monitor = writing(&pair, folder.path());
        let (client, server) = pair.resolver();
        let to = server.local_addr().unwrap();
        let flood = Flood::start(move |_| assert_eq!(client.send_to(&[0x55; 31], to).unwrap(), 31));
        monitor
            .wait_for("packets are written and logged", |metrics| metrics.sum(WRITTEN) > 0 && metrics.sum(LOGGED) > 0);

        let filler = fill(folder.path());
        let full = Instant::now();
        monitor.wait_for("the failures are counted", |metrics| metrics.sum(ERRORS) > 0 && metrics.sum(UNLOGGED) > 0);
        wait_for("the failures are logged", || {
            let said = ["packets could not be written; they are tried again", "packets could not be logged"];
            said.iter().all(|words| lines(&monitor, words) > 0).then_some(())
        });
        let mut answers = 0;
        while full.elapsed() < FULL_FOR {
            let before = monitor.metrics().sum(FRAMES);
            monitor.wait_for("frames are counted", |metrics| metrics.sum(FRAMES) > before);
            answers += 1;
        }
        assert!(answers > 3, "{answers} answers");
        let failures = lines(&monitor, "packets could not be written");
        assert!(failures <= 1 + full.elapsed().as_secs() as usize / 10, "{failures} lines");

        let before = monitor.metrics();
        fs::remove_file(filler).unwrap();
        let freed = Instant::now();
        wait_for_more(&monitor, WRITTEN, &before);
        assert!(freed.elapsed() < RESUMES_WITHIN, "written after {:?}", freed.elapsed());
        wait_for_more(&monitor, LOGGED, &before);
        assert!(freed.elapsed() < RESUMES_WITHIN, "logged after {:?}", freed.elapsed());
        for words in ["packets are written to evidence files again", "packets are logged again"] {
            wait_for(words, || (lines(&monitor, words) > 0).then_some(()));
        }

        let sent = flood.stop();
        let all_counted = |metrics: &Metrics| metrics.sum(FRAMES) >= sent;
        let metrics = monitor.wait_for(&format!("{sent} frames"), all_counted);
        assert_eq!((metrics.sum(FRAMES), metrics.sum(DROPPED), metrics.sum(MISSED)), (sent, 0, 0));
        // The ring had all packets meanwhile.
        monitor.wait_for("all packets are in the file", |metrics| metrics.sum(WRITTEN) == sent);
        assert_eq!(monitor.stop().closing(), Closing { captured: sent, received: sent, dropped: 0, by_policy: None });
    });
}
