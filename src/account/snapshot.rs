//! The immutable view of the accounts: read by exposition, JSON and replay.
//!
//! Takes values from the snapshot builder; gives them to readers. Must not know how they were counted.

use std::collections::BTreeMap;

use super::InterfaceId;
use super::delivery::EndedScrapes;
use super::flow::{Counters, FlowKey, FlowKeying, HostKey, SeriesKey};
use super::interval::{FrameCounters, KernelSums, VerdictCounters};
use super::series::OutsideRows;
pub use super::series::ShownRow;
use super::series::others::ByDirection;
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::IpVersion;
use crate::tables::Eviction;

/// The rows of one table, and the sums outside them. Rows + other + retired + pending = total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<K: SeriesKey> {
    /// The rows.
    pub rows: Vec<ShownRow<K>>,
    /// Traffic without a row, by group.
    pub other: BTreeMap<K::Group, Counters>,
    /// Traffic without a row, by direction, of groups without a sum of their own.
    pub rarer_other: ByDirection,
    /// The sums of rows that have gone.
    pub retired: OutsideRows<K::Group>,
    /// The sums of new rows that do not count yet, because some scraper has not read their first 0.
    pub pending: OutsideRows<K::Group>,
    /// The limits of the table and how full it is.
    pub figures: TableFigures,
    /// True for the accounts of a file: values count from the start, and no row was ever retired.
    pub is_plain: bool,
}

impl<K: SeriesKey> Default for Shown<K> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            other: BTreeMap::new(),
            rarer_other: ByDirection::default(),
            retired: OutsideRows::default(),
            pending: OutsideRows::default(),
            figures: TableFigures::default(),
            is_plain: false,
        }
    }
}

impl<K: SeriesKey> Shown<K> {
    /// Memory of the rows in bytes; the sums beside them are few.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<ShownRow<K>>()
    }
}

/// The limits of a table and how full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableFigures {
    /// Number of entries.
    pub entries: usize,
    /// Most entries.
    pub limit: usize,
    /// Most rows.
    pub row_limit: usize,
    /// Number of entries that left, in the order of [`Eviction::ALL`].
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
    /// The sums that only the kernel path has; none without it.
    pub kernel: Option<KernelSums>,
    /// IP packets and bytes by verdict; none without a policy.
    pub verdicts: Option<VerdictCounters>,
}

impl Totals {
    /// The IP packets and bytes of `direction`.
    pub fn direction(&self, direction: Direction) -> Counters {
        self.traffic[direction as usize].into_iter().fold(Counters::default(), Counters::plus)
    }

    /// The IP packets and bytes of each direction that has any.
    pub(crate) fn by_direction(&self) -> BTreeMap<Direction, Counters> {
        self.all_directions().into_iter().filter(|(_, counters)| !counters.is_empty()).collect()
    }

    pub(crate) fn all_directions(&self) -> BTreeMap<Direction, Counters> {
        Direction::ALL.map(|direction| (direction, self.direction(direction))).into()
    }

    /// All IP packets and bytes.
    pub fn ip(&self) -> Counters {
        self.traffic.as_flattened().iter().copied().fold(Counters::default(), Counters::plus)
    }

    /// The frames that are not IP.
    pub fn not_ip(&self) -> u64 {
        self.not_ip.iter().sum()
    }
}

/// The counters of an interface and the statistics of its capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterfaceEntry {
    /// Its number in the ledger.
    pub id: InterfaceId,
    /// Its name, or a file's.
    pub name: String,
    /// Frames from it that count.
    pub frames: FrameCounters,
    /// The kernel's statistics of its capture; none for a file.
    pub capture: Option<Capture>,
    /// The first snapshot after the interface ceased to exist, with its last values; none while it exists.
    pub gone_since: Option<u64>,
}

impl InterfaceEntry {
    pub(crate) fn counts_nothing(&self) -> bool {
        let Capture { received, dropped_by_kernel, dropped_by_interface, .. } = self.capture.unwrap_or_default();
        self.frames.frames + received + dropped_by_kernel + dropped_by_interface == 0
    }
}

