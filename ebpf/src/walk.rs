//! The way through a frame: its link headers, and the counting of the packet behind them. Takes the bytes of a frame;
//! counts the frame and gives its fate. Must not know which hook the frame comes from, nor the fields of IP.
//!
//! The rules are those of the decoder in user space. Loops are bounded; user space reads what lies behind them.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::layout::{
    ANY_PROTOCOL, COUNTED, DROPS, INTERFACE_ENTRIES, JUDGES, MESSAGE_BYTES, Message, NOT_PERMITTED, Overflow,
    OverflowKey, PERMITTED, Settings, Sum, Totals, UNCOUNTED, UNKNOWN, VERSION_6, not_ip, totals_position,
};
use crate::maps::{INTERFACES, MESSAGES, OVERFLOW, SETTINGS, SLOTS, TOTALS, wakeup};
use crate::packet::{self, Judged, Packet, Transport, Version};
use crate::policy::{self, Prefixes};

/// The most VLAN tags in a frame that are walked here.
const TAGS: usize = 4;

pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;

/// A hook of the kernel that shows frames.
pub trait Hook {
    const CAN_DROP: bool;

    /// The kernel's number of the interface.
    fn interface(&self) -> u32;
    /// Bytes of the frame.
    fn length(&self) -> u32;
    /// Bytes of a tag that the network card took off.
    fn tag_bytes(&self) -> u32;
    /// Packets on the wire, as far as the hook tells: XDP does not.
    fn segments(&self) -> u32;
    /// The address of the frame, and the one behind its linear part: its first bytes, which stand in one piece.
    fn linear(&self) -> (usize, usize);
    /// Copies `length` bytes from `at` on; false if the frame is shorter.
    fn read(&self, at: u32, into: *mut u8, length: u32) -> bool;

    /// `N` bytes from `at` on: in their place if they are in the linear part, else copied into `space`. To call the kernel
    /// for a copy costs more than to read them.
    #[inline(always)]
    fn view<'a, const N: usize>(&'a self, at: u32, space: &'a mut MaybeUninit<[u8; N]>) -> Option<&'a [u8; N]> {
        let (start, end) = self.linear();
        let from = start + at as usize;
        if from + N > end {
            return self.copy(at, space);
        }
        // SAFETY: the linear part holds all of these bytes, and is not changed while the program runs. The assertion keeps
        // the compiler from a check that the kernel does not take.
        unsafe {
            core::hint::assert_unchecked(from != 0);
            Some(&*(from as *const [u8; N]))
        }
    }

    /// `N` bytes from `at` on, copied into `space`.
    #[inline(always)]
    fn copy<'a, const N: usize>(&self, at: u32, space: &'a mut MaybeUninit<[u8; N]>) -> Option<&'a [u8; N]> {
        let is_whole = self.read(at, space.as_mut_ptr().cast(), N as u32);
        // SAFETY: the kernel has written all bytes, zeroes if the frame is shorter.
        is_whole.then(|| unsafe { space.assume_init_ref() })
    }

    #[inline(always)]
    fn load<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        self.copy(at, &mut MaybeUninit::uninit()).copied()
    }
}

/// What becomes of a frame.
pub enum Fate {
    Pass,
    Drop,
}

/// A frame that is being counted.
pub struct Frame<'a, H> {
    pub hook: &'a H,
    pub settings: &'a Settings,
    pub totals: &'a mut Totals,
    pub interface: u32,
    pub slot: u32,
    pub length: u32,
    pub wire_bytes: u32,
}

/// True if a packet that leaves came in by a captured interface, where it was counted. Only IP packets are forwarded.
#[inline(always)]
pub fn is_copy(hook: &impl Hook, came_by: u32) -> bool {
    came_by != hook.interface() && slot(came_by).is_some()
}

/// The slot of an interface; none if it is not captured.
#[inline(always)]
fn slot(interface: u32) -> Option<u32> {
    let entry = INTERFACES.get(interface % INTERFACE_ENTRIES)?;
    if entry.interface == interface {
        return Some(entry.slot);
    }
    // SAFETY: user space changes the entry of an interface only when the interface is not captured.
    unsafe { SLOTS.get(interface) }.copied()
}

