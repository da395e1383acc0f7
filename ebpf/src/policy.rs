//! Policy and locality by longest prefix match. Takes addresses; gives verdicts and directions. Must not know packets'
//! headers.

use aya_ebpf::bindings::BPF_ANY;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::maps::lpm_trie::Key;

use crate::layout::{Bucket, NOT_PERMITTED, PERMITTED, Report, Settings, Totals};
use crate::maps::{NO_WAKEUP, LOCAL_V4, LOCAL_V6, POLICY_V4, POLICY_V6, REPORTS, SOURCES};
use crate::packet::{Packet, Version};

pub trait Prefixes: Version {
    fn is_local(self) -> bool;
    fn verdict(self) -> u8;
}

impl Prefixes for u32 {
    #[inline(always)]
    fn is_local(self) -> bool {
        LOCAL_V4.get(Key::new(32, self.to_be_bytes())).is_some()
    }

    #[inline(always)]
    fn verdict(self) -> u8 {
        verdict(POLICY_V4.get(Key::new(32, self.to_be_bytes())))
    }
}

impl Prefixes for [u32; 4] {
    #[inline(always)]
    fn is_local(self) -> bool {
        LOCAL_V6.get(Key::new(128, bytes(self))).is_some()
    }

    #[inline(always)]
    fn verdict(self) -> u8 {
        verdict(POLICY_V6.get(Key::new(128, bytes(self))))
    }
}

#[inline(always)]
fn verdict(found: Option<&u8>) -> u8 {
    match found {
        Some(&PERMITTED) => PERMITTED,
        _ => NOT_PERMITTED,
    }
}

#[inline(always)]
fn bytes(address: [u32; 4]) -> [u8; 16] {
    let words = address.map(u32::to_be);
    // SAFETY: both have 16 bytes, and any bytes are a value.
    unsafe { core::mem::transmute(words) }
}

/// The verdict on the source of a packet. A function of its own for the stack's sake.
#[inline(never)]
pub fn judge<A: Prefixes>(source: A) -> u8 {
    source.verdict()
}

/// 0 incoming, 1 outgoing, 2 local, 3 transit.
#[inline(never)]
pub fn direction<A: Prefixes>(source: A, destination: A) -> u8 {
    match (source.is_local(), destination.is_local()) {
        (false, true) => 0,
        (true, false) => 1,
        (true, true) => 2,
        (false, false) => 3,
    }
}

/// Writes a violation to the ring, unless its source has had too many.
#[inline(always)]
pub fn report<A: Version>(
    packet: &Packet<A>,
    interface: u32,
    is_dropped: bool,
    settings: &Settings,
    totals: &mut Totals,
) {
    let source = packet.source.words();
    // SAFETY: the helper has no conditions.
    let time = unsafe { bpf_ktime_get_ns() };
    let Some(suppressed) = take_token(&source, time, settings) else {
        totals.suppressed += 1;
        return;
    };
    let Some(mut entry) = REPORTS.reserve::<Report>(0) else {
        totals.events_lost += 1;
        return;
    };
    let transport = &packet.transport;
    entry.write(Report {
        time,
        suppressed,
        interface,
        bytes: packet.bytes,
        source,
        destination: packet.destination.words(),
        source_port: transport.source_port,
        destination_port: transport.destination_port,
        protocol: transport.protocol,
        version: A::NUMBER,
        flags: transport.flags,
        is_dropped: u8::from(is_dropped),
    });
    entry.submit(NO_WAKEUP);
    totals.events += 1;
}

/// Takes a token of the source's bucket: gives the packets without an event since its last one, or nothing if the
/// bucket is empty.
#[inline(always)]
fn take_token(source: &[u32; 4], now: u64, settings: &Settings) -> Option<u64> {
    let Some(bucket) = SOURCES.get_ptr_mut(source) else {
        let bucket = Bucket { full_at: now + settings.event_interval, suppressed: 0 };
        let _ = SOURCES.insert(source, &bucket, u64::from(BPF_ANY));
        return Some(0);
    };
    // SAFETY: the entry is valid while this program runs; another processor may write it too (see `Bucket`).
    let bucket = unsafe { &mut *bucket };
    let full_at = if bucket.full_at > now { bucket.full_at } else { now } + settings.event_interval;
    if full_at - now > settings.event_burst {
        bucket.suppressed += 1;
        return None;
    }
    bucket.full_at = full_at;
    let suppressed = bucket.suppressed;
    bucket.suppressed = 0;
    Some(suppressed)
}
