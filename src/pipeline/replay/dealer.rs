//! One thread reads and decodes, and deals the packets to workers, each conversation's to the same one.
//!
//! Packets are dealt rather than frames: they are smaller than most, and to decode costs less than to copy. The workers'
//! intervals end with the same frame, the one where a single thread's would, and are merged in the order of the frames that
//! made their rows. So nothing depends on how many there are.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::counting::{FRAMES_AT_ONCE, LOOKS_BEHIND, is_to_be_merged};
use super::worker::{Batch, Collector, Dealt, Share};
use crate::account::ledger::Ledger;
use crate::account::shares::Fill;
use crate::decode::Decoder;
use crate::locality::Classifier;
use crate::packet::{Addresses, Frame, Packet};
use crate::pipeline::Error;
use crate::pipeline::supervisor::spawn;

/// Batches on their way to a worker and back, the one being filled among them: no more frames than these wait.
const BATCHES: usize = LOOKS_BEHIND + 2;

/// Deals packets to workers.
pub(super) struct Dealer {
    shares: Vec<Share>,
    /// The intervals that the looks belong to whose reports are still to come, oldest first.
    awaited: VecDeque<u64>,
    interval: u64,
    /// Frames of the interval so far.
    frames: u32,
    hand_overs: Sender<Arc<str>>,
    collector: JoinHandle<Ledger>,
}

impl Dealer {
    pub(super) fn start(
        ledger: Ledger,
        classifier: &Arc<Classifier>,
        seed: u64,
        workers: usize,
    ) -> Result<Self, Error> {
        let (shares, full): (Vec<_>, Vec<_>) = (0..workers)
            .map(|worker| Share::start(worker, classifier, seed, BATCHES))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let (hand_overs, names) = channel();
        let collector = Collector { ledger, full, names };
        let collector = spawn("accountant", move || collector.run())?;
        Ok(Self { shares, awaited: VecDeque::new(), interval: 0, frames: 0, hand_overs, collector })
    }

    /// Decodes a frame and gives it to its worker; what is not IP, to the first.
    #[inline]
    pub(super) fn deal(&mut self, decoder: &Decoder, frame: &Frame<'_>) {
        let number = self.frames;
        self.frames += 1;
        match decoder.decode(frame) {
            Ok(packet) => {
                let worker = worker_of(&packet, self.shares.len());
                let dealt = Dealt { packet, wire_bytes: frame.wire_bytes, number };
                self.shares[worker].filling.packets.push(dealt);
            }
            Err(reason) => self.shares[0].filling.not_ip.push((reason, frame.wire_bytes)),
        }
    }

    /// As [`super::counting::Counting::look`].
    pub(super) fn look(&mut self, name: &Arc<str>, is_last: bool) -> Result<(), Error> {
        self.shares.iter_mut().try_for_each(Share::send)?;
        self.awaited.push_back(self.interval);
        let is_full = self.awaited.len() > LOOKS_BEHIND && self.await_look()?;
        if is_full || is_last {
            self.shares.iter_mut().try_for_each(Share::hand_over)?;
            self.hand_overs.send(Arc::clone(name)).map_err(|_| Error::Panicked)?;
            self.interval += 1;
            self.frames = 0;
        }
        Ok(())
    }

    /// Waits for the reports of the oldest look; whether it found the present interval due.
    fn await_look(&mut self) -> Result<bool, Error> {
        let interval = self.awaited.pop_front();
        let mut fill = Fill::default();
        for share in &mut self.shares {
            fill.add(share.report()?);
        }
        Ok(interval == Some(self.interval) && is_to_be_merged(fill))
    }

    pub(super) fn into_ledger(self) -> Result<Ledger, Error> {
        let Self { shares, hand_overs, collector, .. } = self;
        drop(hand_overs);
        for share in shares {
            share.join()?;
        }
        collector.join().map_err(|_| Error::Panicked)
    }
}

/// The same both ways of a conversation. Who chooses addresses may load one worker more than others, no more.
#[inline]
fn worker_of(packet: &Packet, workers: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2⁶⁴ over the golden ratio: neighbours get far apart
    let addresses = match packet.addresses {
        Addresses::V4 { source, destination } => u64::from(fold_v4(source) ^ fold_v4(destination)),
        Addresses::V6 { source, destination } => fold_v6(source) ^ fold_v6(destination),
    };
    let ports = u64::from(packet.source_port ^ packet.destination_port);
    let hash = (addresses ^ (ports << 32) ^ (u64::from(packet.protocol.0) << 48)).wrapping_mul(ODD);
    (((hash >> 32) * workers as u64) >> 32) as usize
}

fn fold_v4(address: Ipv4Addr) -> u32 {
    address.to_bits()
}

fn fold_v6(address: Ipv6Addr) -> u64 {
    let bits = address.to_bits();
    (bits >> 64) as u64 ^ bits as u64
}

impl Batch {
    /// Room for all frames of a look, should they be one worker's.
    pub(super) fn empty() -> Self {
        Self { packets: Vec::with_capacity(FRAMES_AT_ONCE), not_ip: Vec::new() }
    }
}
