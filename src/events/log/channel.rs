//! The queue of events between the threads that find them and the thread that writes them.
//!
//! Takes violations and changes of alerts; gives them in order. A sender of live events never waits: an event that does
//! not fit is lost and counted. Its packets are summed, and a later line tells the sum. Must not know formats or files.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lost_packets::LostPackets;
use crate::alert::{AlertSink, Change};
use crate::detect::Target;
use crate::policy::{SuppressedPackets, Violation, ViolationSink};

/// The most bytes of events in the queue. The kernel path hands over up to 65,536 violations at once, of about 100 bytes
/// each: there is space for two such hand-overs.
const MAXIMUM_BYTES: usize = 16 << 20;
/// One byte in so many is kept for changes of alerts, so that a flood of violations does not crowd them out.
const SHARE_OF_ALERTS: usize = 8;
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

impl LoggedEvent {
    /// Its size in memory, in bytes.
    fn bytes(&self) -> usize {
        let elsewhere = match self {
            Self::Violation(_) | Self::Suppressed(_) => 0,
            Self::Alert(change) => {
                let figures = &change.alert().figures;
                let targets = figures.first_targets.capacity() + figures.last_targets.capacity();
                size_of::<Change>() + targets * size_of::<Target>()
            }
        };
        size_of::<Self>() + elsewhere
    }

    pub(super) const fn is_alert(&self) -> bool {
        matches!(self, Self::Alert(_))
    }

    /// True for suppressed packets of several sources: such lines can be put together without a loss.
    const fn is_sum(&self) -> bool {
        matches!(self, Self::Suppressed(SuppressedPackets { source: None, .. }))
    }
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

/// Asks the writer to reopen the file of the log.
#[derive(Debug, Clone)]
pub struct LogReopener(pub(super) Arc<EventChannel>);

impl LogReopener {
    /// Asks for it; returns at once.
    pub fn reopen(&self) {
        self.0.lock().reopens = true;
        self.0.changed.notify_all();
    }
}

#[derive(Debug)]
pub(super) struct EventChannel {
    /// The most bytes of events in the queue.
    most_bytes: usize,
    state: Mutex<ChannelState>,
    /// Notified when an event came or was taken, when the file is to be reopened, and at the end.
    changed: Condvar,
    lost: Arc<AtomicU64>,
}

impl Default for EventChannel {
    fn default() -> Self {
        Self::of(MAXIMUM_BYTES)
    }
}

#[derive(Debug, Default)]
struct ChannelState {
    events: VecDeque<LoggedEvent>,
    /// Bytes of these events.
    bytes: usize,
    /// The number of alerts among them.
    alerts: usize,
    /// The packets of events that were lost.
    lost_packets: LostPackets,
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
    /// The file is to be reopened, after these events are written.
    pub(super) reopens: bool,
    /// No event will follow.
    pub(super) ends: bool,
}

impl ChannelState {
    fn has_space_for(&self, event: &LoggedEvent, most_bytes: usize) -> bool {
        let most = match event {
            LoggedEvent::Alert(_) => most_bytes,
            LoggedEvent::Violation(_) | LoggedEvent::Suppressed(_) => most_bytes - most_bytes / SHARE_OF_ALERTS,
        };
        self.bytes + event.bytes() <= most
    }

    fn note_lost_packets(&mut self, event: &LoggedEvent) {
        match event {
            LoggedEvent::Violation(Violation { action, packets, suppressed, last, .. }) => {
                self.lost_packets.add(*action, packets + suppressed, *last);
            }
            LoggedEvent::Suppressed(sum) => self.lost_packets.add(sum.action, sum.packets, sum.last),
            LoggedEvent::Alert(_) => {}
        }
    }

    /// Takes the next events, and the packets of lost events with the last of them.
    fn take_events(&mut self) -> Vec<LoggedEvent> {
        let count = self.events.len().min(TAKEN_AT_ONCE);
        let mut events: Vec<LoggedEvent> = self.events.drain(..count).collect();
        self.bytes -= events.iter().map(LoggedEvent::bytes).sum::<usize>();
        self.alerts -= events.iter().filter(|event| event.is_alert()).count();
        if self.events.is_empty() {
            events.extend(self.lost_packets.take().map(LoggedEvent::Suppressed));
            self.events.shrink_to(TAKEN_AT_ONCE);
        }
        events
    }
}

impl EventChannel {
    /// An empty queue for at most `most_bytes` bytes of events, and [`MAXIMUM_BYTES`].
    pub(super) fn of(most_bytes: usize) -> Self {
        Self {
            most_bytes: most_bytes.min(MAXIMUM_BYTES),
            state: Mutex::default(),
            changed: Condvar::default(),
            lost: Arc::default(),
        }
    }

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
            state = self.wait_for_space(state, &event);
        }
        if state.has_ended || !state.has_space_for(&event, self.most_bytes) {
            return self.note_lost(&mut state, &event);
        }
        state.bytes += event.bytes();
        state.alerts += usize::from(event.is_alert());
        state.events.push_back(event);
        drop(state);
        self.changed.notify_all();
    }

    fn wait_for_space<'a>(
        &self,
        mut state: MutexGuard<'a, ChannelState>,
        event: &LoggedEvent,
    ) -> MutexGuard<'a, ChannelState> {
        let deadline = Instant::now() + LONGEST_WAIT;
        while !state.has_space_for(event, self.most_bytes) && !state.is_stuck && !state.has_ended {
            let left = deadline.saturating_duration_since(Instant::now());
            state.is_stuck = left.is_zero();
            state = self.wait(state, left);
        }
        state
    }

    /// Counts an event that is lost, and keeps the number of its packets.
    fn note_lost(&self, state: &mut ChannelState, event: &LoggedEvent) {
        self.lost.fetch_add(u64::from(!event.is_sum()), Ordering::Relaxed);
        state.note_lost_packets(event);
    }

    /// Counts an event that the writer could not hand on.
    pub(super) fn lose(&self, event: &LoggedEvent) {
        self.note_lost(&mut self.lock(), event);
    }

    /// True if an alert waits for the writer.
    pub(super) fn has_alert(&self) -> bool {
        self.lock().alerts > 0
    }

    /// Number of events that were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
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
        let events = if takes_events { state.take_events() } else { Vec::new() };
        state.unwritten += events.len() as u64;
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
