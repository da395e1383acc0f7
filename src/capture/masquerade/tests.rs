use super::*;
use crate::capture::network::LinkKind;
use crate::capture::network::made::{link, network, router};

fn gateway() -> Network {
    Network { forwarding: true, ..router() }
}

#[test]
fn gateway_with_a_public_address_gets_advice_which_side_to_capture() {
    let sentence = likely_masquerade(&gateway(), &[2, 3, 4]).unwrap();
    assert_eq!(
        sentence,
        "this host forwards from eth1 (10.1.0.0/24) and eth2 (10.2.0.0/24) to eth0 (default route) and captures both: \
         if it masquerades, outgoing packets are counted twice, once per source address, and scans by hosts inside may \
         not be judged (trafficmonitor_answers_visible 0); capture only the inside: -iface eth1,eth2"
    );
}

#[test]
fn one_side_alone_needs_no_word() {
    for captured in [&[2][..], &[3], &[3, 4], &[1, 2], &[]] {
        assert_eq!(likely_masquerade(&gateway(), captured), None, "{captured:?}");
    }
}

#[test]
fn a_host_that_does_not_forward_needs_no_word() {
    assert_eq!(likely_masquerade(&router(), &[2, 3, 4]), None);
}

#[test]
fn behind_private_addresses_translation_must_be_seen() {
    let mut gateway = gateway();
    gateway.links[1].addresses = vec!["192.168.1.2/24".parse().unwrap()];
    assert_eq!(likely_masquerade(&gateway, &[2, 3]), None);
    gateway.translating = true;
    assert!(likely_masquerade(&gateway, &[2, 3]).is_some());
}

#[test]
fn public_networks_inside_are_not_masqueraded() {
    let mut gateway = gateway();
    gateway.links[2].addresses = vec!["198.51.100.1/24".parse().unwrap()];
    assert_eq!(likely_masquerade(&gateway, &[2, 3]), None);
}

#[test]
fn a_default_route_by_a_vlan_leaves_by_the_captured_parent() {
    let links = vec![
        link(2, "eth0", &[]),
        link(3, "eth1", &["10.1.0.1/24"]),
        link(4, "eth0.7", &["192.0.2.2/24"]).of(LinkKind::Vlan).on(2),
    ];
    let gateway = Network { forwarding: true, ..network(links, &[("0.0.0.0/0", &[4])]) };
    assert!(likely_masquerade(&gateway, &[2, 3]).unwrap().ends_with("-iface eth1"));
}

#[test]
fn without_a_default_route_nothing_is_likely() {
    let gateway = Network { forwarding: true, translating: true, routes: vec![], ..router() };
    assert_eq!(likely_masquerade(&gateway, &[2, 3]), None);
}
