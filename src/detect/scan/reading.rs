//! What a row says of contacts: who began one, and what was heard of it.

use std::net::IpAddr;

use super::contacts::Place;
use super::groups;
use super::sample::Seen;
use crate::account::conversation::{Address, ConversationKey, OneWay, Way};
use crate::account::interval::Row;
use crate::account::observer::MergedRow;
use crate::packet::{Protocol, TcpFlags, Timestamp};

/// The flags that tell the first packets of a connection, and its refusal, from all others.
const TELLING: u8 = TcpFlags::SYN.0 | TcpFlags::RST.0 | TcpFlags::ACK.0;
const OPENS_OR_REFUSES: u8 = TcpFlags::SYN.0 | TcpFlags::RST.0;
/// PSH and FIN: those of the later packets of a connection.
const SENDS_OR_ENDS: u8 = 0x08 | 0x01;

/// What was heard of a contact, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Signs(pub(super) u8);

impl Signs {
    /// The target answered.
    pub(super) const ANSWERED: Self = Self(1);
    /// The source went on, as only who was answered can.
    pub(super) const WENT_ON: Self = Self(2);
    /// The source's own stack knows nothing of the connection that it opened.
    pub(super) const BROKEN_OFF: Self = Self(4);
    /// The target, or somebody in its place, refused.
    pub(super) const REFUSED: Self = Self(8);
    /// Both sides exchange packets for longer than a cell.
    pub(super) const EXCHANGES: Self = Self(16);

    pub(super) const fn has(self, sign: Self) -> bool {
        self.0 & sign.0 != 0
    }

    pub(super) const fn with(self, sign: Self, is_there: bool) -> Self {
        if is_there { Self(self.0 | sign.0) } else { self }
    }
}

/// The subject of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// A contact of the source with the target.
    Contact,
    /// A question of the source to many hosts.
    Question,
    /// The packets of their conversation that were seen.
    Sight(Seen),
}

/// What a row says of one contact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) about: About,
    pub(super) source: IpAddr,
    pub(super) source_port: u16,
    pub(super) target: Place,
    pub(super) interface: u16,
    /// The source began the contact in this row.
    pub(super) begins: bool,
    /// The contact began in an earlier row, if it is one at all: who began it was heard first.
    pub(super) is_known: bool,
    pub(super) signs: Signs,
    /// The source's first packet, or where it sent none the first sign.
    pub(super) first: Timestamp,
    /// The source's last packet, or where it sent none the last sign.
    pub(super) last: Timestamp,
    /// When it was refused or broken off.
    pub(super) failed: Timestamp,
    pub(super) packets: u32,
    pub(super) bytes: u32,
}

/// The ways that are not in doubt: each that has packets acknowledges, none opens or refuses.
#[inline]
pub(super) fn is_established(ways: &[OneWay; 2]) -> bool {
    let [up, down] = ways;
    let acknowledges = |way: &OneWay| way.packets == 0 || way.flags.contains(TcpFlags::ACK);
    (up.flags.0 | down.flags.0) & OPENS_OR_REFUSES == 0 && acknowledges(up) && acknowledges(down)
}

/// What is said of the contact of who sends `way` with who receives it.
#[inline]
pub(super) fn word<A: Address>(merged: &MergedRow<'_, A>, way: Way, interface: u16) -> Word {
    let row = merged.row;
    let (source, target) = row.key.endpoints(way);
    let (there, back) = both(row, way);
    let (first, last) = if there.packets > 0 { (there.first, there.last) } else { (back.first, back.last) };
    Word {
        about: About::Contact,
        source: source.address.into(),
        source_port: source.port,
        target: Place { address: target.address.into(), protocol: row.key.protocol(), port: target.port },
        interface,
        begins: false,
        is_known: merged.is_known,
        signs: Signs::default(),
        first,
        last,
        failed: last,
        packets: there.packets,
        bytes: u32::try_from(there.bytes).unwrap_or(u32::MAX),
    }
}

#[inline]
fn both<A: Address>(row: &Row<A>, way: Way) -> (&OneWay, &OneWay) {
    (&row.ways[way as usize], &row.ways[way.reversed() as usize])
}

/// That a source goes on, and with `signs` what its target does, in a conversation that began before.
pub(super) fn of_known<A: Address>(merged: &MergedRow<'_, A>, interface: u16, signs: Signs) -> Word {
    Word { signs, ..word(merged, merged.request_way, interface) }
}

/// That an ICMP error refused a packet that went `way`.
pub(super) fn of_refusal<A: Address>(key: &ConversationKey<A>, way: Way, time: Timestamp, interface: u16) -> Word {
    let (source, target) = key.endpoints(way);
    Word {
        about: About::Contact,
        source: source.address.into(),
        source_port: source.port,
        target: Place { address: target.address.into(), protocol: key.protocol(), port: target.port },
        interface,
        begins: false,
        is_known: false,
        signs: Signs::REFUSED,
        first: time,
        last: time,
        failed: time,
        packets: 0,
        bytes: 0,
    }
}

