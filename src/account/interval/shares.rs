//! The shares of an interval that several threads counted, each for its own conversations.
//!
//! Takes the shares; gives their rows and refusals in the order that one thread would give. Must not know threads.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Interval, Row};
use crate::account::refusals::Refused;

/// The IPv4 rows of all shares in the order of the frames that made them.
pub fn rows_v4(shares: &[Box<Interval>]) -> impl Iterator<Item = &Row<Ipv4Addr>> + Clone {
    InOrder::new(shares.iter().map(|share| (&share.v4.rows[..], &share.v4.made_by[..])))
}

/// The IPv6 rows of all shares in the order of the frames that made them.
pub fn rows_v6(shares: &[Box<Interval>]) -> impl Iterator<Item = &Row<Ipv6Addr>> + Clone {
    InOrder::new(shares.iter().map(|share| (&share.v6.rows[..], &share.v6.made_by[..])))
}

/// The IPv4 refusals of all shares in the order of the errors.
pub fn refused_v4(shares: &[Box<Interval>]) -> impl Iterator<Item = &Refused<Ipv4Addr>> {
    InOrder::new(shares.iter().map(|share| (share.v4.refusals.as_slice(), share.v4.refusals.noted_by())))
}

/// The IPv6 refusals of all shares in the order of the errors.
pub fn refused_v6(shares: &[Box<Interval>]) -> impl Iterator<Item = &Refused<Ipv6Addr>> {
    InOrder::new(shares.iter().map(|share| (share.v6.refusals.as_slice(), share.v6.refusals.noted_by())))
}

/// The entries of each share that are still to come, with the numbers of their frames. The shares are few.
#[derive(Clone)]
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
