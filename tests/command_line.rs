//! The command line over the real binary: valid and invalid arguments, the messages, and the end of each run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "command_line/delivery.rs"]
mod delivery;
#[path = "command_line/kernel.rs"]
mod kernel;
#[path = "command_line/seeds.rs"]
mod seeds;

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::client::get;
use common::exporter::{Exporter, program};
use common::exposition::{parse, sum};
use common::ip::{Ipv4, udp};
use common::link::{Link, Sample};
use common::mix;
use common::savefile::Savefile;
use seeds::Outcome;
use tempfile::TempDir;

/// A folder with the mix in it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    mix::write(folder.path(), "mix.pcap");
    folder
}

/// The end of a run.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    output: String,
    messages: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { status: output.status.code(), output: text(output.stdout), messages: text(output.stderr) }
    }
}

fn run_in<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Ended {
    program(arguments).current_dir(folder).output().unwrap().into()
}

/// The words of `line` as arguments.
fn run(line: &str) -> Ended {
    run_in(folder().path(), line.split_whitespace())
}

/// Ended with status 2, nothing on standard output, and one line that holds all of `words`.
fn is_refused(ended: &Ended, words: &[&str]) {
    assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.messages.starts_with("trafficmonitor: "), "{ended:?}");
    assert_eq!(ended.messages.lines().count(), 1, "{ended:?}");
    words.iter().for_each(|words| assert!(ended.messages.contains(words), "no {words:?}: {ended:?}"));
}

/// Ended with status 0 and no message; gives its output.
fn done(ended: Ended) -> String {
    assert_eq!((ended.status, ended.messages.as_str()), (Some(0), ""), "{}", ended.output);
    ended.output
}

// ---- Command lines of the programs before this one -----------------------------------------------------------------------

#[test]
fn the_go_exporters_command_lines_are_right() {
    are_as_said(seeds::TRAFFICMONITOR);
}

#[test]
fn trafficalerteds_command_lines_are_known() {
    are_as_said(seeds::TRAFFICALERTED_OLDER);
    are_as_said(seeds::TRAFFICALERTED);
}

#[test]
fn wherefores_command_lines_are_known() {
    are_as_said(seeds::WHEREFORE);
}

#[test]
fn the_xdp_monitors_command_lines_are_known() {
    are_as_said(seeds::XDP_TRAFFIC_MONITOR);
}

#[test]
fn default_list_is_that_of_the_xdp_monitors_description() {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(include_str!("../configs/default.json")), read(seeds::PERMITTED_CIDRS));
}

