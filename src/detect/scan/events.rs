//! Merged rows → contact events.
//!
//! Takes one row, or the refusal that an ICMP error reports; gives its events. Must not know any state.
//!
//! | row | event |
//! |---|---|
//! | TCP: SYN without ACK, or a first segment without SYN, ACK and RST | the source begins a contact |
//! | TCP: SYN with ACK comes back | the target answered |
//! | TCP: ACK after the beginning | the source continued |
//! | TCP: data after the beginning | the source sent data |
//! | TCP: FIN of either side, RST after the answer | the connection is closed |
//! | TCP: RST without ACK after the answer | the source aborted |
//! | TCP: RST comes back | the target refused |
//! | TCP: a single ACK or FIN with ACK, without data, of an unknown connection | the source begins a contact: a probe |
//! | TCP: each way acknowledges, none opens or refuses | packets were seen; with data: source and target exchange |
//! | UDP: first datagram from the client | the source begins a contact |
//! | UDP: any datagram comes back | the target answered |
//! | UDP: any datagram that follows when both ends have sent some | source and target exchange |
//! | UDP: datagram to a multicast or broadcast address | a question to many hosts |
//! | ICMP: request for an echo, a timestamp or a mask | the source begins a contact |
//! | ICMP: reply to one of these | the target answered |
//! | ICMP error that quotes a packet | the target, or a router before it, refused |

use std::net::IpAddr;

use super::contacts::HostPort;
use super::discovery;
use super::sample::SeenPackets;
use crate::account::conversation::{Address, ConversationKey, OneWay, Way};
use crate::account::interval::Row;
use crate::account::observer::MergedRow;
use crate::locality::Direction;
use crate::packet::{Protocol, Timestamp};

/// Signals of a contact, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ContactSignals(pub(super) u8);

impl ContactSignals {
    /// The target answered.
    pub(super) const ANSWERED: Self = Self(1);
    /// The source continued, as only a source that was answered can.
    pub(super) const CONTINUED: Self = Self(2);
    /// The source aborted: its own system does not know the connection.
    pub(super) const ABORTED: Self = Self(4);
    /// The target, or a router before it, refused.
    pub(super) const REFUSED: Self = Self(8);
    /// Source and target exchange data, and may have done so for long.
    pub(super) const EXCHANGED: Self = Self(16);
    /// The source sent data over TCP.
    pub(super) const SENT: Self = Self(32);
    /// Either side closed the connection.
    pub(super) const CLOSED: Self = Self(64);
    /// The contact begins with a segment that belongs to a connection, and no connection is known.
    pub(super) const PROBE: Self = Self(128);

    pub(super) const fn has(self, signal: Self) -> bool {
        self.0 & signal.0 != 0
    }

