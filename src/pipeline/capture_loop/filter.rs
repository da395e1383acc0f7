//! The filter of an open handle. Takes a plan; gives the filter by it, and attaches it. Must not know when it changes.

use std::sync::Arc;

use super::CaptureLoop;
use crate::capture;
use crate::capture::filter::UserFilter;
use crate::capture::live::{FilterProgram, Live};
use crate::pipeline::control::Plan;

/// A filter of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttachedFilter {
    /// The program's own part, which leaves copies out; none if there are none.
    pub own: Option<String>,
    pub user: Option<Arc<UserFilter>>,
}

impl AttachedFilter {
    pub(super) fn attach(&self, live: &mut Live) -> Result<(), capture::Error> {
        live.attach(self.own.as_deref(), self.user.as_deref())
    }

    pub(super) fn compile(&self, live: &Live) -> Result<FilterProgram, capture::Error> {
        live.compile(self.own.as_deref(), self.user.as_deref())
    }
}

impl CaptureLoop {
    /// The filter that the handle has to have by a plan.
    pub(super) fn filter(&self, plan: &Plan) -> AttachedFilter {
        AttachedFilter { own: plan.filters.get(&self.interface).cloned().flatten(), user: plan.user_filter.clone() }
    }
}
