//! One thread reads and decodes, and deals the packets to workers, each conversation's to the same one.
//!
//! Packets are dealt rather than frames: they are smaller than most, and to decode costs less than to copy. The
//! workers' intervals end with the same frame, the one where a single thread's would, and are merged in the order of
//! the frames that made their rows. So nothing depends on how many there are. Must not know what the workers count.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::frames::{CHECKS_BEHIND, FRAMES_AT_ONCE, FrameSpan, is_to_be_merged};
use super::worker::{Batch, Collector, Dealt, Share, ToCollect};
use crate::account::fill::Fill;
use crate::account::ledger::Ledger;
use crate::decode::Decoder;
use crate::locality::Classifier;
use crate::packet::{Addresses, Frame, Protocol, Timestamp};
use crate::pipeline::Error;
use crate::pipeline::cells::Cells;
use crate::pipeline::clock::ClockObserver;
use crate::pipeline::threads::spawn;

/// Batches on their way to a worker and back, the one being filled among them: no more frames than these wait.
const BATCHES: usize = CHECKS_BEHIND + 2;

pub(super) struct Dealer<F: ClockObserver> {
    shares: Vec<Share>,
    cells: Cells,
    pub(super) span: FrameSpan,
    /// Numbers of the intervals whose fill checks are still to be reported, oldest first.
    awaited: VecDeque<u64>,
    interval: u64,
    /// Frames of the interval so far.
    frames: u32,
    to_collect: Sender<ToCollect>,
    collector: JoinHandle<(Ledger<F::Notes>, F)>,
}

impl<F: ClockObserver + Send + 'static> Dealer<F> {
    pub(super) fn start(
        ledger: Ledger<F::Notes>,
        observer: F,
        classifier: &Arc<Classifier>,
        seed: u64,
        workers: usize,
    ) -> Result<Self, Error> {
        let (shares, full): (Vec<_>, Vec<_>) = (0..workers)
            .map(|worker| Share::start(worker, classifier, seed, BATCHES))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let cells = Cells::of(observer.grids());
        let (to_collect, collected) = channel();
        let collector = Collector { ledger, observer, full, collected };
        let collector = spawn("accountant", move || collector.run())?;
        let (span, awaited) = (FrameSpan::EMPTY, VecDeque::new());
        Ok(Self { shares, cells, span, awaited, interval: 0, frames: 0, to_collect, collector })
    }

    /// Decodes a frame of the file `name` and gives it to its worker; a frame that is not IP goes to the first. The refusal of
    /// an ICMP error goes to the worker of the conversation that the error quotes, so that the result is that of one thread.
    #[inline]
    pub(super) fn deal(&mut self, name: &Arc<str>, decoder: &Decoder, frame: &Frame<'_>) -> Result<(), Error> {
        if !self.cells.hold(frame.time) {
            self.enter(name, frame.time)?;
        }
        self.span.include(frame.time);
        let number = self.frames;
        self.frames += 1;
        match decoder.decode(frame) {
            Ok(packet) => {
                if let Some(refusal) = decoder.refusal(frame, &packet) {
                    let ports = [refusal.source_port, refusal.destination_port];
                    let worker = worker_of(&refusal.addresses, ports, refusal.protocol, self.shares.len());
                    self.shares[worker].filling.refusals.push((refusal, number));
                }
                let ports = [packet.source_port, packet.destination_port];
                let worker = worker_of(&packet.addresses, ports, packet.protocol, self.shares.len());
                let dealt = Dealt { packet, wire_bytes: frame.wire_bytes, number };
                self.shares[worker].filling.packets.push(dealt);
            }
            Err(reason) => self.shares[0].filling.not_ip.push((reason, frame.wire_bytes)),
        }
        Ok(())
    }

    /// Goes to the cell of `time`. The intervals end, which is one more fill check.
    #[cold]
    fn enter(&mut self, name: &Arc<str>, time: Timestamp) -> Result<(), Error> {
        let advance = self.cells.enter(time);
        self.span.restart_after(advance);
        if self.frames > 0 {
            self.check_fill(name, true)?;
        }
        self.send(ToCollect::Advance(advance))
    }

    /// As [`super::counting::Counting::check_fill`].
    pub(super) fn check_fill(&mut self, name: &Arc<str>, is_last: bool) -> Result<(), Error> {
        self.shares.iter_mut().try_for_each(Share::send)?;
        self.awaited.push_back(self.interval);
        let is_full = self.awaited.len() > CHECKS_BEHIND && self.await_check()?;
        if is_full || is_last {
            self.shares.iter_mut().try_for_each(Share::hand_over)?;
            self.send(ToCollect::Intervals(Arc::clone(name)))?;
            self.interval += 1;
            self.frames = 0;
        }
        Ok(())
    }

    /// Waits for the reports of the oldest fill check; true if it found the present interval due.
    fn await_check(&mut self) -> Result<bool, Error> {
        let interval = self.awaited.pop_front();
        let mut fill = Fill::default();
        for share in &mut self.shares {
            fill.add(share.report()?);
        }
        Ok(interval == Some(self.interval) && is_to_be_merged(fill))
    }

    fn send(&self, message: ToCollect) -> Result<(), Error> {
        self.to_collect.send(message).map_err(|_| Error::Panicked)
    }

    pub(super) fn finish(self) -> Result<(Ledger<F::Notes>, F), Error> {
        if self.cells.start().is_some()
            && let Some(last) = self.span.last()
        {
            self.send(ToCollect::End { end: self.cells.end(), last })?;
        }
        let Self { shares, to_collect, collector, .. } = self;
        drop(to_collect);
        for share in shares {
            share.join()?;
        }
        collector.join().map_err(|_| Error::Panicked)
    }
}

