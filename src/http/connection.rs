//! Connections: accepted up to a limit, closed when their client does nothing.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::pages::Site;

/// Connections that are served at once; who comes then is answered 503.
const MAXIMUM_CONNECTIONS: usize = 256;
/// Connections that are answered 503 at once; who comes then is not answered.
const MAXIMUM_REFUSALS: usize = 64;
/// How long a client that is answered 503 may take to read it.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of an answer that waits for it. hyper has no such limit, the kernel does.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long answers under way may take once the program stops.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to wait after the kernel refused to accept, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 21\r\n\
    retry-after: 1\r\n\r\ntoo many connections\n";

/// Accepts on every listener until `stop` resolves.
pub(super) async fn accept_all(listeners: Vec<TcpListener>, site: Arc<Site>, stop: impl Future<Output = ()>) {
    let limit = Arc::new(Semaphore::new(MAXIMUM_CONNECTIONS));
    let graceful = Arc::new(GracefulShutdown::new());
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&site), Arc::clone(&limit), Arc::clone(&graceful)));
    }
    stop.await;
    accepting.shutdown().await;
    let Some(graceful) = Arc::into_inner(graceful) else { return };
    if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::debug!("connections were cut while the program stopped");
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>, limit: Arc<Semaphore>, graceful: Arc<GracefulShutdown>) {
    let refusals = Arc::new(Semaphore::new(MAXIMUM_REFUSALS));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match (Arc::clone(&limit).try_acquire_owned(), Arc::clone(&refusals).try_acquire_owned()) {
            (Ok(permit), _) => {
                drop(tokio::spawn(serve(stream, address.ip(), Arc::clone(&site), permit, graceful.watcher())))
            }
            (Err(_), Ok(permit)) => drop(tokio::spawn(refuse(stream, permit))),
            (Err(_), Err(_)) => drop(stream),
        }
    }
}

/// Says that there are too many. What the client has sent is read before the end: a socket that is closed over unread
/// bytes is reset, and the reset overtakes the answer.
async fn refuse(mut stream: TcpStream, permit: OwnedSemaphorePermit) {
    let refused = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = timeout(REFUSAL_TIMEOUT, refused).await {
        tracing::debug!(%error, "cannot refuse a connection");
    }
    drop(permit);
}

/// Serves one connection. hyper's timeout for heads starts with their first byte only, so a client that never sends one
/// is waited for here.
async fn serve(stream: TcpStream, address: IpAddr, site: Arc<Site>, permit: OwnedSemaphorePermit, watcher: Watcher) {
    if !matches!(timeout(HEAD_TIMEOUT, stream.peek(&mut [0])).await, Ok(Ok(1))) {
        return;
    }
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(STALL_TIMEOUT)) {
        tracing::debug!(%error, "cannot limit how long a connection may stall");
    }
    let Ok((stream, twin)) = twins(stream) else { return };
    let client = Arc::new(site.client(address));
    let service = service_fn(|request| {
        let (site, client) = (Arc::clone(&site), Arc::clone(&client));
        async move { Ok::<_, Infallible>(site.answer(request, &client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = watcher.watch(connection) => match ended {
            Ok(()) if is_read_to_the_end(twin).await => site.record_received(&client),
            Ok(()) => tracing::debug!(client = %address, "a client closed over its answer"),
            Err(error) => tracing::debug!(%error, "a connection ended early"),
        },
        () = client.is_overdue() => tracing::debug!(client = %address, "a client took too long for its answer"),
    }
    drop(permit);
}

/// The connection, and a second handle of it that outlives hyper's.
fn twins(stream: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, twin))
}

/// Whether the client closes in order too. hyper is done when the kernel has the answer; only the client's own end says
/// that it has read it, since one that closes over unread bytes resets the connection.
async fn is_read_to_the_end(twin: std::net::TcpStream) -> bool {
    let Ok(mut stream) = TcpStream::from_std(twin) else { return false };
    let mut sink = tokio::io::sink();
    let end = tokio::io::copy(&mut stream, &mut sink);
    matches!(timeout(HEAD_TIMEOUT, end).await, Ok(Ok(_)))
}