/// Each line is read by a shell and checked rather than run: its interface is not there.
fn are_as_said(lines: &[(&str, Outcome)]) {
    let folder = folder();
    fs::create_dir(folder.path().join("configs")).unwrap();
    for (name, text) in [
        ("TrafficAlerted.conf", seeds::TRAFFICALERTED_CONF),
        ("configs/default.json", include_str!("../configs/default.json")),
        ("configs/strict.json", include_str!("../configs/strict.json")),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    // The directories that a description names have to be there; here they lie in the folder of the test.
    let directories = folder.path().join("wherefore");
    fs::create_dir_all(directories.join("packets")).unwrap();
    for (line, outcome) in lines {
        let line = &line.replace("/var/log/wherefore", directories.to_str().unwrap());
        let ended = checked_by_a_shell(folder.path(), line);
        match outcome {
            Outcome::Right => {
                // The lists of the examples need not have the gateway of the machine that runs the test.
                let message = ended.messages.lines().find(|line| !line.contains("would cut this host off"));
                assert_eq!((ended.status, message), (Some(0), None), "{line}");
                assert_eq!(ended.output, "configuration OK\n", "{line}");
            }
            Outcome::Noticed(notice) => {
                assert_eq!((ended.status, ended.messages.trim_end()), (Some(0), *notice), "{line}");
            }
            Outcome::Refused(words) => is_refused(&ended, &[words]),
        }
    }
}

fn checked_by_a_shell(folder: &Path, line: &str) -> Ended {
    let script = format!("trafficmonitor() {{ \"$PROGRAM\" \"$@\" --config.check; }}\n{line}\n");
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().env("PROGRAM", env!("CARGO_BIN_EXE_trafficmonitor")).args(["-c", &script]).current_dir(folder);
    shell.stdin(Stdio::null()).output().unwrap().into()
}

/// The same options over a file, as far as they work: the exporter serves the chosen interfaces and flows.
#[test]
fn command_lines_of_two_programs_run_over_a_file() {
    let folder = folder();
    for line in [
        "-pcapfile=mix.pcap -f=tcp -s=65536 -daq=libpcap -loglevel=info -slack_url=nil -promHTTP=127.0.0.1:0",
        "-r mix.pcap -promHTTP 127.0.0.1:0 -promRefresh 5 -localNetworks 10.0.0.0/8,fc00::/7 -snaplen 1500 tcp",
    ] {
        let mut command = program(line.split_whitespace());
        let exporter = Exporter::spawn(command.current_dir(folder.path()), 1);
        exporter.is_ready();
        let page = parse(&get(exporter.address(), "/metrics"));
        assert_eq!(sum(&page, "trafficmonitor_interface_frames_total", None), 6, "{line}");
        assert_eq!((sum(&page, "total_outgoing", None), sum(&page, "total_incoming", None)), (158, 1_540), "{line}");
    }
}

// ---- Mistakes ------------------------------------------------------------------------------------------------------------

#[test]
fn mistake_is_reported_with_a_correct_form() {
    for (line, words) in [
        ("-ifaec eth0", &["-ifaec", "did you mean -iface?"][..]),
        ("--ifaec=eth0", &["did you mean --iface?"]),
        ("replay mix.pcap --flow-kye pair", &["--flow-kye", "did you mean --flow-key?"]),
        ("-ieth0", &["-ieth0: no such option; see --help for the list of options; a value follows after a space or ="]),
        ("--foo", &["--foo: no such option; see --help for the list of options"]),
        ("-s 65537", &["-s 65537", "0 to 65535"]),
        ("-s=65537", &["-s=65537: ", "0 to 65535"]),
        ("--buffer-size 10", &["--buffer-size 10: expected a size from 1MiB"]),
        ("--idle-timeout 10ms", &["--idle-timeout 10ms: expected a duration from 1s"]),
        ("-promRefresh 0.01", &["-promRefresh 0.01: expected seconds or a duration from 100ms"]),
        ("-transfer_interval 1ms", &["-transfer_interval 1ms: expected seconds or a duration from 100ms"]),
        ("-TrafficInterval 0.001", &["-TrafficInterval 0.001: expected seconds or a duration from 100ms"]),
        ("--max-flows 0", &["--max-flows 0: expected a number from 1"]),
        ("-w 1us", &["-w 1us: expected a duration of at least 1ms"]),
        ("-promisc=maybe", &["-promisc=maybe: expected true or false"]),
        ("--promisc=maybe", &["--promisc=maybe: expected true or false"]),
        ("replay mix.pcap -r other.pcap", &["-r other.pcap: replay takes its files as arguments"]),
        ("-pcapfile=other.pcap replay mix.pcap", &["-pcapfile=other.pcap: replay takes its files"]),
        ("-promHTTP 8888", &["-promHTTP 8888", ":8888"]),
        ("-localNetworks 10.0.0.0/33", &["10.0.0.0/33", "expected a network"]),
        ("-iface", &["-iface", "value missing"]),
        ("-output table", &["only available with replay"]),
        ("-filter tcp udp", &["-filter tcp", "udp"]),
        ("replay", &["FILE"]),
        ("replay mix.pcap --output xml", &["table, jsonl, csv, alerts, prometheus or none"]),
        ("completions tcsh", &["tcsh", "bash"]),
        ("-c missing.yml", &["missing.yml", "No such file"]),
        ("replay mix.pcap -promisc -iface any", &["-promisc", "has no promiscuous mode"]),
        ("-ByteLimit 1X", &["-ByteLimit 1X", "such as 1000000000 or 1G"]),
        ("replay mix.pcap -TrafficInterval -5", &["-TrafficInterval -5", "such as 170 or 5m"]),
        ("-anom_methods diff,fense", &["-anom_methods diff,fense", "did you mean fence?"]),
        ("-anom_lower_bound=10 -anom_upper_bound=5", &["-anom_lower_bound, -anom_upper_bound", "10 is not below"]),
        ("170 1000000000 maybe 15 true 100 600", &["maybe (NoDestinations): expected true or false"]),
    ] {
        is_refused(&run(line), words);
    }
}

#[test]
fn missing_interface_is_reported_with_the_existing_ones() {
    for line in ["interfaces -i nosuch0", "-i lo,nosuch0 interfaces"] {
        is_refused(&run(line), &["nosuch0: no such interface", "lo"]);
    }
    let ended = run("-iface nosuch0 -promHTTP 127.0.0.1:0");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.messages.contains("trafficmonitor: nosuch0: no such interface (have: "), "{ended:?}");
}

