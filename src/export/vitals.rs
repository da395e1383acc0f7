//! Metric families of a live capture that do not depend on snapshots: its threads, the network, the memory of its
//! rings. So they are right even if the accountant has stopped. Takes changes from the threads; gives samples. Must not
//! know accounts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector as _;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::family::{self, Family};

/// The results of a reload, as a label has them.
const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";

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
    config_hash: IntGauge,
    reloads: IntCounterVec,
    /// The reason why the last reload was refused; none if it was accepted.
    refusal: Arc<Mutex<Option<String>>>,
}

impl Vitals {
    /// Figures that nothing shows yet.
    ///
    /// # Errors
    /// When a declaration is no metric.
    pub fn new() -> Result<Self, prometheus::Error> {
        let thread_up = IntGaugeVec::new(options(&family::THREAD_UP), family::THREAD_UP.labels)?;
        let reloads = IntCounterVec::new(options(&family::RELOADS), family::RELOADS.labels)?;
        [ACCEPTED, REFUSED].iter().for_each(|result| drop(reloads.with_label_values(&[result])));
        Ok(Self {
            reloads,
            refusal: Arc::default(),
            thread_up,
            network_stale: IntGauge::with_opts(options(&family::NETWORK_STALE))?,
            ring_bytes: IntGauge::with_opts(options(&family::RING_BYTES))?,
            memory_limit: IntGauge::with_opts(options(&family::MEMORY_LIMIT))?,
            refused_rings: IntCounter::with_opts(options(&family::RINGS_REFUSED))?,
            reattached: IntCounter::with_opts(options(&family::KERNEL_REATTACHED))?,
            is_reloaded: IntGauge::with_opts(options(&family::RELOAD_SUCCESSFUL))?,
            reloaded_at: IntGauge::with_opts(options(&family::RELOAD_SUCCESS_TIME))?,
            config_hash: IntGauge::with_opts(options(&family::CONFIG_HASH))?,
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
        registry.register(Box::new(self.reloaded_at.clone()))?;
        registry.register(Box::new(self.config_hash.clone()))?;
        registry.register(Box::new(self.reloads.clone()))
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

    /// Says that the configuration with this hash is in force, and was read at `time`. The hash has 48 bits.
    pub fn note_reload(&self, time: SystemTime, hash: u64) {
        self.config_hash.set(hash.cast_signed());
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.reloaded_at.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.is_reloaded.set(1);
        *self.refusal() = None;
    }

    /// Counts a reload that was accepted. The start is none.
    pub fn count_reload(&self) {
        self.reloads.with_label_values(&[ACCEPTED]).inc();
    }

    /// The reason why the last reload was refused; none if it was accepted.
    pub fn refused_reload(&self) -> Option<String> {
        self.refusal().clone()
    }

    fn refusal(&self) -> MutexGuard<'_, Option<String>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the last reload was refused, and why.
    pub fn note_refused_reload(&self, reason: String) {
        *self.refusal() = Some(reason);
        self.is_reloaded.set(0);
        self.reloads.with_label_values(&[REFUSED]).inc();
    }
}

fn options(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}
