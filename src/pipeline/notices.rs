//! Log lines that are written once. Takes notices; writes each once. Must not know what causes them.

use super::control::Plan;
use std::collections::BTreeSet;

use super::Error;
use crate::capture::Selection;

/// The most notices that are remembered so that none is repeated. At the limit all are forgotten: notices may then be
/// repeated, and none is lost.
const MAXIMUM_NOTICES: usize = 1_000;

#[derive(Default)]
pub(super) struct Notices(BTreeSet<String>);

impl Notices {
    /// Logs a notice unless it was logged before.
    pub(super) fn log(&mut self, notice: String) {
        if self.is_new(&notice) {
            tracing::warn!("{notice}");
        }
    }

    /// Logs a notice unless one about the same `subject` was logged. For texts with numbers that keep changing.
    pub(super) fn log_once(&mut self, subject: &str, notice: &str) {
        if self.is_new(subject) {
            tracing::warn!("{notice}");
        }
    }

    fn is_new(&mut self, text: &str) -> bool {
        if self.0.len() >= MAXIMUM_NOTICES && !self.0.contains(text) {
            self.0.clear();
        }
        self.0.insert(text.to_owned())
    }
}

/// Logs that the capture of an interface has ended by itself. With `all` this is no warning, because interfaces may be
/// deleted. If the interface still exists and cannot be opened again, a warning follows.
pub(super) fn log_stopped(interface: &str, selection: &Selection, error: &Error) {
    if *selection == Selection::All {
        tracing::info!(interface, %error, "capture stopped");
    } else {
        tracing::warn!(interface, %error, "capture stopped; retrying");
    }
}

/// Logs when an interface that the user named goes down, disappears or comes back. `exists` is true for the name of an
/// existing interface.
pub(super) fn log_changes(named: &[String], before: &Plan, after: &Plan, exists: impl Fn(&str) -> bool) {
    for interface in named {
        match (before.up.contains(interface), after.up.contains(interface)) {
            (true, false) if exists(interface) => tracing::warn!(interface, "the interface is down; waiting for it"),
            (true, false) => tracing::warn!(interface, "the interface does not exist any more; waiting for it"),
            (false, true) => tracing::info!(interface, "the interface is up again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_with_other_numbers_about_one_subject_take_one_place() {
        let mut notices = Notices::default();
        (0..5_000).for_each(|handles| notices.log_once("rings", &format!("{handles} interfaces share the rings")));
        assert_eq!(notices.0.len(), 1);
        (0..5_000).for_each(|number| notices.log(format!("notice {number}")));
        assert!(notices.0.len() <= MAXIMUM_NOTICES);
    }

    #[test]
    fn a_new_notice_is_logged_however_many_were_before() {
        let mut notices = Notices::default();
        for number in 0..5_000 {
            let notice = format!("notice {number}");
            assert_eq!((notices.is_new(&notice), notices.is_new(&notice)), (true, false));
        }
    }
}