#[test]
fn a_filter_that_does_not_compile_names_the_subcommand_that_it_is_near_to() {
    for (line, near) in [("repaly mix.pcap", "replay"), ("-r mix.pcap analyse this", "analyze")] {
        let ended = run(&format!("-promHTTP 127.0.0.1:0 {line}"));
        assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.messages.contains("does not compile"), "{ended:?}");
        assert!(ended.messages.contains(&format!("did you mean the subcommand `{near}`?")), "{ended:?}");
    }
    // In one line: nothing was started, no port was taken.
    for line in ["-promHTTP 127.0.0.1:0 tcp prot 80", "--config.check tcp prot 80"] {
        let ended = run(line);
        is_refused(&ended, &["`tcp prot 80` does not compile"]);
        assert!(!ended.messages.contains("did you mean"), "{ended:?}");
    }
    is_refused(&run("replay mix.pcap -filter prot"), &["`prot` does not compile"]);
}

#[test]
fn file_in_the_place_of_the_filter_is_refused_with_the_right_option() {
    let folder = folder();
    for name in ["office.pcap", "trace.1", "capture", "o.pcapng.gz", "settings.yml"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let refusal = |line: &str| {
        let ended = run_in(folder.path(), line.split(' '));
        assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""), "{line}: {ended:?}");
        assert!(!ended.messages.contains("syntax error"), "{line}: {ended:?}");
        ended.messages
    };
    for name in ["office.pcap", "trace.1", "capture", "./office.pcap", "o.pcapng.gz"] {
        let messages = refusal(name);
        assert!(
            messages.contains(&format!("{name} is a file: read it with `trafficmonitor replay {name}`")),
            "{messages}"
        );
        assert!(messages.contains(&format!("`trafficmonitor -r {name}`")), "{messages}");
    }
    let messages = refusal("--config.check missing.pcap tcp port 80");
    assert!(messages.contains("missing.pcap looks like a capture file (there is none of that name)"), "{messages}");
    assert!(messages.contains("`trafficmonitor replay missing.pcap`"), "{messages}");
    assert!(refusal("-i lo office.pcap trace.1").contains("`trafficmonitor replay office.pcap trace.1`"));
    assert!(refusal("settings.yml").contains("settings.yml is a configuration file: name it with -c settings.yml"));
    // A filter is a filter, whatever files there are.
    fs::write(folder.path().join("tcp"), "x").unwrap();
    assert_eq!(done(run_in(folder.path(), ["--config.check", "tcp"])), "configuration OK\n");
}

#[test]
fn help_of_interfaces_lists_the_options_that_choose_interfaces() {
    let help = done(run("interfaces --help"));
    for name in ["--iface", "--ExcludedInterfaces", "--config", "--config.check", "--help", "--version"] {
        assert!(help.contains(name), "{name}: {help}");
    }
    for name in ["--promHTTP", "--output", "--workers", "--ByteLimit", "--snaplen", "--log.level", "--anom"] {
        assert!(!help.contains(name), "{name}: {help}");
    }
}

#[test]
fn an_argument_of_any_bytes_is_no_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let check = |bytes| run_in(folder().path(), [OsStr::from_bytes(bytes), OsStr::new("--config.check")]);
    for bytes in [&b"-\xff"[..], b"--iface=a/\xff", b"-filter=\xc3\x28", b"-localIPs=\xff", b"-\xff=\xff"] {
        is_refused(&check(bytes), &[]);
    }
    // The kernel takes such names.
    done(check(b"--iface=eth0,\xff"));
}

// ---- Configuration -------------------------------------------------------------------------------------------------------

#[test]
fn unknown_key_is_reported_with_file_line_and_the_nearest_key() {
    let folder = folder();
    fs::write(folder.path().join("bad.yml"), "capture:\n  filter: tcp\n  snaplength: 96\n").unwrap();
    for line in ["-c bad.yml --config.check", "-config bad.yml config", "replay mix.pcap --config.file=bad.yml"] {
        let ended = run_in(folder.path(), line.split(' '));
        is_refused(&ended, &["bad.yml:3:3: unknown key snaplength; did you mean snap_length?"]);
    }
}

