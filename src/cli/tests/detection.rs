//! Options of detection: their effects, and the messages about mistakes.

use std::fs;
use std::time::Duration;

use super::*;
use crate::detect::anomaly::{self, Fence, Method, Methods, PairFilter};
use crate::detect::bandwidth::BandwidthDirection;
use crate::detect::scan::{ExcludedContact, ExcludedContacts};
use crate::detect::{Kind, bandwidth, scan};

fn bandwidth(config: &Config) -> bandwidth::Config {
    config.detect.bandwidth.clone().unwrap()
}

fn scan(config: &Config) -> scan::Config {
    config.detect.scan.clone().unwrap()
}

fn anomaly(config: &Config) -> anomaly::Config {
    config.detect.anomaly.unwrap()
}

fn listen(config: &Config) -> Vec<String> {
    config.http.listen.iter().map(ToString::to_string).collect()
}

#[test]
fn the_keys_of_trafficalerted_are_options() {
    let config = run(
        "-TrafficInterval 60 -ByteLimit 5T -NoDestinations -ChartMinBytes 7M -ExcludedInterfaces \"lo\",\"dummy0\" \
         -ContactedIPsAnalyze=true -NumberContactedIPs 7 -AnalyzePorts=false -NumContactedPorts 8 -PortInterval 5m",
    );
    let bandwidth::Config { limit_bytes, interval, chart_min_bytes, no_destinations, .. } = bandwidth(&config);
    assert_eq!((limit_bytes, interval), (5_000_000_000_000, Duration::from_secs(60)));
    assert_eq!((chart_min_bytes, no_destinations), (7_000_000, true));
    assert_eq!((config.detect.chart_min_bytes, config.detect.no_destinations), (7_000_000, true));
    let scan::Config { interval, port_interval, contacted_ips, contacted_ports, .. } = scan(&config);
    assert_eq!((interval, port_interval), (Duration::from_secs(60), Duration::from_secs(300)));
    assert_eq!((contacted_ips, contacted_ports), (7, 8));
    assert_eq!((scan(&config).analyze_hosts, scan(&config).analyze_ports), (false, false));
    assert_eq!((config.capture.excluded, config.http.listen.len()), (vec!["lo".to_owned(), "dummy0".to_owned()], 1));
}

#[test]
fn one_interval_sets_two_windows_that_can_be_set_separately() {
    let intervals = |line: &str| {
        let config = run(line);
        [bandwidth(&config).interval.as_secs(), scan(&config).interval.as_secs()]
    };
    for (line, expected) in [
        ("", [170, 170]),
        ("-TrafficInterval 60", [60, 60]),
        ("--bandwidth.interval 60", [60, 170]),
        ("--scan.interval 60", [170, 60]),
        ("--scan.interval 60 -TrafficInterval 90", [90, 60]),
        ("-TrafficInterval 90 --bandwidth.interval 60", [60, 90]),
        ("-TrafficInterval 90 --bandwidth.interval=", [90, 90]),
        ("-TrafficInterval= --bandwidth.interval 60", [60, 170]),
    ] {
        assert_eq!(intervals(line), expected, "{line}");
    }
}

#[test]
fn rules_are_chosen() {
    assert_eq!(scan(&run("--scan.rule contacts")).rule, scan::Rule::Contacts);
    assert_eq!(bandwidth(&run("--bandwidth.direction both")).direction, BandwidthDirection::Both);
    let config = run("--alert.pending 5s --alert.hold 0 -explain --detect.top_sources 3");
    assert_eq!((config.alert.pending, config.alert.hold), (Duration::from_secs(5), Duration::ZERO));
    assert_eq!((config.explain, config.detect.top_sources), (true, 3));
}

