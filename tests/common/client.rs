//! A small HTTP client, which sees what is really sent.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::exporter::DEADLINE;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The value of a header that comes once.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => panic!("not one {name} in {:?}", self.headers),
        }
    }
}

/// Connects, with a deadline on everything that follows.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// The body at `path`, which must be there.
pub fn get(address: SocketAddr, path: &str) -> String {
    let answer = request(address, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// One request on a connection of its own.
pub fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    try_request(address, method, path).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// One request on a connection of its own, which the server may cut.
pub fn try_request(address: SocketAddr, method: &str, path: &str) -> io::Result<Answer> {
    let mut stream = connect(address);
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    read_answer(&mut stream)
}

/// Reads to the end of the connection.
pub fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line[..3].parse().ok());
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Ok(Answer {
        status: status.unwrap_or_else(|| panic!("no status in {head}")),
        headers: lines.map(|line| header(line).unwrap_or_else(|| panic!("no header: {line}"))).collect(),
        body: body.to_owned(),
    })
}
