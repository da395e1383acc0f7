//! A small HTTP client that shows the bytes on the wire.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::exporter::DEADLINE;

/// An answer of the server.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came, out of its chunks.
    pub bytes: Vec<u8>,
    /// The same as text.
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
    ask(address, method, path, &[])
}

/// The same with more header lines.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[&str]) -> io::Result<Answer> {
    let mut stream = connect(address);
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n")?;
    read_answer(&mut stream)
}

/// Reads to the end of the connection.
pub fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes)
}

/// Reads an answer; one that breaks off is an error.
pub fn parse(bytes: &[u8]) -> io::Result<Answer> {
    let (head, rest) = split(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(head).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line[..3].parse().ok());
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<(String, String)> =
        lines.map(|line| header(line).unwrap_or_else(|| panic!("no header: {line}"))).collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let bytes = if is_chunked && !rest.is_empty() { unchunked(rest)? } else { rest.to_vec() };
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer { status: status.unwrap_or_else(|| panic!("no status in {head}")), headers, bytes, body })
}

/// The parts before and behind the first `mark`.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> io::Result<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark).ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((&bytes[..at], &bytes[at + mark.len()..]))
}

/// A body in chunks, put together.
fn unchunked(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let (size, behind) = split(rest, b"\r\n")?;
        let size = std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("the size of a chunk");
        whole.extend_from_slice(behind.get(..size).ok_or(io::ErrorKind::UnexpectedEof)?);
        rest = behind.get(size + 2..).ok_or(io::ErrorKind::UnexpectedEof)?;
        if size == 0 {
            return Ok(whole);
        }
    }
}
