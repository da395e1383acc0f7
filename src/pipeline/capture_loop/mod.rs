//! The capture loop: counts the frames of one interface, for as long as the plan has the interface. Takes the plan and
//! an interface; gives full intervals. Must not know the ledger, nor detection.
//!
//! The hot path begins here: [`count_frame`] runs for every frame.

mod filter;
mod follow;
mod open;
mod recording;
mod resize;

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub use recording::record_frame;
use recording::{Recording, take_frame};
use resize::Resizing;

use super::Error;
use super::control::{CaptureNumber, ControlBlock, Plan};
use super::coverage::Comparison;
use super::fanout::{Fanout, Membership};
use super::handover::Exchange;
use super::heartbeat::Heartbeat;
use super::notices::log_stopped;
use super::opening::{FirstTry, Opening};
use super::rings::{Ring, Rings};
use crate::account::interval::Interval;
use crate::capture::live::{Live, Statistics};
use crate::capture::once::{Origins, is_copy};
use crate::capture::{self, Selection};
use crate::decode::{Decoder, NotIp, TakeDecoded};
use crate::evidence::{PacketSource, RecorderSettings};
use crate::packet::{Frame, Packet, Protocol, Timestamp};
use filter::AttachedFilter;

/// First pause before an interface is opened again; doubled each time, up to a bound.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Interval at which a waiting thread checks its control block.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Decodes a frame and counts it. With `origins`, an outgoing frame that came in by a captured interface does not
/// count: it was counted there.
#[inline(always)]
pub fn count_frame(decoder: &Decoder, origins: Option<&Origins>, frame: &Frame<'_>, interval: &mut Interval) {
    decoder.decode_for(frame, FrameCounter { decoder, origins, frame, interval, recording: () });
}

/// Counts a decoded frame.
struct FrameCounter<'a, R> {
    decoder: &'a Decoder,
    origins: Option<&'a Origins>,
    frame: &'a Frame<'a>,
    interval: &'a mut Interval,
    recording: R,
}

impl<R: Recording> TakeDecoded for FrameCounter<'_, R> {
    #[inline(always)]
    fn take(self, decoded: Result<Packet, NotIp>) {
        let Self { decoder, origins, frame, interval, mut recording } = self;
        match decoded {
            Ok(packet) => match origins {
                Some(origins) if is_copy(packet.outgoing, packet.addresses.source(), origins) => {
                    interval.observe_copy(frame.wire_bytes);
                }
                _ => {
                    if let Some(icmp_type) = packet.icmp_type {
                        note_icmp(decoder, frame, packet.protocol, icmp_type, interval);
                        recording.icmp(decoder, frame, packet.protocol, icmp_type);
                    }
                    recording.packet(frame, &packet.addresses);
                    interval.observe(&packet, frame.wire_bytes);
                }
            },
            Err(reason) => {
                let resolution = decoder.arp_resolution(frame, reason);
                resolution.iter().for_each(|resolution| interval.resolve(resolution));
                recording.other(frame, resolution.as_ref());
                interval.observe_not_ip(reason, frame.wire_bytes);
            }
        }
    }

    #[inline(never)]
    fn take_rare(self, decoded: Result<Packet, NotIp>) {
        self.take(decoded);
    }
}

/// Notes the refusal, or the message of neighbor discovery, that an ICMP packet may be. (Without the packet itself, which
/// would have to leave its registers.)
#[inline(never)]
fn note_icmp(decoder: &Decoder, frame: &Frame<'_>, protocol: Protocol, icmp_type: u8, interval: &mut Interval) {
    if let Some(refusal) = decoder.read_refusal(frame, protocol, icmp_type) {
        interval.refuse(&refusal);
    }
    if let Some(resolution) = decoder.neighbor_resolution(frame, protocol, icmp_type) {
        interval.resolve(&resolution);
    }
}

