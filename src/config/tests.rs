use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::declaration::FileKey;
use super::declarations::{SECTIONS, of_section, options, settings};
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
    let with_options = settings().flat_map(|declaration| {
        let option = declaration.spellings().first().map(|name| format!("({name})")).unwrap_or_default();
        declaration.keys.iter().map(move |key| (*key, option.clone()))
    });
    for ((section, key), option) in with_options {
        let (_, rest) = EXAMPLE.split_once(&format!("\n{section}:\n")).expect(section);
        let of_section = rest.lines().take_while(|line| line.starts_with(' '));
        let lines: Vec<_> = of_section.collect();
        let place = lines.iter().position(|line| line.starts_with(&format!("  {key}:"))).expect(key);
        let comment: String = lines[..place].iter().rev().take_while(|line| line.starts_with("  #")).copied().collect();
        assert!(!comment.is_empty() && comment.contains(&option), "{key}: no {option} in {comment:?}");
    }
}

/// A layer in which the option of this name, or letter, has this value.
fn give(layer: &mut Settings, name: &str, value: &str) {
    let named = |declaration: &&Declaration| {
        declaration.long == Some(name) || declaration.short.is_some_and(|letter| letter.to_string() == name)
    };
    let declaration = options().find(named).expect(name);
    layer.give(declaration, vec![Given::argument(value, SettingOrigin::Words)]).expect(name);
}

#[test]
fn the_defaults_as_text_are_the_defaults_of_the_rooms() {
    let mut layer = Settings::default();
    options().for_each(|declaration| give(&mut layer, &declaration.id(), declaration.default));
    assert_eq!(layer.validate().unwrap(), Config::default());
}

#[test]
fn every_section_has_keys_and_every_key_is_declared_once() {
    let mut keys = BTreeSet::new();
    for (section, _) in SECTIONS {
        assert!(of_section(section).count() > 0, "{section}");
        assert!(of_section(section).all(|(key, _)| keys.insert((section, key))), "{section}");
    }
    let named: BTreeSet<FileKey> = settings().flat_map(|declaration| declaration.keys).copied().collect();
    assert_eq!(named, keys);
    assert!(settings().all(|declaration| !declaration.keys.is_empty()));
}

/// Another value than the default, for an option that changes nothing else.
fn example_of(declaration: &Declaration) -> Option<&'static str> {
    let example = match (declaration.id().as_str(), declaration.default) {
        ("ExcludedInterfaces" | "iface", _) => "lo",
        ("filter", _) => "tcp",
        ("pcapfile", _) => "a.pcap",
        ("localIPs" | "scan.routers", _) => "192.0.2.1",
        ("localNetworks" | "filter_ip_CIDR" | "policy.permitted", _) => "192.0.2.0/24",
        ("anom_lower_bound", _) => return None,
        ("anom_upper_bound", _) => "1000",
        ("anom_gv_cap", _) => "11",
        ("anom_methods", _) => "cdf",
        ("alert.severity", _) => "anomaly=critical",
        ("promHTTP", _) => ":1",
        ("ContactedIPsAnalyze" | "detect.enabled" | "NoDestinations", _) => return None,
        ("max-flows" | "max-hosts", _) => "20000",
        ("scan.timeout", _) => "2",
        ("scan.memory", _) => "2h",
        ("scan.touching_datagrams" | "scan.touched_factor", _) => "3",
        ("anom_sensitivity" | "anom.threshold", _) => "0.5",
        ("slack_url" | "slack_icon" | "notify.external_url" | "notify.runbook_url" | "web.prometheus-url", _) => {
            "https://example.net/x"
        }
        ("slack_channel" | "slack_emoji", _) => "nil",
        ("slack_url_file", _) => "a.txt",
        ("state.dir" | "l", _) => "/a",
        // They imply or need another setting.
        (
            "archive_dir" | "log_packets" | "log-format" | "verbose" | "policy.denied" | "drop-packets"
            | "memory.limit",
            _,
        ) => return None,
        ("log-file" | "web.config.file", _) => "events.log",
        ("log-max-size", _) => "5MiB",
        ("log-max-age", _) => "50s",
        ("evidence.longest", _) => "50s",
        ("evidence.ring" | "evidence.max_bytes" | "evidence.quota", _) => "5MiB",
        ("evidence.packet_bytes", _) => "200",
        ("xdp.ring-size", _) => "64KiB",
        ("names.resolver", _) => "192.0.2.53",
        ("names.lease_files" | "names.hosts_file" | "names.oui_file" | "names.country_file" | "names.asn_file", _) => {
            "names.txt"
        }
        ("xdp.map-memory", _) => "32MiB",
        (_, "true") => "false",
        (_, "false") => "true",
        (_, text) if text.ends_with(|last: char| last.is_ascii_digit()) => "2",
        (_, text) if text.ends_with('s') || text.ends_with("5m") => "50s",
        ("ByteLimit" | "ChartMinBytes" | "buffer-size", _) => "3M",
        _ => (declaration.words()).last().copied().expect("a word"),
    };
    Some(example)
}

