use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use netlink_packet_core::{DefaultNla, Emitable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteType,
};

use super::made::{link, network};
use super::rtnetlink::{RouteTable, read_addresses, read_links, read_routes};
use super::*;
use crate::os::rerun;

#[test]
fn this_namespace_has_a_loopback_device() {
    let network = Network::read().unwrap();
    let lo = network.named("lo").unwrap();
    assert!(lo.loopback);
    assert_eq!((lo.parent, lo.controller), (None, None));
    if lo.up {
        assert!(network.own_addresses().any(|address| address == IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(network.local.contains(&"127.0.0.0/8".parse().unwrap()));
    }
    assert!(network.links.is_sorted_by_key(|link| link.index));
    assert!(network.routes.is_sorted_by_key(|route| route.destination));
}

#[test]
fn waiting_for_changes_ends_at_the_timeout() {
    // Something else may change the network meanwhile: only the waiting is looked at.
    let changes = Changes::open().unwrap();
    let _ = changes.wait(Duration::ZERO).unwrap();
    let _ = changes.wait(Duration::from_millis(20)).unwrap();
}

/// Runs the test `name` again in a network namespace of its own, after `ip` has been given each line of `setup`.
fn in_namespace(name: &str, setup: &str) {
    let script: Vec<String> = setup.lines().map(|line| format!("ip {line}")).collect();
    rerun::unshared("--net", &script.join("\n"), &rerun::path(module_path!(), name), "inside");
}

#[test]
#[ignore = "needs root: makes a network namespace"]
fn a_made_namespace_is_read_as_made() {
    let setup = "link set lo up
        link add e0 type veth peer name e1
        link add br0 type bridge
        link add mv0 link e0 type macvlan mode bridge
        link set e1 master br0
        link set e0 up
        link set e1 up
        link set br0 up
        link property add dev e0 altname b-long-alternative-name altname another
        addr add 10.1.0.1/24 dev e0
        addr add 10.9.0.1 peer 10.9.0.2 dev br0
        -6 addr add fd00:1::1/64 dev e0 nodad
        route add 10.5.0.0/16 nexthop via 10.1.0.2 nexthop via 10.9.0.2
        route add 10.6.0.0/16 via 10.1.0.2 metric 200
        route add 10.6.0.0/16 via 10.9.0.2 metric 100
        route add blackhole 10.7.0.0/16
        route add local 10.8.0.0/16 dev lo
        route add 10.10.0.0/16 via 10.1.0.2 table 100
        -6 route add fd00:5::/48 nexthop via fd00:1::2 nexthop via fd00:1::3
        -6 route add unreachable fd00:7::/48";
    if rerun::parameter().is_none() {
        return in_namespace("a_made_namespace_is_read_as_made", setup);
    }
    let network = read_when_running("e0");
    let [e0, e1, br0, mv0] = ["e0", "e1", "br0", "mv0"].map(|name| network.named(name).unwrap());
    assert_eq!((e0.kind.clone(), e0.parent, e0.up, e0.running), (Some(LinkKind::Veth), None, true, true));
    assert_eq!((e1.kind.clone(), e1.controller), (Some(LinkKind::Veth), Some(br0.index)));
    assert_eq!((br0.kind.clone(), br0.controller), (Some(LinkKind::Bridge), None));
    assert_eq!((mv0.kind.clone(), mv0.parent, mv0.up), (Some(LinkKind::Macvlan), Some(e0.index), false));
    assert_eq!(e0.alternative_names, ["another", "b-long-alternative-name"]);
    assert_eq!(network.named("another"), Some(e0));
    assert!(e0.addresses.contains(&"10.1.0.1/24".parse().unwrap()));
    assert!(e0.addresses.contains(&"fd00:1::1/64".parse().unwrap()));
    assert_eq!(br0.addresses.first(), Some(&"10.9.0.1/32".parse().unwrap()));

    let routed = |to: &str| {
        let route = network.routes.iter().find(|route| route.destination == to.parse().unwrap());
        route.map(|route| route.interfaces.clone())
    };
    let both = vec![e0.index.min(br0.index), e0.index.max(br0.index)];
    assert_eq!(routed("10.5.0.0/16"), Some(both));
    assert_eq!(routed("10.6.0.0/16"), Some(vec![br0.index]));
    assert_eq!(routed("10.7.0.0/16"), Some(vec![]));
    assert_eq!((routed("10.8.0.0/16"), routed("10.10.0.0/16")), (None, None));
    assert_eq!(routed("fd00:5::/48"), Some(vec![e0.index]));
    assert_eq!(routed("fd00:7::/48"), Some(vec![]));
    for local in ["10.8.0.0/16", "10.1.0.1/32", "127.0.0.0/8", "fd00:1::1/128"] {
        assert!(network.local.contains(&local.parse().unwrap()), "{local} {:?}", network.local);
    }
    for (v4, v6) in [("1", "0"), ("0", "1"), ("0", "0")] {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", v4).unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", v6).unwrap();
        assert_eq!(Network::read().unwrap().forwarding, (v4, v6) != ("0", "0"));
    }
}

/// The kernel says a little later that a link which was set up is running.
fn read_when_running(name: &str) -> Network {
    let changes = Changes::open().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let network = Network::read().unwrap();
        if network.named(name).unwrap().running || Instant::now() > deadline {
            return network;
        }
        changes.wait(Duration::from_millis(100)).unwrap();
    }
}

