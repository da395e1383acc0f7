use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::detect;
use crate::detect::{bandwidth, scan};

const EXAMPLE: &str = "  # Configuration file for TrafficAlerted

  # General configuration
  TrafficInterval: 170
  ByteLimit: 1G
  NoDestinations: false
  ChartMinBytes: 5M
  ExcludedInterfaces: \"lo\",\"dummy0\"

  ContactedIPsAnalyze: true
  NumberContactedIPs: 15

  AnalyzePorts: false
  NumContactedPorts: 100
  PortInterval: 600";

fn read(text: &str) -> Result<Config, Error> {
    parse(text, Path::new("t.conf")).and_then(Settings::validate)
}

fn problem(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn example_file_has_the_same_meaning_as_in_trafficalerted() {
    let config = read(EXAMPLE).unwrap();
    let default = Config::default();
    let scan = scan::Config { analyze_ports: false, ..scan::Config::default() };
    assert_eq!(config.detect, detect::Config { scan: Some(scan), ..default.detect });
    assert_eq!(config.capture.excluded, ["lo", "dummy0"]);
    let listen: Vec<_> = config.http.listen.iter().map(ToString::to_string).collect();
    assert_eq!((listen, config.notices), (vec![":8888".to_owned(), ":8698".to_owned()], Vec::new()));
}

#[test]
fn every_key_is_taken_over() {
    let text = "\u{feff}TrafficInterval:60 # a minute\r\nByteLimit : 5T\r\nNoDestinations: true\nChartMinBytes: 0\n\
        ExcludedInterfaces:\nContactedIPsAnalyze: false\nNumberContactedIPs: 7\n\n#AnalyzePorts: false\nAnalyzePorts: true\n\
        NumContactedPorts: 8\nPortInterval: 9\n";
    let detect::Config { bandwidth, scan, chart_min_bytes, no_destinations, .. } = read(text).unwrap().detect;
    let (bandwidth, scan) = (bandwidth.unwrap(), scan.unwrap());
    let bandwidth::Config { limit_bytes, interval, .. } = bandwidth;
    assert_eq!((limit_bytes, interval), (5_000_000_000_000, Duration::from_secs(60)));
    assert_eq!((chart_min_bytes, no_destinations), (0, true));
    assert_eq!((bandwidth.chart_min_bytes, bandwidth.no_destinations), (0, true));
    assert_eq!((scan.interval, scan.port_interval), (Duration::from_secs(60), Duration::from_secs(9)));
    assert_eq!((scan.contacted_ips, scan.contacted_ports), (7, 8));
    assert_eq!((scan.analyze_hosts, scan.analyze_ports), (false, true));
}

#[test]
fn mistakes_are_reported_with_file_line_and_remedy() {
    let bytes =
        "expected a number of bytes above 0, alone or with K, M, G or T (powers of 1000), such as 1000000000 or 1G";
    for (from, to, expected) in [
        ("ByteLimit: 1G", "ByteLimit: 1X", format!("t.conf:5: ByteLimit: 1X: {bytes}")),
        ("ByteLimit: 1G", "ByteLimit: -1", format!("t.conf:5: ByteLimit: -1: {bytes}")),
        ("ByteLimit: 1G", "ByteLimit:", "t.conf:5: ByteLimit has no value; write `ByteLimit: 1G`".to_owned()),
        ("ByteLimit: 1G", "ByteLimit: # none", "t.conf:5: ByteLimit has no value; write `ByteLimit: 1G`".to_owned()),
        ("ByteLimit: 1G", "ByteLimit: 0", format!("t.conf:5: ByteLimit: 0: a limit of 0 would alert on every packet; {bytes}")),
        (
            "ByteLimit: 1G",
            "ByteLimit: 18446744073709551616",
            format!("t.conf:5: ByteLimit: 18446744073709551616: the limit cannot exceed 18446744073709551615 bytes; {bytes}"),
        ),
        ("ByteLimit: 1G", "ByteLimit 1G", "t.conf:5: ByteLimit 1G: no colon; expected a key and a value, such as ByteLimit: 1G".to_owned()),
        (
            "TrafficInterval: 170",
            "TrafficInterval: -170",
            "t.conf:4: TrafficInterval: -170: expected seconds or a duration from 100ms to 366d, such as 170 or 5m".to_owned(),
        ),
        (
            "NumberContactedIPs: 15",
            "NumberContactedIPs: 0",
            "t.conf:11: NumberContactedIPs: 0: expected a number from 1 to 65535".to_owned(),
        ),
        (
            "AnalyzePorts: false",
            "AnalyzePorts: maybe",
            "t.conf:13: AnalyzePorts: maybe: expected true or false".to_owned(),
        ),
        ("PortInterval", "PortIntervall", "t.conf:15: unknown key PortIntervall; did you mean PortInterval?".to_owned()),
        (
            "PortInterval: 600",
            "Colour: red",
            format!("t.conf:15: unknown key Colour; the keys are {}", KEYS.join(", ")),
        ),
        (
            "PortInterval: 600",
            "ByteLimit: 2G",
            "t.conf:15: duplicate key ByteLimit, also on line 5; remove one".to_owned(),
        ),
        ("  PortInterval: 600", "", "t.conf:14: the key PortInterval is missing; add a line `PortInterval: 600`".to_owned()),
        (
            "  ExcludedInterfaces: \"lo\",\"dummy0\"",
            "",
            "t.conf:15: the key ExcludedInterfaces is missing; add a line `ExcludedInterfaces:`".to_owned(),
        ),
        (
            "\"dummy0\"",
            "\"a/b\"",
            "t.conf:8: ExcludedInterfaces: \"lo\",\"a/b\": a/b: expected an interface name (1 to 127 bytes, no slash, colon or \
             space)"
                .to_owned(),
        ),
    ] {
        assert_eq!(problem(&EXAMPLE.replacen(from, to, 1)), expected, "{to}");
    }
}

#[test]
fn all_missing_keys_are_reported_at_once() {
    let missing = problem("ByteLimit: 1G\n");
    assert!(missing.starts_with("t.conf:1: the keys TrafficInterval, NoDestinations, "), "{missing}");
    assert!(missing.contains("add lines `TrafficInterval: 170`, `NoDestinations: false`, "), "{missing}");
    assert!(problem("").starts_with("t.conf:1: the keys TrafficInterval, "));
}

#[test]
fn a_file_is_known_by_its_keys() {
    assert!(is_file(EXAMPLE) && is_file("ByteLimit : 1G"));
    assert!(!is_file("") && !is_file("# ByteLimit: 1G") && !is_file("capture:\n  filter: tcp\n"));
}

fn of(line: &str) -> Result<Option<Config>, String> {
    let words: Vec<_> = line.split(' ').collect();
    let read = of_words(&words).and_then(|settings| settings.map(Settings::validate).transpose());
    read.map_err(|error| error.to_string())
}

#[test]
fn seven_words_are_the_older_configuration() {
    let config = of("60 5000000000 true 7 false 8 9").unwrap().unwrap();
    let detect::Config { bandwidth, scan, no_destinations, .. } = config.detect;
    let (bandwidth, scan) = (bandwidth.unwrap(), scan.unwrap());
    assert_eq!((bandwidth.interval, bandwidth.limit_bytes), (Duration::from_secs(60), 5_000_000_000));
    assert_eq!((scan.interval, scan.port_interval), (Duration::from_secs(60), Duration::from_secs(9)));
    assert_eq!((scan.contacted_ips, scan.contacted_ports), (7, 8));
    assert_eq!((no_destinations, scan.analyze_hosts, scan.analyze_ports), (true, false, false));
    assert_eq!(config.http.listen.len(), 2);
}

#[test]
fn each_of_the_seven_words_is_checked() {
    for (line, expected) in [
        ("soon 1G false 15 true 100 600", "soon (TrafficInterval): expected seconds or a duration"),
        ("-170 1G false 15 true 100 600", "-170 (TrafficInterval): expected seconds or a duration"),
        ("170 1X false 15 true 100 600", "1X (ByteLimit): expected a number of bytes"),
        ("170  false 15 true 100 600", " (ByteLimit): empty argument; write 1G"),
        ("170 1G no 15 true 100 600", "no (NoDestinations): expected true or false"),
        ("170 1G false 0 true 100 600", "0 (NumberContactedIPs): expected a number from 1 to 65535"),
        ("170 1G false 15 yes 100 600", "yes (AnalyzePorts): expected true or false"),
        ("170 1G false 15 true 1e2 600", "1e2 (NumContactedPorts): expected a number from 1"),
        ("170 1G false 15 true 100 0", "0 (PortInterval): expected seconds or a duration"),
        (
            "170 1G false 15 true 100",
            "170 1G false 15 true 100: 6 words; the older TrafficAlerted takes seven: TrafficInterval",
        ),
        ("170 1G false 15 true 100 600 8", "170 1G false 15 true 100 600 8: 8 words"),
    ] {
        let problem = of(line).unwrap_err();
        assert!(problem.starts_with(expected), "{line}: {problem}");
    }
}

#[test]
fn other_words_are_a_filter() {
    for line in
        ["", "tcp", "1 2 3 4 5 6 7", "host a and not net 10.0.0.0 mask 255.0.0.0", "host true or host false and tcp"]
    {
        assert_eq!(of(line), Ok(None), "{line}");
    }
}