/// The configuration in which this option alone is given, with its layer; none if it implies or needs another setting.
fn with_example(declaration: &Declaration) -> Option<(Config, Settings)> {
    let mut layer = Settings::default();
    give(&mut layer, &declaration.id(), example_of(declaration)?);
    Some((layer.clone().validate().unwrap(), layer))
}

#[test]
fn an_option_changes_the_keys_it_names_and_no_other() {
    for declaration in options() {
        let Some((config, _)) = with_example(declaration) else { continue };
        for (section, (key, of_key)) in
            SECTIONS.iter().flat_map(|(name, _)| of_section(name).map(move |one| (*name, one)))
        {
            let is_changed = of_key.shown(&config) != of_key.shown(&Config::default());
            assert_eq!(is_changed, declaration.keys.contains(&(section, key)), "{} and {key}", declaration.id());
        }
    }
}

/// A change of each setting that no option changes alone, as the file has it before and after.
const CHANGED_IN_FILES: [(&str, &str, &str); 31] = [
    ("scan.analyze_hosts", "scan: {analyze_hosts: true}", "scan: {analyze_hosts: false}"),
    ("detect.no_destinations", "detect: {no_destinations: false}", "detect: {no_destinations: true}"),
    ("detect.enabled", "detect: {enabled: true}", "detect: {enabled: false}"),
    ("anomaly.lower_bound", "anomaly: {lower_bound: 1}", "anomaly: {lower_bound: 2}"),
    ("anomaly.max_pairs", "anomaly: {max_pairs: 10}", "anomaly: {max_pairs: 20}"),
    ("bandwidth.networks", "", "bandwidth: {networks: [{network: 192.0.2.0/24, limit: 5G}]}"),
    ("alert.max_alerts", "", "alert: {max_alerts: 7}"),
    ("alert.exclusions", "", "alert: {exclusions: [{source: 192.0.2.1, port: 53}]}"),
    ("policy.permitted", "policy: {permitted: [10.0.0.0/8]}", "policy: {permitted: [10.0.0.0/8, 192.0.2.0/24]}"),
    ("policy.denied", "policy: {permitted: [10.0.0.0/8]}", "policy: {permitted: [10.0.0.0/8], denied: [10.0.0.1]}"),
    ("policy.limit_packets", "policy: {permitted: []}", "policy: {permitted: [], limit_packets: 5}"),
    ("policy.interval", "policy: {permitted: []}", "policy: {permitted: [], interval: 5}"),
    ("policy.rule", "policy: {permitted: []}", "policy: {permitted: [], rule: two}"),
    ("policy.max_sources", "policy: {permitted: []}", "policy: {permitted: [], max_sources: 2}"),
    ("policy.events_burst", "policy: {permitted: []}", "policy: {permitted: [], events_burst: 2}"),
    ("policy.events_per_second", "policy: {permitted: []}", "policy: {permitted: [], events_per_second: 2}"),
    ("notify.receivers", "", "notify: {receivers: [{name: a, type: webhook, url: \"http://192.0.2.1/\"}]}"),
    ("notify.slack_url", "", "notify: {slack_url: \"https://example.net/x\"}"),
    ("notify.slack_url_file", "notify: {slack_url_file: /a}", "notify: {slack_url_file: /b}"),
    ("notify.slack_channel", "notify: {slack_url_file: /a}", "notify: {slack_url_file: /a, slack_channel: nil}"),
    ("notify.slack_emoji", "notify: {slack_url_file: /a}", "notify: {slack_url_file: /a, slack_emoji: nil}"),
    ("notify.slack_icon", "notify: {slack_url_file: /a}", "notify: {slack_url_file: /a, slack_icon: nil}"),
    ("evidence.archive_dir", "evidence: {archive_dir: /a, ring: 5MiB}", "evidence: {archive_dir: /b, ring: 5MiB}"),
    (
        "evidence.log_packets",
        "evidence: {archive_dir: /a, log_dir: /b}",
        "evidence: {archive_dir: /a, log_dir: /b, log_packets: true}",
    ),
    ("events.format", "events: {file: /a, format: json}", "events: {file: /a, format: jsonl}"),
    ("events.verbose", "log: {level: debug}", "log: {level: debug}\nevents: {verbose: true}"),
    ("kernel.daq", "", "kernel: {daq: tc}"),
    (
        "kernel.drop_packets",
        "kernel: {daq: xdp}\npolicy: {permitted: [10.0.0.0/8]}",
        "kernel: {daq: xdp, drop_packets: true}\npolicy: {permitted: [10.0.0.0/8]}",
    ),
    ("memory.limit", "memory: {limit: 128MiB}", "memory: {limit: 128MB}"),
    ("http.listen", "", "http: {listen: [\":1\"]}"),
    ("capture.promiscuous", "", "capture: {promiscuous: true}"),
];

