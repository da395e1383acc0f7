//! A wait that the kernel may end before its time (epoll). Takes a descriptor; returns at its next wake-up or at the end
//! of the time. Must not know what is read from the descriptor.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::thread;
use std::time::Duration;

/// Waits for wake-ups of a descriptor. Data without a wake-up do not end the wait, because it is edge-triggered.
#[derive(Debug)]
pub struct WakeupWait(OwnedFd);

impl WakeupWait {
    /// A wait for wake-ups of `descriptor`.
    ///
    /// # Errors
    /// When the process has too many descriptors.
    pub fn new(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: the call has no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and of this value alone.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
        // SAFETY: both descriptors are open, and the kernel copies the event.
        let added =
            unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor.as_raw_fd(), &raw mut event) };
        if added < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(epoll)) }
    }

    /// Waits for a wake-up, but no longer than `most`.
    pub fn wait(&self, most: Duration) {
        let Ok(milliseconds @ 1..) = i32::try_from(most.as_millis()) else { return thread::sleep(most) };
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: the kernel writes one event.
        let events = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, milliseconds) };
        if events < 0 {
            // A signal, or a filter of system calls: the caller reads by the clock all the same.
            thread::sleep(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    #[test]
    fn wakeup_ends_the_wait_before_its_time_and_data_that_are_left_do_not() {
        let (reader, mut writer) = UnixStream::pair().unwrap();
        let wakeups = WakeupWait::new(reader.as_fd()).unwrap();
        let waited = |most: Duration| {
            let begin = Instant::now();
            wakeups.wait(most);
            begin.elapsed()
        };
        writer.write_all(b"one").unwrap();
        assert!(waited(Duration::from_secs(60)) < Duration::from_secs(30));
        let most = Duration::from_millis(20);
        assert!(waited(most) >= most, "the three bytes are still there, without another wake-up");
        writer.write_all(b"two").unwrap();
        assert!(waited(Duration::from_secs(60)) < Duration::from_secs(30));
    }

    #[test]
    fn wait_below_a_millisecond_is_a_wait() {
        let (reader, _writer) = UnixStream::pair().unwrap();
        let wakeups = WakeupWait::new(reader.as_fd()).unwrap();
        let (begin, most) = (Instant::now(), Duration::from_micros(300));
        wakeups.wait(most);
        assert!(begin.elapsed() >= most);
    }
}
