//! Whole lines → a file descriptor that may fail for a while: a full disk, a slow pipe, a terminal that is gone. Takes
//! lines one at a time and gives back only when a line is written as a whole. Must not know how many lines wait.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::Stream;

/// The pauses between two tries double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The least time between two messages about a failure.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The reader has closed its end of the pipe: nothing can be written any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// Writes whole lines, and tries again after every error that may pass.
#[derive(Debug)]
pub(super) struct LineWriter<W> {
    stream: Stream,
    out: W,
    /// The beginning of a line was written, and its rest was not.
    is_torn: bool,
    pause: Duration,
    said: Option<Instant>,
}

impl<W: Write> LineWriter<W> {
    pub(super) fn new(stream: Stream, out: W) -> Self {
        Self { stream, out, is_torn: false, pause: FIRST_PAUSE, said: None }
    }

    /// Writes `line`, however long that takes. After an error in the middle of a line the part of it is closed with a line
    /// feed, and the line is written again: meanwhile the file may have been emptied, or another process may have written.
    pub(super) fn write_line(&mut self, line: &[u8]) -> Result<(), Closed> {
        let mut written = 0;
        while written < line.len() {
            let next = if self.is_torn { b"\n" } else { &line[written..] };
            match self.out.write(next) {
                Ok(0) => self.wait(),
                Ok(_) if self.is_torn => self.is_torn = false,
                Ok(bytes) => {
                    written += bytes;
                    self.pause = FIRST_PAUSE;
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    // The pipe takes the rest later.
                    ErrorKind::WouldBlock => self.wait(),
                    ErrorKind::BrokenPipe => {
                        self.say_closed();
                        return Err(Closed);
                    }
                    _ => {
                        self.is_torn |= written > 0;
                        written = 0;
                        self.say_failed(&error);
                        self.wait();
                    }
                },
            }
        }
        Ok(())
    }

    /// Sleeps, longer each time until something is written.
    fn wait(&mut self) {
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// A failure of the log cannot be logged.
    fn say_failed(&mut self, error: &io::Error) {
        let is_due = self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY);
        if self.stream == Stream::Alerts && is_due {
            self.said = Some(Instant::now());
            tracing::warn!(%error, "cannot write alerts to standard output; retrying (logged once per minute)");
        }
    }

    fn say_closed(&self) {
        if self.stream == Stream::Alerts {
            tracing::warn!("the reader of standard output has closed it; no more alerts are written there");
        }
    }
}

/// The output of a filter: waits for its reader where the descriptor does not, because another process that has it too
/// made it non-blocking.
#[derive(Debug)]
pub(in crate::app) struct Blocking<W>(pub(in crate::app) W);

impl<W: Write> Blocking<W> {
    fn insist<T>(&mut self, mut try_it: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
        loop {
            match try_it(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FIRST_PAUSE),
                outcome => return outcome,
            }
        }
    }
}

impl<W: Write> Write for Blocking<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.insist(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.insist(Write::flush)
    }
}
