//! Addresses to listen on: `[HOST]:PORT`. Takes text; gives listening sockets. Must not know the connections on them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::str::FromStr;

use socket2::{Domain, SockRef, Socket, Type};

/// Length of the queue of connections to be accepted. When it is full the kernel drops new ones, and their clients
/// try again after a second. It is long, so that a crowd of refused clients leaves space for a scraper. The standard
/// library asks for 128; the kernel has a limit of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// The name that stands for the loopback addresses everywhere (RFC 6761, section 6.3).
const LOCALHOST: &str = "localhost";

/// EAFNOSUPPORT on Linux: the kernel has no IPv6 at all. The standard library has no stable kind for it.
const NO_SUCH_FAMILY: i32 = 97;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an address; none means all addresses of the host, IPv6 and IPv4.
    pub host: Option<String>,
    /// The TCP port; 0 lets the kernel choose.
    pub port: u16,
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address to listen on; give [HOST]:PORT, such as :8888, localhost:8888 or [::1]:8888")]
pub struct InvalidListenAddress(pub String);

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidListenAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let digits_only = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits_only).ok_or_else(invalid)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            // IPv6 needs the brackets, IPv4 may have them: a template need not know the version.
            Some(inside) => inside.parse::<IpAddr>().map_err(|_| invalid())?.to_string(),
            None if host.contains([':', '[', ']', '/', ' ']) => return Err(invalid()),
            None => host.to_owned(),
        };
        Ok(Self { host: Some(host).filter(|host| !host.is_empty()), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref() {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

impl ListenAddress {
    /// True if it stands for all addresses of the host.
    pub fn is_every_address(&self) -> bool {
        let Some(host) = &self.host else { return true };
        host.parse().is_ok_and(|address: IpAddr| address.is_unspecified())
    }

    /// One socket for all addresses, or one for each address that the host's name stands for.
    pub(super) fn bind(&self) -> io::Result<Vec<TcpListener>> {
        let Some(host) = &self.host else {
            return self.bind_all_addresses().map(|listener| vec![listener]);
        };
        let mut listeners = Vec::new();
        let mut first_error = None;
        for address in addresses_of(host, self.port)? {
            match listen(address) {
                Ok(listener) => listeners.push(listener),
                // A name may stand for an IPv6 address on a host without IPv6.
                Err(error) if is_missing(&error) => {
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match (listeners.is_empty(), first_error) {
            (true, Some(error)) => Err(error),
            (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, "the host name has no address")),
            (false, _) => Ok(listeners),
        }
    }

    /// An IPv6 socket that takes IPv4 clients too; without IPv6 an IPv4 one does.
    fn bind_all_addresses(&self) -> io::Result<TcpListener> {
        match self.bind_both_versions() {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => listen((Ipv4Addr::UNSPECIFIED, self.port).into()),
            bound => bound,
        }
    }

    /// As the standard library binds, but for both versions whatever `net.ipv6.bindv6only` says.
    fn bind_both_versions(&self) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        socket.set_only_v6(false)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port)).into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }
}

/// The addresses of a name. `localhost` always means both loopback addresses, because the host's table of names may
/// have only an IPv6 address for it while IPv6 is off.
fn addresses_of(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host.eq_ignore_ascii_case(LOCALHOST) {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// True if the host has no such address: IPv6 is switched off, or the kernel was built without it.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // Once more, for a longer queue.
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for text in [":8888", "localhost:0", "127.0.0.1:65535", "[::1]:8888"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!("[::]:1".parse::<ListenAddress>().unwrap().host.as_deref(), Some("::"));
        assert_eq!("[10.0.0.1]:1".parse::<ListenAddress>().unwrap().to_string(), "10.0.0.1:1");
    }

    #[test]
    fn invalid_address_is_refused() {
        for text in [
            "",
            "8888",
            "localhost",
            ":",
            ":x",
            ":+1",
            ":65536",
            "::1:8888",
            "[::1]",
            "[x]:1",
            "[10.0.0]:1",
            "http://a:1",
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn localhost_is_both_loopback_addresses_for_any_table_of_names() {
        for name in ["localhost", "LOCALHOST"] {
            let addresses: Vec<String> = addresses_of(name, 9).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(addresses, ["127.0.0.1:9", "[::1]:9"]);
        }
        let listeners = "localhost:0".parse::<ListenAddress>().unwrap().bind().unwrap();
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap().ip().is_loopback()));
    }

    #[test]
    fn every_address_is_no_host_or_an_unspecified_one() {
        for (text, expected) in
            [(":1", true), ("0.0.0.0:1", true), ("[::]:1", true), ("localhost:1", false), ("10.0.0.1:1", false)]
        {
            assert_eq!(text.parse::<ListenAddress>().unwrap().is_every_address(), expected, "{text}");
        }
    }

    #[test]
    fn all_addresses_take_clients_of_ipv4() {
        let listener = &":0".parse::<ListenAddress>().unwrap().bind().unwrap()[0];
        let port = listener.local_addr().unwrap().port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