    pub(super) const fn with(self, signal: Self, is_there: bool) -> Self {
        if is_there { Self(self.0 | signal.0) } else { self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    /// Signals of a contact of the source with the target.
    Contact,
    /// A question of the source to many hosts.
    Question,
    /// Packets of their conversation were seen, which tells if the interface shows answers.
    Seen(SeenPackets),
}

/// An event of one contact.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContactEvent {
    pub(super) kind: EventKind,
    pub(super) source: IpAddr,
    pub(super) source_port: u16,
    pub(super) target: HostPort,
    /// The position of the interface that showed it.
    pub(super) interface: u16,
    /// The source is known to be outside the local networks.
    pub(super) is_outside: bool,
    /// The source begins the contact in this row.
    pub(super) begins: bool,
    /// The target's replies in this row came before the source's first packet, so they answer an earlier contact.
    pub(super) replies_first: bool,
    /// The conversation began in an earlier row.
    pub(super) is_known: bool,
    pub(super) signals: ContactSignals,
    /// The time of the source's first packet; of the first signal if it sent none.
    pub(super) first: Timestamp,
    /// The time of the source's last packet; of the last signal if it sent none.
    pub(super) last: Timestamp,
    /// The time of the target's last packet, if it sent one.
    pub(super) replied: Timestamp,
    /// The time at which it was refused or aborted.
    pub(super) failed: Timestamp,
    pub(super) packets: u32,
    /// IP bytes of the source.
    pub(super) bytes: u64,
    pub(super) reply_packets: u32,
    /// IP bytes of the target.
    pub(super) reply_bytes: u64,
}

impl ContactEvent {
    /// The reply to an earlier contact and the new contact behind it, if the event has both. An interval decides what
    /// is in one row, and must not decide the outcome.
    pub(super) fn split(&self) -> Option<[Self; 2]> {
        let one = Self { replies_first: false, ..*self };
        let reply = Self { begins: false, packets: 0, bytes: 0, ..one };
        let contact = Self { signals: ContactSignals::default(), reply_packets: 0, reply_bytes: 0, ..one };
        self.replies_first.then_some([reply, contact])
    }
}

/// The time of the last request, or of the last reply where there are no requests. (Without a branch, which a processor
/// could not predict: both ways are numbered 0 and 1.)
#[inline]
pub(super) fn last_request_or_reply<A: Address>(merged: &MergedRow<'_, A>) -> Timestamp {
    let request_way = merged.request_way as usize;
    let has_no_requests = merged.row.ways[request_way].packets == 0;
    merged.row.ways[usize::from(has_no_requests) ^ request_way].last
}

/// An event without signals of the contact of the sender of `way` with the receiver.
#[inline]
pub(super) fn plain<A: Address>(merged: &MergedRow<'_, A>, way: Way, interface: u16) -> ContactEvent {
    let row = merged.row;
    let (source, target) = row.key.endpoints(way);
    let (there, back) = both(row, way);
    let (first, last) = if there.packets > 0 { (there.first, there.last) } else { (back.first, back.last) };
    ContactEvent {
        kind: EventKind::Contact,
        source: source.address.into(),
        source_port: source.port,
        target: HostPort { address: target.address.into(), protocol: row.key.protocol(), port: target.port },
        interface,
        is_outside: matches!(there.direction, Direction::Incoming | Direction::Transit),
        begins: false,
        replies_first: false,
        is_known: merged.is_known,
        signals: ContactSignals::default(),
        first,
        last,
        replied: back.last,
        failed: last,
        packets: there.packets,
        bytes: there.bytes,
        reply_packets: back.packets,
        reply_bytes: back.bytes,
    }
}

#[inline]
pub(super) fn both<A: Address>(row: &Row<A>, way: Way) -> (&OneWay, &OneWay) {
    (&row.ways[way as usize], &row.ways[way.reversed() as usize])
}

/// The event of a conversation that began before.
pub(super) fn of_known<A: Address>(merged: &MergedRow<'_, A>, interface: u16, signals: ContactSignals) -> ContactEvent {
    ContactEvent { signals, ..plain(merged, merged.request_way, interface) }
}

/// The refusal of a packet that went `way` by an ICMP error.
pub(super) fn of_refusal<A: Address>(
    key: &ConversationKey<A>,
    way: Way,
    time: Timestamp,
    interface: u16,
) -> ContactEvent {
    let (source, target) = key.endpoints(way);
    ContactEvent {
        kind: EventKind::Contact,
        source: source.address.into(),
        source_port: source.port,
        target: HostPort { address: target.address.into(), protocol: key.protocol(), port: target.port },
        interface,
        is_outside: false,
        begins: false,
        replies_first: false,
        is_known: false,
        signals: ContactSignals::REFUSED,
        first: time,
        last: time,
        replied: time,
        failed: time,
        packets: 0,
        bytes: 0,
        reply_packets: 0,
        reply_bytes: 0,
    }
}

/// The question to many hosts that a UDP row may be.
#[inline]
pub(super) fn of_question<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> Option<ContactEvent> {
    let way = merged.row.opener();
    let (source, target) = merged.row.key.endpoints(way);
    if !discovery::may_ask_many(source.address.into(), target.address.into()) {
        return None;
    }
    Some(ContactEvent { kind: EventKind::Question, ..plain(merged, way, interface) })
}

/// The event of a UDP row. A late answer does not begin a contact, nor does an answer to a question that went to many
/// hosts, nor a datagram to the broadcast address of the source's own network. Datagrams that follow when both ends
/// have sent some are an exchange, unless their contact is still pending.
pub(super) fn of_datagrams<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> Option<ContactEvent> {
    let way = merged.request_way;
    let (there, back) = both(merged.row, way);
    let event = plain(merged, way, interface);
    let opens = !merged.is_known && merged.row.opener() == way && there.packets > 0;
    let begins = opens
        && !discovery::is_discovery_answer(event.source_port, event.target.port)
        && !discovery::is_traceroute(event.target.port)
        && !discovery::is_own_broadcast(event.source, event.target.address);
    let exchanges = merged.is_known && merged.seen == [true; 2];
    let signals = ContactSignals::default()
        .with(ContactSignals::ANSWERED, back.packets > 0)
        .with(ContactSignals::EXCHANGED, exchanges);
    (event.target.port != 0).then_some(ContactEvent { begins, signals, ..event })
}

/// The events of an ICMP row, one for each host's contact with the other: requests begin them, replies answer. So does a
/// request of the other host, as far as only the first type of a row is known.
pub(super) fn of_icmp<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> [Option<ContactEvent>; 2] {
    let [requests, replies] = icmp_types(merged.row.key.protocol());
    Way::BOTH.map(|way| {
        let (there, back) = both(merged.row, way);
        let (source, target) = merged.row.key.endpoints(way);
        let begins = there.packets > 0
            && there.icmp_type().is_some_and(|kind| requests.contains(&kind))
            && !discovery::is_own_broadcast(source.address.into(), target.address.into());
        let answers = |kind: u8| replies.contains(&kind) || begins && requests.contains(&kind);
        let is_answered = back.packets > 0 && back.icmp_type().is_some_and(answers);
        let signals = ContactSignals::default().with(ContactSignals::ANSWERED, is_answered);
        let replies_first = begins && is_answered && back.last < there.first;
        (begins || is_answered).then(|| ContactEvent {
            begins,
            replies_first,
            signals,
            ..plain(merged, way, interface)
        })
    })
}

/// The types of requests and of replies: echo, timestamp, information and mask (RFC 792, RFC 950); echo and node
/// information (RFC 4443, RFC 4620).
const fn icmp_types(protocol: Protocol) -> [&'static [u8]; 2] {
    match protocol {
        Protocol::ICMPV6 => [&[128, 139], &[129, 140]],
        _ => [&[8, 13, 15, 17], &[0, 14, 16, 18]],
    }
}
