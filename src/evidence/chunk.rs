//! Chunks of packets: filled by a capture thread, then frozen.
//!
//! Takes captured bytes with their addresses; gives chunks with an index of addresses, so that the packets of one host are
//! found without reading all. Must not know what the packets are kept for.

use std::net::IpAddr;
use std::sync::Arc;

use super::EvidenceSender;
use super::buffers::{BUFFER_BYTES, BufferReturn, Buffers};
use crate::packet::{Addresses, LinkType, Timestamp};
use crate::tables::bloom::BloomFilter;

/// Addresses for which the index of a full chunk is made.
const CHUNK_ADDRESSES: usize = 16_384;
/// The header of a record: time (nanoseconds), captured bytes, bytes on the wire.
const HEADER: usize = 16;

/// The interface that the packets of a chunk came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketSource {
    /// Its name.
    pub interface: String,
    /// The link type of its frames.
    pub link_type: LinkType,
    /// The snap length of the capture, in bytes.
    pub snap_length: u32,
}

/// A packet of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedPacket<'a> {
    /// Time of capture.
    pub time: Timestamp,
    /// The bytes that were kept.
    pub bytes: &'a [u8],
    /// The length on the wire, in bytes.
    pub wire_bytes: u32,
}

/// Packets of one interface, in the order of capture.
#[derive(Debug)]
pub struct Chunk {
    source: Arc<PacketSource>,
    records: Vec<u8>,
    packets: u32,
    first: Timestamp,
    last: Timestamp,
    addresses: BloomFilter,
    buffer_return: BufferReturn,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.buffer_return.give_back(std::mem::take(&mut self.records));
    }
}

impl Chunk {
    fn new(source: Arc<PacketSource>, buffers: &Buffers) -> Self {
        let mut addresses = BloomFilter::new();
        addresses.clear_for(CHUNK_ADDRESSES);
        Self {
            source,
            records: buffers.take(),
            packets: 0,
            first: Timestamp::AFTER_ALL,
            last: Timestamp::BEFORE_ALL,
            addresses,
            buffer_return: buffers.returner(),
        }
    }

    /// The interface that the packets came from.
    pub const fn source(&self) -> &Arc<PacketSource> {
        &self.source
    }

    /// Number of packets.
    pub const fn packets(&self) -> u32 {
        self.packets
    }

    /// The earliest time of a packet.
    pub const fn first(&self) -> Timestamp {
        self.first
    }

    /// The latest time of a packet.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// True if a packet from or to `address` may be in it.
    pub fn may_hold(&self, address: IpAddr) -> bool {
        self.addresses.may_contain(hash(address))
    }

    /// The packets, in the order of capture.
    pub fn iter(&self) -> impl Iterator<Item = RecordedPacket<'_>> {
        let mut rest = self.records.as_slice();
        std::iter::from_fn(move || {
            let (header, tail) = rest.split_first_chunk::<HEADER>()?;
            let [time @ .., a, b, c, d, e, f, g, h] = *header;
            let captured = u32::from_le_bytes([a, b, c, d]) as usize;
            let (bytes, tail) = tail.split_at_checked(captured)?;
            rest = tail;
            let time = Timestamp::from_nanoseconds(i64::from_le_bytes(time));
            Some(RecordedPacket { time, bytes, wire_bytes: u32::from_le_bytes([e, f, g, h]) })
        })
    }

    /// The memory that it takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.records.capacity() + self.addresses.memory_bytes()
    }

    fn has_space_for(&self, captured: usize) -> bool {
        self.records.len() + HEADER + captured <= BUFFER_BYTES
    }

    #[inline]
    fn add(&mut self, packet: RecordedPacket<'_>) {
        let RecordedPacket { time, bytes, wire_bytes } = packet;
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&time.nanoseconds().to_le_bytes());
        header[8..12].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        header[12..].copy_from_slice(&wire_bytes.to_le_bytes());
        self.records.extend_from_slice(&header);
        self.records.extend_from_slice(bytes);
        self.packets += 1;
        (self.first, self.last) = (self.first.min(time), self.last.max(time));
    }

    /// The packets so far, while this chunk is emptied. A chunk that is nearly full is handed over with its memory; of one
    /// with few packets they are copied into memory that fits.
    fn frozen(&mut self, buffers: &Buffers) -> Self {
        let records = if self.records.len() > BUFFER_BYTES / 2 {
            std::mem::replace(&mut self.records, buffers.take())
        } else {
            let records = self.records.as_slice().into();
            self.records.clear();
            records
        };
        let frozen = Self {
            source: Arc::clone(&self.source),
            records,
            packets: self.packets,
            first: self.first,
            last: self.last,
            addresses: self.addresses.folded_for(2 * self.packets as usize),
            buffer_return: self.buffer_return.clone(),
        };
        self.addresses.clear();
        (self.packets, self.first, self.last) = (0, Timestamp::AFTER_ALL, Timestamp::BEFORE_ALL);
        frozen
    }
}

/// Records the packets of one capture thread.
#[derive(Debug)]
pub struct PacketRecorder {
    packet_bytes: usize,
    buffers: Buffers,
    chunk: Chunk,
    sender: EvidenceSender,
}

