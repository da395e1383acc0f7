//! The metric families, each declared once. Takes nothing; gives names, types, labels and help texts. Must not know
//! values.

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows; starts again at 0.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Numbers of events up to each of some bounds, with their sum.
    Histogram,
}

impl MetricKind {
    /// The type as `# TYPE` names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// Its labels in the order in which they are written.
    pub labels: &'static [&'static str],
    /// The help text.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help]
        pub const $constant: Family =
            Family { name: $name, kind: MetricKind::$kind, labels: &[$($label),*], help: $help };)*

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
        "IP bytes per flow. source=destination=\"other\" collects flows that have no row of their own.";
    FLOW_PACKETS = Counter "trafficmonitor_flow_packets_total" ["source", "destination", "protocol", "port", "reply", "direction"]
        "IP packets per flow, in the same rows (only with --metrics.flow_packets).";
    FLOW_PENDING_BYTES = Gauge "trafficmonitor_flow_pending_bytes" ["direction", "protocol"]
        "IP bytes of new flow rows that are still 0 because not every scraper has read that 0; they are added to the row afterwards.";
    FLOW_RETIRED_BYTES = Counter "trafficmonitor_flow_retired_bytes_total" ["direction", "protocol"]
        "IP bytes of flow rows that have been removed; do not add its increase to that of trafficmonitor_flow_bytes_total.";
    FLOW_PENDING_PACKETS = Gauge "trafficmonitor_flow_pending_packets" ["direction", "protocol"]
        "IP packets of new flow rows that are still 0 because not every scraper has read that 0 (only with --metrics.flow_packets).";
    FLOW_RETIRED_PACKETS = Counter "trafficmonitor_flow_retired_packets_total" ["direction", "protocol"]
        "IP packets of flow rows that have been removed (only with --metrics.flow_packets); do not add its increase to that of trafficmonitor_flow_packets_total.";
    HOST_BYTES = Counter "trafficmonitor_host_bytes_total" ["host", "direction"]
        "IP bytes per host: the local endpoint, or the source if both or neither are local. host=\"other\" collects hosts that have no row of their own.";
    HOST_PENDING_BYTES = Gauge "trafficmonitor_host_pending_bytes" ["direction"]
        "IP bytes of new host rows that are still 0 because not every scraper has read that 0; they are added to the row afterwards.";
    HOST_RETIRED_BYTES = Counter "trafficmonitor_host_retired_bytes_total" ["direction"]
        "IP bytes of host rows that have been removed; do not add its increase to that of trafficmonitor_host_bytes_total.";
    FLOWS = Gauge "trafficmonitor_flows" [] "Flows currently in the flow table.";
    FLOWS_LIMIT = Gauge "trafficmonitor_flows_limit" [] "Capacity of the flow table (--max-flows).";
    SERIES = Gauge "trafficmonitor_series" [] "Flows currently exported as series.";
    SERIES_LIMIT = Gauge "trafficmonitor_series_limit" [] "Maximum number of flows exported as series (--max-series).";
    FLOWS_EVICTED = Counter "trafficmonitor_flows_evicted_total" ["reason"]
        "Flows removed: reason=\"idle\" (no traffic for --idle-timeout) or \"full\" (lightest idle flow, to make room).";
    HOSTS = Gauge "trafficmonitor_hosts" [] "Entries in the host table (host and direction).";
    HOSTS_LIMIT = Gauge "trafficmonitor_hosts_limit" [] "Capacity of the host table (--max-hosts).";
    HOST_SERIES = Gauge "trafficmonitor_host_series" [] "Entries of the host table currently exported as series.";
    HOST_SERIES_LIMIT = Gauge "trafficmonitor_host_series_limit" [] "Maximum number of hosts exported as series (--max-host-series).";
    HOSTS_EVICTED = Counter "trafficmonitor_hosts_evicted_total" ["reason"] "Entries removed from the host table; reasons as in trafficmonitor_flows_evicted_total.";
    TRAFFIC_BYTES = Counter "trafficmonitor_traffic_bytes_total" ["direction", "ip_version"]
        "IP bytes by direction (as determined by -localNetworks) and IP version.";
    TRAFFIC_PACKETS = Counter "trafficmonitor_traffic_packets_total" ["direction", "ip_version"]
        "IP packets by direction (as determined by -localNetworks) and IP version.";
    TRAFFIC_WIRE_PACKETS = Counter "trafficmonitor_traffic_wire_packets_total" ["direction"]
        "IP packets on the wire by direction: a packet that the network stack joins or leaves to the card to split counts as several (only with -daq tc, or with -daq xdp if all interfaces have it in the driver).";
    DROPPED_PACKETS = Counter "trafficmonitor_policy_dropped_packets_total" []
        "IP packets that were dropped because their source is not permitted (--drop-packets; always 0 with -daq tc, absent with libpcap).";
    DROPPED_BYTES = Counter "trafficmonitor_policy_dropped_bytes_total" []
        "IP bytes of packets that were dropped because their source is not permitted (--drop-packets; always 0 with -daq tc, absent with libpcap).";
    KERNEL_MESSAGES_LOST = Counter "trafficmonitor_kernel_messages_lost_total" []
        "ICMP errors, messages of address resolution, and frames that this program reads itself (such as MPLS and PPPoE; they then count as not IP) that were lost because a ring (--xdp.ring-size) or a table was full (only with -daq xdp or tc).";
    KERNEL_EVENTS_LOST = Counter "trafficmonitor_kernel_events_lost_total" []
        "Packets of sources that are not permitted without an event because a ring (--xdp.ring-size) or a table was full; trafficmonitor_policy_events_suppressed_total counts them too (only with -daq xdp or tc).";
    POLICY_BYTES = Counter "trafficmonitor_policy_bytes_total" ["verdict"]
        "IP bytes by verdict on their source (policy.permitted); the sum is that of trafficmonitor_traffic_bytes_total.";
    POLICY_PACKETS = Counter "trafficmonitor_policy_packets_total" ["verdict"]
        "IP packets by verdict on their source (policy.permitted); the sum is that of trafficmonitor_traffic_packets_total.";
    POLICY_EVENTS = Counter "trafficmonitor_policy_events_total" []
        "Events of violations of the policy: packets of one direction of a conversation whose source is not permitted.";
    POLICY_EVENT_PACKETS = Counter "trafficmonitor_policy_event_packets_total" [] "Packets of these events.";
    POLICY_EVENTS_SUPPRESSED = Counter "trafficmonitor_policy_events_suppressed_total" []
        "Packets of sources that are not permitted without an event of their own, because their source had too many events (policy.events_burst, policy.events_per_second) or a table was full.";
    UNDECODED_PACKETS = Counter "trafficmonitor_undecoded_packets_total" ["reason"]
        "Frames not counted as IP traffic, by reason.";
    INTERFACE_FRAMES = Counter "trafficmonitor_interface_frames_total" ["interface"]
        "Frames counted, by interface; interface=\"retired\" sums up interfaces that no longer exist.";
    INTERFACE_FRAME_BYTES = Counter "trafficmonitor_interface_frame_bytes_total" ["interface"]
        "Bytes of these frames on the wire, including link-layer headers.";
    INTERFACES_RETIRED_UNREAD = Counter "trafficmonitor_interfaces_retired_unread_total" []
        "Interfaces that no longer exist and were moved to interface=\"retired\" before every scraper had read their last values, because too many of them were waiting.";
    DUPLICATE_FRAMES = Counter "trafficmonitor_duplicate_frames_total" []
        "Frames left out because they were already counted on another interface (only with -iface any).";
    CAPTURE_UP = Gauge "trafficmonitor_capture_up" ["interface"] "1 if the interface is up and being captured, otherwise 0.";
    CAPTURE_RECEIVED = Counter "trafficmonitor_capture_packets_received_total" ["interface"]
        "Packets that passed the filter in the kernel, including those dropped later.";
    CAPTURE_DROPPED = Counter "trafficmonitor_capture_packets_dropped_total" ["interface", "reason"]
        "Packets lost: reason=\"kernel\", because the capture ring was full; reason=\"interface\", by the network interface or its driver.";
    CAPTURE_COVERAGE = Gauge "trafficmonitor_capture_coverage_ratio" ["interface"]
        "Packets captured divided by packets the interface counted; exported only where the two can be compared.";
    CAPTURE_COMPARABLE = Gauge "trafficmonitor_capture_coverage_comparable" ["interface"]
        "1 if trafficmonitor_capture_coverage_ratio is meaningful for this interface: one worker, no filter, no TSO, GSO, GRO or LRO, no XDP program, not any or lo, and not down since the capture started.";
    OVERFLOW_PACKETS = Counter "trafficmonitor_overflow_packets_total" []
        "Packets counted without a flow because a capture thread's table was full; they are in all totals and in the \"other\" rows.";
    REFUSALS_LOST = Counter "trafficmonitor_refusals_lost_total" []
        "ICMP errors and messages of address resolution (ARP, neighbour discovery) that detection did not see because a table was full.";
    CONVERSATIONS_FORGOTTEN = Counter "trafficmonitor_conversations_forgotten_total" []
        "Conversations forgotten because more than twice --max-flows were remembered; their next packet decides again which side is the service.";
    SCRAPES = Counter "trafficmonitor_scrapes_total" ["result"]
        "Finished scrapes of a live capture: result=\"complete\" (the client read everything) or \"broken\" (the client disconnected first).";
    SCRAPES_UNTRACKED = Counter "trafficmonitor_scrapes_untracked_total" []
        "Complete scrapes by clients that new rows do not wait for, because too many other clients scrape.";
    HANDOVER_DELAYS = Counter "trafficmonitor_handover_delays_total" []
        "Times a capture thread had to wait because accounting had not finished the previous interval.";
    THREAD_UP = Gauge "trafficmonitor_thread_up" ["thread"]
        "1 if the thread works; 0 if it has panicked or has made no progress for 30 s, after which the program ends with status 1. thread=\"capture\" stands for all threads that capture: at 0 one of them makes no progress, and the program goes on.";
    NETWORK_STALE = Gauge "trafficmonitor_network_stale" []
        "1 if interfaces, addresses and routes may have changed and could not be read since; reading is retried until it succeeds.";
    RING_BYTES = Gauge "trafficmonitor_ring_memory_bytes" []
        "Kernel memory of all capture rings; without -iface at most 512 MiB.";
    MEMORY_LIMIT = Gauge "trafficmonitor_memory_limit_bytes" []
        "Limit on resident memory from --memory.limit or the cgroup, below which the budgets of all tables stay; 0 without one.";
    RINGS_REFUSED = Counter "trafficmonitor_rings_refused_total" []
        "Times an interface was not captured because there was no memory left for its capture ring.";
    KERNEL_REATTACHED = Counter "trafficmonitor_kernel_reattached_total" []
        "Times the kernel's program was attached to an interface again because another program had removed it (only with -daq xdp or tc).";
    RELOAD_SUCCESSFUL = Gauge "trafficmonitor_config_last_reload_successful" []
        "1 if the last reading of the configuration, at start or by a reload, was accepted; 0 if it was refused and the running configuration stays in force.";
    RELOAD_SUCCESS_TIME = Gauge "trafficmonitor_config_last_reload_success_timestamp_seconds" []
        "Time of the last reading of the configuration that was accepted, at start or by a reload.";
    CONFIG_HASH = Gauge "trafficmonitor_config_hash" []
        "Hash of the configuration in force, secrets left out: equal values mean equal settings in the same version of the program.";
    RELOADS = Counter "trafficmonitor_config_reloads_total" ["result"]
        "Reloads of the configuration since the start: result=\"accepted\" or \"refused\".";
    MEMORY = Gauge "trafficmonitor_memory_bytes" ["part"] "Memory used by the program's own tables, by part.";
    SOURCE_WINDOW_BYTES = Gauge "trafficmonitor_source_window_bytes" ["source"]
        "IP bytes sent within the bandwidth window, for the heaviest sources (--detect.top_sources).";
    DESTINATION_WINDOW_BYTES = Gauge "trafficmonitor_destination_window_bytes" ["destination"]
        "IP bytes received within the bandwidth window, for the heaviest destinations (only with --bandwidth.direction destination or both).";
    SOURCE_CONTACTED_HOSTS = Gauge "trafficmonitor_source_contacted_hosts" ["source"]
        "Hosts contacted within --scan.interval, for the sources with the most.";
    SOURCE_CONTACTED_PORTS = Gauge "trafficmonitor_source_contacted_ports" ["source"]
        "Ports contacted within -PortInterval, for the sources with the most.";
    SOURCE_UNANSWERED_CONTACTS = Gauge "trafficmonitor_source_unanswered_contacts" ["source"]
        "Hosts or ports (the larger number) that refused a source or did not answer it within the window, for the sources with the most. Not exported with --scan.rule contacts.";
    ANOMALY_PROBABILITY = Gauge "trafficmonitor_anomaly_probability" ["source", "destination"]
        "Anomaly score (0 to 1) of the last transfer interval, for the highest-scoring pairs.";
    ANSWERS_VISIBLE = Gauge "trafficmonitor_answers_visible" ["interface"]
        "1 if the interface shows both directions of conversations; 0 means scans cannot be judged there.";
    UNKNOWN_CONTACTS = Counter "trafficmonitor_unknown_contacts_total" []
        "Contacts with an unknown outcome: only one direction was visible, or the table of pending contacts was full.";
    DETECTION_ENTRIES = Gauge "trafficmonitor_detection_table_entries" ["table"] "Entries in the detection table.";
    DETECTION_LIMIT = Gauge "trafficmonitor_detection_table_limit" ["table"] "Capacity of the detection table.";
    DETECTION_EVICTED = Counter "trafficmonitor_detection_table_evicted_total" ["table"]
        "Entries evicted or refused because the table was full.";
    BANDWIDTH_LIMIT = Gauge "trafficmonitor_bandwidth_limit_bytes" []
        "Limit for addresses without a limit of their own (-ByteLimit), in IP bytes per window.";
    SCAN_LIMIT = Gauge "trafficmonitor_scan_limit" ["kind"]
        "Hosts (kind=\"host_scan\") or ports (kind=\"port_scan\") that a source may contact in the window, and hosts or ports that the sources of one network may contact together (kind=\"group_scan\").";
    ANOMALY_ALERTS = Gauge "trafficmonitor_anomaly_alerts" []
        "1 if anomalies raise alerts (--anom.alerts), else 0.";
    ALERTS_ACTIVE = Gauge "trafficmonitor_alerts_active" ["rule"] "Alerts currently firing, by rule.";
    ALERTS_TOTAL = Counter "trafficmonitor_alerts_total" ["rule"] "Alerts fired, by rule: one per episode.";
    ALERT_FIRING = Gauge "trafficmonitor_alert_firing" ["kind", "rule", "source", "destination", "network", "severity", "side"]
        "1 while an alert is firing (at most 1000: the most recent of each kind). Labels that do not apply are empty.";
    ALERT_VALUE = Gauge "trafficmonitor_alert_value" ["kind", "rule", "source", "destination", "network", "severity", "side"]
        "Latest value of each firing alert: bytes, hosts, ports, or an anomaly score from 0 to 1.";
    ALERT_LIMIT = Gauge "trafficmonitor_alert_limit" ["kind", "rule", "source", "destination", "network", "severity", "side"]
        "Limit that the value of each firing alert is compared with.";
    ALERT_WINDOW = Gauge "trafficmonitor_alert_window_seconds" ["kind", "rule", "source", "destination", "network", "severity", "side"]
        "Window that the value of each firing alert is measured in.";
    ALERT_TARGET = Gauge "trafficmonitor_alert_target_info" ["kind", "rule", "source", "destination", "network", "severity", "side", "target"]
        "Constant 1, labelled with the first target of each firing alert; for bandwidth, the peer with the most bytes.";
    ALERTS_PENDING = Gauge "trafficmonitor_alerts_pending" [] "Alerts not firing yet because their condition has not lasted for --alert.pending.";
    ALERTS_LIMIT = Gauge "trafficmonitor_alerts_limit" [] "Maximum number of alerts that are pending or firing (alert.max_alerts).";
    ALERTS_DROPPED = Counter "trafficmonitor_alerts_dropped_total" ["kind"]
        "Threshold violations that raised no alert because the alert table had no space for their kind.";
    ALERTS_EXCLUDED = Counter "trafficmonitor_alerts_excluded_total" []
        "Threshold violations that raised no alert because of an exclusion.";
    BUILD_INFO = Gauge "trafficmonitor_build_info" ["version", "commit", "libpcap"] "Constant 1, labelled with version, commit and libpcap.";
    HTTP_CONNECTIONS_CUT = Counter "trafficmonitor_http_connections_cut_total" ["reason"]
        "Connections closed by the server: idle, waiting for the next request; silent, no complete request within 10 s; slow, response not read within 30 s; stalled, no part of the response read for 10 s; crowded, idle while other connections needed its place; invalid, a request head that is not HTTP or over 16 KiB.";
    HTTP_CONNECTIONS_REFUSED = Counter "trafficmonitor_http_connections_refused_total" ["reason"]
        "Connections refused with status 503 or closed at once: full, all connections are in use; share, the client already has as many connections as are free; accept, the kernel could not accept the connection, for example because file descriptors ran out.";
    HTTP_SCRAPES_REFUSED = Counter "trafficmonitor_http_scrapes_refused_total" ["reason"]
        "Scrapes refused with status 503 because too many responses were being rendered for 5 s; reasons as in trafficmonitor_http_connections_refused_total.";
    HTTP_API_REFUSED = Counter "trafficmonitor_http_api_refused_total" ["reason"]
        "Requests to the API refused with status 503 because too many answers were being rendered or sent for 5 s, or too many event streams were open; reasons as in trafficmonitor_http_connections_refused_total.";
    WEB_CONFIG_CURRENT = Gauge "trafficmonitor_web_config_last_reload_successful" []
        "1 if the web configuration file (--web.config.file) could be used when it last changed, with the files that it names; else 0, and the rules before the change hold.";
    WEB_CERTIFICATE_NOT_AFTER = Gauge "trafficmonitor_web_certificate_not_after_timestamp_seconds" []
        "Time at which the certificate of the server expires.";
    WEB_DENIED = Counter "trafficmonitor_web_denied_total" ["reason"]
        "Connections and requests that were denied: handshake, the TLS handshake failed; plaintext, plain HTTP came to a port with TLS; credentials, the user or password was missing or wrong; checks, too many passwords had to be checked; rate, rate_limit was reached; forged, a page of another site made the request.";
    SANDBOX = Gauge "trafficmonitor_sandbox" ["part"]
        "1 if this part of the sandbox (--sandbox) is in force on every thread, else 0.";
    QUEUE_DROPPED = Counter "trafficmonitor_queue_dropped_total" ["queue"]
        "Entries lost because a queue was full or its reader was gone, by queue: alerts, alert lines for standard output; events, violations and alerts for the event log; log, log lines for standard error; scrapes, reports of finished scrapes.";
    EVENTS_WRITTEN = Counter "trafficmonitor_events_written_total" [] "Events written to the event log: violations, suppressed packets and alerts.";
    EVENT_LOG_WRITE_ERRORS = Counter "trafficmonitor_event_log_write_errors_total" []
        "Failed attempts to write, to open or to rotate the event log; events wait until it can be written again.";
    EVIDENCE_RING_BYTES = Gauge "trafficmonitor_evidence_ring_bytes" [] "Memory of the ring of recent packets (--evidence.ring).";
    EVIDENCE_RING_SECONDS = Gauge "trafficmonitor_evidence_ring_seconds" []
        "Time for which the ring holds every captured packet, up to the newest one.";
    EVIDENCE_PACKETS_LOST = Counter "trafficmonitor_evidence_packets_lost_total" []
        "Packets that were lost before they reached the ring: dropped by the kernel, or because the evidence thread was late.";
    EVIDENCE_ALERTS_LOST = Counter "trafficmonitor_evidence_alerts_lost_total" []
        "Changes of alerts that the evidence thread never saw because its queue was full.";
    EVIDENCE_FILES_OPEN = Gauge "trafficmonitor_evidence_files_open" [] "Evidence files to which packets are still added.";
    EVIDENCE_FILES_WRITTEN = Counter "trafficmonitor_evidence_files_written_total" [] "Evidence files that were finished.";
    EVIDENCE_FILES_REFUSED = Counter "trafficmonitor_evidence_files_refused_total" []
        "Alerts without an evidence file, because too many files were open or the file could not be written.";
    EVIDENCE_FILES_REMOVED = Counter "trafficmonitor_evidence_files_removed_total" []
        "Files removed from the archive because it had reached evidence.quota, the oldest first.";
    EVIDENCE_PACKETS_WRITTEN = Counter "trafficmonitor_evidence_packets_written_total" [] "Packets written to evidence files.";
    EVIDENCE_PACKETS_MISSED = Counter "trafficmonitor_evidence_packets_missed_total" []
        "Packets that left the ring before an evidence file could take them.";
    EVIDENCE_WRITE_ERRORS = Counter "trafficmonitor_evidence_write_errors_total" []
        "Failed operations on files of the archive and of packet logging.";
    EVIDENCE_ARCHIVE_BYTES = Gauge "trafficmonitor_evidence_archive_bytes" [] "Size of the evidence files and logged files in the archive (-archive_dir).";
    PACKET_LOG_CONVERSATIONS = Gauge "trafficmonitor_packet_log_conversations" []
        "Conversations whose packets are being logged (-log_packets).";
    PACKET_LOG_BYTES = Gauge "trafficmonitor_packet_log_bytes" [] "Size of the capture files of these conversations.";
    PACKET_LOG_PACKETS = Counter "trafficmonitor_packet_log_packets_total" [] "Packets that were logged.";
    PACKET_LOG_LOST = Counter "trafficmonitor_packet_log_packets_lost_total" []
        "Packets that could not be logged because the writer was late or the disk was full.";
    PACKET_LOG_ARCHIVED = Counter "trafficmonitor_packet_log_files_archived_total" []
        "Logged files moved to the archive because an alert fired for their traffic.";
    NAMES_LOOKUPS = Counter "trafficmonitor_names_lookups_total" ["source", "result"]
        "Look-ups of names by source: questions of reverse DNS, and each displayed host, or flow of this host, once in the other sources (a flow whose process is found later counts as missing and as found); result=\"failed\" means that the source did not answer or could not be read.";
    NAMES_ENTRIES = Gauge "trafficmonitor_names_entries" ["source"] "Entries of each source of names: cached answers, leases, neighbours, prefixes of vendors, hosts with a country or an autonomous system, flows with a process.";
    NAMES_REFUSED = Counter "trafficmonitor_names_refused_total" [] "Entries of files and kernel tables that were left out because there were too many; they count each time the file or table is read.";
    NAMES_BYTES = Gauge "trafficmonitor_names_memory_bytes" [] "Memory of the names and their sources.";
    NOTIFICATIONS = Counter "trafficmonitor_notifications_total" ["receiver"] "Alerts and ends of alerts that a receiver accepted.";
    NOTIFICATIONS_QUEUE = Gauge "trafficmonitor_notifications_queue" ["receiver"] "Alerts and ends of alerts that wait for their delivery.";
    NOTIFICATIONS_UNTRACKED = Counter "trafficmonitor_notifications_untracked_total" ["receiver"]
        "Delivered alerts that are not remembered because too many fire: a restart does not resolve them at the receiver.";
    NOTIFICATIONS_FAILED = Counter "trafficmonitor_notifications_failed_total" ["receiver", "reason"]
        "Alerts and ends of alerts that were given up: http_4xx, the receiver refused them; redirect, it answered with a redirect; queue_full, too many were waiting; stopped, the program ended and has no --state.dir.";
    NOTIFICATION_ATTEMPTS_FAILED = Counter "trafficmonitor_notification_attempts_failed_total" ["receiver", "reason"]
        "Requests to a receiver that failed, by reason; most are tried again.";
    NOTIFICATION_LATENCY = Histogram "trafficmonitor_notification_latency_seconds" ["receiver", "le"]
        "Time from the change of an alert to its delivery.";
    NOTIFICATIONS_JOURNAL_ERRORS = Counter "trafficmonitor_notifications_journal_errors_total" []
        "Failed writes to the journal of undelivered alerts (--state.dir).";
}

