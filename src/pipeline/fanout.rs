//! Several workers on one interface: their handles in one fan-out group of the kernel, each packet at one of them.
//! Takes handles; gives places in the group. Must not know frames.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture;
use crate::capture::live::Live;

#[derive(Debug)]
pub(super) struct Fanout {
    workers: usize,
    group: Mutex<Group>,
}

/// The kernel's group: it lasts as long as a handle is in it.
#[derive(Debug, Default)]
struct Group {
    number: Option<u16>,
    members: usize,
    /// Workers whose filter lets packets in.
    capturing: usize,
}

/// A worker's place in the group, for as long as its handle is open.
pub(super) struct Membership {
    fanout: Arc<Fanout>,
    is_capturing: bool,
}

impl Fanout {
    pub(super) fn new(workers: usize) -> Self {
        Self { workers, group: Mutex::default() }
    }

    /// True if all workers capture, so that no packet of the interface is missed.
    pub(super) fn is_whole(&self) -> bool {
        self.group().capturing == self.workers
    }

    /// Puts a sealed handle into the group; a single worker needs no group. Drop the membership after the handle: when
    /// the last member leaves, the next handle founds a new group, because the interface may be another one by then.
    pub(super) fn join(self: &Arc<Self>, live: &mut Live) -> Result<Membership, capture::Error> {
        let mut group = self.group();
        if self.workers > 1 {
            group.number = Some(live.join(group.number)?);
        }
        group.members += 1;
        Ok(Membership { fanout: Arc::clone(self), is_capturing: false })
    }

    /// Locked for a system call at most, and only where a handle is opened or closed.
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Notes that the handle receives packets from now on.
    pub(super) fn begin_capturing(&mut self) {
        self.fanout.group().capturing += usize::from(!self.is_capturing);
        self.is_capturing = true;
    }

    pub(super) fn end_capturing(&mut self) {
        self.fanout.group().capturing -= usize::from(self.is_capturing);
        self.is_capturing = false;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.end_capturing();
        let mut group = self.fanout.group();
        group.members -= 1;
        if group.members == 0 {
            group.number = None;
        }
    }
}
