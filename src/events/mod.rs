//! Changes of alerts → lines: for people on the console, for scripts as JSON. Takes changes; gives lines. Outside text
//! (a rule's name) is escaped; the rest consists of numbers, addresses and words of the program's own. Must not know
//! the detectors, nor where lines go.

pub mod console;
pub mod json;
pub mod line;

use crate::alert::Change;
use crate::packet::Seconds;

/// Receives the changes of alerts.
pub trait AlertSink {
    /// Receives a change, in the order of packet time.
    fn notify(&mut self, change: &Change);
}

/// Discards all changes.
impl AlertSink for () {
    fn notify(&mut self, _: &Change) {}
}

/// The state after a change, as text.
const fn state(change: &Change) -> &'static str {
    change.alert().state.label()
}
