//! The memory of the capture rings. Takes the number of handles; gives each its share, and holds the sum of all rings under
//! a bound.
//!
//! The shares are whole steps (the configured size, then powers of two), so that interfaces which come one by one make
//! the others open smaller rings a few times only. One share always stays free: a handle is replaced by one with a
//! smaller ring while it still captures, and for that both have to be in memory. Must not know the handles themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{self, Selection};
use crate::export::vitals::Vitals;

/// Most bytes for the kernel's rings of all captured interfaces together with `all`, and the least that each gets:
/// four blocks of libpcap's, about 4,000 small packets.
const ALL_RINGS_BYTES: u64 = 512 << 20;
const SMALLEST_RING_BYTES: u32 = 1 << 20;

/// The size of each ring where so many `handles` are open.
pub(super) fn share(config: &capture::Config, handles: usize) -> u32 {
    let wanted = config.buffer_bytes;
    if config.selection != Selection::All || fits(wanted, handles) {
        return wanted;
    }
    let share = u32::try_from(ALL_RINGS_BYTES / (handles as u64 + 1)).unwrap_or(u32::MAX);
    let step = share.checked_ilog2().map_or(0, |step| 1 << step);
    wanted.min(step.max(SMALLEST_RING_BYTES))
}

/// True if so many handles can all have a ring of `share` bytes, with one share free.
pub(super) fn fits(share: u32, handles: usize) -> bool {
    u64::from(share).saturating_mul(handles as u64 + 1) <= ALL_RINGS_BYTES
}

/// The notice where interfaces get smaller rings than configured.
pub(super) fn notice(config: &capture::Config, handles: usize) -> Option<String> {
    let share = share(config, handles);
    (share < config.buffer_bytes).then(|| {
        format!(
            "{handles} interfaces share {} MiB of ring memory, {} KiB each; name fewer interfaces (-iface) for larger rings",
            ALL_RINGS_BYTES >> 20,
            share >> 10
        )
    })
}

/// The memory of all rings that are open.
#[derive(Debug)]
pub(super) struct Rings {
    /// None where the interfaces are named: the user has chosen how many there are.
    limit: Option<u64>,
    held: Mutex<u64>,
    pub vitals: Vitals,
}

impl Rings {
    pub(super) fn new(selection: &Selection, vitals: Vitals) -> Arc<Self> {
        let limit = (*selection == Selection::All).then_some(ALL_RINGS_BYTES);
        Arc::new(Self { limit, held: Mutex::default(), vitals })
    }

    /// Memory for the ring of a new handle; leaves as much free for replacements. None if there is not so much.
    pub(super) fn reserve(self: &Arc<Self>, bytes: u32) -> Option<Ring> {
        self.take(bytes, bytes)
    }

    /// Memory for a ring that takes the place of a larger one.
    pub(super) fn reserve_replacement(self: &Arc<Self>, bytes: u32) -> Option<Ring> {
        self.take(bytes, 0)
    }

    fn take(self: &Arc<Self>, bytes: u32, free: u32) -> Option<Ring> {
        let mut held = self.held();
        let taken = *held + u64::from(bytes);
        if self.limit.is_some_and(|limit| taken + u64::from(free) > limit) {
            return None;
        }
        *held = taken;
        self.vitals.set_ring_bytes(taken);
        Some(Ring { rings: Arc::clone(self), bytes })
    }

    /// Locked for an addition, and only where a handle is opened or closed.
    fn held(&self) -> MutexGuard<'_, u64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory of one ring, given back when it is dropped: after the handle is closed.
#[derive(Debug)]
pub(super) struct Ring {
    rings: Arc<Rings>,
    bytes: u32,
}

impl Ring {
    pub(super) fn bytes(&self) -> u32 {
        self.bytes
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let mut held = self.rings.held();
        *held -= u64::from(self.bytes);
        self.rings.vitals.set_ring_bytes(*held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u32 = 1 << 20;

    fn all() -> capture::Config {
        capture::Config::default()
    }

    fn rings(selection: &Selection) -> Arc<Rings> {
        Rings::new(selection, Vitals::new().unwrap())
    }

    #[test]
    fn shares_shrink_in_steps_and_their_sum_leaves_one_free() {
        let shares = [1, 15, 16, 31, 32, 63, 64, 127, 255, 511].map(|handles| share(&all(), handles) / MEBIBYTE);
        assert_eq!(shares, [32, 32, 16, 16, 8, 8, 4, 4, 2, 1]);
        assert!((1..=511).all(|handles| fits(share(&all(), handles), handles)));
        assert!(!fits(share(&all(), 512), 512), "at the least there is no room for more");
    }

    #[test]
    fn configured_size_is_kept_where_it_fits_or_interfaces_are_named() {
        let of = |config: &capture::Config, handles| share(config, handles);
        let small = capture::Config { buffer_bytes: 65_536, ..all() };
        assert_eq!([1, 1_000, 100_000].map(|handles| of(&small, handles)), [65_536; 3]);
        let named = capture::Config { selection: Selection::Named(Vec::new()), ..all() };
        assert_eq!(of(&named, 1_000), 32 * MEBIBYTE);
        assert_eq!((notice(&all(), 15), notice(&named, 1_000)), (None, None));
        assert!(notice(&all(), 100).unwrap().starts_with("100 interfaces share 512 MiB of ring memory, 4096 KiB each"));
    }

    #[test]
    fn new_rings_leave_one_free_that_a_replacement_may_take() {
        let rings = rings(&Selection::All);
        let mut open: Vec<Ring> = std::iter::from_fn(|| rings.reserve(32 * MEBIBYTE)).collect();
        assert_eq!(open.len(), 15);
        let replacement = rings.reserve_replacement(16 * MEBIBYTE).unwrap();
        open.pop();
        assert_eq!(*rings.held(), u64::from(14 * 32 * MEBIBYTE + replacement.bytes()));
        drop((open, replacement));
        assert_eq!(*rings.held(), 0);
    }

    #[test]
    fn rings_of_named_interfaces_are_counted_and_never_refused() {
        let rings = rings(&Selection::Named(Vec::new()));
        let open: Vec<Ring> = (0..100).filter_map(|_| rings.reserve(32 * MEBIBYTE)).collect();
        assert_eq!(open.len(), 100);
        assert_eq!(*rings.held(), 100 << 25);
    }

    /// Interfaces that come one by one, as the capture threads deal with them: each time all larger rings are replaced.
    #[test]
    fn sum_stays_bound_however_many_interfaces_come_one_by_one() {
        let rings = rings(&Selection::All);
        let mut open: Vec<Ring> = Vec::new();
        for handles in 1..=600 {
            let share = share(&all(), handles);
            for ring in &mut open {
                if ring.bytes() > share {
                    *ring = rings.reserve_replacement(share).expect("one share is free");
                }
            }
            open.extend(rings.reserve(share));
            assert!(*rings.held() <= ALL_RINGS_BYTES);
        }
        assert_eq!(open.len(), 511);
    }
}
