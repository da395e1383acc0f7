use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::capture::network::LinkKind;
use crate::capture::network::made::{link, network, router};

fn came_in_captured(network: &Network, captured: &[u32], source: &str) -> bool {
    Origins::new(network, captured).came_in_captured(source.parse().unwrap())
}

#[test]
fn a_source_behind_a_captured_interface_came_in_there() {
    let router = router();
    for (captured, source, expected) in [
        (&[2, 3][..], "10.1.0.7", true),
        (&[2, 3], "10.2.0.7", false),
        (&[2, 3], "198.51.100.1", true),
        (&[3, 4], "198.51.100.1", false),
        (&[3, 4], "fd00:2::7", true),
        (&[2, 3], "fd00:2::7", false),
        (&[2, 3], "2001:db8:ffff::1", true),
        (&[], "10.1.0.7", false),
    ] {
        assert_eq!(came_in_captured(&router, captured, source), expected, "{captured:?} {source}");
    }
}

#[test]
fn own_packets_came_in_by_no_interface() {
    let router = router();
    for own in ["10.1.0.1", "10.2.0.1", "192.0.2.2", "127.0.0.5", "0.0.0.0", "::", "::1", "fd00:2::1", "fe80::7"] {
        assert!(!came_in_captured(&router, &[2, 3, 4], own), "{own}");
    }
}

#[test]
fn a_local_network_overrules_the_main_table() {
    let mut router = router();
    router.local = vec!["203.0.113.0/24".parse().unwrap()];
    router.routes.push(Route { destination: "203.0.113.128/25".parse().unwrap(), interfaces: vec![2] });
    assert!(!came_in_captured(&router, &[2, 3], "203.0.113.200"));
    assert!(came_in_captured(&router, &[2, 3], "203.0.114.1"));
}

#[test]
fn sources_without_a_way_back_came_in_nowhere() {
    let links = vec![link(2, "eth0", &[]), link(3, "eth1", &[])];
    let network = network(links, &[("10.0.0.0/8", &[2]), ("10.9.0.0/16", &[])]);
    assert!(came_in_captured(&network, &[2, 3], "10.1.0.1"));
    assert!(!came_in_captured(&network, &[2, 3], "10.9.0.1"), "blackhole");
    assert!(!came_in_captured(&network, &[2, 3], "11.0.0.1"), "no route");
}

#[test]
fn of_several_next_hops_all_must_be_captured() {
    let links = vec![link(2, "eth0", &[]), link(3, "eth1", &[]), link(4, "eth2", &[])];
    let network = network(links, &[("10.0.0.0/8", &[2, 3])]);
    assert!(came_in_captured(&network, &[2, 3], "10.0.0.1"));
    assert!(!came_in_captured(&network, &[2, 4], "10.0.0.1"));
}

#[test]
fn a_route_by_a_vlan_of_a_captured_interface_leads_there() {
    let links = vec![
        link(2, "eth0", &[]),
        link(3, "eth1", &[]),
        link(4, "eth0.10", &[]).of(LinkKind::Vlan).on(2),
        link(5, "br0", &[]).of(LinkKind::Bridge),
    ];
    let network = network(links, &[("10.0.0.0/8", &[4]), ("11.0.0.0/8", &[5])]);
    assert!(came_in_captured(&network, &[2, 3], "10.0.0.1"));
    assert!(!came_in_captured(&network, &[3, 4], "11.0.0.1"));
    assert!(came_in_captured(&network, &[3, 5], "11.0.0.1"));
}

#[test]
fn blocks_say_only_where_the_answer_changes() {
    let blocks = |captured: &[u32]| {
        let (all, blocks) = Origins::new(&router(), captured).v4.blocks();
        (all, blocks.iter().map(|block| (block.network.to_string(), block.networks())).collect::<Vec<_>>())
    };
    let block = |network: &str, networks| (network.to_owned(), networks);
    let own = ["0.0.0.0/32", "10.1.0.1/32", "10.2.0.1/32", "127.0.0.0/8", "192.0.2.2/32"];
    assert_eq!(blocks(&[2, 3, 4]), (true, own.map(|own| block(own, 1)).to_vec()));
    assert_eq!(blocks(&[3, 4]), (false, vec![block("10.1.0.0/24", 2), block("10.2.0.0/24", 2)]));
    assert_eq!(blocks(&[]), (false, vec![]));
}

#[test]
fn neighbours_with_one_answer_become_one_block() {
    let links = vec![link(2, "eth0", &[]), link(3, "eth1", &[])];
    let network = network(links, &[("10.0.0.0/24", &[2]), ("10.0.1.0/24", &[3]), ("10.0.2.0/23", &[2])]);
    let (all, blocks) = Origins::new(&network, &[2, 3]).v4.blocks();
    assert!(!all);
    assert_eq!(blocks, [PrefixBlock { network: "10.0.0.0/22".parse().unwrap(), inside: vec![] }]);
}

