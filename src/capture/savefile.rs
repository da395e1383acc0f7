//! Savefiles: pcap and pcapng, from a path or standard input.

mod records;

use std::fs::{File, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pcap::{Capture, Offline, Precision};

use super::error::{Error, words};
use crate::packet::{Frame, LinkType, Timestamp};
use records::{Next, Records};

/// Frames that libpcap skips in one call.
const SKIPPED_AT_ONCE: usize = 65_536;

/// An open savefile.
pub struct Savefile {
    path: PathBuf,
    capture: Capture<Offline>,
    /// Where the file is plain, what reads it for libpcap.
    records: Option<Records>,
    link_type: LinkType,
    /// Frames that were handed over.
    frames: u64,
    /// Of these, those that libpcap did not read.
    passed_by: u64,
}

impl Savefile {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// When the file cannot be opened, is no capture, or `filter` does not compile for its link type.
    pub fn open(path: &Path, filter: Option<&str>) -> Result<Self, Error> {
        let (mut capture, file) = open(path)?;
        let link_type = LinkType(capture.get_datalink().0);
        if let Some(filter) = filter {
            capture
                .filter(filter, true)
                .map_err(|error| Error::Filter { filter: filter.to_owned(), reason: words(&error) })?;
        }
        let records = file.filter(|_| filter.is_none()).and_then(|file| plain(file, path));
        Ok(Self { path: path.to_owned(), capture, records, link_type, frames: 0, passed_by: 0 })
    }

    /// What stands before the IP header of its frames.
    #[must_use]
    pub fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// libpcap's name of that link type.
    #[must_use]
    pub fn link_type_name(&self) -> Option<String> {
        self.capture.get_datalink().get_name().ok()
    }

    /// Hands up to `count` frames to `on_frame`; gives their number, 0 at the end.
    ///
    /// # Errors
    /// When the file is broken at this place. The frames before it were handed over.
    #[inline]
    pub fn read(&mut self, count: usize, mut on_frame: impl FnMut(Frame<'_>)) -> Result<usize, Error> {
        let mut frames = 0;
        if !self.is_left_to_libpcap() {
            while frames < count
                && let Some(frame) = self.next_plain()
            {
                on_frame(frame);
                frames += 1;
            }
            if frames == count || !self.is_left_to_libpcap() {
                return Ok(frames);
            }
        }
        Ok(frames + self.dispatch(count - frames, on_frame)?)
    }

    /// The next frame of a plain file. None at its end, and where libpcap has to read on, as [`Savefile::read`] lets it.
    ///
    /// What is done with a frame can be inlined around this, which a closure that libpcap calls, too, is not.
    #[inline(always)]
    pub fn next_plain(&mut self) -> Option<Frame<'_>> {
        let Self { records, frames, .. } = self;
        match records.as_mut()?.next() {
            Next::Frame(frame) => {
                *frames += 1;
                Some(frame)
            }
            Next::End | Next::Odd => None,
        }
    }

    /// Whether libpcap has to read on.
    fn is_left_to_libpcap(&mut self) -> bool {
        if self.records.as_ref().is_some_and(Records::is_odd) {
            self.records = None;
            self.passed_by = self.frames;
        }
        self.records.is_none()
    }

    /// As [`Savefile::read`], by libpcap.
    fn dispatch(&mut self, count: usize, mut on_frame: impl FnMut(Frame<'_>)) -> Result<usize, Error> {
        self.catch_up()?;
        let Self { capture, frames, .. } = self;
        let read = capture.dispatch(Some(count), |packet| {
            *frames += 1;
            let header = packet.header;
            let time = Timestamp::from_seconds_and_nanoseconds(header.ts.tv_sec, header.ts.tv_usec);
            on_frame(Frame::new(time, packet.data, header.len));
        });
        read.map_err(|error| self.broken(&error))
    }

    /// Lets libpcap go on behind the frames that it did not read.
    fn catch_up(&mut self) -> Result<(), Error> {
        while self.passed_by > 0 {
            let count = usize::try_from(self.passed_by).unwrap_or(usize::MAX).min(SKIPPED_AT_ONCE);
            match self.capture.dispatch(Some(count), |_| {}) {
                Ok(0) => self.passed_by = 0,
                Ok(skipped) => self.passed_by -= skipped as u64,
                Err(error) => return Err(self.broken(&error)),
            }
        }
        Ok(())
    }

    fn broken(&self, error: &pcap::Error) -> Error {
        Error::BrokenFile { path: self.path.clone(), frames: self.frames, reason: words(error) }
    }
}

/// The records of `file`, if it is plain, and still what `path` leads to: libpcap opened it by its name, when another may
/// have come to be there.
fn plain(file: File, path: &Path) -> Option<Records> {
    let identity = |of: std::io::Result<Metadata>| of.ok().map(|of| (of.dev(), of.ino()));
    (identity(file.metadata()) == identity(path.metadata())).then(|| Records::of(file)).flatten()
}

/// Opens through [`File`] first, whose errors tell a missing file from a forbidden one; libpcap then opens it by its own
/// path, or by the descriptor's where the path is not UTF-8. Gives the file, too, where it is a regular one.
fn open(path: &Path) -> Result<(Capture<Offline>, Option<File>), Error> {
    let not_a_capture = |error: pcap::Error| Error::NotACapture { path: path.to_owned(), reason: words(&error) };
    let by_libpcap = |path: &Path| Capture::from_file_with_precision(path, Precision::Nano).map_err(not_a_capture);
    if path == Path::new("-") {
        return Ok((by_libpcap(path)?, None));
    }
    let cannot_open = |source| Error::OpenFile { path: path.to_owned(), source };
    let is_regular = path.metadata().map_err(cannot_open)?.is_file();
    if !is_regular && path.to_str().is_some() {
        return Ok((by_libpcap(path)?, None));
    }
    let file = File::open(path).map_err(cannot_open)?;
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let capture = by_libpcap(if path.to_str().is_some() { path } else { &by_descriptor })?;
    Ok((capture, is_regular.then_some(file)))
}

#[cfg(test)]
mod tests;
