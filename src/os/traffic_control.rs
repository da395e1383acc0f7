//! The clsact qdisc of interfaces and the filters on it, by rtnetlink (rtnetlink(7), tc(8)). Takes the kernel's numbers of
//! interfaces; gives filters. Must not know who made a filter, nor what its program does.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

// linux/rtnetlink.h, linux/netlink.h.
const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
const REQUEST: u16 = 1;
const ANSWER: u16 = 4;
const DUMP: u16 = 0x300;
const NEW: u16 = 0x200 | 0x400; // NLM_F_EXCL | NLM_F_CREATE
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
// linux/pkt_sched.h: the handle and the parent of a clsact qdisc.
const CLSACT_HANDLE: u32 = 0xffff_0000;
const CLSACT_PARENT: u32 = 0xffff_fff1;
// linux/pkt_cls.h.
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
const ALL_PROTOCOLS: u16 = 3; // ETH_P_ALL

/// Bytes of `struct nlmsghdr`, `struct tcmsg` and `struct nlattr`.
const HEADER_BYTES: usize = 16;
const TCMSG_BYTES: usize = 20;
const ATTRIBUTE_BYTES: usize = 4;
/// The kernel fills at most 32 KiB a datagram.
const DATAGRAM_BYTES: usize = 64 * 1024;

/// A hook of a clsact qdisc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClsactHook {
    /// Packets that come in.
    Ingress,
    /// Packets that go out.
    Egress,
}

impl ClsactHook {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    const fn parent(self) -> u32 {
        match self {
            Self::Ingress => 0xffff_fff2,
            Self::Egress => 0xffff_fff3,
        }
    }
}

/// A filter on a clsact qdisc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcFilter {
    /// The name of its BPF program; none for other kinds of filters.
    pub program: Option<String>,
    /// The number among the filters of its priority.
    pub handle: u32,
    /// A lower one is asked first.
    pub priority: u16,
}

/// True if this network namespace has an interface of this number.
pub fn interface_exists(interface: u32) -> bool {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the pointer is to as many bytes as the kernel writes at most, which outlive the call.
    let result = unsafe { libc::if_indextoname(interface, name.as_mut_ptr()) };
    !result.is_null()
}

/// Adds a clsact qdisc to an interface; false if it has one.
///
/// # Errors
/// When there is no such interface, or the kernel refuses.
pub fn add_clsact(interface: u32) -> io::Result<bool> {
    let mut attributes = Vec::new();
    put(&mut attributes, TCA_KIND, b"clsact\0");
    let target = TcTarget { interface, handle: CLSACT_HANDLE, parent: CLSACT_PARENT, info: 0 };
    match exchange(RTM_NEWQDISC, NEW | ANSWER, target, &attributes, |_| {}) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
        added => added.map(|()| true),
    }
}

/// Removes the clsact qdisc of an interface, with all its filters.
///
/// # Errors
/// When the interface has none, or the kernel refuses.
pub fn remove_clsact(interface: u32) -> io::Result<()> {
    let target = TcTarget { interface, handle: CLSACT_HANDLE, parent: CLSACT_PARENT, info: 0 };
    exchange(RTM_DELQDISC, ANSWER, target, &[], |_| {})
}

/// The filters at a hook; none if the interface has no clsact qdisc, or is gone.
///
/// # Errors
/// When the kernel refuses.
pub fn filters(interface: u32, hook: ClsactHook) -> io::Result<Vec<TcFilter>> {
    let mut found = Vec::new();
    let target = TcTarget { interface, handle: 0, parent: hook.parent(), info: 0 };
    exchange(RTM_GETTFILTER, DUMP, target, &[], |message| found.extend(filter(message)))?;
    Ok(found)
}

