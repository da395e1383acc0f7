//! The looks at an interval: how often its fill is checked, and when it is merged.

use crate::account::fill::Fill;

/// Frames that are read, or dealt, before it is looked how full the interval is.
pub(super) const FRAMES_AT_ONCE: usize = 512;

/// An interval is handed over so many looks after it was found to be due: workers need not wait for each other at every one.
/// The rows at which an interval is nearly full and the frames of these looks stay below its bound.
pub(super) const LOOKS_BEHIND: usize = 4;

/// True if an interval of which this was a look should be merged.
pub(super) fn is_to_be_merged(look: Fill) -> bool {
    look.is_nearly_full() || look.gathers_little()
}