/// libpcap finds such a mistake after all settings are read.
#[test]
fn filter_that_does_not_compile_is_reported_with_its_place() {
    let folder = folder();
    fs::write(folder.path().join("bad.yml"), "capture:\n  filter: tcp prot 80\n").unwrap();
    const REPORT: &str = "filter `tcp prot 80` does not compile";
    for line in ["-c bad.yml --config.check", "-c bad.yml -iface lo", "replay mix.pcap -c bad.yml"] {
        is_refused(&run_in(folder.path(), line.split(' ')), &[&format!("bad.yml:2:11: {REPORT}")]);
    }
    let of_variable = program(["--config.check"]).env("TRAFFICMONITOR_FILTER", "tcp prot 80").output().unwrap();
    is_refused(&of_variable.into(), &[&format!("TRAFFICMONITOR_FILTER: {REPORT}")]);
    is_refused(&run("--config.check -filter=prot"), &["trafficmonitor: filter `prot` does not compile"]);
}

/// Each file holds one mistake; its first line has the message that follows the file's name.
#[test]
fn each_invalid_file_is_refused_with_a_correct_form() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/invalid");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "only {} files", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("an expected message");
        let ended = run_in(&folder, [OsStr::new("-c"), file.file_name().unwrap(), OsStr::new("--config.check")]);
        is_refused(&ended, &[]);
        let expected = format!("trafficmonitor: {}:{expected}", file.file_name().unwrap().to_str().unwrap());
        assert!(ended.messages.starts_with(&expected), "{expected}\n{}", ended.messages);
    }
}

/// The settings by their keys, as docs/configuration.md lists them.
fn documented_keys() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap();
    let first_cell = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    text.lines().filter_map(first_cell).filter(|key| key.contains('.') && !key.starts_with('-')).collect()
}

#[test]
fn each_setting_has_a_file_with_a_mistake_in_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/invalid");
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<String> = files.map(|file| fs::read_to_string(file).unwrap()).collect();
    let keys = documented_keys();
    assert!(keys.len() > 100, "{keys:?}");
    for key in keys {
        let (section, name) = key.split_once('.').unwrap();
        let is_there = |text: &String| {
            let lines = || text.lines().map(str::trim_start);
            lines().any(|line| line.starts_with(&format!("{section}:"))) && text.contains(&format!("{name}:"))
        };
        assert!(texts.iter().any(is_there), "{key}: no file below tests/command_line/invalid");
    }
}

#[test]
fn files_with_names_that_cannot_be_used_are_said_and_refuse_nothing() {
    let folder = folder();
    fs::write(folder.path().join("asn.mmdb"), "no database").unwrap();
    let arguments = ["--names.lease_files", "missing.leases", "--names.asn_file", "asn.mmdb", "--config.check"];
    let ended = run_in(folder.path(), arguments);
    let lines: Vec<&str> = ended.messages.lines().collect();
    for (line, file) in lines.iter().zip(["missing.leases: cannot be used for names: ", "asn.mmdb: cannot be used "]) {
        assert!(line.starts_with(file), "{line}");
        assert!(line.ends_with("; names are found without it until it can be used"), "{line}");
    }
    assert_eq!((lines.len(), ended.output.as_str()), (2, "configuration OK\n"));
}

#[test]
fn example_is_valid_and_shows_the_defaults() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/trafficmonitor.yml");
    let with = |last| run_in(folder().path(), ["-c", example.to_str().unwrap(), last]);
    assert_eq!(done(with("--config.check")), "configuration OK\n");
    assert_eq!(done(with("config")), done(run("config")));
}