/// Routes that lie in one another: few bits vary, at every tenth place of the address.
fn networks() -> impl Strategy<Value = Vec<(IpNet, Vec<u32>)>> {
    let v4 = (any::<u8>(), 0..=32_u8).prop_map(|(bits, length)| IpNet::new(v4_of(bits), length).unwrap().trunc());
    let v6 = (any::<u8>(), 0..=128_u8).prop_map(|(bits, length)| IpNet::new(v6_of(bits), length).unwrap().trunc());
    let interfaces = proptest::collection::vec(2..6_u32, 0..3);
    proptest::collection::vec((prop_oneof![v4, v6], interfaces), 0..40)
}

fn v4_of(bits: u8) -> IpAddr {
    let spread = (0..8).filter(|bit| bits >> bit & 1 == 1).fold(0_u32, |address, bit| address | 1 << (31 - 4 * bit));
    IpAddr::V4(Ipv4Addr::from_bits(spread))
}

fn v6_of(bits: u8) -> IpAddr {
    let spread = (0..8).filter(|bit| bits >> bit & 1 == 1).fold(0_u128, |address, bit| address | 1 << (127 - 16 * bit));
    IpAddr::V6(Ipv6Addr::from_bits(spread))
}

fn network_of_routes(routes: Vec<(IpNet, Vec<u32>)>, own: Vec<u8>) -> Network {
    let links = (2..6).map(|index| link(index, &format!("eth{index}"), &[])).collect();
    let mut network = network(links, &[]);
    let own = own.into_iter().flat_map(|bits| [v4_of(bits), v6_of(bits)]);
    network.local = own.map(IpNet::from).collect();
    let routes: BTreeMap<IpNet, Vec<u32>> = routes.into_iter().collect();
    network.routes = routes.into_iter().map(|(destination, interfaces)| Route { destination, interfaces }).collect();
    network
}

/// Longest prefix match by looking at every route.
fn by_brute_force(network: &Network, captured: &[u32], source: IpAddr) -> bool {
    if local_networks(network).any(|local| local.contains(&source)) {
        return false;
    }
    let matching = network.routes.iter().filter(|route| route.destination.contains(&source));
    let best = matching.max_by_key(|route| route.destination.prefix_len());
    best.is_some_and(|route| {
        !route.interfaces.is_empty() && route.interfaces.iter().all(|index| captured.contains(index))
    })
}

/// The answer of the blocks for a source: each block that contains it inverts the answer.
fn by_blocks(origins: &Origins, source: IpAddr) -> bool {
    fn turns(blocks: &[PrefixBlock], source: IpAddr) -> usize {
        blocks
            .iter()
            .filter(|block| block.network.contains(&source))
            .map(|block| 1 + turns(&block.inside, source))
            .sum()
    }
    let version = if source.is_ipv4() { IpVersion::V4 } else { IpVersion::V6 };
    let (all, blocks) = origins.regions(version).blocks();
    all ^ (turns(&blocks, source) % 2 == 1)
}

proptest! {
    #[test]
    fn borders_and_blocks_are_the_longest_prefix_match(
        routes in networks(),
        own in proptest::collection::vec(any::<u8>(), 0..4),
        captured in proptest::collection::vec(2..6_u32, 0..4),
        sources in proptest::collection::vec(any::<u128>(), 16),
    ) {
        let network = network_of_routes(routes, own);
        let origins = Origins::new(&network, &captured);
        let anywhere = sources.iter().flat_map(|&bits| {
            [IpAddr::V4(Ipv4Addr::from_bits((bits >> 96) as u32)), IpAddr::V6(Ipv6Addr::from_bits(bits))]
        });
        for source in (0..=255).flat_map(|bits| [v4_of(bits), v6_of(bits)]).chain(anywhere) {
            let expected = by_brute_force(&network, &captured, source);
            prop_assert_eq!(origins.came_in_captured(source), expected, "borders, {}", source);
            prop_assert_eq!(by_blocks(&origins, source), expected, "blocks, {}", source);
        }
    }

    #[test]
    fn blocks_are_no_more_than_the_networks_they_stand_for(routes in networks()) {
        let network = network_of_routes(routes, vec![]);
        let origins = Origins::new(&network, &[2, 3]);
        let blocks: usize = IpVersion::ALL
            .iter()
            .flat_map(|&version| origins.regions(version).blocks().1)
            .map(|block| block.networks())
            .sum();
        prop_assert!(blocks <= network.routes.len() + local_networks(&network).count());
    }
}
