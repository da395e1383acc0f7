//! The keys and values of the maps, as the kernel and user space share them. Takes nothing; gives `#[repr(C)]` types
//! without padding. Must not know either side: both include this file.

/// The interval that user space reads alternates with the one that the kernel fills.
pub const GENERATIONS: usize = 2;

/// IP version 4, as a value of [`OverflowKey::version`].
pub const VERSION_4: u8 = 0;
/// IP version 6, as a value of [`OverflowKey::version`].
pub const VERSION_6: u8 = 1;

/// Entries of the table of interfaces. An interface has the entry of its number's last bits.
pub const INTERFACE_ENTRIES: u32 = 4_096;

/// An interface that is captured, and its slot: the number that it has here. Slots are few and begin with 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InterfaceSlot {
    /// The kernel's number of the interface; 0 if the entry is free.
    pub interface: u32,
    /// The slot.
    pub slot: u32,
}

/// The position in the totals of a slot's generation.
#[inline(always)]
pub const fn totals_position(slot: u32, generation: u32) -> u32 {
    slot * GENERATIONS as u32 + generation
}

/// The key of an IPv4 conversation: the lower end first. 16 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key4 {
    /// Address of the lower end.
    pub low: u32,
    /// Address of the higher end.
    pub high: u32,
    /// Port of the lower end, 0 if it has none.
    pub low_port: u16,
    /// Port of the higher end, 0 if it has none.
    pub high_port: u16,
    /// The slot of the interface.
    pub slot: u16,
    /// The protocol above IP.
    pub protocol: u8,
    /// Zero.
    pub unused: u8,
}

/// The key of an IPv6 conversation: the lower end first. 40 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key6 {
    /// Address of the lower end, most significant word first.
    pub low: [u32; 4],
    /// Address of the higher end, most significant word first.
    pub high: [u32; 4],
    /// Port of the lower end, 0 if it has none.
    pub low_port: u16,
    /// Port of the higher end, 0 if it has none.
    pub high_port: u16,
    /// The slot of the interface.
    pub slot: u16,
    /// The protocol above IP.
    pub protocol: u8,
    /// Zero.
    pub unused: u8,
}

/// A bit of [`Counted::marks`]: `first_control` is an ICMP type.
pub const HAS_ICMP_TYPE: u8 = 1;
/// A bit of [`Counted::marks`]: a packet was TCP with data.
pub const HAS_PAYLOAD: u8 = 2;

/// The source has not been looked up: there was no policy when its packets came.
pub const UNKNOWN: u8 = 0;
/// The source is permitted; also a value of the policy tries.
pub const PERMITTED: u8 = 1;
/// The source is not permitted; also a value of the policy tries.
pub const NOT_PERMITTED: u8 = 2;

/// The unit of [`Counted::last`] in nanoseconds, as a power of two.
pub const LAST_SHIFT: u32 = 10;

/// The counters of one direction of a conversation on one processor. 32 bytes: both directions fill a cache line.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// IP bytes.
    pub bytes: u64,
    /// Time of the first packet, in nanoseconds of the monotonic clock.
    pub first: u64,
    /// Time of the last packet after that of the first, in units of 1,024 nanoseconds; at most 73 minutes.
    pub last: u32,
    /// Packets as the network stack has them.
    pub packets: u32,
    /// Packets on the wire.
    pub segments: u32,
    /// The first packet's TCP flags, or its ICMP type.
    pub first_control: u8,
    /// The union of all TCP flags.
    pub flags: u8,
    /// [`HAS_ICMP_TYPE`] and [`HAS_PAYLOAD`].
    pub marks: u8,
    /// The verdict on the source: [`UNKNOWN`], [`PERMITTED`] or [`NOT_PERMITTED`].
    pub verdict: u8,
}

/// Both directions of a conversation: from the lower end to the higher one first.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conversation {
    /// The directions.
    pub ways: [Counted; 2],
}

/// Packets and bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Packets.
    pub packets: u64,
    /// IP bytes.
    pub bytes: u64,
}

/// The key of the counters of packets without a conversation. 8 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverflowKey {
    /// The kernel's number of the interface.
    pub interface: u32,
    /// 0 or 1.
    pub generation: u8,
    /// 0 incoming, 1 outgoing, 2 local, 3 transit.
    pub direction: u8,
    /// The protocol above IP, or [`ANY_PROTOCOL`].
    pub protocol: u8,
    /// [`VERSION_4`] or [`VERSION_6`].
    pub version: u8,
}

/// The protocol of packets whose own counters found no space.
pub const ANY_PROTOCOL: u8 = 255;

