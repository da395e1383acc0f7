//! The program's output for one capture, compared with the files of `tests/golden/`, and read back by a reader that
//! shares no code with the writer. `UPDATE_GOLDEN=1` rewrites the files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Output;

use common::exporter::{Exporter, program};
use common::exposition::{self, family, parse, sum};
use common::golden::{is_document, is_golden, is_in_document};
use common::{client, labels, mix};
use trafficmonitor::cli::reference;
use trafficmonitor::export::Format;
use trafficmonitor::export::family::{
    ALL, BUILD_INFO, CONFIGURED_ONLY, EVENT_LOG_WRITE_ERRORS, EVENTS_WRITTEN, Family, HTTP_API_REFUSED,
    HTTP_CONNECTIONS_CUT, HTTP_CONNECTIONS_REFUSED, HTTP_SCRAPES_REFUSED, LIVE_ONLY, QUEUE_DROPPED, SANDBOX,
};
use trafficmonitor::export::process::SelfMetrics;
use trafficmonitor::export::text::TextWriter;

/// `replay` of the mix under the name `file`, relative to its folder: names of files are labels.
fn replay_as(file: &OsStr, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::rename(mix::write(folder.path(), "written.pcap"), path).unwrap();
    let mut command = program([OsStr::new("replay"), file].into_iter().chain(options.iter().map(OsStr::new)));
    command.current_dir(folder.path()).output().unwrap()
}

fn replay(options: &[&str]) -> String {
    let output = replay_as(OsStr::new("mix.pcap"), options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

fn exposition(options: &[&str]) -> Vec<exposition::Family> {
    parse(&replay(&[&["--output", "prometheus"], options].concat()))
}

// ---- Golden texts --------------------------------------------------------------------------------------------------------

#[test]
fn each_output_is_as_it_is_kept() {
    for (kept, options) in [
        ("mix.prom", &["--output", "prometheus"][..]),
        ("mix.txt", &["--output", "table"]),
        ("mix-exact.txt", &["--bytes"]),
        ("mix.jsonl", &["--output", "jsonl"]),
        ("mix.csv", &["--output", "csv"]),
    ] {
        is_golden(kept, &replay(options));
    }
}

#[test]
fn the_documents_show_the_table() {
    let table = replay(&["--top", "3"]);
    let lines = table.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n");
    is_in_document("docs/replay.md", "replay", &lines.collect::<String>());
}

#[test]
fn each_flow_key_is_as_it_is_kept() {
    is_golden("dst-port.prom", &replay(&["--output", "prometheus", "--flow-key", "dst-port"]));
    is_golden("pair.prom", &replay(&["--output", "prometheus", "--flow-key", "pair"]));
    is_golden("pair.jsonl", &replay(&["--output", "jsonl", "--flow-key", "pair"]));
    is_golden("pair.txt", &replay(&["--flow-key", "pair"]));
    is_golden("dst-port.txt", &replay(&["--flow-key", "dst-port"]));
    is_golden("dst-port.csv", &replay(&["--output", "csv", "--flow-key", "dst-port"]));
}

#[test]
fn traffic_without_a_row_matches_its_golden_file() {
    for (kept, output) in [("limited.prom", "prometheus"), ("limited.txt", "table"), ("limited.jsonl", "jsonl")] {
        is_golden(kept, &replay(&["--output", output, "--max-flows", "5"]));
    }
}

#[test]
fn policy_matches_its_golden_files() {
    let policy = ["--policy.permitted", "10.0.0.0/8,198.51.100.0/24,fd00::/8", "--policy.denied", "198.51.100.64/27"];
    for (kept, output) in [("policy.prom", "prometheus"), ("policy.txt", "table"), ("policy.jsonl", "jsonl")] {
        is_golden(kept, &replay(&[&["--output", output][..], &policy].concat()));
    }
}

/// The page in OpenMetrics, except for values that differ from run to run.
#[test]
fn the_page_in_openmetrics_is_as_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    mix::write(folder.path(), "mix.pcap");
    let mut command = program(["-r", "mix.pcap", "-promHTTP", "127.0.0.1:0", "--metrics.flow_packets"]);
    let exporter = Exporter::spawn(command.current_dir(folder.path()), 1);
    exporter.is_ready();
    let accept = "accept: application/openmetrics-text; version=1.0.0";
    let page = client::ask(exporter.address(), "GET", "/metrics", &[accept]).unwrap().body;
    let (accounts, program) = page.split_once("# HELP process_").unwrap();
    assert!(program.contains("# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "), "{program}");
    assert!(program.contains("# TYPE trafficmonitor_queue_dropped counter\n"), "{program}");
    assert!(program.ends_with("\n# EOF\n"), "{program}");
    is_golden("mix.openmetrics", accounts);
}

/// Each run hashes with another seed.
#[test]
fn which_flows_have_a_row_does_not_depend_on_chance() {
    let limited = || replay(&["--output", "jsonl", "--max-flows", "5"]);
    let first = limited();
    (0..8).for_each(|_| assert_eq!(limited(), first));
}

// ---- Read back -----------------------------------------------------------------------------------------------------------

#[test]
fn every_family_is_introduced_in_order_with_its_help_type_and_labels() {
    let written = exposition(&["--metrics.flow_packets"]);
    let of_the_process = [
        BUILD_INFO,
        EVENTS_WRITTEN,
        EVENT_LOG_WRITE_ERRORS,
        HTTP_CONNECTIONS_CUT,
        HTTP_CONNECTIONS_REFUSED,
        HTTP_SCRAPES_REFUSED,
        HTTP_API_REFUSED,
        SANDBOX,
        QUEUE_DROPPED,
    ];
    let is_absent = |family: &Family| LIVE_ONLY.contains(family) || CONFIGURED_ONLY.contains(family);
    let is_of_files = |family: &&Family| !of_the_process.contains(*family) && !is_absent(family);
    let declared: Vec<_> = ALL.iter().filter(is_of_files).collect();
    let names: Vec<&str> = written.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names, declared.iter().map(|family| family.name).collect::<Vec<_>>());
    for (written, declared) in written.iter().zip(declared) {
        assert_eq!((written.help.as_str(), written.kind.as_str()), (declared.help, declared.kind.word()));
        for sample in &written.samples {
            let labels: Vec<&str> = sample.labels.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(labels, declared.labels, "{}", declared.name);
        }
    }
}

