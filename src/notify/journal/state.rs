//! The state that the journal describes: the notices that wait, and the alerts that fire at each receiver.
//!
//! Takes records in their order; gives the state, and the shortest records for it. Must not know files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::JournalRecord;
use crate::notify::firing::FiringAlerts;
use crate::notify::queue::QueuedNotice;
use crate::packet::Timestamp;

/// The state of all receivers. A clone shares the notices.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::notify) struct JournalState {
    pub receivers: BTreeMap<String, ReceiverState>,
    /// The highest number so far.
    pub last_number: u64,
}

/// The state of a receiver.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::notify) struct ReceiverState {
    /// By number.
    pub waiting: BTreeMap<u64, QueuedNotice>,
    pub firing: FiringAlerts,
}

impl JournalState {
    /// Applies a record.
    pub(super) fn apply(&mut self, record: &JournalRecord) {
        match record {
            JournalRecord::Waits { number, receivers, changed_at, notice } => {
                self.last_number = self.last_number.max(*number);
                let changed_at = Timestamp::from_nanoseconds(*changed_at);
                let waiting = QueuedNotice { number: *number, changed_at, notice: Arc::clone(notice) };
                for receiver in receivers {
                    self.receiver(receiver).waiting.insert(*number, waiting.clone());
                }
            }
            JournalRecord::Settled { receiver, numbers, is_delivered, counted } => {
                let state = self.receiver(receiver);
                for one in numbers.iter().filter_map(|number| state.waiting.remove(number)).collect::<Vec<_>>() {
                    state.firing.note(&one.notice, *is_delivered, !counted.contains(&one.number));
                }
            }
            JournalRecord::Fires { receiver, notice, is_counted } => {
                self.receiver(receiver).firing.insert(notice, *is_counted);
            }
        }
    }

    /// Forgets the receivers that are not named.
    pub(super) fn keep(&mut self, receivers: &[String]) {
        self.receivers.retain(|name, _| receivers.contains(name));
    }

    /// The fewest records that give this state.
    pub(super) fn records(&self) -> impl Iterator<Item = JournalRecord> {
        let firing = self.receivers.iter().flat_map(|(receiver, state)| {
            state.firing.iter().map(|(notice, is_counted)| JournalRecord::Fires {
                receiver: receiver.clone(),
                notice: Arc::clone(notice),
                is_counted,
            })
        });
        let mut waiting: BTreeMap<u64, (&QueuedNotice, Vec<String>)> = BTreeMap::new();
        for (receiver, state) in &self.receivers {
            for (number, one) in &state.waiting {
                waiting.entry(*number).or_insert_with(|| (one, Vec::new())).1.push(receiver.clone());
            }
        }
        let waiting = waiting.into_iter().map(|(number, (one, receivers))| JournalRecord::Waits {
            number,
            receivers,
            changed_at: one.changed_at.nanoseconds(),
            notice: Arc::clone(&one.notice),
        });
        firing.chain(waiting)
    }

    fn receiver(&mut self, name: &str) -> &mut ReceiverState {
        self.receivers.entry(name.to_owned()).or_default()
    }
}
