//! Sources of one network that scan together, each of them less than a scanner does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::alerts;
use super::traffic::{SYN, Traffic, at};

/// The networks of sources: two outside the local networks, one inside.
#[derive(Debug, Clone, Copy)]
pub enum Network {
    Outside4,
    Outside6,
    Inside,
}

impl Network {
    fn source(self, number: u16) -> IpAddr {
        match self {
            Self::Outside4 => Ipv4Addr::new(198, 51, 100, number as u8).into(),
            Self::Outside6 => Ipv6Addr::new(0x2001, 0xdb8, 7, 9, 0, 0, 0, number).into(),
            Self::Inside => Ipv4Addr::new(10, 9, 8, number as u8).into(),
        }
    }

    fn target(self, number: u16) -> IpAddr {
        match self {
            Self::Outside6 => Ipv6Addr::new(0xfd00, 1, 2, 3, 0, 0, 0, number).into(),
            _ => Ipv4Addr::new(10, 20, 30, number as u8).into(),
        }
    }
}

/// SYNs without an answer: the number of the source, and the host and the port that it tries.
fn scan(network: Network, contacts: impl Iterator<Item = (u16, u16, u16)>) -> Traffic {
    let mut traffic = Traffic::default();
    for (number, (source, host, port)) in contacts.enumerate() {
        let from = (network.source(source), 40_000 + number as u16);
        traffic.tcp(at(1.0 + 0.05 * number as f64), from, (network.target(host), port), SYN, 0);
    }
    // Answers are visible: a client fetches something.
    let (client, server) = ((network.source(250), 50_000), (network.target(250), 443));
    for (number, (from, to, flags)) in
        [(client, server, SYN), (server, client, 0x12), (client, server, 0x10)].into_iter().enumerate()
    {
        traffic.tcp(at(0.5 + 0.01 * number as f64), from, to, flags, 0);
    }
    traffic.tcp(at(0.6), client, server, 0x18, 200);
    traffic.tcp(at(0.61), server, client, 0x18, 900);
    traffic.sorted()
}

/// The alerts that fired, as JSON.
fn fired(traffic: &Traffic, options: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = traffic.write(folder.path(), "groups.pcap");
    let lines = alerts::lines(&file, options);
    let alerts = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    alerts.filter(|alert| alert["state"] == "firing").collect()
}

/// Sources that try `each` hosts of their own, by one port.
pub fn sweep(network: Network, sources: u16, each: u16) -> Traffic {
    scan(network, (0..sources * each).map(|number| (1 + number % sources, 1 + number, 22)))
}

#[test]
fn sources_that_exceed_the_limit_together_are_one_alert() {
    for (network, prefix) in [(Network::Outside4, "198.51.100.0/24"), (Network::Outside6, "2001:db8:7:9::/64")] {
        let fired = fired(&sweep(network, 20, 10), &["--explain"]);
        let [alert] = &fired[..] else { panic!("{fired:#?}") };
        assert_eq!((&alert["kind"], &alert["network"]), (&"group_scan".into(), &prefix.into()), "{alert}");
        assert_eq!((&alert["src"], &alert["side"]), (&Value::Null, &"outside".into()));
        assert!(alert["value"].as_u64().unwrap() > 120, "{alert}");
        let sentence = alert["explanation"].as_str().unwrap();
        assert!(sentence.starts_with(&format!("{prefix} tried ")) && sentence.contains(" at 22/tcp "), "{sentence}");
        assert_eq!(alert["evidence"]["setting"], "scan.group_factor");
    }
}

#[test]
fn ports_are_put_together_as_hosts_are() {
    let ports = (0..1_000).map(|number| (1 + number % 20, 1, 1_000 + number));
    let fired = fired(&scan(Network::Outside4, ports), &["--explain"]);
    let [alert] = &fired[..] else { panic!("{fired:#?}") };
    assert_eq!((&alert["kind"], &alert["evidence"]["targets"]), (&"group_scan".into(), &"ports".into()), "{alert}");
}

#[test]
fn local_sources_and_few_targets_are_no_group() {
    assert_eq!(fired(&sweep(Network::Inside, 20, 10), &[]), [Value::Null; 0], "inside");
    assert_eq!(fired(&sweep(Network::Outside4, 11, 10), &[]), [Value::Null; 0], "110 hosts");
    assert_eq!(fired(&sweep(Network::Outside4, 20, 10), &["--scan.group_factor", "0"]), [Value::Null; 0], "off");
}

#[test]
fn the_same_dead_hosts_of_many_sources_are_few_targets() {
    let contacts = (0..240 * 10).map(|number| (1 + number % 240, 1 + number / 240, 25));
    assert_eq!(fired(&scan(Network::Outside4, contacts), &[]), [Value::Null; 0]);
}

#[test]
fn source_that_is_found_alone_is_not_of_the_group() {
    let contacts = (0..200).map(|number| (1, 1 + number, 22));
    let fired = fired(&scan(Network::Outside4, contacts), &[]);
    let kinds: Vec<&str> = fired.iter().map(|alert| alert["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["host_scan"]);
}

#[test]
fn evidence_is_explained_if_that_is_asked_for() {
    let contacts = || (0..30).map(|number| (1, 1 + number, 22));
    let plain = fired(&scan(Network::Outside4, contacts()), &[]);
    assert!(plain[0]["explanation"].is_null() && plain[0]["evidence"].is_null());
    let explained = fired(&scan(Network::Outside4, contacts()), &["--explain"]);
    let evidence = &explained[0]["evidence"];
    let value = &explained[0]["value"];
    let keys = ["network", "proto", "dst_port", "failed", "touched", "used", "limit", "setting"];
    let expected: [Value; 8] = [
        "10.20.30.0/24".into(),
        6.into(),
        22.into(),
        value.clone(),
        0.into(),
        0.into(),
        15.into(),
        "NumberContactedIPs".into(),
    ];
    assert_eq!(keys.map(|key| evidence[key].clone()), expected, "{evidence}");
    // The setting with this value silences the alert, and one less does not.
    let resolved =
        |limit: u64| fired(&scan(Network::Outside4, contacts()), &["-NumberContactedIPs", &limit.to_string()]);
    assert!(resolved(30).is_empty() && !resolved(29).is_empty());
}
