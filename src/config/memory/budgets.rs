//! The budgets at a scale: every budget that is not given, as a part of its default.
//!
//! Takes a configuration and a scale; gives the configuration with smaller budgets. Must not know what an entry costs.

use super::{GivenBudgets, Measure};
use crate::capture::Selection;
use crate::config::Config;
use crate::config::declaration::FileKey;
use crate::kernel::Daq;

/// The scale of the defaults. Smaller scales are parts of it.
pub(super) const LARGEST_SCALE: u64 = 1_024;

/// The settings that are budgets.
pub(super) const GIVEN_BUDGETS: [FileKey; 11] = [
    ("account", "max_flows"),
    ("account", "max_series"),
    ("account", "max_hosts"),
    ("account", "max_host_series"),
    ("anomaly", "max_pairs"),
    ("policy", "max_sources"),
    ("alert", "max_alerts"),
    ("names", "max_hosts"),
    ("evidence", "ring"),
    ("capture", "buffer_size"),
    ("kernel", "map_memory"),
];

/// The most interfaces with `all` under a limit at the largest scale, and at the smallest.
const MOST_INTERFACES: u64 = 64;
const FEWEST_INTERFACES: u64 = 2;
const MEBIBYTE: u64 = 1 << 20;
/// The smallest ring, of four of libpcap's blocks.
const SMALLEST_RING: u64 = MEBIBYTE;
/// The fewest rows of an interval: those at which a flood is handed over.
const FEWEST_ROWS: u64 = 1_024;

/// A scale of budgets.
#[derive(Debug, Clone, Copy)]
struct Scale(u64);

impl Scale {
    /// The part of `default`, `floor` at least. A default that is smaller stays.
    fn of(self, default: u64, floor: u64) -> u64 {
        (u128::from(default) * u128::from(self.0) / u128::from(LARGEST_SCALE))
            .max(u128::from(floor))
            .min(default.into()) as u64
    }

    /// As [`Scale::of`], by the square of the scale: for what many interfaces have together, and few need.
    fn squared(self, default: u64, floor: u64) -> u64 {
        Self(self.0 * self.0 / LARGEST_SCALE).of(default, floor)
    }

    /// As [`Scale::of`], a power of two.
    fn power_of_two(self, default: u64, floor: u64) -> u64 {
        1 << self.of(default, floor).max(1).ilog2()
    }

    fn shrink(self, budget: &mut usize, floor: u64) {
        *budget = self.of(*budget as u64, floor) as usize;
    }
}

/// The configuration with all budgets that are not given at `scale`, from 1 to [`LARGEST_SCALE`].
pub(super) fn scaled(config: &Config, scale: u64, measure: Measure) -> Config {
    let (mut scaled, scale, given) = (config.clone(), Scale(scale), &config.memory.given);
    scale_accounts(&mut scaled, scale, given);
    if measure == Measure::Resident {
        scale_rings(&mut scaled, scale, given);
    }
    scale_detection(&mut scaled, scale, given);
    scale_outputs(&mut scaled, scale, given);
    scaled
}

fn scale_accounts(config: &mut Config, scale: Scale, given: &GivenBudgets) {
    let account = &mut config.account;
    let is_given = |key| given.has("account", key);
    // No fewer entries than rows that were given.
    let floor = |rows: usize, key, floor: u64| if is_given(key) { (rows as u64).max(floor) } else { floor };
    if !is_given("max_flows") {
        scale.shrink(&mut account.max_flows, floor(account.max_series, "max_series", 1_024));
    }
    if !is_given("max_hosts") {
        scale.shrink(&mut account.max_hosts, floor(account.max_host_series, "max_host_series", 512));
    }
    if !is_given("max_series") {
        scale.shrink(&mut account.max_series, 256);
    }
    if !is_given("max_host_series") {
        scale.shrink(&mut account.max_host_series, 64);
    }
    account.max_series = account.max_series.min(account.max_flows);
    account.max_host_series = account.max_host_series.min(account.max_hosts);
    let rows = &mut config.pipeline.interval_rows;
    *rows = scale.power_of_two(*rows as u64, FEWEST_ROWS) as usize;
    config.history.divisor = match scale.0 {
        ..256 => 4,
        256..512 => 2,
        _ => 1,
    };
}

