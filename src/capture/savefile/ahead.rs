//! Reads pipes and compressed files ahead, on a thread of its own. Takes any reader; gives its bytes in pieces. Must
//! not know the contents.
//!
//! So decompression runs in parallel to counting, and the counting thread need not wait for input. The number of pieces
//! that wait is bounded.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::os::threads::{self, Needs};

/// Number of bytes that are read at once. So few stay in a processor's second-level cache beside the tables.
pub(super) const PIECE: usize = 128 << 10;
/// The most pieces that wait. The thread stops reading meanwhile.
const PIECES: usize = 8;
/// A reader that gives nothing for this time is reported as waiting.
const PATIENCE: Duration = Duration::from_millis(100);

pub(super) struct Ahead {
    pieces: Receiver<io::Result<FilePiece>>,
    /// Buffers on their way back to be filled again.
    spare: SyncSender<Vec<u8>>,
}

/// The next bytes of a reader.
pub(super) enum FilePiece {
    /// At least one byte.
    Bytes(Vec<u8>),
    Waiting,
    Ended,
}

impl Ahead {
    pub(super) fn start(reader: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        let (spare, returned) = sync_channel(PIECES);
        threads::spawn("read-ahead", Needs::Nothing, move || read_ahead(reader, &sender, &returned))?;
        Ok(Self { pieces, spare })
    }

    /// The next bytes; waits a moment for them. The reader's error comes after all bytes before it.
    pub(super) fn next(&self) -> io::Result<FilePiece> {
        match self.pieces.recv_timeout(PATIENCE) {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Timeout) => Ok(FilePiece::Waiting),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the thread that reads ahead is gone")),
        }
    }

    /// Takes back the buffer of a piece that was used.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        if self.spare.try_send(buffer).is_err() {
            tracing::trace!("the thread that reads ahead has ended");
        }
    }
}

/// The body of the thread: ends with the reader, or when its bytes are no longer taken.
fn read_ahead(mut reader: impl Read, sender: &SyncSender<io::Result<FilePiece>>, returned: &Receiver<Vec<u8>>) {
    loop {
        let mut buffer = returned.try_recv().unwrap_or_default();
        buffer.resize(PIECE, 0);
        let piece = match reader.read(&mut buffer) {
            Ok(0) => Ok(FilePiece::Ended),
            Ok(read) => {
                buffer.truncate(read);
                Ok(FilePiece::Bytes(buffer))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = !matches!(piece, Ok(FilePiece::Bytes(_)));
        if sender.send(piece).is_err() || is_last {
            return;
        }
    }
}
