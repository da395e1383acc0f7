//! The capture loop follows the plan: the name of its interface, the filter, the local networks and the policy. Takes a
//! plan; changes the open handle and the interval. Must not know why the plan has changed.

use std::sync::Arc;

use super::filter::AttachedFilter;
use super::{CaptureLoop, Session};
use crate::pipeline::Error;
use crate::pipeline::control::Plan;
use crate::pipeline::coverage::Comparison;

impl CaptureLoop {
    /// True if the plan's name belongs to another interface than the open one.
    pub(super) fn is_another(&self, session: &Session) -> bool {
        let plan = self.control.plan();
        let now = plan.captures.get(&self.number).and_then(|name| plan.indexes.get(name));
        now.is_some() && now != session.index.as_ref()
    }

    /// Continues under the name that the interface has in `plan`. The handle stays open, so a rename loses and doubles
    /// no frame: frames that were read before count under the old name, all others under the new one.
    fn follow_name(&mut self, session: &mut Session, plan: &Plan) -> Result<(), Error> {
        let Some(name) = plan.captures.get(&self.number).filter(|name| **name != self.interface) else { return Ok(()) };
        self.record(session)?;
        tracing::info!(interface = self.interface, name, "the interface has another name now; capturing goes on");
        self.exchange.rename(name);
        self.interface.clone_from(name);
        self.record_packets(session);
        session.comparison = Comparison::start(&self.interface, self.coverage_obstacle(plan));
        Ok(())
    }

    /// Counts by the local networks of `plan` from the next packet on. Its policy judges whole intervals.
    pub(super) fn count_by(&mut self, plan: &Plan) {
        self.exchange.classify_by(&plan.classifier);
        self.exchange.judge_by(plan.policy.as_ref());
        self.exchange.follow_grids(&plan.grids);
    }

    /// Attaches a filter, unless it is the present one. If the user's part is new and refused, capturing goes on with the
    /// present filter, and the reload is refused.
    fn follow_filter(&self, session: &mut Session, filter: AttachedFilter) -> Result<(), Error> {
        if filter == session.attached {
            return Ok(());
        }
        // Frames that were captured before count, although the new filter may exclude them.
        match filter.attach(&mut session.live) {
            Ok(()) => {
                let own = filter.own.as_deref().unwrap_or_default();
                tracing::debug!(interface = self.interface, filter = own, "filter updated");
                session.attached = filter;
            }
            Err(error) if filter.user != session.attached.user => self.control.note_refusal(error.into()),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Follows a new plan: the name, the filter, the local networks and the policy.
    pub(super) fn follow(&mut self, session: &mut Session) -> Result<(), Error> {
        let plan = self.control.plan();
        if Arc::ptr_eq(&plan, &session.plan) {
            return Ok(());
        }
        self.control.forget_open(&self.interface, self.worker);
        self.follow_name(session, &plan)?;
        self.control.record_open(&self.interface, self.worker, session.live.link_type());
        if plan.filters.contains_key(&self.interface) {
            self.follow_filter(session, self.filter(&plan))?;
        }
        if session.plan.user_filter != plan.user_filter {
            self.record(session)?;
            session.comparison = Comparison::start(&self.interface, self.coverage_obstacle(&plan));
        }
        self.count_by(&plan);
        tracing::debug!(interface = self.interface, "local networks updated");
        session.plan = plan;
        Ok(())
    }
}
