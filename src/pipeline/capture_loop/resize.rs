//! Replaces a handle by one with a smaller ring while its interface is captured. Takes an open session and the plan's
//! size of a ring; gives the session a new handle. Must not know how that size is computed.
//!
//! The new handle is opened sealed beside the old one, with its filter compiled. Then the old one is sealed and the
//! new one unsealed: two system calls, and frames between them are missed. The frames left in the old ring are read
//! together with those of the new one.

use std::thread;
use std::time::{Duration, Instant};

use super::super::Error;
use super::super::rings::Ring;
use super::recording::take_frame;
use super::{CaptureLoop, Session};
use crate::capture;
use crate::capture::live::{FilterProgram, Live};

/// The pause when no smaller handle could be opened, for example for want of a file descriptor.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait for the old handle before the new one is read.
const SLICE: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(super) struct Resizing {
    not_before: Option<Instant>,
}

impl CaptureLoop {
    /// Replaces the handle if its ring is larger than in the plan. False if the session must end instead: the handles
    /// of several workers share the packets of their interface, so that one handle cannot be replaced alone.
    pub(super) fn resize(&mut self, session: &mut Session) -> Result<bool, Error> {
        if session.ring.bytes() <= session.plan.ring_bytes {
            return Ok(true);
        }
        if self.config.workers > 1 {
            return Ok(false);
        }
        let now = Instant::now();
        if session.resizing.not_before.is_some_and(|time| now < time) {
            return Ok(true);
        }
        // Other threads are replacing their handles; soon there will be memory again.
        let Some(ring) = self.rings.reserve_replacement(session.plan.ring_bytes) else { return Ok(true) };
        match self.open_replacement(session, &ring) {
            Ok((live, program)) => self.replace(session, live, &program, ring)?,
            Err(error) => {
                tracing::debug!(interface = self.interface, %error, "cannot open a handle with a smaller ring; retrying");
                session.resizing.not_before = Some(now + RETRY_PAUSE);
            }
        }
        Ok(true)
    }

    /// A sealed handle on the same interface, and the program that unseals it.
    fn open_replacement(&self, session: &Session, ring: &Ring) -> Result<(Live, FilterProgram), Error> {
        let live = self.open_handle(ring)?;
        if live.index() != session.index || live.link_type() != session.live.link_type() {
            let reason = "another interface has this name now".to_owned();
            return Err(capture::Error::Interface { name: self.interface.clone(), reason }.into());
        }
        let program = session.attached.compile(&live)?;
        Ok((live, program))
    }

    fn replace(&mut self, session: &mut Session, live: Live, program: &FilterProgram, ring: Ring) -> Result<(), Error> {
        let mut live = live;
        session.live.seal()?;
        live.attach_compiled(program)?;
        let mut old = std::mem::replace(&mut session.live, live);
        // Dropped at the end, so that the memory is free only after the old handle is closed.
        let old_ring = std::mem::replace(&mut session.ring, ring);
        let recorded = std::mem::take(&mut session.recorded);
        let read = self.read_both(&mut old, session);
        let counted = old.statistics()?;
        self.add_counted(session, counted.since(recorded));
        session.live.continue_drops_of(&old);
        drop(old);
        let (from, to) = (old_ring.bytes() >> 10, session.ring.bytes() >> 10);
        tracing::debug!(interface = self.interface, from, to, "capture ring made smaller (KiB)");
        read
    }

    /// Counts the frames left in the sealed handle `old`, as [`Live::finish`] does, and those of the new one
    /// meanwhile.
    fn read_both(&mut self, old: &mut Live, session: &mut Session) -> Result<(), Error> {
        let deadline = Instant::now() + 2 * self.config.read_timeout;
        let mut read = Ok(());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Session { live, decoder, plan, .. } = &mut *session;
            let exchange = &mut self.exchange;
            let mut count = |frame: crate::packet::Frame<'_>| {
                take_frame(decoder, plan.origins.as_deref(), &frame, exchange);
            };
            if old.poll(left.min(SLICE), &mut count).is_err() {
                thread::sleep(left.min(SLICE));
            }
            // The old handle is read to its end even if the new one fails.
            if read.is_ok() {
                read = live.poll(Duration::ZERO, &mut count).map(drop).map_err(Error::from);
            }
            if left.is_zero() {
                return read;
            }
            if exchange.filling().is_nearly_full() && exchange.has_empty() {
                exchange.hand_over();
            }
        }
    }
}
