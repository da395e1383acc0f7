//! What a network interface itself counts, and whether each frame that it counts is one that a capture sees.

use std::fs;

use super::live::splits_or_joins;
use super::{names, network};

/// The network devices of the process's namespace, one a line, with their counters (proc_pid_net(5)).
const DEVICES: &str = "/proc/self/net/dev";
/// In the counters of a line: packets received, packets sent.
const RECEIVED: usize = 1;
const SENT: usize = 9;

/// Packets that `interface` received and sent since it was made; none where there is no such interface.
#[must_use]
pub fn packets(interface: &str) -> Option<u64> {
    packets_in(&fs::read(DEVICES).ok()?, &names::to_bytes(interface))
}

/// Whether its packets are the frames that a capture without filter sees: nothing joins or splits them in between (GRO, LRO,
/// TSO, GSO), and no program may drop them (XDP).
#[must_use]
pub fn counts_frames(interface: &str) -> bool {
    let leaves_whole = splits_or_joins(interface).is_ok_and(|splits_or_joins| !splits_or_joins);
    leaves_whole && network::has_program(interface).is_ok_and(|has_program| !has_program)
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
    fn any_counts_nothing() {
        assert_eq!(packets("any"), None);
        assert!(!counts_frames("any"));
    }
}
