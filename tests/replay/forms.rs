//! The forms for scripts: JSON lines and comma-separated values.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::common::ip::{Ipv4, udp};
use super::common::link::Sample;
use super::common::replay::{number, replay};
use super::common::savefile::{ByteOrder, Savefile};
use super::{CLIENT, SERVER, busy, folder, on_ethernet};

fn packet(source_port: u16, port: u16) -> Sample {
    on_ethernet(&Ipv4::carrying(udp(source_port, port, b"name")).between(CLIENT, SERVER))
}

fn lines(file: &Path, options: &[&str]) -> Vec<Value> {
    replay([&[file.to_str().unwrap(), "--output", "jsonl"], options].concat()).lines()
}

/// The records, each with its fields by their columns.
fn records(file: &Path, options: &[&str]) -> Vec<BTreeMap<String, String>> {
    let run = replay([&[file.to_str().unwrap(), "--output", "csv"], options].concat());
    assert_eq!(run.status, Some(0), "{}", run.messages);
    let mut lines = run.output.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let record = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), columns.len(), "{line}");
        columns.iter().zip(fields).map(|(&column, field)| (column.to_owned(), field.to_owned())).collect()
    };
    lines.map(record).collect()
}

#[test]
fn a_flow_has_the_times_of_its_first_and_last_packet_to_the_nanosecond() {
    let folder = folder();
    // The first conversation of the flow outlasts the second, which begins and ends meanwhile.
    let file = Savefile::with(1, ByteOrder::Little, true, 65_535)
        .frame_at(1_700_000_000, 123_456_789, &packet(40_001, 53))
        .frame_at(1_700_000_001, 0, &packet(40_002, 53))
        .frame_at(1_700_000_002, 0, &packet(40_002, 53))
        .frame_at(1_700_000_003, 500_000_000, &packet(40_001, 53))
        .write(folder.path(), "times.pcap");
    for workers in ["1", "2"] {
        let run = replay([file.to_str().unwrap(), "--output", "jsonl", "--workers", workers]);
        let times = "\"first\":1700000000.123456789,\"last\":1700000003.5}";
        assert!(run.output.lines().next().unwrap().ends_with(times), "{}", run.output);
    }
    let record = &records(&file, &[])[0];
    assert_eq!((record["first"].as_str(), record["last"].as_str()), ("1700000000.123456789", "1700000003.5"));
}

#[test]
fn the_last_time_is_the_latest_in_whatever_order_files_are_read() {
    let folder = folder();
    let at = |seconds, name: &str| {
        let file = Savefile::new(1).frame_at(seconds, 0, &packet(40_001, 53));
        file.frame_at(seconds + 1, 0, &packet(40_001, 53)).write(folder.path(), name)
    };
    let (early, late) = (at(1_700_000_000, "early.pcap"), at(1_700_100_000, "late.pcap"));
    for files in [[&early, &late], [&late, &early]] {
        let run = replay([files[0].to_str().unwrap(), files[1].to_str().unwrap(), "--output", "jsonl"]);
        let line = &run.lines()[0];
        assert_eq!(number(line, "last"), 1_700_100_001, "{line}");
    }
}

#[test]
fn each_line_names_its_kind() {
    let folder = folder();
    let file = Savefile::new(1).frames(&[packet(40_001, 53), packet(40_001, 50_000)]).write(folder.path(), "two.pcap");
    let lines = lines(&file, &["--flow-key", "dst-port"]);
    let said = |line: &Value| json!([line["type"], line["dst_port"], line["service"], line["direction"]]);
    assert_eq!(said(&lines[0]), json!(["flow", 53, "domain", "local"]));
    assert_eq!(said(&lines[1]), json!(["flow", 50_000, null, "local"]));
    assert_eq!(lines[2]["type"], "sums");
    assert_eq!(lines.len(), 3);
}

#[test]
fn comma_separated_values_say_the_same_as_json_lines() {
    let folder = folder();
    let file = busy(folder.path());
    for key in ["service", "dst-port", "pair"] {
        let options = ["--flow-key", key, "--max-flows", "1000"];
        let mut lines = lines(&file, &options);
        lines.pop();
        let records = records(&file, &options);
        assert_eq!(lines.len(), records.len());
        for (line, record) in lines.iter().zip(&records) {
            for (column, field) in record {
                let in_json = match column.as_str() {
                    "protocol" => continue,
                    "port" if key == "dst-port" => &line["dst_port"],
                    name => &line[name],
                };
                let in_json = match in_json {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    // No port is 0 there.
                    Value::Number(port) if column == "port" && port.as_u64() == Some(0) => String::new(),
                    other => other.to_string(),
                };
                assert_eq!(&in_json, field, "{column} of {line}");
            }
        }
    }
}

#[test]
fn the_heaviest_flows_alone_leave_the_rest_to_other() {
    let folder = folder();
    let file = busy(folder.path());
    let all = lines(&file, &[]);
    let total = |lines: &[Value]| lines[..lines.len() - 1].iter().map(|line| number(line, "bytes")).sum::<u64>();
    let top = lines(&file, &["--top", "5"]);
    let flows: Vec<u64> =
        top.iter().filter(|line| line["first"].is_number()).map(|line| number(line, "bytes")).collect();
    assert_eq!(flows.len(), 5, "{top:?}");
    assert_eq!((total(&top), top.last()), (total(&all), all.last()));
    let lightest = flows.iter().min().unwrap();
    let mut heaviest: Vec<u64> =
        all.iter().filter(|line| line["first"].is_number()).map(|line| number(line, "bytes")).collect();
    heaviest.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(heaviest[4], *lightest);
    assert_eq!(records(&file, &["--top", "5"]).iter().filter(|record| record["src"] != "other").count(), 5);
}
