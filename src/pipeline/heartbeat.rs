//! The heartbeats of the pipeline's threads, and what they say about a thread. Takes a beat for each piece of work;
//! gives the threads that have ended or are stuck. Must not know the work, nor what follows from a failure.
//!
//! Time is measured in checks: a stopped process makes none, so that no thread is taken as stuck when it goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    beats: AtomicU64,
    has_ended: AtomicBool,
}

impl Heartbeat {
    /// Notes that the thread has made progress, or has nothing to do.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// The guard that the thread keeps for as long as it runs. A panic drops it as well.
    pub(super) fn running_guard(self: &Arc<Self>) -> RunningGuard {
        RunningGuard(Arc::clone(self))
    }
}

/// Marks a thread as ended when it is dropped.
pub(super) struct RunningGuard(Arc<Heartbeat>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Release);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreadFailure {
    Ended,
    Stuck,
}

/// The findings of the last checks of a heartbeat. A thread that was not checked yet counts as working.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastChecks {
    beats: u64,
    /// Checks since the last progress.
    idle: u32,
}

impl LastChecks {
    /// Checks the heartbeat once more. Its thread is stuck if this is check number `patience` in a row without progress.
    pub(super) fn check(&mut self, heartbeat: &Heartbeat, patience: u32) -> Option<ThreadFailure> {
        if heartbeat.has_ended.load(Ordering::Acquire) {
            return Some(ThreadFailure::Ended);
        }
        let beats = heartbeat.beats.load(Ordering::Relaxed);
        self.idle = if beats == self.beats { self.idle.saturating_add(1) } else { 0 };
        self.beats = beats;
        (self.idle >= patience).then_some(ThreadFailure::Stuck)
    }
}

/// The heartbeats of all threads of the pipeline, by name: as many as there are threads. A capture thread that ends drops
/// its heartbeat, and so leaves; nothing here keeps one.
#[derive(Debug, Default)]
pub(super) struct Heartbeats(Mutex<Vec<(String, Weak<Heartbeat>)>>);

impl Heartbeats {
    /// A new heartbeat, for a thread of that name.
    pub(super) fn of_new_thread(&self, thread: &str) -> Arc<Heartbeat> {
        let heartbeat = Arc::default();
        let mut heartbeats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.retain(|(_, heartbeat)| heartbeat.strong_count() > 0);
        heartbeats.push((thread.to_owned(), Arc::downgrade(&heartbeat)));
        heartbeat
    }

    fn running(&self) -> Vec<(String, Arc<Heartbeat>)> {
        let heartbeats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.iter().filter_map(|(name, heartbeat)| Some((name.clone(), heartbeat.upgrade()?))).collect()
    }
}

/// Says whether all threads of the pipeline make progress: the accountant, the supervisor and those that capture. A
/// quiet network is no reason to be stuck: threads without work beat as well, within a second.
pub struct PipelineProgress {
    heartbeats: Arc<Heartbeats>,
    watched: Vec<(Weak<Heartbeat>, LastChecks)>,
}

impl PipelineProgress {
    pub(super) fn new(heartbeats: Arc<Heartbeats>) -> Self {
        Self { heartbeats, watched: Vec::new() }
    }

    /// Checks all threads once more; gives the name of one that made no progress in the last `patience` checks, or that
    /// has panicked.
    pub fn stuck_thread(&mut self, patience: u32) -> Option<String> {
        let running = self.heartbeats.running();
        let before = std::mem::take(&mut self.watched);
        let mut stuck = None;
        for (name, heartbeat) in running {
            let weak = Arc::downgrade(&heartbeat);
            let known = before.iter().find(|(before, _)| before.ptr_eq(&weak));
            let mut checks = known.map_or_else(LastChecks::default, |(_, checks)| *checks);
            if checks.check(&heartbeat, patience).is_some() {
                stuck.get_or_insert(name);
            }
            self.watched.push((weak, checks));
        }
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> (PipelineProgress, Arc<Heartbeats>) {
        let heartbeats = Arc::<Heartbeats>::default();
        (PipelineProgress::new(Arc::clone(&heartbeats)), heartbeats)
    }

    #[test]
    fn one_stuck_thread_among_working_ones_is_named() {
        let (mut progress, heartbeats) = progress();
        let accountant = heartbeats.of_new_thread("accountant");
        let capture = heartbeats.of_new_thread("capture-eth0");
        for _ in 0..10 {
            accountant.beat();
            capture.beat();
            assert_eq!(progress.stuck_thread(2), None);
        }
        accountant.beat();
        assert_eq!(progress.stuck_thread(2), None, "one check without progress");
        accountant.beat();
        assert_eq!(progress.stuck_thread(2).as_deref(), Some("capture-eth0"));
        accountant.beat();
        capture.beat();
        assert_eq!(progress.stuck_thread(2), None, "it goes on");
    }

    #[test]
    fn capture_thread_that_has_ended_is_not_stuck() {
        let (mut progress, heartbeats) = progress();
        let accountant = heartbeats.of_new_thread("accountant");
        let capture = heartbeats.of_new_thread("capture-eth0");
        accountant.beat();
        assert_eq!(progress.stuck_thread(2), None);
        drop(capture);
        for _ in 0..5 {
            accountant.beat();
            assert_eq!(progress.stuck_thread(2), None);
        }
        assert_eq!(progress.watched.len(), 1);
    }

    #[test]
    fn accountant_that_panicked_is_named() {
        let (mut progress, heartbeats) = progress();
        let accountant = heartbeats.of_new_thread("accountant");
        drop(accountant.running_guard());
        assert_eq!(progress.stuck_thread(2).as_deref(), Some("accountant"));
    }
}
