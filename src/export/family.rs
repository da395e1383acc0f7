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
    TRAFFIC_BYTES = Counter "trafficmonitor_traffic_bytes_total" ["direction", "ip_version"]
        "IP bytes by direction, as the local networks tell it, and IP version.";
    TRAFFIC_PACKETS = Counter "trafficmonitor_traffic_packets_total" ["direction", "ip_version"]
        "IP packets by direction, as the local networks tell it, and IP version.";
    FLOWS = Gauge "trafficmonitor_flows" [] "Flows that have a row of their own.";
    FLOWS_LIMIT = Gauge "trafficmonitor_flows_limit" [] "Flows that may have a row; what comes after them counts as other.";
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
    HANDOVER_DELAYS = Counter "trafficmonitor_handover_delays_total" []
        "Ticks at which a capture thread found no empty interval, because the accountant was late.";
    BUILD_INFO = Gauge "trafficmonitor_build_info" ["version", "commit", "libpcap"] "1; its labels say what was built.";
}
