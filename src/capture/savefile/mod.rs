//! Savefiles: pcap and pcapng, compressed or not, from a path or standard input. Takes a path and a filter; gives
//! frames with their link types. Must not know the contents of frames.

mod ahead;
mod blocks;
mod compression;
mod filter;
mod input;
mod libpcap;
mod records;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Error, words};
use crate::packet::{Frame, LinkType};
use blocks::{Blocks, NextPacket};
use compression::{Compression, Decompressed, LONGEST_MAGIC};
use filter::SavefileFilter;
use input::Input;
use libpcap::LibpcapReader;
use records::{NextRecord, Records};

pub use libpcap::link_type_name;

/// An open savefile.
pub struct Savefile {
    path: PathBuf,
    reader: Reader,
    link_types: Vec<LinkType>,
    filter: Option<SavefileFilter>,
    frames: u64,
    consumed: Option<Arc<AtomicU64>>,
}

/// The reader of the file's format.
enum Reader {
    Records(Records),
    /// A pcapng file.
    Blocks(Blocks),
    /// Anything else: libpcap reads it.
    Libpcap(LibpcapReader),
    /// No reader: the change to libpcap's reader has failed.
    None,
}

/// The outcome of a call of [`Savefile::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramesRead {
    /// Number of frames that were read, including those that the filter rejected.
    pub frames: usize,
    /// The reason why there were no more.
    pub stop: StopReason,
}

/// The reason why a call read no more frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It read as many as were asked for.
    Count,
    /// More frames may come later, for example on standard input.
    Waiting,
    /// The file has ended.
    End,
}

impl Savefile {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// When the file cannot be opened, is no capture, or `filter` does not compile for its link type.
    pub fn open(path: &Path, filter: Option<&str>) -> Result<Self, Error> {
        let (input, consumed) = decompressed(open(path)?, path)?;
        let (reader, link_types) = recognised(input, path)?;
        let mut savefile = Self { path: path.to_owned(), reader, link_types, filter: None, frames: 0, consumed };
        savefile.filter = filter.map(|text| SavefileFilter::new(text, savefile.link_type())).transpose()?;
        Ok(savefile)
    }

    /// The link type of its first interface.
    pub fn link_type(&self) -> LinkType {
        self.link_types.first().copied().unwrap_or(LinkType(1))
    }

    /// The link types of the interfaces that were described before the first frame. More may follow in a pcapng file.
    pub fn link_types(&self) -> &[LinkType] {
        &self.link_types
    }

    /// Number of compressed bytes that were read; none if the file is not compressed.
    pub fn consumed(&self) -> Option<u64> {
        self.consumed.as_ref().map(|consumed| consumed.load(Ordering::Relaxed))
    }

    /// Hands those of the next `count` frames that pass the filter to `on_frame`, with the link type of each.
    ///
    /// # Errors
    /// When the file is broken at this place, or the filter does not compile for a link type that comes for the first
    /// time. The frames before it were handed over.
    pub fn read(&mut self, count: usize, mut on_frame: impl FnMut(LinkType, Frame<'_>)) -> Result<FramesRead, Error> {
        let mut frames = 0;
        while frames < count {
            match self.step(count - frames, &mut on_frame)? {
                ReadStep::Frames(read) => frames += read,
                ReadStep::Stop(stop) => return Ok(FramesRead { frames, stop }),
                ReadStep::HandOver => self.hand_over()?,
            }
        }
        Ok(FramesRead { frames, stop: StopReason::Count })
    }

    /// The next frame of a plain file. None at its end, and for other files: then [`Savefile::read`] has to be called.
    ///
    /// The work on a frame can be inlined around this. In a closure that is called from several places it could not.
    #[inline(always)]
    pub fn next_plain(&mut self) -> Option<Frame<'_>> {
        let Self { reader: Reader::Records(records), filter: None, frames, .. } = self else { return None };
        match records.next() {
            NextRecord::Frame(frame) => {
                *frames += 1;
                Some(frame)
            }
            NextRecord::Waiting | NextRecord::End | NextRecord::Odd => None,
        }
    }

