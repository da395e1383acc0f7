//! The immutable view of the accounts that readers get: exposition, JSON, replay's output.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::flow::{Counters, FlowKey, FlowKeying};
use super::interval::FrameCounters;
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::{IpVersion, Protocol, Timestamp};

/// One flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// What it is known by.
    pub key: FlowKey,
    /// Where its packets go; as it was classified when its row was made.
    pub direction: Direction,
    /// When its first packet was captured.
    pub first_seen: Timestamp,
    /// What it carried since the start.
    pub counters: Counters,
}

/// Sums over all frames since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// All frames that count, IP or not.
    pub frames: FrameCounters,
    /// Frames left out because another captured interface showed them too.
    pub copies: FrameCounters,
    /// Frames that are not IP, in the order of [`NotIp::ALL`].
    pub not_ip: [u64; NotIp::ALL.len()],
    /// IP packets and bytes by direction and IP version, in the orders of their `ALL`.
    pub traffic: [[Counters; IpVersion::ALL.len()]; Direction::ALL.len()],
}

impl Totals {
    /// The IP packets and bytes that went `direction`.
    #[must_use]
    pub fn direction(&self, direction: Direction) -> Counters {
        let mut sum = Counters::default();
        self.traffic[direction as usize].iter().for_each(|&counters| sum.add(counters));
        sum
    }

    /// All IP packets and bytes.
    #[must_use]
    pub fn ip(&self) -> Counters {
        let mut sum = Counters::default();
        Direction::ALL.iter().for_each(|&direction| sum.add(self.direction(direction)));
        sum
    }

    /// The frames that are not IP.
    #[must_use]
    pub fn not_ip(&self) -> u64 {
        self.not_ip.iter().sum()
    }
}

/// What an interface delivered, and what its capture says of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its name, or a file's.
    pub name: String,
    /// Frames from it that count.
    pub frames: FrameCounters,
    /// What the kernel says of its capture; none for a file.
    pub capture: Option<Capture>,
}

/// The statistics of a live capture, summed over all times it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capture {
    /// Whether it is being captured now.
    pub up: bool,
    /// Packets that the filter let through, those dropped included.
    pub received: u64,
    /// Packets for which the kernel's ring had no room.
    pub dropped_by_kernel: u64,
    /// Packets that the network interface or its driver dropped.
    pub dropped_by_interface: u64,
}

/// Everything at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What makes a flow here.
    pub flow_keying: FlowKeying,
    /// The number of flows that may have a row.
    pub max_flows: usize,
    /// The flows that have a row, in the order in which they were first seen.
    pub flows: Vec<Flow>,
    /// What flows without a row carried.
    pub other: BTreeMap<(Direction, Protocol), Counters>,
    /// Sums since the start.
    pub totals: Totals,
    /// One entry a source of frames.
    pub interfaces: Vec<Interface>,
    /// Ticks at which a capture thread found no empty interval.
    pub handover_delays: u64,
}

/// The latest snapshot, for readers that must never hold the accountant up.
#[derive(Debug, Default)]
pub struct Published {
    latest: ArcSwap<Snapshot>,
}

impl Published {
    /// Puts `snapshot` in the place of the one before.
    pub fn publish(&self, snapshot: Snapshot) {
        self.latest.store(Arc::new(snapshot));
    }

    /// The snapshot that was published last; an empty one before the first.
    #[must_use]
    pub fn latest(&self) -> Arc<Snapshot> {
        self.latest.load_full()
    }
}
