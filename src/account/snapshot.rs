//! The immutable view of the accounts that readers get: exposition, JSON, replay's output.

use std::collections::BTreeMap;

use super::counter_table::Eviction;
use super::delivery::Ended;
use super::flow::{Counters, FlowKey, FlowKeying, HostKey, SeriesKey};
use super::interface::InterfaceId;
use super::interval::FrameCounters;
use super::series::Unrowed;
use super::series::others::ByDirection;
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::{IpVersion, Timestamp};

/// A flow or a host that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownRow<K> {
    /// What it is known by.
    pub key: K,
    /// When its first packet was captured.
    pub first_seen: Timestamp,
    /// When its last packet was captured; none for the rows of a live capture, which may outlive their flow.
    pub last_seen: Option<Timestamp>,
    /// When its row entered with value 0; its first packet where values are plain.
    pub shown_since: Timestamp,
    /// What it carried since it is held.
    pub lifetime: Counters,
    /// What its row counts; the lifetime where values are plain.
    pub value: Counters,
}

/// The rows of one table, and the sums outside them. Rows + other + retired + pending = total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<K: SeriesKey> {
    /// The rows.
    pub rows: Vec<ShownRow<K>>,
    /// What no row counts.
    pub other: BTreeMap<K::Group, Counters>,
    /// What no row counts of groups that have no sum of their own, or did not have one yet.
    pub rarer_other: ByDirection,
    /// The sums of rows that have gone.
    pub retired: Unrowed<K::Group>,
    /// The sums of new rows that do not count yet, because their first 0 was not read by every scraper.
    pub pending: Unrowed<K::Group>,
    /// The table's limits and how they are met.
    pub figures: Figures,
    /// Values are what was counted since the start, and nothing ever was retired: a file's accounts.
    pub is_plain: bool,
}

impl<K: SeriesKey> Default for Shown<K> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            other: BTreeMap::new(),
            rarer_other: ByDirection::default(),
            retired: Unrowed::default(),
            pending: Unrowed::default(),
            figures: Figures::default(),
            is_plain: false,
        }
    }
}

impl<K: SeriesKey> Shown<K> {
    /// The memory that the rows take, in bytes; the sums beside them are few.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<ShownRow<K>>()
    }
}

/// The limits of a table and how they are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// How many are held.
    pub held: usize,
    /// How many may be held.
    pub limit: usize,
    /// How many may be shown.
    pub row_limit: usize,
    /// How many left, in the order of [`Eviction::ALL`].
    pub evicted: [u64; Eviction::ALL.len()],
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

    /// The IP packets and bytes of each direction that there were any of.
    #[must_use]
    pub fn by_direction(&self) -> BTreeMap<Direction, Counters> {
        self.all_directions().into_iter().filter(|(_, counters)| !counters.is_empty()).collect()
    }

    /// The IP packets and bytes of every direction.
    #[must_use]
    pub fn all_directions(&self) -> BTreeMap<Direction, Counters> {
        Direction::ALL.map(|direction| (direction, self.direction(direction))).into()
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
    /// Its number in the ledger.
    pub id: InterfaceId,
    /// Its name, or a file's.
    pub name: String,
    /// Frames from it that count.
    pub frames: FrameCounters,
    /// What the kernel says of its capture; none for a file.
    pub capture: Option<Capture>,
    /// The first snapshot after the interface ceased to exist, with its last values; none while it exists.
    pub gone_since: Option<u64>,
}

impl Interface {
    /// True if all of its counters are 0.
    #[must_use]
    pub fn counts_nothing(&self) -> bool {
        let Capture { received, dropped_by_kernel, dropped_by_interface, .. } = self.capture.unwrap_or_default();
        self.frames.frames + received + dropped_by_kernel + dropped_by_interface == 0
    }
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
    /// Beside what the interface itself counts.
    pub coverage: Coverage,
}

impl Capture {
    /// Adds what the capture has counted since; it is up as `since` says.
    pub fn add(&mut self, since: Self) {
        self.up = since.up;
        self.received += since.received;
        self.dropped_by_kernel += since.dropped_by_kernel;
        self.dropped_by_interface += since.dropped_by_interface;
        self.coverage.add(since.coverage);
    }
}

/// What a capture delivered beside what its network interface counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Whether the two can be compared: nothing was left out by a filter, joined or split in between.
    pub is_comparable: bool,
    /// Packets that the capture delivered while it was so.
    pub delivered: u64,
    /// Packets that the interface received and sent meanwhile.
    pub on_interface: u64,
}

impl Coverage {
    /// Adds what was counted since.
    pub fn add(&mut self, since: Self) {
        self.is_comparable = since.is_comparable;
        self.delivered += since.delivered;
        self.on_interface += since.on_interface;
    }

    /// What was delivered over what there was; none where that cannot be said.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let is_known = self.is_comparable && self.on_interface > 0;
        is_known.then(|| self.delivered as f64 / self.on_interface as f64)
    }
}

/// Everything at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Its number among those that were published, from 1; 0 where none are.
    pub number: u64,
    /// What makes a flow here.
    pub flow_keying: FlowKeying,
    /// The flows that are shown.
    pub flows: Shown<FlowKey>,
    /// The hosts that are shown.
    pub hosts: Shown<HostKey>,
    /// Sums since the start.
    pub totals: Totals,
    /// One entry a source of frames, in the order of their numbers.
    pub interfaces: Vec<Interface>,
    /// Entries of interfaces that were given up before every scraper had read their last values.
    pub interfaces_retired_unread: u64,
    /// Ticks at which a capture thread found no empty interval.
    pub handover_delays: u64,
    /// What found no room in an interval.
    pub overflow: Counters,
    /// ICMP errors for whose mark there was no room in an interval.
    pub refusals_lost: u64,
    /// Conversations forgotten because there were too many.
    pub conversations_forgotten: u64,
    /// Scrapes that have ended.
    pub scrapes: Ended,
    /// What takes memory, and how much, in bytes.
    pub memory: Vec<(&'static str, u64)>,
}

impl Snapshot {
    /// The interface of that number, if it still has an entry.
    #[must_use]
    pub fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.binary_search_by_key(&id, |interface| interface.id).ok().map(|at| &self.interfaces[at])
    }

    /// True if an interface is up and being captured.
    #[must_use]
    pub fn is_capturing(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.capture.is_some_and(|capture| capture.up))
    }
}
