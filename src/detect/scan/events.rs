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
use crate::packet::{Protocol, TcpFlags, Timestamp};

/// The flags that tell the first packets of a connection, and its refusal, from all others.
const CONTROL: u8 = TcpFlags::SYN.0 | TcpFlags::RST.0 | TcpFlags::ACK.0;
const OPENS_OR_REFUSES: u8 = TcpFlags::SYN.0 | TcpFlags::RST.0;
const FIN: u8 = 0x01;
/// The flags of a probe.
const BARE_ACK: u8 = TcpFlags::ACK.0;
const FIN_ACK: u8 = FIN | TcpFlags::ACK.0;
/// PSH and FIN: flags of the later packets of a connection.
const SENDS_OR_ENDS: u8 = 0x08 | FIN;

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
    /// The conversation began in an earlier row.
    pub(super) is_known: bool,
    pub(super) signals: ContactSignals,
    /// The time of the source's first packet; of the first signal if it sent none.
    pub(super) first: Timestamp,
    /// The time of the source's last packet; of the last signal if it sent none.
    pub(super) last: Timestamp,
    /// The time at which it was refused or aborted.
    pub(super) failed: Timestamp,
    pub(super) packets: u32,
    /// IP bytes of the source.
    pub(super) bytes: u64,
    pub(super) reply_packets: u32,
    /// IP bytes of the target.
    pub(super) reply_bytes: u64,
}

/// The kinds of rows by which events are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// TCP in its middle: each way that has packets acknowledges, none opens or refuses.
    Established,
    /// TCP of which there is nothing but the beginning of a contact.
    BareBeginning,
    /// Other TCP: it opens or refuses, or begins as no connection does.
    Opening,
    /// UDP.
    Datagrams,
    /// ICMP and ICMPv6.
    Icmp,
    /// A protocol without contacts.
    Other,
}

impl RowKind {
    #[inline(always)]
    pub(super) fn of<A: Address>(merged: &MergedRow<'_, A>) -> Self {
        match merged.row.key.protocol() {
            Protocol::TCP if is_established(&merged.row.ways) => Self::Established,
            Protocol::TCP if is_bare_beginning(merged) => Self::BareBeginning,
            Protocol::TCP => Self::Opening,
            Protocol::UDP => Self::Datagrams,
            Protocol::ICMP | Protocol::ICMPV6 => Self::Icmp,
            _ => Self::Other,
        }
    }
}

#[inline]
fn is_established(ways: &[OneWay; 2]) -> bool {
    let [forward, backward] = ways;
    let acknowledges = |way: &OneWay| way.packets == 0 || way.flags.contains(TcpFlags::ACK);
    (forward.flags.0 | backward.flags.0) & OPENS_OR_REFUSES == 0 && acknowledges(forward) && acknowledges(backward)
}

#[inline]
fn is_bare_beginning<A: Address>(merged: &MergedRow<'_, A>) -> bool {
    let opener = merged.row.opener();
    let (there, back) = both(merged.row, opener);
    back.packets == 0 && there.flags.0 & (TcpFlags::ACK.0 | TcpFlags::RST.0) == 0 && begins_tcp(merged, opener)
}

/// True if a TCP row that opens shows one side alone, and that side continues as if the other had answered: a client with an
/// ACK after its SYN, a server with data after its answer. (Servers repeat a bare answer towards invented clients.)
#[inline]
pub(super) fn continues_alone<A: Address>(merged: &MergedRow<'_, A>) -> bool {
    let (there, back) = both(merged.row, merged.row.opener());
    let is_client = !there.first_flags().contains(TcpFlags::ACK);
    let continues = is_client || there.flags.0 & SENDS_OR_ENDS != 0;
    back.packets == 0 && there.flags.0 & CONTROL == TcpFlags::SYN.0 | TcpFlags::ACK.0 && continues
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
        is_known: merged.is_known,
        signals: ContactSignals::default(),
        first,
        last,
        failed: last,
        packets: there.packets,
        bytes: there.bytes,
        reply_packets: back.packets,
        reply_bytes: back.bytes,
    }
}

#[inline]
fn both<A: Address>(row: &Row<A>, way: Way) -> (&OneWay, &OneWay) {
    (&row.ways[way as usize], &row.ways[way.reversed() as usize])
}

/// The event of a conversation that began before.
pub(super) fn of_known<A: Address>(merged: &MergedRow<'_, A>, interface: u16, signals: ContactSignals) -> ContactEvent {
    ContactEvent { signals, ..plain(merged, merged.request_way, interface) }
}

/// The signals of an established TCP row. Data count as exchanged if the target was ever seen to speak, and the source sent
/// some or the target more than `used_bytes`.
#[inline]
pub(super) fn established_signals<A: Address>(merged: &MergedRow<'_, A>, used_bytes: u32) -> ContactSignals {
    let (there, back) = both(merged.row, merged.request_way);
    ContactSignals::default()
        .with(ContactSignals::ANSWERED, back.packets > 0)
        .with(ContactSignals::CONTINUED, there.packets > 0)
        .with(ContactSignals::SENT, there.has_payload())
        .with(ContactSignals::CLOSED, (there.flags.0 | back.flags.0) & FIN != 0)
        .with(ContactSignals::EXCHANGED, exchanges_data(merged, merged.request_way, used_bytes))
}

