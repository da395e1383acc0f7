//! The expected view of a flood from a million invented sources (`Trace::SPOOF`), live or from a file.

use super::exposition::{Family, family, sum};

/// Number of packets, each from another source.
pub const PACKETS: u64 = 1_000_000;
/// IP bytes of the SYNs.
const SYN_4: u64 = 40;
const SYN_6: u64 = 60;

/// The totals to the packet and the byte, `other` with nearly all of it, and every table within its budget.
pub fn expect_all_counted(families: &[Family]) {
    let of_version = |version| sum(families, "trafficmonitor_traffic_packets_total", Some(("ip_version", version)));
    let [packets_4, packets_6] = ["4", "6"].map(of_version);
    assert_eq!(packets_4 + packets_6, PACKETS);
    assert!((80_000..120_000).contains(&packets_6), "{packets_6}");
    let total = packets_4 * SYN_4 + packets_6 * SYN_6;
    assert_eq!(sum(families, "trafficmonitor_traffic_bytes_total", None), total);
    assert_eq!(sum(families, "trafficmonitor_flow_bytes_total", None), total, "rows and other");
    let rows = family(families, "trafficmonitor_flow_bytes_total");
    let other: u64 = rows.samples.iter().filter(|row| row.label("source") == "other").map(|row| row.count()).sum();
    assert!(other > total * 9 / 10, "{other} of {total}");
    for (held, limit) in [("flows", "flows_limit"), ("series", "series_limit"), ("hosts", "hosts_limit")] {
        let [held, limit] = [held, limit].map(|name| sum(families, &format!("trafficmonitor_{name}"), None));
        assert!(held <= limit, "{held} of {limit}");
    }
}