/// Adds a BPF program as a filter behind a clsact qdisc, and gives that filter. The kernel chooses the priority.
///
/// # Errors
/// When there is no such qdisc, or the kernel refuses.
pub fn add_filter(
    interface: u32,
    hook: ClsactHook,
    (name, handle): (&str, u32),
    program: BorrowedFd<'_>,
) -> io::Result<TcFilter> {
    let mut options = Vec::new();
    put(&mut options, TCA_BPF_FD, &program.as_raw_fd().to_ne_bytes());
    put(&mut options, TCA_BPF_NAME, &[name.as_bytes(), &[0]].concat());
    put(&mut options, TCA_BPF_FLAGS, &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes());
    let mut attributes = Vec::new();
    put(&mut attributes, TCA_KIND, b"bpf\0");
    put(&mut attributes, TCA_OPTIONS, &options);
    let before = filters(interface, hook)?;
    let target = TcTarget { interface, handle, parent: hook.parent(), info: info(0) };
    exchange(RTM_NEWTFILTER, NEW | ANSWER, target, &attributes, |_| {})?;
    let is_it = |filter: &TcFilter| filter.handle == handle && filter.program.as_deref() == Some(name);
    let added = filters(interface, hook)?.into_iter().find(|filter| is_it(filter) && !before.contains(filter));
    added.ok_or_else(|| io::Error::other("the kernel does not show the filter that it has taken"))
}

/// Removes a filter.
///
/// # Errors
/// When there is no such filter, or the kernel refuses.
pub fn remove_filter(interface: u32, hook: ClsactHook, filter: &TcFilter) -> io::Result<()> {
    let target = TcTarget { interface, handle: filter.handle, parent: hook.parent(), info: info(filter.priority) };
    exchange(RTM_DELTFILTER, ANSWER, target, &[], |_| {})
}

/// The priority and the protocol, in the byte order of the network, as `tcm_info` has them.
fn info(priority: u16) -> u32 {
    u32::from(priority) << 16 | u32::from(ALL_PROTOCOLS.to_be())
}

/// The fields of `struct tcmsg`.
#[derive(Debug, Clone, Copy)]
struct TcTarget {
    interface: u32,
    handle: u32,
    parent: u32,
    info: u32,
}

/// Sends a request and calls `on_message` for each message of the answer, from `struct tcmsg` on.
fn exchange(
    kind: u16,
    flags: u16,
    target: TcTarget,
    attributes: &[u8],
    mut on_message: impl FnMut(&[u8]),
) -> io::Result<()> {
    let length = (HEADER_BYTES + TCMSG_BYTES + attributes.len()) as u32;
    let mut request = Vec::new();
    request.extend(length.to_ne_bytes());
    request.extend([kind, flags | REQUEST].map(u16::to_ne_bytes).concat());
    // A number of the request, the port of the kernel, and the family.
    request
        .extend([1, 0, 0, target.interface, target.handle, target.parent, target.info].map(u32::to_ne_bytes).concat());
    request.extend(attributes);
    let socket = open()?;
    // SAFETY: the pointer is to as many bytes as the length says, which outlive the call.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut datagram = vec![0; DATAGRAM_BYTES];
    loop {
        let length = receive(&socket, &mut datagram)?;
        for (kind, payload) in messages(&datagram[..length]) {
            match kind {
                // Both begin with the error, negative, or 0.
                NLMSG_DONE | NLMSG_ERROR => return end(payload),
                _ => on_message(payload),
            }
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers; a descriptor that it gives has no other owner.
    unsafe {
        let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

fn receive(socket: &OwnedFd, into: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the pointer is to as many bytes as the length says, which outlive the call.
        let length = unsafe { libc::recv(socket.as_raw_fd(), into.as_mut_ptr().cast(), into.len(), libc::MSG_TRUNC) };
        match usize::try_from(length) {
            Ok(length) if length > 0 && length <= into.len() => return Ok(length),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "an empty or truncated message")),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

fn end(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk().map_or(0, |&code| i32::from_ne_bytes(code)) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.saturating_neg())),
    }
}

/// The messages of a datagram: kind and payload. One that is cut off ends them.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
        let payload = datagram.get(HEADER_BYTES..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
    })
}

