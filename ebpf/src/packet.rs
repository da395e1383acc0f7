//! The packet: what the program keeps of an IP packet, and its conversation. Takes addresses and ports; gives keys in
//! canonical order. Must not know link headers.

use core::arch::asm;

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use aya_ebpf::maps::PerCpuHashMap;

use crate::layout::{
    Conversation, Counted, HAS_ICMP_TYPE, HAS_PAYLOAD, Key4, Key6, LAST_SHIFT, Sum, UNKNOWN, VERSION_4, VERSION_6,
};
use crate::maps::{V4_EVEN, V4_ODD, V6_EVEN, V6_ODD, WORK_V6};

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
    pub has_icmp_type: bool,
    /// 0 if there is none.
    pub icmp_type: u8,
}

#[derive(Clone, Copy)]
pub struct Packet<A> {
    pub source: A,
    pub destination: A,
    pub transport: Transport,
    pub bytes: u32,
    pub segments: u32,
    pub slot: u32,
}

/// An IP version: its addresses and maps.
pub trait Version: Copy + 'static {
    type Key: Copy + 'static;
    const NUMBER: u8;

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
    fn key(packet: &Packet<Self>) -> (Key4, bool) {
        let Transport { protocol, source_port, destination_port, .. } = packet.transport;
        let word = |address: u32, port: u16| u64::from(address) << 16 | u64::from(port);
        let forward = word(packet.source, source_port) <= word(packet.destination, destination_port);
        let (low, high, low_port, high_port) = if forward {
            (packet.source, packet.destination, source_port, destination_port)
        } else {
            (packet.destination, packet.source, destination_port, source_port)
        };
        (Key4 { low, high, low_port, high_port, slot: packet.slot as u16, protocol, unused: 0 }, forward)
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
    fn key(packet: &Packet<Self>) -> (Key6, bool) {
        let Transport { protocol, source_port, destination_port, .. } = packet.transport;
        let forward = is_in_order(&packet.source, &packet.destination, source_port <= destination_port);
        let (low, high, low_port, high_port) = if forward {
            (packet.source, packet.destination, source_port, destination_port)
        } else {
            (packet.destination, packet.source, destination_port, source_port)
        };
        (Key6 { low, high, low_port, high_port, slot: packet.slot as u16, protocol, unused: 0 }, forward)
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
pub fn place(packet: Packet<[u32; 4]>) -> bool {
    let Some(workspace) = WORK_V6.get_ptr_mut(0) else { return false };
    // SAFETY: the memory is this processor's own, and no other program runs on it until this one has ended.
    unsafe { workspace.write(packet) };
    true
}

/// The packet that was placed last.
#[inline(always)]
pub fn placed() -> Option<&'static Packet<[u32; 4]>> {
    WORK_V6.get(0)
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
    generation: u32,
    judge: impl Fn() -> u8,
) -> Option<Judged> {
    let (key, forward) = A::key(packet);
    let way = if forward { 0 } else { 1 };
    let conversation = match find::<A>(generation, &key) {
        Some(conversation) => conversation,
        None => {
            let conversations = A::conversations(generation);
            // Fails if another processor has made the entry meanwhile.
            let _ = conversations.insert(&key, &BLANK, u64::from(BPF_NOEXIST));
            conversations.get_ptr_mut(&key)?
        }
    };
    // SAFETY: user space empties a generation only when no program uses it, and each processor has its own value.
    let counted = unsafe { &mut (*conversation).ways[way] };
    Some(count(counted, packet, judge))
}

/// The conversation of a generation. Each of both maps has a call of its own: the kernel puts a call that is always about
/// the same map into the program, and makes others by way of a table of functions.
#[inline(always)]
fn find<A: Version>(generation: u32, key: &A::Key) -> Option<*mut Conversation> {
    if generation == 0 {
        let mut found = A::conversations(0).get_ptr_mut(key)?;
        // SAFETY: it changes nothing. It keeps the compiler from joining both calls.
        unsafe { asm!("{0} = {0}", inout(reg) found) };
        Some(found)
    } else {
        A::conversations(1).get_ptr_mut(key)
    }
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
};

#[inline(always)]
fn count<A: Version>(counted: &mut Counted, packet: &Packet<A>, judge: impl Fn() -> u8) -> Judged {
    let Transport { flags, has_payload, has_icmp_type, icmp_type, .. } = packet.transport;
    if counted.packets == 0 {
        // SAFETY: the helper has no conditions.
        counted.first = unsafe { bpf_ktime_get_ns() };
        // A packet has the one or the other.
        counted.first_control = icmp_type | flags;
        counted.marks = if has_icmp_type { HAS_ICMP_TYPE } else { 0 };
    }
    // The coarse clock is some milliseconds late at most, and much cheaper. The first packets have the exact one, because
    // it tells which direction opened a conversation.
    // SAFETY: as above.
    let now = unsafe { bpf_ktime_get_coarse_ns() };
    if now > counted.first {
        let units = (now - counted.first) >> LAST_SHIFT;
        counted.last = if units > u64::from(u32::MAX) { u32::MAX } else { units as u32 };
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
