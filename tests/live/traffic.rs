//! Known traffic.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::common::link::Sample;
use super::common::metrics::{Metrics, Packets, UDP_4, UDP_6};
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::trace::{self, Trace};
use super::wire::{Pieces, Wire};

/// Packets of a flood in a second.
const FLOOD_RATE: u64 = 20_000;
const FLOOD_TICK: Duration = Duration::from_millis(1);
/// Frames of a system call; the kernel's queue of a core holds a thousand.
const BATCH: usize = 200;

/// Sends `packets` from one socket to the other.
pub fn send(from: &UdpSocket, to: &UdpSocket, packets: Packets) {
    let to = to.local_addr().unwrap();
    let headers = if to.is_ipv4() { UDP_4 } else { UDP_6 };
    let payload = vec![0x55; usize::try_from(packets.bytes - headers).unwrap()];
    for _ in 0..packets.count {
        assert_eq!(from.send_to(&payload, to).unwrap(), payload.len());
    }
}

/// Sends a frame as it stands, so many times.
pub fn send_frame(namespace: &Namespace, interface: &str, frame: &Sample, count: u64) {
    let open = || pcap::Capture::from_device(interface)?.open();
    let mut handle = namespace.enter(open).unwrap();
    for _ in 0..count {
        handle.sendpacket(frame.bytes.as_slice()).unwrap();
    }
}

/// Sends frames as fast as the wire takes them.
pub fn send_frames(wire: &Wire, frames: &[Vec<u8>]) {
    for batch in frames.chunks(BATCH) {
        let pieces: Vec<Pieces<'_>> = batch.iter().map(|frame| [frame.as_slice(), &[]]).collect();
        wire.send(&pieces).unwrap();
    }
}

/// Sends frames from `other`, and waits for their counts after each `at_once` of them: the kernel's ring holds more, so that
/// none is dropped however slow the machine is.
pub fn send_and_count(frames: &[Vec<u8>], at_once: usize, other: &Namespace, monitor: &Monitor<'_>) {
    let wire = other.enter(|| Wire::open("eth0")).unwrap();
    let mut sent = 0;
    for part in frames.chunks(at_once) {
        send_frames(&wire, part);
        sent += part.len() as u64;
        let counted = |metrics: &Metrics| metrics.sum("trafficmonitor_traffic_packets_total");
        monitor.wait_for(&format!("{sent} packets"), |metrics| counted(metrics) == sent);
    }
}

/// The frames of a trace.
pub fn frames_of(trace: &Trace) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.pcap");
    trace::write(trace, &file).unwrap();
    let mut savefile = pcap::Capture::from_file(&file).unwrap();
    let mut frames = Vec::new();
    while let Ok(packet) = savefile.next_packet() {
        frames.push(packet.data.to_vec());
    }
    frames
}

/// The host that is watched and another, on one wire: 10.1.0.1 and 10.1.0.2, each on its eth0.
pub struct Pair {
    pub host: Namespace,
    pub other: Namespace,
}

impl Pair {
    pub fn new() -> Self {
        let pair = Self { host: Namespace::new(), other: Namespace::new() };
        connect(&pair.end(), &End::new(&pair.other, "eth0", "10.1.0.2/24"));
        pair
    }

    /// The host's end of a new wire.
    pub fn end(&self) -> End<'_> {
        End::new(&self.host, "eth0", "10.1.0.1/24")
    }

    /// A resolver on the host and a client on the other.
    pub fn resolver(&self) -> (UdpSocket, UdpSocket) {
        (self.other.udp("10.1.0.2:40053"), self.host.udp("10.1.0.1:53"))
    }
}

/// Packets without end, [`FLOOD_RATE`] a second, each by its number.
pub struct Flood {
    stop: Arc<AtomicBool>,
    begun: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Flood {
    /// Starts to call `send` with 0, 1, 2, …, and waits until it runs.
    pub fn start(mut send: impl FnMut(u64) + Send + 'static) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let begun = Arc::new(AtomicU64::new(0));
        let (is_over, count, begins) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&begun));
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            while !is_over.load(Ordering::Acquire) {
                let due = start.elapsed().as_micros() as u64 * FLOOD_RATE / 1_000_000;
                for number in count.load(Ordering::Relaxed)..due {
                    begins.store(number + 1, Ordering::SeqCst);
                    send(number);
                    count.store(number + 1, Ordering::Release);
                }
                std::thread::sleep(FLOOD_TICK);
            }
        });
        let flood = Self { stop, begun, sent, thread };
        flood.wait_for_more(1_000);
        flood
    }

    /// The first number that is sent after this call as a whole: of the one before, the frame may have left already.
    pub fn next(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Number of packets sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// Waits until so many more have been sent.
    pub fn wait_for_more(&self, more: u64) {
        let enough = self.sent() + more;
        wait_for("the flood goes on", || (self.sent() >= enough).then_some(()));
    }

    /// Ends it; gives how many were sent.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Acquire)
    }
}