#[test]
fn page_of_a_file_holds_the_output_of_replay_and_the_figures_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = mix::write(folder.path(), "mix.pcap");
    let file = file.to_str().unwrap();
    let options = ["--metrics.flow_packets", "-ByteLimit", "1000", "-ChartMinBytes", "1"];
    let mut command = program(["replay", file, "--output", "prometheus"].iter().chain(&options));
    let written = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let exporter = Exporter::start(["-r", file, "-promHTTP", "127.0.0.1:0"].iter().chain(&options));
    exporter.is_ready();
    let page = client::get(exporter.address(), "/metrics");
    assert!(written.contains("trafficmonitor_alert_firing{kind=\"bandwidth\""), "{written}");
    assert!(page.starts_with(&written), "{page}");
    let page = parse(&page);
    let process = SelfMetrics::names();
    assert!(process.len() > 5, "{process:?}");
    let absent = || LIVE_ONLY.iter().chain(CONFIGURED_ONLY);
    let families = ALL.iter().filter(|family| absent().all(|absent| absent != *family));
    for name in families.map(|family| family.name).chain(process.iter().map(String::as_str)) {
        assert!(page.iter().any(|family| family.name == name), "{name}");
    }
    for absent in absent() {
        assert!(page.iter().all(|family| family.name != absent.name), "{}", absent.name);
    }
    let build = &family(&page, BUILD_INFO.name).samples[0];
    assert_eq!((build.label("version"), build.count()), (env!("CARGO_PKG_VERSION"), 1));
    assert!(build.label("libpcap").contains("libpcap"), "{build:?}");
}

#[test]
fn without_the_older_families_all_others_stand_as_they_were() {
    let (with, without) = (exposition(&[]), exposition(&["--metrics.seed=false"]));
    let older = ["hosts_src_dst", "total_incoming", "total_outgoing"];
    let others: Vec<_> = with.into_iter().filter(|family| !older.contains(&family.name.as_str())).collect();
    assert_eq!(others, without);
}

#[test]
fn the_sums_agree() {
    for options in [&[][..], &["--max-flows", "5"], &["--flow-key", "pair"], &["--flow-key", "dst-port"]] {
        let families = exposition(options);
        let by_direction =
            |direction| sum(&families, "trafficmonitor_traffic_bytes_total", Some(("direction", direction)));
        let frames = sum(&families, "trafficmonitor_interface_frames_total", None);
        let ip = sum(&families, "trafficmonitor_traffic_packets_total", None);
        assert_eq!(frames, mix::frames().len() as u64);
        assert_eq!(frames, ip + sum(&families, "trafficmonitor_undecoded_packets_total", None));
        assert_eq!(sum(&families, "total_incoming", None), by_direction("incoming"));
        assert_eq!(sum(&families, "total_outgoing", None), by_direction("outgoing"));
        let bytes = ["incoming", "outgoing", "local", "transit"].map(by_direction);
        assert!(bytes.iter().all(|&bytes| bytes > 0), "{bytes:?}");
        assert_eq!(sum(&families, "hosts_src_dst", None), bytes.iter().sum::<u64>(), "{options:?}");
    }
}

