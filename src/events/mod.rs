//! Writes changes of alerts and violations as lines: for people as log lines, for scripts as JSON or CSV; and reads
//! logs back. Takes changes and violations; gives lines, files and reports. Must not know the detectors.
//!
//! The names of rules, hosts and processes come from outside and are escaped. All else is numbers, addresses and the
//! program's own words.

pub mod analysis;
mod complaints;
pub mod console;
#[cfg(test)]
mod documented;
pub mod json;
pub mod line;
pub mod log;
mod minutely;
pub(crate) mod spreadsheet;
mod top;

use crate::alert::{AlertNames, Change};
use crate::detect::Subject;
use crate::packet::Seconds;
pub(crate) use complaints::Complaints;
use line::LogLine;
pub use log::Config;
pub(crate) use minutely::MinutelyCount;

/// The names and origins of the subject, as far as they are known.
fn put_names(line: &mut LogLine, names: &AlertNames) {
    let AlertNames { source, destination, .. } = names;
    let known = [
        ("src_name", &source.name),
        ("dst_name", &destination.name),
        ("src_origin", &source.origin),
        ("dst_origin", &destination.origin),
    ];
    known.into_iter().for_each(|(key, text)| text.iter().for_each(|text| line.put_text(key, text)));
}

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
