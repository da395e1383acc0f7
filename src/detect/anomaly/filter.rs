//! The filter of pairs by a network.
//!
//! Takes the two addresses of a pair; gives yes or no. Must not know the series.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// Selects pairs by a network. If neither end must pass, all pairs pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairFilter {
    /// The network. A network of no bits contains every address, of either version of IP.
    pub network: IpNet,
    /// True if addresses in the network pass; else those outside.
    pub is_inside: bool,
    /// True if the source must pass.
    pub by_source: bool,
    /// True if the destination must pass.
    pub by_destination: bool,
}

impl Default for PairFilter {
    /// Passes everything.
    fn default() -> Self {
        let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
        Self { network, is_inside: true, by_source: false, by_destination: false }
    }
}

impl PairFilter {
    /// True if some pairs may not pass.
    #[must_use]
    #[inline]
    pub const fn chooses(&self) -> bool {
        self.by_source || self.by_destination
    }

    /// True if traffic from `source` to `destination` passes.
    #[must_use]
    pub fn passes(&self, source: IpAddr, destination: IpAddr) -> bool {
        (!self.by_source || self.lets_through(source)) && (!self.by_destination || self.lets_through(destination))
    }

    fn lets_through(&self, address: IpAddr) -> bool {
        let is_held = self.network.prefix_len() == 0 || self.network.contains(&address);
        is_held == self.is_inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(filter: PairFilter) -> Vec<&'static str> {
        let pairs =
            ["10.0.0.1 10.0.0.2", "10.0.0.1 192.0.2.1", "192.0.2.1 10.0.0.1", "192.0.2.1 192.0.2.2", "fd00::1 fd00::2"];
        let passes = |pair: &&str| {
            let mut ends = pair.split(' ').map(|end| end.parse().unwrap());
            filter.passes(ends.next().unwrap(), ends.next().unwrap())
        };
        pairs.into_iter().filter(passes).collect()
    }

    #[test]
    fn without_an_end_to_look_at_all_pass() {
        let ten: IpNet = "10.0.0.0/8".parse().unwrap();
        assert_eq!(passing(PairFilter::default()).len(), 5);
        assert_eq!(passing(PairFilter { network: ten, ..PairFilter::default() }).len(), 5);
        assert_eq!(passing(PairFilter { network: ten, is_inside: false, ..PairFilter::default() }).len(), 5);
    }

    #[test]
    fn each_end_that_is_looked_at_must_pass() {
        let ten = PairFilter { network: "10.0.0.0/8".parse().unwrap(), ..PairFilter::default() };
        let (source, destination) = (PairFilter { by_source: true, ..ten }, PairFilter { by_destination: true, ..ten });
        assert_eq!(passing(source), ["10.0.0.1 10.0.0.2", "10.0.0.1 192.0.2.1"]);
        assert_eq!(passing(destination), ["10.0.0.1 10.0.0.2", "192.0.2.1 10.0.0.1"]);
        assert_eq!(passing(PairFilter { by_destination: true, ..source }), ["10.0.0.1 10.0.0.2"]);
        let outside = PairFilter { is_inside: false, by_destination: true, ..source };
        assert_eq!(passing(outside), ["192.0.2.1 192.0.2.2", "fd00::1 fd00::2"]);
    }

    #[test]
    fn a_network_of_no_bits_holds_every_address() {
        let both = PairFilter { by_source: true, by_destination: true, ..PairFilter::default() };
        assert_eq!(passing(both).len(), 5);
        assert_eq!(passing(PairFilter { is_inside: false, ..both }).len(), 0);
    }
}
