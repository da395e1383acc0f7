//! Filters of a clsact qdisc, for kernels without TCX. Takes an interface and the program; gives filters that end with
//! their value. Must not know links.
//!
//! After SIGKILL they stay behind; the next start removes them (`leftovers`).

use std::io;
use std::os::fd::BorrowedFd;

use crate::kernel::leftovers;
use crate::os::namespace_lock::{LockFailure, NamespaceLock};
use crate::os::traffic_control::{ClsactHook, TcFilter, add_clsact, add_filter, filters, remove_filter};

/// The filters on one interface, until this value is dropped.
#[derive(Debug)]
pub(super) struct ClsactFilters {
    interface: u32,
    added: Vec<(ClsactHook, TcFilter)>,
    is_qdisc_own: bool,
    lock: NamespaceLock,
}

/// The reason why there are no filters.
#[derive(Debug)]
pub(super) enum ClsactFailure {
    /// Another process of this program has filters there: its number, if it is known.
    Held(Option<u32>),
    Refused(io::Error),
}

impl From<io::Error> for ClsactFailure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

impl ClsactFilters {
    pub(super) fn add(
        interface: u32,
        name: &str,
        programs: &[(ClsactHook, BorrowedFd<'_>)],
    ) -> Result<Self, ClsactFailure> {
        let lock = leftovers::lock_patiently(interface).map_err(|failure| match failure {
            LockFailure::Held(process) => ClsactFailure::Held(process),
            LockFailure::Refused(error) => ClsactFailure::Refused(error),
        })?;
        let was_own = leftovers::remove_locked(interface, name)?;
        let is_qdisc_own = add_clsact(interface)? || was_own;
        let mut filters = Self { interface, added: Vec::new(), is_qdisc_own, lock };
        for &(hook, program) in programs {
            let mark = (leftovers::program(hook), leftovers::handle(is_qdisc_own));
            filters.added.push((hook, add_filter(interface, hook, mark, program)?));
        }
        Ok(filters)
    }

    /// True if all filters are where they were added.
    pub(super) fn are_whole(&self) -> io::Result<bool> {
        self.lock.forget_askers();
        for (hook, filter) in &self.added {
            if !filters(self.interface, *hook)?.contains(filter) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for ClsactFilters {
    fn drop(&mut self) {
        let remove = |(hook, filter): &(ClsactHook, TcFilter)| remove_filter(self.interface, *hook, filter);
        let removed = self.added.iter().map(remove).filter(Result::is_ok).count();
        // Without any of its filters the qdisc may be one that another program made meanwhile.
        if self.is_qdisc_own
            && (removed > 0 || self.added.is_empty())
            && let Err(error) = leftovers::remove_empty_qdisc(self.interface)
        {
            tracing::debug!(%error, "the clsact qdisc is gone already");
        }
    }
}