/// The statistics of a live capture, summed over all times it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capture {
    /// True if it is being captured now.
    pub up: bool,
    /// Packets that passed the filter, including those that were dropped later.
    pub received: u64,
    /// Packets that the kernel dropped because its ring was full.
    pub dropped_by_kernel: u64,
    /// Packets that the network interface or its driver dropped.
    pub dropped_by_interface: u64,
    /// The comparison with the counters of the interface itself.
    pub coverage: Coverage,
}

impl Capture {
    /// Adds the statistics of a later part of the capture, and takes its `up`.
    pub(crate) fn add(&mut self, since: Self) {
        self.up = since.up;
        self.received += since.received;
        self.dropped_by_kernel += since.dropped_by_kernel;
        self.dropped_by_interface += since.dropped_by_interface;
        self.coverage.add(since.coverage);
    }
}

/// The reason why the packets of a capture cannot be compared with those that its network interface counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoverageObstacle {
    /// One handle captures all interfaces, so the packets of each are not known.
    AllInterfaces,
    /// A filter leaves packets out.
    Filter,
    /// Several workers share the packets.
    Workers,
    /// The interface was down since the capture started.
    Down,
    /// Packets are joined or split between the interface and the capture (TSO, GSO, GRO, LRO).
    Offloads,
    /// An XDP program may take packets away.
    Xdp,
    /// The kernel does not say whether packets are joined, split or taken away.
    Unanswered,
    /// Packets are counted in the kernel, not captured.
    KernelPath,
}

/// The packets of a capture compared with those that its network interface counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// True if both can be compared: no filter left packets out, and none were joined or split in between.
    pub is_comparable: bool,
    /// The reason why they cannot be compared, if it is known.
    pub obstacle: Option<CoverageObstacle>,
    /// Packets that the capture delivered while they could be compared.
    pub delivered: u64,
    /// Packets that the interface received and sent meanwhile.
    pub on_interface: u64,
}

impl Coverage {
    /// Adds a later part.
    pub(crate) fn add(&mut self, since: Self) {
        (self.is_comparable, self.obstacle) = (since.is_comparable, since.obstacle);
        self.delivered += since.delivered;
        self.on_interface += since.on_interface;
    }

    /// Delivered packets divided by those of the interface; none if they cannot be compared.
    pub fn ratio(&self) -> Option<f64> {
        let is_known = self.is_comparable && self.on_interface > 0;
        is_known.then(|| self.delivered as f64 / self.on_interface as f64)
    }
}

/// All accounts at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The number of the snapshot, from 1; 0 if snapshots are not published.
    pub number: u64,
    /// The fields that make a flow.
    pub flow_keying: FlowKeying,
    /// The flows that are shown.
    pub flows: Shown<FlowKey>,
    /// The hosts that are shown.
    pub hosts: Shown<HostKey>,
    /// Sums since the start.
    pub totals: Totals,
    /// One entry a source of frames, in the order of their numbers.
    pub interfaces: Vec<InterfaceEntry>,
    /// Number of entries of interfaces that were retired before every scraper had read their last values.
    pub interfaces_retired_unread: u64,
    /// Ticks at which a capture thread found no empty interval.
    pub handover_delays: u64,
    /// Packets and bytes without a row in an interval, because it was full.
    pub overflow: Counters,
    /// ICMP errors whose refusal found no space in an interval.
    pub refusals_lost: u64,
    /// Conversations forgotten because there were too many.
    pub conversations_forgotten: u64,
    /// Scrapes that have ended.
    pub scrapes: EndedScrapes,
    /// Memory in bytes, by part.
    pub memory: Vec<(&'static str, u64)>,
}

impl Snapshot {
    /// The interface of that number, if it still has an entry.
    pub fn interface(&self, id: InterfaceId) -> Option<&InterfaceEntry> {
        self.interfaces.binary_search_by_key(&id, |interface| interface.id).ok().map(|at| &self.interfaces[at])
    }

    /// True if an interface is up and being captured.
    pub fn is_capturing(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.capture.is_some_and(|capture| capture.up))
    }
}