#[test]
fn the_configuration_that_is_printed_gives_itself() {
    let folder = folder();
    let rules = "bandwidth: {networks: [{network: 10.0.0.0/8, limit: 5G, interval: 10m, rule: lab, total: true}]}\n\
                 alert: {exclusions: [{network: 192.0.2.0/24, port: 53, kind: host_scan}], max_alerts: 7}\n\
                 anomaly: {max_pairs: 7}\n\
                 policy: {rule: strangers, max_sources: 7}\n\
                 notify: {receivers: [\n\
                 {name: a, type: alertmanager, url_file: /a, timeout: 3, headers: {}, header_files: {X-A: /b}, ca_file: /c},\n\
                 {name: b, type: pagerduty, url: \"https://events.eu.pagerduty.com\", routing_key_env: KEY, kinds: [host_scan, anomaly], severity: critical},\n\
                 {name: c, type: opsgenie, url: \"https://api.eu.opsgenie.com/\", api_key_file: /d, networks: [10.0.0.0/8, \"fc00::/7\"]},\n\
                 {name: d, type: webhook, url_env: HOOK, timeout: 1m},\n\
                 {name: f, type: alertmanager, url: \"http://[::1]:9093/alerts\"},\n\
                 {name: e, type: slack, url_file: /e, channel: \"#net\", emoji: \":x:\", icon: \"https://x/y.png\"}]}\n";
    fs::write(folder.path().join("rules.yml"), rules).unwrap();
    let options = "-c rules.yml -iface eth0,eth1 -filter tcp -promisc -s 65536 -w 50ms --buffer-size 64MiB --memory.limit 64GiB --capture.workers 2 -localIPs 192.0.2.1 \
                   -localNetworks 192.0.2.0/24,2001:db8::/32 --flow-key pair --max-flows 7 --max-series 5 --max-hosts 6 \
                   --max-host-series 4 --idle-timeout 1h --metrics.seed=false --metrics.flow_packets --metrics.created \
                   -promHTTP localhost:9 -promHTTP [::1]:10 -promRefresh 0.5 --log.level debug --log.format json \
                   -ExcludedInterfaces lo -r - -TrafficInterval 61 -ByteLimit 5G -NoDestinations -ChartMinBytes 1M \
                   -ContactedIPsAnalyze=false -NumberContactedIPs 7 -AnalyzePorts=false -NumContactedPorts 8 -PortInterval 9 \
                   --bandwidth.direction both --scan.rule contacts --detect.top_sources 5 --alert.pending 5s --alert.hold 2m \
                   --scan.timeout 2s --scan.use_timeout 11s --scan.used_bytes 7 --scan.echo_requests 4 --scan.echo_window 5s \
                   --scan.touching_datagrams 0 --scan.memory 2h --scan.question_timeout 9s --scan.link_answers 0 --scan.routers 10.0.0.1 \
                   --scan.group_factor 0 --scan.touched_factor 3 --scan.any_port_factor 5 --scan.site_factor 6 \
                   --scan.everywhere_factor 17 --scan.answered_factor 2 --scan.answered_everywhere_factor 8 --scan.port_share 5 \
                   --alert.severity host_scan=critical,port_scan=info,group_scan=critical,bandwidth=critical,anomaly=warning,policy=info \
                   --policy.permitted 192.0.2.0/24,2001:db8::/32 --policy.denied 192.0.2.7 --policy.limit_packets 1 --policy.interval 30 \
                   --policy.events_burst 9 --policy.events_per_second 2 \
                   --xdp.mode native --tc.hook clsact --xdp.ring-size 1MiB --xdp.map-memory 32MiB --force \
                   --explain -anom_methods ks,cdf -anom_active_size 2 -anom_n_seasons 3 -anom_gv_cap 25 -anom_lower_bound 1 \
                   -anom_upper_bound 1000 -anom_sensitivity 0.8 --anom.threshold 0.7 --anom.min_bytes 2K \
                   -slack_url_file /f -slack_channel #x -slack_emoji nil -slack_icon nil \
                   --notify.external_url https://monitor.example.net --web.prometheus-url http://localhost:9090 --web.config.file web.yml --web.enable-lifecycle --notify.runbook_url https://wiki.example.net/#{kind} --notify.restart_grace 1m --state.dir /var/lib/x \
                   -archive_dir /var/lib/y --evidence.ring 8MiB --evidence.packet_bytes 128 --evidence.max_bytes 2MiB \
                   --evidence.longest 1m --evidence.quota 3MiB -log_packets -l /var/lib/z -max_pcap_log_size 2 \
                   -max_pcap_rotations 3 -transfer_interval 10s -filter_ip_CIDR 10.0.0.0/8 -filter_bool=false -filter_src -filter_dst \
                   --log-format csv --log-file /var/log/x.csv --log-buffer-size 7 --log-max-size 5MiB --log-max-age 1d --log-rotations 2 \
                   --summary-interval 5s --names.reverse_dns --names.resolver 192.0.2.53 --names.lease_files /a,/b \
                   --names.hosts_file /etc/hosts --names.neighbours=false --names.oui_file /c --names.country_file /d \
                   --names.asn_file /e --names.processes --names.max_hosts 9 --sandbox off --verbose config";
    let printed = done(run_in(folder.path(), options.split_whitespace()));
    for default in done(run("config")).lines().filter(|line| !line.ends_with(':')) {
        // Without detection what is looked for is not printed: below.
        // The URL in the file is printed; a URL that is given as text cannot be. The kernel path has no filter: below.
        let is_not_printed =
            ["enabled: true", "slack_url: nil", "daq: libpcap", "drop_packets: false"].contains(&default.trim());
        let is_changed = is_not_printed || printed.lines().all(|line| line != default);
        assert!(is_changed, "an option that changes nothing: {default}");
    }
    fs::write(folder.path().join("printed.yml"), &printed).unwrap();
    assert_eq!(done(run_in(folder.path(), ["-c", "printed.yml", "config"])), printed);
    let dropping = done(run("--drop-packets --policy.permitted 10.0.0.0/8 config"));
    for expected in ["daq: xdp", "drop_packets: true"] {
        assert!(dropping.lines().any(|line| line.trim() == expected), "{dropping}");
    }
    fs::write(folder.path().join("dropping.yml"), &dropping).unwrap();
    assert_eq!(done(run_in(folder.path(), ["-c", "dropping.yml", "config"])), dropping);
    let counting = done(run("--detect.enabled=false config"));
    assert!(counting.lines().any(|line| line.trim() == "enabled: false"), "{counting}");
    fs::write(folder.path().join("counting.yml"), &counting).unwrap();
    assert_eq!(done(run_in(folder.path(), ["-c", "counting.yml", "config"])), counting);
}

