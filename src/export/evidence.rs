//! The metrics of kept and written packets, where packets are kept. Takes figures; gives samples. Must not know how packets
//! are kept.

use std::io::{self, Write};

use super::family;
use super::text::TextWriter;
use crate::evidence::EvidenceFigures;

/// Writes the figures of the ring, of evidence files and of packet logging.
pub(super) fn write<W: Write>(figures: &EvidenceFigures, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.single(&family::EVIDENCE_RING_BYTES, figures.ring_bytes)?;
    writer.family(&family::EVIDENCE_RING_SECONDS)?;
    writer.sample(family::EVIDENCE_RING_SECONDS.name).value_f64(figures.ring_span.as_secs_f64())?;
    for (family, value) in [
        (family::EVIDENCE_PACKETS_LOST, figures.lost_packets),
        (family::EVIDENCE_ALERTS_LOST, figures.lost_changes),
        (family::EVIDENCE_FILES_OPEN, figures.open_files),
        (family::EVIDENCE_FILES_WRITTEN, figures.written_files),
        (family::EVIDENCE_FILES_REFUSED, figures.refused_files),
        (family::EVIDENCE_FILES_REMOVED, figures.removed_files),
        (family::EVIDENCE_PACKETS_WRITTEN, figures.written_packets),
        (family::EVIDENCE_PACKETS_MISSED, figures.missed_packets),
        (family::EVIDENCE_WRITE_ERRORS, figures.write_errors),
        (family::EVIDENCE_ARCHIVE_BYTES, figures.archive_bytes),
        (family::PACKET_LOG_CONVERSATIONS, figures.log_conversations),
        (family::PACKET_LOG_BYTES, figures.log_bytes),
        (family::PACKET_LOG_PACKETS, figures.logged_packets),
        (family::PACKET_LOG_LOST, figures.log_lost_packets),
        (family::PACKET_LOG_ARCHIVED, figures.log_archived_files),
    ] {
        writer.single(&family, value)?;
    }
    Ok(())
}
