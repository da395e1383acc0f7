//! The thread of the event log: takes events from the queue, writes them, and logs summaries.
//!
//! Takes events; gives lines to a file or to the console. Lines are gathered and written at least once a second. While
//! the file cannot be written, no events are taken, so that the queue fills and counts what is lost. Must not know
//! the senders of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::channel::{EventChannel, LoggedEvent};
use super::config::Config;
use super::fields::{flag_names, protocol_text};
use super::file::LogFile;
use super::form;
use super::lost_events::LostEventLog;
use super::pattern::{TrafficByVerdict, TrafficPattern};
use crate::events::Complaints;
use crate::events::console::Style;
use crate::policy::{SuppressedPackets, Violation};

/// Longest time that a line waits in the buffer; also the time between two checks whether the file has moved.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failed write.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

// Failures, each until its work succeeds.
const NOT_WRITTEN: &str = "events could not be written; they wait for space";
const NOT_REOPENED: &str = "the event log could not be reopened; its old file is still written";
const NOT_ROTATED: &str = "the event log could not be rotated; its file goes on growing";

/// The way in which a line may wait for space on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineUrgency {
    /// A violation: may wait for space.
    Patient,
    /// A violation before an alert: does not wait, because the alert would wait too.
    BeforeAlert,
    /// An alert: takes any space that is left.
    Alert,
}

/// Hands a line to the console. Gives false if there is no space for it.
pub type ConsoleLine = Box<dyn FnMut(String, LineUrgency) -> bool + Send>;

/// Gives the sums of all traffic since the start; none until they are known.
pub type TrafficSums = Box<dyn Fn() -> Option<TrafficByVerdict> + Send>;

/// Counters of the event log.
#[derive(Debug, Clone, Default)]
pub struct EventLogFigures {
    /// True if events are written to a file; false if violations go to the console.
    pub has_file: bool,
    /// Events that were written.
    pub written: Arc<AtomicU64>,
    /// Failed attempts to write to the file, to open it or to rotate it.
    pub write_errors: Arc<AtomicU64>,
}

pub(super) struct EventWriter {
    pub(super) config: Config,
    pub(super) style: Style,
    pub(super) file: Option<LogFile>,
    /// Receives the lines of all events while there is no file.
    pub(super) console: ConsoleLine,
    /// The sums of all traffic; none without a policy.
    pub(super) traffic: Option<TrafficSums>,
    pub(super) figures: EventLogFigures,
    pub(super) state: WriterState,
}

/// The buffer, and the times of the next work.
pub(super) struct WriterState {
    lines: Vec<u8>,
    /// Events in the buffer.
    count: u64,
    flush_at: Option<Instant>,
    retry_at: Option<Instant>,
    /// The time of the next summary, and of the one before or of the start.
    summary_at: Instant,
    summarised: Instant,
    checked: Instant,
    pattern: TrafficPattern,
    complaints: Complaints,
    losses: LostEventLog,
}

impl Default for WriterState {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            lines: Vec::new(),
            count: 0,
            flush_at: None,
            retry_at: None,
            summary_at: now,
            summarised: now,
            checked: now,
            pattern: TrafficPattern::default(),
            complaints: Complaints::default(),
            losses: LostEventLog::default(),
        }
    }
}

impl EventWriter {
    /// The body of the thread, until all is written. The file is closed then.
    pub(super) fn run(mut self, channel: &EventChannel) {
        self.state.summary_at = self.state.summarised + self.config.summary_interval;
        loop {
            let taken = channel.take(self.wakes_at(channel.lost()), self.state.retry_at.is_none());
            let last_alert = taken.events.iter().rposition(LoggedEvent::is_alert);
            for (index, event) in taken.events.iter().enumerate() {
                self.write(event, last_alert.is_some_and(|last| index < last), channel);
            }
            if taken.reopens {
                self.flush();
                self.reopen();
            }
            if taken.ends || self.is_due() {
                self.flush();
            }
            if self.state.lines.is_empty() {
                channel.note_written();
            }
            let is_last = taken.ends && self.state.lines.is_empty();
            self.summarise_if_due(is_last);
            self.state.losses.log(channel.lost(), Instant::now(), self.file.is_some());
            if is_last {
                return;
            }
        }
    }

    /// The time of the next work without events, while so many were lost; none if there is nothing to do.
    fn wakes_at(&self, lost: u64) -> Option<Instant> {
        let summary = self.summarises().then_some(self.state.summary_at);
        let losses = self.state.losses.is_due_at(lost);
        [self.state.retry_at.or(self.state.flush_at), summary, losses].into_iter().flatten().min()
    }

    fn is_due(&self) -> bool {
        self.state.retry_at.or(self.state.flush_at).is_some_and(|due| Instant::now() >= due)
    }

