//! The sink for changes of alerts.
//!
//! Takes changes; gives notices to the inbox, with the receivers that want them. Must not know what becomes of them. It
//! never waits; what does not fit is counted.

use std::sync::Arc;

use super::config::{AlertSelection, ReceiverConfig};
use super::delivery::{Lane, now};
use super::figures::{FailureReason, ReceiverFigures};
use super::inbox::{Arrival, Inbox, Receivers};
use super::notice::Notice;
use crate::alert::{AlertSink, Change};

/// Hands changes of alerts over to their receivers. Never waits; what does not fit is counted.
#[derive(Debug, Clone)]
pub struct NotificationSink {
    inbox: Arc<Inbox>,
    receivers: Arc<[Addressee]>,
}

/// A receiver, as the sink knows it.
#[derive(Debug)]
struct Addressee {
    name: String,
    selection: AlertSelection,
    figures: Arc<ReceiverFigures>,
}

impl NotificationSink {
    /// A sink for the receivers of these settings and lanes, which are in the same order.
    pub(super) fn new(inbox: Arc<Inbox>, configs: &[ReceiverConfig], lanes: &[Arc<Lane>]) -> Self {
        let addressee = |(config, lane): (&ReceiverConfig, &Arc<Lane>)| Addressee {
            name: config.name.clone(),
            selection: config.selection.clone(),
            figures: Arc::clone(&lane.figures),
        };
        Self { inbox, receivers: configs.iter().zip(lanes).map(addressee).collect() }
    }

    /// The figures of each receiver, by its name.
    pub(super) fn figures(&self) -> Vec<(String, Arc<ReceiverFigures>)> {
        let pair = |receiver: &Addressee| (receiver.name.clone(), Arc::clone(&receiver.figures));
        self.receivers.iter().map(pair).collect()
    }

    /// Hands a notice over.
    pub(super) fn put(&self, notice: Notice) {
        let accepts = |(position, receiver): (u16, &Addressee)| receiver.selection.accepts(&notice).then_some(position);
        let receivers: Receivers = (0..).zip(self.receivers.iter()).filter_map(accepts).collect();
        if receivers.is_empty() {
            return;
        }
        for lost in self.inbox.put(Arrival { notice: Arc::new(notice), receivers, changed_at: now() }) {
            lost.iter().for_each(|at| self.receivers[usize::from(*at)].figures.count_lost(FailureReason::QueueFull, 1));
        }
    }
}

impl AlertSink for NotificationSink {
    fn notify(&mut self, change: &Change) {
        if !self.receivers.is_empty() {
            self.put(Notice::of(change));
        }
    }
}
