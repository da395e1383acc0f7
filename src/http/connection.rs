//! Connections: accepted up to a limit, closed when their client does nothing.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::pages::Site;
use super::scrape::Client;
use super::slots::{Slot, Slots};
use super::transfer::{Transfer, Wire};
use crate::export::family;
use crate::export::process::Cut;

/// Connections that are served at once; one client has no more of them than are free. Who comes then is answered 503.
const MAXIMUM_CONNECTIONS: usize = 256;
/// Connections that are answered 503 at once, shared likewise; who comes then is not answered.
const MAXIMUM_REFUSALS: usize = 384;
/// How long a client that is answered 503 may take to read it.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may rest after an exposition before the connection is closed. The way in which it then ends tells
/// whether the exposition was read: before the next scrape, unless scrapes are as close as this, and then the next request
/// tells it.
const REST_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a client may take nothing of an answer that waits for it. hyper has no such limit, the kernel does.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long answers under way may take once the program stops.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to wait after the kernel refused to accept, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often that is said.
const ACCEPT_SAID_EVERY: Duration = Duration::from_secs(60);
/// Where it is counted.
const REFUSED: &str = family::HTTP_CONNECTIONS_REFUSED.name;

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 21\r\n\
    retry-after: 1\r\n\r\ntoo many connections\n";

/// Accepts on every listener until `stop` resolves.
pub(super) async fn accept_all(listeners: Vec<TcpListener>, site: Arc<Site>, stop: impl Future<Output = ()>) {
    let door = Door {
        site,
        connections: Slots::new(MAXIMUM_CONNECTIONS),
        refusals: Slots::new(MAXIMUM_REFUSALS),
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

/// What all listeners share.
struct Door {
    site: Arc<Site>,
    connections: Arc<Slots>,
    refusals: Arc<Slots>,
    graceful: GracefulShutdown,
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let mut said: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => door.admit(stream, address.ip()),
            Err(error) => {
                door.site.program().count_failed_accept();
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
    fn admit(&self, stream: TcpStream, address: IpAddr) {
        let refusal = match self.connections.take(address.into()) {
            Ok(slot) => {
                let serving = serve(stream, address, Arc::clone(&self.site), slot, self.graceful.watcher());
                return drop(tokio::spawn(serving));
            }
            Err(refusal) => refusal,
        };
        self.site.program().count_refused_connection(refusal);
        if let Ok(slot) = self.refusals.take(address.into()) {
            drop(tokio::spawn(refuse(stream, slot)));
        }
    }
}

/// Says that there are too many. What the client has sent is read before the end: a socket that is closed over unread
/// bytes is reset, and the reset overtakes the answer.
async fn refuse(mut stream: TcpStream, slot: Slot) {
    let refused = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = timeout(REFUSAL_TIMEOUT, refused).await {
        tracing::debug!(%error, "cannot refuse a connection");
    }
    drop(slot);
}

/// Serves one connection. hyper's timeout for heads starts with their first byte only, so a client that never sends one
/// is waited for here.
async fn serve(stream: TcpStream, address: IpAddr, site: Arc<Site>, slot: Slot, watcher: Watcher) {
    match timeout(HEAD_TIMEOUT, stream.peek(&mut [0])).await {
        Ok(Ok(1)) => {}
        Ok(_) => return,
        Err(_) => return site.program().count_cut_connection(Cut::Silent),
    }
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(STALL_TIMEOUT)) {
        tracing::debug!(%error, "cannot set the timeout of a connection");
    }
    let Ok((wire, transfer)) = Wire::new(stream) else { return };
    let client = Arc::new(site.client(address));
    match answer_all(wire, &transfer, &client, &site, watcher).await {
        Some(cut) => site.program().count_cut_connection(cut),
        None => tracing::debug!(client = %address, "connection closed"),
    }
    drop(slot);
}

/// Until the connection ends; why, if the server closed it.
async fn answer_all(
    wire: Wire,
    transfer: &Arc<Transfer>,
    client: &Arc<Client>,
    site: &Arc<Site>,
    watcher: Watcher,
) -> Option<Cut> {
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        let (site, client, transfer) = (Arc::clone(site), Arc::clone(client), Arc::clone(transfer));
        async move { Ok::<_, Infallible>(site.answer(request, &client, transfer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(wire, service);
    let cut = tokio::select! {
        ended = watcher.watch(connection) => match ended {
            Ok(()) => None,
            Err(error) if error.is_timeout() && has_asked.load(Ordering::Relaxed) => Some(Cut::Idle),
            Err(error) if error.is_timeout() => Some(Cut::Silent),
            Err(error) if is_stalled(&error) => return Some(Cut::Stalled),
            Err(error) => {
                tracing::debug!(%error, "connection aborted");
                return None;
            }
        },
        () = client.is_overdue() => return Some(Cut::Slow),
        () = transfer.rests_for(REST_TIMEOUT) => Some(Cut::Idle),
    };
    // hyper is done when the kernel has the answer; only the client's own end says that it has read it. What it still
    // sends is read, since a socket that is closed over unread bytes is reset.
    let is_outstanding = transfer.is_outstanding();
    if cut.is_some() && !is_outstanding {
        return cut;
    }
    let is_read = matches!(timeout(HEAD_TIMEOUT, transfer.is_read_to_the_end()).await, Ok(true));
    if is_read && is_outstanding {
        client.has_received();
    }
    cut
}

/// Whether the kernel gave the connection up because the client took nothing.
fn is_stalled(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::TimedOut)
}