/// Families of what is off by default: written only where it is configured.
pub const CONFIGURED_ONLY: &[Family] = &[
    WEB_CONFIG_CURRENT,
    WEB_CERTIFICATE_NOT_AFTER,
    WEB_DENIED,
    POLICY_BYTES,
    POLICY_PACKETS,
    POLICY_EVENTS,
    POLICY_EVENT_PACKETS,
    POLICY_EVENTS_SUPPRESSED,
    EVIDENCE_RING_BYTES,
    EVIDENCE_RING_SECONDS,
    EVIDENCE_PACKETS_LOST,
    EVIDENCE_ALERTS_LOST,
    EVIDENCE_FILES_OPEN,
    EVIDENCE_FILES_WRITTEN,
    EVIDENCE_FILES_REFUSED,
    EVIDENCE_FILES_REMOVED,
    EVIDENCE_PACKETS_WRITTEN,
    EVIDENCE_PACKETS_MISSED,
    EVIDENCE_WRITE_ERRORS,
    EVIDENCE_ARCHIVE_BYTES,
    PACKET_LOG_CONVERSATIONS,
    PACKET_LOG_BYTES,
    PACKET_LOG_PACKETS,
    PACKET_LOG_LOST,
    PACKET_LOG_ARCHIVED,
    NAMES_LOOKUPS,
    NAMES_ENTRIES,
    NAMES_REFUSED,
    NAMES_BYTES,
    NOTIFICATIONS,
    NOTIFICATIONS_QUEUE,
    NOTIFICATIONS_UNTRACKED,
    NOTIFICATIONS_FAILED,
    NOTIFICATION_ATTEMPTS_FAILED,
    NOTIFICATION_LATENCY,
    NOTIFICATIONS_JOURNAL_ERRORS,
];

