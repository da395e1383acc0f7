//! Notices for tests.

use crate::notify::Notice;

/// A firing notice of the alert with this fingerprint.
pub(in crate::notify) fn firing(fingerprint: u64) -> Notice {
    Notice {
        fingerprint: format!("{fingerprint:016x}"),
        is_firing: true,
        kind: "host_scan".to_owned(),
        rule: "scan".to_owned(),
        severity: "warning".to_owned(),
        side: "inside".to_owned(),
        source: Some([10, 0, 0, 1].into()),
        destination: None,
        network: None,
        source_name: None,
        destination_name: None,
        source_origin: None,
        destination_origin: None,
        target_names: Vec::new(),
        processes: Vec::new(),
        starts_at: 1_000_000_000,
        ends_at: None,
        sentence: "10.0.0.1 contacted 100 hosts in 10 s; the limit is 50.".to_owned(),
        value: 100.0,
        peak: 100.0,
        limit: 50.0,
        is_estimate: false,
        window_seconds: 10.0,
        bytes: 6_000,
        answered: Some(0),
        first_targets: vec!["10.0.1.1:80/tcp".to_owned()],
        last_targets: vec!["10.0.1.100:80/tcp".to_owned()],
    }
}

/// The resolved notice of the alert with this fingerprint.
pub(in crate::notify) fn resolved(fingerprint: u64) -> Notice {
    Notice { is_firing: false, ends_at: Some(2_000_000_000), ..firing(fingerprint) }
}
