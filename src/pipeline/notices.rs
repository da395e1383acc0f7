//! What is said once.

use std::collections::BTreeSet;

/// The most notices that are remembered, so as not to be said again.
const MAXIMUM_NOTICES: usize = 1_000;

/// What was said already.
#[derive(Default)]
pub(super) struct Notices(BTreeSet<String>);

impl Notices {
    /// Says a notice that was not said yet.
    pub(super) fn say(&mut self, notice: String) {
        if self.0.len() < MAXIMUM_NOTICES && !self.0.contains(&notice) {
            tracing::warn!("{notice}");
            self.0.insert(notice);
        }
    }
}
