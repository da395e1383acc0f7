//! The packet: what the program keeps of an IP packet, and its conversation. Takes addresses and ports; gives keys in
//! canonical order. Must not know link headers.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use aya_ebpf::maps::{PerCpuArray, PerCpuHashMap};

use crate::layout::{
    Conversation, Counted, HAS_ICMP_TYPE, HAS_PAYLOAD, Key4, Key6, Sum, UNKNOWN, VERSION_4, VERSION_6,
};
use crate::maps::{V4_EVEN, V4_ODD, V6_EVEN, V6_ODD, WORK_V4, WORK_V6};

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// The part of the transport header that counts.
#[derive(Clone, Copy)]
pub struct Transport {
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    pub flags: u8,
    pub has_payload: bool,
    pub icmp_type: Option<u8>,
}

#[derive(Clone, Copy)]
pub struct Packet<A> {
    pub source: A,
    pub destination: A,
    pub transport: Transport,
    pub bytes: u32,
    pub segments: u32,
    pub interface: u32,
}

/// A packet and its conversation, in memory of the processor: the stack has 512 bytes.
#[derive(Clone, Copy)]
pub struct Workspace<A: Version> {
    packet: Packet<A>,
    key: A::Key,
}

/// An IP version: its addresses and maps.
pub trait Version: Copy + 'static {
    type Key: Copy + 'static;
    const NUMBER: u8;

    /// The memory of this processor.
    fn workspaces() -> &'static PerCpuArray<Workspace<Self>>;

    /// The conversation, and true if the packet goes from the lower end to the higher one.
    fn key(packet: &Packet<Self>) -> (Self::Key, bool);

    /// The conversations of a generation.
    fn conversations(generation: u32) -> &'static PerCpuHashMap<Self::Key, Conversation>;

    /// The address as four words.
    fn words(self) -> [u32; 4];
}

impl Version for u32 {
    type Key = Key4;
    const NUMBER: u8 = VERSION_4;

    #[inline(always)]
    fn workspaces() -> &'static PerCpuArray<Workspace<Self>> {
        &WORK_V4
    }

    #[inline(always)]
    fn key(packet: &Packet<Self>) -> (Key4, bool) {
        let Transport { protocol, source_port, destination_port, .. } = packet.transport;
        let word = |address: u32, port: u16| u64::from(address) << 16 | u64::from(port);
        let forward = word(packet.source, source_port) <= word(packet.destination, destination_port);
        let (low, high, low_port, high_port) = if forward {
            (packet.source, packet.destination, source_port, destination_port)
        } else {
            (packet.destination, packet.source, destination_port, source_port)
        };
        let interface = packet.interface;
        (Key4 { low, high, low_port, high_port, interface, protocol, unused: [0; 3] }, forward)
    }

    #[inline(always)]
    fn conversations(generation: u32) -> &'static PerCpuHashMap<Key4, Conversation> {
        if generation == 0 { &V4_EVEN } else { &V4_ODD }
    }

    #[inline(always)]
    fn words(self) -> [u32; 4] {
        [0, 0, 0, self]
    }
}

impl Version for [u32; 4] {
    type Key = Key6;
    const NUMBER: u8 = VERSION_6;

    #[inline(always)]
    fn workspaces() -> &'static PerCpuArray<Workspace<Self>> {
        &WORK_V6
    }

    #[inline(always)]
    fn key(packet: &Packet<Self>) -> (Key6, bool) {
        let Transport { protocol, source_port, destination_port, .. } = packet.transport;
        let forward = is_in_order(&packet.source, &packet.destination, source_port <= destination_port);
        let (low, high, low_port, high_port) = if forward {
            (packet.source, packet.destination, source_port, destination_port)
        } else {
            (packet.destination, packet.source, destination_port, source_port)
        };
        let interface = packet.interface;
        (Key6 { low, high, low_port, high_port, interface, protocol, unused: [0; 3] }, forward)
    }

    #[inline(always)]
    fn conversations(generation: u32) -> &'static PerCpuHashMap<Key6, Conversation> {
        if generation == 0 { &V6_EVEN } else { &V6_ODD }
    }

    #[inline(always)]
    fn words(self) -> [u32; 4] {
        self
    }
}

