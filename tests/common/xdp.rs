//! An XDP program on an interface, which lets everything pass.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::namespace::Namespace;

// linux/bpf.h and linux/if_link.h.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
/// In the network stack: without the driver's help, so that it changes nothing else about the interface.
const XDP_FLAGS_SKB_MODE: u32 = 2;
/// `return XDP_PASS`: r0 = 2; exit.
const PASS: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];

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

/// Attached until it is dropped.
#[derive(Debug)]
pub struct Xdp(#[allow(dead_code, reason = "it is what keeps the program attached")] OwnedFd);

impl Xdp {
    /// Attaches the program. There is no notice of it: it is attached by a link of bpf's, not by rtnetlink.
    pub fn attach(namespace: &Namespace, interface: &str) -> io::Result<Self> {
        let (license, name) = (c"GPL", std::ffi::CString::new(interface)?);
        let load = Load {
            kind: BPF_PROG_TYPE_XDP,
            instructions: PASS.len() as u32,
            first: PASS.as_ptr() as u64,
            license: license.as_ptr() as u64,
            ..Load::default()
        };
        namespace
            .enter(|| {
                let program = bpf(BPF_PROG_LOAD, &load)?;
                // SAFETY: the name is a string with its end.
                let interface = unsafe { libc::if_nametoindex(name.as_ptr()) };
                let program = program.as_raw_fd().cast_unsigned();
                bpf(BPF_LINK_CREATE, &Create { program, interface, attach_type: BPF_XDP, flags: XDP_FLAGS_SKB_MODE })
            })
            .map(Self)
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
