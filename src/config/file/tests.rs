use super::*;

fn message(text: &str) -> String {
    parse(text, Path::new("t.yml")).and_then(Settings::validate).unwrap_err().to_string()
}

#[test]
fn nothing_and_empty_sections_give_an_empty_layer() {
    for text in
        ["", "# only a comment\n", "---\n", "capture:\nlog:\n", "capture:\n  filter:\n", "capture:\n  filter: ''\n"]
    {
        let read = parse(text, Path::new("t.yml")).unwrap();
        assert_eq!(read.values().count(), 0, "{text:?}");
    }
}

#[test]
fn mistakes_are_reported_with_line_column_and_remedy() {
    let table = [
        ("capture:\n  snaplength: 5\n", "t.yml:2:3: unknown key snaplength; did you mean snap_length?"),
        ("capture:\n  iface: eth0\n", "t.yml:2:3: unknown key iface; did you mean interfaces in section capture?"),
        (
            "log:\n  promiscuous: true\n",
            "t.yml:2:3: unknown key promiscuous; did you mean promiscuous in section capture?",
        ),
        ("log:\n  limit: 5\n", "t.yml:2:3: unknown key limit; the keys here are level, format"),
        ("snap_length: 5\n", "t.yml:1:1: unknown key snap_length; did you mean snap_length in section capture?"),
        ("log:\n  zzz: true\n", "t.yml:2:3: unknown key zzz; the keys here are level, format"),
        (
            "capture:\n  snap_length: many\n",
            "t.yml:2:16: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535), found string \"many\"",
        ),
        (
            "capture:\n  snap_length: 70000\n",
            "t.yml:2:16: 70000: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535)",
        ),
        ("capture:\n  promiscuous: yes\n", "t.yml:2:16: expected true or false, found string \"yes\""),
        ("capture:\n  promiscuous: 1\n", "t.yml:2:16: expected true or false, found integer `1`"),
        ("capture:\n  filter: [tcp]\n", "t.yml:2:11: expected text, found sequence"),
        ("capture:\n  filter: {a: tcp}\n", "t.yml:2:11: expected text, found map"),
        ("capture:\n  promiscuous: true\n  promiscuous: true\n", "t.yml:3:3: duplicate key promiscuous; remove one"),
        (
            "capture:\n  interfaces:\n    - eth0\n    - a/b\n",
            "t.yml:4:7: a/b: expected an interface name (1 to 127 bytes, no slash, colon or space)",
        ),
        ("log: {}\n---\nlog: {}\n", "t.yml:3:1: a second YAML document starts here; keep only one"),
        (
            "log:\n  format: jsonl\n",
            "t.yml:2:11: jsonl: this is a value of --log-format (the event log); expected logfmt or json",
        ),
        ("http:\n  listen: []\n", "t.yml:2:11: no address to listen on; give one, such as :8888"),
    ];
    for (text, expected) in table {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn contradictions_name_both_places() {
    assert_eq!(
        message("capture:\n  interfaces: any\n  promiscuous: true\n"),
        "t.yml:3:16: the interface any (t.yml:2:15) has no promiscuous mode; name the interfaces to capture, or turn \
         promiscuous mode off"
    );
}

#[test]
fn broken_yaml_is_reported_with_its_place() {
    for text in ["capture: [", "capture:\n\t- x", "a: b: c", "*x", "- a", "5", "capture: 5", "<<: {}"] {
        let message = message(text);
        assert!(message.starts_with("t.yml:"), "{text:?}: {message}");
        assert!(!message.contains('\n') && !message.contains(" at line "), "{text:?}: {message}");
    }
}

fn permitted(text: &str) -> Vec<String> {
    let config = parse(text, Path::new("t.json")).and_then(Settings::validate).unwrap();
    config.policy.permitted.unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn list_of_permitted_networks_is_known_by_its_content() {
    let seed = "{\n  \"permitted_cidrs\": [\n\t\"127.0.0.0/8\",\r\n    \"10.0.0.0/8\", \n    \"fd00::\\/8\", \"192.0.2.1\"\n  ]\n}\n";
    assert_eq!(permitted(seed), ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
    assert_eq!(permitted("\u{feff} {\"permitted_cidrs\":[]}"), [""; 0]);
}

#[test]
fn mistakes_in_a_list_of_permitted_networks_are_reported_with_line_and_column() {
    for (text, expected) in [
        ("{\"permitted_cidrs\": [\n  \"10.0.0.0/33\"]}", "2:3: 10.0.0.0/33: expected a network such as 10.0.0.0/8"),
        ("{\"permitted_cidrs\": [\n\t\"10.1.0.0/8\"]}", "2:2: 10.1.0.0/8: host bits are set; did you mean 10.0.0.0/8?"),
        ("{\"permitted_cidrs\": [\n  \"10.0.0.0/8\",\n]}", "3:1: not valid JSON: trailing comma"),
        ("{\"permitted_cidrs\": [\"10.0.0.0/8\"]", "1:34: not valid JSON: EOF while parsing an object"),
        ("{\"permitted_cidrs\": [10]}", "1:22: expected a network"),
        ("{\"permitted_cidrs\": \"10.0.0.0/8\"}", "1:21: expected a list of networks, such as [\"10.0.0.0/8\"]"),
        ("{\"permitted_cidrs\": null}", "1:21: expected a list of networks"),
        ("{\"permited_cidrs\": []}", "1:2: unknown key permited_cidrs; did you mean permitted_cidrs?"),
        ("{\"permitted_cidrs\": [],\n \"drop\": true}", "2:2: unknown key drop; the keys here are permitted_cidrs"),
        ("{\"permitted_cidrs\": [], \"permitted_cidrs\": []}", "1:25: duplicate key permitted_cidrs; remove one"),
        (
            "{\"permitted_cidrs\": [\"::/0\",\n \"10.0.0.0/8\",\n \"10.0.0.0/8\"]}",
            "3:2: 10.0.0.0/8 is listed twice (t.yml:2:2); remove one",
        ),
    ] {
        let message = message(text);
        assert!(message.starts_with(&format!("t.yml:{expected}")), "{text}: {message}");
    }
}

#[test]
fn contradictions_between_permitted_and_denied_networks_name_both_places() {
    assert_eq!(
        message("policy:\n  permitted: [10.0.0.0/8]\n  denied:\n  - 10.1.0.0/16\n  - 10.0.0.0/8\n"),
        "t.yml:5:5: 10.0.0.0/8 is permitted too (t.yml:2:15); remove it from one of both lists"
    );
    assert_eq!(
        message("policy:\n  denied: [10.0.0.0/8]\n"),
        "t.yml:2:11: networks are denied, but none is permitted; give policy.permitted too, such as [0.0.0.0/0, \"::/0\"]"
    );
}

#[test]
fn networks_without_effect_and_an_empty_list_are_noted() {
    let notices = |text: &str| parse(text, Path::new("t.yml")).and_then(Settings::validate).unwrap().notices;
    assert_eq!(
        notices("policy:\n  permitted: [10.0.0.0/8]\n  denied:\n  - 10.1.0.0/16\n  - 10.1.2.0/24\n  - 192.0.2.0/24\n"),
        ["t.yml:5:5: 10.1.2.0/24 changes nothing, like 1 more: without it its addresses have the same verdict"]
    );
    assert_eq!(notices("policy:\n  permitted: []\n"), ["t.yml:2:14: the list is empty, so no source is permitted"]);
    assert_eq!(notices("policy:\n  permitted: [10.0.0.0/8, 10.1.2.0/24]\n  denied: [10.1.0.0/16]\n"), [""; 0]);
}

#[track_caller]
fn are_reported(mistakes: &[(&str, &str)]) {
    for (text, expected) in mistakes {
        let message = message(text);
        assert!(message.starts_with(&format!("t.yml:{expected}")), "{text}: {message}");
    }
}

#[test]
fn mistakes_in_entries_of_lists_are_reported_with_their_place() {
    are_reported(&[
        (
            "bandwidth:\n  networks:\n  - {network: 10.0.0.0/8, limit: 1X}\n",
            "3:34: 1X: expected a number of bytes above 0",
        ),
        (
            "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit: 0\n",
            "4:12: 0: a limit of 0 would alert on every packet; expected a number of bytes",
        ),
        (
            "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n",
            "3:5: the key limit is missing; expected a number of bytes",
        ),
        ("bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit:\n", "3:5: the key limit is missing"),
        (
            "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limits: 1G\n",
            "4:5: unknown key limits; did you mean limit?",
        ),
        (
            "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit: 0x10\n",
            "4:12: 0x10: write the number in decimal digits",
        ),
        (
            "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit: 1G\n    interval: -5\n",
            "5:15: -5: expected seconds or a duration",
        ),
        (
            "bandwidth:\n  networks:\n  - 10.0.0.0/8\n",
            "3:5: expected a mapping such as {network: 192.0.2.0/24, limit: 5G}, found string",
        ),
        (
            "bandwidth:\n  networks: {network: 10.0.0.0/8, limit: 1G}\n",
            "2:13: expected a list; each entry must be a mapping such as",
        ),
        (
            "bandwidth:\n  networks:\n  - {network: 10.0.0.1/8, limit: 1G}\n",
            "3:5: network 10.0.0.1/8 has host bits set; did you mean 10.0.0.0/8?",
        ),
        (
            "bandwidth:\n  networks:\n  - {network: 10.0.0.0/8, limit: 1G}\n  - {network: 10.0.0.0/8, limit: 2G}\n",
            "3:5: network 10.0.0.0/8 has two limits",
        ),
    ]);
}

#[test]
fn mistakes_in_exclusions_are_reported_with_their_place() {
    are_reported(&[
        (
            "alert:\n  exclusions:\n  - {}\n",
            "3:5: exclusion 1 excludes everything; give a network, a source, a destination, a port, a source_port or a kind",
        ),
        ("alert:\n  exclusions:\n  - port: 0\n", "3:11: 0: expected a port from 1 to 65535"),
        (
            "alert:\n  exclusions:\n  - kind: hostscan\n",
            "3:11: hostscan: did you mean host_scan? expected host_scan, port_scan",
        ),
        ("alert:\n  exclusions:\n  - source_port: 0\n", "3:18: 0: expected a port from 1 to 65535"),
        ("alert:\n  exclusions:\n  - {source: 10.0.0.0/33}\n", "3:14: 10.0.0.0/33: expected a network such as"),
        (
            "alert:\n  exclusions:\n  - {port: 53}\n  - {source_port: 53, kind: bandwidth}\n",
            "3:5: exclusion 2: bandwidth alerts know no ports; remove source_port, or the kind",
        ),
        (
            "alert:\n  exclusions:\n  - {source: 10.0.0.0/8, destination: 192.0.2.1, kind: bandwidth}\n",
            "3:5: exclusion 1: a bandwidth alert is about one address; give either source or destination",
        ),
        (
            "alert:\n  exclusions:\n  - {source: 10.0.0.0/8, destination: fd00::/8}\n",
            "3:5: exclusion 1: source 10.0.0.0/8 and destination fd00::/8 are of different IP versions, so nothing matches",
        ),
        ("alert:\n  exclusions:\n  - {sourceport: 53}\n", "3:6: unknown key sourceport; did you mean source_port?"),
        ("alert:\n  exclusions:\n  - {ports: 53}\n", "3:6: unknown key ports; did you mean port?"),
    ]);
}

#[test]
fn mistakes_in_detection_are_reported_with_their_place() {
    are_reported(&[
        (
            "anomaly:\n  methods: [diff, hirank]\n",
            "2:19: hirank: did you mean highrank? expected an anomaly test: cdf, diff",
        ),
        ("anomaly:\n  methods: []\n", "2:12: no anomaly test given; choose from"),
        ("anomaly:\n  methods: fence\n", "2:12: the fence test does nothing without a bound"),
        (
            "anomaly:\n  lower_bound: 10\n  upper_bound: 5\n",
            "2:16, t.yml:3:16: the lower bound 10 is not below the upper bound 5",
        ),
        ("anomaly:\n  lower_bound: 10\n", "2:16: the lower bound 10 is not below the upper bound 5 (the default is 5"),
        ("anomaly:\n  upper_bound: -1\n", "2:16: the upper bound -1 is not above 0"),
        ("anomaly:\n  capacity: 4\n", "2:13: 4 values per pair are too few"),
        ("anomaly:\n  seasons: 10\n", "2:12: 10 values per pair are too few: the active and reference windows need 11"),
        ("anomaly:\n  transfer_interval: 2d\n", "2:22: a transfer interval of 2days; use 100ms to 1day"),
        ("scan:\n  port_interval: -600\n", "2:18: -600: expected seconds or a duration"),
        ("scan:\n  contacted_ips: 0\n", "2:18: 0: expected a number from 1 to 65535"),
        ("scan:\n  timeout: 0\n", "2:12: 0: expected seconds or a duration from 100ms to 10m, such as 10, 3.5 or 10s"),
        ("scan:\n  used_bytes: 0\n", "2:15: 0: expected a number of bytes from 1 to 65535"),
        ("scan:\n  echo_requests: 0\n", "2:18: 0: expected a number from 1 to 1000"),
        ("scan:\n  site_factor: 1001\n", "2:16: 1001: expected a number from 1 to 1000"),
        ("scan:\n  group_factor: -1\n", "2:17: -1: expected a number from 0 to 1000"),
        ("scan:\n  memory: 999ms\n", "2:11: 999ms: expected seconds or a duration from 1s to 366d, such as 3600 or 1h"),
        (
            "scan:\n  memory: 599\n",
            "2:11: 9m 59s is shorter than the longest window of scans (10m); raise this or lower --scan.interval and -PortInterval",
        ),
        (
            "scan:\n  timeout: 10.5\n  use_timeout: 10\n",
            "3:16: 10s is shorter than the time in which a contact is answered (10s 500ms); raise this or lower --scan.timeout",
        ),
        ("scan:\n  timeout: 2s\n  echo_window: 1.9\n", "3:16: 1s 900ms is shorter than the time in which"),
        (
            "bandwidth:\n  limit: 99999999T\n",
            "2:10: 99999999T: the limit cannot exceed 18446744073709551615 bytes; expected",
        ),
        (
            "bandwidth:\n  TrafficInterval: 170\n",
            "2:3: unknown key TrafficInterval; did you mean interval in section bandwidth?",
        ),
    ]);
}

#[test]
fn missing_file_is_reported_with_its_name() {
    let error = load(Path::new("/nowhere/t.yml")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/t.yml: cannot read the configuration: No such file"), "{error}");
}

#[test]
fn file_of_more_than_16_mib_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(LARGEST_BYTES + 1).unwrap();
    let error = load(file.path()).unwrap_err().to_string();
    assert!(error.ends_with("it is larger than 16 MiB; name a configuration file"), "{error}");
}

#[test]
fn empty_list_of_local_networks_is_noted() {
    let settings = parse("locality:\n  networks: []\n", Path::new("t.yml")).unwrap();
    let notices = settings.validate().unwrap().notices;
    assert_eq!(notices, ["t.yml:2:13: the list is empty, so private networks are not local"]);
}