#[test]
fn the_options_of_wherefore_are_taken_over() {
    let config =
        run("-anom_methods=fence,cdf -anom_active_size=2 -anom_n_seasons=3 -anom_gv_cap=25 -anom_lower_bound -500 \
         -anom_upper_bound=1000 -anom_sensitivity=0.8 --anom.threshold 0.7 --anom.min_bytes 2K -transfer_interval=10s");
    let anomaly = anomaly(&config);
    assert_eq!(anomaly.criteria.methods, Methods::of(&[Method::Fence, Method::Cdf]));
    assert_eq!((anomaly.criteria.active_size, anomaly.criteria.seasons, anomaly.capacity), (2, 3, 25));
    assert_eq!(anomaly.criteria.fence, Some(Fence::new(Some(-500.0), 1000.0).unwrap()));
    assert_eq!((anomaly.criteria.sensitivity, anomaly.threshold, anomaly.min_bytes), (0.8, 0.7, 2_000));
    assert_eq!((anomaly.transfer_interval, anomaly.alerts), (Duration::from_secs(10), true));
    assert_eq!(config.notices, [""; 0]);
}

#[test]
fn a_fence_takes_part_only_with_a_bound() {
    let fence = |line: &str| anomaly(&run(line)).criteria.fence;
    assert_eq!(fence(""), None);
    assert_eq!(fence("-anom_lower_bound 5e-324"), None);
    assert_eq!(fence("-anom_lower_bound 5e-324 -anom_upper_bound 5"), Some(Fence::new(None, 5.0).unwrap()));
    assert_eq!(fence("-anom_lower_bound 1"), Some(Fence::new(Some(1.0), 5.0).unwrap()));
}

#[test]
fn any_option_of_the_anomaly_tests_lets_anomalies_alert() {
    let alerts = |line: &str| anomaly(&run(line)).alerts;
    for option in [
        "-anom_methods=diff",
        "-anom_active_size 1",
        "-anom_n_seasons 4",
        "-anom_gv_cap 10",
        "-anom_lower_bound 5e-324",
        "-anom_upper_bound 5",
        "-anom_sensitivity 2",
        "--anom.threshold 0.6",
        "--anom.min_bytes 0",
        "--anom.alerts",
    ] {
        assert!(alerts(option), "{option}");
        assert!(!alerts(&format!("{option} --anom.alerts=false")), "{option}");
    }
    for option in ["", "-anom_gv_cap=", "-transfer_interval 5s", "-filter_bool=true", "-filter_src", "-ByteLimit 1G"] {
        assert!(!alerts(option), "{option}");
    }
}

#[test]
fn implied_alerts_override_the_file_like_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    fs::write(&path, "anomaly: {capacity: 20, alerts: false}\n").unwrap();
    let path = path.to_str().unwrap();
    let alerts = |arguments: &[&str], environment: &[(&str, &str)]| match parse_all(arguments, environment) {
        Ok(Invocation::Run(config)) => (anomaly(&config).alerts, anomaly(&config).capacity),
        other => panic!("{other:?}"),
    };
    let gv_cap = [("TRAFFICMONITOR_ANOM_GV_CAP", "25")];
    let never = [("TRAFFICMONITOR_ANOM_ALERTS", "false"), gv_cap[0]];
    assert_eq!(alerts(&["-c", path], &[]), (false, 20));
    assert_eq!(alerts(&["-c", path], &gv_cap), (true, 25));
    assert_eq!(alerts(&["-c", path, "-anom_gv_cap=30"], &[]), (true, 30));
    assert_eq!(alerts(&["-c", path], &never), (false, 25));
}

#[test]
fn settings_without_effect_give_one_notice() {
    let no_veto = "a sensitivity of 2 is above any possible magnitude; the magnitude test will not suppress the others";
    assert_eq!(run("-anom_sensitivity=2").notices, [format!("-anom_sensitivity: {no_veto}")]);
    let by_default = no_veto.replace("a sensitivity of 2", "-anom_sensitivity 2 (the default)");
    assert_eq!(run("-anom_gv_cap=25").notices, [by_default]);
    assert_eq!(run("-anom_sensitivity=1").notices, [""; 0]);
    assert_eq!(run("-anom_methods=diff,ks").notices, [""; 0]);
    let fence = "-anom_methods: the fence test has no bound and is skipped; give an upper bound";
    assert_eq!(run("-anom_methods=diff,fence").notices, [fence]);
    assert_eq!(run("-anom_methods=diff,fence -anom_upper_bound 9").notices, [""; 0]);
    assert_eq!(
        run("-filter_ip_CIDR=10.1.2.3/8").notices,
        [
            "-filter_ip_CIDR: 10.1.2.3/8 has host bits set; using 10.0.0.0/8",
            "-filter_ip_CIDR: no effect without -filter_src or -filter_dst"
        ]
    );
}

