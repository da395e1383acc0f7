//! Records of the journal: their meaning and their bytes.
//!
//! A record is the length of its payload and the CRC-32 of it (IEEE 802.3), each as four bytes, the lowest first, and
//! the payload in JSON. Takes and gives values. Must not know files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::notify::notice::Notice;

/// The most bytes of a payload; a greater length is damage.
const LONGEST_PAYLOAD: usize = 1 << 20;

/// The lengths and checksums before a payload.
pub(super) const HEAD: usize = 8;

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::notify) enum JournalRecord {
    /// A notice waits for some receivers.
    Waits {
        number: u64,
        receivers: Vec<String>,
        /// Nanoseconds since 1970 on the clock of the system.
        changed_at: i64,
        #[serde(with = "shared")]
        notice: Arc<Notice>,
    },
    /// A receiver accepted these notices, or they were given up.
    Settled {
        receiver: String,
        numbers: Vec<u64>,
        is_delivered: bool,
        /// Numbers of notices that the request counted and did not name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        counted: Vec<u64>,
    },
    /// An alert fires at a receiver: after a restart it fires still, or the journal was rewritten.
    Fires {
        receiver: String,
        #[serde(with = "shared")]
        notice: Arc<Notice>,
        /// True if no message named it.
        #[serde(default)]
        is_counted: bool,
    },
}

/// A notice that is shared in memory is written as itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::notify::notice::Notice;

    pub(super) fn serialize<S: Serializer>(notice: &Arc<Notice>, serializer: S) -> Result<S::Ok, S::Error> {
        notice.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Notice>, D::Error> {
        Notice::deserialize(deserializer).map(Arc::new)
    }
}

/// Appends the bytes of a record.
pub(super) fn encode(record: &JournalRecord, bytes: &mut Vec<u8>) {
    let Ok(payload) = serde_json::to_vec(record) else { return };
    let Some(length) = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= LONGEST_PAYLOAD) else { return };
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    bytes.extend_from_slice(&payload);
}

/// The next payload of some bytes.
#[derive(Debug, PartialEq)]
pub(super) enum RecordPart<'a> {
    /// A payload that is as it was written, and what follows it.
    Payload(&'a [u8], &'a [u8]),
    /// No whole payload: the end, or damage.
    End,
}

/// Splits the first record off.
pub(super) fn split(bytes: &[u8]) -> RecordPart<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return RecordPart::End };
    let [a, b, c, d, e, f, g, h] = *head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > LONGEST_PAYLOAD || length > rest.len() {
        return RecordPart::End;
    }
    let (payload, rest) = rest.split_at(length);
    if crc32fast::hash(payload) == u32::from_le_bytes([e, f, g, h]) {
        RecordPart::Payload(payload, rest)
    } else {
        RecordPart::End
    }
}