/// True if the client, the sender of `way`, sent data in a TCP row, or the server more than `used_bytes`, and packets of
/// both were seen.
#[inline]
fn exchanges_data<A: Address>(merged: &MergedRow<'_, A>, way: Way, used_bytes: u32) -> bool {
    let (there, back) = both(merged.row, way);
    (there.has_payload() || back.bytes > u64::from(used_bytes)) && merged.seen == [true; 2]
}

/// True if the sender of `way` begins a contact with a probe: one segment of a connection of which nothing else is known,
/// without data. Not a server's: those outlive the memory of their connections.
#[inline]
fn is_probe<A: Address>(merged: &MergedRow<'_, A>, way: Way) -> bool {
    let there = &merged.row.ways[way as usize];
    let is_bare = there.packets == 1 && matches!(there.flags.0, BARE_ACK | FIN_ACK) && !there.has_payload();
    is_bare && !merged.is_known && merged.row.opener() == way && merged.request_way == way
}

/// The probe that an established row may be.
#[inline]
pub(super) fn of_probe<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> Option<ContactEvent> {
    let way = merged.request_way;
    let (_, back) = both(merged.row, way);
    let signals = ContactSignals::PROBE.with(ContactSignals::ANSWERED, back.packets > 0);
    is_probe(merged, way).then(|| ContactEvent { begins: true, signals, ..plain(merged, way, interface) })
}

/// The beginning of a contact by the first sender of a row.
#[inline]
pub(super) fn of_beginning<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> ContactEvent {
    ContactEvent { begins: true, ..plain(merged, merged.row.opener(), interface) }
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
        is_known: false,
        signals: ContactSignals::REFUSED,
        first: time,
        last: time,
        failed: time,
        packets: 0,
        bytes: 0,
        reply_packets: 0,
        reply_bytes: 0,
    }
}

/// The events of a TCP row that opens or refuses, one for the contact of each side with the other.
/// (A late answer may be in one row with the data that follow it.)
pub(super) fn of_opening<A: Address>(
    merged: &MergedRow<'_, A>,
    interface: u16,
    used_bytes: u32,
) -> [Option<ContactEvent>; 2] {
    let begins = Way::BOTH.map(|way| begins_tcp(merged, way) || is_probe(merged, way));
    Way::BOTH.map(|way| {
        let is_other_begun = begins[way.reversed() as usize] && !begins[way as usize];
        let (there, back) = both(merged.row, way);
        let probes = is_probe(merged, way);
        let goes_on = merged.is_known && merged.request_way == way && !begins[way as usize];
        let signals = tcp_signals(there, back, probes)
            .with(ContactSignals::EXCHANGED, goes_on && exchanges_data(merged, way, used_bytes));
        let is_silent = is_other_begun || !begins[way as usize] && signals == ContactSignals::default();
        if is_silent || merged.row.key.endpoints(way).1.port == 0 {
            return None;
        }
        let failed = if signals.has(ContactSignals::ABORTED) {
            there.last
        } else if back.first_flags().contains(TcpFlags::RST) {
            back.first
        } else {
            back.last
        };
        Some(ContactEvent { begins: begins[way as usize], signals, failed, ..plain(merged, way, interface) })
    })
}

/// True if the sender of `way` begins a contact: with a SYN, or with a first packet that no connection begins with.
#[inline]
fn begins_tcp<A: Address>(merged: &MergedRow<'_, A>, way: Way) -> bool {
    let there = &merged.row.ways[way as usize];
    let is_odd = there.first_flags().0 & CONTROL == 0 && !merged.is_known && merged.row.opener() == way;
    let is_syn = there.first_flags().contains(TcpFlags::SYN) && !there.first_flags().contains(TcpFlags::ACK);
    there.packets > 0 && (is_syn || is_odd)
}

#[inline]
fn tcp_signals(there: &OneWay, back: &OneWay, probes: bool) -> ContactSignals {
    let (rst, ack) = (TcpFlags::RST, TcpFlags::ACK);
    // Where flags were not captured, any packet back counts as an answer.
    let is_answer = back.flags.contains(TcpFlags::SYN.union(ack)) || back.packets > 0 && back.flags.0 & CONTROL == 0;
    let continues = there.flags.contains(ack) && !probes;
    let resets = there.flags.contains(rst) && continues || back.flags.contains(rst) && is_answer;
    ContactSignals::default()
        .with(ContactSignals::ANSWERED, is_answer)
        .with(ContactSignals::CONTINUED, continues)
        .with(ContactSignals::ABORTED, there.flags.contains(rst) && !continues)
        .with(ContactSignals::REFUSED, back.flags.contains(rst) && !is_answer)
        .with(ContactSignals::SENT, there.has_payload())
        .with(ContactSignals::CLOSED, (there.flags.0 | back.flags.0) & FIN != 0 || resets)
        .with(ContactSignals::PROBE, probes)
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

/// The event of a UDP row. A late answer does not begin a contact, nor does an answer to a question that went to many hosts,
/// nor a datagram to the broadcast address of the source's own network. Datagrams that follow when both ends have sent some are
/// an exchange, unless their contact is still pending.
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
        (begins || is_answered).then(|| ContactEvent { begins, signals, ..plain(merged, way, interface) })
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
