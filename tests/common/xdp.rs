//! XDP programs: one on an interface, which lets everything pass, and one that sends frames by an interface, more of
//! them in a second than a socket can.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::namespace::Namespace;

// linux/bpf.h and linux/if_link.h.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_LINK_CREATE: libc::c_long = 28;
/// Frames become real ones, which the program's verdict sends on.
const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 2;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
/// In the network stack: without the driver's help, so that it changes nothing else about the interface.
const XDP_FLAGS_SKB_MODE: u32 = 2;
/// `return XDP_PASS`: r0 = 2; exit.
const PASS: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];

/// The byte that each sending of a frame increases: the last one of the source address of IPv4 behind Ethernet's header.
const STEPPED: u8 = 14 + 15;

/// `frame[STEPPED] += 1` if there is one; `return bpf_redirect(interface, 0)`.
fn redirect(interface: u32) -> [[u8; 8]; 12] {
    let [a, b, c, d] = interface.to_ne_bytes();
    [
        [0x61, 0x12, 0, 0, 0, 0, 0, 0],           // r2 = context.data
        [0x61, 0x13, 4, 0, 0, 0, 0, 0],           // r3 = context.data_end
        [0xbf, 0x24, 0, 0, 0, 0, 0, 0],           // r4 = r2
        [0x07, 0x04, 0, 0, STEPPED + 1, 0, 0, 0], // r4 += STEPPED + 1
        [0x2d, 0x34, 3, 0, 0, 0, 0, 0],           // if r4 > r3, skip three
        [0x71, 0x25, STEPPED, 0, 0, 0, 0, 0],     // r5 = r2[STEPPED]
        [0x07, 0x05, 0, 0, 1, 0, 0, 0],           // r5 += 1
        [0x73, 0x52, STEPPED, 0, 0, 0, 0, 0],     // r2[STEPPED] = r5
        [0xb7, 0x01, 0, 0, a, b, c, d],           // r1 = interface
        [0xb7, 0x02, 0, 0, 0, 0, 0, 0],           // r2 = 0
        [0x85, 0, 0, 0, 23, 0, 0, 0],             // bpf_redirect
        [0x95, 0, 0, 0, 0, 0, 0, 0],              // return
    ]
}

/// As much of `union bpf_attr` as BPF_PROG_LOAD looks at here.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    instructions: u32,
    first: u64,
    license: u64,
    log: [u64; 8],
}

/// The same for BPF_LINK_CREATE.
#[repr(C)]
#[derive(Default)]
struct Create {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

/// The same for BPF_PROG_TEST_RUN.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    returned: u32,
    bytes: u32,
    bytes_out: u32,
    frame: u64,
    frame_out: u64,
    repeat: u32,
    duration: u32,
    context: [u32; 6],
    flags: u32,
    processor: u32,
    batch: u32,
    rest: u32,
}

/// Attached until it is dropped.
#[derive(Debug)]
pub struct Xdp(#[allow(dead_code, reason = "it is what keeps the program attached")] OwnedFd);

impl Xdp {
    /// Attaches the program. There is no notice of it: it is attached by a link of bpf's, not by rtnetlink.
    pub fn attach(namespace: &Namespace, interface: &str) -> io::Result<Self> {
        namespace
            .enter(|| {
                let program = load(&PASS)?;
                let (interface, program) = (index(interface)?, program.as_raw_fd().cast_unsigned());
                bpf(BPF_LINK_CREATE, &Create { program, interface, attach_type: BPF_XDP, flags: XDP_FLAGS_SKB_MODE })
            })
            .map(Self)
    }
}

/// Sends frames by a veth to its other end, past sockets and queues. The other end must have NAPI: an XDP program of its
/// own, or GRO.
#[derive(Debug)]
pub struct LiveFrames {
    program: OwnedFd,
}

impl LiveFrames {
    /// By `interface` of the network namespace that this thread is in.
    pub fn open(interface: &str) -> io::Result<Self> {
        Ok(Self { program: load(&redirect(index(interface)?))? })
    }

    /// Sends a frame with IPv4 so many times, from 256 addresses by turns. What the other end has no space for is lost.
    /// A signal may interrupt the call after some of them; then all are sent once more.
    pub fn send(&self, frame: &[u8], times: u32) -> io::Result<()> {
        let mut run = TestRun {
            program: self.program.as_raw_fd().cast_unsigned(),
            bytes: frame.len() as u32,
            frame: frame.as_ptr() as u64,
            repeat: times,
            flags: BPF_F_TEST_XDP_LIVE_FRAMES,
            ..TestRun::default()
        };
        // SAFETY: the attributes and the frame outlive the call; the kernel writes to the attributes alone, which are
        // not read again.
        let mut call =
            || unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_TEST_RUN, &raw mut run, size_of::<TestRun>()) };
        while call() < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(())
    }
}

fn load(instructions: &[[u8; 8]]) -> io::Result<OwnedFd> {
    let load = Load {
        kind: BPF_PROG_TYPE_XDP,
        instructions: instructions.len() as u32,
        first: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        ..Load::default()
    };
    bpf(BPF_PROG_LOAD, &load)
}

/// The number of an interface in the namespace of this thread.
fn index(interface: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(interface)?;
    // SAFETY: the name is a string with its end.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the attributes and the memory that they point to outlive the call and are only read; a returned
    // descriptor has no other owner.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>());
        if descriptor < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(descriptor as i32)) }
    }
}
