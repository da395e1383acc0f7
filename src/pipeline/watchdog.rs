//! Watches the threads of the pipeline. Takes their heartbeats; reports those that have failed, and ends the program where
//! it is the accountant or the supervisor. Must not know what the threads do.
//!
//! Time is measured in checks, each at least [`PAUSE`] after the last one. A suspended machine, a stopped process and
//! a clock that was set cost one check at most, because the watchdog was stopped as well.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Error;
use super::control::ControlBlock;
use super::heartbeat::{Heartbeat, LastChecks, PipelineProgress, ThreadFailure};
use super::threads::spawn;
use crate::export::vitals::Vitals;
use crate::os::threads::Needs;

/// The time between two checks.
const PAUSE: Duration = Duration::from_secs(1);
/// A thread that makes no progress in this number of checks (30 s) has failed.
const PATIENCE: u32 = 30;
/// The value of a metric's label for all threads that capture.
const CAPTURE: &str = "capture";
/// Time for which a failed thread shows in `/-/healthy` and `/metrics` before the program ends.
const FAILURE_SHOWN: Duration = Duration::from_secs(2);

/// Starts the thread that watches all others. `on_failure` is called when the accountant or the supervisor has failed. A
/// thread that captures may hang in a driver and go on: it is reported until then.
pub(super) fn start(
    [accountant, supervisor]: [Arc<Heartbeat>; 2],
    control: &Arc<ControlBlock>,
    vitals: Vitals,
    on_failure: impl FnOnce() + Send + 'static,
) -> Result<(), Error> {
    let mut watchdog = Watchdog::new(vitals);
    watchdog.progress = Some(PipelineProgress::new(Arc::clone(control.heartbeats())));
    watchdog.watch("accountant", &accountant);
    watchdog.watch("supervisor", &supervisor);
    let control = Arc::clone(control);
    spawn("watchdog", Needs::Nothing, move || watchdog.run(|| control.is_stopping(), on_failure)).map(drop)
}

pub(super) struct Watchdog {
    watched: Vec<(&'static str, Arc<Heartbeat>, LastChecks)>,
    /// The progress of all threads.
    progress: Option<PipelineProgress>,
    /// A thread that captures and is stuck.
    stuck: Option<String>,
    vitals: Vitals,
}

impl Watchdog {
    /// Watches no thread yet, and shows their states in `vitals`.
    pub(super) fn new(vitals: Vitals) -> Self {
        vitals.set_thread_up(CAPTURE, true);
        Self { watched: Vec::new(), progress: None, stuck: None, vitals }
    }

    /// Starts to watch the thread with this heartbeat; it counts as working.
    pub(super) fn watch(&mut self, name: &'static str, heartbeat: &Arc<Heartbeat>) {
        self.vitals.set_thread_up(name, true);
        self.watched.push((name, Arc::clone(heartbeat), LastChecks::default()));
    }

    /// The body of the thread: calls `on_failure` when a thread has failed, unless the program stops.
    pub(super) fn run(mut self, is_stopping: impl Fn() -> bool, on_failure: impl FnOnce()) {
        loop {
            thread::sleep(PAUSE);
            let failed = self.check();
            // Read after the check: a thread that ends because the program stops has not died.
            if is_stopping() {
                return;
            }
            self.check_captures();
            if !failed.is_empty() {
                failed.into_iter().for_each(|(thread, failure)| self.report(thread, failure));
                thread::sleep(FAILURE_SHOWN);
                return on_failure();
            }
        }
    }

    /// Checks every thread once; gives those that have failed.
    fn check(&mut self) -> Vec<(&'static str, ThreadFailure)> {
        let watched = self.watched.iter_mut();
        watched.filter_map(|(name, heartbeat, checks)| Some((*name, checks.check(heartbeat, PATIENCE)?))).collect()
    }

    /// Checks the threads that capture once, and reports when one is stuck, and when none is any more.
    fn check_captures(&mut self) {
        let stuck = self.progress.as_mut().and_then(|progress| progress.stuck_thread(PATIENCE));
        let stuck = stuck.filter(|name| self.watched.iter().all(|(watched, ..)| watched != name));
        if stuck == self.stuck {
            return;
        }
        self.vitals.set_thread_up(CAPTURE, stuck.is_none());
        match &stuck {
            Some(thread) => tracing::error!(thread, "a thread that captures made no progress for 30 s"),
            None => tracing::info!("all threads that capture make progress again"),
        }
        self.stuck = stuck;
    }

    fn report(&self, thread: &str, failure: ThreadFailure) {
        self.vitals.set_thread_up(thread, false);
        match failure {
            ThreadFailure::Ended => tracing::error!(thread, "a thread panicked; the program ends"),
            ThreadFailure::Stuck => tracing::error!(thread, "a thread made no progress for 30 s; the program ends"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::heartbeat::Heartbeats;
    use super::*;

    fn watchdog() -> (Watchdog, Arc<Heartbeat>, Vitals) {
        let (vitals, heartbeat) = (Vitals::new().unwrap(), Arc::new(Heartbeat::default()));
        let mut watchdog = Watchdog::new(vitals.clone());
        watchdog.watch("accountant", &heartbeat);
        (watchdog, heartbeat, vitals)
    }

    #[test]
    fn thread_that_makes_no_progress_for_30_looks_is_dead() {
        let (mut watchdog, heartbeat, vitals) = watchdog();
        heartbeat.beat();
        assert!((0..PATIENCE).all(|_| watchdog.check().is_empty()));
        assert_eq!(watchdog.check(), [("accountant", ThreadFailure::Stuck)]);
        assert_eq!(vitals.dead_thread(), None);
        watchdog.report("accountant", ThreadFailure::Stuck);
        assert_eq!(vitals.dead_thread().as_deref(), Some("accountant"));
    }

    #[test]
    fn one_beat_in_30_looks_is_progress() {
        let (mut watchdog, heartbeat, _) = watchdog();
        for _ in 0..5 {
            heartbeat.beat();
            assert!((0..PATIENCE).all(|_| watchdog.check().is_empty()));
        }
    }

    #[test]
    fn stuck_capture_is_shown_until_it_goes_on_and_the_program_stays() {
        let (mut watchdog, accountant, vitals) = watchdog();
        let heartbeats = Arc::<Heartbeats>::default();
        let capture = heartbeats.of_new_thread("capture-eth0");
        watchdog.progress = Some(PipelineProgress::new(heartbeats));
        capture.beat();
        for _ in 0..=PATIENCE {
            assert_eq!(vitals.dead_thread(), None);
            accountant.beat();
            watchdog.check_captures();
        }
        assert_eq!(vitals.dead_thread().as_deref(), Some(CAPTURE));
        assert!(watchdog.check().is_empty());
        capture.beat();
        watchdog.check_captures();
        assert_eq!(vitals.dead_thread(), None);
    }

    #[test]
    fn panic_is_seen_at_the_next_look() {
        let (mut watchdog, heartbeat, _) = watchdog();
        let life = heartbeat.running_guard();
        let thread = thread::spawn(move || {
            let _guard = life;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert_eq!(watchdog.check(), [("accountant", ThreadFailure::Ended)]);
    }

    #[test]
    fn thread_that_ends_because_all_are_to_stop_has_not_died() {
        let (watchdog, heartbeat, vitals) = watchdog();
        drop(heartbeat.running_guard());
        let mut has_died = false;
        watchdog.run(|| true, || has_died = true);
        assert!(!has_died);
        assert_eq!(vitals.dead_thread(), None);
    }
}
