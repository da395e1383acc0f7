use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::account::FlowKeying;
use crate::capture::Selection;
use crate::config::{Log, LogFormat, LogLevel};

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
fn interfaces_are_chosen_by_comma_lists_and_repetition() {
    let table = [
        ("-iface eth0", named(&["eth0"])),
        ("-i eth0,eth1 --interface eth2", named(&["eth0", "eth1", "eth2"])),
        ("-i eth0 -i eth0", named(&["eth0"])),
        ("-i \"eth0\"", named(&["eth0"])),
        ("-iface all", Selection::All),
        ("-iface any", Selection::Any),
        ("-iface=", Selection::All),
        ("-i eth0 -iface=", named(&["eth0"])),
    ];
    for (line, selection) in table {
        assert_eq!(run(line).capture.selection, selection, "{line}");
    }
    assert_eq!(run("-ExcludedInterfaces \"lo\",\"dummy0\"").capture.excluded, ["lo", "dummy0"]);
    assert_eq!(run("-ExcludedInterfaces lo,dummy0").capture.excluded, ["lo", "dummy0"]);
}

#[test]
fn capture_settings_are_taken_over() {
    let config = run("-promisc -snaplen 128 --buffer-size 64M -w 50ms -pcapfile a.pcap -filter tcp␣port␣80");
    assert!(config.capture.promiscuous);
    assert_eq!(config.capture.snap_length, 128);
    assert_eq!(config.capture.buffer_bytes, 64 << 20);
    assert_eq!(config.capture.read_timeout, Duration::from_millis(50));
    assert_eq!(config.source.as_deref(), Some(Path::new("a.pcap")));
    assert_eq!(config.capture.filter.as_deref(), Some("tcp port 80"));
    assert_eq!(config.notices, [""; 0]);
}

#[test]
fn snap_length_0_and_65536_mean_65535() {
    for line in ["-s 0", "-snaplen 65536", "-s=65535"] {
        assert_eq!(run(line).capture.snap_length, 65_535, "{line}");
    }
}

#[test]
fn snap_length_of_tcpdump_is_taken_as_65535_and_said_once() {
    let config = run("-snaplen 262144");
    assert_eq!(config.capture.snap_length, 65_535);
    assert_eq!(config.notices, ["-snaplen: a snap length of 262144 is taken as 65535"]);
    assert_eq!(run("-snaplen 65536").notices, [""; 0]);
}

#[test]
fn a_long_read_timeout_is_shortened_and_said_once() {
    let config = run("-w 3s");
    assert_eq!(config.capture.read_timeout, Duration::from_millis(500));
    assert_eq!(config.notices, ["-w: a read timeout of 3s is capped at 500ms"]);
    assert_eq!(run("-w 500ms").notices, [""; 0]);
}

#[test]
fn networks_and_addresses_are_taken_over() {
    let config = run("-localNetworks 192.0.2.0/24,2001:db8::/32,198.51.100.7 -localIPs 192.0.2.9/24,2001:db8::9");
    let networks: Vec<_> = config.locality.networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]);
    let own: Vec<IpAddr> = vec!["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()];
    assert_eq!(config.locality.own_addresses, own);
    let config = run("-localNetworks 10.1.2.3/8");
    assert_eq!(config.locality.networks, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.notices, ["-localNetworks: 10.1.2.3/8 has host bits set; using 10.0.0.0/8"]);
}

#[test]
fn the_other_rooms_are_told_too() {
    let config =
        run("-promHTTP localhost:9 -web.listen-address [::1]:9 -promRefresh 0.5 -flow-key pair --max-flows 7 \
         --metrics.seed=false --log.format json -loglevel panic");
    let listen: Vec<_> = config.http.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["localhost:9", "[::1]:9"]);
    assert_eq!(config.pipeline.refresh, Duration::from_millis(500));
    assert_eq!(config.account.flow_keying, FlowKeying::Pair);
    assert_eq!(config.account.max_flows, 7);
    assert!(!config.export.seed_families);
    assert_eq!(config.log, Log { level: LogLevel::Error, format: LogFormat::Json });
    assert_eq!(run("-promHTTP :9 -web.listen-address :9").http.listen.len(), 1);
    for line in ["-promRefresh 5", "-promRefresh 5s", "-promRefresh 5000ms"] {
        assert_eq!(run(line).pipeline.refresh, Duration::from_secs(5), "{line}");
    }
}

#[test]
fn of_a_repeated_single_value_the_last_wins() {
    assert_eq!(run("-snaplen 105 -s 106 --snaplen=107").capture.snap_length, 107);
    assert!(!run("-promisc -promisc=false").capture.promiscuous);
    assert_eq!(run("-filter tcp -filter=").capture.filter, None);
    assert_eq!(run("-localNetworks 10.0.0.0/8 -localNetworks 192.0.2.0/24").locality.networks.len(), 1);
}