#[test]
fn the_anomaly_detector_sees_what_the_filter_lets_through() {
    assert_eq!(anomaly(&run("-filter_ip_CIDR=0.0.0.0/0 -filter_bool=true")).filter, PairFilter::default());
    let filter = run("-filter_ip_CIDR 10.0.0.0/8 -filter_bool=false -filter_src -filter_dst=true")
        .detect
        .anomaly
        .unwrap()
        .filter;
    let network = "10.0.0.0/8".parse().unwrap();
    assert_eq!(filter, PairFilter { network, is_inside: false, by_source: true, by_destination: true });
}

#[test]
fn trafficalerted_file_and_words_also_serve_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, byte_limit: &str| {
        let path = folder.path().join(name);
        let text = "TrafficInterval: 60\nNoDestinations: false\nChartMinBytes: 5M\nExcludedInterfaces: \"lo\"\n\
             ContactedIPsAnalyze: true\nNumberContactedIPs: 15\nAnalyzePorts: false\nNumContactedPorts: 100\nPortInterval: 600\n";
        fs::write(&path, format!("ByteLimit: {byte_limit}\n{text}")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (path, plain) = (write("TrafficAlerted.conf", "2G"), write("plain", "2G"));
    for line in [path.clone(), format!("-c {path}"), format!("-c {plain}"), format!("-i eth0 {path} -s 96")] {
        let config = run(&line);
        assert_eq!(bandwidth(&config).limit_bytes, 2_000_000_000, "{line}");
        assert_eq!((scan(&config).analyze_ports, config.capture.filter.as_deref()), (false, None), "{line}");
        assert_eq!(listen(&config), [":8888", ":8698"], "{line}");
    }
    assert_eq!(listen(&run("170 1000000000 false 15 true 100 600")), [":8888", ":8698"]);
    assert_eq!(listen(&run(&format!("{path} -promHTTP :9"))), [":9", ":8698"]);
    assert_eq!(listen(&run(&format!("{path} -promHTTP localhost:8698"))), ["localhost:8698"]);
    // No page is open to more clients than the given addresses are.
    for (hosts, added) in [
        (&["127.0.0.1:1", "127.0.0.1:2", "[::1]:1"][..], &["127.0.0.1:8698", "[::1]:8698"][..]),
        // One socket has the port for all of them.
        (&["10.0.0.1:1", ":2", "127.0.0.1:3"], &[":8698"]),
        (&["10.0.0.1:1", "0.0.0.0:2"], &["0.0.0.0:8698"]),
        (&["127.0.0.1:1", "localhost:2"], &["localhost:8698"]),
    ] {
        let given: String = hosts.iter().map(|host| format!(" -promHTTP {host}")).collect();
        assert_eq!(listen(&run(&format!("{path}{given}"))), [hosts, added].concat());
    }
    assert_eq!(
        refusal(&format!("-c {plain} {path}")),
        format!("{path}: -c {plain} also names a configuration file; give only one")
    );
    let bad = write("bad.conf", "1X");
    assert!(
        refusal(&bad).starts_with(&format!("{bad}:1: ByteLimit: 1X: expected a number of bytes")),
        "{}",
        refusal(&bad)
    );
}

#[test]
fn detection_has_the_same_precedence_as_all_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    fs::write(
        &path,
        "bandwidth: {limit: 1K, interval: 10}\nscan: {interval: 10, contacted_ips: 1, contacted_ports: 1, port_interval: 10}\n",
    )
    .unwrap();
    let environment = [("TRAFFICMONITOR_NUMBER_CONTACTED_IPS", "2"), ("TRAFFICMONITOR_NUM_CONTACTED_PORTS", "2")];
    let arguments = ["-c", path.to_str().unwrap(), "-NumContactedPorts", "3", "-TrafficInterval=20"];
    let Ok(Invocation::Run(config)) = parse_all(&arguments, &environment) else { panic!() };
    let scans = scan(&config);
    assert_eq!((scans.contacted_ips, scans.contacted_ports, scans.port_interval), (2, 3, Duration::from_secs(10)));
    assert_eq!([bandwidth(&config).interval, scans.interval], [Duration::from_secs(20); 2]);
    assert_eq!((bandwidth(&config).limit_bytes, scans.analyze_hosts), (1_000, true));
    let words = ["-c", arguments[1], "-NumberContactedIPs=9", "30", "2K", "false", "8", "true", "7", "40"];
    let Ok(Invocation::Run(config)) = parse_all(&words, &environment) else { panic!() };
    let scans = scan(&config);
    assert_eq!((scans.contacted_ips, scans.contacted_ports, scans.port_interval), (9, 7, Duration::from_secs(40)));
    assert_eq!(bandwidth(&config).limit_bytes, 2_000);
}

