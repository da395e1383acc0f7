//! Tests of verdicts and of dropping.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use super::frames::{V4, V6, ethernet, extended, frames, query_from, v4};
use super::{XDP_DROP, XDP_PASS, kernel};
use crate::account::flow::Counters;
use crate::kernel::Daq;
use crate::kernel::bpf::*;

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn most_specific_network_decides_and_others_are_dropped() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    let [permitted, denied] = ["10.0.0.0/8", "10.0.0.2/32"].map(|network| network.parse().unwrap());
    kernel.set_policy(Some(&Networks::new(&[permitted], &[denied]))).unwrap();
    assert_eq!(kernel.run(&query_from(1), 5, &[]), XDP_PASS);
    assert_eq!(kernel.run(&query_from(2), 100, &[]), XDP_DROP);
    let frames = frames();
    let named = |name| &frames.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!(kernel.run(named("v6 udp"), 1, &[]), XDP_DROP);
    assert_eq!(kernel.run(named("v6 solicitation"), 1, &[]), XDP_PASS, "neighbour discovery passes");
    assert_eq!(kernel.run(named("v6 nine headers"), 1, &[]), XDP_DROP, "no way around the policy");
    assert_eq!(kernel.run(named("arp"), 1, &[]), XDP_PASS);
    let taken = kernel.take_interval().unwrap();
    let [totals] = &taken.totals[..] else { panic!("{:?}", taken.totals) };
    assert_eq!(totals.verdicts.map(|counters| counters.packets), [5, 103]);
    assert_eq!((totals.dropped.packets, totals.events_lost), (102, 0));
    assert_eq!(taken.violations.len() as u64 + totals.suppressed, 103);
    let of_second: Vec<_> =
        taken.violations.iter().filter(|one| one.addresses.source().to_string() == "10.0.0.2").collect();
    assert!((10..=12).contains(&of_second.len()), "{} events", of_second.len());
    assert!(of_second.iter().all(|violation| violation.is_dropped && violation.bytes == 33));
    let packets: u32 =
        taken.rows_v4.iter().flat_map(|row| row.conversation.sums.iter().flatten()).map(|sum| sum.packets).sum();
    assert_eq!(packets, 105, "dropped packets count too");
    kernel.set_policy(None).unwrap();
    assert_eq!(kernel.run(&query_from(2), 1, &[]), XDP_PASS);
}

/// Reports of listeners have a hop-by-hop header with a router alert in front (RFC 3810, section 5).
#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn multicast_listener_discovery_of_the_link_passes_while_others_are_dropped() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    kernel.set_policy(Some(&Networks::new(&["10.0.0.0/8".parse().unwrap()], &[]))).unwrap();
    for (icmp_type, source, expected) in [
        (143, "fe80::9", XDP_PASS),
        (132, "fe80::9", XDP_PASS),
        (131, "febf::9", XDP_PASS),
        (130, "fe80::9", XDP_PASS),
        (143, "::", XDP_PASS),
        (130, "fec0::9", XDP_DROP),
        (143, "::9", XDP_DROP),
        (143, "2001:db8::9", XDP_DROP),
        (129, "fe80::9", XDP_DROP),
    ] {
        let mut packet = extended(&[(0, &[0, 5, 2, 0, 0, 1, 0])], 58, &[icmp_type, 0, 0, 0]);
        packet[8..24].copy_from_slice(&source.parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(kernel.run(&ethernet(&[V6], &packet), 1, &[]), expected, "type {icmp_type} from {source}");
    }
    let disguised = ethernet(&[V4], &v4(2, 8, 58, 0, &[], &[133, 0, 0, 0]));
    kernel.set_policy(Some(&Networks::new(&["fd00::/8".parse().unwrap()], &[]))).unwrap();
    assert_eq!(kernel.run(&disguised, 1, &[]), XDP_DROP, "IPv4 has no neighbour discovery");
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn list_of_networks_that_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    let network = |number: u32| IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits((10 << 24) + (number << 8)), 24));
    let networks: Vec<IpNet> = (0..131_073).map(network).collect();
    let refused = kernel.set_policy(Some(&Networks::new(&networks, &[])));
    assert!(matches!(refused, Err(Error::TooManyNetworks)), "{refused:?}");
    kernel.set_policy(Some(&Networks::new(&networks[1..2], &[]))).unwrap();
    assert_eq!(kernel.run(&query_from(1), 1, &[]), XDP_DROP, "10.0.0.1 was in the first list");
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn refused_list_leaves_the_former_one_in_force() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    let [all, first, second] = ["10.0.0.0/8", "10.0.0.1/32", "10.0.0.2/32"].map(|network| network.parse().unwrap());
    kernel.set_policy(Some(&Networks::new(&[all], &[first]))).unwrap();
    let network = |number: u32| IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits((11 << 24) + (number << 8)), 24));
    let too_many: Vec<IpNet> = [first].into_iter().chain((0..131_073).map(network)).collect();
    let refused = kernel.set_policy(Some(&Networks::new(&too_many, &[all, second])));
    assert!(matches!(refused, Err(Error::TooManyNetworks)), "{refused:?}");
    assert_eq!([1, 2, 3].map(|source| kernel.run(&query_from(source), 1, &[])), [XDP_DROP, XDP_PASS, XDP_PASS]);
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn policy_that_comes_amid_an_interval_judges_the_conversations_that_are_there() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    // Each processor has counters of its own: those of one that sees no packet under the policy stay without a verdict.
    let is_on_one_processor = |round: u8| judges_what_is_there(&mut kernel, round * 3) == [5, 5];
    assert!((0..20).any(is_on_one_processor), "this thread goes to another processor each time");
}

/// Runs packets of three sources from this number on, three each; then two each of the first, which a policy permits
/// now, and of the second, which it does not. Gives the packets by verdict: permitted, not permitted.
fn judges_what_is_there(kernel: &mut Kernel, first: u8) -> [u64; 2] {
    let from = |source| query_from(first + source);
    for source in [0, 1, 2] {
        assert_eq!(kernel.run(&from(source), 3, &[]), XDP_PASS);
    }
    let permitted = IpNet::from(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, first), 32));
    kernel.set_policy(Some(&Networks::new(&[permitted], &[]))).unwrap();
    assert_eq!([0, 1].map(|source| kernel.run(&from(source), 2, &[])), [XDP_PASS, XDP_DROP]);
    let taken = kernel.take_interval().unwrap();
    kernel.set_policy(None).unwrap();
    let [totals] = &taken.totals[..] else { panic!("{:?}", taken.totals) };
    let packets = totals.verdicts.map(|counters| counters.packets);
    assert_eq!(totals.verdicts.map(|counters| counters.bytes), packets.map(|packets| packets * 33));
    assert_eq!(totals.overflow_verdicts, [Counters::default(); 2], "all packets have a conversation");
    assert_eq!((totals.dropped.packets, totals.frames.frames), (2, 13));
    assert_eq!((taken.violations.len(), totals.suppressed), (2, packets[1] - 2), "what came before has no event");
    let mut of_rows: Vec<[u64; 2]> =
        taken.rows_v4.iter().map(|row| row.verdicts.map(|counters| counters.packets)).collect();
    of_rows.sort_unstable();
    assert_eq!(of_rows, [[0, 0], [0, packets[1]], [packets[0], 0]], "the third source has sent nothing since");
    packets
}