/// True if the first address is lower; for equal ones, `otherwise`.
#[inline(always)]
fn is_in_order(first: &[u32; 4], second: &[u32; 4], otherwise: bool) -> bool {
    let half = |address: &[u32; 4], at: usize| u64::from(address[at]) << 32 | u64::from(address[at + 1]);
    let (high, other_high) = (half(first, 0), half(second, 0));
    let (low, other_low) = (half(first, 2), half(second, 2));
    if high != other_high {
        high < other_high
    } else if low != other_low {
        low < other_low
    } else {
        otherwise
    }
}

/// Puts a packet into the memory of this processor; false if there is none.
#[inline(always)]
pub fn place<A: Version>(packet: Packet<A>) -> bool {
    let Some(workspace) = A::workspaces().get_ptr_mut(0) else { return false };
    // SAFETY: the memory is this processor's own, and no other program runs on it until this one has ended.
    unsafe { (&raw mut (*workspace).packet).write(packet) };
    true
}

/// The memory of this processor: the packet that was placed last, and space for the key of its conversation.
#[inline(always)]
pub fn placed<A: Version>() -> Option<(&'static Packet<A>, *mut A::Key)> {
    let workspace = A::workspaces().get_ptr_mut(0)?;
    // SAFETY: as in `place`; packet and key are apart.
    unsafe { Some((&(*workspace).packet, &raw mut (*workspace).key)) }
}

/// A verdict, and the packets that it was now found for.
pub struct Judged {
    pub verdict: u8,
    pub packets: Sum,
}

impl<A: Copy> Packet<A> {
    /// The packet alone.
    #[inline(always)]
    pub fn alone(&self) -> Sum {
        Sum { packets: 1, bytes: u64::from(self.bytes) }
    }
}

/// Counts a packet in its conversation, and judges its source if that has no verdict here. A first verdict is about the
/// earlier packets too, which came before there was a policy. Gives none if there is no space for the conversation.
#[inline(always)]
pub fn add<A: Version>(
    packet: &Packet<A>,
    space: *mut A::Key,
    generation: u32,
    judge: impl Fn() -> u8,
) -> Option<Judged> {
    let (key, forward) = A::key(packet);
    // SAFETY: as in `place`; nothing else refers to the key.
    let key = unsafe {
        space.write(key);
        &*space
    };
    let way = if forward { 0 } else { 1 };
    let conversations = A::conversations(generation);
    let conversation = match conversations.get_ptr_mut(key) {
        Some(conversation) => conversation,
        None => {
            // Fails if another processor has made the entry meanwhile.
            let _ = conversations.insert(key, &BLANK, u64::from(BPF_NOEXIST));
            conversations.get_ptr_mut(key)?
        }
    };
    // SAFETY: user space empties a generation only when no program uses it, and each processor has its own value.
    let counted = unsafe { &mut (*conversation).ways[way] };
    Some(count(counted, packet, judge))
}

/// In memory of the program: the stack has 512 bytes.
static BLANK: Conversation = Conversation { ways: [NOTHING; 2] };

const NOTHING: Counted = Counted {
    bytes: 0,
    first: 0,
    last: 0,
    packets: 0,
    segments: 0,
    first_control: 0,
    flags: 0,
    marks: 0,
    verdict: UNKNOWN,
    unused: 0,
};

#[inline(always)]
fn count<A: Version>(counted: &mut Counted, packet: &Packet<A>, judge: impl Fn() -> u8) -> Judged {
    let Transport { flags, has_payload, icmp_type, .. } = packet.transport;
    if counted.packets == 0 {
        // SAFETY: the helper has no conditions.
        counted.first = unsafe { bpf_ktime_get_ns() };
        counted.last = counted.first;
        counted.first_control = icmp_type.unwrap_or(flags);
        counted.marks = if icmp_type.is_some() { HAS_ICMP_TYPE } else { 0 };
    }
    // The coarse clock is some milliseconds late at most, and much cheaper. The first packets have the exact one, because
    // it tells which direction opened a conversation.
    // SAFETY: as above.
    let now = unsafe { bpf_ktime_get_coarse_ns() };
    if now > counted.last {
        counted.last = now;
    }
    counted.flags |= flags;
    if has_payload {
        counted.marks |= HAS_PAYLOAD;
    }
    counted.packets += 1;
    counted.segments += packet.segments;
    counted.bytes += u64::from(packet.bytes);
    if counted.verdict != UNKNOWN {
        return Judged { verdict: counted.verdict, packets: packet.alone() };
    }
    counted.verdict = judge();
    let packets = Sum { packets: u64::from(counted.packets), bytes: counted.bytes };
    Judged { verdict: counted.verdict, packets }
}