#[test]
#[ignore = "needs root: makes a network namespace"]
fn a_change_is_reported_once() {
    if rerun::parameter().is_none() {
        return in_namespace("a_change_is_reported_once", "link add e0 type veth peer name e1");
    }
    let changes = Changes::open().unwrap();
    assert!(!changes.wait(Duration::from_millis(50)).unwrap());
    let ip = |words: &str| assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success());
    for words in [
        "addr add 10.1.0.1/24 dev e0",
        "link set e0 up",
        "route add blackhole 10.2.0.0/16",
        "-6 addr add fd00::1/64 dev e0",
        "-6 route add blackhole fd00:1::/64",
        "link del e0",
    ] {
        ip(words);
        assert!(changes.wait(Duration::from_secs(5)).unwrap(), "{words}");
    }
    // Many at once; changes that a socket cannot queue are reported as well.
    for third in 0..50 {
        ip(&format!("route add blackhole 10.3.{third}.0/24"));
    }
    assert!(changes.wait(Duration::ZERO).unwrap());
    assert!(!changes.wait(Duration::from_millis(50)).unwrap());
}

fn bytes(message: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

fn link_message(kind: InfoKind, attributes: Vec<LinkAttribute>) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.flags = LinkFlags::Up | LinkFlags::Running;
    message.attributes = attributes;
    message.attributes.insert(0, LinkAttribute::IfName("x0".to_owned()));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    bytes(&message)
}

fn read_link(message: &[u8]) -> Option<Link> {
    let mut links = BTreeMap::new();
    read_links(&mut links, message)?;
    links.into_values().next()
}

#[test]
fn a_vlan_has_a_parent() {
    let vlan = read_link(&link_message(InfoKind::Vlan, vec![LinkAttribute::Link(2)])).unwrap();
    assert_eq!((vlan.name.as_str(), vlan.kind, vlan.parent), ("x0", Some(LinkKind::Vlan), Some(2)));
    assert!(vlan.up && vlan.running && !vlan.loopback);
}

#[test]
fn a_parent_in_another_namespace_is_none() {
    let attributes = vec![LinkAttribute::Link(2), LinkAttribute::LinkNetNsId(0)];
    assert_eq!(read_link(&link_message(InfoKind::MacVlan, attributes)).unwrap().parent, None);
}

#[test]
fn a_veths_peer_and_a_tunnels_link_are_no_parents() {
    for kind in [InfoKind::Veth, InfoKind::Vxlan, InfoKind::Other("ppp".to_owned())] {
        assert_eq!(read_link(&link_message(kind, vec![LinkAttribute::Link(2)])).unwrap().parent, None);
    }
}

#[test]
fn a_bonds_member_has_a_controller() {
    let member = read_link(&link_message(InfoKind::Dummy, vec![LinkAttribute::Controller(5)])).unwrap();
    assert_eq!((member.controller, member.kind), (Some(5), Some(LinkKind::Other("dummy".to_owned()))));
}

#[test]
fn attributes_of_an_unknown_kind_or_length_are_passed_over() {
    let strange = LinkAttribute::Other(DefaultNla::new(0x1ff, vec![1, 2, 3]));
    let message = link_message(InfoKind::Vlan, vec![strange, LinkAttribute::Link(2)]);
    assert_eq!(read_link(&message).unwrap().parent, Some(2));
}

#[test]
fn with_a_peer_our_own_address_is_the_local_one() {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = 4;
    let address = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
    message.attributes = vec![AddressAttribute::Address(address(2)), AddressAttribute::Local(address(1))];
    let mut addresses = Vec::new();
    read_addresses(&mut addresses, &bytes(&message)).unwrap();
    assert_eq!(addresses, [(4, "10.0.0.1/32".parse().unwrap())]);
}

fn route_message(kind: RouteType, third: u8, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.kind = kind;
    message.header.table = 254;
    message.header.destination_prefix_length = 24;
    let destination = RouteAddress::Inet(Ipv4Addr::new(10, 0, third, 0));
    message.attributes = vec![RouteAttribute::Destination(destination)];
    message.attributes.extend(attributes);
    message
}

fn routes(messages: &[RouteMessage]) -> Vec<(String, Vec<u32>)> {
    let mut table = RouteTable::default();
    for message in messages {
        read_routes(&mut table, &bytes(message)).unwrap();
    }
    table.into_routes().into_iter().map(|route| (route.destination.to_string(), route.interfaces)).collect()
}

