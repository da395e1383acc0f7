//! The reading thread of a replay with several workers: decodes frames and sends each packet to a worker.
//!
//! Takes frames; gives batches of packets to the workers, all packets of a conversation to the same one. Must not know
//! how workers count.
//!
//! Packets are sent rather than frames, because decoding a frame costs less than copying it. The intervals of all
//! workers end at the same frame, where the interval of a single thread would end. Their rows are merged in the order
//! of the frames that made them. So the result does not depend on the number of workers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::frames::{CHECKS_BEHIND, FRAMES_AT_ONCE, FrameSpan, is_to_be_merged};
use super::worker::{Batch, Collector, CollectorMessage, NumberedPacket, WorkerHandle};
use crate::account::fill::Fill;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::decode::Decoder;
use crate::os::threads::Needs;
use crate::packet::{Addresses, Frame, Protocol, Timestamp};
use crate::pipeline::Error;
use crate::pipeline::cells::Cells;
use crate::pipeline::clock::ClockObserver;
use crate::pipeline::threads::spawn;

/// Number of batches of each worker: the one that is filled, and those on their way to the worker and back. It bounds
/// the frames that wait to be counted.
const BATCHES: usize = CHECKS_BEHIND + 2;

pub(super) struct Dispatcher<F: ClockObserver> {
    workers: Vec<WorkerHandle>,
    cells: Cells,
    pub(super) span: FrameSpan,
    /// The fill checks that workers have not reported yet, oldest first: the number of the interval of each.
    unreported: VecDeque<u64>,
    interval: u64,
    /// Number of frames in the present interval.
    frames: u32,
    collector_messages: Sender<CollectorMessage>,
    collector: JoinHandle<(Ledger<F::Notes>, F)>,
}

impl<F: ClockObserver + Send + 'static> Dispatcher<F> {
    pub(super) fn start(
        ledger: Ledger<F::Notes>,
        observer: F,
        interval: &impl Fn() -> Interval,
        workers: usize,
    ) -> Result<Self, Error> {
        let (workers, full): (Vec<_>, Vec<_>) = (0..workers)
            .map(|worker| WorkerHandle::start(worker, interval, BATCHES))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let cells = Cells::of(observer.grids());
        let (collector_messages, messages) = channel();
        let collector = Collector { ledger, observer, full, messages };
        let collector = spawn("accountant", Needs::Nothing, move || collector.run())?;
        let (span, unreported) = (FrameSpan::EMPTY, VecDeque::new());
        Ok(Self { workers, cells, span, unreported, interval: 0, frames: 0, collector_messages, collector })
    }

    /// Decodes a frame of the file `name` and puts it into the batch of its worker; a frame that is not IP goes to the
    /// first worker. The refusal that an ICMP error reports goes to the worker of the quoted conversation.
    #[inline]
    pub(super) fn dispatch(&mut self, name: &Arc<str>, decoder: &Decoder, frame: &Frame<'_>) -> Result<(), Error> {
        if !self.cells.contain(frame.time) {
            self.enter(name, frame.time)?;
        }
        self.span.include(frame.time);
        let number = self.frames;
        self.frames += 1;
        match decoder.decode(frame) {
            Ok(packet) => {
                let resolution = packet
                    .icmp_type
                    .and_then(|icmp_type| decoder.neighbor_resolution(frame, packet.protocol, icmp_type));
                self.workers[0].filling.resolutions.extend(resolution);
                if let Some(refusal) = decoder.refusal(frame, &packet) {
                    let ports = [refusal.source_port, refusal.destination_port];
                    let worker = worker_of(&refusal.addresses, ports, refusal.protocol, self.workers.len());
                    self.workers[worker].filling.refusals.push((refusal, number));
                }
                let ports = [packet.source_port, packet.destination_port];
                let worker = worker_of(&packet.addresses, ports, packet.protocol, self.workers.len());
                let numbered = NumberedPacket { packet, wire_bytes: frame.wire_bytes, number };
                self.workers[worker].filling.packets.push(numbered);
            }
            Err(reason) => {
                let first = &mut self.workers[0].filling;
                first.resolutions.extend(decoder.arp_resolution(frame, reason));
                first.not_ip.push((reason, frame.wire_bytes));
            }
        }
        Ok(())
    }

    /// Ends the intervals and enters the time cell of `time`.
    #[cold]
    fn enter(&mut self, name: &Arc<str>, time: Timestamp) -> Result<(), Error> {
        let advance = self.cells.enter(time);
        self.span.restart_after(advance);
        if self.frames > 0 {
            self.check_fill(name, true)?;
        }
        self.send(CollectorMessage::Advance(advance))
    }

    /// As [`super::counting::Counting::check_fill`].
    pub(super) fn check_fill(&mut self, name: &Arc<str>, is_last: bool) -> Result<(), Error> {
        self.workers.iter_mut().try_for_each(WorkerHandle::send)?;
        self.unreported.push_back(self.interval);
        let is_full = self.unreported.len() > CHECKS_BEHIND && self.await_check()?;
        if is_full || is_last {
            self.workers.iter_mut().try_for_each(WorkerHandle::hand_over)?;
            self.send(CollectorMessage::HandOver(Arc::clone(name)))?;
            self.interval += 1;
            self.frames = 0;
        }
        Ok(())
    }

    /// Waits for the reports on the oldest fill check. True if the present interval is to be handed over.
    fn await_check(&mut self) -> Result<bool, Error> {
        let interval = self.unreported.pop_front();
        let mut fill = Fill::default();
        for worker in &mut self.workers {
            fill.add(worker.report()?);
        }
        Ok(interval == Some(self.interval) && is_to_be_merged(fill))
    }

    fn send(&self, message: CollectorMessage) -> Result<(), Error> {
        self.collector_messages.send(message).map_err(|_| Error::Panicked)
    }

    pub(super) fn finish(self) -> Result<(Ledger<F::Notes>, F), Error> {
        if self.cells.start().is_some()
            && let Some(last) = self.span.last()
        {
            self.send(CollectorMessage::End { end: self.cells.end(), last })?;
        }
        let Self { workers, collector_messages, collector, .. } = self;
        drop(collector_messages);
        for worker in workers {
            worker.join()?;
        }
        collector.join().map_err(|_| Error::Panicked)
    }
}

