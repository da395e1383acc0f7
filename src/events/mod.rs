//! Changes of alerts → lines: for people on the console, for scripts as JSON.
//!
//! Knows nothing of what is found, nor of where lines go. What comes from outside (a rule's name) is escaped; the rest is
//! made of numbers, addresses and words of the program's own.

pub mod console;
pub mod json;
pub mod line;

use crate::alert::Change;
use crate::packet::Seconds;

/// Receives the changes of alerts.
pub trait Tell {
    /// Hears of a change, in the order of packet time.
    fn tell(&mut self, change: &Change);
}

/// Discards all changes.
impl Tell for () {
    fn tell(&mut self, _: &Change) {}
}

/// The word for what became of an alert.
const fn state(change: &Change) -> &'static str {
    change.alert().state.label()
}
