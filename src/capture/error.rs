//! Errors of capture. Takes names and reasons; gives messages for users. Must not know the causes of errors.

use std::io;
use std::path::{Path, PathBuf};

use super::printable::printable;

/// An error of capture; the message says what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refuses to list the interfaces.
    #[error(transparent)]
    Network(#[from] super::network::Error),
    /// Interfaces that cannot be captured as they were named.
    #[error(transparent)]
    Selection(#[from] super::selection::SelectionError),
    /// This process may not capture.
    #[error("cannot open {}: permission denied; run as root or: setcap cap_net_raw=ep {}", printable(name), program())]
    Permission {
        /// The interface.
        name: String,
    },
    /// An interface that cannot be opened, or can no longer be captured.
    #[error("{}: {reason}", printable(name))]
    Interface {
        /// The interface.
        name: String,
        /// libpcap's or the kernel's words.
        reason: String,
    },
    /// A file that cannot be opened.
    #[error("cannot open {}: {source}", shown_name(path))]
    OpenFile {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file that libpcap does not take for a capture.
    #[error("{}: not a capture file that libpcap can read: {reason}", shown_name(path))]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// libpcap's words.
        reason: String,
    },
    /// A file that is broken somewhere behind its start.
    #[error("{}: file is broken after {frames} {}: {reason}", shown_name(path), if *frames == 1 { "frame" } else { "frames" })]
    BrokenFile {
        /// The file.
        path: PathBuf,
        /// Frames that were read before the fault.
        frames: u64,
        /// libpcap's words.
        reason: String,
    },
    /// A filter that libpcap does not compile.
    #[error("{}filter `{}` does not compile: {reason}", prefix(place.as_deref()), shortened(filter))]
    Filter {
        /// The place in a file where it was given, if there is one.
        place: Option<String>,
        /// The filter as it was given.
        filter: String,
        /// libpcap's words.
        reason: String,
    },
}

const SHOWN_OF_A_FILTER: usize = 200;

fn prefix(place: Option<&str>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

/// A filter for messages: control characters are escaped, and a long filter is cut.
pub fn shortened(filter: &str) -> String {
    let text: String = printable(filter).chars().take(SHOWN_OF_A_FILTER).collect();
    if filter.chars().count() > SHOWN_OF_A_FILTER { format!("{text}… ({} bytes)", filter.len()) } else { text }
}

/// The name of a capture file for messages and labels; `-` is standard input.
pub fn file_name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// The name of a capture file for messages, with control characters escaped.
fn shown_name(path: &Path) -> String {
    printable(&file_name(path))
}

/// The path of this program, as the user must name it.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "./trafficmonitor".to_owned(), |path| path.display().to_string())
}

/// libpcap's message, without the name of the error's variant.
pub(super) fn words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.clone(),
        other => other.to_string(),
    }
}
