//! The losses of packets, by time.
//!
//! Takes numbers of lost packets; gives their sum in a window. Must not know why packets are lost.

use std::collections::VecDeque;
use std::time::Duration;

use crate::packet::Timestamp;

/// Losses that are remembered apart; older ones are added up.
const MOST_LOSSES: usize = 1_024;
/// Time by which the moment of a loss may be late: the kernel counts drops without their times.
const LATE: Duration = Duration::from_secs(10);

/// The latest losses, in the order in which they were noted.
#[derive(Debug, Default)]
pub(super) struct Losses(VecDeque<(Timestamp, u64)>);

impl Losses {
    pub(super) fn add(&mut self, time: Timestamp, packets: u64) {
        if self.0.len() == MOST_LOSSES
            && let Some((older, count)) = self.0.pop_front()
            && let Some(oldest) = self.0.front_mut()
        {
            *oldest = (oldest.0.max(older), oldest.1 + count);
        }
        self.0.push_back((time, packets));
    }

    /// Packets that may have been lost in a window.
    pub(super) fn between(&self, start: Timestamp, end: Timestamp) -> u64 {
        let is_within = |time: Timestamp| time >= start && time <= end + LATE;
        self.0.iter().filter(|(time, _)| is_within(*time)).map(|(_, packets)| packets).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::seconds;
    use super::*;

    #[test]
    fn losses_count_in_their_window_and_none_is_forgotten() {
        let mut losses = Losses::default();
        (0..3_000).for_each(|second| losses.add(seconds(second), 2));
        assert_eq!(losses.between(seconds(2_900), seconds(2_910)), 2 * 21);
        assert_eq!(losses.between(seconds(3_000), seconds(4_000)), 0);
        assert_eq!(losses.between(seconds(0), seconds(4_000)), 6_000);
        assert_eq!(losses.0.len(), MOST_LOSSES);
    }
}
