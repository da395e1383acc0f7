//! Reports changes of links, addresses or routes. Takes nothing; tells when the network should be read again. Must not
//! know what has changed.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::Error;

/// The multicast groups to listen to: links, addresses and routes.
const GROUPS: libc::c_int = libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE;

/// The most messages that are read at once.
const MOST_AT_ONCE: usize = 10_000;

/// A listener for changes of the network, in the namespace in which it was opened.
///
/// Open it before the network is read: then changes during the reading are reported afterwards.
#[derive(Debug)]
pub struct Changes {
    /// A netlink socket. The standard library's type has timeouts, and it receives as any datagram socket does.
    socket: UnixDatagram,
}

impl Changes {
    /// Starts to listen.
    ///
    /// # Errors
    /// The kernel gives no netlink socket.
    pub fn open() -> Result<Self, Error> {
        subscribe().map(|socket| Self { socket }).map_err(refused)
    }

    /// Waits for a change, up to `timeout`; true if there was one. All changes until then are reported at once, with
    /// those that the kernel could not queue. Returns early, with `false`, on a signal.
    ///
    /// A reported change need not change the [`super::Network`]: compare two readings.
    ///
    /// # Errors
    /// The socket fails.
    pub fn wait(&self, timeout: Duration) -> Result<bool, Error> {
        self.receive_all(timeout).map_err(refused)
    }

    fn receive_all(&self, timeout: Duration) -> io::Result<bool> {
        if !timeout.is_zero() {
            self.socket.set_read_timeout(Some(timeout))?;
            if !self.receive()? {
                return Ok(false);
            }
        }
        self.socket.set_nonblocking(true)?;
        let rest = self.drain();
        self.socket.set_nonblocking(false)?;
        Ok(rest? || !timeout.is_zero())
    }

    /// Reads the queued messages, but not for ever: on a router the routes may change all the time.
    fn drain(&self) -> io::Result<bool> {
        for taken in 0..MOST_AT_ONCE {
            if !self.receive()? {
                return Ok(taken > 0);
            }
        }
        Ok(true)
    }

    /// True if there was a message. Its content does not matter, so it may be cut.
    fn receive(&self) -> io::Result<bool> {
        match self.socket.recv(&mut [0; 16]) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(false),
                _ => Err(error),
            },
        }
    }
}

fn subscribe() -> io::Result<UnixDatagram> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, GROUPS.cast_unsigned()))?;
    Ok(UnixDatagram::from(socket.as_fd().try_clone_to_owned()?))
}

fn refused(source: io::Error) -> Error {
    Error::Kernel { what: "changes", source }
}
