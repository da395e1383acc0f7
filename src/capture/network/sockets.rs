//! The open TCP and UDP sockets of this host's network namespace (sock_diag(7)). Takes nothing; gives the ends and the
//! inode of each socket. Must not know processes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};

use super::Error;
use super::request::NetlinkRequest;
use crate::packet::Protocol;

/// The most sockets that are read at once.
pub const MAX_SOCKETS: usize = 1 << 18;

/// The netlink protocol, and the message that asks for sockets by family (linux/sock_diag.h).
const NETLINK_SOCK_DIAG: isize = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = 56;
/// `struct inet_diag_msg` (linux/inet_diag.h), and positions in it.
const MESSAGE_BYTES: usize = 72;
const LOCAL_PORT: usize = 4;
const REMOTE_PORT: usize = 6;
const LOCAL_ADDRESS: usize = 8;
const REMOTE_ADDRESS: usize = 24;
const INODE: usize = 68;

/// All states but TIME_WAIT and NEW_SYN_RECV, in which a socket belongs to no process (net/tcp_states.h).
const STATES: u32 = 0x0fff & !(1 << 6);

const SUBJECT: &str = "sockets";

/// An open socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSocket {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Its own address; unspecified if it listens on all.
    pub local: IpAddr,
    /// Its own port.
    pub local_port: u16,
    /// The other address; unspecified if it is not connected.
    pub remote: IpAddr,
    /// The other port; 0 if it is not connected.
    pub remote_port: u16,
    /// The number of the socket's file.
    pub inode: u32,
}

/// Reads all sockets and hands each over; gives the number of sockets past [`MAX_SOCKETS`].
///
/// # Errors
/// When the kernel refuses, or its answer cannot be read.
pub fn read_sockets(mut take: impl FnMut(OpenSocket)) -> Result<u64, Error> {
    let mut read = 0_usize;
    for family in [libc::AF_INET, libc::AF_INET6] {
        for protocol in [Protocol::TCP, Protocol::UDP] {
            let kernel = |source| Error::Kernel { what: SUBJECT, source };
            let question = question(family, protocol);
            let mut request = NetlinkRequest::of_bytes(NETLINK_SOCK_DIAG, &question).map_err(kernel)?;
            while let Some(payload) = request.next(SUBJECT)? {
                read += 1;
                if let Some(socket) = socket(protocol, &payload).filter(|_| read <= MAX_SOCKETS) {
                    take(socket);
                }
            }
        }
    }
    Ok(read.saturating_sub(MAX_SOCKETS) as u64)
}

/// The message that asks for all sockets of a family and a protocol.
fn question(family: i32, protocol: Protocol) -> [u8; HEADER_BYTES + REQUEST_BYTES] {
    let mut message = [0; HEADER_BYTES + REQUEST_BYTES];
    message[..4].copy_from_slice(&((HEADER_BYTES + REQUEST_BYTES) as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message[HEADER_BYTES] = family as u8;
    message[HEADER_BYTES + 1] = protocol.0;
    message[HEADER_BYTES + 4..HEADER_BYTES + 8].copy_from_slice(&STATES.to_ne_bytes());
    message
}

/// Reads `struct inet_diag_msg`. Addresses and ports are in network order.
fn socket(protocol: Protocol, message: &[u8]) -> Option<OpenSocket> {
    let message = message.first_chunk::<MESSAGE_BYTES>()?;
    let port = |position: usize| u16::from_be_bytes([message[position], message[position + 1]]);
    let is_v4 = i32::from(message[0]) == libc::AF_INET;
    let inode = message[INODE..].first_chunk().map(|inode| u32::from_ne_bytes(*inode)).filter(|&inode| inode != 0)?;
    Some(OpenSocket {
        protocol,
        local: address(is_v4, &message[LOCAL_ADDRESS..])?,
        local_port: port(LOCAL_PORT),
        remote: address(is_v4, &message[REMOTE_ADDRESS..])?,
        remote_port: port(REMOTE_PORT),
        inode,
    })
}

/// An address; one of IPv4 on a socket of IPv6 is given as IPv4.
fn address(is_v4: bool, bytes: &[u8]) -> Option<IpAddr> {
    if is_v4 {
        return bytes.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into());
    }
    bytes.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn sockets() -> Vec<OpenSocket> {
        let mut sockets = Vec::new();
        read_sockets(|socket| sockets.push(socket)).unwrap();
        sockets
    }

    fn inode(file: &impl std::os::fd::AsRawFd) -> u32 {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        u32::try_from(std::fs::metadata(path).unwrap().ino()).unwrap()
    }

    #[test]
    fn own_sockets_are_found_with_their_ends_and_inodes() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let datagrams = UdpSocket::bind("[::]:0").unwrap();
        let all = sockets();
        let of = |inode: u32| *all.iter().find(|socket| socket.inode == inode).unwrap();
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let listening = of(inode(&server));
        assert_eq!((listening.local, listening.local_port, listening.remote_port), (localhost, port, 0));
        let connected = of(inode(&client));
        assert_eq!((connected.remote, connected.remote_port, connected.protocol), (localhost, port, Protocol::TCP));
        assert_eq!(connected.local_port, client.local_addr().unwrap().port());
        let unconnected = of(inode(&datagrams));
        assert_eq!(
            (unconnected.protocol, unconnected.local_port),
            (Protocol::UDP, datagrams.local_addr().unwrap().port())
        );
        assert!(unconnected.local.is_unspecified() && unconnected.remote.is_unspecified());
    }

    #[test]
    fn truncated_message_and_socket_without_inode_are_left_out() {
        let mut message = [0; MESSAGE_BYTES];
        message[0] = libc::AF_INET as u8;
        assert_eq!(socket(Protocol::TCP, &message), None, "no inode");
        message[INODE] = 1;
        assert!(socket(Protocol::TCP, &message).is_some());
        (0..MESSAGE_BYTES).for_each(|end| assert_eq!(socket(Protocol::TCP, &message[..end]), None));
    }
}
