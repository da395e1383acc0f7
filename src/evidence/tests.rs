//! What the tests of this room share.

use std::sync::mpsc::channel;

use super::*;
use crate::alert::Alert;
use crate::alert::tests::alert as firing;
use crate::detect::{Figures, Kind, Subject};

pub(super) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_nanoseconds(seconds * 1_000_000_000)
}

/// An alert with a window of 60 s, which fires at second 100.
pub(super) fn alert(kind: Kind, subject: Subject) -> Alert {
    let window = std::time::Duration::from_secs(60);
    firing(kind, subject, Figures { value: 16.0, limit: 15.0, window, ..Figures::default() })
}

/// A chunk of packets, by second.
pub(super) fn chunk(interface: &str, packets: &[(i64, &[u8])]) -> Chunk {
    let (sender, messages) = channel();
    let source =
        PacketSource { interface: interface.to_owned(), link_type: crate::packet::LinkType(1), snap_length: 262_144 };
    let mut recorder = PacketRecorder::new(source, 65_535, EvidenceSender::new(sender, Arc::default()));
    for (second, bytes) in packets {
        let packet = RecordedPacket { time: seconds(*second), bytes, wire_bytes: bytes.len() as u32 };
        recorder.record_other(packet);
    }
    recorder.hand_over();
    match messages.recv().unwrap() {
        Message::Packets(chunk) => chunk,
        other => panic!("{other:?}"),
    }
}
