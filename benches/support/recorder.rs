//! A ring of recent packets without an archive, and the recorder that fills it.

use std::time::{Duration, Instant};

use trafficmonitor::alert::EvidenceIndex;
use trafficmonitor::evidence::{
    self, Evidence, EvidenceSetup, PacketRecorder, PacketSource, RecorderSettings, RunningDetection,
};
use trafficmonitor::packet::LinkType;

/// Bytes that are kept of a packet, as by default.
const KEPT_BYTES: u32 = 256;

/// The running threads.
pub fn start() -> Evidence {
    let config = evidence::Config { ring_bytes: Some(64 << 20), ..Default::default() };
    let setup = EvidenceSetup {
        host: String::new(),
        version: String::new(),
        detection: RunningDetection::default(),
        index: EvidenceIndex::default(),
        kept_bytes: KEPT_BYTES,
        describe_alert: |_| String::new(),
    };
    Evidence::start(config, setup).expect("threads start")
}

/// A recorder of Ethernet frames.
pub fn recorder(evidence: &Evidence) -> PacketRecorder {
    let source = PacketSource { interface: "bench".to_owned(), link_type: LinkType(1), snap_length: 1_500 };
    RecorderSettings::new(evidence.sender(), KEPT_BYTES).recorder(source)
}

/// Ends the threads.
pub fn finish(evidence: Evidence) {
    assert!(evidence.finish(Instant::now() + Duration::from_secs(60)), "the threads end");
}
