use super::*;
use crate::capture::network::made::{link, network, router};

fn config(selection: Selection) -> Config {
    Config { selection, ..Config::default() }
}

fn named(names: &[&str]) -> Config {
    config(Selection::Named(names.iter().map(|&name| name.to_owned()).collect()))
}

fn excluding(selection: Selection, names: &[&str]) -> Config {
    Config { excluded: names.iter().map(|&name| name.to_owned()).collect(), ..config(selection) }
}

fn captured_names(network: &Network, config: &Config) -> Vec<String> {
    let captured = captured(network, config);
    let decided = decide(network, config);
    let by_decision = decided.iter().filter(|decision| decision.outcome == LinkOutcome::Captured);
    assert_eq!(captured, by_decision.clone().map(|decision| decision.index).collect::<Vec<_>>());
    by_decision.map(|decision| decision.name.clone()).collect()
}

fn why_not(network: &Network, config: &Config, name: &str) -> String {
    let decided = decide(network, config);
    match &decided.iter().find(|decision| decision.name == name).unwrap().outcome {
        LinkOutcome::NotCaptured(reason) => reason.to_string(),
        LinkOutcome::Captured => "captured".to_owned(),
    }
}

/// The kernel takes any name without a slash, a colon and white space.
#[test]
fn control_characters_in_names_are_escaped() {
    let hostile = "a\u{1b}[31m";
    let links = vec![link(2, hostile, &[]).of(LinkKind::Bond), link(3, "eth0", &[]).under(2)];
    let network = network(links, &[]);
    let refused = |config| check_names(&network, &config).unwrap_err().to_string();
    for text in [
        table(&network, &config(Selection::All)),
        refused(named(&["nosuch0"])),
        refused(named(&["\u{1b}c"])),
        refused(named(&["eth0", hostile])),
    ] {
        assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}"), "{text}");
    }
    let table = table(&network, &config(Selection::All));
    let columns: Vec<_> = table.lines().map(|line| line.find("STATE").or(line.find(" up ").map(|at| at + 1))).collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "{table}");
}

/// A bond of two, a VLAN on it and one in that; a bridge with a port that has a VLAN; macvlan, ipvlan; a VRF.
fn host() -> Network {
    let links = vec![
        link(1, "lo", &["127.0.0.1/8"]),
        link(2, "eth0", &[]).under(4),
        link(3, "eth1", &[]).under(4),
        link(4, "bond0", &["192.0.2.2/24", "2001:db8::2/64"]).of(LinkKind::Bond),
        link(5, "bond0.10", &[]).of(LinkKind::Vlan).on(4),
        link(6, "bond0.10.20", &[]).of(LinkKind::Vlan).on(5),
        link(7, "br0", &["10.0.0.1/24"]).of(LinkKind::Bridge),
        link(8, "veth1", &[]).of(LinkKind::Veth).under(7),
        link(9, "veth1.5", &[]).of(LinkKind::Vlan).on(8),
        link(10, "eth2", &[]).down(),
        link(11, "mac0", &[]).of(LinkKind::Macvlan).on(10),
        link(12, "ip0", &[]).of(LinkKind::Ipvlan).on(4),
        link(13, "vrf0", &[]).of(LinkKind::Vrf),
        link(14, "eth3", &[]).under(13),
    ];
    network(links, &[])
}

#[test]
fn all_leaves_out_loopback_links_that_are_down_and_links_shown_elsewhere() {
    let (host, all) = (host(), config(Selection::All));
    assert_eq!(captured_names(&host, &all), ["bond0", "br0", "veth1.5", "mac0", "eth3"]);
    for (name, reason) in [
        ("lo", "loopback"),
        ("eth0", "bond member of bond0, where its frames are captured"),
        ("bond0.10", "VLAN of bond0, where its frames are captured"),
        ("bond0.10.20", "VLAN of bond0.10; its frames are captured on bond0"),
        ("veth1", "bridge port of br0, where its frames are captured"),
        ("veth1.5", "captured"),
        ("eth2", "down"),
        ("mac0", "captured"),
        ("ip0", "ipvlan on bond0, where its frames are captured"),
        ("vrf0", "VRF: its frames are captured on its members"),
    ] {
        assert_eq!(why_not(&host, &all, name), reason, "{name}");
    }
}

