//! The permitted and the denied networks: the most specific network that has a source decides about it.
//!
//! Takes two lists of networks; gives the [`Verdict`] of each source. Must not know where the lists come from.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Verdict;
use crate::tables::ranges::{Bits, Ranges, ends_v4, ends_v6};

/// Permitted networks, and denied networks inside them. It is immutable: when the lists change, a new one is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    permitted: Vec<IpNet>,
    denied: Vec<IpNet>,
    permitted_v4: Ranges<u32>,
    permitted_v6: Ranges<u128>,
}

impl Networks {
    /// The networks of both lists, without their host bits. A network in both lists is denied.
    pub fn new(permitted: &[IpNet], denied: &[IpNet]) -> Self {
        let [permitted, denied] = [permitted, denied].map(without_repeats);
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (networks, verdict) in [(&permitted, Verdict::Permitted), (&denied, Verdict::NotPermitted)] {
            for network in networks {
                match *network {
                    IpNet::V4(network) => v4.push((ends_v4(network), verdict)),
                    IpNet::V6(network) => v6.push((ends_v6(network), verdict)),
                }
            }
        }
        let (permitted_v4, permitted_v6) = (Ranges::new(permitted_ranges(v4)), Ranges::new(permitted_ranges(v6)));
        Self { permitted, denied, permitted_v4, permitted_v6 }
    }

    /// The same networks, with those of this host permitted whatever the lists say. So is the unspecified address, which
    /// belongs to no network: hosts without an address send from it (DHCP, duplicate address detection of RFC 4862).
    #[must_use]
    pub fn permitting_own(&self, own: impl IntoIterator<Item = IpNet>) -> Self {
        let unspecified = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
        let own: Vec<IpNet> = own.into_iter().chain(unspecified.map(IpNet::from)).map(|own| own.trunc()).collect();
        let is_own = |network: &&IpNet| own.iter().any(|own| own.contains(*network));
        let denied: Vec<IpNet> = self.denied.iter().filter(|network| !is_own(network)).copied().collect();
        Self::new(&[&self.permitted[..], &own].concat(), &denied)
    }

    /// The permitted networks in order, each once.
    pub fn permitted(&self) -> &[IpNet] {
        &self.permitted
    }

    /// The denied networks in order, each once.
    pub fn denied(&self) -> &[IpNet] {
        &self.denied
    }

    /// The verdict on the packets of a source.
    #[inline]
    pub fn verdict(&self, source: IpAddr) -> Verdict {
        let is_permitted = match source {
            IpAddr::V4(source) => self.permitted_v4.contains(source.to_bits()),
            IpAddr::V6(source) => self.permitted_v6.contains(source.to_bits()),
        };
        if is_permitted { Verdict::Permitted } else { Verdict::NotPermitted }
    }

    /// The networks that change no verdict, in order: a permitted one inside a permitted one, and a denied one inside a
    /// denied one or outside all permitted ones.
    pub fn without_effect(&self) -> Vec<IpNet> {
        let of =
            |networks: &[IpNet], verdict| networks.iter().map(move |network| (*network, verdict)).collect::<Vec<_>>();
        let mut all = [of(&self.permitted, Verdict::Permitted), of(&self.denied, Verdict::NotPermitted)].concat();
        all.sort_unstable();
        let (mut around, mut found) = (Vec::<(IpNet, Verdict)>::new(), Vec::new());
        for (network, verdict) in all {
            while around.last().is_some_and(|(outer, _)| !outer.contains(&network)) {
                around.pop();
            }
            let outer = around.last().map_or(Verdict::NotPermitted, |(_, verdict)| *verdict);
            if outer == verdict {
                found.push(network);
            }
            around.push((network, verdict));
        }
        found
    }
}

