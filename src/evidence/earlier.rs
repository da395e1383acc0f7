//! The finished files of earlier runs, so that pages and receivers still find them.
//!
//! Takes the archive; notes its files in the index. Must not change any file.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::alert::{EvidenceFile, EvidenceIndex, Fingerprint};
use crate::os::files::open_to_read;
use crate::packet::Timestamp;

/// The most bytes of a verdict.
const LARGEST: u64 = 1 << 20;

/// The part of a verdict that is read.
#[derive(Deserialize)]
struct EarlierVerdict {
    alert: EarlierAlert,
    window: EarlierWindow,
    file: EarlierFile,
}

#[derive(Deserialize)]
struct EarlierAlert {
    fingerprint: String,
    /// Seconds since 1970, exact to the microsecond.
    ts: f64,
}

#[derive(Deserialize)]
struct EarlierWindow {
    complete: bool,
}

#[derive(Deserialize)]
struct EarlierFile {
    name: String,
    packets: u64,
    sha256: String,
}

/// Notes the files of the archive that have a verdict, the oldest first. Others are passed over.
pub(super) fn note_all(archive: &Path, index: &EvidenceIndex) {
    let Ok(entries) = fs::read_dir(archive) else { return };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut verdicts: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    // Names begin with the time.
    verdicts.sort();
    verdicts.iter().for_each(|path| note(archive, path, index));
}

/// Notes the file of a verdict in the archive, if both can be read.
pub(super) fn note(archive: &Path, verdict: &Path, index: &EvidenceIndex) {
    if let Some((fingerprint, file)) = read(archive, verdict) {
        index.note_earlier(fingerprint, file);
    }
}

fn read(archive: &Path, verdict: &Path) -> Option<(Fingerprint, EvidenceFile)> {
    let mut text = String::new();
    open_to_read(verdict).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    let EarlierVerdict { alert, window, file } = serde_json::from_str(&text).ok()?;
    let path = archive.join(&file.name);
    let is_beside = path.parent() == Some(archive) && path.with_extension("json") == verdict && path.is_file();
    let fingerprint = Fingerprint(u64::from_str_radix(&alert.fingerprint, 16).ok()?);
    let starts_at = Timestamp::from_nanoseconds((alert.ts * 1e6).round() as i64 * 1_000);
    let found = EvidenceFile {
        starts_at,
        path,
        is_finished: true,
        sha256: file.sha256,
        packets: file.packets,
        is_complete: window.complete,
    };
    is_beside.then_some((fingerprint, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &str) -> String {
        format!(
            r#"{{"alert": {{"fingerprint": "00000000000000ab", "ts": 1795926357.087485}}, "window": {{"complete": true}},
                "file": {{"name": "{name}", "packets": 7, "sha256": "00ff"}}, "form": 1}}"#
        )
    }

    #[test]
    fn files_with_a_verdict_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path();
        fs::write(archive.join("b.pcapng"), "packets").unwrap();
        fs::write(archive.join("b.json"), verdict("b.pcapng")).unwrap();
        fs::write(archive.join("c.json"), "{").unwrap();
        fs::write(archive.join("d.json"), verdict("../d.pcapng")).unwrap();
        fs::write(archive.join("e.json"), verdict("e.pcapng")).unwrap();
        let index = EvidenceIndex::announcing(|_, _| panic!("it is no news"));
        note_all(archive, &index);
        let file = index.find(Fingerprint(0xab)).unwrap();
        assert_eq!(file.path, archive.join("b.pcapng"));
        assert_eq!((file.packets, file.sha256.as_str(), file.is_complete, file.is_finished), (7, "00ff", true, true));
        assert_eq!(file.starts_at, Timestamp::from_nanoseconds(1_795_926_357_087_485_000));
    }
}
