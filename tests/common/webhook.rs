//! A receiver of notifications by HTTP.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::namespace::Namespace;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub path: String,
    /// Header lines, as they came.
    pub headers: Vec<String>,
    /// The body, which must be JSON.
    pub body: Value,
}

/// The answer to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// 200.
    Accepts,
    /// 503.
    Fails,
    /// None, with an open connection.
    Hangs,
}

/// The requests that came.
pub struct Webhook(Arc<Shared>);

struct Shared {
    requests: Mutex<Vec<Received>>,
    conduct: Mutex<Conduct>,
    /// Connections without an answer.
    hanging: Mutex<Vec<TcpStream>>,
}

impl Webhook {
    /// Listens in `namespace`, and accepts.
    pub fn listen(namespace: &Namespace, address: &str) -> Self {
        let listener = namespace.enter(|| TcpListener::bind(address)).unwrap();
        let (requests, hanging) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { requests, conduct: Mutex::new(Conduct::Accepts), hanging });
        let webhook = Self(Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                // A connection may break off at any moment: then no request came.
                std::thread::spawn(move || shared.serve(stream).ok());
            }
        });
        webhook
    }

    /// Changes the answers to requests that come from now on.
    pub fn set(&self, conduct: Conduct) {
        *self.0.conduct.lock().unwrap() = conduct;
    }

    /// The bodies of all requests so far, in order.
    pub fn taken(&self) -> Vec<Value> {
        self.requests().into_iter().map(|request| request.body).collect()
    }

    /// All requests so far, in order, but those that got 503.
    pub fn requests(&self) -> Vec<Received> {
        self.0.requests.lock().unwrap().clone()
    }
}

impl Shared {
    /// One request, answered and closed.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let received = read(&stream)?;
        let conduct = *self.conduct.lock().unwrap();
        if conduct != Conduct::Fails {
            self.requests.lock().unwrap().push(received);
        }
        let status = match conduct {
            Conduct::Accepts => "200 OK",
            Conduct::Fails => "503 Service Unavailable",
            Conduct::Hangs => {
                self.hanging.lock().unwrap().push(stream);
                return Ok(());
            }
        };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    }
}

fn read(stream: &TcpStream) -> io::Result<Received> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.remove(0);
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Received { at: Instant::now(), path, headers: lines, body: serde_json::from_slice(&body).unwrap() })
}
