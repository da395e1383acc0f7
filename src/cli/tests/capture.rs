use super::*;

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
fn snap_length_of_tcpdump_is_taken_as_65535_with_one_notice() {
    let config = run("-snaplen 262144");
    assert_eq!(config.capture.snap_length, 65_535);
    assert_eq!(config.notices, ["-snaplen: a snap length of 262144 is taken as 65535"]);
    assert_eq!(run("-snaplen 65536").notices, [""; 0]);
}

#[test]
fn long_read_timeout_is_shortened_with_one_notice() {
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
fn settings_of_the_other_rooms_are_taken_over() {
    let config =
        run("-promHTTP localhost:9 -web.listen-address [::1]:9 -promRefresh 0.5 -flow-key pair --max-flows 7 \
         --metrics.seed=false --log.format json -loglevel panic");
    let listen: Vec<_> = config.http.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["localhost:9", "[::1]:9"]);
    assert_eq!(config.pipeline.refresh, Duration::from_millis(500));
    assert_eq!(config.account.flow_keying, FlowKeying::Pair);
    assert_eq!(config.account.max_flows, 7);
    assert!(!config.export.seed_families);
    assert_eq!(config.log, Log { level: Level::ERROR, format: LineForm::Json });
    assert_eq!(run("-promHTTP :9 -web.listen-address :9").http.listen.len(), 1);
    for line in ["-promRefresh 5", "-promRefresh 5s", "-promRefresh 5000ms"] {
        assert_eq!(run(line).pipeline.refresh, Duration::from_secs(5), "{line}");
    }
}

#[test]
fn last_one_of_repeated_values_counts() {
    assert_eq!(run("-snaplen 105 -s 106 --snaplen=107").capture.snap_length, 107);
    assert!(!run("-promisc -promisc=false").capture.promiscuous);
    assert_eq!(run("-filter tcp -filter=").capture.filter, None);
    assert_eq!(run("-localNetworks 10.0.0.0/8 -localNetworks 192.0.2.0/24").locality.networks.len(), 1);
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
