//! The share of an interface's own count that is captured, as far as the two can be compared. Takes two counters;
//! gives their growth. Must not know why a capture loses packets.

use std::io;

use crate::account::snapshot::{Coverage, CoverageObstacle};
use crate::capture::live::Statistics;
use crate::capture::nic::{self, FrameDifference};

/// The comparison of one open handle.
#[derive(Default)]
pub(super) struct Comparison {
    /// The interface's counter at the last reading; none if no reading has succeeded yet.
    on_interface: Option<u64>,
    /// The reason why nothing is compared any more.
    obstacle: Option<CoverageObstacle>,
    /// Packets delivered since the last reading.
    delivered: u64,
}

impl Comparison {
    /// Begins to compare, unless there is an obstacle, which stays for good.
    pub(super) fn start(interface: &str, obstacle: Option<CoverageObstacle>) -> Self {
        let mut comparison = Self { on_interface: None, obstacle, delivered: 0 };
        if obstacle.is_none() {
            comparison.compare(counted_frames(interface));
        }
        comparison
    }

    /// The handle is being closed.
    pub(super) fn end(&mut self) {
        self.obstacle = Some(CoverageObstacle::Down);
    }

    /// The growth of both counters since the last call. There is no `obstacle` while the handle receives all packets and
    /// the interface is up.
    pub(super) fn next(&mut self, interface: &str, since: Statistics, obstacle: Option<CoverageObstacle>) -> Coverage {
        self.delivered += since.delivered();
        match (self.obstacle, obstacle) {
            (Some(_), _) => Coverage { obstacle: self.obstacle, ..Coverage::default() },
            (None, Some(obstacle)) => self.compare(Ok(Err(obstacle))),
            (None, None) => self.compare(counted_frames(interface)),
        }
    }

    /// A reading that failed is covered by the next one. A counter that has fallen was reset: its growth is unknown,
    /// and the comparison begins again.
    fn compare(&mut self, counted: io::Result<Result<u64, CoverageObstacle>>) -> Coverage {
        let nothing_yet = Coverage { is_comparable: true, ..Coverage::default() };
        match counted {
            Err(_) => nothing_yet,
            Ok(Err(obstacle)) => {
                *self = Self { obstacle: Some(obstacle), ..Self::default() };
                Coverage { obstacle: Some(obstacle), ..Coverage::default() }
            }
            Ok(Ok(now)) => {
                let before = std::mem::replace(self, Self { on_interface: Some(now), ..Self::default() });
                let passed = before.on_interface.and_then(|earlier| now.checked_sub(earlier));
                passed.map_or(nothing_yet, |on_interface| Coverage {
                    delivered: before.delivered,
                    on_interface,
                    ..nothing_yet
                })
            }
        }
    }
}

/// Packets that the interface has counted, or the reason why these are not the frames that a capture sees.
fn counted_frames(interface: &str) -> io::Result<Result<u64, CoverageObstacle>> {
    Ok(match nic::frame_difference(interface)? {
        Some(FrameDifference::Offloads) => Err(CoverageObstacle::Offloads),
        Some(FrameDifference::Xdp) => Err(CoverageObstacle::Xdp),
        Some(FrameDifference::Unanswered) => Err(CoverageObstacle::Unanswered),
        None => nic::packets(interface)?.ok_or(CoverageObstacle::Unanswered),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(on_interface: u64, delivered: u64) -> Comparison {
        Comparison { on_interface: Some(on_interface), obstacle: None, delivered }
    }

    fn compared(delivered: u64, on_interface: u64) -> Coverage {
        Coverage { is_comparable: true, delivered, on_interface, obstacle: None }
    }

    #[test]
    fn interface_counter_that_starts_over_starts_the_comparison_over() {
        let mut comparison = comparison(1_000, 5);
        assert_eq!(comparison.compare(Ok(Ok(3))), compared(0, 0));
        comparison.delivered = 4;
        assert_eq!(comparison.compare(Ok(Ok(7))), compared(4, 4));
    }

    #[test]
    fn reading_that_fails_is_made_up_for_by_the_next_one() {
        let mut comparison = comparison(10, 5);
        assert_eq!(comparison.compare(Err(io::Error::from_raw_os_error(24))), compared(0, 0));
        comparison.delivered += 2;
        assert_eq!(comparison.compare(Ok(Ok(17))), compared(7, 7));
        let offloads = Coverage { obstacle: Some(CoverageObstacle::Offloads), ..Coverage::default() };
        assert_eq!(comparison.compare(Ok(Err(CoverageObstacle::Offloads))), offloads);
        let next = comparison.next("lo", Statistics::default(), None);
        assert_eq!(next, offloads, "not comparable until the handle is opened again");
    }

    #[test]
    fn obstacle_at_the_start_is_named() {
        for (interface, obstacle, expected) in [
            ("lo", None, CoverageObstacle::Offloads),
            ("lo", Some(CoverageObstacle::Filter), CoverageObstacle::Filter),
            ("no such", None, CoverageObstacle::Unanswered),
        ] {
            let next = Comparison::start(interface, obstacle).next(interface, Statistics::default(), None);
            assert_eq!(next, Coverage { obstacle: Some(expected), ..Coverage::default() });
        }
    }

    #[test]
    fn comparison_begins_with_the_first_reading_that_succeeds() {
        let mut comparison = Comparison { on_interface: None, obstacle: None, delivered: 3 };
        assert_eq!(comparison.compare(Err(io::Error::from_raw_os_error(24))), compared(0, 0));
        assert_eq!(comparison.compare(Ok(Ok(50))), compared(0, 0));
        comparison.delivered = 2;
        assert_eq!(comparison.compare(Ok(Ok(52))), compared(2, 2));
    }
}
