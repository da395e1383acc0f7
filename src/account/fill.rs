//! The fill of an interval, and when the interval should be handed over.
//!
//! Takes numbers of rows, refusals and frames; gives yes or no. Must not know what is in the rows.

/// Number of rows or refusals at which an interval should be handed over. So many still fit into a second-level cache.
pub(crate) const ROWS_TO_HAND_OVER: usize = 16_384;

/// Number of rows at which an interval may be handed over early, because nearly every frame makes a row.
const ROWS_OF_A_FLOOD: usize = 1_024;

/// Frames at which an interval should be handed over, so that no counter of a row overflows.
const FRAMES_TO_HAND_OVER: u64 = 1 << 24;

/// The fill of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// Number of IPv4 conversations.
    pub rows_v4: usize,
    /// Number of IPv6 conversations.
    pub rows_v6: usize,
    /// Number of refusals of both IP versions.
    pub refusals: usize,
    /// Number of all frames.
    pub frames: u64,
}

impl Fill {
    /// Adds the fill of another partial interval.
    pub fn add(&mut self, other: Self) {
        self.rows_v4 += other.rows_v4;
        self.rows_v6 += other.rows_v6;
        self.refusals += other.refusals;
        self.frames += other.frames;
    }

    /// True if the interval should be handed over.
    #[inline]
    pub fn is_nearly_full(self) -> bool {
        self.most() >= ROWS_TO_HAND_OVER || self.frames >= FRAMES_TO_HAND_OVER
    }

    /// The largest number of rows of an IP version, or of refusals.
    #[inline]
    pub fn most(self) -> usize {
        self.rows_v4.max(self.rows_v6).max(self.refusals)
    }

    /// True if the interval has many rows and fewer than three frames for two rows. Then further frames hardly fall
    /// into existing rows, and a small interval leaves the cache to the ledger.
    pub fn gathers_little(self) -> bool {
        let rows = self.rows_v4 + self.rows_v6;
        rows >= ROWS_OF_A_FLOOD && self.frames * 2 < rows as u64 * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_nearly_every_frame_makes_a_row_is_little_gathered() {
        let fill = |rows_v4, rows_v6, frames| Fill { rows_v4, rows_v6, frames, ..Fill::default() };
        assert!(fill(1_024, 0, 1_024).gathers_little());
        assert!(fill(500, 524, 1_535).gathers_little());
        assert!(!fill(500, 524, 1_536).gathers_little());
        assert!(!fill(500, 523, 1_023).gathers_little());
    }
}
