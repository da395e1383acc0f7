//! Counts packets in the kernel, at XDP or at TC, and drops them there if that is asked for. Takes frames; gives maps
//! (`layout`) that user space reads and empties. Must not know rows, detection or metrics.
//!
//! A frame counts as the decoder of user space counts it. Frames behind rare link headers are handed to that decoder.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod ip;
#[allow(dead_code, reason = "some parts are for user space alone")]
mod layout;
mod maps;
mod packet;
mod policy;
mod walk;

use aya_ebpf::bindings::{__sk_buff, TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use walk::{Fate, Hook};

struct Received<'a>(&'a XdpContext);

impl Hook for Received<'_> {
    const CAN_DROP: bool = true;

    #[inline(always)]
    fn interface(&self) -> u32 {
        self.0.ingress_ifindex() as u32
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: the context is the one of this run.
        unsafe { bpf_xdp_get_buff_len(self.0.ctx) as u32 }
    }

    #[inline(always)]
    fn tag_bytes(&self) -> u32 {
        0
    }

    /// XDP has no such figure. In the driver frames are as on the wire; in the network stack they may be joined already,
    /// and user space leaves this figure out.
    #[inline(always)]
    fn segments(&self) -> u32 {
        1
    }

    #[inline(always)]
    fn linear(&self) -> (usize, usize) {
        (self.0.data(), self.0.data_end())
    }

    #[inline(always)]
    fn read(&self, at: u32, into: *mut u8, length: u32) -> bool {
        // SAFETY: `into` has `length` bytes.
        unsafe { bpf_xdp_load_bytes(self.0.ctx, at, into.cast(), length) == 0 }
    }
}

struct Buffer(*mut __sk_buff);

impl Hook for Buffer {
    const CAN_DROP: bool = false;

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the context is the one of this run.
        unsafe { (*self.0).ifindex }
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.0).len }
    }

    /// The outer VLAN tag stands beside the frame, not in it.
    #[inline(always)]
    fn tag_bytes(&self) -> u32 {
        // SAFETY: as above.
        if unsafe { (*self.0).vlan_present } != 0 { 4 } else { 0 }
    }

    #[inline(always)]
    fn segments(&self) -> u32 {
        // SAFETY: as above.
        let segments = unsafe { (*self.0).gso_segs };
        if segments == 0 { 1 } else { segments }
    }

    #[inline(always)]
    fn linear(&self) -> (usize, usize) {
        // SAFETY: as above.
        unsafe { ((*self.0).data as usize, (*self.0).data_end as usize) }
    }

    #[inline(always)]
    fn read(&self, at: u32, into: *mut u8, length: u32) -> bool {
        // SAFETY: `into` has `length` bytes.
        unsafe { bpf_skb_load_bytes(self.0.cast(), at, into.cast(), length) == 0 }
    }
}

#[xdp(frags)]
pub fn tm_xdp(context: XdpContext) -> u32 {
    match walk::count(&Received(&context)) {
        Fate::Pass => xdp_action::XDP_PASS,
        Fate::Drop => xdp_action::XDP_DROP,
    }
}

#[classifier]
pub fn tm_ingress(context: TcContext) -> i32 {
    walk::count(&Buffer(context.skb.skb));
    TC_ACT_UNSPEC
}

/// A packet that came in by a captured interface was counted there.
#[classifier]
pub fn tm_egress(context: TcContext) -> i32 {
    let buffer = Buffer(context.skb.skb);
    // SAFETY: the context is the one of this run.
    let came_by = unsafe { (*buffer.0).ingress_ifindex };
    if came_by == 0 || !walk::is_copy(&buffer, came_by) {
        walk::count(&buffer);
    }
    TC_ACT_UNSPEC
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// A licence that lets the program use the kernel's helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
