use super::*;

#[test]
fn empty_values_mean_unset_also_for_reserved_options() {
    let blank = "-filter= -ByteLimit= -TrafficInterval= -anom_gv_cap= -filter_ip_CIDR= -snaplen= -w= -promisc= -promHTTP= -c= -l= -slack_url= -slack_channel= -archive_dir= -anom_methods= -log_packets= -daq=";
    assert_eq!(run(blank), Config::default());
    assert_eq!(run("-slack_url=nil"), Config::default());
    let quoted = parse_all(&["-l", "", "-slack_url", "nil", "-filter", "", "--web.config.file", ""], &[]);
    assert_eq!(quoted, Ok(Invocation::Run(Config::default())));
}

#[test]
fn reserved_options_that_change_nothing_are_accepted() {
    let line = "-daq=libpcap --capture.workers 1 --drop-packets=f -verbose=false";
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
        ("-web.config.file x", "-web.config.file is"),
        ("--web.config.file=x", "--web.config.file is"),
        ("-web.config.file= -web.config.file x", "-web.config.file is"),
    ];
    for (line, expected) in table {
        assert_eq!(unavailable(line), expected, "{line}");
    }
    run("-web.config.file x -web.config.file=");
}

#[test]
fn all_unavailable_options_are_named_in_one_message_with_advice() {
    assert_eq!(
        refusal("--web.config.file /x -i eth0"),
        "--web.config.file is not available yet; leave it out, and meanwhile serve one address (--web.listen-address \
         127.0.0.1:8888), behind a proxy that authenticates if others scrape it"
    );
    let usage = parse_all(&[], &[("TRAFFICMONITOR_WEB_CONFIG_FILE", "x")]).unwrap_err();
    assert!(usage.message.starts_with("TRAFFICMONITOR_WEB_CONFIG_FILE is not available yet"), "{usage}");
    // Other mistakes wait.
    assert_eq!(unavailable("-web.config.file /x -s many"), "-web.config.file is");
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
        "-i eth0 -l=/var/log/wherefore -archive_dir=/var/log/wherefore/packets/ -loglevel=info -anom_methods=fence -anom_upper_bound=1000",
        "-i eth0 -l=/tmp -archive_dir=/tmp -slack_channel=#wherefore -anom_gv_cap=30 -anom_sensitivity=0.8",
    ] {
        run(line);
    }
    for line in [
        "-i eth0 --verbose",
        "-i eth0 --log-format json --log-file traffic.json",
        "--interface eth0 --drop-packets --policy.permitted 10.0.0.0/8",
    ] {
        run(line);
    }
}
