//! Bodies of answers: whole, or rendered while they are sent. Takes a function that renders; gives a stream of chunks.
//! Must not know the formats.
//!
//! A thread of its own renders the body and sends it through a short queue. So a large body is never in memory as a
//! whole, however slowly the client reads. A marker in the queue says that the body is complete. Without the marker the
//! connection is broken off, so that no client takes a part for the whole.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::idle::Answering;
use super::negotiate::Coding;
use super::quota::{RenderingMeter, RenderingQuota};
use super::transfer::Transfer;

/// The most chunks in the queue, of up to 68 KiB each. Rendering waits while the queue is full.
const MAXIMUM_CHUNKS: usize = 4;

/// The level of gzip. Level 1 gives a tenth of the size, in a third of the time of the default level.
pub(super) const GZIP_LEVEL: u32 = 1;

pub(super) enum Body {
    /// The whole body, until it is sent.
    Whole(Option<Bytes>),
    /// The queue of the remaining chunks, and the transfer that is notified of the end.
    Rendered(Receiver<BodyPiece>, Option<Arc<Transfer>>),
    /// Events, until their sender is dropped.
    Events(Receiver<Bytes>),
    Ended,
}

/// A body with the guard of its request: the request's slot is free again once the body is sent.
pub(super) struct GuardedBody {
    body: Body,
    _answering: Option<Answering>,
}

impl GuardedBody {
    pub(super) fn new(body: Body, answering: Option<Answering>) -> Self {
        Self { body, _answering: answering }
    }
}

impl hyper::body::Body for GuardedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An item of the queue from the rendering thread.
pub(super) enum BodyPiece {
    Chunk(Bytes),
    End,
}

impl Body {
    /// True for a stream, which may be open for days.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Events(_))
    }

    /// A body and its writing end. `transfer` is notified when the body begins, and when hyper has all of it.
    pub(super) fn rendered(transfer: Option<Arc<Transfer>>) -> (Self, Chunks) {
        let (sender, receiver) = channel(MAXIMUM_CHUNKS);
        transfer.iter().for_each(|transfer| transfer.begin());
        (Self::Rendered(receiver, transfer), Chunks { pieces: sender, meter: RenderingMeter::default() })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Rendered(pieces, _) => ready!(pieces.poll_recv(context)),
            Self::Events(events) => {
                return events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))));
            }
            Self::Ended => return Poll::Ready(None),
        };
        if let Some(BodyPiece::Chunk(bytes)) = piece {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let is_complete = matches!(piece, Some(BodyPiece::End));
        if let Self::Rendered(_, Some(transfer)) = std::mem::replace(&mut *self, Self::Ended)
            && is_complete
        {
            transfer.end();
        }
        Poll::Ready((!is_complete).then(|| Err(io::Error::other("the response could not be rendered completely"))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Rendered(..) | Self::Events(_) => SizeHint::default(),
            Self::Ended => SizeHint::with_exact(0),
        }
    }
}

/// The writing end of a body; waits while the client does not read.
pub(super) struct Chunks {
    pieces: Sender<BodyPiece>,
    meter: RenderingMeter,
}

impl Chunks {
    /// The same, rendered by this thread within a quota of processor time.
    #[must_use]
    pub(super) fn within(self, quota: Option<Arc<RenderingQuota>>) -> Self {
        Self { meter: RenderingMeter::begin(quota), ..self }
    }

    /// Renders the whole body and writes it in this coding. If rendering fails or the client has gone, the body is
    /// broken off.
    pub(super) fn write_all(
        mut self,
        coding: Coding,
        render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        match coding {
            Coding::Identity => render(&mut self)?,
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(&mut self, Compression::new(GZIP_LEVEL));
                render(&mut encoder)?;
                encoder.finish()?;
            }
        }
        self.send(BodyPiece::End)
    }

    fn send(&self, piece: BodyPiece) -> io::Result<()> {
        self.pieces.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(BodyPiece::Chunk(Bytes::copy_from_slice(bytes)))?;
        self.meter.wait();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use http_body_util::BodyExt as _;

    use super::*;

    fn collected(render: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> io::Result<Vec<u8>> {
        let (body, chunks) = Body::rendered(None);
        let writer = thread::spawn(move || chunks.write_all(Coding::Identity, render).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let collected = runtime.block_on(body.collect());
        writer.join().ok();
        Ok(collected?.to_bytes().to_vec())
    }

    #[test]
    fn body_consists_of_the_rendered_chunks() {
        let text = collected(|out| (0..100).try_for_each(|number| write!(out, "{number} "))).unwrap();
        assert_eq!(text.len(), 10 * 2 + 90 * 3);
    }

    #[test]
    fn a_body_that_fails_or_panics_on_the_way_is_never_complete() {
        let fails = |out: &mut dyn Write| out.write_all(b"x").and_then(|()| Err(io::Error::other("no more")));
        assert!(collected(fails).is_err());
        assert!(collected(|_| std::panic::resume_unwind(Box::new(()))).is_err());
    }

    #[test]
    fn rendering_ends_when_the_client_has_gone() {
        let (body, chunks) = Body::rendered(None);
        drop(body);
        let endless = |out: &mut dyn Write| loop {
            out.write_all(b"x")?;
        };
        assert_eq!(chunks.write_all(Coding::Gzip, endless).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
