//! The frames that an interface dropped before any capture could see them. Takes an interface's index; gives a
//! counter. Must not know captures.

use netlink_packet_route::link::LinkMessage;

use super::Error;
use super::request::ask_about;
use super::rtnetlink::{LINK_HEADER_BYTES, attribute};

/// Positions in `struct rtnl_link_stats64`, which is made of 64-bit counters (linux/if_link.h).
const RX_FIFO_ERRORS: usize = 14;
const RX_MISSED_ERRORS: usize = 15;
const COUNTER_BYTES: usize = 8;

/// The frames that the interface with this index, or its driver, has dropped for want of space since it was made. A
/// name would not do: another interface may get it. The counter belongs to the driver and may start over.
///
/// # Errors
/// When there is no such interface, or the kernel refuses to answer.
pub(in crate::capture) fn dropped_frames(index: u32) -> Result<u64, Error> {
    let mut question = LinkMessage::default();
    question.header.index = index;
    let missing = || Error::Answer { what: "links", reason: "the statistics are missing".to_owned() };
    counted_drops(&ask_about(question)?).ok_or_else(missing)
}

/// The same two counters as libpcap's `ps_ifdrop`.
fn counted_drops(link: &[u8]) -> Option<u64> {
    let statistics = attribute(link, LINK_HEADER_BYTES, libc::IFLA_STATS64)?;
    let counter = |position: usize| {
        let bytes = statistics.get(position * COUNTER_BYTES..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    };
    Some(counter(RX_FIFO_ERRORS)?.saturating_add(counter(RX_MISSED_ERRORS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link with statistics of which the counter at each position is that position.
    fn link(counters: u64) -> Vec<u8> {
        let mut link = vec![0; LINK_HEADER_BYTES];
        let length = u16::try_from(4 + 8 * counters).unwrap();
        link.extend(length.to_ne_bytes().into_iter().chain(libc::IFLA_STATS64.to_ne_bytes()));
        (0..counters).for_each(|counter| link.extend(counter.to_ne_bytes()));
        link
    }

    #[test]
    fn missed_and_overrun_frames_add_up() {
        assert_eq!(counted_drops(&link(24)), Some(14 + 15));
        assert_eq!(counted_drops(&link(15)), None, "cut short");
        assert_eq!(counted_drops(&[0; LINK_HEADER_BYTES]), None, "no statistics");
    }

    #[test]
    fn kernel_answers_for_an_interface_that_exists() {
        assert_eq!(dropped_frames(1).unwrap(), 0, "loopback drops nothing");
        assert!(matches!(dropped_frames(u32::MAX >> 1), Err(Error::Kernel { .. })));
    }
}
