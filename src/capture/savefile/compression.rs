//! Compressed captures: gzip, Zstandard and xz, recognised by their first bytes. Takes compressed bytes; gives the
//! bytes inside as they are read, never all at once. The memory of a decoder is bounded by [`LARGEST_WINDOW`],
//! whatever the file asks for. Must not know the contents.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// The most first bytes that identify a format.
pub(super) const LONGEST_MAGIC: usize = 6;

/// The largest window (dictionary) that is kept in memory: the default of `zstd` and of `xz -9`.
const LARGEST_WINDOW: u64 = 128 << 20;
/// The limit of the xz decoder in KiB: the window, and 1 MiB for the rest.
const LARGEST_XZ_KIB: u32 = (LARGEST_WINDOW >> 10) as u32 + 1024;
/// Compressed bytes that are read at once.
const PIECE: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstandard,
    Xz,
}

impl Compression {
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // RFC 8878 sections 3.1.1 and 3.1.2: a frame, or one to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstandard),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
            Self::Xz => "xz",
        }
    }
}

/// The compressed format that `head` belongs to and that is not supported: its name, and the command that decompresses
/// it.
pub(super) fn other_format(head: &[u8]) -> Option<(&'static str, &'static str)> {
    match head {
        [b'B', b'Z', b'h', ..] => Some(("bzip2", "bzip2 -dc")),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(("lz4", "lz4 -dc")),
        [b'P', b'K', 3, 4, ..] => Some(("zip", "unzip -p")),
        [0x1f, 0x9d, ..] => Some(("compress", "uncompress -c")),
        _ => None,
    }
}

/// A reader of decompressed bytes.
pub(super) struct Decompressed<R: Read> {
    compression: Compression,
    decoder: Decompressor<CountedReader<R>>,
}

enum Decompressor<R: Read> {
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstandard(Box<Zstandard<R>>),
    Xz(Box<XzReader<BufReader<R>>>),
}

impl<R: Read> Decompressed<R> {
    /// Reads compressed bytes from `reader` and counts them in `consumed`.
    pub(super) fn new(compression: Compression, reader: R, consumed: Arc<AtomicU64>) -> Self {
        let reader = BufReader::with_capacity(PIECE, CountedReader { reader, consumed, has_ended: false });
        let decoder = match compression {
            Compression::Gzip => Decompressor::Gzip(Box::new(MultiGzDecoder::new(reader))),
            Compression::Zstandard => Decompressor::Zstandard(Box::new(Zstandard::new(reader))),
            Compression::Xz => Decompressor::Xz(Box::new(XzReader::new_mem_limit(reader, true, LARGEST_XZ_KIB))),
        };
        Self { compression, decoder }
    }

    /// The error with a message that helps.
    fn explained(&self, error: &io::Error) -> io::Error {
        let name = self.compression.name();
        let source = match &self.decoder {
            Decompressor::Gzip(decoder) => decoder.get_ref().get_ref(),
            Decompressor::Zstandard(decoder) => decoder.reader.get_ref(),
            Decompressor::Xz(decoder) => decoder.inner().get_ref(),
        };
        let (kind, reason) = match error.kind() {
            io::ErrorKind::OutOfMemory => (
                io::ErrorKind::OutOfMemory,
                format!(
                    "the {name} data needs a window of more than {} MiB; decompress it first",
                    LARGEST_WINDOW >> 20
                ),
            ),
            _ if source.has_ended => (io::ErrorKind::UnexpectedEof, format!("the {name} data ends early")),
            _ => (io::ErrorKind::InvalidData, format!("the {name} data is damaged: {error}")),
        };
        io::Error::new(kind, reason)
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decompressor::Gzip(decoder) => decoder.read(into),
            Decompressor::Zstandard(decoder) => decoder.read(into),
            Decompressor::Xz(decoder) => decoder.read(into),
        };
        read.map_err(|error| self.explained(&error))
    }
}

struct CountedReader<R> {
    reader: R,
    consumed: Arc<AtomicU64>,
    has_ended: bool,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.has_ended |= read == 0 && !into.is_empty();
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Zstandard frames, one after the other.
struct Zstandard<R> {
    reader: BufReader<R>,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl<R: Read> Zstandard<R> {
    fn new(reader: BufReader<R>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST_WINDOW);
        Self { reader, decoder, is_in_frame: false }
    }

    /// Begins the next frame, if there is one, or skips it.
    fn begin(&mut self) -> io::Result<()> {
        match self.decoder.init(&mut self.reader) {
            Ok(()) => {
                self.is_in_frame = true;
                Ok(())
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = io::copy(&mut (&mut self.reader).take(length.into()), &mut io::sink())?;
                if skipped == u64::from(length) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => Err(io::ErrorKind::OutOfMemory.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Decodes until bytes can be taken or the frame has ended.
    fn decode(&mut self) -> io::Result<()> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            let one = ruzstd::decoding::BlockDecodingStrategy::UptoBlocks(1);
            self.decoder.decode_blocks(&mut self.reader, one).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.is_in_frame = false;
        match self.decoder.get_checksum_from_data() {
            Some(stored) if self.decoder.get_calculated_checksum() != Some(stored) => {
                Err(io::Error::other("a checksum is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Zstandard<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame {
                if self.reader.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin()?;
                continue;
            }
            self.decode()?;
            match self.decoder.read(into)? {
                0 if !into.is_empty() => self.end()?,
                read => return Ok(read),
            }
        }
    }
}
