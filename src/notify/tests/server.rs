//! An HTTP server on loopback that answers by a script.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// An answer of the script.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// A status and further header lines.
    Status(u16, &'static str),
    /// Status 500 to this request and to all later ones whose body has these words, and 200 to the others.
    Refuse(&'static str),
    /// Status 200 after a delay.
    Late(Duration),
    /// Nothing, with an open connection.
    Hang,
    /// The end of the connection after these bytes.
    Cut(&'static str),
    /// Status 200 with a body of 10 MB.
    Long,
    /// Status 200 with a body that never ends, a byte at a time.
    Drip,
}

/// A request that was received.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub at: Instant,
    pub head: String,
    pub body: String,
}

/// The server; it ends with this value.
pub(super) struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Seen>>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Server {
    /// A server that gives these answers, and then 200.
    pub(super) fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script, None)
    }

    pub(super) fn start_tls(script: impl IntoIterator<Item = Answer>, tls: TlsAcceptor) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script, Some(tls))
    }

    pub(super) fn start_at(
        address: SocketAddr,
        script: impl IntoIterator<Item = Answer>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let script: Vec<Answer> = script.into_iter().collect();
        let script = Arc::new(Mutex::new(script.into_iter().peekable()));
        let requests = Arc::<Mutex<Vec<Seen>>>::default();
        let (seen, (stop, stopped)) = (Arc::clone(&requests), tokio::sync::oneshot::channel());
        let listener = std::net::TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let serve = async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let (script, seen, tls) = (Arc::clone(&script), Arc::clone(&seen), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => converse(stream, &script, &seen).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    converse(stream, &script, &seen).await;
                                }
                            }
                        }
                    });
                }
            };
            runtime.block_on(async {
                tokio::select! { () = serve => {}, _ = stopped => {} }
            });
        });
        Self { address, requests, _stop: stop }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.requests.lock().unwrap().clone()
    }
}

/// The answers that are left. [`Answer::Refuse`] stays.
type Script = Mutex<std::iter::Peekable<std::vec::IntoIter<Answer>>>;

fn next_answer(script: &Script, body: &str) -> Answer {
    let mut script = script.lock().unwrap();
    match script.peek() {
        Some(Answer::Refuse(words)) => Answer::Status(if body.contains(words) { 500 } else { 200 }, ""),
        Some(_) => script.next().unwrap(),
        None => Answer::Status(200, ""),
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, script: &Script, seen: &Mutex<Vec<Seen>>) {
    let mut bytes = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut bytes).await {
        let answer = next_answer(script, &request.body);
        seen.lock().unwrap().push(request);
        if !reply(&mut stream, answer).await {
            return;
        }
    }
}

/// The next request of a connection; none at its end.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut Vec<u8>) -> Option<Seen> {
    let mut piece = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length =
                lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if rest.len() >= length {
                let body = rest[..length].to_owned();
                bytes.drain(..head.len() + 4 + length);
                return Some(Seen { at: Instant::now(), head: head.to_owned(), body });
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

/// Sends an answer; false if the connection ends with it.
async fn reply<S: AsyncWrite + Unpin>(stream: &mut S, answer: Answer) -> bool {
    match answer {
        Answer::Status(status, lines) => {
            let text = format!("HTTP/1.1 {status} Word\r\n{lines}Content-Length: 2\r\n\r\nok");
            stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
        }
        Answer::Late(delay) => {
            tokio::time::sleep(delay).await;
            Box::pin(reply(stream, Answer::Status(200, ""))).await
        }
        Answer::Refuse(_) => unreachable!("the script gives a status in its place"),
        Answer::Hang => std::future::pending().await,
        Answer::Cut(bytes) => {
            drop(stream.write_all(bytes.as_bytes()).await);
            drop(stream.flush().await);
            drop(stream.shutdown().await);
            false
        }
        Answer::Long => {
            let length = 10 * 1024 * 1024;
            drop(stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await);
            drop(stream.write_all(&vec![b'x'; length]).await);
            true
        }
        Answer::Drip => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await);
            while stream.write_all(b"1\r\nx\r\n").await.is_ok() && stream.flush().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            false
        }
    }
}
