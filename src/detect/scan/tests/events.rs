//! The events of a row, kind by kind: the table at the top of `events.rs`.

use std::net::IpAddr;
use std::sync::Arc;

use super::harness::*;
use crate::account::conversation::request_way;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::account::observer::MergedRow;
use crate::detect::scan::connections::{self, RowKind};
use crate::detect::scan::events::{self, ContactEvent, ContactSignals};
use crate::locality::Classifier;
use crate::packet::Protocol;
use crate::tables::index::NOWHERE;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

/// The kind of the only row of a script, and its events from the client's side: true if they begin a contact, and signals.
fn row_of(script: &Script) -> (RowKind, Vec<(bool, ContactSignals)>) {
    let mut interval = Interval::new(Arc::new(Classifier::default()), 3);
    script.0.iter().for_each(|(_, event)| interval.observe(event.packet(), event.packet().bytes + 14));
    interval.settle();
    let [row] = interval.rows_v4() else { panic!("{} rows", interval.rows_v4().len()) };
    let interface = Ledger::<()>::new(&crate::account::Config::default(), 1).interface("eth0");
    let request_way = request_way(&row.key, row.opener(), row.ways[row.opener() as usize].first_flags());
    let seen = row.has_packets();
    let merged = MergedRow { row, interface, is_known: false, request_way, seen, remembered_at: NOWHERE };
    let kind = RowKind::of(&merged);
    let events: Vec<ContactEvent> = match kind {
        RowKind::BareBeginning => vec![connections::of_beginning(&merged, 0)],
        RowKind::Opening => connections::of_opening(&merged, 0, 512).into_iter().flatten().collect(),
        RowKind::Datagrams => events::of_datagrams(&merged, 0).into_iter().collect(),
        RowKind::Icmp => events::of_icmp(&merged, 0).into_iter().flatten().collect(),
        RowKind::Established | RowKind::Other => Vec::new(),
    };
    let of_client = events.into_iter().filter(|event| event.source == CLIENT);
    (kind, of_client.map(|event| (event.begins, event.signals)).collect())
}

/// A TCP row of segments with these flags, each with true if the client sent it.
fn tcp(segments: &[(bool, u8)]) -> (RowKind, Vec<(bool, ContactSignals)>) {
    let mut script = Script::default();
    for (number, (is_clients, flags)) in segments.iter().enumerate() {
        let time = 0.01 * number as f64;
        match is_clients {
            true => script.tcp(time, CLIENT, SERVER, (40_000, 22), *flags),
            false => script.tcp(time, SERVER, CLIENT, (22, 40_000), *flags),
        }
    }
    row_of(&script)
}

#[test]
fn tcp_rows_begin_answer_continue_abort_and_refuse() {
    let none = ContactSignals::default();
    let (answered, continued) = (ContactSignals::ANSWERED, ContactSignals::CONTINUED);
    let (aborted, refused) = (ContactSignals::ABORTED, ContactSignals::REFUSED);
    let begins = |signals| vec![(true, signals)];
    assert_eq!(tcp(&[(true, SYN)]), (RowKind::BareBeginning, begins(none)));
    assert_eq!(tcp(&[(true, FIN)]), (RowKind::BareBeginning, begins(none)));
    assert_eq!(tcp(&[(true, SYN), (false, SYN | ACK)]), (RowKind::Opening, begins(answered)));
    let accepted = [(true, SYN), (false, SYN | ACK), (true, ACK)];
    assert_eq!(tcp(&accepted), (RowKind::Opening, begins(answered.with(continued, true))));
    let half_open = [(true, SYN), (false, SYN | ACK), (true, RST)];
    assert_eq!(tcp(&half_open), (RowKind::Opening, begins(answered.with(aborted, true))));
    assert_eq!(tcp(&[(true, SYN), (false, RST | ACK)]), (RowKind::Opening, begins(refused)));
    assert_eq!(tcp(&[(true, PUSH | ACK), (false, ACK)]), (RowKind::Established, vec![]));
}

#[test]
fn datagrams_and_echo_requests_begin_and_are_answered() {
    let mut asked = Script::default();
    asked.udp(0.0, CLIENT, SERVER, (40_000, 53));
    assert_eq!(row_of(&asked), (RowKind::Datagrams, vec![(true, ContactSignals::default())]));
    let mut answered = Script::default();
    answered.query(0.0, CLIENT, SERVER, 53, 0.02);
    assert_eq!(row_of(&answered), (RowKind::Datagrams, vec![(true, ContactSignals::ANSWERED)]));
    for (is_answered, signals) in [(false, ContactSignals::default()), (true, ContactSignals::ANSWERED)] {
        let mut ping = Script::default();
        ping.ping(0.0, CLIENT, SERVER, is_answered);
        assert_eq!(row_of(&ping), (RowKind::Icmp, vec![(true, signals)]));
    }
    let mut other = Script::default();
    other.packet(0.0, CLIENT, SERVER, Protocol(47), (0, 0), 0, 60);
    assert_eq!(row_of(&other), (RowKind::Other, vec![]));
}
