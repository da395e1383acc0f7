//! The receivers of alerts in a replay: the event log, the table and the lines on standard output. Takes changes of
//! alerts; gives the latest state of each, or lines. Must not know how files are read.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write as _};

use crate::alert::{Alert, AlertSink, Change, Fingerprint};
use crate::app::output::Blocking;
use crate::events::json;
use crate::events::log::EventSender;

/// Sends each change to the event log too, if there is one.
pub(super) struct Logged<T> {
    pub(super) sink: T,
    pub(super) events: Option<EventSender>,
}

impl<T: AlertSink> AlertSink for Logged<T> {
    fn notify(&mut self, change: &Change) {
        self.events.iter_mut().for_each(|events| events.notify(change));
        self.sink.notify(change);
    }
}

/// The latest state of each alert, of as many as were asked for.
#[derive(Debug)]
pub(super) struct Episodes {
    most: usize,
    began: Vec<Alert>,
    /// Positions of the alerts that still fire.
    firing: HashMap<Fingerprint, usize>,
    /// Alerts past the limit.
    more: u64,
}

impl Episodes {
    pub(super) fn at_most(most: usize) -> Self {
        Self { most, began: Vec::new(), firing: HashMap::new(), more: 0 }
    }

    /// The alerts in the order in which they began, with the latest figures of those in `firing`, and how many more
    /// there were.
    pub(super) fn in_order(&self, firing: &[Alert]) -> (Vec<Alert>, u64) {
        let mut alerts = self.began.clone();
        for alert in firing {
            if let Some(&at) = self.firing.get(&alert.fingerprint) {
                alerts[at] = alert.clone();
            }
        }
        (alerts, self.more)
    }
}

impl AlertSink for Episodes {
    fn notify(&mut self, change: &Change) {
        match change {
            Change::Fired(_) if self.began.len() == self.most => self.more += 1,
            Change::Fired(alert) => {
                self.firing.insert(alert.fingerprint, self.began.len());
                self.began.push(alert.clone());
            }
            Change::Resolved(alert) => {
                if let Some(at) = self.firing.remove(&alert.fingerprint) {
                    self.began[at] = alert.clone();
                }
            }
        }
    }
}

/// Writes each change of an alert as a line, until that fails. Waits for a reader that is slow.
pub(super) struct ChangeLines {
    out: BufWriter<Blocking<io::Stdout>>,
    explains: bool,
    outcome: io::Result<()>,
}

impl ChangeLines {
    pub(super) fn new(out: BufWriter<Blocking<io::Stdout>>, explains: bool) -> Self {
        Self { out, explains, outcome: Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.outcome.and_then(|()| self.out.flush())
    }
}

impl AlertSink for ChangeLines {
    fn notify(&mut self, change: &Change) {
        if self.outcome.is_ok() {
            self.outcome = json::write(change, self.explains, &mut self.out);
        }
    }
}

#[cfg(test)]
mod tests;