#[test]
fn a_child_is_left_out_only_for_a_parent_that_is_captured() {
    let without_bond = excluding(Selection::All, &["bond0", "br0"]);
    let captured = captured_names(&host(), &without_bond);
    assert_eq!(captured, ["eth0", "eth1", "bond0.10", "veth1", "mac0", "ip0", "eth3"]);
    assert_eq!(why_not(&host(), &without_bond, "bond0"), "excluded by configuration");
    assert_eq!(why_not(&host(), &without_bond, "bond0.10.20"), "VLAN of bond0.10, where its frames are captured");
    assert_eq!(why_not(&host(), &without_bond, "veth1.5"), "VLAN of veth1, where its frames are captured");
}

#[test]
fn a_bond_that_is_a_bridges_port_hides_its_members_but_not_its_vlans() {
    let mut host = host();
    host.links[3].controller = Some(7);
    let all = config(Selection::All);
    assert_eq!(captured_names(&host, &all), ["bond0.10", "br0", "veth1.5", "mac0", "ip0", "eth3"]);
    assert_eq!(why_not(&host, &all, "eth0"), "bond member of bond0; its frames are captured on br0");
}

#[test]
fn only_named_links_are_captured_even_if_down_or_excluded() {
    let names = Config { excluded: vec!["eth2".to_owned()], ..named(&["eth2", "lo", "eth2", "gone"]) };
    assert_eq!(captured_names(&host(), &names), ["lo", "eth2"]);
    assert_eq!(why_not(&host(), &names, "bond0"), "not named");
    assert_eq!(check_names(&host(), &named(&["eth2", "lo", "eth2"])), Ok(()));
}

#[test]
fn children_named_without_their_parent_are_captured() {
    let names = named(&["eth0", "eth1", "bond0.10", "veth1"]);
    assert_eq!(check_names(&host(), &names), Ok(()));
    assert_eq!(captured_names(&host(), &names), ["eth0", "eth1", "bond0.10", "veth1"]);
}

#[test]
fn an_unknown_name_is_refused_with_the_names_there_are() {
    let refusal = check_names(&router(), &named(&["eth1", "eth9"])).unwrap_err();
    assert_eq!(refusal.to_string(), "eth9: no such interface (have: eth0, eth1, eth2, lo)");
    let links = (1..100).map(|index| link(index, &format!("veth{index:02}"), &[])).collect();
    let refusal = check_names(&network(links, &[]), &named(&["eth9"])).unwrap_err().to_string();
    assert!(refusal.ends_with("veth31, veth32, …)"), "{refusal}");
}

#[test]
fn a_link_named_beside_one_that_shows_its_frames_is_refused() {
    for (names, expected) in [
        (["bond0.10", "bond0"], "bond0.10 and bond0 are both named, but bond0.10 is a VLAN of bond0: "),
        (["bond0", "bond0.10.20"], "bond0.10.20 and bond0 are both named, but bond0.10.20 is a VLAN of bond0.10: "),
        (["br0", "veth1"], "veth1 and br0 are both named, but veth1 is a bridge port of br0: "),
        (["eth1", "bond0"], "eth1 and bond0 are both named, but eth1 is a bond member of bond0: "),
        (["eth2", "mac0"], "mac0 and eth2 are both named, but mac0 is a macvlan on eth2: "),
    ] {
        let refusal = check_names(&host(), &named(&names)).unwrap_err().to_string();
        assert_eq!(refusal, format!("{expected}its frames would be counted twice; name only one of them"));
    }
}

#[test]
fn any_wants_loopback_and_links_that_are_down_but_none_shown_elsewhere() {
    let any = config(Selection::Any);
    assert_eq!(captured_names(&host(), &any), ["lo", "bond0", "br0", "veth1.5", "eth2", "eth3"]);
    let excluded = excluding(Selection::Any, &["bond0", "lo"]);
    assert_eq!(
        captured_names(&host(), &excluded),
        ["eth0", "eth1", "bond0.10", "br0", "veth1.5", "eth2", "ip0", "eth3"]
    );
}

#[test]
fn a_circle_of_links_is_decided() {
    let links = vec![link(2, "a", &[]).of(LinkKind::Vlan).on(3), link(3, "b", &[]).of(LinkKind::Vlan).on(2)];
    assert_eq!(decide(&network(links, &[]), &config(Selection::All)).len(), 2);
}

