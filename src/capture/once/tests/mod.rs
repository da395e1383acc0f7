mod compiled;

use super::*;
use crate::capture::network::made::{link, network, router};

const NAMED: HandleKind = HandleKind::Named(2);

fn text(network: &Network, captured: &[u32], handle: HandleKind) -> Option<String> {
    let expression = filter_expression(network, captured, handle);
    assert_eq!(expression.notices, Vec::<String>::new());
    expression.text
}

#[test]
fn on_one_interface_every_frame_counts() {
    let router = router();
    assert_eq!(text(&router, &[2], NAMED), None);
    assert_eq!(text(&router, &[1, 2], NAMED), None, "loopback forwards nothing");
}

#[test]
fn on_loopback_the_way_in_counts() {
    let router = router();
    assert_eq!(text(&router, &[1], HandleKind::Loopback).unwrap(), "inbound");
    assert_eq!(text(&router, &[1, 2], HandleKind::Loopback).unwrap(), "inbound");
}

#[test]
fn with_all_interfaces_captured_an_outgoing_packet_counts_if_it_is_ours() {
    let expected = "inbound or not (ip or ip6) or ip src host 0.0.0.0 or ip src host 10.1.0.1 or ip src host 10.2.0.1 \
                    or ip src net 127.0.0.0/8 or ip src host 192.0.2.2 or ip6 src host :: or ip6 src host ::1 \
                    or ip6 src host 2001:db8::2 or ip6 src host fd00:1::1 or ip6 src host fd00:2::1 \
                    or ip6 src net fe80::/10";
    // :: and ::1 are neighbours.
    let expected = expected.replace("ip6 src host :: or ip6 src host ::1", "ip6 src net ::/127");
    assert_eq!(text(&router(), &[2, 3, 4], NAMED).unwrap(), expected);
}

#[test]
fn packet_from_an_interface_that_is_not_captured_counts_where_it_leaves() {
    let without_default = "inbound or not (ip or ip6) \
        or (ip and not ((ip src net 10.1.0.0/24 and not (ip src host 10.1.0.1)) \
        or (ip src net 10.2.0.0/24 and not (ip src host 10.2.0.1)))) \
        or (ip6 and not ((ip6 src net fd00:1::/64 and not (ip6 src host fd00:1::1)) \
        or (ip6 src net fd00:2::/64 and not (ip6 src host fd00:2::1))))";
    assert_eq!(text(&router(), &[3, 4], NAMED).unwrap(), without_default);
    let with_default = text(&router(), &[2, 3], NAMED).unwrap();
    assert!(with_default.contains(" or ip src net 10.2.0.0/24 or "), "{with_default}");
    assert!(!with_default.contains("10.2.0.1"), "an own address in a network that counts anyway: {with_default}");
}

#[test]
fn a_version_without_routes_is_not_mentioned() {
    let links = vec![link(2, "eth0", &["10.1.0.1/24"]), link(3, "eth1", &["10.2.0.1/24"])];
    let network = network(links, &[("10.1.0.0/24", &[2]), ("10.2.0.0/24", &[3])]);
    assert!(!text(&network, &[2, 3], NAMED).unwrap().contains("ip6"));
}

#[test]
fn without_any_route_every_frame_counts() {
    let links = vec![link(2, "eth0", &[]), link(3, "eth1", &[])];
    assert_eq!(text(&network(links, &[]), &[2, 3], NAMED), None);
}

/// eth0 carries a VLAN and one in it; eth1 none.
fn trunk() -> Network {
    let links = vec![
        link(2, "eth0", &[]),
        link(3, "eth1", &["10.1.0.1/24"]),
        link(4, "eth0.10", &["10.10.0.1/24"]).of(LinkKind::Vlan).on(2),
        link(5, "eth0.10.20", &["fd00:20::1/64"]).of(LinkKind::Vlan).on(4),
    ];
    network(links, &[("10.1.0.0/24", &[3]), ("10.10.0.0/24", &[4]), ("fd00:20::/64", &[5])])
}

#[test]
fn behind_tags_the_source_is_compared_by_its_bytes() {
    let text = text(&trunk(), &[2, 3], NAMED).unwrap();
    for term in [
        "((ether[12:2] = 0x8100 or ether[12:2] = 0x88a8) and ether[16:2] = 0x0800)",
        "(ether[16:2] = 0x8100 or ether[16:2] = 0x88a8) and ether[20:2] = 0x86dd)",
        "((ether[30:4] & 0xffffff00 = 0xa010000) and not ((ether[30:4] = 0xa010001)))",
        "((ether[30:4] = 0xfd000020 and ether[34:4] = 0x0) and not",
    ] {
        assert!(text.contains(term), "{term} in {text}");
    }
    assert!(!text.contains("vlan"));
    assert!(!super::tests::text(&trunk(), &[2, 3], HandleKind::Named(3)).unwrap().contains("ether"));
}

