//! Watches the threads that accounting and the supervision of the network depend on. Takes their heartbeats; gives
//! the first thread that has died. Must not know the threads' work.
//!
//! Time is measured in checks, each at least [`PAUSE`] after the last one. A suspended machine, a stopped process and
//! a clock that was set cost one check at most, because the watchdog was stopped as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::Error;
use super::control::ControlBlock;
use super::threads::spawn;
use crate::export::vitals::Vitals;

/// The time between two checks.
const PAUSE: Duration = Duration::from_secs(1);
/// A thread that made no progress in so many checks is dead: 30 s.
const PATIENCE: u32 = 30;
/// Time for which a dead thread shows in `/-/healthy` and `/metrics` before the program ends.
const DEATH_SHOWN: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Heart {
    beats: AtomicU64,
    has_ended: AtomicBool,
}

impl Heart {
    /// The thread has made progress, or has nothing to do.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// A guard that the thread keeps for as long as it runs. A panic drops it as well.
    pub(super) fn life(self: &Arc<Self>) -> Life {
        Life(Arc::clone(self))
    }
}

/// Marks a thread as ended when it is dropped.
pub(super) struct Life(Arc<Heart>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Release);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Ended,
    Stuck,
}

struct WatchedThread {
    name: &'static str,
    heart: Arc<Heart>,
    beats: u64,
    /// Checks since its last progress.
    idle: u32,
}

impl WatchedThread {
    fn check(&mut self) -> Option<Death> {
        if self.heart.has_ended.load(Ordering::Acquire) {
            return Some(Death::Ended);
        }
        let beats = self.heart.beats.load(Ordering::Relaxed);
        self.idle = if beats == self.beats { self.idle + 1 } else { 0 };
        self.beats = beats;
        (self.idle >= PATIENCE).then_some(Death::Stuck)
    }
}

/// Starts the thread that watches the accountant and the supervisor. `on_death` is called when one of them has died.
pub(super) fn start(
    [accountant, supervisor]: [Arc<Heart>; 2],
    control: &Arc<ControlBlock>,
    vitals: Vitals,
    on_death: impl FnOnce() + Send + 'static,
) -> Result<(), Error> {
    let mut watchdog = Watchdog::new(vitals);
    watchdog.watch("accountant", &accountant);
    watchdog.watch("supervisor", &supervisor);
    let control = Arc::clone(control);
    spawn("watchdog", move || watchdog.run(|| control.is_stopping(), on_death)).map(drop)
}

pub(super) struct Watchdog {
    watched: Vec<WatchedThread>,
    vitals: Vitals,
}

impl Watchdog {
    /// Watches no thread yet, and shows their states in `vitals`.
    pub(super) fn new(vitals: Vitals) -> Self {
        Self { watched: Vec::new(), vitals }
    }

    /// Starts to watch the thread with this heart; it counts as working.
    pub(super) fn watch(&mut self, name: &'static str, heart: &Arc<Heart>) {
        self.vitals.set_thread_up(name, true);
        self.watched.push(WatchedThread { name, heart: Arc::clone(heart), beats: 0, idle: 0 });
    }

    /// The body of the thread: calls `on_death` when a thread has died, unless all are to stop.
    pub(super) fn run(mut self, is_stopping: impl Fn() -> bool, on_death: impl FnOnce()) {
        loop {
            thread::sleep(PAUSE);
            let dead = self.check();
            // Read after the check: a thread that ends because the program stops has not died.
            if is_stopping() {
                return;
            }
            if !dead.is_empty() {
                dead.into_iter().for_each(|(thread, death)| self.report(thread, death));
                thread::sleep(DEATH_SHOWN);
                return on_death();
            }
        }
    }

    /// Checks every thread once; gives those that have died.
    fn check(&mut self) -> Vec<(&'static str, Death)> {
        self.watched.iter_mut().filter_map(|thread| Some((thread.name, thread.check()?))).collect()
    }

    fn report(&self, thread: &str, death: Death) {
        self.vitals.set_thread_up(thread, false);
        match death {
            Death::Ended => tracing::error!(thread, "a thread panicked; the program ends"),
            Death::Stuck => tracing::error!(thread, "a thread made no progress for 30 s; the program ends"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watchdog() -> (Watchdog, Arc<Heart>, Vitals) {
        let (vitals, heart) = (Vitals::new().unwrap(), Arc::new(Heart::default()));
        let mut watchdog = Watchdog::new(vitals.clone());
        watchdog.watch("accountant", &heart);
        (watchdog, heart, vitals)
    }

    #[test]
    fn thread_that_makes_no_progress_for_30_looks_is_dead() {
        let (mut watchdog, heart, vitals) = watchdog();
        heart.beat();
        assert!((0..PATIENCE).all(|_| watchdog.check().is_empty()));
        assert_eq!(watchdog.check(), [("accountant", Death::Stuck)]);
        assert_eq!(vitals.dead_thread(), None);
        watchdog.report("accountant", Death::Stuck);
        assert_eq!(vitals.dead_thread().as_deref(), Some("accountant"));
    }

    #[test]
    fn one_beat_in_30_looks_is_progress() {
        let (mut watchdog, heart, _) = watchdog();
        for _ in 0..5 {
            heart.beat();
            assert!((0..PATIENCE).all(|_| watchdog.check().is_empty()));
        }
    }

    #[test]
    fn panic_is_seen_at_the_next_look() {
        let (mut watchdog, heart, _) = watchdog();
        let life = heart.life();
        let thread = thread::spawn(move || {
            let _life = life;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert_eq!(watchdog.check(), [("accountant", Death::Ended)]);
    }

    #[test]
    fn thread_that_ends_because_all_are_to_stop_has_not_died() {
        let (watchdog, heart, vitals) = watchdog();
        drop(heart.life());
        let mut has_died = false;
        watchdog.run(|| true, || has_died = true);
        assert!(!has_died);
        assert_eq!(vitals.dead_thread(), None);
    }
}
