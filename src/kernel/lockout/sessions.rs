//! The SSH sessions of this host. Takes the kernel's tables of TCP connections and the sockets of SSH servers; gives
//! the addresses of the other sides. Must not know the permitted networks.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::os::processes::sockets_of;

/// The programs of SSH servers. OpenSSH 9.8 and newer have a program for each session.
const SERVERS: [&str; 4] = ["sshd", "sshd-session", "sshd-auth", "dropbear"];
/// The port of the SSH server (IANA).
const SSH: u16 = 22;
/// TCP_ESTABLISHED and TCP_LISTEN in the kernel's tables.
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

/// The other sides of the established SSH sessions, in the current network namespace.
///
/// # Errors
/// When the processes of this host or its TCP connections cannot be listed.
pub(super) fn ssh_peers() -> io::Result<BTreeSet<IpAddr>> {
    let owned = sockets_of(&SERVERS)?;
    if owned.hidden_processes > 0 {
        tracing::warn!(
            processes = owned.hidden_processes,
            "the sockets of SSH servers cannot be seen (that takes root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH); only sessions on port 22, and \
             the one that SSH_CONNECTION names, are kept from being cut off"
        );
    }
    let mut sockets = read_table("/proc/net/tcp")?;
    sockets.extend(read_table("/proc/net/tcp6")?);
    Ok(peers(&sockets, &owned.inodes))
}

/// A TCP socket in the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TcpSocket {
    local_port: u16,
    remote: IpAddr,
    state: u8,
    inode: u64,
}

/// The other sides of the connections that an SSH server has, or that belong to one of its ports.
fn peers(sockets: &[TcpSocket], of_servers: &BTreeSet<u64>) -> BTreeSet<IpAddr> {
    let is_of_server = |socket: &TcpSocket| of_servers.contains(&socket.inode);
    let listening = sockets.iter().filter(|socket| socket.state == LISTEN && is_of_server(socket));
    let ports: BTreeSet<u16> = listening.map(|socket| socket.local_port).chain([SSH]).collect();
    let is_session = |socket: &&TcpSocket| {
        socket.state == ESTABLISHED && (is_of_server(socket) || ports.contains(&socket.local_port))
    };
    sockets.iter().filter(is_session).map(|socket| socket.remote).collect()
}

/// A kernel without IPv6 has no table of it.
fn read_table(path: &str) -> io::Result<Vec<TcpSocket>> {
    match fs::read_to_string(path) {
        Ok(table) => Ok(table.lines().skip(1).filter_map(socket).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
    }
}

/// A line of `/proc/net/tcp` or `tcp6`: number, local end, remote end, state, queues, timer, retransmits, user, timeout,
/// inode, …
fn socket(line: &str) -> Option<TcpSocket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[_, local, remote, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
    Some(TcpSocket {
        local_port: u16::from_str_radix(local.split_once(':')?.1, 16).ok()?,
        remote: address(remote.split_once(':')?.0)?,
        state: u8::from_str_radix(state, 16).ok()?,
        inode: inode.parse().ok()?,
    })
}

/// An address as words of the machine's byte order, in hexadecimal. An IPv4 address in IPv6 form is an IPv4 address.
fn address(text: &str) -> Option<IpAddr> {
    if text.len() == 8 {
        return Some(IpAddr::V4(Ipv4Addr::from(word(text)?.to_ne_bytes())));
    }
    let words = (0..4).map(|at| word(text.get(at * 8..at * 8 + 8)?)).collect::<Option<Vec<u32>>>()?;
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    Some(address.to_canonical())
}

fn word(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// The peers in a table without its heading, where a server has the sockets of these inodes.
    fn peers_in(table: &str, of_servers: &[u64]) -> BTreeSet<IpAddr> {
        let sockets: Vec<TcpSocket> = table.lines().map(|line| socket(line).expect(line)).collect();
        peers(&sockets, &of_servers.iter().copied().collect())
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn peers_of_sessions_on_port_22_are_found_without_a_known_server() {
        let rest = "00000000:00000000 00:00000000 00000000 0 0";
        let table = format!(
            "0: 0A02000A:0016 0500A8C0:C350 01 {rest} 11 1\n1: 0A02000A:0016 0600A8C0:C350 06 {rest} 0 1\n\
             2: 0A02000A:01BB 0700A8C0:C350 01 {rest} 12 1\n3: 00000000:0016 00000000:0000 0A {rest} 13 1"
        );
        assert_eq!(peers_in(&table, &[]), addresses(&["192.168.0.5"]));
        let table = format!(
            "0: 0000000000000000FFFF00000A02000A:0016 0000000000000000FFFF00000500A8C0:C350 01 {rest} 11 1\n\
             1: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:C350 01 {rest} 12 1"
        );
        assert_eq!(peers_in(&table, &[]), addresses(&["192.168.0.5", "2001:db8::2"]));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn peers_of_a_server_are_found_on_every_port() {
        let rest = "00000000:00000000 00:00000000 00000000 0 0";
        let table = format!(
            "0: 00000000:08AE 00000000:0000 0A {rest} 20 1\n1: 0A02000A:08AE 0500A8C0:C350 01 {rest} 21 1\n\
             2: 0A02000A:08AF 0600A8C0:C350 01 {rest} 22 1\n3: 0A02000A:01BB 0700A8C0:C350 01 {rest} 23 1"
        );
        assert_eq!(peers_in(&table, &[]), addresses(&[]));
        assert_eq!(peers_in(&table, &[20]), addresses(&["192.168.0.5"]), "it listens on the port of the session");
        assert_eq!(peers_in(&table, &[22]), addresses(&["192.168.0.6"]), "it has the session itself");
    }

    #[test]
    fn tables_of_this_host_are_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let sockets = read_table("/proc/net/tcp").unwrap();
        let mut states: Vec<u8> =
            sockets.iter().filter(|socket| socket.local_port == address.port()).map(|socket| socket.state).collect();
        states.sort_unstable();
        assert!(states.contains(&ESTABLISHED) && states.contains(&LISTEN), "{states:?}");
        assert!(read_table("/proc/net/no-such-table").unwrap().is_empty());
    }
}
