//! The stream of snapshots: its events, its slots, and its end.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::json;

use super::super::common::exporter::wait_for;
use super::super::{GREEDY, connect_from, is_counted};
use super::*;

/// Half of the streams that the program has at most.
const SHARE: usize = 16;

/// A client of the stream, which has sent its request.
struct Listener(BufReader<TcpStream>);

impl Listener {
    fn open(address: SocketAddr) -> Self {
        Self::on(client::connect(address))
    }

    fn on(mut stream: TcpStream) -> Self {
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The next line without its end; none at the end of the connection. Chunk sizes are lines too.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next line that begins with `start`, without that.
    fn after(&mut self, start: &str) -> String {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the stream ended before {start:?}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// The next snapshot.
    fn snapshot(&mut self) -> Value {
        serde_json::from_str(&self.after("data: ")).unwrap()
    }

    fn status(&mut self) -> u16 {
        self.after("HTTP/1.1 ")[..3].parse().unwrap()
    }
}

#[test]
fn stream_begins_with_a_snapshot_and_goes_on_when_something_changes() {
    let mut command = program(["-r", "-", "-promHTTP", "127.0.0.1:0", "-promRefresh", "100ms"]);
    let (input, mut capture) = std::io::pipe().unwrap();
    let exporter = Exporter::spawn(command.stdin(Stdio::from(input)), 1);
    drop(command);
    let mut listener = Listener::open(exporter.address());
    assert_eq!(listener.status(), 200);
    assert_eq!(listener.after("content-type: "), "text/event-stream");
    assert_eq!(listener.after("retry: "), "2000");
    assert_eq!(listener.after("event: "), "snapshot");
    let id: u64 = listener.after("id: ").parse().unwrap();
    let first = listener.snapshot();
    assert_eq!((&first["totals"]["outgoing"]["packets"], &first["history"]), (&json!(0), &json!(id)));
    capture.write_all(&super::capture().build()).unwrap();
    wait_for("the packets of the capture", || {
        let packets = listener.snapshot()["totals"]["outgoing"]["packets"].as_u64().unwrap();
        (packets > 0).then_some(())
    });
    drop(capture);
}

/// Longer than a silent connection and the head of a request may last.
#[test]
fn stream_without_events_stays_open_and_gets_comments() {
    let exporter = serving();
    let mut listener = Listener::open(exporter.address());
    listener.snapshot();
    assert_eq!(listener.after(": "), "still here");
}

#[test]
fn stream_of_a_connection_that_scraped_before_stays_open() {
    let exporter = serving();
    let mut stream = client::connect(exporter.address());
    stream.write_all(b"HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    let mut listener = Listener::on(stream);
    listener.snapshot();
    assert_eq!(listener.after(": "), "still here");
}

#[test]
fn streams_end_with_the_program_and_a_new_one_gives_other_tags() {
    let exporter = serving();
    let mut listeners: Vec<Listener> = (0..3).map(|_| Listener::open(exporter.address())).collect();
    listeners.iter_mut().for_each(|listener| drop(listener.snapshot()));
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    for listener in &mut listeners {
        // The last chunk says that the stream is complete.
        let rest: Vec<String> = std::iter::from_fn(|| listener.line()).collect();
        assert_eq!(rest.iter().rev().find(|line| !line.is_empty()).map(String::as_str), Some("0"), "{rest:?}");
    }
}

#[test]
fn one_client_gets_half_of_the_streams_and_others_the_rest() {
    let exporter = serving();
    let greedy = || Listener::on(connect_from(GREEDY, exporter.address()).unwrap());
    let mut held: Vec<Listener> = (0..SHARE).map(|_| greedy()).collect();
    held.iter_mut().for_each(|listener| assert_eq!(listener.status(), 200));
    let mut refused = greedy();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.after("retry-after: "), "1");
    assert_eq!(Listener::open(exporter.address()).status(), 200);
    // Streams take no slot from answers.
    assert_eq!(client::get(exporter.address(), "/-/healthy"), "healthy\n");
    is_counted(&exporter, "api_refused", "share", 1);
    drop(held);
    wait_for("a free slot", || (greedy().status() == 200).then_some(()));
}

/// They read nothing while the history goes on; the others get every tick.
#[test]
fn readers_that_stall_hold_up_nobody() {
    let mut command = program(["-r", "-", "-promHTTP", "127.0.0.1:0", "-promRefresh", "100ms"]);
    let (input, mut capture) = std::io::pipe().unwrap();
    let exporter = Exporter::spawn(command.stdin(Stdio::from(input)), 1);
    drop(command);
    let stalled: Vec<Listener> = (0..10).map(|_| Listener::open(exporter.address())).collect();
    let mut listener = Listener::open(exporter.address());
    let mut last = listener.snapshot()["number"].as_u64().unwrap();
    capture.write_all(&Savefile::new(1).build()).unwrap();
    let header = Savefile::new(1).build().len();
    for second in 0..3 {
        let file = Savefile::new(1).frame_at(END + second, 0, &request_frame()).build();
        capture.write_all(&file[header..]).unwrap();
        last = wait_for("a newer snapshot", || {
            Some(listener.snapshot()["number"].as_u64().unwrap()).filter(|number| *number > last)
        });
    }
    drop((stalled, capture));
}