/// What a TCP row that is not established says of its contacts.
pub(super) fn of_tcp<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> [Option<Word>; 2] {
    let begins = Way::BOTH.map(|way| begins_tcp(merged, way));
    Way::BOTH.map(|way| {
        let is_other_begun = begins[way.reversed() as usize] && !begins[way as usize];
        let (there, back) = both(merged.row, way);
        let signs = tcp_signs(there, back);
        let is_silent = is_other_begun || !begins[way as usize] && signs == Signs::default();
        if is_silent || merged.row.key.endpoints(way).1.port == 0 {
            return None;
        }
        let failed = if signs.has(Signs::BROKEN_OFF) {
            there.last
        } else if back.first_flags().contains(TcpFlags::RST) {
            back.first
        } else {
            back.last
        };
        Some(Word { begins: begins[way as usize], signs, failed, ..word(merged, way, interface) })
    })
}

/// Whether all that a TCP row says is that its opener begins a contact.
#[inline]
pub(super) fn is_bare_beginning<A: Address>(merged: &MergedRow<'_, A>) -> bool {
    let opener = merged.row.opener();
    let (there, back) = both(merged.row, opener);
    back.packets == 0 && there.flags.0 & (TcpFlags::ACK.0 | TcpFlags::RST.0) == 0 && begins_tcp(merged, opener)
}

/// True if a TCP row that opens shows one side alone, and that side goes on as if the other had answered: a client with an
/// ACK after its SYN, a server with data after its answer. (Servers repeat a bare answer towards invented clients.)
#[inline]
pub(super) fn goes_on_alone<A: Address>(merged: &MergedRow<'_, A>) -> bool {
    let (there, back) = both(merged.row, merged.row.opener());
    let is_client = !there.first_flags().contains(TcpFlags::ACK);
    let goes_on = is_client || there.flags.0 & SENDS_OR_ENDS != 0;
    back.packets == 0 && there.flags.0 & TELLING == TcpFlags::SYN.0 | TcpFlags::ACK.0 && goes_on
}

/// Whether who sends `way` begins a contact: with a SYN, or with a first packet that no connection begins with.
#[inline]
fn begins_tcp<A: Address>(merged: &MergedRow<'_, A>, way: Way) -> bool {
    let there = &merged.row.ways[way as usize];
    let is_odd = there.first_flags().0 & TELLING == 0 && !merged.is_known && merged.row.opener() == way;
    let is_syn = there.first_flags().contains(TcpFlags::SYN) && !there.first_flags().contains(TcpFlags::ACK);
    there.packets > 0 && (is_syn || is_odd)
}

#[inline]
fn tcp_signs(there: &OneWay, back: &OneWay) -> Signs {
    let (rst, ack) = (TcpFlags::RST, TcpFlags::ACK);
    // Where flags were not captured, that something came back is all there is.
    let is_answer = back.flags.contains(TcpFlags::SYN.union(ack)) || back.packets > 0 && back.flags.0 & TELLING == 0;
    let goes_on = there.flags.contains(ack);
    Signs::default()
        .with(Signs::ANSWERED, is_answer)
        .with(Signs::WENT_ON, goes_on)
        .with(Signs::BROKEN_OFF, there.flags.contains(rst) && !goes_on)
        .with(Signs::REFUSED, back.flags.contains(rst) && !is_answer)
}

/// The question to many hosts that a UDP row is, if it is one.
#[inline]
pub(super) fn of_question<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> Option<Word> {
    let way = merged.row.opener();
    let (source, target) = merged.row.key.endpoints(way);
    if !groups::may_ask_many(source.address.into(), target.address.into()) {
        return None;
    }
    Some(Word { about: About::Question, ..word(merged, way, interface) })
}

/// The contact that a UDP row tells of. A late answer does not begin one, nor does an answer to a question that went to many
/// hosts, nor a datagram to the broadcast address of the source's own network.
pub(super) fn of_udp<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> Option<Word> {
    let way = merged.request_way;
    let (there, back) = both(merged.row, way);
    let word = word(merged, way, interface);
    let opens = !merged.is_known && merged.row.opener() == way && there.packets > 0;
    let begins = opens
        && !groups::is_discovery_answer(word.source_port, word.target.port)
        && !groups::is_own_broadcast(word.source, word.target.address);
    let signs = Signs::default().with(Signs::ANSWERED, back.packets > 0);
    (word.target.port != 0).then_some(Word { begins, signs, ..word })
}

/// What an ICMP row says of the contacts between its hosts: echo requests begin them, anything of an echo answers.
pub(super) fn of_icmp<A: Address>(merged: &MergedRow<'_, A>, interface: u16) -> [Option<Word>; 2] {
    let (request, reply) = echo(merged.row.key.protocol());
    Way::BOTH.map(|way| {
        let (there, back) = both(merged.row, way);
        let (source, target) = merged.row.key.endpoints(way);
        let begins = there.packets > 0
            && there.icmp_type() == Some(request)
            && !groups::is_own_broadcast(source.address.into(), target.address.into());
        let is_answered =
            back.packets > 0 && back.icmp_type().is_some_and(|kind| kind == reply || begins && kind == request);
        let signs = Signs::default().with(Signs::ANSWERED, is_answered);
        (begins || is_answered).then(|| Word { begins, signs, ..word(merged, way, interface) })
    })
}

/// The types of echo request and reply (RFC 792, RFC 4443).
fn echo(protocol: Protocol) -> (u8, u8) {
    if protocol == Protocol::ICMPV6 { (128, 129) } else { (8, 0) }
}
