//! Selects the packets of a chunk that concern subjects.
//!
//! Takes chunks and subjects; gives the positions of packets. Must not know files.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::{Chunk, RecordedPacket};
use crate::decode::Decoder;
use crate::detect::Subject;
use crate::packet::{Frame, Packet, Protocol, Timestamp};

/// A network of at most so many addresses is looked for address by address in the index of a chunk.
const MOST_ASKED: usize = 256;
/// Conversations of a chunk that are remembered until an answer is found.
const MOST_CONVERSATIONS: usize = 1_024;
/// Answered conversations of a chunk that are offered.
const MOST_WITNESSES: usize = 4;

/// The decoder for the frames of a chunk. Frames of link types that are not read are not IP.
pub(super) fn decoder(chunk: &Chunk) -> Decoder {
    let link_type = chunk.source().link_type;
    Decoder::new(link_type).unwrap_or_else(|unsupported| unsupported.decoder())
}

/// True if a packet of the chunk may concern the subject.
pub(super) fn may_concern(subject: &Subject, chunk: &Chunk) -> bool {
    match *subject {
        Subject::Source(address) | Subject::Destination(address) => chunk.may_hold(address),
        Subject::Pair { source, destination } => chunk.may_hold(source) && chunk.may_hold(destination),
        Subject::Network(network) => {
            // `hosts` leaves out the first and the last address, which may be hosts all the same.
            let ends = [network.network(), network.broadcast()];
            let mut addresses = ends.into_iter().chain(network.hosts()).take(MOST_ASKED + 1).enumerate();
            addresses.any(|(number, address)| number == MOST_ASKED || chunk.may_hold(address))
        }
    }
}

/// Subjects by address, so that a packet is compared with few.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    by_address: HashMap<IpAddr, Vec<(usize, Option<IpAddr>)>>,
    networks: Vec<(usize, ipnet::IpNet)>,
}

impl Subjects {
    /// The subjects, which are known by their positions from now on.
    pub(super) fn of<'a>(subjects: impl IntoIterator<Item = &'a Subject>) -> Self {
        let mut all = Self::default();
        for (position, subject) in subjects.into_iter().enumerate() {
            match *subject {
                Subject::Source(address) | Subject::Destination(address) => all.put(address, (position, None)),
                Subject::Pair { source, destination } => {
                    all.put(source, (position, Some(destination)));
                    if source != destination {
                        all.put(destination, (position, Some(source)));
                    }
                }
                Subject::Network(network) => all.networks.push((position, network)),
            }
        }
        all
    }

    fn put(&mut self, address: IpAddr, entry: (usize, Option<IpAddr>)) {
        self.by_address.entry(address).or_default().push(entry);
    }

    /// Calls `take` with the position of each subject that traffic between two addresses concerns, once each.
    pub(super) fn concerned(&self, ends: [IpAddr; 2], mut take: impl FnMut(usize)) {
        let [one, other] = ends;
        // A subject that is on both ends is found at the first.
        for (end, peer, is_first) in [(one, other, true), (other, one, false)] {
            let entries = self.by_address.get(&end).map_or(&[][..], Vec::as_slice);
            for (position, expected) in entries {
                let is_new = is_first || (one != other && expected.is_none());
                if is_new && expected.is_none_or(|expected| expected == peer) {
                    take(*position);
                }
            }
        }
        for (position, network) in &self.networks {
            if network.contains(&one) || network.contains(&other) {
                take(*position);
            }
        }
    }
}

/// Two packets of an answered conversation. An interface that shows one is not taken for one that hides answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    pub(super) ends: [IpAddr; 2],
    /// A packet and its answer.
    pub(super) packets: [SelectedPacket; 2],
    /// The time of the answer.
    pub(super) time: Timestamp,
}

/// The selected packets of a chunk.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// For each subject its packets, by position in the chunk.
    pub(super) packets: Vec<Vec<SelectedPacket>>,
    /// Empty unless they were asked for.
    pub(super) witnesses: Vec<Witness>,
}

/// A packet by position in its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SelectedPacket {
    pub(super) position: u32,
    pub(super) time: Timestamp,
    /// Kept bytes.
    pub(super) captured: u32,
}

/// Selects the packets that concern each of `count` subjects.
pub(super) fn select(chunk: &Chunk, subjects: &Subjects, count: usize, with_witnesses: bool) -> Selected {
    let decoder = decoder(chunk);
    let mut selected = Selected { packets: vec![Vec::new(); count], witnesses: Vec::new() };
    let mut conversations = UnansweredConversations::default();
    for (position, recorded) in (0..).zip(chunk.iter()) {
        let Some((ends, packet)) = ends(&decoder, &recorded) else { continue };
        let found = SelectedPacket { position, time: recorded.time, captured: recorded.bytes.len() as u32 };
        subjects.concerned(ends, |subject| selected.packets[subject].push(found));
        if with_witnesses
            && selected.witnesses.len() < MOST_WITNESSES
            && let Some(first) = packet.and_then(|packet| conversations.answered(found, &packet))
        {
            selected.witnesses.push(Witness { ends, packets: [first, found], time: recorded.time });
        }
    }
    selected
}

/// The addresses that a packet is between: those of its outermost IP header, or asker and target of address resolution.
pub(super) fn ends(decoder: &Decoder, recorded: &RecordedPacket<'_>) -> Option<([IpAddr; 2], Option<Packet>)> {
    let frame = Frame::new(recorded.time, recorded.bytes, recorded.wire_bytes);
    let between = |resolution: crate::packet::Resolution| [resolution.asker, resolution.target];
    match decoder.decode(&frame) {
        Ok(packet) => {
            let neighbor = packet.icmp_type.and_then(|kind| decoder.neighbor_resolution(&frame, packet.protocol, kind));
            let of_packet = [packet.addresses.source(), packet.addresses.destination()];
            Some((neighbor.map_or(of_packet, between), Some(packet)))
        }
        Err(reason) => decoder.arp_resolution(&frame, reason).map(|resolution| (between(resolution), None)),
    }
}

/// The first packet of each conversation, until it is answered.
#[derive(Debug, Default)]
struct UnansweredConversations(HashMap<(SocketAddr, SocketAddr, Protocol), Option<SelectedPacket>>);

impl UnansweredConversations {
    /// The first packet if this one answers it, once for each conversation.
    fn answered(&mut self, found: SelectedPacket, packet: &Packet) -> Option<SelectedPacket> {
        if !matches!(packet.protocol, Protocol::TCP | Protocol::UDP) || packet.source_port == 0 {
            return None;
        }
        let source = SocketAddr::new(packet.addresses.source(), packet.source_port);
        let destination = SocketAddr::new(packet.addresses.destination(), packet.destination_port);
        if let Some(first) = self.0.get_mut(&(destination, source, packet.protocol)) {
            return first.take();
        }
        if self.0.len() < MOST_CONVERSATIONS {
            self.0.entry((source, destination, packet.protocol)).or_insert(Some(found));
        }
        None
    }
}