fn scale_rings(config: &mut Config, scale: Scale, given: &GivenBudgets) {
    let capture = &mut config.capture;
    if !given.has("capture", "buffer_size") {
        capture.buffer_bytes = scale.power_of_two(capture.buffer_bytes.into(), SMALLEST_RING) as u32;
    }
    if capture.selection == Selection::All {
        let handles = scale.squared(MOST_INTERFACES, FEWEST_INTERFACES) * capture.workers as u64;
        // One more ring, for a replacement.
        capture.all_rings_bytes = scale.squared(capture.all_rings_bytes, (handles + 1) * SMALLEST_RING);
        capture.most_handles = capture.most_handles.min(handles as usize);
    }
}

fn scale_detection(config: &mut Config, scale: Scale, given: &GivenBudgets) {
    if let Some(bandwidth) = &mut config.detect.bandwidth {
        scale.shrink(&mut bandwidth.max_addresses, 512);
        scale.shrink(&mut bandwidth.max_cells, 4_096);
        scale.shrink(&mut bandwidth.max_pairs, 256);
        scale.shrink(&mut bandwidth.max_pair_cells, 1_024);
    }
    if let Some(scan) = &mut config.detect.scan {
        scale.shrink(&mut scan.max_sources, 512);
        scale.shrink(&mut scan.max_contacts, 1_536);
        scale.shrink(&mut scan.max_waiting, 512);
    }
    if let Some(anomaly) = &mut config.detect.anomaly
        && !given.has("anomaly", "max_pairs")
    {
        scale.shrink(&mut anomaly.max_pairs, 128);
    }
    if !given.has("policy", "max_sources") {
        scale.shrink(&mut config.policy.max_sources, 256);
        if let Some(policy) = &mut config.detect.policy {
            policy.max_sources = config.policy.max_sources;
        }
    }
    scale.shrink(&mut config.policy.events.max_sources, 1_024);
    if !given.has("alert", "max_alerts") {
        scale.shrink(&mut config.alert.max_alerts, 240);
    }
}

fn scale_outputs(config: &mut Config, scale: Scale, given: &GivenBudgets) {
    scale.shrink(&mut config.events.queue_bytes, MEBIBYTE);
    scale.shrink(&mut config.evidence.queue_bytes, 2 * MEBIBYTE);
    if let Some(ring) = &mut config.evidence.ring_bytes
        && !given.has("evidence", "ring")
    {
        *ring = scale.of(*ring, 4 * MEBIBYTE);
    }
    if !given.has("names", "max_hosts") {
        scale.shrink(&mut config.names.max_hosts, 256);
    }
    scale.shrink(&mut config.http.most_connections, 32);
    if !given.has("kernel", "map_memory") {
        config.kernel.map_bytes = scale.of(config.kernel.map_bytes, 16 * MEBIBYTE);
    }
}

/// Takes the budgets that only a start can change from the `running` configuration, unless they are given. Others of a
/// reload take their place.
pub(super) fn keep_started(config: &mut Config, running: &Config) {
    let (read, in_force) = (config.memory.clone(), &running.memory);
    let is_derived = |section, key| read.derives((section, key)) && in_force.derives((section, key));
    config.pipeline.interval_rows = running.pipeline.interval_rows;
    config.history.divisor = running.history.divisor;
    config.policy.events.max_sources = running.policy.events.max_sources;
    config.events.queue_bytes = running.events.queue_bytes;
    config.evidence.queue_bytes = running.evidence.queue_bytes;
    config.http.most_connections = running.http.most_connections;
    config.capture.all_rings_bytes = running.capture.all_rings_bytes;
    config.capture.most_handles = running.capture.most_handles;
    if is_derived("capture", "buffer_size") {
        config.capture.buffer_bytes = running.capture.buffer_bytes;
    }
    if is_derived("evidence", "ring") && config.evidence.ring_bytes.is_some() == running.evidence.ring_bytes.is_some() {
        config.evidence.ring_bytes = running.evidence.ring_bytes;
    }
    if is_derived("names", "max_hosts") {
        config.names.max_hosts = running.names.max_hosts;
    }
    if is_derived("kernel", "map_memory") {
        config.kernel.map_bytes = running.kernel.map_bytes;
    }
    // The kernel's maps have the size of the flow table at the start.
    if running.kernel.daq != Daq::Libpcap && is_derived("account", "max_flows") {
        config.account.max_flows = running.account.max_flows;
        if read.derives(("account", "max_series")) {
            config.account.max_series = config.account.max_series.min(config.account.max_flows);
        }
        config.kernel.max_conversations = running.kernel.max_conversations;
    }
}
