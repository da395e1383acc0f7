//! The order of the logs: that of their first events, and of their numbers among the files of one rotated log. Takes
//! paths; gives inputs to read one after the other. Must not know formats.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use crate::events::analysis::{Analysis, LogFormat};
use crate::packet::Timestamp;

/// Bytes of a log in which its first event is sought: more than a block of a compressed one.
const START_BYTES: u64 = 256 << 10;

/// The ends of the names of compressed logs.
const COMPRESSED: [&str; 3] = ["gz", "zst", "xz"];

/// A log to read.
#[derive(Default)]
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

/// The logs, those with the earliest events in front. One without an event comes before all others. Files of one rotated
/// log, `FILE` and `FILE.1` with `FILE` among them, are in the order of their numbers.
pub(super) fn in_order_of_time(paths: &[PathBuf], format: Option<LogFormat>) -> Vec<LogInput> {
    let mut inputs: Vec<LogInput> = paths.iter().map(|path| LogInput::unopened(path)).collect();
    if inputs.len() > 1 {
        inputs = inputs.into_iter().map(|input| input.with_start(format)).collect();
        inputs.sort_by(|one, other| one.first.cmp(&other.first).then(one.path.cmp(&other.path)));
        for newest in paths.iter().collect::<HashSet<_>>() {
            order_rotations(&mut inputs, newest);
        }
    }
    inputs
}

/// Puts the files of a rotated log, wherever they stand, into the order of their numbers, the highest in front.
fn order_rotations(inputs: &mut [LogInput], newest: &Path) {
    let rotations = inputs.iter().enumerate();
    let mut of_log: Vec<(u64, usize)> =
        rotations.filter_map(|(at, input)| Some((rotation(newest, &input.path)?, at))).collect();
    let places: Vec<usize> = of_log.iter().map(|(_, at)| *at).collect();
    of_log.sort_by(|(one, _), (other, _)| other.cmp(one));
    let mut moved: Vec<LogInput> = of_log.iter().map(|(_, at)| std::mem::take(&mut inputs[*at])).collect();
    for (place, input) in places.into_iter().zip(moved.drain(..)) {
        inputs[place] = input;
    }
}

/// The number of a file of the log `newest`, which has 0; none if it is of another log.
fn rotation(newest: &Path, path: &Path) -> Option<u64> {
    if path == newest {
        return Some(0);
    }
    let is_compressed = path.extension().is_some_and(|end| COMPRESSED.iter().any(|known| end == *known));
    let numbered = if is_compressed { path.with_extension("") } else { path.to_owned() };
    let number = numbered.extension()?.to_str()?.parse().ok()?;
    (numbered.with_extension("") == newest).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32) -> String {
        format!("{{\"event\":\"violation\",\"ts\":{second},\"src\":\"203.0.113.5\"}}\n")
    }

    fn alert(second: u32) -> String {
        format!(
            "{{\"event\":\"alert\",\"ts\":{second},\"src\":\"203.0.113.5\",\"kind\":\"policy\",\"state\":\"firing\"}}\n"
        )
    }

    /// The names of these logs in the order in which they are read.
    fn order(logs: &[(&str, String)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |(name, text): &(&str, String)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths: Vec<PathBuf> = logs.iter().map(write).collect();
        let name = |input: LogInput| input.path.file_name().unwrap().to_str().unwrap().to_owned();
        in_order_of_time(&paths, None).into_iter().map(name).collect()
    }

    #[test]
    fn rotated_files_of_one_log_are_read_by_number_and_others_by_time() {
        let logs = [
            ("S", alert(10)),
            ("S.1", line(30)),
            ("S.2.gz", line(20)),
            ("S.10", line(11)),
            ("other", line(25)),
            ("S.x", line(9)),
        ];
        assert_eq!(order(&logs), ["S.x", "S.10", "S.2.gz", "S.1", "other", "S"]);
    }

    #[test]
    fn numbers_without_the_newest_file_do_not_decide() {
        assert_eq!(order(&[("S.1", line(1)), ("S.2", line(2)), ("S.3", line(3))]), ["S.1", "S.2", "S.3"]);
    }

    #[test]
    fn alert_that_began_in_the_log_before_does_not_decide() {
        let logs = [("b", alert(10) + &line(40)), ("a", line(20)), ("c", alert(50))];
        assert_eq!(order(&logs), ["a", "b", "c"]);
    }
}
