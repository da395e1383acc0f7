//! The packet time that capture threads have reached, each by itself and all together. Takes the times that threads
//! report; gives the advances of packet time. One thread sees first that the clock was set. The others follow, and
//! what they had counted before is merely late. Must not know the packets.

use std::collections::BTreeMap;

use super::cells::is_step;
use super::clock::TimeAdvance;
use crate::packet::Timestamp;

/// A capture thread: its interface, and which of the interface's workers it is.
type Thread = (String, usize);

#[derive(Debug, Default)]
pub(super) struct Watermarks {
    /// As many as there are capture threads at most.
    threads: BTreeMap<Thread, ThreadProgress>,
    /// The number of times that the clock was set.
    steps: u64,
    watermark: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct ThreadProgress {
    time: Timestamp,
    /// The number of the last step of the clock that the thread saw.
    step: u64,
}

impl Watermarks {
    /// Takes the time that a thread has reached; none if it captures nothing, so that it delays no other.
    pub(super) fn report(&mut self, thread: Thread, time: Option<Timestamp>) -> Option<TimeAdvance> {
        let Some(time) = time else {
            self.threads.remove(&thread);
            return self.go_on();
        };
        let before = self.threads.get(&thread).copied();
        match self.watermark {
            Some(watermark) if is_step(watermark, time) => {
                // The clock of this thread goes on as before; that of another thread was set.
                if let Some(ThreadProgress { time: before, step }) = before
                    && !is_step(before, time)
                    && step != self.steps
                {
                    self.threads.insert(thread, ThreadProgress { time, step });
                    return None;
                }
                self.steps += 1;
                self.threads.insert(thread, ThreadProgress { time, step: self.steps });
                self.watermark = Some(time);
                Some(TimeAdvance::Step { until: watermark, to: time })
            }
            _ => {
                self.threads.insert(thread, ThreadProgress { time, step: self.steps });
                self.go_on()
            }
        }
    }

    /// Forgets the threads of interfaces that are not kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&str) -> bool) -> Option<TimeAdvance> {
        let before = self.threads.len();
        self.threads.retain(|(interface, _), _| is_kept(interface));
        if self.threads.len() < before { self.go_on() } else { None }
    }

    /// The time of the slowest thread, if it is later than before.
    fn go_on(&mut self) -> Option<TimeAdvance> {
        let present = self.threads.values().filter(|progress| progress.step == self.steps);
        let slowest = present.map(|progress| progress.time).min()?;
        if self.watermark.is_some_and(|watermark| slowest <= watermark) {
            return None;
        }
        self.watermark = Some(slowest);
        Some(TimeAdvance::Onward(slowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds_and_nanoseconds(seconds, 0)
    }

    /// The advances after reports of the threads `a` and so on.
    fn advances<const N: usize>(
        watermarks: &mut Watermarks,
        reports: [(&str, Option<i64>); N],
    ) -> [Option<TimeAdvance>; N] {
        reports.map(|(thread, time)| watermarks.report((thread.to_owned(), 0), time.map(at)))
    }

    fn onward(seconds: i64) -> Option<TimeAdvance> {
        Some(TimeAdvance::Onward(at(seconds)))
    }

    fn step(until: i64, to: i64) -> Option<TimeAdvance> {
        Some(TimeAdvance::Step { until: at(until), to: at(to) })
    }

    #[test]
    fn the_slowest_thread_says_how_far_all_have_come() {
        let mut watermarks = Watermarks::default();
        let reports =
            [("a", Some(10)), ("b", Some(10)), ("a", Some(12)), ("b", Some(11)), ("b", Some(13)), ("a", Some(12))];
        assert_eq!(advances(&mut watermarks, reports), [onward(10), None, None, onward(11), onward(12), None]);
    }

    #[test]
    fn thread_that_captures_nothing_delays_no_other() {
        let mut watermarks = Watermarks::default();
        let reports = [("a", Some(10)), ("b", Some(10)), ("a", Some(20)), ("b", None), ("a", None), ("b", Some(19))];
        assert_eq!(advances(&mut watermarks, reports), [onward(10), None, None, onward(20), None, None]);
        assert_eq!(advances(&mut watermarks, [("b", Some(21))]), [onward(21)]);
    }

    #[test]
    fn thread_whose_interface_is_gone_delays_no_other() {
        let mut watermarks = Watermarks::default();
        let reports = [("a", Some(10)), ("b", Some(10)), ("a", Some(20))];
        assert_eq!(advances(&mut watermarks, reports), [onward(10), None, None]);
        assert_eq!(watermarks.keep(|_| true), None);
        assert_eq!(watermarks.keep(|interface| interface == "a"), onward(20));
        assert_eq!(watermarks.threads.len(), 1);
    }

    #[test]
    fn workers_of_an_interface_are_threads_of_their_own() {
        let mut watermarks = Watermarks::default();
        let mut report = |worker, seconds| watermarks.report(("a".to_owned(), worker), Some(at(seconds)));
        assert_eq!([report(0, 10), report(1, 10), report(0, 11), report(1, 12)], [onward(10), None, None, onward(11)]);
    }

    #[test]
    fn a_clock_that_is_set_is_one_step_however_many_threads_see_it() {
        for (before, after) in [(1_000_000, 996_400), (1_000_000, 400_000_000), (1_000_000, 0)] {
            let mut watermarks = Watermarks::default();
            let reports = [("a", Some(before)), ("b", Some(before)), ("a", Some(after)), ("b", Some(before + 1))];
            assert_eq!(advances(&mut watermarks, reports), [onward(before), None, step(before, after), None]);
            let reports =
                [("a", Some(after + 1)), ("b", Some(after + 1)), ("b", Some(after + 2)), ("a", Some(after + 2))];
            assert_eq!(advances(&mut watermarks, reports), [onward(after + 1), None, None, onward(after + 2)]);
        }
    }

    #[test]
    fn thread_with_another_clock_delays_no_other() {
        let mut watermarks = Watermarks::default();
        let reports = [("a", Some(10)), ("b", Some(100_000)), ("a", Some(11)), ("b", Some(100_001)), ("a", Some(12))];
        assert_eq!(advances(&mut watermarks, reports), [onward(10), step(10, 100_000), None, onward(100_001), None]);
    }
}
