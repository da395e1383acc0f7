//! Writes changes of alerts as lines: for people as log lines, for scripts as JSON. Takes changes; gives lines. Must
//! not know the detectors, nor where lines go.
//!
//! The names of rules come from outside and are escaped. All else is numbers, addresses and the program's own words.

pub mod console;
pub mod json;
pub mod line;

use crate::alert::Change;
use crate::detect::Subject;
use crate::packet::Seconds;
use line::LogLine;

/// The state after a change, as text.
const fn state(change: &Change) -> &'static str {
    change.alert().state.label()
}

fn put_subject(line: &mut LogLine, subject: &Subject) {
    match subject {
        Subject::Source(source) => line.put_text("src", &source.to_string()),
        Subject::Destination(destination) => line.put_text("dst", &destination.to_string()),
        Subject::Pair { source, destination } => {
            line.put_text("src", &source.to_string());
            line.put_text("dst", &destination.to_string());
        }
        Subject::Network(network) => line.put_text("network", &network.to_string()),
    }
}
