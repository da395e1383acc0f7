use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use super::addresses::{ADDRESS, INTERFACE_NAME, NETWORK, RULE_NAME, WholeNetwork};
use super::durations::{READ_TIMEOUT, REFRESH, SUMMARY_INTERVAL, WAIT, WINDOW};
use super::keywords::*;
use super::numbers::{
    BOUND, BYTE_LIMIT, BYTES, CONTACTS, EVIDENCE_RING, MEGABYTES, PROBABILITY, RING_BYTES, SENSITIVITY, SNAP_LENGTH,
};
use super::receivers::ReceiverEntry;
use super::rules::SeverityOfKind;
use super::secrets::{HIDDEN, OrNil, SECRET_URL};
use super::{ListOf, ValueKind};
use crate::account::FlowKeying;
use crate::alert::{Severity, Side};
use crate::config::given::Given;
use crate::config::{Settings, file};
use crate::detect::anomaly::Method;
use crate::detect::bandwidth::BandwidthDirection;
use crate::detect::{Kind, scan};
use crate::events::line::LineForm;
use crate::notify::{AlertSelection, ReceiverConfig, Secret, SecretSource, Vendor};
use tracing::Level;

/// The text of a value in the configuration file.
fn text_of<K: ValueKind>(kind: &K, value: &K::Value) -> String {
    Given::from(kind.show(value)).text().unwrap().into_owned()
}

#[test]
fn byte_limits_count_in_powers_of_1000_and_have_no_32_bit_limit() {
    for (text, bytes) in [
        ("1000000000", 1_000_000_000),
        ("1G", 1_000_000_000),
        ("5G", 5_000_000_000),
        ("5g", 5_000_000_000),
        ("3T", 3_000_000_000_000),
        ("7M", 7_000_000),
        ("9K", 9_000),
        ("1", 1),
        ("18446744073709551615", u64::MAX),
        ("18446744T", 18_446_744_000_000_000_000),
    ] {
        assert_eq!(BYTE_LIMIT.parse(text), Ok(bytes), "{text}");
        assert_eq!(BYTE_LIMIT.parse(&text_of(&BYTE_LIMIT, &bytes)), Ok(bytes), "{text}");
    }
    assert_eq!((text_of(&BYTE_LIMIT, &1_000_000_000), text_of(&BYTES, &1_500)), ("1G".to_owned(), "1500".to_owned()));
}

#[test]
fn other_texts_than_numbers_of_bytes_are_refused_with_the_right_form() {
    for text in ["-1", "-1G", "", "G", "1X", "1.5G", "1e9", "1_000", "+1", "0x10", "1 G", "1GB", "ten"] {
        assert_eq!(BYTE_LIMIT.parse(text), Err(BYTE_LIMIT.expected()), "{text}");
    }
    for text in ["18446744073709551616", "18446744073709551615K", "99999999999T"] {
        let problem = BYTE_LIMIT.parse(text).unwrap_err();
        assert!(problem.starts_with("the limit cannot exceed 18446744073709551615 bytes; expected"), "{problem}");
    }
    for text in ["0", "0G", "000"] {
        assert!(
            BYTE_LIMIT.parse(text).unwrap_err().starts_with("a limit of 0 would alert on every packet; expected"),
            "{text}"
        );
    }
    assert_eq!((BYTES.parse("0"), text_of(&BYTES, &0)), (Ok(0), "0".to_owned()));
}

