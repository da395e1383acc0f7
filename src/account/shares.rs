//! An interval that several threads count in shares, each the conversations that it is dealt: how full they are
//! together, and their rows in the order in which one thread would have made them.

use super::interval::{Interval, Row};
use super::refusals::Refused;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Rows of an interval, or refusals, from which on it should be handed over: they still fit into a processor's second-level cache.
pub const ROWS_TO_HAND_OVER: usize = 16_384;

/// Rows from which on it may as well be handed over where nearly every frame makes one.
const ROWS_OF_A_FLOOD: usize = 2_048;

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

/// The IPv4 rows of all shares in the order of the frames that made them.
pub fn rows_v4(shares: &[Box<Interval>]) -> impl Iterator<Item = &Row<Ipv4Addr>> {
    InOrder::new(shares.iter().map(|share| (share.rows_v4(), share.made_by_v4())))
}

/// The IPv6 rows of all shares in the order of the frames that made them.
pub fn rows_v6(shares: &[Box<Interval>]) -> impl Iterator<Item = &Row<Ipv6Addr>> {
    InOrder::new(shares.iter().map(|share| (share.rows_v6(), share.made_by_v6())))
}

/// What was refused of the IPv4 conversations of all shares, in the order of the errors.
pub fn refused_v4(shares: &[Box<Interval>]) -> impl Iterator<Item = &Refused<Ipv4Addr>> {
    InOrder::new(shares.iter().map(|share| (share.refused_v4(), share.noted_by_v4())))
}

/// What was refused of the IPv6 conversations of all shares, in the order of the errors.
pub fn refused_v6(shares: &[Box<Interval>]) -> impl Iterator<Item = &Refused<Ipv6Addr>> {
    InOrder::new(shares.iter().map(|share| (share.refused_v6(), share.noted_by_v6())))
}

/// What is left of each share, by the number of its next entry's frame. The shares are few.
struct InOrder<'a, T> {
    shares: Vec<(&'a [T], &'a [u32])>,
}

impl<'a, T> InOrder<'a, T> {
    fn new(shares: impl Iterator<Item = (&'a [T], &'a [u32])>) -> Self {
        Self { shares: shares.collect() }
    }
}

impl<'a, T> Iterator for InOrder<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = |(_, made_by): &&mut (&[T], &[u32])| made_by.first().copied().unwrap_or(u32::MAX);
        let (rows, made_by) = self.shares.iter_mut().min_by_key(next)?;
        let (row, others) = rows.split_first()?;
        *rows = others;
        *made_by = made_by.get(1..).unwrap_or_default();
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_nearly_every_frame_makes_a_row_is_little_gathered() {
        let fill = |rows_v4, rows_v6, frames| Fill { rows_v4, rows_v6, frames, ..Fill::default() };
        assert!(fill(2_048, 0, 2_048).gathers_little());
        assert!(fill(1_000, 1_048, 3_071).gathers_little());
        assert!(!fill(1_000, 1_048, 3_072).gathers_little());
        assert!(!fill(1_000, 1_047, 2_047).gathers_little());
    }
}
