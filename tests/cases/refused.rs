//! Files of cases that are wrong: status 2, the place, the fault, and nothing is run.

use std::fmt::Write as _;

use super::{Cases, case};

/// The run is refused with one line that ends so.
#[track_caller]
fn is_refused(cases: &Cases, arguments: &[&str], message: &str) {
    let ended = cases.run(arguments);
    assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""), "{ended:?}");
    assert_eq!(ended.messages.lines().count(), 1, "{ended:?}");
    let said = ended.messages.trim_end().strip_prefix("trafficmonitor: ").unwrap_or_else(|| panic!("{ended:?}"));
    assert!(said.starts_with(message), "said     {said}\nexpected {message}");
}

/// A file `cases.yml` with this text is refused.
#[track_caller]
fn is_wrong(text: &str, message: &str) {
    is_refused(&Cases::new(text), &["cases.yml"], &format!("cases.yml:{message}"));
}

/// A case with these lines is refused. The lines begin in line 4 and column 5.
#[track_caller]
fn case_is_wrong(lines: &str, message: &str) {
    is_wrong(&case("quiet.pcap", lines), message);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_one() {
    is_wrong("casses: []\n", "1:1: unknown key casses; did you mean cases?");
    is_wrong("default: {}\ncases: []\n", "1:1: unknown key default; did you mean defaults?");
    is_wrong("defaults: {alerts: []}\ncases: []\n", "1:12: unknown key alerts; the keys here are capture, ");
    case_is_wrong("alert: []", "4:5: unknown key alert; did you mean alerts?");
    case_is_wrong("alerts:\n|  - {kin: host_scan}", "5:10: unknown key kin; did you mean kind?");
    case_is_wrong("absent:\n|  - {before: 3}", "5:10: unknown key before; the keys here are kind, source, ");
    case_is_wrong("config: {bandwith: {limit: 1}}", "4:14: unknown key bandwith; did you mean bandwidth?");
    case_is_wrong("config: {bandwidth: {limits: 1}}", "4:26: unknown key limits; did you mean limit?");
}

#[test]
fn wrong_values_are_refused_where_they_stand() {
    let alert = |keys: &str| format!("alerts:\n|  - {{kind: host_scan, source: 10.0.0.1, {keys}}}");
    case_is_wrong("alerts:\n|  - {kind: hostscan}", "5:16: hostscan: did you mean host_scan? expected host_scan, ");
    case_is_wrong("alerts:\n|  - {source: 10.0.0.256}", "5:18: 10.0.0.256: expected a network such as ");
    case_is_wrong(&alert("severity: loud"), "5:55: loud: expected info, warning or critical");
    case_is_wrong(&alert("side: in"), "5:51: in: did you mean inside? expected inside or outside");
    for before in
        ["-1", ".nan", ".inf", "1e300", "400d", "soon", "2023-11-14", "2023-11-14T22:13:20+01:00", "true", "[1]"]
    {
        case_is_wrong(&alert(&format!("before: {before}")), "5:53: ");
    }
    case_is_wrong(
        &alert("before: soon"),
        "5:53: soon: expected the time since the first packet in seconds or as a duration",
    );
    case_is_wrong(&alert("after: 3, before: 2"), "5:9: after is later than before; ");
    for (kind, subject) in [
        ("host_scan", "network: 10.0.0.0/8"),
        ("port_scan", "destination: 10.0.0.1"),
        ("group_scan", "source: 10.0.0.0/24"),
        ("anomaly", "network: 10.0.0.0/8"),
    ] {
        for list in ["alerts", "absent"] {
            let text = format!("{list}:\n|  - {{kind: {kind}, {subject}}}");
            case_is_wrong(&text, &format!("5:9: alerts of kind {kind} have "));
        }
    }
    case_is_wrong(&alert("min_value: -1"), "5:56: -1: expected a number from 0, ");
    case_is_wrong("others: maybe", "4:13: maybe: expected fail or allow");
    case_is_wrong("config: {bandwidth: {limit: 1X}}", "4:33: 1X: expected a number of bytes above 0");
    case_is_wrong("config: [1]", "4:13: expected keys with values");
    case_is_wrong("alerts: host_scan", "4:13: expected a list; ");
    case_is_wrong("alerts: [host_scan]", "4:14: expected a mapping such as ");
}

#[test]
fn missing_keys_are_named() {
    is_wrong("cases: []\n", "1:8: the list is empty; give at least one case");
    is_wrong("defaults: {}\n", "1:1: there are no cases; ");
    is_wrong("cases: 5\n", "1:8: expected a list; ");
    is_wrong("cases: [x]\n", "1:9: expected a mapping; its keys are name, capture, ");
    is_wrong("", "1:1: expected a mapping; its keys are defaults, cases");
    is_wrong("cases:\n  - {capture: quiet.pcap}\n", "2:5: the key name is missing");
    is_wrong("cases:\n  - {name: ' ', capture: quiet.pcap}\n", "2:5: the key name is missing");
    is_wrong("cases:\n  - {name: x}\n", "2:5: the key capture is missing; ");
    is_wrong("cases:\n  - {name: x, capture: []}\n", "2:24: the list is empty; name at least one capture file");
    case_is_wrong("alerts:\n|  - {source: 10.0.0.1}", "5:9: the key kind is missing; ");
    case_is_wrong("alerts:\n|  - {kind: host_scan}", "5:9: the subject is missing; ");
    case_is_wrong("absent: [{}]", "4:14: nothing is described; ");
    case_is_wrong("others: allow", "2:5: nothing is expected: ");
}

#[test]
fn captures_that_are_no_files_are_refused() {
    let with = |capture: &str| case(capture, "");
    is_wrong(&with("nowhere.pcap"), "3:14: nowhere.pcap: cannot read the capture: No such file");
    is_wrong(&with("[quiet.pcap, nowhere.pcap]"), "3:27: nowhere.pcap: cannot read the capture: No such file");
    is_wrong(&with("."), "3:14: .: cannot read the capture: not a regular file");
    is_wrong(&with("\"-\""), "3:14: -: cannot read the capture: No such file");
    is_wrong(&with("\"a\\u202eb\""), "3:14: a\\u{202e}b: cannot read the capture: No such file");
}

#[test]
fn names_are_given_once_per_file() {
    let text = "cases:\n  - {name: x, capture: quiet.pcap}\n  - {name: x, capture: quiet.pcap}\n";
    is_wrong(text, "3:5: x: another case has this name (cases.yml:2:5)");
    let other = "cases:\n  - {name: x, capture: quiet.pcap}\n";
    let cases = Cases::new(other).with("other.yml", other);
    assert_eq!(cases.run(&["cases.yml", "other.yml"]).status, Some(0));
}

#[test]
fn text_that_is_no_yaml_is_refused_where_it_stops() {
    is_wrong("cases: [\n", "1:8: the bracket [ is not closed");
    is_wrong("cases:\n\t- name: x\n", "2:1: ");
    is_wrong("cases: []\ncases: []\n", "2:1: duplicate key cases; remove one");
    is_wrong("cases: []\n---\ncases: []\n", "3:1: a second YAML document starts here; ");
    is_wrong("cases: !!seq []\n", "1:8: ");
    let bombs = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n";
    let bombs = ('c'..='m').fold(bombs.to_owned(), |mut text, name| {
        let before = char::from(name as u8 - 1);
        writeln!(text, "{name}: &{name} [{}]", vec![format!("*{before}"); 9].join(",")).unwrap();
        text
    });
    is_wrong(&bombs, "");
    let nested = format!("cases: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    is_wrong(&nested, "1:");
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let cases = Cases::new("").with("binary.yml", [0xff, 0xfe, 0]).with("huge.yml", " ".repeat(5 << 20));
    is_refused(&cases, &["nowhere.yml"], "nowhere.yml: cannot read the cases: No such file");
    is_refused(&cases, &["."], ".: cannot read the cases: Is a directory");
    is_refused(&cases, &["binary.yml"], "binary.yml: cannot read the cases: not UTF-8");
    is_refused(&cases, &["huge.yml"], "huge.yml: more than 4 MiB of cases; split the file");
    is_refused(&cases, &["/dev/zero"], "/dev/zero: more than 4 MiB of cases; split the file");
    is_refused(&cases, &[], "the following required arguments were not provided: <CASES>...");
}

#[test]
fn settings_of_a_case_are_checked_together() {
    let wrong = |lines: &str, message: &str| case_is_wrong(lines, message);
    wrong("options: -ByteLimit 1X", "4:14: -ByteLimit 1X: expected a number of bytes above 0");
    wrong("options: [-ByteLimt, 5]", "4:14: -ByteLimt: no such option; did you mean -ByteLimit?");
    wrong("options: [-ByteLimit]", "4:14: -ByteLimit: value missing; ");
    wrong("options: [tcp]", "4:14: expected only options with their values; ");
    wrong("options: [-c, x.yml]", "4:14: -c: not a setting; ");
    wrong("options: -output table", "4:14: -output: not a setting; ");
    wrong("options: {}", "4:14: expected a list of arguments, such as ");
    wrong("config_file: nowhere.yml", "4:18: nowhere.yml: cannot read the configuration: No such file");
    let together = Cases::new(&case("quiet.pcap", "options: -anom_methods fence"));
    is_refused(&together, &["cases.yml"], "cases.yml:2:5: -anom_methods: ");
    let broken = Cases::new(&case("quiet.pcap", "config_file: own.yml")).with("own.yml", "bandwidth: {limits: 1}\n");
    is_refused(&broken, &["cases.yml"], "own.yml:1:13: unknown key limits; did you mean limit?");
}

#[test]
fn options_of_the_subcommand_are_checked() {
    let cases = Cases::new(&case("quiet.pcap", ""));
    is_refused(&cases, &["cases.yml", "-run", "y"], "-run y: no case has this in its name");
    is_refused(&cases, &["cases.yml", "-r", "quiet.pcap"], "-r quiet.pcap: test takes its captures from the cases");
    is_refused(&cases, &["cases.yml", "--output", "table"], "--output: only available with replay and check; ");
    let ended = common_run(&["-junit", "x.xml", "replay", "quiet.pcap"], &cases);
    assert!(ended.contains("-junit: only available with test; "), "{ended}");
    let checked = cases.run(&["cases.yml", "--config.check"]);
    assert_eq!((checked.status, checked.output.as_str()), (Some(0), "configuration OK\n"), "{checked:?}");
}

/// The messages of the program with these arguments, in the folder of the cases.
fn common_run(arguments: &[&str], cases: &Cases) -> String {
    let output = super::program(arguments).current_dir(cases.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}
