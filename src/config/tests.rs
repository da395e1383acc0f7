use std::ffi::OsString;
use std::path::Path;

use super::options::{FILE_ONLY, settings};
use super::*;
use crate::detect::anomaly::Pairs;
use crate::detect::bandwidth::Bandwidth;
use crate::detect::scan::Scan;
use crate::packet::Timestamp;

const EXAMPLE: &str = include_str!("../../examples/trafficmonitor.yml");

fn read(yaml: &str) -> Config {
    file::parse(yaml, Path::new("t.yml")).and_then(Settings::validate).unwrap()
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(read(EXAMPLE), Config::default());
}

#[test]
fn the_example_names_every_key_in_its_section_with_its_options() {
    let with_options = settings().flat_map(|definition| {
        let option = format!("({})", definition.spellings().remove(0));
        definition.keys.iter().map(move |key| (*key, option.clone()))
    });
    for ((section, key), option) in with_options.chain(FILE_ONLY.iter().map(|key| (*key, String::new()))) {
        let (_, rest) = EXAMPLE.split_once(&format!("\n{section}:\n")).expect(section);
        let of_section = rest.lines().take_while(|line| line.starts_with(' '));
        let lines: Vec<_> = of_section.collect();
        let place = lines.iter().position(|line| line.starts_with(&format!("  {key}:"))).expect(key);
        let comment: String = lines[..place].iter().rev().take_while(|line| line.starts_with("  #")).copied().collect();
        assert!(!comment.is_empty() && comment.contains(&option), "{key}: no {option} in {comment:?}");
    }
}

/// Options with values, of which each set is given together.
const GIVEN: [&[(&str, &str)]; 6] = [
    &[],
    &[("i", "eth0,no,0x10"), ("ExcludedInterfaces", "lo"), ("w", "3s"), ("promRefresh", "1.5"), ("r", "-"), ("s", "0")],
    &[("i", "any"), ("f", "host 10.0.0.1 and (tcp or udp) # \"x\": y"), ("buffer-size", "1234567"), ("r", "a: b.pcap")],
    &[
        ("promHTTP", "[::1]:9,localhost:9,:0"),
        ("localNetworks", "192.0.2.7/24,::1"),
        ("localIPs", "192.0.2.7/24"),
        ("flow-key", "dst-port"),
        ("max-flows", "1"),
        ("metrics.seed", "false"),
        ("log.level", "trace"),
        ("log.format", "json"),
        ("promisc", "true"),
    ],
    &[
        ("TrafficInterval", "0.5"),
        ("ByteLimit", "18446744073709551615"),
        ("bandwidth.direction", "both"),
        ("scan.rule", "contacts"),
        ("NoDestinations", "true"),
        ("ChartMinBytes", "0"),
        ("AnalyzePorts", "false"),
        ("NumContactedPorts", "65535"),
        ("PortInterval", "366d"),
        ("detect.top_sources", "1"),
        ("alert.pending", "1m30s"),
        ("alert.hold", "0"),
        ("alert.severity", "host_scan=critical,host_scan.outside=warning,anomaly.inside=warning"),
        ("explain", "true"),
    ],
    &[
        ("anom.alerts", "true"),
        ("anom_methods", "ks,cdf,fence,ks"),
        ("anom_active_size", "2"),
        ("anom_n_seasons", "3"),
        ("anom_gv_cap", "1000"),
        ("anom_lower_bound", "-0.5"),
        ("anom_upper_bound", "1e300"),
        ("anom_sensitivity", "0.8"),
        ("anom.threshold", "0"),
        ("anom.min_bytes", "7K"),
        ("transfer_interval", "1.5s"),
        ("filter_ip_CIDR", "fd00::/8"),
        ("filter_bool", "false"),
        ("filter_src", "true"),
    ],
];

#[test]
fn what_config_prints_gives_the_same_configuration() {
    for given in GIVEN {
        let mut layer = Settings::default();
        for (name, value) in given {
            let named = |definition: &&OptionDefinition| {
                definition.long == Some(*name) || definition.short.is_some_and(|letter| letter.to_string() == *name)
            };
            let definition = settings().find(named).expect(name);
            let Role::Setting(apply) = definition.role else { panic!("{name}") };
            apply(&mut layer, &[Text { value: OsString::from(value), origin: Origin::Words }]).unwrap();
        }
        let config = Config { notices: Vec::new(), ..layer.validate().unwrap() };
        let yaml = config.to_yaml().unwrap();
        assert_eq!(read(&yaml), config, "{yaml}");
    }
}

