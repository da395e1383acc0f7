mod capture;
mod detection;
mod events;
mod older;
mod subcommands;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::account::FlowKeying;
use crate::capture::Selection;
use crate::config::Log;
use crate::events::line::LineForm;
use tracing::Level;

const LIBPCAP: &str = "libpcap version 1.10.3 (with TPACKET_V3)";

pub(super) fn parse_all(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, Usage> {
    let arguments = std::iter::once("trafficmonitor").chain(arguments.iter().copied()).map(OsString::from);
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    parse(arguments, environment, LIBPCAP)
}

/// Words apart by blanks; `␣` stands for a blank within one.
fn parse_line(line: &str) -> Result<Invocation, Usage> {
    let words: Vec<_> = line.split_whitespace().map(|word| word.replace('␣', " ")).collect();
    parse_all(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

pub(super) fn run(line: &str) -> Config {
    match parse_line(line) {
        Ok(Invocation::Run(config)) => config,
        other => panic!("{line}: {other:?}"),
    }
}

pub(super) fn refusal(line: &str) -> String {
    let usage = parse_line(line).expect_err(line);
    assert_eq!(usage.exit_code, 2, "{line}");
    assert!(!usage.message.contains('\n'), "{line}: {}", usage.message);
    usage.message
}

fn named(names: &[&str]) -> Selection {
    Selection::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn nothing_given_means_the_defaults() {
    assert_eq!(run(""), Config::default());
}

#[test]
fn mistakes_are_reported_as_they_were_typed() {
    let table = [
        ("-snaplen 70000", "-snaplen 70000: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535)"),
        (
            "--buffer-size 10",
            "--buffer-size 10: expected a size from 1MiB to just under 2GiB, such as 32MiB, 32M or 33554432",
        ),
        ("-s=x", "-s=x: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535)"),
        ("-promisc=maybe", "-promisc=maybe: expected true or false"),
        ("-w 3", "-w 3: expected a duration of at least 1ms, such as 100ms"),
        ("-w 0s", "-w 0s: expected a duration of at least 1ms, such as 100ms"),
        (
            "--buffer-size 4GiB",
            "--buffer-size 4GiB: expected a size from 1MiB to just under 2GiB, such as 32MiB, 32M or 33554432",
        ),
        ("-promRefresh 0", "-promRefresh 0: expected seconds or a duration from 100ms to 1h, such as 5, 0.5 or 5s"),
        (
            "-localNetworks 10.0.0.0/8,x",
            "-localNetworks 10.0.0.0/8,x: x: expected a network such as 10.0.0.0/8 or fc00::/7, or an address",
        ),
        ("-i a/b", "-i a/b: expected an interface name (1 to 127 bytes, no slash, colon or space)"),
        (
            "-i eth0,",
            "-i eth0,: empty entry between commas; expected an interface name (1 to 127 bytes, no slash, colon or space)",
        ),
        (
            "-i any,eth0",
            "-i: any already includes every interface and cannot be combined with others; remove either any or the names",
        ),
        ("-i all -i eth0", "-i: all already includes every interface; remove either all or the names"),
        (
            "-promisc=true -iface any",
            "-promisc: the interface any (-iface) has no promiscuous mode; name the interfaces to capture, or turn promiscuous \
             mode off",
        ),
        (
            "-filter tcp udp",
            "-filter tcp: the remaining arguments (udp) are also a filter; give a single filter, joined with and",
        ),
        ("-promisc false", "false: write the value of a switch after =, as in -promisc=false"),
        ("-output table", "-output: only available with replay and check; add replay FILE or remove the option"),
        ("replay a -r b", "-r b: replay takes its files as arguments: replay FILE"),
        ("-r=b replay a", "-r=b: replay takes its files as arguments: replay FILE"),
        ("replay a -output xml", "-output xml: expected table, jsonl, csv, alerts, prometheus or none"),
        ("replay a --top 0", "--top 0: expected a number from 1, or all"),
        ("replay a --top -1", "--top -1: expected a number from 1, or all"),
        (
            "replay a --top 5 --output prometheus",
            "--top: not available with --output prometheus; use --max-series to limit the flows",
        ),
        ("replay a --top 5 -output alerts", "--top: not available with --output alerts, which lists no flows"),
        ("--top 5", "--top: only available with replay; --max-series limits the flows that are exported"),
    ];
    are_refused(&table);
}

fn are_refused(table: &[(&str, &str)]) {
    for (line, expected) in table {
        assert_eq!(refusal(line), *expected, "{line}");
    }
}

#[test]
fn options_override_the_environment_and_that_the_file_and_that_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    fs::write(&path, "capture:\n  snap_length: 101\n  filter: tcp\n  interfaces: [eth0, eth1]\nlog:\n  level: warn\n")
        .unwrap();
    let path = path.to_str().unwrap();
    let environment =
        [("TRAFFICMONITOR_SNAPLEN", "102"), ("TRAFFICMONITOR_FILTER", "udp"), ("TRAFFICMONITOR_PROMISC", "")];
    let Ok(Invocation::Run(config)) = parse_all(&["-config", path, "-s", "103"], &environment) else { panic!() };
    assert_eq!(config.capture.snap_length, 103);
    assert_eq!(config.capture.filter.as_deref(), Some("udp"));
    assert_eq!(config.capture.selection, named(&["eth0", "eth1"]));
    assert_eq!(config.log.level, Level::WARN);
    assert_eq!(config.pipeline, Config::default().pipeline);

    let Ok(Invocation::Run(config)) = parse_all(&["-i", "eth2", "icmp"], &[("TRAFFICMONITOR_CONFIG", path)]) else {
        panic!()
    };
    assert_eq!(config.capture.selection, named(&["eth2"]));
    assert_eq!(config.capture.filter.as_deref(), Some("icmp"));
    assert_eq!(config.capture.snap_length, 101);
}

#[test]
fn a_contradiction_between_layers_names_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    fs::write(&path, "capture:\n  promiscuous: true\n").unwrap();
    let path = path.to_str().unwrap();
    let usage = parse_all(&["-c", path], &[("TRAFFICMONITOR_IFACE", "any")]).unwrap_err();
    assert!(
        usage.message.starts_with(&format!("{path}:2:16: the interface any (TRAFFICMONITOR_IFACE) has no")),
        "{usage}"
    );
}

#[test]
fn the_environment_is_checked_too() {
    let refusal = |name, value| parse_all(&[], &[(name, value)]).unwrap_err().message;
    assert_eq!(refusal("TRAFFICMONITOR_PROMISC", "perhaps"), "TRAFFICMONITOR_PROMISC=perhaps: expected true or false");
    assert!(parse_all(&[], &[("TRAFFICMONITOR_SLACK_URL", "nil"), ("TRAFFICMONITOR_DAQ", "libpcap")]).is_ok());
}

#[test]
fn variables_made_by_kubernetes_are_ignored_without_a_notice() {
    let made = ["SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8888_TCP", "PORT_8888_TCP_PROTO", "PORT_8888_TCP_ADDR"];
    for name in made.map(|name| format!("TRAFFICMONITOR_{name}")) {
        let invocation = parse_all(&[], &[(&name, "tcp://10.0.0.1:8888")]);
        assert_eq!(invocation, Ok(Invocation::Run(Config::default())), "{name}");
    }
}

#[test]
fn a_check_of_the_configuration_does_nothing_else() {
    for line in ["-config.check", "--config.check -i eth0 replay a", "interfaces --config.check=true"] {
        assert!(matches!(parse_line(line), Ok(Invocation::CheckConfig(_))), "{line}");
    }
    assert!(matches!(parse_line("--config.check=false"), Ok(Invocation::Run(_))));
    refusal("--config.check -s x");
}
