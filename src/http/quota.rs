//! The share of processor time that rendering gets where a control group has a quota. Takes the processor time of the
//! threads that render; makes them wait. Must not know what they render.
//!
//! The kernel stops a group that has used up its quota until the next period: all its threads, those that capture
//! included (`cpu.max` in admin-guide/cgroup-v2.rst of the kernel). So rendering takes only a part of the quota.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::os::cgroup::processor_quota;
use crate::os::clock::thread_time;

/// The part of the quota that all rendering threads have together.
const SHARE: f64 = 0.5;
/// The period of a quota where none is given. The share of one period may be used at once.
const PERIOD: Duration = Duration::from_millis(100);
/// Longest time to wait at once, so that a thread notices soon that its client has gone. No more is owed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The processor time that rendering threads share.
#[derive(Debug)]
pub(super) struct RenderingQuota {
    /// Processors whose whole time they may use together, such as 0.25.
    processors: f64,
    /// The moment at which the time used so far is no more than the share.
    balanced_at: Mutex<Instant>,
}

impl RenderingQuota {
    /// The share of the quota of this process; none if no control group has one.
    pub(super) fn of_this_process() -> Option<Arc<Self>> {
        processor_quota().map(|processors| Arc::new(Self::of(processors, Instant::now())))
    }

    fn of(processors: f64, now: Instant) -> Self {
        Self { processors: processors * SHARE, balanced_at: Mutex::new(now) }
    }

    /// Notes processor time that a thread has used; gives the time that it has to wait.
    fn charge(&self, used: Duration, now: Instant) -> Duration {
        let takes = Duration::try_from_secs_f64(used.as_secs_f64() / self.processors).unwrap_or(LONGEST_WAIT);
        let mut balanced_at = self.balanced_at.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = (*balanced_at - now).saturating_add(takes).min(PERIOD + LONGEST_WAIT);
        *balanced_at = now + owed;
        owed.saturating_sub(PERIOD)
    }
}

/// The processor time of a thread that renders. Without a quota it never waits.
#[derive(Debug, Default)]
pub(super) struct RenderingMeter {
    quota: Option<Arc<RenderingQuota>>,
    /// The processor time of the thread when it waited last.
    charged: Duration,
}

impl RenderingMeter {
    /// Begins to measure this thread.
    pub(super) fn begin(quota: Option<Arc<RenderingQuota>>) -> Self {
        Self { quota, charged: thread_time() }
    }

    /// Waits until the time that this thread has used is within the share. On the thread that began.
    pub(super) fn wait(&mut self) {
        let Some(quota) = &self.quota else { return };
        let used = thread_time();
        let wait = quota.charge(used.saturating_sub(self.charged), Instant::now());
        self.charged = used;
        if !wait.is_zero() {
            sleep(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn rendering_uses_half_of_a_period_at_once_and_then_half_of_the_time() {
        let start = Instant::now();
        let quota = RenderingQuota::of(0.5, start);
        // A quarter of a processor: 25 ms in a period of 100 ms.
        assert_eq!(quota.charge(20 * MILLISECOND, start), Duration::ZERO);
        assert_eq!(quota.charge(5 * MILLISECOND, start), Duration::ZERO);
        let wait = quota.charge(10 * MILLISECOND, start);
        assert_eq!(wait, 40 * MILLISECOND);
        assert_eq!(quota.charge(10 * MILLISECOND, start + wait), 40 * MILLISECOND);
        // What was not used for long does not add up.
        let later = start + Duration::from_secs(60);
        assert_eq!(quota.charge(30 * MILLISECOND, later), 20 * MILLISECOND);
    }

    #[test]
    fn threads_share_one_quota() {
        let quota = Arc::new(RenderingQuota::of(0.02, Instant::now()));
        let uses_time = |quota: Arc<RenderingQuota>| {
            let mut meter = RenderingMeter::begin(Some(quota));
            let begun = thread_time();
            while thread_time() - begun < 2 * MILLISECOND {}
            let waited = Instant::now();
            meter.wait();
            waited.elapsed()
        };
        let threads = [&quota; 4].map(|quota| {
            let quota = Arc::clone(quota);
            std::thread::spawn(move || uses_time(quota))
        });
        let waited = threads.map(|thread| thread.join().unwrap());
        // 8 ms are the share of 800 ms; the first 100 ms are free.
        assert!(waited.iter().max().unwrap() >= &(500 * MILLISECOND), "{waited:?}");
    }

    #[test]
    fn tiny_quota_makes_a_thread_wait_for_a_second_at_once() {
        let start = Instant::now();
        for processors in [f64::MIN_POSITIVE, 1e-9, 0.001] {
            let quota = RenderingQuota::of(processors, start);
            let wait = (0..10).map(|_| quota.charge(Duration::from_secs(60), start)).max();
            assert_eq!(wait, Some(LONGEST_WAIT));
            assert_eq!(quota.charge(Duration::ZERO, start + 2 * LONGEST_WAIT), Duration::ZERO);
        }
    }

    #[test]
    fn without_a_quota_nothing_waits() {
        let begun = Instant::now();
        let mut meter = RenderingMeter::default();
        (0..1_000).for_each(|_| meter.wait());
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert!(meter.quota.is_none());
    }
}