/// Captures one interface until it is stopped, or the interface is no longer wanted.
pub(super) struct CaptureLoop {
    /// The number under which the plan has the name of the interface.
    pub number: CaptureNumber,
    pub interface: String,
    /// Number of this worker of the interface, from 0.
    pub worker: usize,
    /// The name of its thread.
    pub name: String,
    pub heartbeat: Arc<Heartbeat>,
    pub fanout: Arc<Fanout>,
    pub config: capture::Config,
    pub rings: Arc<Rings>,
    pub control: Arc<ControlBlock>,
    pub exchange: Exchange,
    /// Makes the recorder of packets, where they are kept.
    pub recording: Option<RecorderSettings>,
    pub first_try: Option<Sender<FirstTry>>,
    pub opening: Option<Arc<Opening>>,
    /// The last error when the interface was opened, and the number of failures in a row.
    pub refused: Option<(String, u32)>,
}

/// An open handle and its state.
pub(super) struct Session {
    pub live: Live,
    /// Dropped after the handle, because its field comes later; so is the membership.
    pub ring: Ring,
    membership: Membership,
    pub decoder: Decoder,
    pub plan: Arc<Plan>,
    /// The filter that the handle has now.
    attached: AttachedFilter,
    /// The kernel's number of the interface that is open.
    pub index: Option<u32>,
    /// The kernel's counters when they were last read.
    pub recorded: Statistics,
    comparison: Comparison,
    resizing: Resizing,
}

