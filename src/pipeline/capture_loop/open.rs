//! Opens the handle of an interface: reserves memory for its ring, checks that the interface is the planned one, and
//! attaches the filter. Takes the plan; gives a session. Must not know how frames are counted.

use std::thread;
use std::time::{Duration, Instant};

use super::super::Error;
use super::super::control::Plan;
use super::super::coverage::Comparison;
use super::super::rings::{self, Ring};
use super::resize::Resizing;
use super::{CHECK_INTERVAL, CaptureLoop, Session};
use crate::account::snapshot::CoverageObstacle;
use crate::capture::live::{Live, Statistics};
use crate::capture::savefile::link_type_name;
use crate::capture::{self, Selection};
use crate::decode::Decoder;

/// Longest time that a new handle waits until the others have replaced their rings by smaller ones.
const RING_PATIENCE: Duration = Duration::from_secs(5);

impl CaptureLoop {
    /// An open handle that receives packets, with its filter attached.
    pub(super) fn open(&self) -> Result<Session, Error> {
        let ring = self.reserve_ring()?;
        let mut live = self.open_handle(&ring)?;
        let decoder = Decoder::new(live.link_type()).map_err(|source| Error::LinkType {
            origin: self.interface.clone(),
            name: link_type_name(live.link_type()),
            source,
        })?;
        let mut membership = self.fanout.join(&mut live)?;
        let plan = self.control.plan();
        let index = live.index();
        self.check_identity(&plan, index)?;
        let attached = self.filter(&plan);
        attached.attach(&mut live)?;
        let comparison = Comparison::start(&self.interface, self.coverage_obstacle(&plan));
        membership.begin_capturing();
        let recorded = Statistics::default();
        let resizing = Resizing::default();
        Ok(Session { live, ring, membership, decoder, plan, attached, index, recorded, comparison, resizing })
    }

    /// A sealed handle whose ring has the size of `ring`.
    pub(super) fn open_handle(&self, ring: &Ring) -> Result<Live, capture::Error> {
        Live::open(&self.interface, &capture::Config { buffer_bytes: ring.bytes(), ..self.config.clone() })
    }

    /// Reserves memory for the ring. Waits while others still have larger rings than the plan gives them.
    fn reserve_ring(&self) -> Result<Ring, Error> {
        let deadline = Instant::now() + RING_PATIENCE;
        loop {
            let plan = self.control.plan();
            if let Some(ring) = self.rings.reserve(plan.ring_bytes) {
                return Ok(ring);
            }
            let may_wait = rings::fits(&self.config, plan.ring_bytes, plan.filters.len() * self.config.workers);
            if !may_wait || !self.is_wanted() || Instant::now() > deadline {
                return Err(Error::Rings);
            }
            thread::sleep(CHECK_INTERVAL);
        }
    }

    /// Refuses a handle on another interface than the plan means: another interface may have got the name since the
    /// plan. Its frames must not be credited to this one.
    fn check_identity(&self, plan: &Plan, opened: Option<u32>) -> Result<(), Error> {
        let is_renamed = plan.captures.get(&self.number) != Some(&self.interface);
        if is_renamed || plan.indexes.get(&self.interface).copied() != opened {
            let reason = "another interface has this name now".to_owned();
            return Err(capture::Error::Interface { name: self.interface.clone(), reason }.into());
        }
        Ok(())
    }

    /// The reason why not every frame of the interface comes to this handle; none if all do.
    pub(super) fn coverage_obstacle(&self, plan: &Plan) -> Option<CoverageObstacle> {
        let is_unfiltered = matches!(plan.filters.get(&self.interface), Some(None)) && plan.user_filter.is_none();
        let obstacles = [
            (self.config.selection == Selection::Any, CoverageObstacle::AllInterfaces),
            (!is_unfiltered, CoverageObstacle::Filter),
            (self.config.workers != 1, CoverageObstacle::Workers),
            (!plan.up.contains(&self.interface), CoverageObstacle::Down),
        ];
        obstacles.into_iter().find(|(is_there, _)| *is_there).map(|(_, obstacle)| obstacle)
    }
}