/// The worker of a packet: the same for both directions of a conversation. A sender that chooses its addresses can only
/// load one worker more than the others.
#[inline]
fn worker_of(addresses: &Addresses, ports: [u16; 2], protocol: Protocol, workers: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2⁶⁴ over the golden ratio: neighbours get far apart
    let addresses = match *addresses {
        Addresses::V4 { source, destination } => u64::from(source.to_bits() ^ destination.to_bits()),
        Addresses::V6 { source, destination } => {
            let bits = source.to_bits() ^ destination.to_bits();
            (bits >> 64) as u64 ^ bits as u64
        }
    };
    let ports = u64::from(ports[0] ^ ports[1]);
    let hash = (addresses ^ (ports << 32) ^ (u64::from(protocol.0) << 48)).wrapping_mul(ODD);
    (((hash >> 32) * workers as u64) >> 32) as usize
}

impl Batch {
    /// Has space for all packets between two fill checks, even if one worker gets them all.
    pub(super) fn empty() -> Self {
        Self {
            packets: Vec::with_capacity(FRAMES_AT_ONCE),
            not_ip: Vec::new(),
            refusals: Vec::new(),
            resolutions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account;
    use crate::packet::LinkType;

    const ALICE: [u8; 4] = [192, 0, 2, 1];
    const BOB: [u8; 4] = [198, 51, 100, 2];

    /// An IPv4 packet, on raw IP.
    fn datagram(protocol: u8, source: [u8; 4], destination: [u8; 4], above: &[u8]) -> Vec<u8> {
        let [high, low] = (20 + above.len() as u16).to_be_bytes();
        [&[0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0][..], &source, &destination, above].concat()
    }

    #[test]
    fn a_refusal_goes_where_the_conversation_goes_that_it_quotes() {
        const UDP: u8 = 17;
        const PORT_UNREACHABLE: [u8; 8] = [3, 3, 0, 0, 0, 0, 0, 0];
        for workers in 2..6 {
            let ledger = Ledger::new(&account::Config::default(), 1);
            let mut dispatcher = Dispatcher::start(ledger, (), &|| Interval::new(Arc::default(), 1), workers).unwrap();
            let decoder = Decoder::new(LinkType(101)).unwrap();
            let name: Arc<str> = "raw".into();
            for port in 1..200_u16 {
                let [high, low] = port.to_be_bytes();
                let asked = datagram(UDP, ALICE, BOB, &[0xc3, 0x50, high, low, 0, 8, 0, 0]);
                let error = datagram(1, BOB, ALICE, &[&PORT_UNREACHABLE[..], &asked].concat());
                for frame in [asked, error] {
                    let frame = Frame::new(Timestamp::default(), &frame, frame.len() as u32);
                    dispatcher.dispatch(&name, &decoder, &frame).unwrap();
                }
            }
            let asked = |worker: &WorkerHandle| {
                let packets = worker.filling.packets.iter().map(|numbered| (numbered.packet, numbered.number));
                packets.filter(|(packet, _)| packet.protocol == Protocol::UDP).collect::<Vec<_>>()
            };
            for worker in &dispatcher.workers {
                let refused =
                    worker.filling.refusals.iter().map(|&(refusal, number)| (refusal.destination_port, number));
                // Each by the frame behind the one that asked.
                let expected = asked(worker).into_iter().map(|(packet, number)| (packet.destination_port, number + 1));
                assert_eq!(refused.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{workers} workers");
            }
            assert_eq!(dispatcher.workers.iter().map(|worker| asked(worker).len()).sum::<usize>(), 199);
            assert!(
                dispatcher.workers.iter().all(|worker| !asked(worker).is_empty()),
                "{workers} workers: all have a part"
            );
            dispatcher.check_fill(&name, true).unwrap();
            assert_eq!(dispatcher.finish().unwrap().0.totals().frames.frames, 398);
        }
    }
}