fn without_repeats(networks: &[IpNet]) -> Vec<IpNet> {
    let mut sorted: Vec<IpNet> = networks.iter().map(IpNet::trunc).collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// The first and the last address of a network, and its verdict.
type Judged<A> = ((A, A), Verdict);

/// The addresses whose most specific network is permitted, as the fewest ranges, in order. (Two networks are disjoint, or
/// one has the other.)
fn permitted_ranges<A: Bits>(mut networks: Vec<Judged<A>>) -> Vec<(A, A)> {
    networks.sort_unstable_by_key(|&((first, last), verdict)| (first, Reverse(last), verdict));
    let mut sweep = Sweep { ranges: Vec::new(), around: Vec::new(), next: None };
    for ((first, last), verdict) in networks {
        sweep.leave(|end| end < first);
        sweep.give(first.previous());
        sweep.around.push((last, verdict));
        sweep.next = Some(first);
    }
    sweep.leave(|_| true);
    sweep.ranges
}

/// The state of [`permitted_ranges`] at one network.
struct Sweep<A> {
    ranges: Vec<(A, A)>,
    /// The last addresses of the networks around the next address, the innermost last, and their verdicts.
    around: Vec<(A, Verdict)>,
    /// The first address that has no verdict yet; none behind the last address of all.
    next: Option<A>,
}

impl<A: Bits> Sweep<A> {
    /// Gives the addresses up to `last` the verdict of the innermost network.
    fn give(&mut self, last: Option<A>) {
        if let (Some(first), Some(last), Some((_, Verdict::Permitted))) = (self.next, last, self.around.last())
            && first <= last
        {
            match self.ranges.last_mut().filter(|before| before.1.next() == Some(first)) {
                Some(before) => before.1 = last,
                None => self.ranges.push((first, last)),
            }
        }
    }

    /// Leaves the innermost networks for as long as `is_over` says so of their last addresses.
    fn leave(&mut self, is_over: impl Fn(A) -> bool) {
        while let Some(&(last, _)) = self.around.last()
            && is_over(last)
        {
            self.give(Some(last));
            self.around.pop();
            self.next = last.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    fn networks(permitted: &[&str], denied: &[&str]) -> Networks {
        let parsed = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        Networks::new(&parsed(permitted), &parsed(denied))
    }

    fn is_permitted(networks: &Networks, source: &str) -> bool {
        networks.verdict(source.parse().unwrap()) == Verdict::Permitted
    }

    #[test]
    fn most_specific_network_decides() {
        let networks = networks(&["10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32"], &["10.1.0.0/16", "2001:db8:1::/48"]);
        for source in
            ["10.0.0.0", "10.0.255.255", "10.1.2.0", "10.1.2.255", "10.2.0.0", "10.255.255.255", "2001:db8::1"]
        {
            assert!(is_permitted(&networks, source), "{source}");
        }
        for source in
            ["9.255.255.255", "10.1.0.0", "10.1.1.255", "10.1.3.0", "11.0.0.0", "2001:db8:1::", "2001:db9::", "::1"]
        {
            assert!(!is_permitted(&networks, source), "{source}");
        }
    }

    #[test]
    fn empty_list_permits_nothing_and_the_widest_network_everything() {
        assert!(!is_permitted(&networks(&[], &[]), "127.0.0.1"));
        let all = networks(&["0.0.0.0/0", "::/0"], &["255.255.255.255/32"]);
        assert!(["0.0.0.0", "255.255.255.254", "::", "ffff::"].iter().all(|source| is_permitted(&all, source)));
        assert!(!is_permitted(&all, "255.255.255.255"));
    }

    #[test]
    fn network_in_both_lists_is_denied() {
        assert!(!is_permitted(&networks(&["192.0.2.0/24"], &["192.0.2.0/24"]), "192.0.2.1"));
    }

    #[test]
    fn own_networks_and_unspecified_addresses_are_permitted_whatever_the_lists_say() {
        let listed = networks(&["10.0.0.0/8"], &["10.1.0.0/16", "10.1.2.3/32", "127.0.0.5/32"]);
        let own = ["10.1.2.3/32", "203.0.113.7/32", "127.0.0.1/8", "2001:db8::7/128"].map(|text| text.parse().unwrap());
        let permitting = listed.permitting_own(own);
        for source in ["10.1.2.3", "203.0.113.7", "127.0.0.5", "127.0.0.53", "2001:db8::7", "0.0.0.0", "::", "10.2.0.1"]
        {
            assert!(is_permitted(&permitting, source), "{source}");
        }
        for source in ["10.1.2.4", "203.0.113.8", "128.0.0.1", "2001:db8::8", "0.0.0.1", "::1"] {
            assert!(!is_permitted(&permitting, source), "{source}");
        }
        assert!(!is_permitted(&listed, "0.0.0.0"));
    }

    #[test]
    fn networks_without_effect_are_named() {
        let networks = networks(
            &["10.0.0.0/8", "10.1.2.0/24", "10.2.0.0/16", "192.0.2.0/24"],
            &["10.1.0.0/16", "10.1.3.0/24", "198.51.100.0/24", "2001:db8::/32"],
        );
        let found: Vec<String> = networks.without_effect().iter().map(IpNet::to_string).collect();
        assert_eq!(found, ["10.1.3.0/24", "10.2.0.0/16", "198.51.100.0/24", "2001:db8::/32"]);
    }

    /// The verdict by comparison with every network.
    fn slow_verdict(permitted: &[IpNet], denied: &[IpNet], source: IpAddr) -> Verdict {
        let longest = |networks: &[IpNet]| {
            let having = networks.iter().filter(|network| network.contains(&source));
            having.map(|network| i16::from(network.prefix_len())).max().unwrap_or(-1)
        };
        if longest(permitted) > longest(denied) { Verdict::Permitted } else { Verdict::NotPermitted }
    }

    /// The first and the last address of each network, and their neighbours.
    fn edges(networks: &[IpNet]) -> Vec<IpAddr> {
        let v4 = |bits: u32| IpAddr::from(Ipv4Addr::from_bits(bits));
        let v6 = |bits: u128| IpAddr::from(Ipv6Addr::from_bits(bits));
        let of = |network: &IpNet| match network {
            IpNet::V4(network) => {
                let (first, last) = ends_v4(*network);
                [first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(v4)
            }
            IpNet::V6(network) => {
                let (first, last) = ends_v6(*network);
                [first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(v6)
            }
        };
        networks.iter().flat_map(of).collect()
    }

    /// A few bits only, so that networks lie in each other.
    fn any_network() -> impl Strategy<Value = IpNet> {
        let v4 = (0u32..16, 0u8..=32).prop_map(|(bits, length)| {
            IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits(bits << 28 | bits), length).trunc())
        });
        let v6 = (0u128..16, 0u8..=128).prop_map(|(bits, length)| {
            IpNet::from(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits << 124 | bits), length).trunc())
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_a_comparison_with_every_network(
            permitted in prop::collection::vec(any_network(), 0..12), denied in prop::collection::vec(any_network(), 0..12)
        ) {
            let networks = Networks::new(&permitted, &denied);
            for source in edges(&permitted).into_iter().chain(edges(&denied)) {
                prop_assert_eq!(networks.verdict(source), slow_verdict(&permitted, &denied, source), "{}", source);
            }
            // Without the networks that have no effect it is the same. (No network is in both lists.)
            let denied: Vec<IpNet> = denied.into_iter().filter(|network| !permitted.contains(network)).collect();
            let networks = Networks::new(&permitted, &denied);
            let idle = networks.without_effect();
            let [permitted, denied] = [&permitted, &denied].map(|list| {
                list.iter().copied().filter(|network| !idle.contains(network)).collect::<Vec<IpNet>>()
            });
            let fewer = Networks::new(&permitted, &denied);
            prop_assert_eq!((&fewer.permitted_v4, &fewer.permitted_v6), (&networks.permitted_v4, &networks.permitted_v6));
        }
    }
}
