//! Partial intervals: several threads counted the packets of one interval, each thread those of its own conversations.
//!
//! Takes the partial intervals; gives their rows and refusals in the order of a single thread. Must not know threads.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Interval, Row};
use crate::account::refusals::Refused;

/// The IPv4 rows of all partial intervals in the order of the frames that made them.
pub(crate) fn rows_v4(partial: &[Box<Interval>]) -> impl Iterator<Item = &Row<Ipv4Addr>> + Clone {
    InOrder::new(partial.iter().map(|interval| (&interval.v4.rows[..], &interval.v4.made_by[..])))
}

/// The IPv6 rows of all partial intervals in the order of the frames that made them.
pub(crate) fn rows_v6(partial: &[Box<Interval>]) -> impl Iterator<Item = &Row<Ipv6Addr>> + Clone {
    InOrder::new(partial.iter().map(|interval| (&interval.v6.rows[..], &interval.v6.made_by[..])))
}

/// The IPv4 refusals of all partial intervals in the order of the errors.
pub(crate) fn refused_v4(partial: &[Box<Interval>]) -> impl Iterator<Item = &Refused<Ipv4Addr>> {
    InOrder::new(partial.iter().map(|interval| (interval.v4.refusals.as_slice(), interval.v4.refusals.noted_by())))
}

/// The IPv6 refusals of all partial intervals in the order of the errors.
pub(crate) fn refused_v6(partial: &[Box<Interval>]) -> impl Iterator<Item = &Refused<Ipv6Addr>> {
    InOrder::new(partial.iter().map(|interval| (interval.v6.refusals.as_slice(), interval.v6.refusals.noted_by())))
}

/// Merges sorted lists: the entries of each partial interval that are still to come, with the numbers of their frames.
/// The lists are few.
#[derive(Clone)]
struct InOrder<'a, T> {
    lists: Vec<(&'a [T], &'a [u32])>,
}

impl<'a, T> InOrder<'a, T> {
    fn new(lists: impl Iterator<Item = (&'a [T], &'a [u32])>) -> Self {
        Self { lists: lists.collect() }
    }
}

impl<'a, T> Iterator for InOrder<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = |(_, made_by): &&mut (&[T], &[u32])| made_by.first().copied().unwrap_or(u32::MAX);
        let (rows, made_by) = self.lists.iter_mut().min_by_key(next)?;
        let (row, others) = rows.split_first()?;
        *rows = others;
        *made_by = made_by.get(1..).unwrap_or_default();
        Some(row)
    }
}
