use super::*;

#[test]
fn empty_list_of_sources_is_noted() {
    let config = run("--policy.permitted=");
    assert_eq!(config.notices, ["--policy.permitted: the value is empty, so it gives no list"]);
    assert!(config.policy.permitted.is_none());
}

#[test]
fn empty_values_mean_unset() {
    let blank = "-filter= -ByteLimit= -TrafficInterval= -anom_gv_cap= -filter_ip_CIDR= -snaplen= -w= -promisc= -promHTTP= -c= -l= -slack_url= -slack_channel= -archive_dir= -anom_methods= -log_packets= -daq=";
    assert_eq!(run(blank), Config::default());
    assert_eq!(run("-slack_url=nil"), Config::default());
    let quoted = parse_all(&["-l", "", "-slack_url", "nil", "-filter", "", "--web.config.file", ""], &[]);
    assert_eq!(quoted, Ok(Invocation::Run(Config::default())));
}

#[test]
fn options_with_values_that_change_nothing_are_accepted() {
    let line = "-daq=libpcap --capture.workers 1 --drop-packets=f -verbose=false";
    assert_eq!(run(line), Config::default());
}

#[test]
fn web_configuration_file_is_named_by_option_or_variable() {
    let given = Some(std::path::PathBuf::from("/x"));
    assert_eq!(run("-web.config.file /x").http.web_config_file, given);
    assert_eq!(run("--web.config.file=/x").http.web_config_file, given);
    assert_eq!(run("-web.config.file x -web.config.file=").http.web_config_file, None);
    let Ok(Invocation::Run(config)) = parse_all(&[], &[("TRAFFICMONITOR_WEB_CONFIG_FILE", "/x")]) else { panic!() };
    assert_eq!(config.http.web_config_file, given);
}

#[test]
fn command_lines_of_the_older_programs_are_read() {
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
