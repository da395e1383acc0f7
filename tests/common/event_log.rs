//! The sums of event logs, in each format.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A line about packets that are not permitted: the kind of event, its source, its packets and its suppressed packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLine {
    pub event: String,
    pub source: String,
    pub packets: u64,
    pub suppressed: u64,
}

impl PolicyLine {
    /// All packets of the line.
    pub fn all(&self) -> u64 {
        self.packets + self.suppressed
    }
}

/// The lines about packets that are not permitted, of a log in the format console, json, csv or jsonl.
pub fn policy_lines(path: &Path, format: &str) -> Vec<PolicyLine> {
    let text = fs::read_to_string(path).expect("the log");
    let lines: Vec<PolicyLine> = match format {
        "json" => serde_json::from_str::<Vec<Value>>(&text).expect("an array").iter().map(of_object).collect(),
        "jsonl" => text.lines().map(|line| of_object(&serde_json::from_str(line).expect("an object"))).collect(),
        "csv" => of_csv(&text),
        _ => text.lines().map(of_logfmt).collect(),
    };
    lines.into_iter().filter(|line| line.event != "alert").collect()
}

fn of_object(object: &Value) -> PolicyLine {
    let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| object[name].as_u64().unwrap_or_default();
    let (packets, suppressed) = (number("packets"), number("suppressed"));
    PolicyLine { event: text("event"), source: text("src"), packets, suppressed }
}

fn of_csv(text: &str) -> Vec<PolicyLine> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().expect("a header").clone();
    let position = |name: &str| names.iter().position(|known| known == name).expect("the column");
    let [event, source, packets, suppressed] = ["event", "src", "packets", "suppressed"].map(position);
    let of_record = |record: csv::StringRecord| PolicyLine {
        event: record[event].to_owned(),
        source: record[source].to_owned(),
        packets: record[packets].parse().unwrap_or_default(),
        suppressed: record[suppressed].parse().unwrap_or_default(),
    };
    reader.records().map(|record| of_record(record.expect("a record"))).collect()
}

/// A line of the console has a message in the place of the kind of event.
fn of_logfmt(line: &str) -> PolicyLine {
    let field = |name: &str| line.split(&format!(" {name}=")).nth(1).and_then(|rest| rest.split_whitespace().next());
    let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let event = match line {
        _ if line.contains(" msg=\"source is not permitted\" ") => "violation",
        _ if line.contains(" more packets that are not permitted\" ") => "suppressed",
        _ => "alert",
    };
    let source = field("src").unwrap_or_default().to_owned();
    PolicyLine { event: event.to_owned(), source, packets: number("packets"), suppressed: number("suppressed") }
}
