//! Server-sent events: streams of snapshots (HTML standard, section 9.2). Takes each snapshot once; gives it to all
//! streams. Must not know the contents of snapshots.
//!
//! A stream that reads slowly gets the latest snapshot when it is ready for one, and misses those before: at most one
//! waits for it. Streams have slots of their own.

use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::answer::Answer;
use super::body::Body;
use super::slots::{ClientId, ClientSlot, Slots};
use crate::export::connections::ClientRefusal;

/// Time without an event after which a comment is sent, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The comment.
const HEARTBEAT_LINE: &[u8] = b": still here\n\n";
/// The time after which a browser connects again, in milliseconds.
const RETRY: &[u8] = b"retry: 2000\n\n";
/// Keeps nginx from collecting events before it sends them on.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An event for all streams.
#[derive(Debug, Clone)]
enum StreamEvent {
    /// None was sent yet.
    None,
    Sent(Bytes),
    /// The program ends.
    End,
}

/// The open streams.
#[derive(Debug)]
pub(super) struct EventStreams {
    slots: Arc<Slots>,
    latest: watch::Sender<StreamEvent>,
    heartbeat: Duration,
}

impl EventStreams {
    /// No stream yet, and at most `limit` at once.
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: Slots::new(limit), latest: watch::Sender::new(StreamEvent::None), heartbeat: HEARTBEAT }
    }

    /// A slot for a stream of this client.
    pub(super) fn slot(&self, origin: ClientId) -> Result<ClientSlot, ClientRefusal> {
        self.slots.take(origin)
    }

    /// True if a stream is open.
    pub(super) fn has_readers(&self) -> bool {
        self.latest.receiver_count() > 0
    }

    /// Sends an event to all streams.
    pub(super) fn send(&self, event: Bytes) {
        self.latest.send_replace(StreamEvent::Sent(event));
    }

    /// Forgets the latest event. Streams that are open do not notice.
    pub(super) fn forget(&self) {
        self.latest.send_if_modified(|latest| {
            if matches!(latest, StreamEvent::Sent(_)) {
                *latest = StreamEvent::None;
            }
            false
        });
    }

    /// Ends all streams, and those that are opened later.
    pub(super) fn end(&self) {
        self.latest.send_replace(StreamEvent::End);
    }

    /// A stream that begins with the event `first`.
    pub(super) fn open(&self, first: Bytes, slot: ClientSlot) -> Answer {
        let (sender, pieces) = mpsc::channel(1);
        drop(tokio::spawn(feed(first, self.latest.subscribe(), self.heartbeat, sender, slot)));
        let mut answer = head();
        *answer.body_mut() = Body::Events(pieces);
        answer
    }
}

/// The head of a stream.
pub(super) fn head() -> Answer {
    let mut answer = Response::new(Body::Ended);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    answer
}

/// The event `name` with one line of data.
pub(super) fn event(name: &str, id: u64, data: &[u8]) -> Bytes {
    let head = format!("event: {name}\nid: {id}\ndata: ");
    Bytes::from([head.as_bytes(), data, b"\n\n"].concat())
}

/// Sends `first` and then new events until the client or the program ends. Holds the slot meanwhile.
async fn feed(
    first: Bytes,
    mut latest: watch::Receiver<StreamEvent>,
    heartbeat: Duration,
    sender: mpsc::Sender<Bytes>,
    _slot: ClientSlot,
) {
    for piece in [Bytes::from_static(RETRY), first.clone()] {
        if sender.send(piece).await.is_err() {
            return;
        }
    }
    let mut sent = first;
    loop {
        let piece = tokio::select! {
            event = next(&mut latest, &sent) => match event {
                Some(event) => {
                    sent = event.clone();
                    event
                }
                None => return,
            },
            () = sleep(heartbeat) => Bytes::from_static(HEARTBEAT_LINE),
            () = sender.closed() => return,
        };
        if sender.send(piece).await.is_err() {
            return;
        }
    }
}