/// Counts a frame.
#[inline(always)]
pub fn count<H: Hook>(hook: &H) -> Fate {
    let Some(settings) = SETTINGS.get(0) else { return Fate::Pass };
    let interface = hook.interface();
    let Some(slot) = slot(interface) else { return Fate::Pass };
    let Some(totals) = TOTALS.get_ptr_mut(totals_position(slot, settings.generation)) else { return Fate::Pass };
    // SAFETY: user space reads a generation only when no program uses it, and each processor has its own value.
    let totals = unsafe { &mut *totals };
    let length = hook.length();
    let wire_bytes = length + hook.tag_bytes();
    Frame { hook, settings, totals, interface, slot, length, wire_bytes }.walk_link()
}

impl<H: Hook> Frame<'_, H> {
    #[inline(always)]
    fn walk_link(mut self) -> Fate {
        let mut space = MaybeUninit::uninit();
        let Some(header) = self.hook.view::<14>(0, &mut space) else { return self.not_ip(not_ip::TRUNCATED_LINK) };
        let mut ether_type = u16::from_be_bytes([header[12], header[13]]);
        let mut at = 14;
        for _ in 0..TAGS {
            if !matches!(ether_type, 0x8100 | 0x88a8 | 0x9100) {
                break;
            }
            let Some(tag) = self.hook.load::<4>(at) else { return self.not_ip(not_ip::TRUNCATED_LINK) };
            ether_type = u16::from_be_bytes([tag[2], tag[3]]);
            at += 4;
        }
        match ether_type {
            0x0800 => self.version_4(at),
            0x86dd if self.version_6(at) => self.count_placed(),
            0x86dd => Fate::Pass,
            0x0806 | 0x8035 => {
                self.message(COUNTED);
                self.not_ip(not_ip::ARP)
            }
            0x8863 => self.not_ip(not_ip::PPPOE_DISCOVERY),
            // More tags, a length instead of a type, MPLS, PPPoE.
            0..=1500 | 0x8100 | 0x88a8 | 0x9100 | 0x8847 | 0x8848 | 0x8864 => self.hand_over(),
            _ => self.not_ip(not_ip::ETHER_TYPE),
        }
    }

    /// Counts a frame without a packet.
    #[inline(always)]
    pub fn not_ip(&mut self, reason: usize) -> Fate {
        self.count_frame();
        self.totals.not_ip[reason] += 1;
        Fate::Pass
    }

    /// The same; false.
    #[inline(always)]
    pub fn refuse(&mut self, reason: usize) -> bool {
        self.not_ip(reason);
        false
    }

    #[inline(always)]
    fn count_frame(&mut self) {
        self.totals.frames += 1;
        self.totals.frame_bytes += u64::from(self.wire_bytes);
    }

    /// Lets user space read and count the frame.
    #[inline(always)]
    pub fn hand_over(&mut self) -> Fate {
        if !self.message(UNCOUNTED) {
            self.not_ip(not_ip::UNREAD);
        }
        Fate::Pass
    }

    /// Writes the beginning of the frame to the ring; false if the ring is full.
    #[inline(never)]
    fn message(&mut self, kind: u32) -> bool {
        let Some(mut entry) = MESSAGES.reserve::<Message>(0) else {
            self.totals.messages_lost += 1;
            return false;
        };
        let message = entry.as_mut_ptr();
        let whole = if self.length > MESSAGE_BYTES as u32 { MESSAGE_BYTES as u32 } else { self.length };
        // SAFETY: the entry is memory for a message, and `whole` is at most the size of its bytes.
        unsafe {
            (&raw mut (*message).time).write(bpf_ktime_get_ns());
            (&raw mut (*message).interface).write(self.interface);
            (&raw mut (*message).kind).write(kind);
            (&raw mut (*message).length).write(self.length);
            (&raw mut (*message).wire_bytes).write(self.wire_bytes);
            (&raw mut (*message).segments).write(self.hook.segments());
            (&raw mut (*message).unused).write(0);
        }
        let bytes = unsafe { (&raw mut (*message).bytes).cast::<u8>() };
        let is_read = whole > 0 && self.hook.read(0, bytes, whole);
        if is_read { entry.submit(wakeup()) } else { entry.discard(0) }
        is_read
    }

    /// Counts the frame and the IPv6 packet that was placed.
    #[inline(never)]
    fn count_placed(&mut self) -> Fate {
        packet::placed().map_or(Fate::Pass, |packet| self.count_packet(packet))
    }

    /// Counts the frame and its packet.
    #[inline(always)]
    pub fn count_packet<A: Prefixes>(&mut self, packet: &Packet<A>) -> Fate {
        self.count_frame();
        let judges = self.settings.flags & JUDGES != 0;
        let judge = || if judges { policy::judge(packet.source) } else { UNKNOWN };
        let judged = match packet::add(packet, self.settings.generation, judge) {
            Some(judged) => judged,
            None => {
                let key = OverflowKey {
                    interface: self.interface,
                    generation: self.settings.generation as u8,
                    direction: policy::direction(packet.source, packet.destination),
                    protocol: packet.transport.protocol,
                    version: A::NUMBER,
                };
                overflow(key, packet.bytes, packet.segments);
                Judged { verdict: judge(), packets: packet.alone() }
            }
        };
        if concerns_neighbours(&packet.transport) {
            self.message(COUNTED);
        }
        if judges { self.judged(packet, &judged) } else { Fate::Pass }
    }

    /// Counts the verdict, and reports and drops what is not permitted. The earlier packets of a first verdict are past:
    /// they count as packets without an event.
    #[inline(always)]
    fn judged<A: Version>(&mut self, packet: &Packet<A>, judged: &Judged) -> Fate {
        let bytes = u64::from(packet.bytes);
        let Judged { verdict, packets } = judged;
        if *verdict == PERMITTED {
            self.totals.verdicts[0].packets += packets.packets;
            self.totals.verdicts[0].bytes += packets.bytes;
            return Fate::Pass;
        }
        self.totals.verdicts[1].packets += packets.packets;
        self.totals.verdicts[1].bytes += packets.bytes;
        self.totals.suppressed += packets.packets - 1;
        let is_dropped = H::CAN_DROP
            && *verdict == NOT_PERMITTED
            && self.settings.flags & DROPS != 0
            && !keeps_the_link(packet);
        if is_dropped {
            self.totals.dropped.packets += 1;
            self.totals.dropped.bytes += bytes;
        }
        policy::report(packet, self.interface, is_dropped, self.settings, self.totals);
        if is_dropped { Fate::Drop } else { Fate::Pass }
    }
}

