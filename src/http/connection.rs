//! Connections: accepted up to a limit, and closed if their client does nothing. Takes listening sockets; gives
//! requests to the pages, and answers to clients. Must not know the contents of pages.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::access::WebAccess;
use super::answer::{secure, unavailable, with_json_error};
use super::body::{Body, GuardedBody};
use super::idle::{Connection, IdleConnections};
use super::pages::{Site, is_of_api};
use super::scrape::Client;
use super::slots::Slots;
use super::tls::{ClientStream, PLAIN_HTTP, is_plain_http};
use super::transfer::{Transfer, Wire};
use crate::export::access::DenialReason;
use crate::export::connections::CloseReason;
use crate::export::family;

/// The most connections at once, idle ones and those that are being answered. Fewer if file descriptors are few.
const MAXIMUM_CONNECTIONS: usize = 768;
/// One in this number of connections may be answered at the same time.
const CONNECTIONS_PER_ANSWER: usize = 3;
/// The most streams of events, beside the other connections. Fewer if file descriptors are few.
const MAXIMUM_STREAMS: usize = 32;
/// One in this number of the descriptors for connections may be a stream.
const DESCRIPTORS_PER_STREAM: usize = 16;
/// The most bytes of a request's head. A larger head is answered with status 431.
const MAXIMUM_HEAD: usize = 16 << 10;
/// Longest time for a refused client to read the refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for a client to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The connection is closed after the client has been silent for this time after an exposition. The end of the
/// connection shows whether the client has read the exposition. If scrapes come more often, the next request shows it.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time for which a client may read nothing of an answer. The kernel keeps this limit, because hyper has none.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for a client that goes on reading to read the part of an answer that only the kernel still has.
const REMAINDER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time to finish answers when the program stops.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Pause after the kernel failed to accept a connection, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Shortest time between two log lines about failures to accept.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(60);
/// The metric that counts failures to accept.
const REFUSED: &str = family::HTTP_CONNECTIONS_REFUSED.name;

/// The most connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    idle: usize,
    answered: usize,
    /// Beside the others.
    streams: usize,
}

impl Capacity {
    /// The capacity for half of the process's `descriptors`. The other half is for capture, files and the program
    /// itself.
    pub fn within(descriptors: u64) -> Self {
        let half = usize::try_from(descriptors / 2).unwrap_or(usize::MAX);
        let connections = half.clamp(2, MAXIMUM_CONNECTIONS);
        let answered = (connections / CONNECTIONS_PER_ANSWER).max(1);
        let streams = (half / DESCRIPTORS_PER_STREAM).clamp(1, MAXIMUM_STREAMS);
        Self { idle: connections - answered, answered, streams }
    }

    /// The same capacity with at most `connections` connections, streams aside.
    #[must_use]
    pub fn limited(self, connections: usize) -> Self {
        let fewer = Self::within((connections as u64).saturating_mul(2));
        Self {
            idle: self.idle.min(fewer.idle),
            answered: self.answered.min(fewer.answered),
            streams: self.streams.min(fewer.streams),
        }
    }

    /// The most streams of events.
    pub fn streams(self) -> usize {
        self.streams
    }
}

/// Accepts on every listener until `stop` resolves.
pub(super) async fn accept_all(
    listeners: Vec<TcpListener>,
    (site, access): (Arc<Site>, Arc<WebAccess>),
    capacity: Capacity,
    stop: impl Future<Output = ()>,
) {
    let acceptor = Acceptor {
        site,
        access: Arc::clone(&access),
        idle: IdleConnections::new(capacity.idle),
        answered: Slots::new(capacity.answered),
        graceful: GracefulShutdown::new(),
    };
    let acceptor = Arc::new(acceptor);
    let mut accepting = JoinSet::new();
    let api = Arc::clone(acceptor.site.api());
    accepting.spawn(Arc::clone(&api).follow_data());
    accepting.spawn(access.watch());
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&acceptor)));
    }
    stop.await;
    accepting.shutdown().await;
    api.end_streams();
    let Some(acceptor) = Arc::into_inner(acceptor) else { return };
    if timeout(DRAIN_TIMEOUT, acceptor.graceful.shutdown()).await.is_err() {
        tracing::debug!("open connections were closed at exit");
    }
}