#[test]
fn empty_values_mean_unset_also_for_reserved_options() {
    let blank = "-filter= -ByteLimit= -TrafficInterval= -anom_gv_cap= -filter_ip_CIDR= -snaplen= -w= -promisc= -promHTTP= -c= -l= -slack_url=nil -archive_dir= -anom_methods= -log_packets=";
    assert_eq!(run(blank), Config::default());
    let quoted = parse_all(&["-l", "", "-slack_url", "nil", "-filter", ""], &[]);
    assert_eq!(quoted, Ok(Invocation::Run(Config::default())));
}

#[test]
fn reserved_options_that_ask_for_what_is_done_anyway_pass() {
    let line = "-daq=libpcap --capture.workers 1 --drop-packets=f -log_packets=false";
    assert_eq!(run(line), Config::default());
}

/// The names before `not available yet`.
fn unavailable(line: &str) -> String {
    let message = refusal(line);
    let (names, advice) = message.split_once(" not available yet; leave ").expect(line);
    assert!(advice.contains(" out, and meanwhile "), "{message}");
    names.to_owned()
}

#[test]
fn other_reserved_options_are_not_available_yet() {
    let table = [
        ("-slack_url https://x", "-slack_url is"),
        ("--slack_url=https://x", "--slack_url is"),
        ("-slack_url= -slack_url x", "-slack_url is"),
        ("-daq=xdp", "-daq is"),
        ("--log-format csv", "--log-format is"),
        ("--log-format json", "--log-format is"),
        ("-vv", "-vv is"),
        ("--verbose", "--verbose is"),
        ("--drop-packets", "--drop-packets is"),
        ("-l /var/log", "-l is"),
        ("analyze x.csv", "analyze is"),
    ];
    for (line, expected) in table {
        assert_eq!(unavailable(line), expected, "{line}");
    }
    run("-slack_url x -slack_url=");
    assert_eq!(
        refusal("--log-format logfmt"),
        "--log-format logfmt: this is a value of --log.format (the program's own log)"
    );
    assert_eq!(
        refusal("--log.format csv"),
        "--log.format csv: this is a value of --log-format (the format of policy events); expected logfmt or json"
    );
}

#[test]
fn all_that_is_not_available_yet_is_named_in_one_message_with_what_to_do() {
    assert_eq!(
        refusal("-l /x -i eth0 -slack_url y -daq xdp -slack_channel z"),
        "-l, -slack_url, -daq and -slack_channel are not available yet; leave them out, and meanwhile for -l: redirect \
         standard output to a file: it has a line for each change of an alert; for -slack_url and -slack_channel: let \
         Alertmanager deliver alerts, by the rules in alerts.rules.yml; for -daq: let libpcap capture, which needs no option"
    );
    assert_eq!(unavailable("-l /x --drop-packets analyze a.csv --format csv"), "-l, --drop-packets and analyze are");
    let usage = parse_all(&["-slack_url", "x"], &[("TRAFFICMONITOR_DAQ", "xdp")]).unwrap_err();
    assert!(usage.message.starts_with("-slack_url and TRAFFICMONITOR_DAQ are not available yet"), "{usage}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strict.json");
    fs::write(&path, "{\"permitted_cidrs\": []}").unwrap();
    let path = path.to_str().unwrap();
    let names = unavailable(&format!("-c {path} --drop-packets"));
    assert_eq!(names, format!("--drop-packets and {path}: the list of permitted networks (permitted_cidrs) are"));
    // Other mistakes wait.
    assert_eq!(unavailable("-l /x -s many"), "-l is");
}

#[test]
fn each_reserved_option_has_an_advice_of_its_own_kind() {
    for declaration in reserved::RESERVED {
        let crate::config::Role::Reserved { meanwhile, .. } = declaration.role else { panic!("{}", declaration.id()) };
        assert!(meanwhile.contains(' ') && !meanwhile.ends_with('.'), "{}: {meanwhile}", declaration.id());
    }
}