#[test]
fn a_setting_of_an_upper_layer_lies_over_that_of_a_lower_one() {
    let layer = |yaml: &str| file::parse(yaml, Path::new("t.yml")).unwrap();
    let lower =
        layer("capture: {snap_length: 101, filter: tcp}\nlocality: {networks: [192.0.2.0/24, 198.51.100.0/24]}");
    let upper = layer("capture: {snap_length: 102}\nlocality: {networks: [203.0.113.0/24]}\nlog: {level: warn}");
    let config = lower.merge(upper).validate().unwrap();
    assert_eq!(config.capture.snap_length, 102);
    assert_eq!(config.capture.filter.as_deref(), Some("tcp"));
    assert_eq!(config.locality.networks, ["203.0.113.0/24".parse().unwrap()]);
    assert_eq!(config.log.level, LogLevel::Warn);
}

#[test]
fn numbers_are_decimal_and_finite() {
    for (yaml, place) in [
        ("pipeline: {refresh: .inf}", "1:21: .inf: expected seconds or a duration"),
        ("pipeline:\n  refresh: -.inf", "2:12: -.inf: expected seconds or a duration"),
        ("pipeline: {refresh: .nan}", "1:21: .nan: expected seconds or a duration"),
        ("capture: {snap_length: .inf}", "1:24: expected a number from 0 to 65535"),
        ("account: {max_flows: 0x10}", "1:22: 0x10: write the number in decimal digits"),
        ("account:\n  max_flows: 0x10 # many\n", "2:14: 0x10: write the number"),
        ("pipeline: {refresh: 0o17}", "1:21: 0o17: write the number"),
        ("account: {max_flows: 1_000, max_series: 7}", "1:22: 1_000: write the number"),
        ("account: {max_flows: 010}", "1:22: 010: write the number"),
        ("account: {max_flows: 0b11}", "1:22: 0b11"),
    ] {
        let error = file::parse(yaml, Path::new("t.yml")).and_then(Settings::validate).unwrap_err().to_string();
        assert!(error.starts_with(&format!("t.yml:{place}")), "{yaml}: {error}");
    }
    for yaml in [
        "pipeline: {refresh: 0.5}",
        "account: {max_flows: 10, max_series: 5}",
        "capture: {filter: \"0x10\"}",
        "capture:\n  filter: 0x10 = ip[0]\n  interfaces: [\"0x10\", \"010\"]\n",
        "capture:\n  filter: >\n    0x10\n    = ip[0]\n",
        "capture:\nlog: {level: warn}",
    ] {
        read(yaml);
    }
}

#[test]
fn an_empty_list_in_the_file_is_a_list() {
    assert_eq!(read("locality: {networks: []}").locality.networks, []);
    let error = file::parse("capture: {interfaces: []}", Path::new("t.yml")).and_then(Settings::validate).unwrap_err();
    assert_eq!(error.to_string(), "t.yml:1:23: no interface given; name interfaces, or use all or any");
}

#[test]
fn what_is_accepted_at_its_bounds_can_be_looked_for() {
    for yaml in [
        "bandwidth: {interval: 100ms, limit: 1, direction: both}\nscan: {interval: 100ms, port_interval: 366d, contacted_ips: 1}",
        "bandwidth: {interval: 366d, limit: 18446744073709551615}\nscan: {interval: 366d, port_interval: 0.1, rule: contacts, \
         contacted_ips: 65535, contacted_ports: 65535}",
        "anomaly: {capacity: 1000, active_size: 1, seasons: 999, transfer_interval: 100ms, max_pairs: 1}",
        "anomaly: {capacity: 1000, active_size: 500, seasons: 1, transfer_interval: 1d, max_pairs: 1000000}",
    ] {
        let detect = read(yaml).detect;
        let later = Timestamp::from_nanoseconds(1_000_000_000);
        assert_eq!(Bandwidth::new(&detect.bandwidth.unwrap(), 1).advance(later), [], "{yaml}");
        assert_eq!(Scan::new(&detect.scan.unwrap(), 1).advance(later), [], "{yaml}");
        assert_eq!(Pairs::new(detect.anomaly.unwrap()).due(), 0, "{yaml}");
    }
}
