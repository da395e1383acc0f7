//! The facts about a finished file, as its verdict has them.
//!
//! Takes a verdict and what is in its file; gives the verdict as JSON. Must not know how files are written.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::seconds_since_1970;
use crate::packet::Timestamp;

/// The version of the form of verdicts.
pub(in crate::evidence) const FORM: u32 = 2;
/// The reason in the verdict of a file that a killed program left.
pub(in crate::evidence) const KILLED: &str = "the program was killed";

/// The whole blocks in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileContents {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl FileContents {
    /// So many bytes without a packet.
    pub(super) const fn without_packets(bytes: u64) -> Self {
        Self { bytes, packets: 0, first: Timestamp::AFTER_ALL, last: Timestamp::BEFORE_ALL }
    }

    /// Notes a packet; its bytes are counted apart.
    pub(super) fn note(&mut self, time: Timestamp) {
        self.packets += 1;
        (self.first, self.last) = (self.first.min(time), self.last.max(time));
    }
}

/// An interface of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileInterface {
    pub(super) name: String,
    /// The link type in files.
    pub(super) link_type: u16,
    pub(super) packets: u64,
}

/// The verdict with the facts about its file at `path`.
pub(super) fn with_facts(
    mut verdict: Map<String, Value>,
    path: &Path,
    contents: &FileContents,
    interfaces: &[FileInterface],
    sha256: &str,
) -> String {
    let moment = |time| (contents.packets > 0).then(|| seconds_since_1970(time));
    let interface = |of: &FileInterface| json!({"name": of.name, "link_type": of.link_type, "packets": of.packets});
    verdict.insert(
        "file".to_owned(),
        json!({
            "name": path.file_name().map(|name| name.to_string_lossy()),
            "bytes": contents.bytes,
            "sha256": sha256,
            "packets": contents.packets,
            "first_packet": moment(contents.first),
            "last_packet": moment(contents.last),
            "interfaces": interfaces.iter().map(interface).collect::<Vec<_>>(),
        }),
    );
    // A map of plain values can always be written.
    serde_json::to_string_pretty(&verdict).unwrap_or_default() + "\n"
}
