//! The order of the logs: that of their first events, however they are named. Takes paths; gives inputs to read one
//! after the other. Must not know formats.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use crate::events::analysis::{Analysis, LogFormat};
use crate::packet::Timestamp;

/// Bytes of a log in which its first event is sought: more than a block of a compressed one.
const START_BYTES: u64 = 256 << 10;

/// A log to read.
pub(super) struct LogInput {
    pub(super) path: PathBuf,
    /// The time of its first event, if that is known.
    first: Option<Timestamp>,
    /// A stream that cannot be opened again, from its start.
    pub(super) stream: Option<Box<dyn Read>>,
}

impl LogInput {
    /// Standard input or a file that is opened later.
    fn unopened(path: &Path) -> Self {
        let stream = (path == Path::new("-")).then(|| Box::new(io::stdin()) as Box<dyn Read>);
        Self { path: path.to_owned(), first: None, stream }
    }

    /// Looks for the first event. A log that cannot be read is reported when it is read.
    fn with_start(self, format: Option<LogFormat>) -> Self {
        let (mut reader, is_file): (Box<dyn Read>, bool) = match (self.stream, File::open(&self.path)) {
            (Some(stream), _) => (stream, false),
            (None, Ok(file)) => {
                let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
                (Box::new(file), is_file)
            }
            (None, Err(_)) => return Self { stream: None, ..self },
        };
        let mut start = Vec::new();
        if reader.by_ref().take(START_BYTES).read_to_end(&mut start).is_err() {
            return Self { stream: None, ..self };
        }
        let first = Analysis::first_time(format, &start);
        let stream = (!is_file).then(|| Box::new(Cursor::new(start).chain(reader)) as Box<dyn Read>);
        Self { first, stream, ..self }
    }
}

/// The logs, those with the earliest events in front. One without an event comes before all others.
pub(super) fn in_order_of_time(paths: &[PathBuf], format: Option<LogFormat>) -> Vec<LogInput> {
    let mut inputs: Vec<LogInput> = paths.iter().map(|path| LogInput::unopened(path)).collect();
    if inputs.len() > 1 {
        inputs = inputs.into_iter().map(|input| input.with_start(format)).collect();
        inputs.sort_by(|one, other| one.first.cmp(&other.first).then(one.path.cmp(&other.path)));
    }
    inputs
}
