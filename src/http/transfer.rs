//! The progress of an exposition on its connection. Takes the events of a connection; tells whether its client has read
//! the exposition. Must not know scrapes.
//!
//! A client's next request shows that it has read the previous answer, unless the request was sent ahead: clients may
//! send many requests at once. So a request counts only if the connection was silent after the last byte of the
//! exposition was given to the kernel, and only if the other side has acknowledged all bytes by then.

use std::io;
use std::net::TcpStream as StdStream;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::tls::ClientStream;
use crate::os::socket::unacknowledged_bytes;

/// Interval at which the acknowledgement of the last bytes is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

// The stages of an exposition, in their order.

/// No exposition was begun, or the client has received the last one.
const NONE: u8 = 0;
/// The exposition is being rendered.
const UNDER_WAY: u8 = 1;
/// hyper has all of it.
const ENDED: u8 = 2;
/// The kernel has all of it.
const FLUSHED: u8 = 3;
/// The client was silent after the kernel had all of it.
const AWAITED: u8 = 4;

/// The last exposition on one connection.
#[derive(Debug)]
pub(super) struct Transfer {
    stage: AtomicU8,
    /// Reading failed, as it does once when the client resets the connection; hyper takes that for an end like any
    /// other.
    is_reset: AtomicBool,
    /// The client's HTTP has no other mark for the end of a body than that of the connection.
    ends_with_connection: AtomicBool,
    /// The number of expositions so far.
    begun: AtomicU64,
    /// Notified when the stage becomes [`AWAITED`].
    awaited: Notify,
    /// A second handle of the connection, which outlives hyper's.
    second_handle: StdStream,
}

impl Transfer {
    /// An exposition begins.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.stage.store(UNDER_WAY, Ordering::Release);
    }

    /// All of the body was handed out.
    pub(super) fn end(&self) {
        self.stage.store(ENDED, Ordering::Release);
    }

    /// Notes that bodies end with the connection, as in HTTP/1.0.
    pub(super) fn set_ends_with_connection(&self) {
        self.ends_with_connection.store(true, Ordering::Release);
    }

    /// Changes the stage from `from` to `to`; false if the stage was another.
    fn advance(&self, from: u8, to: u8) -> bool {
        self.stage.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Waits until the client has been silent for `pause` after the kernel had all of an exposition.
    pub(super) async fn wait_for_silence(&self, pause: Duration) {
        loop {
            self.awaited.notified().await;
            let begun = self.begun.load(Ordering::Acquire);
            sleep(pause).await;
            let is_awaited = self.stage.load(Ordering::Acquire) == AWAITED;
            if is_awaited && self.begun.load(Ordering::Acquire) == begun {
                return;
            }
        }
    }

    /// True if a whole exposition was handed to hyper and it is not known yet that the client has received it.
    pub(super) fn is_outstanding(&self) -> bool {
        self.stage.load(Ordering::Acquire) >= ENDED
    }

    /// Notes that a request has come. True if it shows that the client has received the exposition.
    pub(super) fn confirms_receipt(&self) -> bool {
        let is_received = self.stage.load(Ordering::Acquire) == AWAITED && self.is_acknowledged();
        if is_received {
            self.stage.store(NONE, Ordering::Release);
        }
        is_received
    }

    fn is_acknowledged(&self) -> bool {
        matches!(unacknowledged_bytes(self.second_handle.as_fd()), Ok(0))
    }

    /// [Waits until all is read](Self::wait_until_read), while the client goes on reading: false once it has
    /// acknowledged nothing for `stall`.
    pub(super) async fn wait_while_reading(&self, stall: Duration) -> bool {
        tokio::select! {
            is_read = self.wait_until_read() => is_read,
            () = self.wait_for_stall(stall) => false,
        }
    }

    /// Resolves once the client has acknowledged nothing for `stall`, at the latest after twice that time.
    async fn wait_for_stall(&self, stall: Duration) {
        let unacknowledged = || unacknowledged_bytes(self.second_handle.as_fd()).unwrap_or_default();
        let mut before = unacknowledged();
        loop {
            sleep(stall).await;
            let now = unacknowledged();
            if now >= before {
                return;
            }
            before = now;
        }
    }

    /// Shuts the sending direction down and waits until the client closes the connection. True if the client has read
    /// all: a client that closes with unread bytes resets the connection.
    pub(super) async fn wait_until_read(&self) -> bool {
        self.second_handle.shutdown(std::net::Shutdown::Write).ok();
        let Ok(mut stream) = self.second_handle.try_clone().and_then(TcpStream::from_std) else { return false };
        if tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.is_err() {
            return false;
        }
        while !self.is_acknowledged() {
            sleep(CHECK_INTERVAL).await;
        }
        matches!(stream.take_error(), Ok(None)) && !self.is_reset.load(Ordering::Acquire)
    }
}