#[test]
fn mistakes_are_told_as_they_were_typed() {
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
        ("-i a/b", "-i a/b: a/b: expected an interface name (1 to 127 bytes, no slash, colon or space)"),
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
        ("-output table", "-output: only available with replay; add replay FILE or remove the option"),
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
fn mistakes_of_subcommands_are_told_as_they_were_typed() {
    let table = [
        ("-bytes", "-bytes: only available with replay; metrics are always exact"),
        ("replay a --bytes=x", "--bytes=x: expected true or false"),
        ("-max-flows 0", "-max-flows 0: expected a number from 1 to 16777216"),
        ("-flow-key port", "-flow-key port: expected service, dst-port or pair"),
        ("-log.level loud", "-log.level loud: expected error, warn, info, debug or trace"),
        ("replay", "the following required arguments were not provided: <FILE>..."),
        ("interfaces eth0", "unexpected argument 'eth0' found"),
        ("man -iface eth0", "unexpected argument '-iface' found"),
        ("-c /nowhere/x.yml", "/nowhere/x.yml: cannot read the configuration: No such file or directory (os error 2)"),
    ];
    are_refused(&table);
}

#[test]
fn words_behind_the_options_are_the_filter() {
    let table = [
        ("tcp port 80", "tcp port 80"),
        ("tcp␣port␣80", "tcp port 80"),
        ("-i eth0 tcp and host replay", "tcp and host replay"),
        ("tcp -i eth0 port 80", "tcp port 80"),
        ("-- replay", "replay"),
        ("-promisc=false -- -x", "-x"),
        ("a.conf b.conf", "a.conf b.conf"),
        ("1 2 3 4 5 6 7", "1 2 3 4 5 6 7"),
        ("-filter= udp", "udp"),
    ];
    for (line, filter) in table {
        assert_eq!(run(line).capture.filter.as_deref(), Some(filter), "{line}");
    }
}

#[test]
fn options_may_stand_before_a_subcommand_and_behind_it() {
    let table = ["-flow-key pair -output jsonl -f tcp replay a b", "replay a b -flow-key pair -output jsonl -f tcp"];
    for line in table {
        let Ok(Invocation::Replay(replay)) = parse_line(line) else { panic!("{line}") };
        assert_eq!(replay.files, [Path::new("a"), Path::new("b")], "{line}");
        assert_eq!(replay.output, ReplayOutput::JsonLines, "{line}");
        assert_eq!(replay.config.account.flow_keying, FlowKeying::Pair, "{line}");
        assert_eq!(replay.config.capture.filter.as_deref(), Some("tcp"), "{line}");
    }
    let Ok(Invocation::Interfaces(config)) = parse_line("-i eth0 interfaces -i eth1") else { panic!() };
    assert_eq!(config.capture.selection, named(&["eth0", "eth1"]));
    let Ok(Invocation::PrintConfig(config)) = parse_line("-s 105 config -s 106") else { panic!() };
    assert_eq!(config.capture.snap_length, 106);
}

#[test]
fn replay_knows_its_outputs() {
    for (text, output) in OUTPUT.words {
        let Ok(Invocation::Replay(replay)) = parse_line(&format!("replay - --output {text}")) else { panic!("{text}") };
        assert_eq!((replay.output, replay.files.as_slice()), (*output, &[PathBuf::from("-")][..]));
    }
    let Ok(Invocation::Replay(replay)) = parse_line("replay a --workers 3 -r=") else { panic!() };
    assert_eq!((replay.output, replay.workers, replay.config.source), (ReplayOutput::Table, 3, None));
    assert_eq!((replay.top, replay.exact), (None, false));
}

#[test]
fn replay_knows_how_much_it_lists() {
    for (line, top, exact) in [
        ("replay a --top 7 --bytes", Top::Most(7), true),
        ("replay a -top all -bytes=false", Top::All, false),
        ("replay a --output csv --top 1", Top::Most(1), false),
        ("replay a --output jsonl --top all --bytes", Top::All, true),
    ] {
        let Ok(Invocation::Replay(replay)) = parse_line(line) else { panic!("{line}") };
        assert_eq!((replay.top, replay.exact), (Some(top), exact), "{line}");
    }
}

#[test]
fn defaults_go_behind_the_file_the_file_behind_the_environment_and_all_behind_the_options() {
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
    assert_eq!(config.log.level, LogLevel::Warn);
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
    assert!(
        refusal("TRAFFICMONITOR_SLACK_URL", "https://x")
            .starts_with("TRAFFICMONITOR_SLACK_URL is not available yet; leave it")
    );
    assert!(parse_all(&[], &[("TRAFFICMONITOR_SLACK_URL", "nil"), ("TRAFFICMONITOR_DAQ", "libpcap")]).is_ok());
}

#[test]
fn variables_that_kubernetes_makes_are_passed_over_in_silence() {
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

#[test]
fn help_and_version_are_no_errors_and_hide_what_does_not_work() {
    for line in
        ["-h", "--help", "-help", "replay --help", "interfaces -h", "-slack_url x --help", "help", "help replay"]
    {
        let usage = parse_line(line).expect_err(line);
        assert_eq!(usage.exit_code, 0, "{line}");
        assert!(usage.message.contains("Usage: "), "{line}");
        assert!(!usage.message.contains("slack_url") && !usage.message.contains("archive_dir"), "{line}");
    }
    assert_eq!(parse_line("-V").unwrap_err().message, format!("trafficmonitor {}", env!("CARGO_PKG_VERSION")));
    for line in ["--version", "-version", "replay --version"] {
        let usage = parse_line(line).unwrap_err();
        let commit = env!("TRAFFICMONITOR_COMMIT");
        let expected = format!("trafficmonitor {}\ncommit {commit}\n{LIBPCAP}", env!("CARGO_PKG_VERSION"));
        assert_eq!((usage.message, usage.exit_code), (expected, 0), "{line}");
    }
}

/// The long options that the help of a command line names.
fn options_in_help(line: &str) -> Vec<String> {
    let help = parse_line(line).unwrap_err().message;
    let is_option = |word: &&str| word.starts_with("--");
    let first = |line: &str| line.split_whitespace().take(2).find(is_option).map(str::to_owned);
    // Text is indented farther than names.
    let is_name = |line: &&str| line.trim_start().starts_with('-') && !line.starts_with("        ");
    let names = help.lines().filter(is_name).filter_map(first);
    names.map(|name| name.split(['[', '=']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_help_of_a_subcommand_lists_what_it_uses() {
    assert_eq!(
        options_in_help("interfaces --help"),
        ["--config", "--config.check", "--help", "--version", "--iface", "--ExcludedInterfaces"]
    );
    for line in ["man --help", "completions --help"] {
        assert_eq!(options_in_help(line), ["--help", "--version"], "{line}");
    }
    let replay = options_in_help("replay --help");
    for name in ["--output", "--workers", "--filter", "--flow-key", "--localNetworks", "--ByteLimit", "--log.level"] {
        assert!(replay.contains(&name.to_owned()), "{name}: {replay:?}");
    }
    for name in ["--iface", "--promisc", "--snaplen", "--promHTTP", "--promRefresh", "--pcapfile", "--idle-timeout"] {
        assert!(!replay.contains(&name.to_owned()), "{name}");
    }
    for line in ["--help", "config --help"] {
        let all = options_in_help(line);
        assert!(all.contains(&"--promHTTP".to_owned()) && !all.contains(&"--output".to_owned()), "{line}");
    }
}

#[test]
fn a_setting_that_a_subcommand_does_not_use_is_accepted() {
    assert!(matches!(parse_line("interfaces -promHTTP :9 -s 1500"), Ok(Invocation::Interfaces(_))));
    assert!(matches!(parse_line("-promHTTP :9 replay a -promRefresh 5"), Ok(Invocation::Replay(_))));
}

#[test]
fn completions_and_man_need_no_configuration() {
    let broken = [("TRAFFICMONITOR_SNAPLEN", "x")];
    let Ok(Invocation::Print(script)) = parse_all(&["completions", "bash"], &broken) else { panic!() };
    assert!(script.contains("_trafficmonitor"));
    let Ok(Invocation::Print(page)) = parse_all(&["man"], &broken) else { panic!() };
    assert!(page.contains(".TH"));
    assert_eq!(
        refusal("completions tcsh"),
        "invalid value 'tcsh' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]"
    );
}

#[test]
fn a_word_near_a_subcommand_finds_it() {
    let table = [
        ("repaly", Some("replay")),
        ("interface", Some("interfaces")),
        ("analyse", Some("analyze")),
        ("Config", Some("config")),
        ("tcp", None),
        ("host", None),
        ("ip", None),
        ("net", None),
        ("inbound", None),
        ("port", None),
    ];
    for (word, subcommand) in table {
        assert_eq!(hints::nearest_subcommand(word), subcommand, "{word}");
    }
}

#[test]
fn the_command_lines_of_the_seeds_are_read_or_said_to_be_not_available_yet() {
    for line in [
        "-iface eth0 -promHTTP :8888",
        "-iface=eth0 -promisc=true -localNetworks=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16 -promRefresh=5 -snaplen=1500",
        "-f=tcp -i=eth0 -pcapfile= -s=65536 -w=3s -loglevel=info -daq=libpcap",
    ] {
        run(line);
    }
    for line in [
        "-i eth0 -l=/var/log/wherefore -archive_dir=/var/log/wherefore/packets/ -loglevel=info -anom_methods=fence",
        "-i eth0 -l=/tmp -archive_dir=/tmp -slack_channel=#wherefore -anom_gv_cap=30 -anom_sensitivity=0.8",
        "--interface eth0 --drop-packets",
        "-i eth0 --log-format json --log-file traffic.json",
    ] {
        unavailable(line);
    }
}
