//! The queue of events between the threads that find them and the thread that writes them.
//!
//! Takes violations and changes of alerts; gives them in order. A sender of live events never waits: an event that does
//! not fit is lost and counted. Must not know formats or files.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::alert::{AlertSink, Change};
use crate::policy::{SuppressedPackets, Violation, ViolationSink};

/// The most events in the queue.
const MAXIMUM_EVENTS: usize = 8_192;
/// The most events that the writer takes at once.
const TAKEN_AT_ONCE: usize = 256;
/// Longest time that a sender waits for space, if it may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// An event of the log.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::events) enum LoggedEvent {
    /// Packets of a source that is not permitted.
    Violation(Violation),
    /// Packets that are not permitted and that no violation tells of.
    Suppressed(SuppressedPackets),
    /// An alert that fires or has resolved.
    Alert(Box<Change>),
}

/// The behaviour of a sender if the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendingPace {
    /// Never waits, because live packets go on coming.
    Live,
    /// Waits up to a second, because a file can be read later.
    File,
}

/// The sending end of the event log. Clones share the queue.
#[derive(Debug, Clone)]
pub struct EventSender {
    channel: Arc<EventChannel>,
    pace: SendingPace,
}

impl EventSender {
    pub(super) const fn new(channel: Arc<EventChannel>, pace: SendingPace) -> Self {
        Self { channel, pace }
    }

    /// The number of events that were lost because the queue was full.
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.channel.lost)
    }

    fn send(&self, event: LoggedEvent) {
        self.channel.send(event, self.pace);
    }
}

impl AlertSink for EventSender {
    fn notify(&mut self, change: &Change) {
        self.send(LoggedEvent::Alert(Box::new(change.clone())));
    }
}

impl ViolationSink for EventSender {
    fn report(&mut self, violation: &Violation) {
        self.send(LoggedEvent::Violation(violation.clone()));
    }

    fn report_suppressed(&mut self, suppressed: &SuppressedPackets) {
        self.send(LoggedEvent::Suppressed(*suppressed));
    }
}

/// Asks the writer to open the file of the log anew.
#[derive(Debug, Clone)]
pub struct LogReopener(pub(super) Arc<EventChannel>);

impl LogReopener {
    /// Asks for it; returns at once.
    pub fn reopen(&self) {
        self.0.lock().reopens = true;
        self.0.changed.notify_all();
    }
}

#[derive(Debug, Default)]
pub(super) struct EventChannel {
    state: Mutex<ChannelState>,
    /// Notified when an event came or was taken, when the file is to be reopened, and at the end.
    changed: Condvar,
    lost: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct ChannelState {
    events: VecDeque<LoggedEvent>,
    /// Events that the writer has taken and not written yet.
    unwritten: u64,
    reopens: bool,
    ends: bool,
    /// The writer has ended.
    has_ended: bool,
    /// A sender has waited in vain for space, and nothing was taken since.
    is_stuck: bool,
}

/// The work that the writer takes at once.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) events: Vec<LoggedEvent>,
    /// The file is to be opened anew, after these events are written.
    pub(super) reopens: bool,
    /// No event will follow.
    pub(super) ends: bool,
}

impl EventChannel {
    /// Ignores that the lock may be poisoned: no code under the lock panics, so the state is valid.
    fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, ChannelState>, at_most: Duration) -> MutexGuard<'a, ChannelState> {
        self.changed.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    fn send(&self, event: LoggedEvent, pace: SendingPace) {
        let mut state = self.lock();
        if pace == SendingPace::File {
            state = self.wait_for_space(state);
        }
        if state.events.len() >= MAXIMUM_EVENTS || state.has_ended {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.events.push_back(event);
        drop(state);
        self.changed.notify_all();
    }

    fn wait_for_space<'a>(&self, mut state: MutexGuard<'a, ChannelState>) -> MutexGuard<'a, ChannelState> {
        let deadline = Instant::now() + LONGEST_WAIT;
        while state.events.len() >= MAXIMUM_EVENTS && !state.is_stuck && !state.has_ended {
            let left = deadline.saturating_duration_since(Instant::now());
            state.is_stuck = left.is_zero();
            state = self.wait(state, left);
        }
        state
    }

    /// Counts events that the writer could not hand on.
    pub(super) fn count_lost(&self, events: u64) {
        self.lost.fetch_add(events, Ordering::Relaxed);
    }

    /// Takes work; without any, waits for it until `deadline`. Takes no events unless `takes_events`.
    pub(super) fn take(&self, deadline: Option<Instant>, takes_events: bool) -> Taken {
        let mut state = self.lock();
        while !(takes_events && (state.ends || !state.events.is_empty())) && !state.reopens {
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Taken::default();
            }
            state = match deadline {
                Some(_) => self.wait(state, left),
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let count = if takes_events { state.events.len().min(TAKEN_AT_ONCE) } else { 0 };
        let events: Vec<LoggedEvent> = state.events.drain(..count).collect();
        state.unwritten += count as u64;
        state.is_stuck &= events.is_empty();
        let has_all = state.events.is_empty();
        let taken = Taken { events, reopens: std::mem::take(&mut state.reopens), ends: state.ends && has_all };
        drop(state);
        self.changed.notify_all();
        taken
    }

    /// Notes that all events taken so far are written.
    pub(super) fn note_written(&self) {
        self.lock().unwritten = 0;
        self.changed.notify_all();
    }

    /// Notes that the writer has ended.
    pub(super) fn note_end(&self) {
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    /// Asks the writer to write all and to end; waits for it until `deadline`. Gives the number of unwritten events.
    pub(super) fn finish(&self, deadline: Instant) -> u64 {
        let mut state = self.lock();
        state.ends = true;
        self.changed.notify_all();
        while !state.has_ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return state.events.len() as u64 + state.unwritten;
            }
            state = self.wait(state, left);
        }
        0
    }
}