/// The connection as hyper reads and writes it.
pub(super) struct Wire {
    stream: TokioIo<ClientStream>,
    transfer: Arc<Transfer>,
}

impl Wire {
    /// The connection `stream`, and the progress of its expositions.
    pub(super) fn new(stream: ClientStream) -> io::Result<(Self, Arc<Transfer>)> {
        let transfer = Arc::new(Transfer {
            stage: AtomicU8::new(NONE),
            is_reset: AtomicBool::new(false),
            ends_with_connection: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            awaited: Notify::new(),
            second_handle: stream.tcp().as_fd().try_clone_to_owned()?.into(),
        });
        let stream = TokioIo::new(stream);
        Ok((Self { stream, transfer: Arc::clone(&transfer) }, transfer))
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TokioIo<ClientStream>> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.as_mut().stream().poll_read(context, buffer);
        if read.is_pending() && self.transfer.advance(FLUSHED, AWAITED) {
            self.transfer.awaited.notify_one();
        }
        if matches!(read, Poll::Ready(Err(_))) {
            self.transfer.is_reset.store(true, Ordering::Release);
        }
        read
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    /// hyper calls this when it has written all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().stream().poll_flush(context))?;
        self.transfer.advance(ENDED, FLUSHED);
        Poll::Ready(Ok(()))
    }

    /// Without the closing alert of TLS if it is not known that the client has read the exposition: a client that has
    /// read the answer, but not the alert, would reset the connection, as if it had not read the answer.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transfer = &self.transfer;
        if transfer.is_outstanding() && !transfer.ends_with_connection.load(Ordering::Acquire) {
            return self.get_mut().stream.inner_mut().poll_end(context);
        }
        self.stream().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const BYTES: usize = 200_000;

    /// A connection whose kernel has bytes that the client, with its small buffer, has not read yet.
    async fn unread() -> (Arc<Transfer>, StdStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        client.set_recv_buffer_size(20_000).unwrap();
        client.connect(&listener.local_addr().unwrap().into()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        socket2::SockRef::from(&server).set_send_buffer_size(2 * BYTES).unwrap();
        server.write_all(&[b'x'; BYTES]).unwrap();
        server.set_nonblocking(true).unwrap();
        let (_, transfer) =
            Wire::new(ClientStream::accept(TcpStream::from_std(server).unwrap(), None).await.unwrap()).unwrap();
        (transfer, client.into())
    }

    #[tokio::test]
    async fn slow_client_is_waited_for_while_it_goes_on_reading() {
        let (transfer, mut client) = unread().await;
        let stall = Duration::from_secs(2);
        let reading = tokio::task::spawn_blocking(move || {
            // Longer than two stalls.
            for _ in 0..20 {
                std::thread::sleep(stall / 8);
                client.read_exact(&mut [0; BYTES / 20]).unwrap();
            }
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        });
        assert!(transfer.wait_while_reading(stall).await);
        reading.await.unwrap();
    }

    #[tokio::test]
    async fn client_that_stops_reading_is_given_up() {
        let (transfer, mut client) = unread().await;
        client.read_exact(&mut [0; BYTES / 2]).unwrap();
        assert!(!transfer.wait_while_reading(Duration::from_millis(300)).await);
    }
}
