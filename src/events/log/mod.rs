//! The event log: violations and changes of alerts in a file, or on the console.
//!
//! Takes events from any thread through a bounded queue; a thread of its own writes them. Must not know the detectors,
//! nor the policy that finds violations.

mod array;
mod channel;
mod config;
mod fields;
mod file;
mod form;
mod lost_events;
mod lost_packets;
mod pattern;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::console::Style;
use crate::os::threads::{self, Needs};
use channel::EventChannel;
pub use channel::{EventSender, LogReopener, SendingPace};
pub use config::{Config, Error, EventFormat};
pub(crate) use fields::FIELDS;
use file::LogFile;
pub use pattern::TrafficByVerdict;
pub use writer::{ConsoleLine, EventLogFigures, LineUrgency, TrafficSums};
use writer::{EventWriter, WriterState};

/// The event log, running.
#[derive(Debug)]
pub struct EventLog {
    channel: Arc<EventChannel>,
    figures: EventLogFigures,
}

impl EventLog {
    /// Checks that the file could be opened now. Nothing is created, locked or changed.
    ///
    /// # Errors
    /// When it could not.
    pub fn inspect(config: &Config) -> Result<(), Error> {
        let Some(path) = &config.file else { return Ok(()) };
        LogFile::inspect(path, config.format).map_err(|source| Error::Unusable { path: path.clone(), source })
    }

    /// The file, if another process keeps it locked now, so that a start would be refused.
    pub fn locked_file(config: &Config) -> Option<&Path> {
        config.file.as_deref().filter(|path| LogFile::is_locked(path, config.format))
    }

    /// Checks that the file can be opened; creates it.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(config: &Config) -> Result<(), Error> {
        open(config).map(drop)
    }

    /// Opens the file and starts the thread that writes. Without a file, `console` receives the lines. Summaries have the
    /// sums of `traffic`; it is given if there is a policy.
    ///
    /// # Errors
    /// When the file cannot be opened, or no thread can be started.
    pub fn start(
        config: Config,
        style: Style,
        console: ConsoleLine,
        traffic: Option<TrafficSums>,
    ) -> Result<Self, Error> {
        let channel = Arc::new(EventChannel::of(config.queue_bytes));
        let figures = EventLogFigures { has_file: config.file.is_some(), ..EventLogFigures::default() };
        let file = open(&config)?;
        let writer = EventWriter {
            config,
            style,
            file,
            console,
            traffic,
            figures: figures.clone(),
            state: WriterState::default(),
        };
        let of_thread = Arc::clone(&channel);
        // Never joined, because a write that blocks cannot be cancelled: the thread ends with the process.
        let thread = threads::spawn("event-writer", Needs::Nothing, move || {
            writer.run(&of_thread);
            of_thread.note_end();
        });
        thread.map(drop).map_err(Error::Thread)?;
        Ok(Self { channel, figures })
    }

    /// The sending end.
    pub fn sender(&self, pace: SendingPace) -> EventSender {
        EventSender::new(Arc::clone(&self.channel), pace)
    }

    /// Reopens the file when asked.
    pub fn reopener(&self) -> LogReopener {
        LogReopener(Arc::clone(&self.channel))
    }

    /// The counters of the thread.
    pub fn figures(&self) -> EventLogFigures {
        self.figures.clone()
    }

    /// Writes what is queued, until `deadline`. Gives the number of events that are not written.
    pub fn finish(self, deadline: Instant) -> u64 {
        self.channel.finish(deadline)
    }
}

fn open(config: &Config) -> Result<Option<LogFile>, Error> {
    let unusable = |path: &Path, source| Error::Unusable { path: path.to_owned(), source };
    let file =
        config.file.as_deref().map(|path| LogFile::open(path, config.format).map_err(|error| unusable(path, error)));
    file.transpose()
}

#[cfg(test)]
mod tests;