#[test]
fn the_table_is_aligned() {
    let mut network = router();
    network.links[2].running = false;
    network.links.push(link(5, "eth1.10", &[]).of(LinkKind::Vlan).on(3));
    let expected = "\
NAME     STATE       ADDRESSES                   CAPTURED
lo       up          127.0.0.1/8, ::1/128        no: loopback
eth0     up          192.0.2.2/24, 2001:db8::2/64  yes
eth1     no carrier  10.1.0.1/24, fd00:1::1/64   yes
";
    let table = table(&network, &config(Selection::All));
    let column = |line: &str| ["yes", "no: ", "CAPTURED"].iter().find_map(|word| line.find(word)).unwrap();
    assert_eq!(table.lines().map(column).collect::<std::collections::BTreeSet<_>>().len(), 1, "{table}");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&table)[..words(expected).len()], words(expected)[..]);
    assert!(table.ends_with("no: VLAN of eth1, where its frames are captured\n"), "{table}");
}

fn named_links(network: &Network, names: &[&str]) -> Vec<String> {
    super::named(network, &as_they_stand(network, &named(names))).iter().map(|link| link.name.clone()).collect()
}

#[test]
fn an_alternative_name_stands_for_its_link() {
    let eth0 = link(2, "eth0", &[]).also_called("uplink").also_called("enp3s0");
    let network = network(vec![eth0, link(3, "eth1", &[]), link(4, "eth0.10", &[]).of(LinkKind::Vlan).on(2)], &[]);
    for names in [&["uplink"][..], &["eth0", "uplink"], &["enp3s0", "eth0", "uplink"]] {
        assert_eq!(check_names(&network, &named(names)), Ok(()));
        assert_eq!(
            (named_links(&network, names), captured_names(&network, &named(names))),
            (vec!["eth0".to_owned()], vec!["eth0".to_owned()])
        );
    }
    assert_eq!(captured_names(&network, &excluding(Selection::All, &["uplink"])), ["eth1", "eth0.10"]);
    let refused = check_names(&network, &named(&["uplink", "eth0.10"])).unwrap_err().to_string();
    assert!(refused.starts_with("eth0.10 and eth0 are both named"), "{refused}");
    assert!(table(&network, &named(&["uplink"])).contains("yes"));
}

#[test]
fn a_name_is_its_own_links_before_it_is_anothers_alternative_one() {
    let network = network(vec![link(2, "eth0", &[]).also_called("eth1"), link(3, "eth1", &[])], &[]);
    assert_eq!(named_links(&network, &["eth1"]), ["eth1"]);
}

#[test]
fn a_name_with_a_comma_that_exists_as_it_stands_wins() {
    let all = vec![link(2, "a", &[]), link(3, "b", &[]), link(4, "a,b", &[]), link(5, "c", &[])];
    let with = network(all.clone(), &[]);
    let without = network(all.into_iter().filter(|link| link.index != 4).collect(), &[]);
    assert_eq!(named_links(&with, &["a", "b", "c"]), ["a,b", "c"]);
    assert_eq!(named_links(&with, &["c", "a,b"]), ["c", "a,b"]);
    assert_eq!(named_links(&with, &["b", "a"]), ["b", "a"]);
    assert_eq!(named_links(&without, &["a", "b", "c"]), ["a", "b", "c"]);
    // Once it is gone its parts do not stand for other links.
    let at_start = as_they_stand(&with, &named(&["a", "b"]));
    assert!(super::named(&without, &at_start).is_empty());
    let excluding = as_they_stand(&with, &excluding(Selection::All, &["a", "b"]));
    assert_eq!(captured_names(&with, &excluding), ["a", "b", "c"]);
}

#[test]
fn an_interface_with_the_name_of_a_device_of_libpcap_is_refused_and_left_out() {
    let network =
        network(vec![link(2, "any", &[]).also_called("mine"), link(3, "nflog", &[]), link(4, "eth0", &[])], &[]);
    let all = config(Selection::All);
    assert_eq!(captured_names(&network, &all), ["eth0"]);
    assert_eq!(why_not(&network, &all, "any"), "libpcap has a device of its own with this name; rename the interface");
    for name in ["mine", "nflog"] {
        let refused = check_names(&network, &named(&[name, "eth0"])).unwrap_err().to_string();
        assert!(
            refused.contains("libpcap has a device of its own with this name, so the interface cannot be captured"),
            "{refused}"
        );
        assert_eq!(named_links(&network, &[name, "eth0"]), ["eth0"]);
    }
    // On the pseudo-device its frames show as those of all others do.
    assert_eq!(captured_names(&network, &config(Selection::Any)).len(), 3);
}
