//! The metrics of deliveries, where there are receivers. Takes the figures of each receiver; gives samples. Must not know how
//! alerts are delivered.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

use super::family;
use super::text::TextWriter;
use crate::notify::{FailureReason, LATENCY_BUCKETS, ReceiverFigures};

/// The figures of a receiver, with its name.
pub type NamedFigures = (String, Arc<ReceiverFigures>);

/// The figures of all receivers, and the number of failed writes to their journal.
#[derive(Debug)]
pub struct NotificationFigures {
    /// By receiver.
    pub receivers: Vec<NamedFigures>,
    /// Counts failed writes.
    pub journal_failures: Arc<AtomicU64>,
}

/// The figures of the present receivers. Clones share them, and a reload of the receivers replaces them.
#[derive(Debug, Clone, Default)]
pub struct NotificationFiguresReader(Arc<ArcSwapOption<NotificationFigures>>);

impl NotificationFiguresReader {
    /// Shows these from now on; none without receivers.
    pub fn show(&self, figures: Option<NotificationFigures>) {
        self.0.store(figures.map(Arc::new));
    }

    /// The present ones.
    pub fn current(&self) -> Option<Arc<NotificationFigures>> {
        self.0.load_full()
    }
}

pub(super) fn write<W: Write>(figures: &NotificationFigures, writer: &mut TextWriter<W>) -> io::Result<()> {
    let NotificationFigures { receivers, journal_failures } = figures;
    let mut each = |family: &family::Family, value: &dyn Fn(&ReceiverFigures) -> u64| {
        writer.family(family)?;
        receivers
            .iter()
            .try_for_each(|(name, figures)| writer.sample(family.name).label("receiver", name).value(value(figures)))
    };
    each(&family::NOTIFICATIONS, &ReceiverFigures::delivered)?;
    each(&family::NOTIFICATIONS_QUEUE, &ReceiverFigures::waiting)?;
    each(&family::NOTIFICATIONS_UNTRACKED, &ReceiverFigures::untracked)?;
    let by_reason = [
        (
            &family::NOTIFICATIONS_FAILED,
            &FailureReason::OF_LOSS[..],
            ReceiverFigures::lost as fn(&ReceiverFigures, FailureReason) -> u64,
        ),
        (&family::NOTIFICATION_ATTEMPTS_FAILED, &FailureReason::OF_ATTEMPTS, ReceiverFigures::failed_attempts),
    ];
    for (family, reasons, value) in by_reason {
        writer.family(family)?;
        for ((name, figures), &reason) in
            receivers.iter().flat_map(|receiver| reasons.iter().map(move |reason| (receiver, reason)))
        {
            writer
                .sample(family.name)
                .label("receiver", name)
                .label("reason", reason.label())
                .value(value(figures, reason))?;
        }
    }
    write_latencies(receivers, writer)?;
    writer.single(&family::NOTIFICATIONS_JOURNAL_ERRORS, journal_failures.load(Relaxed))
}

fn write_latencies<W: Write>(receivers: &[NamedFigures], writer: &mut TextWriter<W>) -> io::Result<()> {
    let name = family::NOTIFICATION_LATENCY.name;
    writer.family(&family::NOTIFICATION_LATENCY)?;
    for (receiver, figures) in receivers {
        let latency = figures.latency();
        let ends = LATENCY_BUCKETS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let counts = latency.buckets.into_iter().chain([latency.count]);
        for (end, count) in ends.zip(counts) {
            writer.sample(&format!("{name}_bucket")).label("receiver", receiver).label("le", &end).value(count)?;
        }
        writer.sample(&format!("{name}_sum")).label("receiver", receiver).value_f64(latency.sum)?;
        writer.sample(&format!("{name}_count")).label("receiver", receiver).value(latency.count)?;
    }
    Ok(())
}