/// The next event that differs from `sent`; none if the program ends.
async fn next(latest: &mut watch::Receiver<StreamEvent>, sent: &Bytes) -> Option<Bytes> {
    loop {
        if matches!(*latest.borrow(), StreamEvent::End) {
            return None;
        }
        latest.changed().await.ok()?;
        match &*latest.borrow_and_update() {
            StreamEvent::Sent(event) if event != sent => return Some(event.clone()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http_body_util::BodyExt as _;

    use super::*;

    fn slot(streams: &EventStreams) -> ClientSlot {
        streams.slot(IpAddr::from([192, 0, 2, 1]).into()).unwrap()
    }

    /// A stream whose first event was read.
    async fn begun(streams: &EventStreams) -> Answer {
        let mut answer = streams.open(event("snapshot", 0, b"{}"), slot(streams));
        for _ in 0..2 {
            frame(&mut answer).await.unwrap();
        }
        answer
    }

    async fn frame(answer: &mut Answer) -> Option<String> {
        let frame = answer.body_mut().frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn event_that_is_forgotten_hides_no_later_one_and_no_end() {
        let streams = EventStreams::new(2);
        streams.send(event("snapshot", 1, b"{}"));
        let mut answer = begun(&streams).await;
        streams.forget();
        assert!(matches!(*streams.latest.borrow(), StreamEvent::None));
        streams.send(event("snapshot", 2, b"{}"));
        assert_eq!(frame(&mut answer).await.unwrap(), "event: snapshot\nid: 2\ndata: {}\n\n");
        streams.end();
        streams.forget();
        assert_eq!(frame(&mut answer).await, None);
    }

    #[tokio::test]
    async fn slow_reader_misses_events_and_gets_the_latest() {
        let streams = EventStreams::new(2);
        let mut answer = streams.open(event("snapshot", 1, b"{}"), slot(&streams));
        assert_eq!(frame(&mut answer).await.unwrap(), "retry: 2000\n\n");
        assert_eq!(frame(&mut answer).await.unwrap(), "event: snapshot\nid: 1\ndata: {}\n\n");
        for number in 2..1_000_u64 {
            streams.send(event("snapshot", number, b"{}"));
            tokio::task::yield_now().await;
        }
        // One waited in the queue and one for it; the next one is the latest.
        let mut ids = Vec::new();
        while ids.last() != Some(&999) {
            let text = frame(&mut answer).await.unwrap();
            ids.push(text.lines().find_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok()).unwrap());
        }
        assert!(ids.len() <= 3, "{ids:?}");
    }

    #[tokio::test]
    async fn event_that_a_stream_has_is_not_sent_again() {
        let streams = EventStreams::new(2);
        let mut answer = begun(&streams).await;
        for number in [0, 0, 1, 1, 2] {
            streams.send(event("snapshot", number, b"{}"));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for number in [1, 2] {
            assert_eq!(frame(&mut answer).await.unwrap(), format!("event: snapshot\nid: {number}\ndata: {{}}\n\n"));
        }
    }

    #[tokio::test]
    async fn streams_end_with_the_program_and_later_ones_at_once() {
        let streams = EventStreams::new(4);
        let mut answer = begun(&streams).await;
        streams.end();
        assert_eq!(frame(&mut answer).await, None);
        let mut later = begun(&streams).await;
        assert_eq!(frame(&mut later).await, None);
    }

    #[tokio::test]
    async fn client_that_has_gone_frees_its_slot() {
        let streams = EventStreams::new(2);
        let origin = IpAddr::from([192, 0, 2, 1]).into();
        let answer = begun(&streams).await;
        assert!(streams.slot(origin).is_err(), "the share of one client is taken");
        assert!(streams.has_readers());
        drop(answer);
        tokio::time::timeout(Duration::from_secs(60), async {
            while streams.slot(origin).is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert!(!streams.has_readers());
    }

    #[tokio::test]
    async fn silent_stream_gets_comments() {
        let streams = EventStreams { heartbeat: Duration::from_millis(5), ..EventStreams::new(2) };
        let mut answer = begun(&streams).await;
        for _ in 0..3 {
            assert_eq!(frame(&mut answer).await.unwrap(), ": still here\n\n");
        }
        streams.send(event("snapshot", 7, b"{}"));
        while frame(&mut answer).await.unwrap() != "event: snapshot\nid: 7\ndata: {}\n\n" {}
    }
}