    /// Reads one frame, or up to `count`.
    fn step(&mut self, count: usize, on_frame: &mut impl FnMut(LinkType, Frame<'_>)) -> Result<ReadStep, Error> {
        let Self { path, reader, filter, frames, link_types, .. } = self;
        let before = *frames;
        let mut sink = Sink { filter, frames, on_frame };
        match reader {
            Reader::Records(records) if records.is_odd() => Ok(ReadStep::HandOver),
            Reader::Records(records) => {
                let link_type = records.link_type;
                match records.next() {
                    NextRecord::Frame(frame) => sink.offer(link_type, frame).map(|()| ReadStep::Frames(1)),
                    NextRecord::Waiting => Ok(ReadStep::Stop(StopReason::Waiting)),
                    NextRecord::Odd => Ok(ReadStep::HandOver),
                    NextRecord::End => ended(path, before, records.failure()),
                }
            }
            Reader::Blocks(blocks) => match blocks.next().map_err(|fault| broken(path, before, fault))? {
                NextPacket::Frame(link_type, frame) => sink.offer(link_type, frame).map(|()| ReadStep::Frames(1)),
                NextPacket::Waiting => Ok(ReadStep::Stop(StopReason::Waiting)),
                NextPacket::End => Ok(ReadStep::Stop(StopReason::End)),
            },
            Reader::Libpcap(handed) => {
                let link_type = link_types.first().copied().unwrap_or(LinkType(1));
                match sink.offer_handed(handed, link_type, count)? {
                    Ok(0) => ended(path, *frames, handed.failure()),
                    Ok(read) => Ok(ReadStep::Frames(read)),
                    Err(error) => match handed.failure() {
                        Some(failure) => Err(broken(path, *frames, failure)),
                        None => Err(broken(path, *frames, words(&error))),
                    },
                }
            }
            Reader::None => Ok(ReadStep::Stop(StopReason::End)),
        }
    }

    /// Lets libpcap read the rest of the file, because the next record is not plain.
    fn hand_over(&mut self) -> Result<(), Error> {
        if let Reader::Records(mut records) = std::mem::replace(&mut self.reader, Reader::None) {
            if let Some(error) = records.failure() {
                return Err(broken(&self.path, self.frames, error));
            }
            let (header, rest) = records.into_rest();
            let handed = LibpcapReader::over(header.to_vec(), rest);
            self.reader = Reader::Libpcap(handed.map_err(|error| broken(&self.path, self.frames, words(&error)))?);
        }
        Ok(())
    }
}

/// The outcome of one step of reading.
enum ReadStep {
    Frames(usize),
    Stop(StopReason),
    HandOver,
}

/// Receives the frames that were read: filters, counts and hands them over.
struct Sink<'a, F> {
    filter: &'a mut Option<SavefileFilter>,
    frames: &'a mut u64,
    on_frame: &'a mut F,
}

