//! The bytes of a capture, in a buffer that is filled in large pieces. Takes a plain file or bytes that are read
//! ahead; gives windows of the buffer. Must not know the contents.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

use super::ahead::{Ahead, FilePiece, PIECE};

/// The outcome of [`Input::fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// All wanted bytes are there.
    Whole,
    /// The input has ended before; [`Input::failure`] gives its error if there was one.
    Ended,
    Waiting,
}

pub(super) struct Input {
    source: InputSource,
    buffer: Vec<u8>,
    /// The unused bytes are those from here to `end`.
    at: usize,
    end: usize,
    has_ended: bool,
    failure: Option<io::Error>,
}

enum InputSource {
    /// A regular file, whose bytes are always there.
    File(File),
    Ahead(Ahead),
}

impl Input {
    pub(super) fn of_file(file: File) -> Self {
        Self::of(InputSource::File(file))
    }

    /// The bytes of any reader. Fails when no thread can be started.
    pub(super) fn of_reader(reader: impl Read + Send + 'static) -> io::Result<Self> {
        Ahead::start(reader).map(|ahead| Self::of(InputSource::Ahead(ahead)))
    }

    fn of(source: InputSource) -> Self {
        Self { source, buffer: vec![0; PIECE], at: 0, end: 0, has_ended: false, failure: None }
    }

    /// The bytes that were read and are not used yet.
    #[inline(always)]
    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    #[inline(always)]
    pub(super) fn available(&self) -> usize {
        self.end - self.at
    }

    /// Gives the next `length` bytes, which must be there, and counts them as used.
    #[inline(always)]
    pub(super) fn take(&mut self, length: usize) -> &[u8] {
        let taken = &self.buffer[self.at..][..length];
        self.at += length;
        taken
    }

    /// Reads on until `wanted` unused bytes are there.
    #[cold]
    #[inline(never)]
    pub(super) fn fill(&mut self, wanted: usize) -> Filled {
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted && !self.has_ended {
            match self.read_once() {
                Ok(Filled::Whole) => {}
                Ok(Filled::Waiting) => return Filled::Waiting,
                Ok(Filled::Ended) => self.has_ended = true,
                Err(error) => (self.has_ended, self.failure) = (true, Some(error)),
            }
        }
        if self.end < wanted { Filled::Ended } else { Filled::Whole }
    }

    /// Waits until `wanted` unused bytes are there, or the input has ended. Gives the number of unused bytes.
    pub(super) fn wait_for(&mut self, wanted: usize) -> usize {
        while self.available() < wanted && self.fill(wanted) == Filled::Waiting {}
        self.available()
    }

    /// The error with which the input ended.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Reads some bytes behind those that are there; [`Filled::Whole`] if any came.
    fn read_once(&mut self) -> io::Result<Filled> {
        match &mut self.source {
            InputSource::File(file) => match file.read(&mut self.buffer[self.end..]) {
                Ok(0) => Ok(Filled::Ended),
                Ok(read) => {
                    self.end += read;
                    Ok(Filled::Whole)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Filled::Whole),
                Err(error) => Err(error),
            },
            InputSource::Ahead(ahead) => match ahead.next()? {
                FilePiece::Ended => Ok(Filled::Ended),
                FilePiece::Waiting => Ok(Filled::Waiting),
                FilePiece::Bytes(bytes) => {
                    let end = self.end + bytes.len();
                    if self.buffer.len() < end {
                        self.buffer.resize(end, 0);
                    }
                    self.buffer[self.end..end].copy_from_slice(&bytes);
                    self.end = end;
                    ahead.give_back(bytes);
                    Ok(Filled::Whole)
                }
            },
        }
    }

    /// Writes all bytes that are left to `writer`, until the input or the writer ends.
    ///
    /// # Errors
    /// An error of the input. An error of the writer only ends the copy.
    pub(super) fn copy_to(mut self, mut writer: impl Write) -> io::Result<()> {
        loop {
            if writer.write_all(self.unused()).is_err() {
                return Ok(());
            }
            self.at = self.end;
            if self.wait_for(1) == 0 {
                return self.failure().map_or(Ok(()), Err);
            }
        }
    }
}

/// The bytes that are left, for a reader that takes over.
impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.wait_for(1) == 0 {
            return self.failure().map_or(Ok(0), Err);
        }
        let length = into.len().min(self.available());
        into[..length].copy_from_slice(self.take(length));
        Ok(length)
    }
}