impl CaptureLoop {
    pub(super) fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while self.is_wanted() {
            self.heartbeat.beat();
            self.adopt_name();
            match self.open() {
                Ok(session) => {
                    self.control.forget_refused(&self.interface, self.worker);
                    self.control.record_open(&self.interface, self.worker, session.live.link_type());
                    self.report(Ok(()));
                    self.count_opened();
                    self.record_packets(&session);
                    // The plan may have changed while the interface was not open.
                    self.count_by(&session.plan);
                    tracing::info!(interface = self.interface, worker = self.worker + 1, "capturing");
                    (pause, self.refused) = (FIRST_PAUSE, None);
                    if let Err(error) = self.capture(session) {
                        log_stopped(&self.interface, &self.config.selection, &error);
                    }
                    self.control.forget_open(&self.interface, self.worker);
                }
                Err(error) => {
                    self.log_refused(&error);
                    // An interface that is down receives nothing.
                    if self.control.plan().up.contains(&self.interface) {
                        self.control.record_refused(&self.interface, self.worker);
                    }
                    self.report(Err(error));
                    // With `all`, the interfaces that can be opened are captured.
                    if self.config.selection == Selection::All {
                        self.count_opened();
                    }
                }
            }
            self.exchange.hand_over_last();
            self.wait(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.control.forget_refused(&self.interface, self.worker);
    }

    /// Begins to record packets under the present name of the interface, if packets are kept.
    fn record_packets(&mut self, session: &Session) {
        let source = || PacketSource {
            interface: self.interface.clone(),
            link_type: session.live.link_type(),
            snap_length: self.config.snap_length,
        };
        let recorder = self.recording.as_ref().map(|recording| recording.recorder(source()));
        self.exchange.record_with(recorder);
    }

    fn is_wanted(&self) -> bool {
        !self.control.is_stopping() && self.control.plan().captures.contains_key(&self.number)
    }

    /// Takes over the present name of the interface, while no handle is open.
    fn adopt_name(&mut self) {
        if let Some(name) = self.control.plan().captures.get(&self.number).filter(|name| **name != self.interface) {
            self.control.forget_refused(&self.interface, self.worker);
            self.exchange.rename(name);
            self.interface.clone_from(name);
        }
    }

    /// Logs why the interface cannot be opened, each reason once while it lasts. With `all` it logs at the second
    /// failure: an interface that has just been deleted fails once.
    fn log_refused(&mut self, error: &Error) {
        let reason = error.to_string();
        let times = match &self.refused {
            Some((before, times)) if *before == reason => times + 1,
            _ => 1,
        };
        let said_at = if self.config.selection == Selection::All { 2 } else { 1 };
        if times == said_at && self.first_try.is_none() {
            tracing::warn!(interface = self.interface, %error, "cannot capture; retrying");
        } else {
            tracing::debug!(interface = self.interface, %error, "cannot capture; retrying");
        }
        if matches!(error, Error::Rings) && times == 1 {
            self.rings.vitals.count_refused_ring();
        }
        self.refused = Some((reason, times));
    }

    fn report(&mut self, result: Result<(), Error>) {
        let Some(first_try) = self.first_try.take() else { return };
        if first_try.send(FirstTry { interface: self.interface.clone(), result }).is_err() {
            tracing::trace!(interface = self.interface, "the result of opening is not needed any more");
        }
    }

    fn count_opened(&mut self) {
        if let Some(opening) = self.opening.take() {
            opening.count_opened();
        }
    }

    /// Waits until `pause` is over, or there is a new plan, which may mean that the interface is back.
    fn wait(&self, pause: Duration) {
        let plan = self.control.plan();
        let until = Instant::now() + pause;
        while Instant::now() < until && self.is_wanted() && Arc::ptr_eq(&plan, &self.control.plan()) {
            self.heartbeat.beat();
            thread::sleep(CHECK_INTERVAL.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// Counts frames until the interface is no longer wanted, and then the frames that are left in the ring.
    fn capture(&mut self, mut session: Session) -> Result<(), Error> {
        let captured = self.capture_until_unwanted(&mut session);
        session.membership.end_capturing();
        session.comparison.end();
        let sealed = session.live.seal().map_err(Error::from);
        let Session { live, decoder, plan, .. } = &mut session;
        let exchange = &mut self.exchange;
        live.finish(|frame| {
            take_frame(decoder, plan.origins.as_deref(), &frame, exchange);
        });
        let recorded = self.record(&mut session);
        let Statistics { received, dropped_by_kernel, .. } = session.recorded;
        let worker = self.worker + 1;
        tracing::debug!(interface = self.interface, worker, received, dropped_by_kernel, "handle closed");
        captured.and(sealed).and(recorded)
    }

    fn capture_until_unwanted(&mut self, session: &mut Session) -> Result<(), Error> {
        let mut next_tick = Instant::now();
        while self.is_wanted() && !self.is_another(session) {
            self.heartbeat.beat();
            self.follow(session)?;
            if !self.resize(session)? {
                return Ok(());
            }
            let now = Instant::now();
            // An interface that is down keeps its handle, which resumes by itself.
            let is_up = session.plan.up.contains(&self.interface) && self.fanout.is_whole();
            let is_urgent = self.exchange.set_up(is_up) || self.exchange.filling().is_nearly_full();
            if self.exchange.has_ended_cell() {
                // The end of a cell, by a frame or by the clock, comes before the tick.
                next_tick = now + session.plan.tick + 2 * self.config.read_timeout;
                self.record(session)?;
            }
            if now >= next_tick || is_urgent && self.exchange.has_empty() {
                next_tick = now + session.plan.tick;
                self.record(session)?;
                self.exchange.hand_over();
            }
            let wait = self.config.read_timeout.min(next_tick.saturating_duration_since(now));
            self.poll(session, wait)?;
        }
        Ok(())
    }

    /// Waits up to `wait` for frames and counts them. If none come, packet time goes on by the clock: within the read
    /// timeout the kernel hands over every frame that it has.
    fn poll(&mut self, session: &mut Session, wait: Duration) -> Result<(), Error> {
        let clock = Timestamp::from(SystemTime::now());
        let Session { live, decoder, plan, .. } = session;
        let exchange = &mut self.exchange;
        let polled = live.poll(wait, |frame| {
            take_frame(decoder, plan.origins.as_deref(), &frame, exchange);
        })?;
        if polled == 0 {
            exchange.pass(clock, 2 * self.config.read_timeout);
        }
        Ok(())
    }

    pub(super) fn record(&mut self, session: &mut Session) -> Result<(), Error> {
        let counted = session.live.statistics()?;
        self.add_counted(session, counted.since(session.recorded));
        session.recorded = counted;
        Ok(())
    }

    /// Adds the kernel's counters. All workers of an interface read the same count of its own drops, so only the first
    /// one reports it.
    pub(super) fn add_counted(&mut self, session: &mut Session, mut since: Statistics) {
        if self.worker > 0 {
            since.dropped_by_interface = 0;
        }
        let obstacle = self.coverage_obstacle(&session.plan);
        self.exchange.record(since, session.comparison.next(&self.interface, since, obstacle));
    }
}