impl<F: FnMut(LinkType, Frame<'_>)> Sink<'_, F> {
    /// Hands a frame over if it passes the filter.
    #[inline]
    fn offer(&mut self, link_type: LinkType, frame: Frame<'_>) -> Result<(), Error> {
        if self.filter.as_mut().map_or(Ok(true), |filter| filter.passes(link_type, &frame))? {
            *self.frames += 1;
            (self.on_frame)(link_type, frame);
        }
        Ok(())
    }

    /// The same for up to `count` frames that libpcap reads. Gives libpcap's result.
    fn offer_handed(
        &mut self,
        handed: &mut LibpcapReader,
        link_type: LinkType,
        count: usize,
    ) -> Result<Result<usize, pcap::Error>, Error> {
        let mut offered = Ok(());
        let read = handed.read(count, |frame| {
            if offered.is_ok() {
                offered = self.offer(link_type, frame);
            }
        });
        offered.map(|()| read)
    }
}

/// The end of the frames, or the error of the input that caused it.
fn ended(path: &Path, frames: u64, failure: Option<io::Error>) -> Result<ReadStep, Error> {
    failure.map_or(Ok(ReadStep::Stop(StopReason::End)), |error| Err(broken(path, frames, error)))
}

fn broken(path: &Path, frames: u64, reason: impl ToString) -> Error {
    Error::BrokenFile { path: path.to_owned(), frames, reason: reason.to_string() }
}

/// Opens `path`. A regular file is read in this thread, everything else ahead in another.
fn open(path: &Path) -> Result<Input, Error> {
    let cannot_open = |source| Error::OpenFile { path: path.to_owned(), source };
    let file = match path == Path::new("-") {
        true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        false => File::open(path),
    };
    let file = file.map_err(cannot_open)?;
    let kind = file.metadata().map_err(cannot_open)?.file_type();
    if kind.is_dir() {
        return Err(cannot_open(io::ErrorKind::IsADirectory.into()));
    }
    if kind.is_file() { Ok(Input::of_file(file)) } else { Input::of_reader(file).map_err(cannot_open) }
}

/// The bytes inside `reader` if they are compressed with gzip, Zstandard or xz; else its own. For files other than
/// captures.
///
/// # Errors
/// When the first bytes cannot be read, or are those of another compressed format.
pub(crate) fn decompress<'a>(mut reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::with_capacity(LONGEST_MAGIC);
    reader.by_ref().take(LONGEST_MAGIC as u64).read_to_end(&mut head)?;
    if let Some((format, command)) = compression::other_format(&head) {
        let reason = format!(
            "it is compressed with {format}, and only gzip, Zstandard and xz are read; decompress it first with {command}"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let compression = Compression::of(&head);
    let whole = io::Cursor::new(head).chain(reader);
    Ok(match compression {
        Some(compression) => Box::new(Decompressed::new(compression, whole, Arc::default())),
        None => Box::new(whole),
    })
}

/// The decompressed bytes if `input` is compressed, with a counter of the compressed ones.
fn decompressed(mut input: Input, path: &Path) -> Result<(Input, Option<Arc<AtomicU64>>), Error> {
    let cannot_open = |source| Error::OpenFile { path: path.to_owned(), source };
    input.wait_for(LONGEST_MAGIC);
    if let Some(error) = input.failure() {
        return Err(cannot_open(error));
    }
    if let Some((format, command)) = compression::other_format(input.unused()) {
        let reason = format!(
            "it is compressed with {format}, and only gzip, Zstandard and xz are read; \
             decompress it first: {command} FILE | trafficmonitor replay -"
        );
        return Err(Error::NotACapture { path: path.to_owned(), reason });
    }
    let Some(compression) = Compression::of(input.unused()) else { return Ok((input, None)) };
    let consumed = Arc::new(AtomicU64::new(0));
    let inside = Decompressed::new(compression, input, Arc::clone(&consumed));
    Ok((Input::of_reader(inside).map_err(cannot_open)?, Some(consumed)))
}

/// The reader of the format that `input` has, and the link types that the file names before its first frame.
fn recognised(input: Input, path: &Path) -> Result<(Reader, Vec<LinkType>), Error> {
    let not_a_capture = |reason| Error::NotACapture { path: path.to_owned(), reason };
    let input = match Records::of(input) {
        Ok(records) => {
            let link_type = records.link_type;
            return Ok((Reader::Records(records), vec![link_type]));
        }
        Err(input) => input,
    };
    let mut input = match Blocks::of(input) {
        Ok(mut blocks) => {
            let link_types = blocks.link_types().map_err(|fault| not_a_capture(fault.to_string()))?;
            return Ok((Reader::Blocks(blocks), link_types));
        }
        Err(input) => input,
    };
    if let Some(error) = input.failure() {
        let reason = error.to_string();
        return Err(match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::BrokenFile { path: path.to_owned(), frames: 0, reason },
            _ => not_a_capture(reason),
        });
    }
    let handed = LibpcapReader::over(Vec::new(), input).map_err(|error| not_a_capture(words(&error)))?;
    let link_type = handed.link_type();
    Ok((Reader::Libpcap(handed), vec![link_type]))
}

#[cfg(test)]
mod tests;
