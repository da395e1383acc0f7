//! What is asked of the kernel by a descriptor, around libpcap and the standard library. All that is unsafe stands here,
//! also what other rooms need.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::ptr::NonNull;
use std::time::Duration;

use pcap::{Capture, Inactive};

/// A hash that is the same for both directions of a conversation chooses the member of a fan-out group. Fragments are
/// not reassembled (`PACKET_FANOUT_FLAG_DEFRAG`): reassembly would count them as one packet.
const FANOUT_HASH: u32 = 0;
/// The kernel founds a group with a number that no other of the namespace has (Linux 4.12).
const FANOUT_UNIQUE: u32 = 0x2000;
const FANOUT_MODE_SHIFT: u32 = 16;

/// The version of the libpcap that the program runs with.
#[must_use]
pub fn library_version() -> String {
    unsafe extern "C" {
        fn pcap_lib_version() -> *const libc::c_char;
    }
    // SAFETY: libpcap gives a pointer to a string that lives as long as the program.
    let text = unsafe { CStr::from_ptr(pcap_lib_version()) };
    text.to_string_lossy().into_owned()
}

/// A handle that is not open yet. The crate's own function takes names of UTF-8 alone.
pub(super) fn create(interface: &[u8]) -> Result<Capture<Inactive>, pcap::Error> {
    const MESSAGE_BYTES: usize = 256; // PCAP_ERRBUF_SIZE
    unsafe extern "C" {
        fn pcap_create(device: *const libc::c_char, message: *mut libc::c_char) -> *mut libc::c_void;
    }
    let name = CString::new(interface).map_err(|error| pcap::Error::PcapError(error.to_string()))?;
    let mut message = [0; MESSAGE_BYTES];
    // SAFETY: the name ends with a zero. It and the message, which has the length that libpcap asks for, outlive the
    // call. The call returns a handle without another owner, or null.
    let handle = unsafe { pcap_create(name.as_ptr(), message.as_mut_ptr()) };
    match NonNull::new(handle) {
        Some(handle) => Ok(Capture::from(handle.cast())),
        None => {
            let text: Vec<u8> =
                message.iter().map(|letter| letter.cast_unsigned()).take_while(|&byte| byte != 0).collect();
            Err(pcap::Error::PcapError(String::from_utf8_lossy(&text).into_owned()))
        }
    }
}

/// The number of the interface that a packet socket is bound to; none when it is bound to all.
pub(super) fn bound_to(fd: RawFd) -> io::Result<Option<u32>> {
    // SAFETY: the address is plain numbers, of which all zeros are some.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointers are to an address of the length given and to that length, which outlive the call.
    let result = unsafe { libc::getsockname(fd, std::ptr::from_mut(&mut address).cast(), &mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(address.sll_ifindex).ok().filter(|&index| index != 0))
}

pub(super) fn may_capture() -> io::Result<()> {
    // SAFETY: the call takes no pointers; a descriptor that it gives is closed at once.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::close(fd);
    }
    Ok(())
}

/// Until the descriptor is readable or has an error to report, or `wait` is over, or a signal came.
pub(super) fn wait_readable(fd: RawFd, wait: Duration) -> io::Result<()> {
    let mut descriptor = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX);
    // SAFETY: the pointer is to one descriptor, which outlives the call.
    let ready = unsafe { libc::poll(&mut descriptor, 1, milliseconds) };
    match io::Error::last_os_error() {
        error if ready < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

pub(in crate::capture) fn instructions(program: &pcap::BpfProgram) -> Vec<libc::sock_filter> {
    let compiled = program.get_instructions();
    // SAFETY: `BpfInstruction` is transparent over `struct bpf_insn`, whose layout the kernel's `struct sock_filter`
    // has: a 16-bit code, two 8-bit jumps, a 32-bit operand.
    let instructions =
        unsafe { std::slice::from_raw_parts(compiled.as_ptr().cast::<libc::sock_filter>(), compiled.len()) };
    instructions.to_vec()
}

pub(super) fn attach_program(fd: RawFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

pub(super) fn detach_program(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32)
}

fn set_option<T>(fd: RawFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer is to a value of the length given, which outlives the call; the kernel copies it and, for a
    // program, the instructions that it points to.
    let result = unsafe { libc::setsockopt(fd, level, option, std::ptr::from_ref(value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Joins the fan-out group of that number, or founds one; gives its number.
pub(super) fn join_fanout(fd: RawFd, group: Option<u16>) -> io::Result<u16> {
    let (number, mode) = group.map_or((0, FANOUT_HASH | FANOUT_UNIQUE), |group| (u32::from(group), FANOUT_HASH));
    set_option(fd, libc::SOL_PACKET, libc::PACKET_FANOUT, &(number | mode << FANOUT_MODE_SHIFT))?;
    let joined = option::<u32>(fd, libc::SOL_PACKET, libc::PACKET_FANOUT)?;
    // The lower half is the group's number.
    Ok(joined as u16)
}

fn option<T: Copy + Default>(fd: RawFd, level: libc::c_int, option: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer is to a value of the length given, which outlives the call; the kernel writes no more. Asked
    // for are integers alone, of which every pattern of bits is one.
    let result = unsafe { libc::getsockopt(fd, level, option, std::ptr::from_mut(&mut value).cast(), &mut length) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// How many bytes of a TCP connection wait to be sent or to be acknowledged by the other side.
///
/// # Errors
/// When the kernel does not say.
pub fn unacknowledged_bytes(connection: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the pointer is to an integer that outlives the call, and the kernel answers with one.
    let result = unsafe { libc::ioctl(connection.as_raw_fd(), libc::TIOCOUTQ, std::ptr::from_mut(&mut bytes)) };
    if result == 0 { Ok(u64::try_from(bytes).unwrap_or_default()) } else { Err(io::Error::last_os_error()) }
}