#[test]
fn printed_configuration_with_a_secret_of_the_environment_is_read_again_in_that_environment() {
    let folder = folder();
    let config = |arguments: &[&str], variable: Option<&str>| -> Ended {
        let mut command = program(arguments);
        command.envs(variable.map(|secret| ("TRAFFICMONITOR_SLACK_URL", secret)));
        command.current_dir(folder.path()).output().unwrap().into()
    };
    let secret = Some("https://hooks.slack.com/services/canary7f3a");
    let printed = done(config(&["config"], secret));
    assert!(!printed.contains("canary7f3a") && !printed.contains("hooks.slack.com"), "{printed}");
    fs::write(folder.path().join("printed.yml"), &printed).unwrap();
    assert_eq!(done(config(&["-c", "printed.yml", "config"], secret)), printed);
    let check = |variable| done(config(&["-c", "printed.yml", "--config.check"], variable));
    assert_eq!([check(secret), check(None)], ["configuration OK\n"; 2]);
    let as_option = done(run("-slack_url https://hooks.slack.com/services/canary7f3a config"));
    assert!(as_option.contains("slack_url: <secret>"), "{as_option}");
}

#[test]
fn no_part_of_a_secret_url_is_in_a_message() {
    let folder = folder();
    for url in
        ["canary7f3a://host/", "canary7f3a", "http://canary7f3a@host/", "http://ho st/canary7f3a", "canary7f3a:9"]
    {
        let receiver = format!("notify: {{receivers: [{{name: a, type: webhook, url: \"{url}\"}}]}}\n");
        fs::write(folder.path().join("t.yml"), receiver).unwrap();
        let of_file = run_in(folder.path(), ["-c", "t.yml", "--config.check"]);
        let of_option = run_in(folder.path(), ["-slack_url", url, "--config.check"]);
        let mut command = program(["--config.check"]);
        let of_variable: Ended = command.env("TRAFFICMONITOR_SLACK_URL", url).output().unwrap().into();
        for ended in [of_file, of_option, of_variable] {
            is_refused(&ended, &["URL"]);
            assert!(!format!("{}{}", ended.messages, ended.output).contains("canary7f3a"), "{}", ended.messages);
        }
    }
}

#[test]
fn a_snap_length_of_65536_is_65535() {
    for line in ["-s 65536 config", "-snaplen=0 config", "config --snaplen 65535"] {
        assert!(done(run(line)).contains("\n  snap_length: 65535\n"), "{line}");
    }
}

#[test]
fn a_long_read_timeout_is_taken_as_500_ms_and_said_once() {
    let notice = "-w: a read timeout of 3s is capped at 500ms";
    let ended = run("-w 3s --config.check");
    assert_eq!((ended.status, ended.messages), (Some(0), format!("{notice}\n")));
    let ended = run("replay mix.pcap -w 3s --output none");
    assert_eq!((ended.status, ended.messages.matches(notice).count()), (Some(0), 1), "{}", ended.messages);
    assert!(run("-w 3s config").output.contains("\n  read_timeout: 500ms\n"));
}

