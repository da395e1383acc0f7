//! The network interface's own counters, and whether they count the same frames as a capture. Takes the name of an
//! interface; gives counters of packets. Must not know the counters of captures.

use std::fs;
use std::io;

use super::{names, network};
use crate::os::ethtool::splits_or_joins;

/// The network devices of the process's namespace, one a line, with their counters (proc_pid_net(5)).
const DEVICES: &str = "/proc/self/net/dev";
/// The position of the received packets among the counters of a line.
const RECEIVED: usize = 1;
/// The position of the sent packets.
const SENT: usize = 9;

/// A counter of the kernel or a driver. It may start over at any time, when a driver is reset or an interface made
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForeignCounter {
    last: u64,
}

impl ForeignCounter {
    pub(super) fn starting_at(now: u64) -> Self {
        Self { last: now }
    }

    /// The count since the last reading. A reading below the last one means that the counter has started over at 0.
    pub(super) fn add(&mut self, now: u64) -> u64 {
        let since = now.checked_sub(self.last).unwrap_or(now);
        self.last = now;
        since
    }
}

/// Packets that `interface` received and sent since it was made; none if there is no such interface.
///
/// # Errors
/// When the counters cannot be read, for example because no file descriptor is free.
pub fn packets(interface: &str) -> io::Result<Option<u64>> {
    Ok(packets_in(&fs::read(DEVICES)?, &names::to_bytes(interface)))
}

/// The reason why the packets of an interface are not the frames that a capture sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameDifference {
    /// Frames are joined or split in between (GRO, LRO, TSO, GSO).
    Offloads,
    /// A program may drop frames (XDP).
    Xdp,
    /// The kernel does not know such an interface, or does not answer such a question.
    Unanswered,
}

/// The reason why the packets of an interface are not the frames that a capture without filter sees; none if they are.
///
/// # Errors
/// When the kernel cannot be asked, because no file descriptor or memory is free.
pub fn frame_difference(interface: &str) -> io::Result<Option<FrameDifference>> {
    let offloads = difference(splits_or_joins(&names::to_bytes(interface)), FrameDifference::Offloads)?;
    if offloads.is_some() {
        return Ok(offloads);
    }
    let is_dropped = network::xdp_place(interface).map(|place| place.is_some()).map_err(|error| match error {
        network::Error::Kernel { source, .. } => source,
        network::Error::Answer { .. } => io::Error::other(error),
    });
    difference(is_dropped, FrameDifference::Xdp)
}

/// The difference that the answer `true` means; none for `false`. A question that failed is an unknown difference, but an
/// error that will pass is given.
fn difference(answer: io::Result<bool>, of_true: FrameDifference) -> io::Result<Option<FrameDifference>> {
    const PASSING: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS, libc::EINTR];
    match answer {
        Ok(is_true) => Ok(is_true.then_some(of_true)),
        Err(error) if error.raw_os_error().is_some_and(|code| PASSING.contains(&code)) => Err(error),
        Err(_) => Ok(Some(FrameDifference::Unanswered)),
    }
}

fn packets_in(devices: &[u8], interface: &[u8]) -> Option<u64> {
    let mut lines = devices.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_start);
    let counters = lines.find_map(|line| line.strip_prefix(interface)?.strip_prefix(b":"))?;
    let counters = std::str::from_utf8(counters).ok()?;
    let counters: Vec<u64> = counters.split_whitespace().map_while(|counter| counter.parse().ok()).collect();
    Some(counters.get(RECEIVED)? + counters.get(SENT)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_and_sent_add_up() {
        let devices = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop\n\
            \x20   lo:  100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n\
            \x20 eth0: 2000      20    0    0    0     0          0         0      300       3    0    0    0     0       0          0\n\
            \x20eth01:4000      40    0    0    0     0          0         0      500       5    0    0    0     0       0          0\n";
        assert_eq!(
            ["lo", "eth0", "eth01", "eth"].map(|name| packets_in(devices.as_bytes(), name.as_bytes())),
            [Some(2), Some(23), Some(45), None]
        );
        assert_eq!(packets_in(b"\xffeth: 1 7 0 0 0 0 0 0 1 8 0", b"\xffeth"), Some(15));
    }

    #[test]
    fn counter_that_falls_has_started_over() {
        let mut dropped = ForeignCounter::starting_at(1_000);
        let added = [1_000, 1_003, 7, 7, 0, 2].map(|now| dropped.add(now));
        assert_eq!(added, [0, 3, 7, 0, 0, 2]);
        assert_eq!(ForeignCounter::starting_at(u64::MAX).add(5), 5);
    }

    #[test]
    fn lack_of_descriptors_is_no_answer() {
        let found = |answer| difference(answer, FrameDifference::Xdp);
        assert!(found(Err(io::Error::from_raw_os_error(libc::EMFILE))).is_err());
        assert_eq!(found(Err(io::Error::from_raw_os_error(libc::ENODEV))).unwrap(), Some(FrameDifference::Unanswered));
        assert_eq!([false, true].map(|answer| found(Ok(answer)).unwrap()), [None, Some(FrameDifference::Xdp)]);
    }

    #[test]
    fn any_counts_nothing() {
        assert_eq!(packets("any").unwrap(), None);
        assert_eq!(frame_difference("any").unwrap(), Some(FrameDifference::Unanswered));
    }

    #[test]
    fn loopback_joins_and_splits_frames() {
        assert_eq!(frame_difference("lo").unwrap(), Some(FrameDifference::Offloads));
    }
}