/// The attributes: kind, without the bits that are flags, and value. One that is cut off ends them.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & 0x3fff;
        let value = bytes.get(ATTRIBUTE_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn put(into: &mut Vec<u8>, kind: u16, value: &[u8]) {
    into.extend(((ATTRIBUTE_BYTES + value.len()) as u16).to_ne_bytes());
    into.extend(kind.to_ne_bytes());
    into.extend(value);
    into.resize(into.len().next_multiple_of(4), 0);
}

/// The filter of a message; none for the head of a priority, which has no handle.
fn filter(message: &[u8]) -> Option<TcFilter> {
    let word = |at: usize| message.get(at..)?.first_chunk().map(|&bytes| u32::from_ne_bytes(bytes));
    let (handle, info) = (word(8).filter(|&handle| handle != 0)?, word(16)?);
    let mut inside = attributes(message.get(TCMSG_BYTES..)?).filter(|&(kind, _)| kind == TCA_OPTIONS);
    let name = inside.find_map(|(_, options)| attributes(options).find(|&(kind, _)| kind == TCA_BPF_NAME));
    let is_bpf = attributes(message.get(TCMSG_BYTES..)?).any(|(kind, value)| kind == TCA_KIND && value == b"bpf\0");
    let program = name.filter(|_| is_bpf).map(|(_, name)| {
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..end]).into_owned()
    });
    Some(TcFilter { program, handle, priority: (info >> 16) as u16 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(handle: u32, kind: &[u8], options: &[u8]) -> Vec<u8> {
        let mut message = [0, 2, handle, 0xffff_fff2, 49_152 << 16 | 0x300].map(u32::to_ne_bytes).concat();
        put(&mut message, TCA_KIND, kind);
        put(&mut message, 11, &[0; 4]);
        put(&mut message, TCA_OPTIONS | 0x8000, options);
        message
    }

    #[test]
    fn filters_are_read_with_the_names_of_their_programs() {
        let mut options = Vec::new();
        put(&mut options, TCA_BPF_FLAGS, &[1, 0, 0, 0]);
        put(&mut options, TCA_BPF_NAME, b"name\0");
        let of = |handle, program: Option<&str>| {
            Some(TcFilter { program: program.map(str::to_owned), handle, priority: 49_152 })
        };
        assert_eq!(filter(&message(1, b"bpf\0", &options)), of(1, Some("name")));
        assert_eq!(filter(&message(7, b"u32\0", &options)), of(7, None));
        assert_eq!(filter(&message(0, b"bpf\0", &[])), None, "the head of a priority");
        let whole = message(1, b"bpf\0", &options);
        (0..whole.len()).for_each(|length| drop(filter(&whole[..length])));
    }

    #[test]
    fn messages_end_where_the_datagram_does() {
        let mut datagram = Vec::new();
        for kind in [44_u16, 3] {
            datagram.extend(18_u32.to_ne_bytes());
            datagram.extend(kind.to_ne_bytes());
            datagram.extend([0; 14]);
        }
        let kinds =
            |datagram: &[u8]| messages(datagram).map(|(kind, payload)| (kind, payload.len())).collect::<Vec<_>>();
        assert_eq!(kinds(&datagram), [(44, 2), (3, 2)]);
        assert_eq!(kinds(&datagram[..30]), [(44, 2)]);
        assert_eq!(kinds(&[0; 40]), []);
    }

    #[test]
    fn kernel_answers_about_interfaces_without_filters_and_those_that_do_not_exist() {
        assert!(interface_exists(1) && !interface_exists(0x7fff_fff0));
        for hook in ClsactHook::ALL {
            assert_eq!(filters(0x7fff_fff0, hook).unwrap(), []);
        }
        assert!(remove_clsact(0x7fff_fff0).is_err() && add_clsact(0x7fff_fff0).is_err());
    }
}