/// True for ICMP errors that may refuse, and for messages of neighbour discovery: user space reads them.
#[inline(always)]
fn concerns_neighbours(transport: &Transport) -> bool {
    transport.has_icmp_type
        && matches!((transport.protocol, transport.icmp_type), (ICMP, 3) | (ICMPV6, 1 | 4 | 135 | 136))
}

/// True for messages without which an IPv6 link is dead: neighbour discovery (RFC 4861), and multicast listener discovery
/// (RFC 2710, RFC 3810) from an address of the link. Without the latter, switches that snoop pass no solicitation on.
#[inline(always)]
fn keeps_the_link<A: Version>(packet: &Packet<A>) -> bool {
    match (packet.transport.protocol, packet.transport.icmp_type) {
        (ICMPV6, 133..=137) => A::NUMBER == VERSION_6,
        (ICMPV6, 130..=132 | 143) => A::NUMBER == VERSION_6 && is_of_link(packet.source.words()),
        _ => false,
    }
}

/// True for `fe80::/10` and `::`.
#[inline(always)]
fn is_of_link(address: [u32; 4]) -> bool {
    address[0] >> 22 == 0x3fa || address[0] | address[1] | address[2] | address[3] == 0
}

/// Counts a packet without a conversation by direction, protocol and version. The counters of [`ANY_PROTOCOL`] are
/// always there.
#[inline(never)]
fn overflow(mut key: OverflowKey, bytes: u32, segments: u32) {
    let one = Overflow { sum: Sum { packets: 1, bytes: u64::from(bytes) }, segments: u64::from(segments) };
    if !add_overflow(&key, &one)
        && OVERFLOW.insert(&key, &one, u64::from(BPF_NOEXIST)).is_err()
        && !add_overflow(&key, &one)
    {
        key.protocol = ANY_PROTOCOL;
        add_overflow(&key, &one);
    }
}

#[inline(always)]
fn add_overflow(key: &OverflowKey, one: &Overflow) -> bool {
    let Some(counters) = OVERFLOW.get_ptr_mut(key) else { return false };
    // SAFETY: as for the totals.
    let counters = unsafe { &mut *counters };
    counters.sum.packets += one.sum.packets;
    counters.sum.bytes += one.sum.bytes;
    counters.segments += one.segments;
    true
}