/// Families that only a live capture measures: of interfaces, threads and scrapes, and of rows that come and go. Nothing of
/// a file's accounts belongs in them.
pub const LIVE_ONLY: &[Family] = &[
    FLOW_PENDING_BYTES,
    FLOW_PENDING_PACKETS,
    FLOW_RETIRED_BYTES,
    FLOW_RETIRED_PACKETS,
    HOST_PENDING_BYTES,
    HOST_RETIRED_BYTES,
    INTERFACES_RETIRED_UNREAD,
    DUPLICATE_FRAMES,
    CAPTURE_UP,
    CAPTURE_RECEIVED,
    CAPTURE_DROPPED,
    CAPTURE_COVERAGE,
    CAPTURE_COMPARABLE,
    OVERFLOW_PACKETS,
    TRAFFIC_WIRE_PACKETS,
    DROPPED_PACKETS,
    DROPPED_BYTES,
    KERNEL_MESSAGES_LOST,
    KERNEL_EVENTS_LOST,
    SCRAPES,
    SCRAPES_UNTRACKED,
    HANDOVER_DELAYS,
    THREAD_UP,
    NETWORK_STALE,
    RING_BYTES,
    MEMORY_LIMIT,
    RINGS_REFUSED,
    KERNEL_REATTACHED,
    RELOAD_SUCCESSFUL,
    RELOAD_SUCCESS_TIME,
    CONFIG_HASH,
    RELOADS,
    MEMORY,
];
