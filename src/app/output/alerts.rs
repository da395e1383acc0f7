//! The alert lines on standard output. Takes changes of alerts; gives lines to a [`LineQueue`]. Must not know the
//! detectors.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::{LineQueue, Stream};
use crate::alert::AlertSink;
use crate::alert::Change;
use crate::events::console::{self, Style};
use crate::events::log::LineUrgency;

/// The behaviour of the sender if the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum AlertPace {
    /// Never waits, because live packets go on coming.
    Live,
    /// Waits up to a second, because a file can be read later.
    File,
}

/// The alert lines of the exporter. Clones share one queue.
#[derive(Debug, Clone)]
pub(in crate::app) struct AlertLines {
    output: LineQueue,
    style: Style,
    pace: AlertPace,
}

impl AlertLines {
    /// Starts the writer thread.
    pub(in crate::app) fn start(style: Style, pace: AlertPace) -> io::Result<Self> {
        let gap = move |lost| {
            let message = "alert lines were lost because standard output was not read or could not be written";
            super::gap(style.form, message, lost)
        };
        let output = LineQueue::start(Stream::Alerts, super::without_lock(io::stdout())?, gap)?;
        Ok(Self { output, style, pace })
    }

    /// The number of lines lost since the start.
    pub(in crate::app) fn lost(&self) -> Arc<AtomicU64> {
        self.output.lost()
    }

    /// Queues a line that is no change of an alert; it never waits.
    pub(in crate::app) fn send(&self, line: String) {
        self.output.send(line);
    }

    /// Queues a line of the event log; gives false if there is no space for it. The thread of the event log calls this
    /// and may wait, while its own queue takes the events. A file waits for its reader.
    pub(in crate::app) fn offer(&self, line: String, urgency: LineUrgency) -> bool {
        match (self.pace, urgency) {
            (AlertPace::Live, LineUrgency::Patient) => return self.output.offer_or_wait(line),
            (AlertPace::Live, LineUrgency::BeforeAlert) => return self.output.offer(line),
            (AlertPace::Live, LineUrgency::Alert) => self.output.send(line),
            (AlertPace::File, _) => self.output.send_or_wait(line),
        }
        // A line that is lost now is counted by its own queue.
        true
    }

    /// Waits until all lines are written, or until `deadline`; logs the number of unwritten lines.
    pub(in crate::app) fn finish(&self, deadline: Instant) {
        let lines = self.output.finish(deadline);
        if lines > 0 {
            tracing::warn!(lines, "alert lines were lost at the end: standard output is blocked");
        }
    }
}

impl AlertSink for AlertLines {
    fn notify(&mut self, change: &Change) {
        let line = console::line(change, self.style);
        match self.pace {
            AlertPace::Live => self.output.send(line),
            AlertPace::File => self.output.send_or_wait(line),
        }
    }
}