#[test]
fn options_override_the_environment_and_that_the_file() {
    let folder = folder();
    fs::write(folder.path().join("t.yml"), "capture: {snap_length: 101, filter: ip, interfaces: [eth0]}\n").unwrap();
    let mut command = program(["-s", "103", "config"]);
    command
        .env("TRAFFICMONITOR_CONFIG", "t.yml")
        .env("TRAFFICMONITOR_FILTER", "tcp")
        .env("TRAFFICMONITOR_SNAPLEN", "102");
    let printed = done(command.current_dir(folder.path()).output().unwrap().into());
    for line in ["  snap_length: 103", "  filter: tcp", "  - eth0"] {
        assert!(printed.lines().any(|given| given == line), "{line} is not in {printed}");
    }
    let mut command = program(["config"]);
    is_refused(
        &command.env("TRAFFICMONITOR_PROMISC", "perhaps").output().unwrap().into(),
        &["TRAFFICMONITOR_PROMISC=perhaps"],
    );
}

// ---- Subcommands ---------------------------------------------------------------------------------------------------------

#[test]
fn options_may_stand_before_a_subcommand() {
    let folder = folder();
    let replay = |line: &str| done(run_in(folder.path(), line.split(' ')));
    let behind = replay("replay mix.pcap -flow-key pair -output jsonl -f tcp");
    assert_eq!(behind.lines().count(), 5, "{behind}");
    assert_eq!(replay("-flow-key pair -output jsonl -f tcp replay mix.pcap"), behind);
    assert_eq!(replay("-flow-key=pair replay --output=jsonl mix.pcap --filter tcp"), behind);
}

#[test]
fn help_and_version_are_printed() {
    for line in ["-h", "--help", "help", "replay -help", "interfaces --help"] {
        assert!(done(run(line)).contains("Usage: trafficmonitor"), "{line}");
    }
    let version = done(run("--version"));
    for words in [concat!("trafficmonitor ", env!("CARGO_PKG_VERSION"), "\n"), "\ncommit ", "\nlibpcap version "] {
        assert!(version.contains(words), "{version}");
    }
}

#[test]
fn completions_and_the_man_page_are_printed() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(done(run(&format!("completions {shell}"))).contains("promHTTP"), "{shell}");
    }
    assert!(done(run("man")).contains(".TH trafficmonitor 8 "));
}

/// Read by the programs that show it.
#[test]
fn the_man_page_is_right_for_groff_and_mandoc() {
    let folder = folder();
    fs::write(folder.path().join("trafficmonitor.8"), done(run("man"))).unwrap();
    for line in ["groff -man -ww -Tutf8 -z trafficmonitor.8", "mandoc -T lint -W warning trafficmonitor.8"] {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let output =
            command.args(words).current_dir(folder.path()).output().expect("scripts/install.sh test installs it");
        let ended: Ended = output.into();
        assert_eq!((ended.status, ended.output.as_str(), ended.messages.as_str()), (Some(0), "", ""), "{line}");
    }
    let shown = Command::new("mandoc").arg("trafficmonitor.8").current_dir(folder.path()).output().unwrap();
    // Bold is a letter, a backspace and the letter again.
    let mut shown = String::from_utf8(shown.stdout).unwrap();
    while let Some(at) = shown.find('\u{8}') {
        shown.replace_range(at..at + 2, "");
    }
    for variable in ["TRAFFICMONITOR_IFACE", "TRAFFICMONITOR_PROM_HTTP", "TRAFFICMONITOR_CONFIG"] {
        assert!(shown.contains(variable), "{variable}");
    }
}

#[test]
fn interfaces_are_listed_with_their_decisions() {
    let line_of = |line: &str| {
        let table = done(run(line));
        assert!(table.starts_with("NAME"), "{table}");
        table.lines().find(|line| line.starts_with("lo ")).expect("there is a loopback").to_owned()
    };
    assert!(line_of("interfaces").ends_with("no: loopback"), "{}", line_of("interfaces"));
    assert!(!line_of("interfaces -i lo").contains("loopback"), "{}", line_of("interfaces -i lo"));
}

#[test]
fn check_says_what_will_not_work_in_lines_and_in_json() {
    let ended = run("check -i nosuch0 -promHTTP 127.0.0.1:0");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.output.contains("failure  interfaces: nosuch0: no such interface (have: "), "{ended:?}");
    assert!(ended.output.contains("ok       listen: 127.0.0.1:0 can be listened on\n"), "{ended:?}");
    assert!(ended.output.contains("\nthe run will not work: "), "{ended:?}");
    let ended = run("check -i nosuch0 -promHTTP 127.0.0.1:0 --output jsonl");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let objects: Vec<serde_json::Value> =
        ended.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |check: &str| objects.iter().find(|object| object["check"] == check).unwrap();
    assert_eq!((&of("interfaces")["outcome"], &of("listen")["outcome"]), (&"failure".into(), &"ok".into()));
}

