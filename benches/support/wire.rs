//! Sends frames by an interface at little cost: many a system call, past the queueing discipline.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Pieces of a frame: its headers and its payload.
pub type Pieces<'a> = [&'a [u8]; 2];

/// An interface to send by.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
}

impl Wire {
    /// On `interface` of the network namespace that this thread is in; receives nothing.
    pub fn open(interface: &str) -> io::Result<Self> {
        let name = CString::new(interface)?;
        // SAFETY: the name is a string with its end; the calls take no other pointers, and the descriptor has no other owner.
        let (index, socket) = unsafe {
            let index = libc::if_nametoindex(name.as_ptr());
            let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
            if index == 0 || socket < 0 {
                return Err(io::Error::last_os_error());
            }
            (index, OwnedFd::from_raw_fd(socket))
        };
        // SAFETY: all-zero bytes are a valid `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_ifindex = index.cast_signed();
        let (descriptor, yes) = (socket.as_raw_fd(), 1_i32);
        // SAFETY: the pointers are to values of the lengths given, which outlive the calls.
        let results = unsafe {
            let address = std::ptr::from_ref(&address).cast();
            let bound = libc::bind(descriptor, address, size_of::<libc::sockaddr_ll>() as libc::socklen_t);
            let option = (std::ptr::from_ref(&yes).cast(), size_of::<i32>() as libc::socklen_t);
            let set = libc::setsockopt(descriptor, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, option.0, option.1);
            [bound, set]
        };
        if results == [0, 0] { Ok(Self { socket }) } else { Err(io::Error::last_os_error()) }
    }

    /// Sends all of `frames`, in this order.
    pub fn send(&self, frames: &[Pieces<'_>]) -> io::Result<()> {
        let piece = |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let mut pieces: Vec<[libc::iovec; 2]> = frames.iter().map(|frame| frame.map(piece)).collect();
        let mut messages: Vec<libc::mmsghdr> = pieces.iter_mut().map(message).collect();
        let mut sent = 0;
        while sent < messages.len() {
            let left = &mut messages[sent..];
            // SAFETY: the headers lead to `pieces`, and these to the frames, which all outlive the call and are only read.
            let more =
                unsafe { libc::sendmmsg(self.socket.as_raw_fd(), left.as_mut_ptr(), left.len() as libc::c_uint, 0) };
            match usize::try_from(more) {
                Ok(more) => sent += more,
                Err(_) => match io::Error::last_os_error() {
                    // The interface's own queue is full.
                    error if error.raw_os_error() == Some(libc::ENOBUFS) => std::thread::yield_now(),
                    error => return Err(error),
                },
            }
        }
        Ok(())
    }
}

fn message(pieces: &mut [libc::iovec; 2]) -> libc::mmsghdr {
    // SAFETY: all-zero bytes are a valid `mmsghdr`: no address, no control data.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_iov = pieces.as_mut_ptr();
    message.msg_hdr.msg_iovlen = pieces.len();
    message
}