#[test]
fn windows_are_seconds_or_durations_and_never_negative() {
    for (text, milliseconds) in [("170", 170_000), ("170s", 170_000), ("2m50s", 170_000), ("0.5", 500), ("100ms", 100)]
    {
        assert_eq!(WINDOW.parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["-170", "-5s", "0", "99ms", "367d", "inf", "NaN", "ten", "", "1e300"] {
        assert_eq!(WINDOW.parse(text), Err(WINDOW.expected()), "{text}");
    }
    assert_eq!(WAIT.parse("0"), Ok(Duration::ZERO));
    assert_eq!(SUMMARY_INTERVAL.parse("0"), Ok(Duration::ZERO));
    assert_eq!(SUMMARY_INTERVAL.parse("1s"), Ok(Duration::from_secs(1)));
    assert!(SUMMARY_INTERVAL.parse("999ms").is_err());
    assert!(WAIT.parse("-1s").is_err());
}

#[test]
fn limits_of_zero_are_refused() {
    for text in ["0", "-1", "1.5", "65536", "many", ""] {
        assert_eq!(CONTACTS.parse(text), Err(CONTACTS.expected()), "{text}");
    }
    assert_eq!(CONTACTS.parse("65535"), Ok(65_535));
}

#[test]
fn fractions_are_numbers_within_their_bounds() {
    assert_eq!(BOUND.parse("5e-324"), Ok(5e-324));
    assert_eq!(BOUND.parse(&text_of(&BOUND, &5e-324)), Ok(5e-324));
    assert_eq!(BOUND.parse("-500"), Ok(-500.0));
    assert_eq!(SENSITIVITY.parse("2"), Ok(2.0));
    assert_eq!(PROBABILITY.parse("1"), Ok(1.0));
    for text in ["inf", "NaN", "x", ""] {
        assert!(BOUND.parse(text).is_err() && SENSITIVITY.parse(text).is_err(), "{text}");
    }
    for text in ["-0.1", "1.1", "60%"] {
        assert!(PROBABILITY.parse(text).is_err(), "{text}");
    }
    assert!(SENSITIVITY.parse("-0.1").is_err());
}

#[test]
fn sizes_have_units_of_1024_and_of_1000() {
    let table = [
        ("33554432", Some(32 << 20)),
        ("32MiB", Some(32 << 20)),
        ("32 MiB", Some(32 << 20)),
        ("32M", Some(32 << 20)),
        ("32m", Some(32 << 20)),
        ("2048K", Some(2 << 20)),
        ("2048k", Some(2 << 20)),
        ("1GiB", Some(1 << 30)),
        ("1G", Some(1 << 30)),
        ("2000kB", Some(2_000_000)),
        ("2MB", Some(2_000_000)),
        ("1048576B", Some(1 << 20)),
        ("1048575", None),
        ("10", None),
        ("64K", None),
        ("2147483647", Some(i32::MAX as u32)),
        ("2GiB", None),
        ("0", None),
        ("-1", None),
        ("1.5M", None),
        ("M", None),
        ("1TiB", None),
        ("99999999999999999999G", None),
        ("18446744073709551615G", None),
    ];
    for (text, bytes) in table {
        assert_eq!(RING_BYTES.parse(text).ok(), bytes, "{text}");
    }
}

#[test]
fn sizes_are_written_as_they_are_read() {
    for (bytes, text) in
        [(1 << 20, "1MiB"), (1_048_577, "1048577"), (1025 << 10, "1025KiB"), (32 << 20, "32MiB"), (1 << 30, "1GiB")]
    {
        assert_eq!(text_of(&RING_BYTES, &bytes), text);
        assert_eq!(RING_BYTES.parse(text), Ok(bytes));
    }
}

#[test]
fn snap_lengths_are_read_as_the_older_programs_do() {
    for (text, bytes) in [("0", 65_535), ("65536", 65_535), ("1", 1), ("96", 96), ("65535", 65_535)] {
        assert_eq!(SNAP_LENGTH.parse(text), Ok(bytes), "{text}");
    }
    for text in ["-1", "65537", "1.5"] {
        assert_eq!(SNAP_LENGTH.parse(text), Err(SNAP_LENGTH.expected()), "{text}");
    }
}

#[test]
fn durations_are_read_with_units_also_as_go_writes_them() {
    let table = [
        ("100ms", Some(100)),
        ("3s", Some(3000)),
        ("1.5s", Some(1500)),
        ("0.25s", Some(250)),
        ("1m30s", Some(90_000)),
        ("1m 30s", Some(90_000)),
        ("1ms", Some(1)),
        ("0.5ms", None),
        ("0", None),
        ("3", None),
        ("-3s", None),
        ("s", None),
        ("3 parsecs", None),
        ("NaNs", None),
        ("", None),
    ];
    for (text, milliseconds) in table {
        let expected = milliseconds.map(Duration::from_millis);
        assert_eq!(READ_TIMEOUT.parse(text).ok(), expected, "{text}");
    }
}

#[test]
fn the_refresh_is_seconds_or_a_duration_within_its_bounds() {
    let table = [
        ("5", Some(5000)),
        ("0.5", Some(500)),
        ("5s", Some(5000)),
        ("100ms", Some(100)),
        ("1h", Some(3_600_000)),
        ("99ms", None),
        ("3601", None),
        ("0", None),
        ("-5", None),
        ("inf", None),
        ("NaN", None),
        ("1e300", None),
    ];
    for (text, milliseconds) in table {
        let expected = milliseconds.map(Duration::from_millis);
        assert_eq!(REFRESH.parse(text).ok(), expected, "{text}");
    }
}

#[test]
fn interface_names_are_what_the_kernel_allows() {
    for name in ["e", "eth0.10", "br-0123456789ab", "wlp0s20f3", "veth@x", "ünï"] {
        assert!(INTERFACE_NAME.parse(name).is_ok(), "{name}");
    }
    let longest = "x".repeat(127);
    assert!(INTERFACE_NAME.parse(&longest).is_ok(), "alternative names are long");
    for name in ["", ".", "..", "a/b", "a b", "a\tb", "eth0:1", &(longest + "x")] {
        assert!(INTERFACE_NAME.parse(name).is_err(), "{name}");
    }
}

#[test]
fn interface_names_need_not_be_utf_8() {
    let read = |bytes: &[u8]| ListOf(INTERFACE_NAME).parse_argument(OsStr::from_bytes(bytes));
    let names = vec!["eth0".to_owned(), "\\xffwan".to_owned()];
    assert_eq!(read(b"eth0,\xffwan"), Ok(names.clone()));
    assert_eq!(read(b"eth0,\\xffwan"), Ok(names), "as it is shown");
    assert!(read(b"\xff/").is_err());
}

#[test]
fn names_in_quotes_may_contain_commas() {
    let read = |text| ListOf(INTERFACE_NAME).parse(text);
    let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(read("\"a,b\""), names(&["a,b"]));
    assert_eq!(read("lo, \"a,b\" ,\"c\",d"), names(&["lo", "a,b", "c", "d"]));
    assert_eq!(read("a\"b,c"), names(&["a\"b", "c"]), "a quote amid a name is a letter");
}

#[test]
fn booleans_are_written_as_go_takes_them() {
    for (text, truth) in
        [("1", true), ("T", true), ("TRUE", true), ("true", true), ("0", false), ("f", false), ("False", false)]
    {
        assert_eq!(BOOLEAN.parse(text), Ok(truth), "{text}");
    }
    for text in ["yes", "on", "tRUE", "2"] {
        assert!(BOOLEAN.parse(text).is_err(), "{text}");
    }
}

#[test]
fn lists_are_split_at_commas_and_stripped_of_quotes() {
    let list = ListOf(INTERFACE_NAME).parse("\"lo\", dummy0 ,\"eth0\"").unwrap();
    assert_eq!(list, ["lo", "dummy0", "eth0"]);
    for text in ["a,,b", ",", "a,", "\"\""] {
        assert!(ListOf(INTERFACE_NAME).parse(text).is_err(), "{text}");
    }
}

#[test]
fn error_names_an_entry_only_among_others() {
    let problem = |text| ListOf(NETWORK).parse(text).unwrap_err();
    let expected = NETWORK.expected();
    assert_eq!([problem("x"), problem("\"x\"")], [&expected[..]; 2]);
    assert_eq!(problem("10.0.0.0/8,\"x\""), format!("x: {expected}"));
}

#[test]
fn networks_may_be_addresses_and_addresses_may_carry_their_network() {
    for (text, network) in
        [("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.1", "192.0.2.1/32"), ("2001:db8::1", "2001:db8::1/128")]
    {
        assert_eq!(NETWORK.parse(text).unwrap().to_string(), network);
    }
    for (text, address) in [("192.0.2.1", "192.0.2.1"), ("192.0.2.1/24", "192.0.2.1"), ("fe80::1/64", "fe80::1")] {
        assert_eq!(ADDRESS.parse(text).unwrap().to_string(), address);
    }
    for text in ["10.0.0.0/33", "10/8", "x", "10.0.0.1%eth0", "010.0.0.1"] {
        assert!(NETWORK.parse(text).is_err() && ADDRESS.parse(text).is_err(), "{text}");
    }
}

#[test]
fn notations_that_programs_read_differently_are_refused_with_the_meant_one() {
    for (text, meant) in [
        ("010.0.0.0/8", "10.0.0.0/8"),
        ("10.0.00.1", "10.0.0.1"),
        ("10.0.0.0/08", "10.0.0.0/8"),
        ("fc00::/07", "fc00::/7"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::FFFF:a01:203", "10.1.2.3"),
    ] {
        let hint = format!("did you mean {meant}?");
        for problem in
            [NETWORK.parse(text).unwrap_err(), WholeNetwork.parse(text).unwrap_err(), ADDRESS.parse(text).unwrap_err()]
        {
            assert!(problem.ends_with(&hint), "{text}: {problem}");
        }
    }
    for text in ["0.0.0.0/0", "10.0.0.0/10", "::/0", "::ffff:0:0/95", "2001:db8::0010/128", "64:ff9b::10.0.0.1"] {
        assert!(NETWORK.parse(text).is_ok() && ADDRESS.parse(text).is_ok(), "{text}");
    }
    assert_eq!(NETWORK.parse("010.0.0.256").unwrap_err(), NETWORK.expected());
}

#[track_caller]
fn are_read_as_they_are_shown<T: Copy + PartialEq + std::fmt::Debug>(kind: Keywords<T>, all: &[T]) {
    for value in all {
        assert_eq!(kind.parse(&text_of(&kind, value)), Ok(*value));
    }
    assert_eq!(kind.words().len(), all.len());
}

#[test]
fn keywords_are_read_as_they_are_shown_and_others_find_their_neighbour() {
    are_read_as_they_are_shown(FLOW_KEY, &[FlowKeying::Service, FlowKeying::DestinationPort, FlowKeying::Pair]);
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    are_read_as_they_are_shown(LOG_LEVEL, &levels);
    are_read_as_they_are_shown(LOG_FORMAT, &[LineForm::Logfmt, LineForm::Json]);
    are_read_as_they_are_shown(
        DIRECTION,
        &[BandwidthDirection::Source, BandwidthDirection::Destination, BandwidthDirection::Both],
    );
    are_read_as_they_are_shown(SCAN_RULE, &[scan::Rule::Evidence, scan::Rule::Contacts]);
    are_read_as_they_are_shown(ALERT_KIND, &Kind::ALL);
    are_read_as_they_are_shown(METHOD, &Method::ALL);
    are_read_as_they_are_shown(SEVERITY, &Severity::ALL);
    are_read_as_they_are_shown(SIDE, &Side::BOTH);
    assert_eq!(LOG_LEVEL.parse("fatal"), Ok(Level::ERROR));
    assert!(METHOD.parse("hirank").unwrap_err().starts_with("did you mean highrank? expected an anomaly test"));
    assert!(["Diff", ""].iter().all(|name| METHOD.parse(name).is_err()));
    assert_eq!(SCAN_RULE.parse("guess"), Err("expected evidence or contacts".to_owned()));
}

/// Alerts, metrics and their tests of anomalies have the same words.
#[test]
fn keywords_are_the_labels_of_their_rooms() {
    assert!(Kind::ALL.iter().all(|kind| ALERT_KIND.word(*kind) == kind.label()));
    assert!(Severity::ALL.iter().all(|severity| SEVERITY.word(*severity) == severity.label()));
    assert!(Side::BOTH.iter().all(|side| SIDE.word(*side) == side.label()));
    assert!(Method::ALL.iter().all(|method| METHOD.word(*method) == method.name()));
}

#[test]
fn a_severity_names_its_kind_and_perhaps_its_side() {
    for text in ["bandwidth=critical", "host_scan.outside=warning", "anomaly.inside=info"] {
        assert_eq!(text_of(&SeverityOfKind, &SeverityOfKind.parse(text).unwrap()), text);
    }
    let rule = SeverityOfKind.parse("port_scan . inside = info").unwrap();
    assert_eq!(text_of(&SeverityOfKind, &rule), "port_scan.inside=info");
    for (text, problem) in [
        ("bandwidth", "expected KIND=SEVERITY or KIND.SIDE=SEVERITY"),
        ("bandwith=info", "did you mean bandwidth? expected host_scan"),
        ("bandwidth=high", "expected info, warning or critical"),
        ("bandwidth=warnin", "did you mean warning? expected info, warning or critical"),
        ("bandwidth.within=info", "expected inside or outside"),
    ] {
        let error = SeverityOfKind.parse(text).unwrap_err();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

fn in_yaml(text: &str) -> Result<Vec<ReceiverConfig>, String> {
    let settings = file::parse(&format!("notify: {{receivers: [{text}]}}"), Path::new("t.yml"));
    settings.and_then(Settings::validate).map(|config| config.notify.receivers).map_err(|error| error.to_string())
}

#[test]
fn receivers_have_the_settings_of_their_type() {
    let receivers = in_yaml(
        "{name: a, type: pagerduty, routing_key_env: KEY, timeout: 1m, kinds: [host_scan, anomaly], severity: warning, \
         networks: [10.0.0.0/8, 192.0.2.1]}, {name: b, type: slack, url_file: /a, channel: \"#x\"}, \
         {name: c, type: webhook, url: \"https://x/y?z\", headers: {X-A: b}, header_files: {Authorization: /c}, ca_file: /d}",
    )
    .unwrap();
    let expected = AlertSelection {
        kinds: vec![Kind::HostScan, Kind::Anomaly],
        severity: Some(Severity::Warning),
        networks: vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.1/32".parse().unwrap()],
    };
    assert_eq!((&receivers[0].selection, receivers[0].timeout), (&expected, Duration::from_secs(60)));
    assert_eq!(receivers[0].vendor, Vendor::PagerDuty { routing_key: SecretSource::Variable("KEY".to_owned()) });
    assert_eq!((&receivers[0].url, &receivers[1].url), (&None, &Some(SecretSource::File("/a".into()))));
    assert_eq!(receivers[1].vendor, Vendor::Slack { channel: Some("#x".to_owned()), emoji: None, icon: None });
    assert_eq!((&receivers[1].selection, receivers[1].timeout), (&AlertSelection::default(), Duration::from_secs(10)));
    let headers = [
        ("authorization".to_owned(), SecretSource::File("/c".into())),
        ("x-a".to_owned(), SecretSource::Given(Secret::new("b"))),
    ];
    assert_eq!(receivers[2].headers, headers.into());
    assert_eq!(receivers[2].ca_file, Some("/d".into()));
}

#[test]
fn name_of_a_rule_is_a_line_of_text() {
    let longest = "x".repeat(1_024);
    for name in ["lab", "büro süd", "a: b", &longest] {
        assert_eq!(RULE_NAME.parse(name), Ok(name.to_owned()));
    }
    for name in ["", " ", "a\nb", "a\0", "\u{1b}[31m", "a\u{202e}b", &format!("{longest}x")] {
        assert_eq!(RULE_NAME.parse(name), Err(RULE_NAME.expected()), "{name:?}");
    }
}

#[test]
fn base_urls_are_shown_and_those_of_hooks_are_not() {
    for (entry, is_shown) in [
        ("type: alertmanager", true),
        ("type: pagerduty, routing_key_env: KEY", true),
        ("type: opsgenie, api_key_env: KEY", true),
        ("type: slack", false),
        ("type: webhook", false),
    ] {
        let receivers = in_yaml(&format!("{{name: a, url: \"https://host/canary\", {entry}}}")).unwrap();
        let shown = format!("{:?}", ReceiverEntry.show(&receivers[0]));
        assert_eq!(shown.contains("https://host/canary"), is_shown, "{shown}");
        assert_eq!(shown.contains(HIDDEN), !is_shown, "{shown}");
    }
}

#[test]
fn receivers_that_contradict_themselves_are_refused() {
    for (entry, problem) in [
        ("type: slack, url_file: /a", "the key name is missing; expected 1 to 64 of a-z"),
        (
            "name: a, url_file: /a",
            "the key type is missing; expected alertmanager, slack, pagerduty, opsgenie or webhook",
        ),
        ("name: a, type: opsgenie", "the key is missing; give api_key, api_key_file or api_key_env"),
        ("name: a, type: opsgenie, api_key: 17", "expected text of one line, in quotes"),
        ("name: a, type: webhook, url_env: 1A", "1A: expected the name of an environment variable"),
        ("name: a, type: webhook, url_file: /a, timeout: 1h", "1h: expected seconds or a duration from 100ms to 5m"),
        ("name: a, type: webhook, url_file: /a, headers: {a b: c}", "not a valid name of a header"),
        ("name: a, type: webhook, url_file: /a, headers: {A: b, a: c}", "this header is given twice"),
        ("name: a, type: webhook, url_file: /a, severity: high", "high: expected info, warning or critical"),
    ] {
        let error = in_yaml(&format!("{{{entry}}}")).unwrap_err();
        assert!(error.contains(problem), "{entry}: {error}");
    }
}

#[test]
fn nil_unsets_and_a_hidden_secret_is_refused() {
    let kind = OrNil(SECRET_URL);
    assert_eq!(kind.parse("nil"), Ok(None));
    assert_eq!(kind.parse("https://x/y"), Ok(Some(Secret::new("https://x/y"))));
    assert_eq!((text_of(&kind, &None), text_of(&kind, &Some(Secret::new("x")))), ("nil".to_owned(), HIDDEN.to_owned()));
    assert!(kind.parse(HIDDEN).unwrap_err().contains("put the secret into a file and name that file instead"));
}

#[test]
fn sizes_of_evidence_have_binary_and_decimal_units() {
    for (text, bytes) in [("64MiB", 64 << 20), ("100MB", 100_000_000), ("4194304", 4 << 20), ("1G", 1 << 30), ("0", 0)]
    {
        assert_eq!(EVIDENCE_RING.parse(text), Ok(bytes), "{text}");
        assert_eq!(EVIDENCE_RING.parse(&text_of(&EVIDENCE_RING, &bytes)), Ok(bytes), "{text}");
    }
    for text in ["3MiB", "65GiB", "-1", "", "64 MiBB", "1.5GiB"] {
        assert_eq!(EVIDENCE_RING.parse(text), Err(EVIDENCE_RING.expected()), "{text}");
    }
    assert_eq!(MEGABYTES.parse("2"), Ok(2_000_000));
    assert_eq!(text_of(&MEGABYTES, &2_000_000), "2");
}
