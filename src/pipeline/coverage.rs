//! The share of an interface's own count that is captured, as far as the two can be compared. Takes two counters;
//! gives their growth. Must not know why a capture loses packets.

use std::io;

use crate::account::snapshot::Coverage;
use crate::capture::live::Statistics;
use crate::capture::nic;

/// The comparison of one open handle.
pub(super) struct Comparison {
    /// The interface's counter at the last reading; none for good once it cannot be compared.
    on_interface: Option<u64>,
    /// The first reading failed and is still to be made.
    is_unread: bool,
    /// Packets delivered since then.
    delivered: u64,
}

impl Comparison {
    /// Begins to compare if the handle is the only one of its interface and receives all packets.
    pub(super) fn start(interface: &str, takes_all: bool) -> Self {
        let counted = if takes_all { counted_frames(interface) } else { Ok(None) };
        Self { is_unread: counted.is_err(), on_interface: counted.unwrap_or_default(), delivered: 0 }
    }

    /// The handle is being closed.
    pub(super) fn end(&mut self) {
        (self.on_interface, self.is_unread) = (None, false);
    }

    /// The growth of both counters since the last call. `holds` is true while the handle receives all packets and the
    /// interface is up.
    pub(super) fn next(&mut self, interface: &str, since: Statistics, holds: bool) -> Coverage {
        self.delivered += since.delivered();
        if self.on_interface.is_none() && !self.is_unread {
            return Coverage::default();
        }
        self.compare(if holds { counted_frames(interface) } else { Ok(None) })
    }

    /// A reading that failed is covered by the next one. A counter that has fallen was reset: its growth is unknown,
    /// and the comparison begins again.
    fn compare(&mut self, counted: io::Result<Option<u64>>) -> Coverage {
        let nothing_yet = Coverage { is_comparable: true, ..Coverage::default() };
        let Ok(counted) = counted else { return nothing_yet };
        self.is_unread = false;
        let before = std::mem::replace(&mut self.on_interface, counted);
        let delivered = std::mem::take(&mut self.delivered);
        let Some(now) = counted else { return Coverage::default() };
        match before.and_then(|before| now.checked_sub(before)) {
            None => nothing_yet,
            Some(on_interface) => Coverage { is_comparable: true, delivered, on_interface },
        }
    }
}

/// Packets that the interface has counted; none where its packets are not the frames that a capture sees.
fn counted_frames(interface: &str) -> io::Result<Option<u64>> {
    if nic::counts_frames(interface)? { nic::packets(interface) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(on_interface: u64, delivered: u64) -> Comparison {
        Comparison { on_interface: Some(on_interface), is_unread: false, delivered }
    }

    fn compared(delivered: u64, on_interface: u64) -> Coverage {
        Coverage { is_comparable: true, delivered, on_interface }
    }

    #[test]
    fn interface_counter_that_starts_over_starts_the_comparison_over() {
        let mut comparison = comparison(1_000, 5);
        assert_eq!(comparison.compare(Ok(Some(3))), compared(0, 0));
        comparison.delivered = 4;
        assert_eq!(comparison.compare(Ok(Some(7))), compared(4, 4));
    }

    #[test]
    fn reading_that_fails_is_made_up_for_by_the_next_one() {
        let mut comparison = comparison(10, 5);
        assert_eq!(comparison.compare(Err(io::Error::from_raw_os_error(24))), compared(0, 0));
        comparison.delivered += 2;
        assert_eq!(comparison.compare(Ok(Some(17))), compared(7, 7));
        assert_eq!(comparison.compare(Ok(None)), Coverage::default());
        assert_eq!(comparison.on_interface, None, "not comparable until the handle is opened again");
    }

    #[test]
    fn comparison_begins_with_the_first_reading_that_succeeds() {
        let mut comparison = Comparison { on_interface: None, is_unread: true, delivered: 3 };
        assert_eq!(comparison.compare(Err(io::Error::from_raw_os_error(24))), compared(0, 0));
        assert_eq!(comparison.compare(Ok(Some(50))), compared(0, 0));
        comparison.delivered = 2;
        assert_eq!(comparison.compare(Ok(Some(52))), compared(2, 2));
    }
}