#[test]
fn lists_of_rules_come_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    fs::write(
        &path,
        "bandwidth:\n  networks:\n  - {network: 10.0.0.0/8, limit: 5G}\n  - network: 192.0.2.0/24\n    limit: 1K\n    \
         interval: 10m\n    rule: lab\n    total: true\nalert:\n  exclusions:\n  - {port: 53}\n  - {port: 123, kind: host_scan}\n  \
         - {network: 10.0.0.7}\n",
    )
    .unwrap();
    let config = run(&format!("-c {}", path.display()));
    let networks = bandwidth(&config).networks;
    let [ten, lab] = networks.as_slice() else { panic!("{networks:?}") };
    assert_eq!((ten.network.to_string(), ten.limit_bytes, ten.total), ("10.0.0.0/8".to_owned(), 5_000_000_000, false));
    assert_eq!((ten.interval, ten.rule.as_deref()), (None, None));
    assert_eq!((lab.network.to_string(), lab.limit_bytes, lab.total), ("192.0.2.0/24".to_owned(), 1_000, true));
    assert_eq!((lab.interval, lab.rule.as_deref()), (Some(Duration::from_secs(600)), Some("lab")));
    assert_eq!(config.alert.exclusions.len(), 3);
    // The others depend on what else is said of them.
    assert_eq!(scan(&config).excluded_ports.iter().copied().collect::<Vec<_>>(), [53]);
    assert_eq!(scan(&config).excluded_contacts, ExcludedContacts::default());
    let yaml = config.to_yaml().unwrap();
    fs::write(&path, &yaml).unwrap();
    assert_eq!(run(&format!("-c {}", path.display())), config, "{yaml}");
}

#[test]
fn exclusions_with_ends_of_traffic_exclude_contacts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    let yaml = "alert:\n  exclusions:\n  - {source_port: 5000}\n  - {port: 53}\n  - source: 10.0.0.0/8\n    \
                destination: 192.0.2.1\n    port: 161\n    kind: host_scan\n  - {destination: 10.0.0.0/8, kind: anomaly}\n";
    fs::write(&path, yaml).unwrap();
    let config = run(&format!("-c {}", path.display()));
    let none = ExcludedContact::default();
    let expected = [
        ExcludedContact { source_port: Some(5_000), ..none },
        ExcludedContact {
            source: Some("10.0.0.0/8".parse().unwrap()),
            destination: Some("192.0.2.1/32".parse().unwrap()),
            port: Some(161),
            kind: Some(Kind::HostScan),
            ..none
        },
    ];
    assert_eq!(scan(&config).excluded_contacts, expected.into_iter().collect());
    assert_eq!(scan(&config).excluded_ports.iter().copied().collect::<Vec<_>>(), [53]);
    fs::write(&path, config.to_yaml().unwrap()).unwrap();
    assert_eq!(run(&format!("-c {}", path.display())), config);
}

