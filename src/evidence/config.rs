//! The settings of evidence.
//!
//! A plain value. Must not know where its text came from.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of the packet ring, the evidence files and packet logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Bytes of memory for recent packets; none if no packets are kept.
    pub ring_bytes: Option<u64>,
    /// The most bytes of packets that wait for the evidence thread.
    pub queue_bytes: usize,
    /// The most bytes that are kept of a packet.
    pub packet_bytes: u32,
    /// The folder of evidence files, and of logged packets once their traffic is anomalous.
    pub archive_dir: Option<PathBuf>,
    /// The most bytes of an evidence file.
    pub max_bytes: u64,
    /// The longest time for which packets are added to an evidence file after its alert fired.
    pub longest: Duration,
    /// The most bytes of all files in the archive; the oldest ones are removed.
    pub quota_bytes: u64,
    /// Packet logging.
    pub packet_log: PacketLogConfig,
}

/// The settings of packet logging: one rotating capture file for each conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketLogConfig {
    /// True if all packets are logged.
    pub is_on: bool,
    /// The folder of files whose conversation goes on.
    pub dir: Option<PathBuf>,
    /// The most bytes of a file.
    pub max_file_bytes: u64,
    /// The most files of one conversation.
    pub max_rotations: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ring_bytes: None,
            queue_bytes: 32 << 20,
            packet_bytes: 256,
            archive_dir: None,
            max_bytes: 64 << 20,
            longest: Duration::from_secs(600),
            quota_bytes: 1 << 30,
            packet_log: PacketLogConfig::default(),
        }
    }
}

impl Default for PacketLogConfig {
    fn default() -> Self {
        Self { is_on: false, dir: None, max_file_bytes: 1_000_000, max_rotations: 10 }
    }
}