/// The things that all connections share.
struct Acceptor {
    site: Arc<Site>,
    access: Arc<WebAccess>,
    idle: Arc<IdleConnections>,
    answered: Arc<Slots>,
    graceful: GracefulShutdown,
}

async fn accept(listener: TcpListener, acceptor: Arc<Acceptor>) {
    let mut said: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                acceptor.admit(stream, address.ip());
                // A crowd of new connections must not keep open ones from being answered.
                yield_now().await;
            }
            Err(error) => {
                acceptor.site.connections().count_failed_accept();
                if said.is_none_or(|said| said.elapsed() >= ACCEPT_LOG_INTERVAL) {
                    said = Some(Instant::now());
                    tracing::warn!(%error, "cannot accept connections (logged once per minute; see {REFUSED})");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Acceptor {
    fn admit(self: &Arc<Self>, stream: TcpStream, address: IpAddr) {
        let context = ConnectionContext {
            site: Arc::clone(&self.site),
            access: Arc::clone(&self.access),
            client: Arc::new(self.site.client(address)),
            connection: self.idle.admit(address.into()),
            answered: Arc::clone(&self.answered),
        };
        drop(tokio::spawn(serve(stream, context, self.graceful.watcher())));
    }
}

/// The things that one connection needs to answer requests.
struct ConnectionContext {
    site: Arc<Site>,
    access: Arc<WebAccess>,
    client: Arc<Client>,
    connection: Arc<Connection>,
    answered: Arc<Slots>,
}

impl ConnectionContext {
    /// Does the TLS handshake where TLS is configured; none if the connection ends with it.
    async fn secured(&self, stream: TcpStream, first_byte: u8) -> Option<ClientStream> {
        let tls = self.access.tls();
        if tls.is_some() && is_plain_http(first_byte) {
            self.access.count_denied(DenialReason::Plaintext);
            drop(timeout(REFUSAL_TIMEOUT, refuse_plain_http(stream)).await);
            return None;
        }
        match timeout(HEAD_TIMEOUT, ClientStream::accept(stream, tls)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                self.access.count_denied(DenialReason::Handshake);
                tracing::debug!(client = %self.connection.origin(), %error, "TLS handshake failed");
                None
            }
            Err(_) => {
                self.site.connections().count_closed(CloseReason::Silent);
                None
            }
        }
    }

    /// Answers a request, with status 503 if too many are being answered.
    async fn answer(self: Arc<Self>, request: Request<Incoming>, transfer: Arc<Transfer>) -> Response<GuardedBody> {
        let in_its_form = if is_of_api(request.uri().path()) { with_json_error } else { std::convert::identity };
        match self.answered.take(self.connection.origin()) {
            Ok(slot) => {
                let mut answering = self.connection.answer(slot);
                let answer = match self.access.admit(&request, self.connection.origin()).await {
                    Ok(()) => Arc::clone(&self.site).answer(request, &self.client, transfer).await,
                    Err(denial) => denial,
                };
                if answer.body().is_stream() {
                    answering.free_slot();
                }
                in_its_form(answer).map(|body| GuardedBody::new(body, Some(answering)))
            }
            Err(refusal) => {
                self.site.connections().count_refused(refusal);
                in_its_form(too_many_connections()).map(|body| GuardedBody::new(body, None))
            }
        }
    }
}

/// Serves one connection. Waits for the first byte here, because hyper's timeout for heads starts with that byte.
async fn serve(stream: TcpStream, context: ConnectionContext, watcher: Watcher) {
    let context = Arc::new(context);
    let mut byte = [0];
    let first_byte = tokio::select! {
        first_byte = timeout(HEAD_TIMEOUT, stream.peek(&mut byte)) => first_byte,
        () = context.connection.evicted() => return context.site.connections().count_closed(CloseReason::Crowded),
    };
    match first_byte {
        Ok(Ok(1)) => {}
        Ok(_) => return,
        Err(_) => return context.site.connections().count_closed(CloseReason::Silent),
    }
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(STALL_TIMEOUT)) {
        tracing::debug!(%error, "cannot set the timeout of a connection");
    }
    let stream = tokio::select! {
        stream = context.secured(stream, byte[0]) => stream,
        () = context.connection.evicted() => return context.site.connections().count_closed(CloseReason::Crowded),
    };
    let Some(stream) = stream else { return };
    let Ok((wire, transfer)) = Wire::new(stream) else { return };
    let cut = tokio::select! {
        cut = answer_all(wire, &transfer, &context, watcher) => cut,
        () = context.connection.evicted() => Some(CloseReason::Crowded),
    };
    match cut {
        Some(cut) => context.site.connections().count_closed(cut),
        None => tracing::debug!(client = %context.connection.origin(), "connection closed"),
    }
}

