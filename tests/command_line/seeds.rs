//! The command lines that the four programs before this one print in their descriptions, with the program's name put in.
//! A shell reads them, so quotes and line ends are as they stand there. Files they name lie in the folder of the test.

/// The outcome of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is right.
    Right,
    /// It is right, and this is said to it.
    Noticed(&'static str),
    /// The description itself says that it is not allowed; the message holds these words.
    Refused(&'static str),
}

use Outcome::{Noticed, Refused, Right};

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
pub const TRAFFICALERTED_OLDER: &[(&str, Outcome)] = &[
    ("trafficmonitor 170 1000000000 false 15 true 100 600", Right),
    ("trafficmonitor 170 1X false 15 true 100 600", Refused("1X (ByteLimit)")),
];

/// TrafficAlerted, whose unit names its configuration file, and the keys of that file as options.
pub const TRAFFICALERTED: &[(&str, Outcome)] = &[
    ("trafficmonitor TrafficAlerted.conf", Right),
    ("trafficmonitor -c TrafficAlerted.conf", Right),
    ("trafficmonitor --config.file=TrafficAlerted.conf", Right),
    ("trafficmonitor -TrafficInterval 170 -ByteLimit 1G", Right),
    ("trafficmonitor -TrafficInterval 170", Right),
    ("trafficmonitor -ByteLimit 1G", Right),
    ("trafficmonitor -NoDestinations=false", Right),
    ("trafficmonitor -ChartMinBytes 5M", Right),
    ("trafficmonitor -ExcludedInterfaces \"lo\",\"dummy0\"", Right),
    ("trafficmonitor -ContactedIPsAnalyze=true", Right),
    ("trafficmonitor -NumberContactedIPs 15", Right),
    ("trafficmonitor -AnalyzePorts=false", Right),
    ("trafficmonitor -NumContactedPorts 100", Right),
    ("trafficmonitor -PortInterval 600", Right),
];

/// An option of the anomaly tests lets them alert; wherefore's default for the sensitivity then silences nothing.
const NO_VETO: Outcome = Noticed(
    "-anom_sensitivity 2 (the default) is above any possible magnitude; the magnitude test will not suppress the others",
);

/// Wherefore: each option of its usage as it is printed there, then its two examples.
pub const WHEREFORE: &[(&str, Outcome)] = &[
    ("trafficmonitor -anom_active_size=1", NO_VETO),
    ("trafficmonitor -anom_gv_cap=10", NO_VETO),
    ("trafficmonitor -anom_lower_bound=5e-324", NO_VETO),
    (
        "trafficmonitor -anom_methods=\"diff,fence,highrank,lowrank,magnitude\"",
        Noticed(
            "-anom_sensitivity 2 (the default) is above any possible magnitude; the magnitude test will not suppress the others\n\
             -anom_methods: the fence test has no bound and is skipped; give an upper bound",
        ),
    ),
    ("trafficmonitor -anom_n_seasons=4", NO_VETO),
    (
        "trafficmonitor -anom_sensitivity=2",
        Noticed(
            "-anom_sensitivity: a sensitivity of 2 is above any possible magnitude; the magnitude test will not suppress the others",
        ),
    ),
    ("trafficmonitor -anom_upper_bound=5", NO_VETO),
    ("trafficmonitor -archive_dir=\"\"", Right),
    ("trafficmonitor -daq=\"libpcap\"", Right),
    ("trafficmonitor -f=\"tcp\"", Right),
    ("trafficmonitor -filter_bool=true", Right),
    ("trafficmonitor -filter_dst=false", Right),
    ("trafficmonitor -filter_ip_CIDR=\"0.0.0.0/0\"", Right),
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
    ("trafficmonitor -max_pcap_log_size=1", Right),
    ("trafficmonitor -max_pcap_rotations=10", Right),
    ("trafficmonitor -pcapfile=\"\"", Right),
    ("trafficmonitor -s=65536", Right),
    ("trafficmonitor -slack_channel=\"#wherefore\"", Right),
    ("trafficmonitor -slack_emoji=\":warning:\"", Right),
    (
        "trafficmonitor -slack_icon=\"https://cdn4.iconfinder.com/data/icons/proglyphs-free/512/Invader_1-128.png\"",
        Right,
    ),
    ("trafficmonitor -slack_url=\"nil\"", Right),
    ("trafficmonitor -transfer_interval=\"5s\"", Right),
    ("trafficmonitor -w=\"3s\"", Noticed("-w: a read timeout of 3s is capped at 500ms")),
    (
        "trafficmonitor -i eth0 -l=/var/log/wherefore -archive_dir=/var/log/wherefore/packets/ \\
            -loglevel=info \\
            -slack_url=\"https://hooks.slack.com/services/your/integration/keys/here\" -slack_channel=\"#wherefore\" -slack_emoji=\":warning:\" \\
            -anom_methods=fence -anom_upper_bound=1000 -anom_gv_cap=25 -anom_sensitivity=0.8",
        Noticed("-l: no effect without -log_packets"),
    ),
    (
        "trafficmonitor -i eth0 -l=/tmp -archive_dir=/tmp  -loglevel=info -anom_methods=diff,fence -anom_upper_bound=200 -slack_url=\"https://hooks.slack.com/services/hook/url/goes/here\" -slack_channel=\"#wherefore\" -slack_emoji=\":warning:\" -anom_gv_cap=30 -anom_sensitivity=0.8 ",
        Noticed("-l: no effect without -log_packets"),
    ),
    (
        "trafficmonitor -anom_active_size=1 -anom_gv_cap=10 -anom_lower_bound=5e-324 \\
            -anom_methods=\"diff,fence,highrank,lowrank,magnitude\" -anom_n_seasons=4 -anom_sensitivity=2 -anom_upper_bound=5 \\
            -filter_bool=true -filter_dst=false -filter_ip_CIDR=\"0.0.0.0/0\" -filter_src=false -transfer_interval=\"5s\"",
        Noticed(
            "-anom_sensitivity: a sensitivity of 2 is above any possible magnitude; the magnitude test will not suppress the others",
        ),
    ),
];

/// The XDP monitor: its usage, its examples and its analysis script, which is the subcommand `analyze` here.
pub const XDP_TRAFFIC_MONITOR: &[(&str, Outcome)] = &[
    ("trafficmonitor --interface eth0 --config configs/default.json", Right),
    ("trafficmonitor --interface eth0 --config configs/default.json --drop-packets", Right),
    ("trafficmonitor --interface eth0 --config configs/default.json --verbose", Right),
    ("trafficmonitor -i eth0 -c configs/default.json", Right),
    ("trafficmonitor -i eth0 -c configs/strict.json", Right),
    ("trafficmonitor -i eth0 -c configs/strict.json --drop-packets", Right),
    (
        "trafficmonitor -i eth0 -c configs/default.json \\
            --log-format json --log-file traffic.json",
        Right,
    ),
    (
        "trafficmonitor -i eth0 -c configs/default.json \\
            --log-format csv --log-file traffic.csv",
        Right,
    ),
    (
        "trafficmonitor -i eth0 -c configs/default.json \\
            --log-format jsonl --log-file traffic.jsonl",
        Right,
    ),
    ("trafficmonitor --log-format console", Right),
    ("trafficmonitor --log-buffer-size 8192", Right),
    ("trafficmonitor -v", Right),
    ("trafficmonitor analyze traffic.jsonl", Right),
    ("trafficmonitor analyze traffic.csv --format csv", Right),
    ("trafficmonitor analyze traffic.jsonl --export-report analysis.json", Right),
];

/// TrafficAlerted's example of a configuration file.
pub const TRAFFICALERTED_CONF: &str = r#"  # Configuration file for TrafficAlerted
  
  # General configuration
  # --------------------------------------------------
  
  # The amount of time in seconds for which "ByteLimit" applies
  TrafficInterval: 170
  # The amount of bytes to trigger an alert for. Either specify bytes or add the suffixes "K","M" or "G"
  ByteLimit: 1G
  # If set to 'true', the program does not keep destination IP information.
  # If set to 'true', Port scanning detection based on the number of contacted IPs is then disabled as well.
  # If set to 'true', Detailed information about the traffic to the destination IPs is also unavailable.
  NoDestinations: false
  # Minimum amount of bytes for an IP to appear on the network chart
  ChartMinBytes: 5M
  # Exclude interfaces from monitoring or leave empty to monitor all
  ExcludedInterfaces: "lo","dummy0"
  
  
  # Network and Port scanning detection
  # --------------------------------------------------
  # Enable analyzing the amount of IPs a given host contacts
  ContactedIPsAnalyze: true
  # If a source IP contacts more than this amount of different IPs within "TrafficInterval" scanning activity is detected.
  NumberContactedIPs: 15
  
  # Whether to analyze destination ports for scanning activity (Requires more system resources). (true/false)
  AnalyzePorts: false
  # Only applicable if AnalyzePorts is true.
  # If a source IP contacts more than this amount of different ports within "PortInterval", then scanning activity is detected.
  NumContactedPorts: 100
  # Only applicable if "AnalyzePorts" is true. The amount of time in seconds for which "NumContactedPorts" applies
  PortInterval: 600"#;

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