#[test]
fn a_bonds_member_carries_the_vlans_of_the_bond() {
    let links = vec![
        link(2, "eth0", &[]).under(4),
        link(3, "eth1", &[]).under(4),
        link(4, "bond0", &[]).of(LinkKind::Bond),
        link(5, "bond0.10", &["10.10.0.1/24"]).of(LinkKind::Vlan).on(4),
    ];
    let network = network(links, &[("10.10.0.0/24", &[5])]);
    assert!(text(&network, &[2, 3], NAMED).unwrap().contains("ether[30:4]"));
}

#[test]
fn on_any_unwanted_interfaces_are_left_out_by_number() {
    let router = router();
    let leaves = text(&router, &[1, 2, 4], HandleKind::Any).unwrap();
    assert_eq!(leaves, "not ifindex 3 and not (outbound and ifindex 1)");
    assert_eq!(text(&router, &[2, 3, 4], HandleKind::Any).unwrap(), "not ifindex 1");
}

#[test]
fn on_any_an_outgoing_frame_from_a_captured_source_is_a_copy() {
    let origins = Origins::new(&router(), &[1, 2, 3, 4]);
    for (outgoing, source, expected) in [
        (true, "10.2.0.7", true),
        (false, "10.2.0.7", false),
        (true, "10.2.0.1", false),
        (true, "0.0.0.0", false),
        (true, "::", false),
        (true, "2001:db8::7", true),
    ] {
        assert_eq!(is_copy(outgoing, source.parse().unwrap(), &origins), expected, "{outgoing} {source}");
    }
}

#[test]
fn any_with_too_many_interfaces_to_leave_out_says_so() {
    let links = (1..2000).map(|index| link(index, &format!("veth{index}"), &[])).collect();
    let expression = filter_expression(&network(links, &[]), &[1], HandleKind::Any);
    assert_eq!(expression.text.unwrap().matches("ifindex").count(), MAX_LEFT_OUT);
    assert!(expression.notices[0].contains("1998 interfaces"), "{:?}", expression.notices);
}

/// eth0 and eth1, each with every second of `count` networks with this prefix length.
fn chequered(count: u32, length: u8) -> Network {
    let mut network = network(vec![link(2, "eth0", &[]), link(3, "eth1", &[]), link(4, "eth2", &[])], &[]);
    let base = u32::from_be_bytes([10, 0, 0, 0]);
    network.routes = (0..count)
        .map(|n| Route {
            destination: IpNet::new(std::net::Ipv4Addr::from_bits(base + (n << (32 - length))).into(), length).unwrap(),
            interfaces: vec![2 + 2 * (n % 2)],
        })
        .collect();
    network
}

#[test]
fn too_many_routes_are_cut_at_a_length_and_said() {
    let mut network = chequered(1000, 24);
    network.routes.push(Route { destination: "172.16.0.0/16".parse().unwrap(), interfaces: vec![3] });
    let expression = filter_expression(&network, &[2, 3], NAMED);
    let text = expression.text.unwrap();
    assert!(text.contains("172.16.0.0/16") && !text.contains("10.0."), "{text}");
    assert_eq!(expression.notices.len(), 1);
    assert!(expression.notices[0].contains("longer than /22"), "{:?}", expression.notices);
}

#[test]
fn too_many_own_addresses_count_twice_rather_than_not_at_all() {
    let mut network = router();
    let own = |n: u32| IpNet::from(IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a01_0000 + 2 * n)));
    network.links[2].addresses = (0..300).map(own).collect();
    let expression = filter_expression(&network, &[2, 3, 4], NAMED);
    assert_eq!(expression.text, None);
    assert!(expression.notices[0].contains("counted twice"), "{:?}", expression.notices);
}

#[test]
fn a_half_captured_route_is_reported_but_not_that_of_link_local_addresses() {
    let mut network = router();
    network.routes.push(Route { destination: "198.51.100.0/24".parse().unwrap(), interfaces: vec![2, 4] });
    network.routes.push(Route { destination: "fe80::/64".parse().unwrap(), interfaces: vec![2, 3, 4] });
    let notices = filter_expression(&network, &[2, 3], NAMED).notices;
    assert_eq!(notices.len(), 1);
    assert!(notices[0].starts_with("198.51.100.0/24 is reachable via eth0 and via eth2, which is not"), "{notices:?}");
    assert_eq!(filter_expression(&network, &[2, 3, 4], NAMED).notices.len(), 0);
}

#[test]
fn two_ports_of_a_bridge_are_reported() {
    let links = vec![
        link(2, "eth0", &[]).under(4),
        link(3, "eth1", &[]).under(4),
        link(4, "br0", &["10.0.0.1/24"]).of(LinkKind::Bridge),
    ];
    let network = network(links, &[("10.0.0.0/24", &[4])]);
    let notices = filter_expression(&network, &[2, 3], NAMED).notices;
    assert!(notices[0].starts_with("eth0 and eth1 are ports of br0"), "{notices:?}");
}

#[test]
fn routes_that_were_not_read_are_reported() {
    let mut network = router();
    network.routes_cut = true;
    assert_eq!(filter_expression(&network, &[2, 3], NAMED).notices.len(), 1);
    assert_eq!(filter_expression(&network, &[2], NAMED).notices.len(), 0);
}