/// The worker of a packet, the same both ways of a conversation. A sender who chooses addresses can at most load one worker more
/// than others.
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
    /// Space for all frames between two fill checks, should they be of one worker.
    pub(super) fn empty() -> Self {
        Self { packets: Vec::with_capacity(FRAMES_AT_ONCE), not_ip: Vec::new(), refusals: Vec::new() }
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
            let mut dealer = Dealer::start(ledger, (), &Arc::new(Classifier::default()), 1, workers).unwrap();
            let decoder = Decoder::new(LinkType(101)).unwrap();
            let name: Arc<str> = "raw".into();
            for port in 1..200_u16 {
                let [high, low] = port.to_be_bytes();
                let asked = datagram(UDP, ALICE, BOB, &[0xc3, 0x50, high, low, 0, 8, 0, 0]);
                let error = datagram(1, BOB, ALICE, &[&PORT_UNREACHABLE[..], &asked].concat());
                for frame in [asked, error] {
                    let frame = Frame::new(Timestamp::default(), &frame, frame.len() as u32);
                    dealer.deal(&name, &decoder, &frame).unwrap();
                }
            }
            let asked = |share: &Share| {
                let packets = share.filling.packets.iter().map(|dealt| (dealt.packet, dealt.number));
                packets.filter(|(packet, _)| packet.protocol == Protocol::UDP).collect::<Vec<_>>()
            };
            for share in &dealer.shares {
                let refused =
                    share.filling.refusals.iter().map(|&(refusal, number)| (refusal.destination_port, number));
                // Each by the frame behind the one that asked.
                let expected = asked(share).into_iter().map(|(packet, number)| (packet.destination_port, number + 1));
                assert_eq!(refused.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{workers} workers");
            }
            assert_eq!(dealer.shares.iter().map(|share| asked(share).len()).sum::<usize>(), 199);
            assert!(dealer.shares.iter().all(|share| !asked(share).is_empty()), "{workers} workers: all have a part");
            dealer.check_fill(&name, true).unwrap();
            assert_eq!(dealer.finish().unwrap().0.totals().frames.frames, 398);
        }
    }
}
