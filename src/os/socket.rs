//! Packet sockets and TCP connections: the calls that the standard library lacks. Takes descriptors; gives the
//! kernel's answers. Must not know libpcap or HTTP.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::time::Duration;

/// A hash that is the same for both directions of a conversation chooses the member of a fan-out group. Fragments are
/// not reassembled (`PACKET_FANOUT_FLAG_DEFRAG`): reassembly would count them as one packet.
const FANOUT_HASH: u32 = 0;
/// The kernel founds a group with a number that no other of the namespace has (Linux 4.12).
const FANOUT_UNIQUE: u32 = 0x2000;
const FANOUT_MODE_SHIFT: u32 = 16;

/// The number of the interface that a packet socket is bound to; none when it is bound to all.
///
/// # Errors
/// When the descriptor is no socket.
pub fn bound_to(fd: RawFd) -> io::Result<Option<u32>> {
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

/// Opens a packet socket and closes it.
///
/// # Errors
/// When this process may not open one.
pub fn may_capture() -> io::Result<()> {
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

/// True if the kernel has rings of blocks, the third version of packet(7)'s rings.
///
/// # Errors
/// When this process may not open a packet socket.
pub fn has_block_rings() -> io::Result<bool> {
    let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
    // SAFETY: the option is read from `version`, whose size is given. The descriptor is closed at once.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let size = size_of_val(&version) as libc::socklen_t;
        let set =
            libc::setsockopt(fd, libc::SOL_PACKET, libc::PACKET_VERSION, std::ptr::from_ref(&version).cast(), size);
        libc::close(fd);
        Ok(set == 0)
    }
}

/// Waits until the descriptor is readable or has an error to report, or `wait` is over, or a signal came.
///
/// # Errors
/// When the kernel has no memory.
pub fn wait_readable(fd: RawFd, wait: Duration) -> io::Result<()> {
    let mut descriptor = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX);
    // SAFETY: the pointer is to one descriptor, which outlives the call.
    let ready = unsafe { libc::poll(&mut descriptor, 1, milliseconds) };
    match io::Error::last_os_error() {
        error if ready < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Attaches a filter to a socket, in place of the one before.
///
/// # Errors
/// When the kernel refuses the program.
pub fn attach_program(fd: RawFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Removes the filter of a socket.
///
/// # Errors
/// When the socket has none.
pub fn detach_program(fd: RawFd) -> io::Result<()> {
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
///
/// # Errors
/// When the kernel refuses, for example because the group's mode differs.
pub fn join_fanout(fd: RawFd, group: Option<u16>) -> io::Result<u16> {
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

/// Bytes of a TCP connection that wait to be sent or to be acknowledged by the other side.
///
/// # Errors
/// When the descriptor is no TCP connection.
pub fn unacknowledged_bytes(connection: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the pointer is to an integer that outlives the call, and the kernel answers with one.
    let result = unsafe { libc::ioctl(connection.as_raw_fd(), libc::TIOCOUTQ, std::ptr::from_mut(&mut bytes)) };
    if result == 0 { Ok(u64::try_from(bytes).unwrap_or_default()) } else { Err(io::Error::last_os_error()) }
}
