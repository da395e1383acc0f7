//! Writes whole lines to a descriptor that may fail for a while: a full disk, a slow pipe, a terminal that is gone.
//! Takes one line at a time; returns when the whole line is written. Must not know the queue.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::Stream;
use crate::events::MinutelyCount;

/// The pause after a failed attempt: doubled each time, up to a bound.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The error that the reader has closed its end of the pipe: no line can be written any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// Writes whole lines, and tries again after every error that may pass.
#[derive(Debug)]
pub(super) struct LineWriter<W> {
    stream: Stream,
    out: W,
    /// True if only the beginning of the last line was written.
    is_partly_written: bool,
    pause: Duration,
    failures: u64,
    told: MinutelyCount,
}

impl<W: Write> LineWriter<W> {
    pub(super) fn new(stream: Stream, out: W) -> Self {
        Self { stream, out, is_partly_written: false, pause: FIRST_PAUSE, failures: 0, told: MinutelyCount::default() }
    }

    /// Writes `line`, however long that takes. After an error in the middle of a line, ends the part with a line feed
    /// and writes the line again: meanwhile the file may have been emptied, or another process may have written to it.
    pub(super) fn write_line(&mut self, line: &[u8]) -> Result<(), Closed> {
        let mut written = 0;
        while written < line.len() {
            let next = if self.is_partly_written { b"\n" } else { &line[written..] };
            match self.out.write(next) {
                Ok(0) => self.wait(),
                Ok(_) if self.is_partly_written => self.is_partly_written = false,
                Ok(bytes) => {
                    written += bytes;
                    self.pause = FIRST_PAUSE;
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    // The rest is written later.
                    ErrorKind::WouldBlock => self.wait(),
                    ErrorKind::BrokenPipe => {
                        self.report_closed();
                        return Err(Closed);
                    }
                    _ => {
                        self.is_partly_written |= written > 0;
                        written = 0;
                        self.report_failure(&error);
                        self.wait();
                    }
                },
            }
        }
        Ok(())
    }

    /// Sleeps before the next attempt, each time longer.
    fn wait(&mut self) {
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Logs a failure of the alert lines. A failure of the log itself cannot be logged.
    fn report_failure(&mut self, error: &io::Error) {
        self.failures += 1;
        if self.stream == Stream::Log {
            return;
        }
        if let Some(failures) = self.told.take(self.failures, Instant::now()) {
            tracing::warn!(%error, failures, "cannot write alerts to standard output; retrying (logged once per minute)");
        }
    }

    fn report_closed(&self) {
        if self.stream == Stream::Alerts {
            tracing::warn!("the reader of standard output has closed it; no more alerts are written there");
        }
    }
}

/// An output that waits for its reader. If another process has made the shared descriptor non-blocking, it tries again.
#[derive(Debug)]
pub(in crate::app) struct Blocking<W>(pub(in crate::app) W);

impl<W: Write> Blocking<W> {
    fn retry_until_done<T>(&mut self, mut try_it: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
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
        self.retry_until_done(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.retry_until_done(Write::flush)
    }
}