#[test]
fn hostile_names_come_back_unchanged() {
    for name in [
        "quote\".pcap",
        "\"} 1.pcap",
        "back\\slash.pcap",
        "\\n is no line feed.pcap",
        "\\",
        "two\nlines\n# TYPE x counter\nx 1",
        "\r\t\u{1b}[31m\u{7f}.pcap",
        "{},=#.pcap",
        "ünï ☃ \u{202e}.pcap",
        "\"\\\"\n\\\\",
    ] {
        assert_eq!(interface_called(OsStr::new(name)), name);
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_mended() {
    use std::os::unix::ffi::OsStrExt as _;
    assert_eq!(interface_called(OsStr::from_bytes(b"a\xff\"\xc3.pcap")), "a\u{fffd}\"\u{fffd}.pcap");
}

/// The label `interface` of a capture of that name.
fn interface_called(name: &OsStr) -> String {
    let output = replay_as(name, &["--output", "prometheus"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let families = parse(&String::from_utf8(output.stdout).unwrap());
    let labels = ["trafficmonitor_interface_frames_total", "trafficmonitor_interface_frame_bytes_total"].map(|name| {
        family(&families, name).samples.iter().map(|sample| sample.label("interface").to_owned()).collect()
    });
    let [frames, bytes]: [Vec<String>; 2] = labels;
    assert_eq!(frames, bytes);
    assert_eq!(frames.len(), 1);
    frames[0].clone()
}

// ---- The documents -------------------------------------------------------------------------------------------------------

#[test]
fn the_documents_list_every_metric() {
    let head = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    let declared = ALL.iter().map(|family| row(family.name, family.kind.word(), family.labels, family.help));
    let process = process_families();
    let process = process.iter().map(|family| row(&family.name, &family.kind, &[], &family.help));
    let table = declared.chain(process).fold(head, |table, row| table + &row);
    let mut names: Vec<&str> = table.lines().filter_map(|row| row.split('`').nth(1)).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a metric twice: {names:?}");
    is_in_document("docs/metrics.md", "metrics", &table);
}

#[test]
fn the_documents_list_every_label_with_its_values() {
    assert_eq!(labels::unlisted(), Vec::<String>::new());
    is_in_document("docs/metrics.md", "labels", &labels::markdown());
}

#[test]
fn label_values_of_a_page_are_those_in_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let file = mix::write(folder.path(), "mix.pcap");
    let networks = "bandwidth: {direction: both, networks: [{network: 10.0.0.0/8, limit: 100, total: true}]}";
    std::fs::write(folder.path().join("networks.yml"), networks).unwrap();
    let config = folder.path().join("networks.yml");
    let options = ["-r", file.to_str().unwrap(), "-c", config.to_str().unwrap(), "-promHTTP", "127.0.0.1:0"];
    let more = ["--anom.alerts", "--metrics.flow_packets", "--policy.permitted", "10.0.0.0/8"];
    let exporter = Exporter::start(options.iter().chain(&more));
    exporter.is_ready();
    let page = parse(&client::get(exporter.address(), "/metrics"));
    assert_eq!(labels::unlisted_values(&page).into_iter().collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(labels::values_never_shown(&page, false).into_iter().collect::<Vec<_>>(), Vec::<String>::new());
}

fn row(name: &str, kind: &str, labels: &[&str], help: &str) -> String {
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {kind} | {} | {} |\n", labels.join(", "), help.replace('|', "\\|"))
}

/// The families of the process, besides the declared ones.
fn process_families() -> Vec<exposition::Family> {
    let mut text = Vec::new();
    let mut writer = TextWriter::new(Format::Text, None, &mut text);
    SelfMetrics::new("", "", "").unwrap().write(&mut writer).unwrap();
    writer.finish().unwrap();
    let mut families = exposition::parse(&String::from_utf8(text).unwrap());
    families.retain(|family| ALL.iter().all(|declared| declared.name != family.name));
    families
}

#[test]
fn the_configuration_document_lists_every_setting() {
    is_document("docs/configuration.md", &reference::configuration());
}

#[test]
fn the_kept_texts_are_all_in_use() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let source = include_str!("exposition.rs");
    for entry in folder.read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(source.contains(&format!("\"{name}\"")), "{name} is kept for nothing");
    }
}
