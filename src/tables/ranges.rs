//! Sets of addresses as ordered ranges.
//!
//! Takes ranges of numbers; says which numbers they have. Must not know what the numbers mean.

use ipnet::{Ipv4Net, Ipv6Net};

/// The first and the last address of a network.
pub fn ends_v4(network: Ipv4Net) -> (u32, u32) {
    (network.network().to_bits(), network.broadcast().to_bits())
}

/// The first and the last address of a network.
pub fn ends_v6(network: Ipv6Net) -> (u128, u128) {
    (network.network().to_bits(), network.broadcast().to_bits())
}

/// An address as a number.
pub trait Bits: Copy + Ord {
    /// The first octet of the address.
    fn first_octet(self) -> u8;

    /// The first and the last address that begin with `octet`.
    fn beginning_with(octet: u8) -> (Self, Self);

    /// The next address; none after the last one.
    fn next(self) -> Option<Self>;

    /// The address before this one; none before the first one.
    fn previous(self) -> Option<Self>;
}

impl Bits for u32 {
    #[inline]
    fn first_octet(self) -> u8 {
        (self >> 24) as u8
    }

    fn beginning_with(octet: u8) -> (Self, Self) {
        let first = Self::from(octet) << 24;
        (first, first | Self::MAX >> 8)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Bits for u128 {
    #[inline]
    fn first_octet(self) -> u8 {
        (self >> 120) as u8
    }

    fn beginning_with(octet: u8) -> (Self, Self) {
        let first = Self::from(octet) << 120;
        (first, first | Self::MAX >> 8)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

/// The part of the addresses of one first octet that the ranges cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CoveredPart {
    None,
    Some,
    All,
}

/// Disjoint ranges of addresses in order. For most addresses the first octet decides whether they are inside. For the
/// others a binary search takes a few nanoseconds, even with many networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges<A> {
    by_first_octet: [CoveredPart; 256],
    /// First and last address.
    ranges: Vec<(A, A)>,
}

impl<A: Bits> Default for Ranges<A> {
    fn default() -> Self {
        Self::new([])
    }
}

impl<A: Bits> Ranges<A> {
    /// The ranges of these first and last addresses, which may overlap.
    pub fn new(ranges: impl IntoIterator<Item = (A, A)>) -> Self {
        let mut sorted: Vec<(A, A)> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<(A, A)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(open) if first <= open.1 => open.1 = open.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        let mut by_first_octet = [CoveredPart::None; 256];
        for (octet, inside) in (0..=u8::MAX).zip(&mut by_first_octet) {
            *inside = covered_part(&merged, A::beginning_with(octet));
        }
        Self { by_first_octet, ranges: merged }
    }

    /// True if a range has the address.
    #[inline]
    pub fn contains(&self, address: A) -> bool {
        match self.by_first_octet[usize::from(address.first_octet())] {
            CoveredPart::None => false,
            CoveredPart::All => true,
            CoveredPart::Some => self.search(address),
        }
    }

    fn search(&self, address: A) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= address);
        after > 0 && self.ranges[after - 1].1 >= address
    }
}

/// The part of the addresses from `first` to `last` that is covered. Adjacent ranges are not joined.
fn covered_part<A: Bits>(ranges: &[(A, A)], (first, last): (A, A)) -> CoveredPart {
    match ranges.iter().find(|range| range.0 <= last && range.1 >= first) {
        None => CoveredPart::None,
        Some(range) if range.0 <= first && range.1 >= last => CoveredPart::All,
        Some(_) => CoveredPart::Some,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_contain_what_any_network_contains(
            networks in prop::collection::vec((any::<u32>(), 0u8..=32), 0..20), address in any::<u32>(), near in any::<prop::sample::Index>()
        ) {
            let networks: Vec<Ipv4Net> = networks.into_iter().map(|(bits, length)| Ipv4Net::new_assert(Ipv4Addr::from_bits(bits), length)).collect();
            let ranges = Ranges::new(networks.iter().copied().map(ends_v4));
            let mut addresses = vec![address];
            if !networks.is_empty() {
                let edge = networks[near.index(networks.len())];
                addresses.extend([edge.network().to_bits().wrapping_sub(1), edge.network().to_bits(), edge.broadcast().to_bits(), edge.broadcast().to_bits().wrapping_add(1)]);
            }
            for address in addresses {
                let expected = networks.iter().any(|network| network.contains(&Ipv4Addr::from_bits(address)));
                prop_assert_eq!(ranges.contains(address), expected);
            }
        }
    }
}
