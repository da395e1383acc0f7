//! An interface that the kernel path captures: its part of an interval becomes rows, sums and violations. Takes what the
//! kernel counted; fills the interval of the exchange. Must not know maps, nor other interfaces.

use std::sync::Arc;

use crate::account::interval::{Interval, KernelSums};
use crate::decode::Decoder;
use crate::kernel::{self, InterfaceInterval};
use crate::packet::Timestamp;
use crate::pipeline::handover::Exchange;
use crate::policy::Networks;

/// An interface that the program is attached to.
pub(super) struct Captured {
    pub(super) interface: String,
    pub(super) index: u32,
    pub(super) exchange: Exchange,
    /// Frames that were counted since the last hand-over.
    pub(super) received: u64,
    /// The reason why the program is not attached now, after another process has detached it.
    detached: Option<String>,
    /// True once the log says that the program was attached again.
    is_reattachment_logged: bool,
}

impl Captured {
    pub(super) fn new(interface: &str, index: u32, exchange: Exchange) -> Self {
        let interface = interface.to_owned();
        Self { interface, index, exchange, received: 0, detached: None, is_reattachment_logged: false }
    }

    /// Notes the result of a check; true if the program was attached again. Each reason is logged once while it lasts.
    pub(super) fn note_attachment(&mut self, checked: Result<bool, kernel::Error>) -> bool {
        let interface = &self.interface;
        match checked {
            Ok(false) => false,
            Ok(true) if self.is_reattachment_logged => {
                self.detached = None;
                tracing::debug!(interface, "the kernel's program is attached again");
                true
            }
            Ok(true) => {
                self.detached = None;
                self.is_reattachment_logged = true;
                tracing::warn!(
                    interface,
                    "another program has removed the kernel's program, which is attached again; packets between are not counted"
                );
                true
            }
            Err(error) => {
                let reason = error.to_string();
                if self.detached.as_ref() != Some(&reason) {
                    tracing::error!(interface, %error, "another program has removed the kernel's program; retrying");
                    self.detached = Some(reason);
                }
                false
            }
        }
    }

    /// Notes whether the interface is up.
    pub(super) fn set_up(&mut self, is_up: bool) {
        self.exchange.set_up(is_up && self.detached.is_none());
    }

    /// Reports the violations of an interval.
    pub(super) fn report(&mut self, decoder: &Decoder, policy: Option<&Networks>, taken: &InterfaceInterval<'_>) {
        let name = Arc::from(self.interface.as_str());
        let suppressed: u64 = taken.totals.iter().map(|totals| totals.suppressed + totals.events_lost).sum();
        let reports = self.exchange.reports();
        reports.suppressed_packets += suppressed;
        reports.violations.extend(taken.violations.iter().map(|violation| violation.named(&name)));
        if let Some(policy) = policy {
            let messages = taken.messages.iter();
            reports.unread.extend(messages.filter_map(|message| message.violation(decoder, policy, &name)));
        }
    }

    /// Counts an interval that began at this time.
    pub(super) fn count(&mut self, began: Timestamp, decoder: &Decoder, taken: &InterfaceInterval<'_>) {
        let sums = KernelSums { are_wire_packets_unknown: taken.is_joining, ..KernelSums::default() };
        self.filling(began).add_kernel_sums(&sums);
        for message in taken.messages {
            message.add_to(decoder, self.filling(began));
            self.received += u64::from(message.is_uncounted);
        }
        for totals in taken.totals {
            totals.add_to(self.filling(began));
            self.received += totals.frames.frames;
        }
        for sum in taken.overflow {
            sum.add_to(self.filling(began));
        }
        for row in taken.rows_v4 {
            self.filling(began).add_v4(&row.conversation);
        }
        for row in taken.rows_v6 {
            self.filling(began).add_v6(&row.conversation);
        }
    }

    /// The interval of the cell in which the kernel's interval began. A full one is handed over first.
    pub(super) fn filling(&mut self, began: Timestamp) -> &mut Interval {
        if self.exchange.filling().is_nearly_full() {
            self.exchange.hand_over_patiently();
        }
        self.exchange.filling_at(began).0
    }
}
