//! Notices for tests.
//!
//! Takes the word of a kind; gives a notice of it. Must not be used outside of tests.

use std::path::PathBuf;

use super::notice::Notice;
use crate::alert::EvidenceFile;
use crate::packet::Timestamp;

/// A firing notice of this kind about 10.0.0.5, since 2023-11-14T22:13:20Z.
pub(super) fn notice(kind: &str) -> Notice {
    Notice {
        fingerprint: "00000000000000ab".to_owned(),
        is_firing: true,
        kind: kind.to_owned(),
        rule: kind.to_owned(),
        severity: "warning".to_owned(),
        side: "inside".to_owned(),
        source: Some("10.0.0.5".parse().unwrap()),
        destination: None,
        network: None,
        source_name: None,
        destination_name: None,
        source_origin: None,
        destination_origin: None,
        target_names: Vec::new(),
        processes: Vec::new(),
        starts_at: 1_700_000_000_000_000_000,
        ends_at: None,
        sentence: "10.0.0.5 tried 22 hosts of 192.0.2.0/24 at 22/tcp in the last 170 s, 20 failed (limit 15): \
                   first 192.0.2.1:22/tcp"
            .to_owned(),
        value: 20.0,
        peak: 20.0,
        limit: 15.0,
        is_estimate: false,
        window_seconds: 170.0,
        bytes: 1_320,
        answered: Some(2),
        first_targets: vec!["192.0.2.1:22/tcp".to_owned()],
        last_targets: Vec::new(),
    }
}

/// The same, resolved 165 s later.
pub(super) fn resolved(kind: &str) -> Notice {
    Notice { is_firing: false, ends_at: Some(1_700_000_165_000_000_000), ..notice(kind) }
}

/// A finished file of 42 packets.
pub(super) fn evidence() -> EvidenceFile {
    EvidenceFile {
        starts_at: Timestamp::from_nanoseconds(1_700_000_000_000_000_000),
        path: PathBuf::from("/var/lib/trafficmonitor/a.pcapng"),
        is_finished: true,
        sha256: "00ff".to_owned(),
        packets: 42,
        is_complete: true,
    }
}
