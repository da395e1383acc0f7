//! Connections: accepted up to a limit, closed when their client does nothing. Takes listening sockets; gives requests
//! to the pages and their answers to clients. Must not know the contents of pages.

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
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::body::{Body, Guarded};
use super::idle::{Connection, IdleConnections};
use super::pages::{Site, unavailable};
use super::scrape::Client;
use super::slots::Slots;
use super::transfer::{Transfer, Wire};
use crate::export::connections::Cut;
use crate::export::family;

/// The most connections at once, idle and being answered, where descriptors suffice.
const MAXIMUM_CONNECTIONS: usize = 768;
/// One in so many of them may be answered at once; one client has no more of these than are free.
const ANSWERED_SHARE: usize = 3;
/// The most bytes of a request's head. More are answered 431.
const MAXIMUM_HEAD: usize = 16 << 10;
/// Longest time for a refused client to read the refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for a client to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest idle time after an exposition before the connection is closed. The way in which the connection then ends
/// shows whether the client has read the exposition. That is known before the next scrape, unless scrapes come as
/// often as this; then the next request shows it.
const REST_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time for which a client may read nothing of a waiting answer. The kernel has this limit, hyper has not.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for pending answers once the program stops.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Pause after the kernel refused to accept a connection, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Shortest time between two log lines about that.
const ACCEPT_SAID_EVERY: Duration = Duration::from_secs(60);
/// The metric that counts it.
const REFUSED: &str = family::HTTP_CONNECTIONS_REFUSED.name;

/// The most connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    idle: usize,
    answered: usize,
}

impl Capacity {
    /// The capacity that half of so many file descriptors allows. The other half is for capture, files and the program itself.
    pub fn within(descriptors: u64) -> Self {
        let half = usize::try_from(descriptors / 2).unwrap_or(usize::MAX);
        let connections = half.clamp(2, MAXIMUM_CONNECTIONS);
        let answered = (connections / ANSWERED_SHARE).max(1);
        Self { idle: connections - answered, answered }
    }
}

/// Accepts on every listener until `stop` resolves.
pub(super) async fn accept_all(
    listeners: Vec<TcpListener>,
    site: Arc<Site>,
    capacity: Capacity,
    stop: impl Future<Output = ()>,
) {
    let door = Door {
        site,
        idle: IdleConnections::new(capacity.idle),
        answered: Slots::new(capacity.answered),
        graceful: GracefulShutdown::new(),
    };
    let door = Arc::new(door);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&door)));
    }
    stop.await;
    accepting.shutdown().await;
    let Some(door) = Arc::into_inner(door) else { return };
    if timeout(DRAIN_TIMEOUT, door.graceful.shutdown()).await.is_err() {
        tracing::debug!("open connections were closed at exit");
    }
}

struct Door {
    site: Arc<Site>,
    idle: Arc<IdleConnections>,
    answered: Arc<Slots>,
    graceful: GracefulShutdown,
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let mut said: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                door.admit(stream, address.ip());
                // A crowd of new connections must not keep open ones from being answered.
                yield_now().await;
            }
            Err(error) => {
                door.site.connections().count_failed_accept();
                if said.is_none_or(|said| said.elapsed() >= ACCEPT_SAID_EVERY) {
                    said = Some(Instant::now());
                    tracing::warn!(%error, "cannot accept connections (logged once per minute; see {REFUSED})");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Door {
    fn admit(self: &Arc<Self>, stream: TcpStream, address: IpAddr) {
        let visit = Visit {
            site: Arc::clone(&self.site),
            client: Arc::new(self.site.client(address)),
            connection: self.idle.admit(address.into()),
            answered: Arc::clone(&self.answered),
        };
        drop(tokio::spawn(serve(stream, visit, self.graceful.watcher())));
    }
}

struct Visit {
    site: Arc<Site>,
    client: Arc<Client>,
    connection: Arc<Connection>,
    answered: Arc<Slots>,
}

impl Visit {
    /// Answers a request; 503 where too many are being answered.
    async fn answer(self: Arc<Self>, request: Request<Incoming>, transfer: Arc<Transfer>) -> Response<Guarded> {
        match self.answered.take(self.connection.origin()) {
            Ok(slot) => {
                let answering = self.connection.answer(slot);
                let answer = Arc::clone(&self.site).answer(request, &self.client, transfer).await;
                answer.map(|body| Guarded::new(body, Some(answering)))
            }
            Err(refusal) => {
                self.site.connections().count_refused(refusal);
                too_many_connections().map(|body| Guarded::new(body, None))
            }
        }
    }
}

/// Serves one connection. hyper's timeout for heads starts with the first byte, so that byte is waited for here.
async fn serve(stream: TcpStream, visit: Visit, watcher: Watcher) {
    let visit = Arc::new(visit);
    let mut byte = [0];
    let first_byte = tokio::select! {
        first_byte = timeout(HEAD_TIMEOUT, stream.peek(&mut byte)) => first_byte,
        () = visit.connection.evicted() => return visit.site.connections().count_cut(Cut::Crowded),
    };
    match first_byte {
        Ok(Ok(1)) => {}
        Ok(_) => return,
        Err(_) => return visit.site.connections().count_cut(Cut::Silent),
    }
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(STALL_TIMEOUT)) {
        tracing::debug!(%error, "cannot set the timeout of a connection");
    }
    let Ok((wire, transfer)) = Wire::new(stream) else { return };
    let cut = tokio::select! {
        cut = answer_all(wire, &transfer, &visit, watcher) => cut,
        () = visit.connection.evicted() => Some(Cut::Crowded),
    };
    match cut {
        Some(cut) => visit.site.connections().count_cut(cut),
        None => tracing::debug!(client = ?visit.connection.origin(), "connection closed"),
    }
}

/// Answers requests until the connection ends; gives the reason if the server closed it.
async fn answer_all(wire: Wire, transfer: &Arc<Transfer>, visit: &Arc<Visit>, watcher: Watcher) -> Option<Cut> {
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        let (visit, transfer) = (Arc::clone(visit), Arc::clone(transfer));
        async move { Ok::<_, Infallible>(visit.answer(request, transfer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAXIMUM_HEAD)
        .serve_connection(wire, service);
    let cut = tokio::select! {
        ended = watcher.watch(connection) => match ended {
            Ok(()) => None,
            Err(error) if error.is_timeout() && has_asked.load(Ordering::Relaxed) => Some(Cut::Idle),
            Err(error) if error.is_timeout() => Some(Cut::Silent),
            Err(error) if is_stalled(&error) => return Some(Cut::Stalled),
            Err(error) => {
                tracing::debug!(%error, "connection aborted");
                // hyper has answered a head that it refused. A socket that is closed over unread bytes is reset, and the
                // reset overtakes the answer.
                if error.is_parse() {
                    drop(timeout(REFUSAL_TIMEOUT, transfer.is_read_to_the_end()).await);
                    return Some(Cut::Invalid);
                }
                return None;
            }
        },
        () = visit.client.is_overdue() => return Some(Cut::Slow),
        () = transfer.rests_for(REST_TIMEOUT) => Some(Cut::Idle),
    };
    // hyper is done when the kernel has the answer; only the client's own end shows that the client has read it.
    // Further bytes of the client are read, since a socket that is closed with unread bytes is reset.
    let is_outstanding = transfer.is_outstanding();
    if cut.is_some() && !is_outstanding {
        return cut;
    }
    let is_read = matches!(timeout(HEAD_TIMEOUT, transfer.is_read_to_the_end()).await, Ok(true));
    if is_read && is_outstanding {
        visit.client.has_received();
    }
    cut
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