#[test]
fn dead_next_hops_lead_nowhere() {
    let hop = |index, flags| {
        let mut hop = RouteNextHop::default();
        (hop.interface_index, hop.flags) = (index, flags);
        hop.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::new(10, 0, 0, 1)))];
        hop
    };
    let none = RouteNextHopFlags::empty();
    let hops = vec![hop(3, none), hop(4, RouteNextHopFlags::Dead), hop(5, none)];
    let message = route_message(RouteType::Unicast, 0, vec![RouteAttribute::MultiPath(hops)]);
    assert_eq!(routes(&[message]), [("10.0.0.0/24".to_owned(), vec![3, 5])]);
}

#[test]
fn the_lowest_metric_wins_and_equal_ones_join() {
    let by = |metric, interface| {
        let attributes = vec![RouteAttribute::Oif(interface), RouteAttribute::Priority(metric)];
        route_message(RouteType::Unicast, 0, attributes)
    };
    let read = routes(&[by(200, 2), by(100, 4), by(300, 5), by(100, 3)]);
    assert_eq!(read, [("10.0.0.0/24".to_owned(), vec![3, 4])]);
}

#[test]
fn an_unreachable_route_has_no_interface_even_if_it_names_one() {
    let message = route_message(RouteType::Unreachable, 0, vec![RouteAttribute::Oif(1)]);
    assert_eq!(routes(&[message]), [("10.0.0.0/24".to_owned(), vec![])]);
}

#[test]
fn routes_of_other_tables_types_of_service_and_sources_are_left_out() {
    let plain = |third| route_message(RouteType::Unicast, third, vec![RouteAttribute::Oif(2)]);
    let (mut tos, mut source, mut other) = (plain(1), plain(2), plain(3));
    tos.header.tos = 8;
    source.header.source_prefix_length = 8;
    other.attributes.push(RouteAttribute::Table(1000));
    assert_eq!(routes(&[plain(0), tos, source, other]).len(), 1);
}

#[test]
fn messages_cut_anywhere_are_read_or_refused_but_never_panic() {
    let hops = vec![RouteNextHop::default(), RouteNextHop::default()];
    let route = bytes(&route_message(RouteType::Unicast, 0, vec![RouteAttribute::MultiPath(hops)]));
    let link = link_message(InfoKind::Vlan, vec![LinkAttribute::Link(2)]);
    for length in 0..link.len().max(route.len()) {
        read_link(&link[..length.min(link.len())]);
        read_addresses(&mut Vec::new(), &link[..length.min(link.len())]);
        read_routes(&mut RouteTable::default(), &route[..length.min(route.len())]);
    }
}

/// eth0 and eth1 in bond0, a port of br0; VLANs on the bond, one in the other; a VLAN of the bridge.
fn stack() -> Network {
    let links = vec![
        link(1, "lo", &[]),
        link(2, "eth0", &[]).under(4),
        link(3, "eth1", &[]).under(4),
        link(4, "bond0", &[]).of(LinkKind::Bond).under(5),
        link(5, "br0", &[]).of(LinkKind::Bridge),
        link(6, "bond0.10", &[]).of(LinkKind::Vlan).on(4),
        link(7, "bond0.10.20", &[]).of(LinkKind::Vlan).on(6),
        link(8, "br0.5", &[]).of(LinkKind::Vlan).on(5),
    ];
    network(links, &[])
}

#[test]
fn frames_show_on_the_links_above() {
    let network = stack();
    let shown_on = |index| network.shown_on(network.link(index).unwrap());
    assert_eq!(shown_on(2), [4, 5]);
    assert_eq!(shown_on(4), [5]);
    assert_eq!(shown_on(6), [4], "the kernel takes a VLAN's frames away before the bridge");
    assert_eq!(shown_on(7), [6, 4]);
    assert_eq!(shown_on(8), [5]);
    assert!(shown_on(5).is_empty());
}

#[test]
fn link_is_shown_by_a_link_that_all_its_frames_pass() {
    let network = stack();
    let shows = |captured: &[u32], index| network.shows(captured, network.link(index).unwrap());
    assert!(shows(&[4], 7), "a VLAN in a VLAN of the captured bond");
    assert!(shows(&[2, 3], 7) && shows(&[2, 3], 5), "every member of the bond is captured");
    assert!(!shows(&[2], 5), "one member of two");
    assert!(shows(&[5], 2) && shows(&[5], 8));
    assert!(!shows(&[5], 6), "a VLAN beside the bridge");
    assert!(!shows(&[6], 4), "a parent has other frames than its child's");
    assert!(!shows(&[], 2) && !shows(&[1], 2));
}

#[test]
fn a_circle_of_links_ends() {
    let links = vec![link(2, "a", &[]).of(LinkKind::Vlan).on(3), link(3, "b", &[]).of(LinkKind::Vlan).on(2)];
    let network = network(links, &[]);
    assert!(!network.shows(&[9], network.link(2).unwrap()));
    assert!(network.shown_on(network.link(2).unwrap()).len() <= 8);
}
