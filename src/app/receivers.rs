//! The running receivers of alerts, which a reload may replace. Takes their configuration and changes of alerts; gives the
//! changes to the receivers that run. Must not know how a change is delivered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::alert::{AlertSink, Change, EvidenceIndex};
use crate::export::{NotificationFigures, NotificationFiguresReader};
use crate::notify::{Config, Error, NotificationSink, Notifier, ReadyReceivers};

/// Longest time for the last deliveries of receivers that end. The journal keeps the rest.
pub(super) const LAST_DELIVERIES: Duration = Duration::from_millis(500);

/// The way to the receivers that run; none without receivers. It is locked while a change is put in, so that no change
/// comes after the end of the receivers before.
#[derive(Debug, Clone)]
pub(super) struct ReceiverSink(Arc<Mutex<Option<NotificationSink>>>);

impl ReceiverSink {
    fn replace(&self, sink: Option<NotificationSink>) {
        *locked(&self.0) = sink;
    }
}

impl AlertSink for ReceiverSink {
    fn notify(&mut self, change: &Change) {
        if let Some(sink) = &mut *locked(&self.0) {
            sink.notify(change);
        }
    }
}

/// Receivers that a reload puts into force.
pub(super) enum NextReceivers {
    /// They run, and are the first ones.
    Started(Notifier),
    /// They take the place of others, or there are none any more.
    Ready(ReadyReceivers),
}

/// The running receivers. Clones share them.
#[derive(Clone)]
pub(super) struct RunningReceivers {
    notifier: Arc<Mutex<Option<Notifier>>>,
    sink: ReceiverSink,
    figures: NotificationFiguresReader,
    files: EvidenceIndex,
    host: String,
}

impl RunningReceivers {
    /// Starts the receivers, if there are any. Their messages name the evidence `files` and the `host`.
    ///
    /// # Errors
    /// If a receiver or the state directory cannot be used, or no thread can be started.
    pub(super) fn start(config: Config, files: &EvidenceIndex, host: String) -> Result<Self, Error> {
        let start = |config| Notifier::start(config, files.clone(), host.clone());
        let notifier = Some(config).filter(|config| !config.receivers.is_empty()).map(start).transpose()?;
        let sink = ReceiverSink(Arc::new(Mutex::new(notifier.as_ref().map(Notifier::sink))));
        let figures = NotificationFiguresReader::default();
        figures.show(notifier.as_ref().map(figures_of));
        Ok(Self { notifier: Arc::new(Mutex::new(notifier)), sink, figures, files: files.clone(), host })
    }

    /// The receiver of changes.
    pub(super) fn sink(&self) -> ReceiverSink {
        self.sink.clone()
    }

    pub(super) fn figures(&self) -> NotificationFiguresReader {
        self.figures.clone()
    }

    /// Starts receivers where none run yet. They get no change of an alert before [`RunningReceivers::replace`].
    ///
    /// # Errors
    /// If the state directory cannot be used.
    pub(super) fn prepare(&self, ready: ReadyReceivers) -> Result<NextReceivers, Error> {
        if locked(&self.notifier).is_some() || ready.is_empty() {
            return Ok(NextReceivers::Ready(ready));
        }
        ready.start(self.surroundings()).map(NextReceivers::Started)
    }

    /// Goes on with other receivers. Alerts that fire go on at the receivers of the same names.
    pub(super) fn replace(&self, next: NextReceivers) {
        let mut running = locked(&self.notifier);
        let install = |sink| self.sink.replace(Some(sink));
        let next = match (running.take(), next) {
            (_, NextReceivers::Started(notifier)) => {
                install(notifier.sink());
                Some(notifier)
            }
            (Some(before), NextReceivers::Ready(ready)) if !ready.is_empty() => {
                Some(before.hand_over(ready, self.surroundings(), install))
            }
            (before, NextReceivers::Ready(_)) => {
                self.sink.replace(None);
                before.into_iter().for_each(|before| before.remove(Instant::now() + LAST_DELIVERIES));
                None
            }
        };
        self.figures.show(next.as_ref().map(figures_of));
        *running = next;
    }

    /// Delivers what can be delivered until `deadline`, and ends. A reload that replaces the receivers meanwhile does not
    /// delay the end.
    pub(super) fn finish(&self, deadline: Instant) {
        let notifier = self.notifier.try_lock().ok().and_then(|mut running| running.take());
        notifier.into_iter().for_each(|notifier| notifier.finish(deadline));
    }

    fn surroundings(&self) -> (EvidenceIndex, String) {
        (self.files.clone(), self.host.clone())
    }
}

fn figures_of(notifier: &Notifier) -> NotificationFigures {
    NotificationFigures { receivers: notifier.figures(), journal_failures: notifier.journal_failures() }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
