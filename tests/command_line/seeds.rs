//! The command lines that the four programs before this one print in their descriptions, with the program's name put in.
//! A shell reads them, so quotes and line ends are as they stand there. Files they name lie in the folder of the test.

/// What becomes of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is right.
    Right,
    /// It is right, and this is said to it.
    Noticed(&'static str),
    /// Its room is not built yet; what is named is said not to be available.
    NotYet(&'static str),
    /// The description itself says that it is not allowed; the message holds these words.
    Refused(&'static str),
}

use Outcome::{NotYet, Noticed, Refused, Right};

/// The Go exporter: each option of its usage, one dash or two, a space or `=`.
pub const TRAFFICMONITOR: &[(&str, Outcome)] = &[
    ("trafficmonitor", Right),
    ("trafficmonitor -filter 'tcp port 443'", Right),
    ("trafficmonitor -iface eth0", Right),
    ("trafficmonitor --iface=eth0", Right),
    ("trafficmonitor -iface=\"any\"", Right),
    ("trafficmonitor -localIPs 10.0.0.124,192.168.0.10", Right),
    ("trafficmonitor -localNetworks \"10.0.0.0/8\",\"172.16.0.0/12\",\"192.168.0.0/16\"", Right),
    ("trafficmonitor -localNetworks='\"10.0.0.0/8\",\"172.16.0.0/12\",\"192.168.0.0/16\"'", Right),
    ("trafficmonitor -promHTTP localhost:8888", Right),
    ("trafficmonitor -promHTTP=\":8888\"", Right),
    ("trafficmonitor -promRefresh 5", Right),
    ("trafficmonitor -promisc", Right),
    ("trafficmonitor -promisc=true -iface=eth0", Right),
    ("trafficmonitor -snaplen 1500", Right),
    ("trafficmonitor -snaplen=0", Right),
    ("trafficmonitor -snaplen=65535", Right),
    (
        "trafficmonitor -filter=tcp -iface=eth0 -localIPs=10.0.0.124 -localNetworks=10.0.0.0/8 -promHTTP=:8888 \\
            -promRefresh=5 -promisc=true -snaplen=1500",
        Right,
    ),
    ("trafficmonitor -promisc=true -iface=\"any\"", Refused("has no promiscuous mode")),
];

/// The older TrafficAlerted: `TrafficInterval ByteLimit NoDestinations NumberContactedIPs AnalyzePorts NumContactedPorts
/// PortInterval`.
pub const TRAFFICALERTED_OLDER: &[(&str, Outcome)] = &[(
    "trafficmonitor 170 1000000000 false 15 true 100 600",
    NotYet("the form of the older TrafficAlerted (seven words)"),
)];

/// TrafficAlerted, whose unit names its configuration file, and the keys of that file as options.
pub const TRAFFICALERTED: &[(&str, Outcome)] = &[
    ("trafficmonitor TrafficAlerted.conf", NotYet("TrafficAlerted.conf: TrafficAlerted's configuration file")),
    ("trafficmonitor -c TrafficAlerted.conf", NotYet("TrafficAlerted.conf: TrafficAlerted's configuration file")),
    ("trafficmonitor -TrafficInterval 170", NotYet("-TrafficInterval")),
    ("trafficmonitor -ByteLimit 1G", NotYet("-ByteLimit")),
    ("trafficmonitor -NoDestinations=false", Right),
    ("trafficmonitor -ChartMinBytes 5M", NotYet("-ChartMinBytes")),
    ("trafficmonitor -ExcludedInterfaces \"lo\",\"dummy0\"", Right),
    ("trafficmonitor -ContactedIPsAnalyze=true", NotYet("-ContactedIPsAnalyze")),
    ("trafficmonitor -NumberContactedIPs 15", NotYet("-NumberContactedIPs")),
    ("trafficmonitor -AnalyzePorts=false", NotYet("-AnalyzePorts")),
    ("trafficmonitor -NumContactedPorts 100", NotYet("-NumContactedPorts")),
    ("trafficmonitor -PortInterval 600", NotYet("-PortInterval")),
];

/// Wherefore: each option of its usage as it is printed there, then its two examples.
pub const WHEREFORE: &[(&str, Outcome)] = &[
    ("trafficmonitor -anom_active_size=1", NotYet("-anom_active_size")),
    ("trafficmonitor -anom_gv_cap=10", NotYet("-anom_gv_cap")),
    ("trafficmonitor -anom_lower_bound=5e-324", NotYet("-anom_lower_bound")),
    ("trafficmonitor -anom_methods=\"diff,fence,highrank,lowrank,magnitude\"", NotYet("-anom_methods")),
    ("trafficmonitor -anom_n_seasons=4", NotYet("-anom_n_seasons")),
    ("trafficmonitor -anom_sensitivity=2", NotYet("-anom_sensitivity")),
    ("trafficmonitor -anom_upper_bound=5", NotYet("-anom_upper_bound")),
    ("trafficmonitor -archive_dir=\"\"", Right),
    ("trafficmonitor -daq=\"libpcap\"", Right),
    ("trafficmonitor -f=\"tcp\"", Right),
    ("trafficmonitor -filter_bool=true", NotYet("-filter_bool")),
    ("trafficmonitor -filter_dst=false", Right),
    ("trafficmonitor -filter_ip_CIDR=\"0.0.0.0/0\"", NotYet("-filter_ip_CIDR")),
    ("trafficmonitor -filter_src=false", Right),
    ("trafficmonitor -i=\"eth0\"", Right),
    ("trafficmonitor -l=\"\"", Right),
    ("trafficmonitor -log_packets=false", Right),
    ("trafficmonitor -loglevel=\"info\"", Right),
    ("trafficmonitor -loglevel=debug", Right),
    ("trafficmonitor -loglevel=warn", Right),
    ("trafficmonitor -loglevel=error", Right),
    ("trafficmonitor -loglevel=fatal", Right),
    ("trafficmonitor -loglevel=panic", Right),
    ("trafficmonitor -max_pcap_log_size=1", NotYet("-max_pcap_log_size")),
    ("trafficmonitor -max_pcap_rotations=10", NotYet("-max_pcap_rotations")),
    ("trafficmonitor -pcapfile=\"\"", Right),
    ("trafficmonitor -s=65536", Right),
    ("trafficmonitor -slack_channel=\"#wherefore\"", NotYet("-slack_channel")),
    ("trafficmonitor -slack_emoji=\":warning:\"", NotYet("-slack_emoji")),
    (
        "trafficmonitor -slack_icon=\"https://cdn4.iconfinder.com/data/icons/proglyphs-free/512/Invader_1-128.png\"",
        NotYet("-slack_icon"),
    ),
    ("trafficmonitor -slack_url=\"nil\"", Right),
    ("trafficmonitor -transfer_interval=\"5s\"", NotYet("-transfer_interval")),
    ("trafficmonitor -w=\"3s\"", Noticed("-w: a read timeout of 3s is taken as 500ms")),
    (
        "trafficmonitor -i eth0 -l=/var/log/wherefore -archive_dir=/var/log/wherefore/packets/ \\
            -loglevel=info \\
            -slack_url=\"https://hooks.slack.com/services/your/integration/keys/here\" -slack_channel=\"#wherefore\" -slack_emoji=\":warning:\" \\
            -anom_methods=fence -anom_upper_bound=1000 -anom_gv_cap=25 -anom_sensitivity=0.8",
        NotYet("-l"),
    ),
    (
        "trafficmonitor -i eth0 -l=/tmp -archive_dir=/tmp  -loglevel=info -anom_methods=diff,fence -anom_upper_bound=200 -slack_url=\"https://hooks.slack.com/services/hook/url/goes/here\" -slack_channel=\"#wherefore\" -slack_emoji=\":warning:\" -anom_gv_cap=30 -anom_sensitivity=0.8 ",
        NotYet("-l"),
    ),
];

const PERMITTED: Outcome = NotYet("configs/default.json: the list of permitted networks (permitted_cidrs)");
const STRICT: Outcome = NotYet("configs/strict.json: the list of permitted networks (permitted_cidrs)");

/// The XDP monitor: its usage, its examples and its analysis script, which is the subcommand `analyze` here.
pub const XDP_TRAFFIC_MONITOR: &[(&str, Outcome)] = &[
    ("trafficmonitor --interface eth0 --config configs/default.json", PERMITTED),
    ("trafficmonitor --interface eth0 --config configs/default.json --drop-packets", NotYet("--drop-packets")),
    ("trafficmonitor --interface eth0 --config configs/default.json --verbose", NotYet("--verbose")),
    ("trafficmonitor -i eth0 -c configs/default.json", PERMITTED),
    ("trafficmonitor -i eth0 -c configs/strict.json", STRICT),
    ("trafficmonitor -i eth0 -c configs/strict.json --drop-packets", NotYet("--drop-packets")),
    (
        "trafficmonitor -i eth0 -c configs/default.json \\
            --log-format json --log-file traffic.json",
        NotYet("--log-format"),
    ),
    (
        "trafficmonitor -i eth0 -c configs/default.json \\
            --log-format csv --log-file traffic.csv",
        NotYet("--log-format"),
    ),
    (
        "trafficmonitor -i eth0 -c configs/default.json \\
            --log-format jsonl --log-file traffic.jsonl",
        NotYet("--log-format"),
    ),
    ("trafficmonitor --log-format console", NotYet("--log-format")),
    ("trafficmonitor --log-buffer-size 8192", NotYet("--log-buffer-size")),
    ("trafficmonitor -v", NotYet("-v")),
    ("trafficmonitor analyze traffic.jsonl", NotYet("analyze")),
    ("trafficmonitor analyze traffic.csv --format csv", NotYet("analyze")),
    ("trafficmonitor analyze traffic.jsonl --export-report analysis.json", NotYet("analyze")),
];

/// TrafficAlerted's example of a configuration file.
pub const TRAFFICALERTED_CONF: &str = r#"  # Configuration file for TrafficAlerted
  # The amount of time in seconds for which "ByteLimit" applies
  TrafficInterval: 170
  ByteLimit: 1G
  NoDestinations: false
  ChartMinBytes: 5M
  ExcludedInterfaces: "lo","dummy0"
  ContactedIPsAnalyze: true
  NumberContactedIPs: 15
  AnalyzePorts: false
  NumContactedPorts: 100
  PortInterval: 600
"#;

/// The XDP monitor's.
pub const PERMITTED_CIDRS: &str = r#"{
  "permitted_cidrs": [
    "127.0.0.0/8",
    "10.0.0.0/8", 
    "172.16.0.0/12",
    "192.168.0.0/16"
  ]
}
"#;