#[test]
fn check_takes_the_options_and_words_of_a_run() {
    let ended = run("check -r mix.pcap -promHTTP 127.0.0.1:0 udp port 53");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.output.ends_with(" warnings\n") || ended.output.ends_with(" warning\n"), "{ended:?}");
    let ended = run("check -promHTTP 127.0.0.1:0 udp prot 53");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.output.contains("failure  filter: filter `udp prot 53` does not compile: "), "{ended:?}");
    let ended = run("check --output csv");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.messages.contains("--output csv: check writes table or jsonl"), "{ended:?}");
    let ended = run("check -archive_dir /nowhere --state.dir /nowhere/too -promHTTP 127.0.0.1:0 -r mix.pcap");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    for folder in ["/nowhere", "/nowhere/too"] {
        assert!(ended.output.contains(&format!("failure  files: {folder}: no such directory; create it")), "{ended:?}");
    }
}

#[test]
fn budgets_that_cannot_fit_are_refused_with_the_sum_by_part() {
    let ended = run("--memory.limit 200MiB --max-flows 2000000 --config.check");
    assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""), "{ended:?}");
    let expected = "trafficmonitor: --memory.limit: too little memory: with the smallest budgets that are possible the parts need ";
    assert!(ended.messages.starts_with(expected), "{ended:?}");
    assert!(ended.messages.contains("(conversations 656.0 MiB by --max-flows 2000000, "), "{ended:?}");
}

// ---- Ends ----------------------------------------------------------------------------------------------------------------

#[test]
fn failure_while_running_ends_with_1() {
    for line in
        ["replay missing.pcap", "-r missing.pcap -promHTTP 127.0.0.1:0", "replay mix.pcap missing.pcap --output none"]
    {
        let ended = run(line);
        assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""), "{line}: {ended:?}");
        assert!(ended.messages.contains("trafficmonitor: cannot open missing.pcap: No such file"), "{line}: {ended:?}");
    }
}

#[test]
fn a_full_disk_is_reported() {
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for line in [
        "replay mix.pcap",
        "replay mix.pcap --output jsonl",
        "replay mix.pcap --output prometheus",
        "config",
        "--config.check",
        "interfaces",
        "completions bash",
        "--version",
        "man",
    ] {
        let mut command = program(line.split(' '));
        let ended: Ended =
            command.current_dir(folder().path()).stdout(full()).stderr(Stdio::piped()).output().unwrap().into();
        assert_eq!(ended.status, Some(1), "{line}: {ended:?}");
        let message = "trafficmonitor: cannot write to standard output: No space left on device";
        assert!(ended.messages.starts_with(message), "{line}: {ended:?}");
        assert_eq!(ended.messages.lines().count(), 1, "{line}: {ended:?}");
    }
}

/// As when `head` has ended before the program begins to write.
#[test]
fn a_reader_that_is_away_already_is_no_fault() {
    let folder = folder();
    for line in ["config", "man", "interfaces", "--help", "completions zsh", "replay mix.pcap", "--config.check"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program(line.split(' '));
        command.current_dir(folder.path()).stdout(Stdio::from(writer)).stderr(Stdio::piped());
        let ended: Ended = command.output().unwrap().into();
        assert_eq!((ended.status, ended.messages.as_str()), (Some(0), ""), "{line}");
    }
}

/// As `replay … | head -1` does. There is more than a pipe holds.
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let query = |port| Link::ethernet().carrying(&Ipv4::carrying(udp(50_000, port, b"?")).build());
    let frames: Vec<Sample> = (1..5_000).map(query).collect();
    Savefile::new(1).frames(&frames).write(folder.path(), "many.pcap");
    for output in ["table", "jsonl", "prometheus"] {
        let mut command = program(["replay", "many.pcap", "--flow-key", "dst-port", "--output", output]);
        let mut child =
            command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = child.stdout.take().unwrap();
        reader.read_exact(&mut [0; 10]).unwrap();
        drop(reader);
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!((ended.status, ended.messages.as_str()), (Some(0), ""), "{output}");
    }
}
