//! TCP rows → contact events: beginnings, probes, answers, data and ends of connections.
//!
//! Takes one row; gives its kind and its events. Must not know any state.

use super::events::{ContactEvent, ContactSignals, both, plain};
use crate::account::conversation::{Address, OneWay, Way};
use crate::account::observer::MergedRow;
use crate::packet::{Protocol, TcpFlags};

/// The flags that tell the first packets of a connection, and its refusal, from all others.
const CONTROL: u8 = TcpFlags::SYN.0 | TcpFlags::RST.0 | TcpFlags::ACK.0;
const OPENS_OR_REFUSES: u8 = TcpFlags::SYN.0 | TcpFlags::RST.0;
const FIN: u8 = 0x01;
/// The flags of a probe.
const BARE_ACK: u8 = TcpFlags::ACK.0;
const FIN_ACK: u8 = FIN | TcpFlags::ACK.0;
/// PSH and FIN: flags of the later packets of a connection.
const SENDS_OR_ENDS: u8 = 0x08 | FIN;

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

/// True if a TCP row that opens or resets shows one side alone, and that side continues as if the other had answered: a
/// client with an ACK after its SYN, either side with data or its end. (Servers repeat a bare answer towards invented
/// clients, and a client that was scanned resets.)
#[inline]
pub(super) fn continues_alone<A: Address>(merged: &MergedRow<'_, A>) -> bool {
    let (there, back) = both(merged.row, merged.row.opener());
    let is_client = !there.first_flags().contains(TcpFlags::ACK) && there.flags.0 & OPENS_OR_REFUSES == TcpFlags::SYN.0;
    let continues = is_client || there.flags.0 & SENDS_OR_ENDS != 0;
    back.packets == 0 && there.flags.contains(TcpFlags::ACK) && continues
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
