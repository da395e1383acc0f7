//! How full an interval is, and when it should be handed over.

/// Rows of an interval, or refusals, from which on it should be handed over: they still fit into a processor's second-level cache.
pub const ROWS_TO_HAND_OVER: usize = 16_384;

/// Rows from which on it may as well be handed over where nearly every frame makes one.
const ROWS_OF_A_FLOOD: usize = 1_024;

/// Frames from which on it should be handed over, so that no counter of a row runs out.
const FRAMES_TO_HAND_OVER: u64 = 1 << 24;

/// How much an interval holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// IPv4 conversations.
    pub rows_v4: usize,
    /// IPv6 conversations.
    pub rows_v6: usize,
    /// Refusals of both versions.
    pub refusals: usize,
    /// All frames.
    pub frames: u64,
}

impl Fill {
    /// Adds another share's.
    pub fn add(&mut self, other: Self) {
        self.rows_v4 += other.rows_v4;
        self.rows_v6 += other.rows_v6;
        self.refusals += other.refusals;
        self.frames += other.frames;
    }

    /// Whether the interval should be handed over.
    #[must_use]
    #[inline]
    pub fn is_nearly_full(self) -> bool {
        self.rows_v4.max(self.rows_v6).max(self.refusals) >= ROWS_TO_HAND_OVER || self.frames >= FRAMES_TO_HAND_OVER
    }

    /// Whether there are fewer than three frames to two rows, of which there are enough: to wait gathers little, and a
    /// small interval leaves the cache to the ledger.
    #[must_use]
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
