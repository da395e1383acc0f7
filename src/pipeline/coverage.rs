//! How much of what an interface counts is captured, as far as the two can be compared.

use crate::account::snapshot::Coverage;
use crate::capture::live::Statistics;
use crate::capture::nic;

/// The comparison of one open handle.
pub(super) struct Comparison {
    /// What the interface had counted when it was last asked; none once it cannot be compared, for as long as the handle
    /// is open.
    on_interface: Option<u64>,
}

impl Comparison {
    /// From here on, when a handle that lets everything in is all there is; else there is nothing to compare.
    pub(super) fn start(interface: &str, takes_all: bool) -> Self {
        let is_comparable = takes_all && nic::counts_frames(interface);
        Self { on_interface: is_comparable.then(|| nic::packets(interface)).flatten() }
    }

    /// The handle is being closed.
    pub(super) fn end(&mut self) {
        self.on_interface = None;
    }

    /// What both counted since it was last asked. `holds`: the handle still lets everything in, and the interface is up.
    pub(super) fn next(&mut self, interface: &str, since: Statistics, holds: bool) -> Coverage {
        let holds = holds && self.on_interface.is_some() && nic::counts_frames(interface);
        let now = if holds { nic::packets(interface) } else { None };
        let before = std::mem::replace(&mut self.on_interface, now);
        let (Some(before), Some(now)) = (before, now) else { return Coverage::default() };
        Coverage { is_comparable: true, delivered: since.delivered(), on_interface: now.wrapping_sub(before) }
    }
}