/// A change of one setting: its key, and the configurations before and after, the latter with its layers.
pub(crate) struct OneChange {
    pub(crate) setting: &'static Declaration,
    pub(crate) before: Config,
    pub(crate) after: (Config, Settings),
}

/// A change of each setting, alone.
pub(crate) fn changes_of_one_setting() -> Vec<OneChange> {
    let of_option = |setting: &'static Declaration| {
        Some(OneChange { setting, before: Config::default(), after: with_example(setting)? })
    };
    let layer = |text: &str| file::parse(text, Path::new("t.yml")).unwrap();
    let of_file = |(name, before, after): &(&str, &str, &str)| OneChange {
        setting: settings().find(|setting| setting.key() == *name).expect(name),
        before: read(before),
        after: (read(after), layer(after)),
    };
    // Those of the policy need permitted networks, and those of Slack a URL.
    let needs_another = |setting: &Declaration| setting.keys[0].0 == "policy" || setting.id().starts_with("slack");
    let single = options().filter(|setting| setting.keys.len() == 1 && !needs_another(setting));
    single.filter_map(of_option).chain(CHANGED_IN_FILES.iter().map(of_file)).collect()
}

#[test]
fn each_change_has_the_name_of_its_setting_and_all_settings_are_changed() {
    let mut changed = BTreeSet::new();
    for OneChange { setting, before, after: (after, _) } in changes_of_one_setting() {
        let named: Vec<String> = before.changes(&after).map(Declaration::key).collect();
        // Without destinations no contacted hosts are analyzed.
        let implied =
            if setting.key() == "detect.no_destinations" { vec!["scan.analyze_hosts".to_owned()] } else { vec![] };
        assert_eq!(named, [implied, vec![setting.key()]].concat());
        assert!(after.changes(&after.clone()).next().is_none(), "{}", setting.key());
        changed.insert(setting.key());
    }
    let all: BTreeSet<String> = settings().filter(|one| one.keys.len() == 1).map(Declaration::key).collect();
    assert_eq!(all.difference(&changed).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn settings_that_need_a_restart_are_refused_by_name_and_no_others() {
    for OneChange { setting, before, after: (after, layer) } in changes_of_one_setting() {
        let refused = before.refuse_restart(&after, &layer).err().map(|error| error.to_string());
        match (setting.reload, &refused) {
            (Reload::Live, None) => {}
            (Reload::Restart, Some(message)) => assert!(message.contains(&setting.key()), "{message}"),
            _ => panic!("{}: {refused:?}", setting.key()),
        }
    }
}

/// Options with values, of which each set is given together.
const GIVEN: [&[(&str, &str)]; 11] = [
    &[],
    &[
        ("policy.permitted", "192.0.2.0/24,2001:db8::/32"),
        ("policy.denied", "192.0.2.7"),
        ("policy.limit_packets", "5"),
        ("policy.interval", "0.5"),
        ("policy.events_burst", "1000"),
        ("policy.events_per_second", "2"),
    ],
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
        ("scan.timeout", "11"),
        ("scan.used_bytes", "1"),
        ("scan.touching_datagrams", "0"),
        ("scan.group_factor", "0"),
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
    &[
        ("slack_url_file", "/etc/x: y"),
        ("slack_channel", "#a, b"),
        ("slack_emoji", "nil"),
        ("slack_icon", "nil"),
        ("notify.external_url", "https://monitor.example.net/x/"),
        ("notify.runbook_url", "https://wiki.example.net/x#{alert}"),
        ("web.prometheus-url", "http://127.0.0.1:9090/"),
        ("notify.restart_grace", "0"),
        ("state.dir", "/var/lib/x"),
        ("archive_dir", "/var/lib/y/"),
    ],
    &[("archive_dir", "a"), ("evidence.ring", "0"), ("evidence.max_bytes", "100MB"), ("evidence.quota", "1048576GiB")],
    &[
        ("archive_dir", "a"),
        ("log_packets", "true"),
        ("l", "b"),
        ("evidence.ring", "1G"),
        ("evidence.packet_bytes", "65535"),
        ("evidence.longest", "90"),
        ("max_pcap_log_size", "100000"),
        ("max_pcap_rotations", "1000"),
    ],
    &[
        ("log-format", "csv"),
        ("log-file", "/var/log/a: b.csv"),
        ("log-buffer-size", "0"),
        ("log-max-size", "100MB"),
        ("log-max-age", "1d"),
        ("log-rotations", "1000"),
        ("summary-interval", "0"),
        ("verbose", "true"),
        ("log.level", "info"),
    ],
];

#[test]
fn printed_configuration_gives_the_same_configuration() {
    for given in GIVEN {
        let mut layer = Settings::default();
        for (name, value) in given {
            give(&mut layer, name, value);
        }
        let config = layer.validate().unwrap();
        let yaml = config.to_yaml().unwrap();
        assert_eq!(read(&yaml).values(), config.values(), "{yaml}");
    }
}

#[test]
fn times_of_scans_that_are_not_given_follow_the_longer_ones() {
    let scan = read("scan: {timeout: 20s, interval: 2h, port_interval: 3h}").detect.scan.unwrap();
    assert_eq!([scan.use_timeout, scan.echo_window], [Duration::from_secs(20); 2]);
    assert_eq!(scan.memory, Duration::from_secs(3 * 3_600));
    let scan = read("scan: {timeout: 3s, memory: 10m}").detect.scan.unwrap();
    assert_eq!([scan.use_timeout, scan.echo_window], [Duration::from_secs(10), Duration::from_millis(3_500)]);
    assert_eq!(scan.memory, Duration::from_secs(600));
}

#[test]
fn hidden_characters_are_printed_as_escapes_that_read_the_same() {
    let filter = "a\u{202e}b \u{9b}c\u{200b} \u{e0001}\n\u{85}# \"x\"\\";
    let mut config = Config::default();
    config.capture.filter = Some(filter.to_owned());
    config.capture.excluded = vec!["x\u{2066}y".to_owned()];
    let yaml = config.to_yaml().unwrap();
    assert!(!yaml.contains(|letter| crate::capture::printable::is_unsafe(letter) && letter != '\n'), "{yaml}");
    assert!(yaml.contains(r"a\u202eb") && yaml.contains(r"\U000e0001") && yaml.contains(r"x\u2066y"), "{yaml}");
    assert_eq!(read(&yaml).values(), config, "{yaml}");
}

#[test]
fn setting_of_an_upper_layer_overrides_a_lower_one() {
    let layer = |yaml: &str| file::parse(yaml, Path::new("t.yml")).unwrap();
    let lower =
        layer("capture: {snap_length: 101, filter: tcp}\nlocality: {networks: [192.0.2.0/24, 198.51.100.0/24]}");
    let upper = layer("capture: {snap_length: 102}\nlocality: {networks: [203.0.113.0/24]}\nlog: {level: warn}");
    let config = lower.merge(upper).validate().unwrap();
    assert_eq!(config.capture.snap_length, 102);
    assert_eq!(config.capture.filter.as_deref(), Some("tcp"));
    assert_eq!(config.locality.networks, ["203.0.113.0/24".parse().unwrap()]);
    assert_eq!(config.log.level, Level::WARN);
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
fn values_at_their_bounds_work_in_the_detectors() {
    for yaml in [
        "bandwidth: {interval: 100ms, limit: 1, direction: both}\nscan: {interval: 100ms, port_interval: 366d, contacted_ips: 1}",
        "bandwidth: {interval: 366d, limit: 18446744073709551615}\nscan: {interval: 366d, port_interval: 0.1, rule: contacts, \
         contacted_ips: 65535, contacted_ports: 65535}",
        "scan: {timeout: 100ms, use_timeout: 100ms, echo_window: 100ms, question_timeout: 100ms, used_bytes: 1, memory: 10m, \
         echo_requests: 1, touching_datagrams: 0, link_answers: 0, group_factor: 0, touched_factor: 1, any_port_factor: 1, \
         site_factor: 1, everywhere_factor: 1, answered_factor: 1, answered_everywhere_factor: 1, port_share: 1}",
        "scan: {timeout: 10m, use_timeout: 10m, echo_window: 10m, question_timeout: 10m, used_bytes: 65535, memory: 366d, \
         echo_requests: 1000, touching_datagrams: 1000, link_answers: 1000, group_factor: 1000, touched_factor: 1000, \
         any_port_factor: 1000, site_factor: 1000, everywhere_factor: 1000, answered_factor: 1000, \
         answered_everywhere_factor: 1000, port_share: 1000, contacted_ips: 65535, contacted_ports: 65535}",
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

/// The configuration with these options, as in [`GIVEN`].
fn with_options(given: &[(&str, &str)]) -> Result<Config, Error> {
    let mut layer = Settings::default();
    given.iter().for_each(|(name, value)| give(&mut layer, name, value));
    layer.validate()
}

#[test]
fn archive_directory_turns_the_ring_on_unless_its_size_is_given() {
    let ring = |given: &[(&str, &str)]| with_options(given).unwrap().evidence.ring_bytes;
    assert_eq!(ring(&[]), None);
    assert_eq!(ring(&[("archive_dir", "/a")]), Some(64 << 20));
    assert_eq!(ring(&[("archive_dir", "/a"), ("evidence.ring", "8MiB")]), Some(8 << 20));
    assert_eq!(ring(&[("archive_dir", "/a"), ("evidence.ring", "0")]), None);
    assert_eq!(ring(&[("evidence.ring", "8MiB")]), Some(8 << 20));
}

#[test]
fn packet_logging_needs_both_directories() {
    let refused = |given: &[(&str, &str)]| with_options(given).unwrap_err().to_string();
    assert!(refused(&[("log_packets", "true")]).ends_with("give one with -l"));
    assert!(refused(&[("log_packets", "true"), ("l", "/a")]).ends_with("give one with -archive_dir"));
    let config = with_options(&[("log_packets", "true"), ("l", "/a"), ("archive_dir", "/b")]).unwrap();
    assert!(config.evidence.packet_log.is_on && config.notices.is_empty());
}

#[test]
fn slack_options_add_a_receiver_to_those_of_the_file() {
    let lower = file::parse("notify: {receivers: [{name: a, type: webhook, url: \"http://x\"}]}", Path::new("t.yml"));
    let mut upper = Settings::default();
    give(&mut upper, "slack_url", "https://hooks.slack.com/services/x");
    give(&mut upper, "slack_emoji", "nil");
    let config = lower.unwrap().merge(upper).validate().unwrap();
    let names: Vec<&str> = config.notify.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    assert_eq!(names, ["a", "slack"]);
    let SlackHook { channel, icon, .. } = SlackHook::default();
    assert_eq!(config.notify.receivers[1].vendor, crate::notify::Vendor::Slack { channel, emoji: None, icon });
}