impl PacketRecorder {
    /// A recorder that keeps `packet_bytes` of each packet at most.
    pub(super) fn new(source: PacketSource, packet_bytes: u32, sender: EvidenceSender) -> Self {
        let buffers = Buffers::new();
        let chunk = Chunk::new(Arc::new(source), &buffers);
        Self { packet_bytes: packet_bytes as usize, buffers, chunk, sender }
    }

    /// Records a packet with its addresses.
    #[inline]
    pub fn record(&mut self, packet: RecordedPacket<'_>, addresses: &Addresses) {
        match *addresses {
            Addresses::V4 { source, destination } => {
                self.note(source.into());
                self.note(destination.into());
            }
            Addresses::V6 { source, destination } => {
                self.note(source.into());
                self.note(destination.into());
            }
        }
        self.record_other(packet);
    }

    /// Notes that the next packet is from, to or about an address.
    #[inline]
    pub fn note(&mut self, address: IpAddr) {
        self.chunk.addresses.insert(hash(address));
    }

    /// Records a packet without addresses, or with those that were noted.
    #[inline]
    pub fn record_other(&mut self, packet: RecordedPacket<'_>) {
        let kept = packet.bytes.len().min(self.packet_bytes);
        let packet = RecordedPacket { bytes: &packet.bytes[..kept], ..packet };
        self.chunk.add(packet);
        if !self.chunk.has_space_for(self.packet_bytes) {
            self.hand_over();
        }
    }

    /// Hands over the packets so far.
    pub fn hand_over(&mut self) {
        if self.chunk.packets > 0 {
            let chunk = self.chunk.frozen(&self.buffers);
            self.sender.send_packets(chunk);
        }
    }
}

/// The place of an address in the index (Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4). It needs no
/// secret: colliding addresses only cost the reading of a chunk.
#[inline]
const fn hash(address: IpAddr) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let bits = match address {
        IpAddr::V4(address) => address.to_bits() as u64,
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (bits >> 64) as u64 ^ (bits as u64).rotate_left(32).wrapping_mul(GOLDEN)
        }
    };
    // The filter takes its bits from the middle.
    bits.wrapping_mul(GOLDEN).rotate_right(32)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::super::{Message, Waiting};
    use super::*;

    fn recorder(packet_bytes: u32) -> (PacketRecorder, Receiver<Message>) {
        let (sender, messages) = channel();
        let source = PacketSource { interface: "eth0".into(), link_type: LinkType(1), snap_length: 262_144 };
        (PacketRecorder::new(source, packet_bytes, EvidenceSender::new(sender, Arc::<Waiting>::default())), messages)
    }

    fn chunks(messages: &Receiver<Message>) -> Vec<Chunk> {
        messages
            .try_iter()
            .map(|message| if let Message::Packets(chunk) = message { chunk } else { panic!() })
            .collect()
    }

    fn between(source: u32, destination: u32) -> Addresses {
        Addresses::V4 { source: source.into(), destination: destination.into() }
    }

    fn packet(seconds: i64, bytes: &[u8]) -> RecordedPacket<'_> {
        RecordedPacket { time: Timestamp::from_nanoseconds(seconds * 1_000_000_000), bytes, wire_bytes: 1_500 }
    }

    #[test]
    fn packets_come_back_as_they_were_up_to_the_kept_bytes() {
        let (mut recorder, messages) = recorder(4);
        recorder.record(packet(2, &[1, 2, 3, 4, 5]), &between(1, 2));
        recorder.record(packet(1, &[6]), &between(2, 1));
        recorder.record_other(packet(3, &[]));
        recorder.hand_over();
        recorder.hand_over();
        let chunks = chunks(&messages);
        let [chunk] = chunks.as_slice() else { panic!("{chunks:?}") };
        assert_eq!(chunk.iter().collect::<Vec<_>>(), [packet(2, &[1, 2, 3, 4]), packet(1, &[6]), packet(3, &[])]);
        assert_eq!((chunk.packets(), chunk.first(), chunk.last()), (3, packet(1, &[]).time, packet(3, &[]).time));
        assert!(chunk.memory_bytes() < 1_000, "{} bytes", chunk.memory_bytes());
    }

    #[test]
    fn index_knows_every_address_and_few_others() {
        let (mut recorder, messages) = recorder(64);
        for number in 0..5_000 {
            recorder.record(packet(1, &[0; 64]), &between(number, 1_000_000 + number));
        }
        recorder.hand_over();
        let chunks = chunks(&messages);
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let [chunk] = chunks.as_slice() else { panic!("{} chunks", chunks.len()) };
        assert!(
            (0..5_000).all(|number| chunk.may_hold(address(number)) && chunk.may_hold(address(1_000_000 + number)))
        );
        let others = (2_000_000..2_010_000).filter(|number| chunk.may_hold(address(*number))).count();
        assert!(others < 2_000, "{others} of 10,000 others");
    }

    #[test]
    fn full_chunk_is_handed_over_at_once() {
        let (mut recorder, messages) = recorder(1_000);
        let sent = 3_000;
        (0..sent).for_each(|number| recorder.record(packet(number, &[7; 1_000]), &between(1, 2)));
        let full = chunks(&messages);
        assert_eq!(full.len(), 2);
        assert!(full.iter().all(|chunk| chunk.memory_bytes() <= BUFFER_BYTES + 40_000));
        recorder.hand_over();
        let packets: i64 = full.iter().chain(&chunks(&messages)).map(|chunk| i64::from(chunk.packets())).sum();
        assert_eq!(packets, sent);
    }
}
