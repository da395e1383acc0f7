use super::*;

#[test]
fn empty_values_mean_unset_also_for_reserved_options() {
    let blank = "-filter= -ByteLimit= -TrafficInterval= -anom_gv_cap= -filter_ip_CIDR= -snaplen= -w= -promisc= -promHTTP= -c= -l= -slack_url=nil -archive_dir= -anom_methods= -log_packets=";
    assert_eq!(run(blank), Config::default());
    let quoted = parse_all(&["-l", "", "-slack_url", "nil", "-filter", ""], &[]);
    assert_eq!(quoted, Ok(Invocation::Run(Config::default())));
}

#[test]
fn reserved_options_that_change_nothing_are_accepted() {
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
fn all_unavailable_options_are_named_in_one_message_with_advice() {
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
fn command_lines_of_the_older_programs_are_read_or_reported_as_not_available_yet() {
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
