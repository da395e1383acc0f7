//! Locks that each network namespace has of its own. Takes a name; gives the lock, or the process that has it. Must not
//! know what is locked.
//!
//! A lock is a socket with an abstract name (unix(7)): it needs no directory and no right, and the kernel removes it when
//! its process ends in any way.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

/// The most askers that are forgotten at once.
const ASKERS: usize = 1_024;

/// A lock, until it is dropped.
#[derive(Debug)]
pub struct NamespaceLock {
    socket: UnixListener,
}

/// The reason why there is no lock.
#[derive(Debug)]
pub enum LockFailure {
    /// Another process has it: its number, if this process can see it.
    Held(Option<u32>),
    /// The kernel refuses.
    Refused(io::Error),
}

impl NamespaceLock {
    /// Takes the lock of this name, at most 107 bytes long.
    ///
    /// # Errors
    /// When it is held, or the kernel refuses.
    pub fn take(name: &str) -> Result<Self, LockFailure> {
        let bind = || UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?);
        match bind() {
            Ok(socket) => socket.set_nonblocking(true).map(|()| Self { socket }).map_err(LockFailure::Refused),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(LockFailure::Held(holder(name).ok())),
            Err(error) => Err(LockFailure::Refused(error)),
        }
    }

    /// Forgets those that have asked for the holder: the kernel keeps each until then, and a full queue answers no more.
    pub fn forget_askers(&self) {
        (0..ASKERS).take_while(|_| self.socket.accept().is_ok()).for_each(drop);
    }
}

/// The process that has the lock, as the kernel knows it from the moment at which it took the lock.
fn holder(name: &str) -> io::Result<u32> {
    // SAFETY: an address is plain numbers, of which all zeros are some.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // An abstract name stands behind a zero.
    address.sun_path[1..].iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte.cast_signed());
    let length = (std::mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len()) as libc::socklen_t;
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut peer_length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are to values of the lengths given, which outlive the calls; the descriptor has one owner.
    let result = unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let fd = libc::socket(libc::AF_UNIX, kind, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(fd);
        match libc::connect(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), length) {
            0 => {
                let peer = std::ptr::from_mut(&mut peer).cast();
                libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, peer, &mut peer_length)
            }
            failed => failed,
        }
    };
    match u32::try_from(peer.pid) {
        _ if result != 0 => Err(io::Error::last_os_error()),
        // 0 for a process that this process's namespace of processes does not have.
        Ok(process) if process > 0 => Ok(process),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_held_until_it_is_dropped_and_names_its_process() {
        let name = format!("trafficmonitor/test/{}", std::process::id());
        let lock = NamespaceLock::take(&name).unwrap();
        // More than the kernel keeps in a queue.
        for _ in 0..5 {
            for _ in 0..1_000 {
                match NamespaceLock::take(&name) {
                    Err(LockFailure::Held(process)) => assert_eq!(process, Some(std::process::id())),
                    other => panic!("{other:?}"),
                }
            }
            lock.forget_askers();
        }
        assert!(NamespaceLock::take(&format!("{name}/other")).is_ok());
        drop(lock);
        assert!(NamespaceLock::take(&name).is_ok());
    }

    #[test]
    fn full_queue_of_askers_refuses_without_the_process_and_does_not_wait() {
        let name = format!("trafficmonitor/full/{}", std::process::id());
        let _lock = NamespaceLock::take(&name).unwrap();
        let asked = (0..10_000).find(|_| matches!(NamespaceLock::take(&name), Err(LockFailure::Held(None))));
        assert!(asked.is_some_and(|asked| asked > 0), "{asked:?}");
    }
}
