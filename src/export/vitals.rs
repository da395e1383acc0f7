//! Metric families of a live capture that do not depend on snapshots: its threads, the network, the memory of its
//! rings. So they are right even if the accountant has stopped. Takes changes from the threads; gives samples. Must not
//! know accounts.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector as _;
use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

use super::family::{self, Family};

/// Shared by the threads that set the figures and the registry that shows them.
#[derive(Debug, Clone)]
pub struct Vitals {
    thread_up: IntGaugeVec,
    network_stale: IntGauge,
    ring_bytes: IntGauge,
    memory_limit: IntGauge,
    refused_rings: IntCounter,
    reattached: IntCounter,
    is_reloaded: IntGauge,
    reloaded_at: IntGauge,
}

impl Vitals {
    /// Figures that nothing shows yet.
    ///
    /// # Errors
    /// When a declaration is no metric.
    pub fn new() -> Result<Self, prometheus::Error> {
        let thread_up = IntGaugeVec::new(options(&family::THREAD_UP), family::THREAD_UP.labels)?;
        Ok(Self {
            thread_up,
            network_stale: IntGauge::with_opts(options(&family::NETWORK_STALE))?,
            ring_bytes: IntGauge::with_opts(options(&family::RING_BYTES))?,
            memory_limit: IntGauge::with_opts(options(&family::MEMORY_LIMIT))?,
            refused_rings: IntCounter::with_opts(options(&family::RINGS_REFUSED))?,
            reattached: IntCounter::with_opts(options(&family::KERNEL_REATTACHED))?,
            is_reloaded: IntGauge::with_opts(options(&family::RELOAD_SUCCESSFUL))?,
            reloaded_at: IntGauge::with_opts(options(&family::RELOAD_SUCCESS_TIME))?,
        })
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.thread_up.clone()))?;
        registry.register(Box::new(self.network_stale.clone()))?;
        registry.register(Box::new(self.ring_bytes.clone()))?;
        registry.register(Box::new(self.memory_limit.clone()))?;
        registry.register(Box::new(self.refused_rings.clone()))?;
        registry.register(Box::new(self.reattached.clone()))?;
        registry.register(Box::new(self.is_reloaded.clone()))?;
        registry.register(Box::new(self.reloaded_at.clone()))
    }

    /// Says whether a thread works.
    pub fn set_thread_up(&self, thread: &str, is_up: bool) {
        self.thread_up.with_label_values(&[thread]).set(i64::from(is_up));
    }

    /// A thread that does not work any more, if there is one.
    pub fn dead_thread(&self) -> Option<String> {
        let families = self.thread_up.collect();
        let mut metrics = families.iter().flat_map(|family| family.get_metric());
        let dead = metrics.find(|metric| metric.get_gauge().get_value() == 0.0)?;
        dead.get_label().first().map(|label| label.value().to_owned())
    }

    /// Says whether the network may have changed since it was last read.
    pub fn set_network_stale(&self, is_stale: bool) {
        self.network_stale.set(i64::from(is_stale));
    }

    /// The memory of all capture rings.
    pub fn set_ring_bytes(&self, bytes: u64) {
        self.ring_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The limit on resident memory in bytes; none is shown as 0.
    pub fn set_memory_limit(&self, limit: Option<u64>) {
        self.memory_limit.set(i64::try_from(limit.unwrap_or(0)).unwrap_or(i64::MAX));
    }

    /// Counts a ring for which there was no memory left.
    pub fn count_refused_ring(&self) {
        self.refused_rings.inc();
    }

    /// Counts an interface to which the kernel's program was attached again.
    pub fn count_reattached(&self) {
        self.reattached.inc();
    }

    /// Says that the configuration was read at `time`.
    pub fn note_reload(&self, time: SystemTime) {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.reloaded_at.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.is_reloaded.set(1);
    }

    /// Says that the last reload was refused.
    pub fn note_refused_reload(&self) {
        self.is_reloaded.set(0);
    }
}

fn options(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}