    fn write(&mut self, event: &LoggedEvent, precedes_alert: bool, channel: &EventChannel) {
        // Without a file the lines of the console have the same fields.
        let is_logged = self.config.is_verbose && self.file.is_some();
        match event {
            LoggedEvent::Violation(violation) if is_logged => log_violation(violation),
            LoggedEvent::Suppressed(suppressed) if is_logged => log_suppressed(suppressed),
            _ => {}
        }
        if self.file.is_some() {
            self.state.pattern.count(event);
            form::write(event, self.config.format, self.style, &mut self.state.lines);
            self.state.count += 1;
            self.state.flush_at.get_or_insert_with(|| Instant::now() + FLUSH_INTERVAL);
            if self.state.lines.len() >= self.config.buffer_bytes && self.state.retry_at.is_none() {
                self.flush();
            }
        } else {
            self.write_to_console(event, precedes_alert, channel);
        }
    }

    fn write_to_console(&mut self, event: &LoggedEvent, precedes_alert: bool, channel: &EventChannel) {
        let urgency = match event {
            LoggedEvent::Alert(_) => LineUrgency::Alert,
            _ if precedes_alert || channel.has_alert() => LineUrgency::BeforeAlert,
            _ => LineUrgency::Patient,
        };
        if (self.console)(form::console_line(event, self.style), urgency) {
            self.state.pattern.count(event);
            // Alerts on the console are no entries of a log.
            self.figures.written.fetch_add(u64::from(!event.is_alert()), Ordering::Relaxed);
        } else {
            // Its packets are in a later line.
            channel.lose(event);
        }
    }

    /// Writes the buffer to the file. After an error it stays, and is written later.
    fn flush(&mut self) {
        if self.state.lines.is_empty() {
            return;
        }
        self.follow_moves();
        self.rotate_if_due();
        let Some(file) = &mut self.file else { return };
        match file.append(&self.state.lines) {
            Ok(()) => {
                self.figures.written.fetch_add(self.state.count, Ordering::Relaxed);
                self.state.lines.clear();
                (self.state.count, self.state.flush_at, self.state.retry_at) = (0, None, None);
                self.state.complaints.end(NOT_WRITTEN, "events are written to their log again");
            }
            Err(error) => {
                let path = file.path().to_owned();
                self.state.retry_at = Some(Instant::now() + RETRY_PAUSE);
                self.state.losses.note_failure();
                self.complain(NOT_WRITTEN, &path, &error);
            }
        }
    }

    fn follow_moves(&mut self) {
        if self.state.checked.elapsed() < FLUSH_INTERVAL {
            return;
        }
        self.state.checked = Instant::now();
        if self.file.as_ref().is_some_and(LogFile::has_moved) {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.reopen() {
            Ok(()) => self.state.complaints.end(NOT_REOPENED, "the event log was reopened"),
            Err(error) => {
                let path = file.path().to_owned();
                self.complain(NOT_REOPENED, &path, &error);
            }
        }
    }

    fn rotate_if_due(&mut self) {
        let Some(file) = &mut self.file else { return };
        if !file.is_due(&self.config, self.state.lines.len()) {
            return;
        }
        match file.rotate(self.config.rotations) {
            Ok(()) => self.state.complaints.end(NOT_ROTATED, "the event log is rotated again"),
            Err(error) => {
                let path = file.path().to_owned();
                self.complain(NOT_ROTATED, &path, &error);
            }
        }
    }

    fn complain(&mut self, what: &'static str, path: &std::path::Path, error: &std::io::Error) {
        self.figures.write_errors.fetch_add(1, Ordering::Relaxed);
        self.state.complaints.add(what, path, error);
    }

    /// With a policy there are always summaries. Without one they belong to a log in a file that has had events.
    fn summarises(&self) -> bool {
        let pattern = &self.state.pattern;
        let has_news = pattern.has_violations() || (self.file.is_some() && pattern.has_events());
        (self.traffic.is_some() || has_news) && !self.config.summary_interval.is_zero()
    }

    /// Logs a summary at the end of each interval, and of what is left at the end of the program.
    fn summarise_if_due(&mut self, is_last: bool) {
        let now = Instant::now();
        if now < self.state.summary_at && !is_last {
            return;
        }
        if self.summarises() {
            let traffic = self.traffic.as_ref().and_then(|sums| sums());
            let seconds = (now - self.state.summarised).as_secs_f64().round() as u64;
            self.state.pattern.log(seconds, traffic);
        }
        (self.state.summarised, self.state.summary_at) = (now, now + self.config.summary_interval);
    }
}

/// Writes a violation to the program's own log, with all that is known of its packets.
fn log_violation(violation: &Violation) {
    let port = |port: u16| (port > 0).then_some(port);
    let flags = Some(flag_names(violation.tcp_flags)).filter(|flags| !flags.is_empty());
    tracing::info!(
        interface = &*violation.interface,
        src = %violation.addresses.source(),
        src_port = port(violation.source_port),
        dst = %violation.addresses.destination(),
        dst_port = port(violation.destination_port),
        ip_version = violation.addresses.ip_version().label(),
        protocol = protocol_text(violation.protocol),
        flags,
        packets = violation.packets,
        bytes = violation.bytes,
        action = violation.action.label(),
        suppressed = violation.suppressed,
        "source is not permitted"
    );
}

fn log_suppressed(suppressed: &SuppressedPackets) {
    let src = suppressed.source.map(tracing::field::display);
    let (action, packets) = (suppressed.action.label(), suppressed.packets);
    tracing::info!(src, action, suppressed = packets, "{}", form::suppressed_message(suppressed));
}
