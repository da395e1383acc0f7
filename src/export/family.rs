//! The metric families, each declared once.

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts anew at 0.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    /// The word behind `# TYPE`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels in the order in which they are written.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help]
        pub const $constant: Family =
            Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// All families in the order in which they are written.
        pub const ALL: &[Family] = &[$($constant),*];
    };
}

families! {
    HOSTS_SRC_DST = Gauge "hosts_src_dst" ["addr", "dstPort", "firstSeen", "port"]
        "Number of bytes transfered between hosts";
    TOTAL_INCOMING = Gauge "total_incoming" [] "total incoming bytes from internet";
    TOTAL_OUTGOING = Gauge "total_outgoing" [] "total outgoing bytes from internet";
    FLOW_BYTES = Counter "trafficmonitor_flow_bytes_total" ["source", "destination", "protocol", "port", "reply", "direction"]
        "IP bytes of the flows that are shown, since they are; source and destination other: of all that are not, by protocol; protocol other: of rarer protocols, until their own row was delivered.";
    FLOW_PACKETS = Counter "trafficmonitor_flow_packets_total" ["source", "destination", "protocol", "port", "reply", "direction"]
        "IP packets of the same rows (only with --metrics.flow_packets).";
    FLOW_PENDING_BYTES = Gauge "trafficmonitor_flow_pending_bytes" ["direction", "protocol"]
        "IP bytes of new rows whose first 0 has not been read by every scraper yet; they are added to the row then.";
    FLOW_RETIRED_BYTES = Counter "trafficmonitor_flow_retired_bytes_total" ["direction", "protocol"]
        "IP bytes of rows of trafficmonitor_flow_bytes_total that went. Outside every sum over flows.";
    FLOW_PENDING_PACKETS = Gauge "trafficmonitor_flow_pending_packets" ["direction", "protocol"]
        "IP packets of new rows whose first 0 has not been read by every scraper yet (only with --metrics.flow_packets).";
    FLOW_RETIRED_PACKETS = Counter "trafficmonitor_flow_retired_packets_total" ["direction", "protocol"]
        "IP packets of rows that went (only with --metrics.flow_packets). Outside every sum over flows.";
    HOST_BYTES = Counter "trafficmonitor_host_bytes_total" ["host", "direction"]
        "IP bytes by host (the local one, or the source) as far as it is shown, since it is; host other: of all that are not.";
    HOST_PENDING_BYTES = Gauge "trafficmonitor_host_pending_bytes" ["direction"]
        "IP bytes of new host rows whose first 0 has not been read by every scraper yet; they are added to the row then.";
    HOST_RETIRED_BYTES = Counter "trafficmonitor_host_retired_bytes_total" ["direction"]
        "IP bytes of rows of trafficmonitor_host_bytes_total that went. Outside every sum over hosts.";
    FLOWS = Gauge "trafficmonitor_flows" [] "Flows that are held.";
    FLOWS_LIMIT = Gauge "trafficmonitor_flows_limit" [] "Flows that may be held (-max-flows).";
    SERIES = Gauge "trafficmonitor_series" [] "Flows that are shown.";
    SERIES_LIMIT = Gauge "trafficmonitor_series_limit" [] "Flows that may be shown (-max-series).";
    FLOWS_EVICTED = Counter "trafficmonitor_flows_evicted_total" ["reason"]
        "Flows that left: idle, after they rested for the idle timeout; full, to make room, the lightest of those that rested.";
    HOSTS = Gauge "trafficmonitor_hosts" [] "Hosts that are held, each direction by itself.";
    HOSTS_LIMIT = Gauge "trafficmonitor_hosts_limit" [] "Hosts that may be held (-max-hosts).";
    HOST_SERIES = Gauge "trafficmonitor_host_series" [] "Hosts that are shown.";
    HOST_SERIES_LIMIT = Gauge "trafficmonitor_host_series_limit" [] "Hosts that may be shown (-max-host-series).";
    HOSTS_EVICTED = Counter "trafficmonitor_hosts_evicted_total" ["reason"] "Hosts that left, as for flows.";
    TRAFFIC_BYTES = Counter "trafficmonitor_traffic_bytes_total" ["direction", "ip_version"]
        "IP bytes by direction, as the local networks tell it, and IP version.";
    TRAFFIC_PACKETS = Counter "trafficmonitor_traffic_packets_total" ["direction", "ip_version"]
        "IP packets by direction, as the local networks tell it, and IP version.";
    UNDECODED_PACKETS = Counter "trafficmonitor_undecoded_packets_total" ["reason"]
        "Frames that do not count as IP, by reason.";
    INTERFACE_FRAMES = Counter "trafficmonitor_interface_frames_total" ["interface"]
        "Frames that were counted, by interface.";
    INTERFACE_FRAME_BYTES = Counter "trafficmonitor_interface_frame_bytes_total" ["interface"]
        "Bytes of these frames on the wire, link headers included.";
    DUPLICATE_FRAMES = Counter "trafficmonitor_duplicate_frames_total" []
        "Frames left out because another interface showed them too (only on the pseudo-device any).";
    CAPTURE_UP = Gauge "trafficmonitor_capture_up" ["interface"] "Whether the interface is up and being captured.";
    CAPTURE_RECEIVED = Counter "trafficmonitor_capture_packets_received_total" ["interface"]
        "Packets that passed the filter in the kernel, those dropped included.";
    CAPTURE_DROPPED = Counter "trafficmonitor_capture_packets_dropped_total" ["interface", "reason"]
        "Packets lost: kernel, for want of room in the ring; interface, by the network interface or its driver.";
    CAPTURE_COVERAGE = Gauge "trafficmonitor_capture_coverage_ratio" ["interface"]
        "Packets that were captured over those that the interface counted, where these can be compared.";
    CAPTURE_COMPARABLE = Gauge "trafficmonitor_capture_coverage_comparable" ["interface"]
        "Whether they can: one worker, no filter, no TSO, GSO, GRO or LRO, no XDP program, not any or lo, never down meanwhile.";
    OVERFLOW_PACKETS = Counter "trafficmonitor_overflow_packets_total" []
        "Packets that found no room in a capture thread's table; they count in all totals and as other.";
    REFUSALS_LOST = Counter "trafficmonitor_refusals_lost_total" []
        "ICMP errors that found no room in a capture thread's table: whether what they quote was refused is unknown.";
    SCRAPES = Counter "trafficmonitor_scrapes_total" ["result"]
        "Scrapes of a live capture that have ended: complete, when the client has read all; broken, when it went before.";
    HANDOVER_DELAYS = Counter "trafficmonitor_handover_delays_total" []
        "Ticks at which a capture thread found no empty interval, because the accountant was late.";
    MEMORY = Gauge "trafficmonitor_memory_bytes" ["part"] "Memory of the program's own tables, by part.";
    SOURCE_WINDOW_BYTES = Gauge "trafficmonitor_source_window_bytes" ["source"]
        "IP bytes in the window of bandwidth, of the heaviest sources (--detect.top_sources).";
    DESTINATION_WINDOW_BYTES = Gauge "trafficmonitor_destination_window_bytes" ["destination"]
        "The same of destinations, where they have a limit (--bandwidth.direction).";
    SOURCE_CONTACTED_HOSTS = Gauge "trafficmonitor_source_contacted_hosts" ["source"]
        "Hosts that a source contacted in its window, of the sources with the most.";
    SOURCE_CONTACTED_PORTS = Gauge "trafficmonitor_source_contacted_ports" ["source"]
        "Ports that a source contacted in its window, of the sources with the most.";
    SOURCE_UNANSWERED_CONTACTS = Gauge "trafficmonitor_source_unanswered_contacts" ["source"]
        "Hosts or ports, whichever are more, that refused a source in its window or did not answer it, of the sources with the most. None where the bare number of contacts is the rule.";
    ANOMALY_PROBABILITY = Gauge "trafficmonitor_anomaly_probability" ["source", "destination"]
        "How improbable the bytes of the last transfer interval are, 0 to 1, of the pairs with the most.";
    ANSWERS_VISIBLE = Gauge "trafficmonitor_answers_visible" ["interface"]
        "Whether the interface shows both ways of conversations; without it evidence gives no verdict on scans.";
    UNKNOWN_CONTACTS = Counter "trafficmonitor_unknown_contacts_total" []
        "Contacts whose outcome is not known: one way alone is seen, or there was no room to wait for it.";
    DETECTION_ENTRIES = Gauge "trafficmonitor_detection_table_entries" ["table"] "Entries of a table of detection.";
    DETECTION_LIMIT = Gauge "trafficmonitor_detection_table_limit" ["table"] "Entries that it may hold.";
    DETECTION_EVICTED = Counter "trafficmonitor_detection_table_evicted_total" ["table"]
        "Entries given up for others, and those that found no room.";
    ALERTS_ACTIVE = Gauge "trafficmonitor_alerts_active" ["rule"] "Alerts that fire, by rule.";
    ALERTS_TOTAL = Counter "trafficmonitor_alerts_total" ["rule"] "Alerts that fired, by rule: one an episode.";
    ALERT_FIRING = Gauge "trafficmonitor_alert_firing" ["kind", "rule", "source", "destination", "network"]
        "1 for each alert that fires, the last 1000; gone once it resolved. Labels that do not apply are empty.";
    ALERTS_PENDING = Gauge "trafficmonitor_alerts_pending" [] "Alerts whose rule has not held for long enough yet.";
    ALERTS_LIMIT = Gauge "trafficmonitor_alerts_limit" [] "Alerts that may be pending or fire.";
    ALERTS_DROPPED = Counter "trafficmonitor_alerts_dropped_total" []
        "Readings over a limit for which there was no room among the alerts.";
    ALERTS_EXCLUDED = Counter "trafficmonitor_alerts_excluded_total" []
        "Readings over a limit that an exclusion kept from alerting.";
    BUILD_INFO = Gauge "trafficmonitor_build_info" ["version", "commit", "libpcap"] "1; its labels say what was built.";
    HTTP_CONNECTIONS_CUT = Counter "trafficmonitor_http_connections_cut_total" ["reason"]
        "Connections that the server closed: idle, between two requests; silent, no whole request in 10 s; slow, an exposition not taken in 30 s; stalled, nothing of an answer taken for 10 s.";
    HTTP_CONNECTIONS_REFUSED = Counter "trafficmonitor_http_connections_refused_total" ["reason"]
        "Connections answered 503 or closed at once: full, all are in use; share, the client has as many as are free; accept, the kernel did not hand it over, as when file descriptors run out.";
    HTTP_SCRAPES_REFUSED = Counter "trafficmonitor_http_scrapes_refused_total" ["reason"]
        "Scrapes answered 503 because no rendering became free in 5 s; reasons as for connections.";
    QUEUE_DROPPED = Counter "trafficmonitor_queue_dropped_total" ["queue"] "What found no room in a queue, by queue.";
}
