//! Alerts and addresses for the tests of the room.

use std::net::{IpAddr, Ipv4Addr};

use super::{Config, Format, Published, Report, write};
use crate::account::FlowKeying;
use crate::account::snapshot::Snapshot;
use crate::alert::tests::alert;
use crate::alert::{Alert, AlertView, Severity, Side};
use crate::detect::{self, Figures, Kind, Subject};
use crate::history::History;
use crate::packet::Timestamp;

pub(super) fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))
}

/// A firing alert for information, about a subject outside.
pub(super) fn firing(kind: Kind, subject: Subject, figures: Figures) -> Alert {
    let rule = kind.label().into();
    Alert { rule, severity: Severity::Info, side: Side::Outside, ..alert(kind, subject, figures) }
}

/// The samples of memory by part.
fn memory(report: &Report) -> Vec<String> {
    let mut text = Vec::new();
    write(&Config::default(), Format::Text, report, None, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let samples = text.lines().filter_map(|line| line.strip_prefix("trafficmonitor_memory_bytes{part="));
    samples.map(str::to_owned).collect()
}

#[test]
fn memory_of_each_part_is_written_where_it_is_measured() {
    let accounts = Snapshot { memory: vec![("flows", 7)], ..Snapshot::default() };
    let detection = detect::View { memory_bytes: 8, ..detect::View::default() };
    let alerts = AlertView { memory_bytes: 9, ..AlertView::default() };
    let mut report = Report { accounts, detection, alerts, history_bytes: Some(10), ..Report::default() };
    assert_eq!(memory(&report), ["\"flows\"} 7", "\"detection\"} 8", "\"alerts\"} 9", "\"history\"} 10"]);
    report.history_bytes = None;
    assert_eq!(memory(&report).len(), 3);
    report.accounts.memory.clear();
    assert_eq!(memory(&report), [""; 0], "the accounts of a file");
}

#[test]
fn history_and_report_are_published_each_by_itself() {
    let published = Published::default();
    assert_eq!(published.history().number, 0);
    let mut history = History::new(FlowKeying::Service, 1);
    (0..=5).for_each(|second| history.advance(Timestamp::from_seconds_and_nanoseconds(second, 0)));
    published.publish_history(history.view());
    published.publish(Snapshot { number: 3, ..Snapshot::default() });
    assert_eq!((published.history().number, published.latest().accounts.number), (5, 3));
}