/// Packets without a conversation, on one processor.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overflow {
    /// Packets and bytes.
    pub sum: Sum,
    /// Packets on the wire.
    pub segments: u64,
}

/// The reasons why a frame is not IP that the kernel tells apart, as positions in [`Totals::not_ip`].
pub mod not_ip {
    /// The frame ends inside a link header.
    pub const TRUNCATED_LINK: usize = 0;
    /// The frame ends inside its IP header.
    pub const TRUNCATED_IP: usize = 1;
    /// An IP header with a wrong version, header length or total length.
    pub const MALFORMED_IP: usize = 2;
    /// ARP or RARP.
    pub const ARP: usize = 3;
    /// PPPoE discovery.
    pub const PPPOE_DISCOVERY: usize = 4;
    /// Another EtherType.
    pub const ETHER_TYPE: usize = 5;
    /// A frame that user space should have read, but the ring was full.
    pub const UNREAD: usize = 6;
    /// Number of reasons.
    pub const COUNT: usize = 7;
}

/// The totals of an interface on one processor.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Frames that the kernel counted, IP or not.
    pub frames: u64,
    /// Their bytes on the wire, link headers included.
    pub frame_bytes: u64,
    /// Frames that are not IP, by [`not_ip`].
    pub not_ip: [u64; not_ip::COUNT],
    /// IP packets by verdict: permitted, not permitted.
    pub verdicts: [Sum; 2],
    /// IP packets that were dropped.
    pub dropped: Sum,
    /// Violations that were written to the ring.
    pub events: u64,
    /// Violations without an event, because their source had too many.
    pub suppressed: u64,
    /// Violations without an event, because the ring was full.
    pub events_lost: u64,
    /// Messages that found no space in the ring.
    pub messages_lost: u64,
}

/// A flag of [`Settings::flags`]: sources are judged.
pub const JUDGES: u32 = 1;
/// A flag of [`Settings::flags`]: packets that are not permitted are dropped, if the hook can drop.
pub const DROPS: u32 = 2;

/// The settings that the program reads for each packet.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// The generation that is being filled, 0 or 1.
    pub generation: u32,
    /// [`JUDGES`] and [`DROPS`].
    pub flags: u32,
    /// Nanoseconds in which a source earns an event.
    pub event_interval: u64,
    /// The most events at once, as nanoseconds of earning.
    pub event_burst: u64,
}

/// The token bucket of a source. Two processors may write it at the same time; then an event more or less is written.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// The moment at which the bucket is full, in nanoseconds of the monotonic clock.
    pub full_at: u64,
    /// Packets without an event since the last event.
    pub suppressed: u64,
}

/// The most bytes of a frame in a [`Message`].
pub const MESSAGE_BYTES: usize = 256;

/// The kind of a [`Message`]: the kernel has counted the frame.
pub const COUNTED: u32 = 0;
/// The kind of a [`Message`]: user space has to read and count the frame.
pub const UNCOUNTED: u32 = 1;

/// The beginning of a frame.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// Nanoseconds of the monotonic clock.
    pub time: u64,
    /// The kernel's number of the interface.
    pub interface: u32,
    /// [`COUNTED`] or [`UNCOUNTED`].
    pub kind: u32,
    /// Bytes of the whole frame, without a tag that the network card took off.
    pub length: u32,
    /// Bytes on the wire.
    pub wire_bytes: u32,
    /// Packets on the wire, if the hook tells them.
    pub segments: u32,
    /// Zero.
    pub unused: u32,
    /// The first bytes, [`MESSAGE_BYTES`] or all of the frame.
    pub bytes: [u8; MESSAGE_BYTES],
}

/// A packet whose source is not permitted.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Nanoseconds of the monotonic clock.
    pub time: u64,
    /// Packets of this source without an event since its last event.
    pub suppressed: u64,
    /// The kernel's number of the interface.
    pub interface: u32,
    /// IP bytes.
    pub bytes: u32,
    /// Source address, most significant word first; an IPv4 address is the last word.
    pub source: [u32; 4],
    /// Destination address likewise.
    pub destination: [u32; 4],
    /// Source port, 0 if there is none.
    pub source_port: u16,
    /// Destination port, 0 if there is none.
    pub destination_port: u16,
    /// The protocol above IP.
    pub protocol: u8,
    /// [`VERSION_4`] or [`VERSION_6`].
    pub version: u8,
    /// TCP flags.
    pub flags: u8,
    /// 1 if the packet was dropped.
    pub is_dropped: u8,
}