/// Answers requests until the connection ends; gives the reason if the server closed it.
async fn answer_all(
    wire: Wire,
    transfer: &Arc<Transfer>,
    context: &Arc<ConnectionContext>,
    watcher: Watcher,
) -> Option<CloseReason> {
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        if request.version() == Version::HTTP_10 {
            transfer.set_ends_with_connection();
        }
        let (context, transfer) = (Arc::clone(context), Arc::clone(transfer));
        // In memory of its own: hyper keeps space for it in each connection, also in those that ask nothing.
        Box::pin(async move {
            let mut answer = Arc::clone(&context).answer(request, transfer).await;
            secure(&mut answer);
            context.access.add_headers(&mut answer);
            Ok::<_, Infallible>(answer)
        })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAXIMUM_HEAD)
        .serve_connection(wire, service);
    let cut = tokio::select! {
        ended = watcher.watch(connection) => match ended {
            Ok(()) => None,
            Err(error) if error.is_timeout() && has_asked.load(Ordering::Relaxed) => Some(CloseReason::Idle),
            Err(error) if error.is_timeout() => Some(CloseReason::Silent),
            Err(error) if is_stalled(&error) => return Some(CloseReason::Stalled),
            Err(error) => {
                tracing::debug!(%error, "connection aborted");
                // hyper has answered a head that it refused. Closing a socket with unread bytes resets it, and the
                // reset overtakes the answer.
                if error.is_parse() {
                    drop(timeout(REFUSAL_TIMEOUT, transfer.wait_until_read()).await);
                    return Some(CloseReason::Invalid);
                }
                return None;
            }
        },
        () = silence_after_handshake(&has_asked) => return Some(CloseReason::Silent),
        () = context.client.wait_until_overdue() => return Some(CloseReason::Slow),
        () = transfer.wait_for_silence(SILENCE_TIMEOUT) => Some(CloseReason::Idle),
    };
    // hyper is done when the kernel has the answer; only the client's own end shows that the client has read it.
    // Further bytes of the client are read, since a socket that is closed with unread bytes is reset.
    let is_outstanding = transfer.is_outstanding();
    if cut.is_some() && !is_outstanding {
        return cut;
    }
    let reading = transfer.wait_while_reading(STALL_TIMEOUT);
    let is_read = matches!(timeout(REMAINDER_TIMEOUT, reading).await, Ok(true));
    if is_read && is_outstanding {
        context.client.complete_scrape();
    }
    cut
}

/// Resolves if no whole request has come for some time after the connection began. hyper's own timeout does not begin
/// before the first byte of a request, which after a handshake may never come.
async fn silence_after_handshake(has_asked: &AtomicBool) {
    sleep(HEAD_TIMEOUT).await;
    if has_asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Answers plain HTTP at a port with TLS, and waits until the client has read the answer. Its request is read, since a
/// socket that is closed with unread bytes is reset.
async fn refuse_plain_http(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

fn too_many_connections() -> Response<Body> {
    let mut answer = unavailable("too many connections\n");
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// True if the kernel gave the connection up because the client read nothing.
fn is_stalled(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::TimedOut)
}