#[test]
fn mistakes_name_their_option() {
    let bytes =
        "expected a number of bytes above 0, alone or with K, M, G or T (powers of 1000), such as 1000000000 or 1G";
    let window = "expected seconds or a duration from 100ms to 366d, such as 170 or 5m";
    for (line, expected) in [
        ("-ByteLimit 1X", format!("-ByteLimit 1X: {bytes}")),
        ("-ByteLimit -1", format!("-ByteLimit -1: {bytes}")),
        ("-ByteLimit=0", format!("-ByteLimit=0: a limit of 0 would alert on every packet; {bytes}")),
        (
            "-ByteLimit 18446745T",
            format!("-ByteLimit 18446745T: the limit cannot exceed 18446744073709551615 bytes; {bytes}"),
        ),
        ("-TrafficInterval -170", format!("-TrafficInterval -170: {window}")),
        ("-PortInterval 0", format!("-PortInterval 0: {window}")),
        ("--scan.interval=soon", format!("--scan.interval=soon: {window}")),
        ("-NumberContactedIPs 0", "-NumberContactedIPs 0: expected a number from 1 to 65535".to_owned()),
        ("-NumContactedPorts -5", "-NumContactedPorts -5: expected a number from 1 to 65535".to_owned()),
        (
            "--scan.rule evidense",
            "--scan.rule evidense: did you mean evidence? expected evidence or contacts".to_owned(),
        ),
        ("--bandwidth.direction up", "--bandwidth.direction up: expected source, destination or both".to_owned()),
        ("170 1X false 15 true 100 600", format!("1X (ByteLimit): {bytes}")),
    ] {
        assert_eq!(refusal(line), expected, "{line}");
    }
    let usage = parse_all(&[], &[("TRAFFICMONITOR_BYTE_LIMIT", "lots")]).unwrap_err();
    assert_eq!(usage.message, format!("TRAFFICMONITOR_BYTE_LIMIT=lots: {bytes}"));
}

#[test]
fn mistakes_of_anomalies_name_their_option() {
    for (line, expected) in [
        (
            "-anom_methods=diff,magnitud",
            "-anom_methods=diff,magnitud: magnitud: did you mean magnitude? expected an anomaly test: cdf, diff, fence, highrank, ks, \
             lowrank or magnitude",
        ),
        (
            "-anom_methods fence",
            "-anom_methods: the fence test does nothing without a bound; give an upper bound or another test",
        ),
        (
            "-anom_lower_bound=10 -anom_upper_bound=5",
            "-anom_lower_bound, -anom_upper_bound: the lower bound 10 is not below the upper bound 5 (the default is 5)",
        ),
        (
            "-anom_lower_bound=10",
            "-anom_lower_bound: the lower bound 10 is not below the upper bound 5 (the default is 5)",
        ),
        (
            "-anom_upper_bound=0",
            "-anom_upper_bound: the upper bound 0 is not above 0; give the number of bytes at which traffic becomes unusual",
        ),
        (
            "-anom_upper_bound inf",
            "-anom_upper_bound inf: expected a number of bytes, such as 1000 (5e-324 means none)",
        ),
        ("-anom_active_size 0", "-anom_active_size 0: expected a number from 1 to 16777216"),
        ("-anom_gv_cap 4", "-anom_gv_cap: 4 values per pair are too few: the active and reference windows need 5"),
        (
            "-anom_active_size 3",
            "-anom_active_size: 10 values per pair are too few: the active and reference windows need 15",
        ),
        ("-anom_gv_cap 1001", "-anom_gv_cap: 1001 values per pair are too many; use 1000 or fewer"),
        ("--anom.threshold 60%", "--anom.threshold 60%: expected a score from 0 to 1, such as 0.6"),
        (
            "-anom_sensitivity=-1",
            "-anom_sensitivity=-1: expected a score from 0 to 1, such as 0.1, or a higher value to disable it",
        ),
        ("-transfer_interval 2d", "-transfer_interval: a transfer interval of 2days; use 100ms to 1day"),
        (
            "-filter_ip_CIDR 10/8",
            "-filter_ip_CIDR 10/8: expected a network such as 10.0.0.0/8 or fc00::/7, or an address",
        ),
    ] {
        assert_eq!(refusal(line), expected, "{line}");
    }
}
