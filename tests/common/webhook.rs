//! A receiver of notifications by HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::namespace::Namespace;

/// The notifications that came, as JSON.
pub struct Webhook(Arc<Mutex<Vec<Value>>>);

impl Webhook {
    /// Listens in `namespace`.
    pub fn listen(namespace: &Namespace, address: &str) -> Self {
        let listener = namespace.enter(|| TcpListener::bind(address)).unwrap();
        let webhook = Self(Arc::default());
        let taken = Arc::clone(&webhook.0);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                taken.lock().unwrap().push(take(stream));
            }
        });
        webhook
    }

    /// All of them so far, in order.
    pub fn taken(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

/// One request, answered and closed.
fn take(mut stream: TcpStream) -> Value {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    serde_json::from_slice(&body).unwrap()
}
