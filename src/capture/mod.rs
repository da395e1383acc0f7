//! Capture: reads frames from interfaces and files.
//!
//! Takes names of interfaces and files; gives [`Frame`](crate::packet::Frame)s and the kernel's counters of drops. Must
//! not know the contents of frames. This is the only room that uses libpcap.

mod bindings;
mod error;
pub mod filter;
pub mod live;
pub mod masquerade;
pub mod names;
pub mod network;
pub mod nic;
pub mod once;
pub mod printable;
mod program;
pub mod savefile;
pub mod selection;

use std::time::Duration;

pub use bindings::library_version;
pub use error::{Error, file_name, shortened};
pub use printable::printable;

/// The choice of interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// Every interface that is up and not loopback, followed as they come and go, without those that show the same
    /// frames twice.
    #[default]
    All,
    /// libpcap's pseudo-device `any`.
    Any,
    /// These.
    Named(Vec<String>),
}

/// The most bytes of all rings together, with [`Selection::All`], unless a limit on memory says fewer.
const ALL_RINGS_BYTES: u64 = 512 << 20;

/// Settings of capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The interfaces to capture.
    pub selection: Selection,
    /// Interfaces that [`Selection::All`] and [`Selection::Any`] leave out.
    pub excluded: Vec<String>,
    /// True if [`Selection::All`] has Ethernet interfaces alone.
    pub ethernet_only: bool,
    /// A BPF filter in the syntax of pcap-filter(7).
    pub filter: Option<String>,
    /// Promiscuous mode.
    pub promiscuous: bool,
    /// Bytes kept of a frame, 1 to 65535.
    pub snap_length: u32,
    /// The kernel's ring of each handle, in bytes.
    pub buffer_bytes: u32,
    /// The most bytes of all rings together, with [`Selection::All`].
    pub all_rings_bytes: u64,
    /// The most handles, with [`Selection::All`].
    pub most_handles: usize,
    /// Handles an interface that share its packets, each with a thread and a ring of its own.
    pub workers: usize,
    /// Longest time for which the kernel may hold frames back to hand over more at once.
    pub read_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            selection: Selection::All,
            excluded: Vec::new(),
            ethernet_only: false,
            filter: None,
            promiscuous: false,
            snap_length: 1500,
            buffer_bytes: 32 << 20,
            all_rings_bytes: ALL_RINGS_BYTES,
            most_handles: usize::MAX,
            workers: 1,
            read_timeout: Duration::from_millis(100),
        }
    }
}
