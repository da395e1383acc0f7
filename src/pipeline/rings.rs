//! The memory of the capture rings. Takes the number of handles; gives the size of a ring, and keeps the sum of all
//! rings below a limit. Must not know the handles themselves.
//!
//! With `all`, the size of a ring falls as interfaces come: from the configured size to powers of two below it. Such
//! steps make the other handles change their rings only a few times. The memory of one ring always stays free, because
//! a handle and its replacement with a smaller ring exist at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{self, Selection};
use crate::export::vitals::Vitals;

/// The most bytes of all rings together, with `all`.
const ALL_RINGS_BYTES: u64 = 512 << 20;
/// The fewest bytes of a ring: four of libpcap's blocks, about 4,000 small packets.
const SMALLEST_RING_BYTES: u32 = 1 << 20;

/// The size of each ring if `handles` handles are open.
pub(super) fn ring_bytes(config: &capture::Config, handles: usize) -> u32 {
    let wanted = config.buffer_bytes;
    if config.selection != Selection::All || fits(wanted, handles) {
        return wanted;
    }
    let most = u32::try_from(ALL_RINGS_BYTES / (handles as u64 + 1)).unwrap_or(u32::MAX);
    let step = most.checked_ilog2().map_or(0, |step| 1 << step);
    wanted.min(step.max(SMALLEST_RING_BYTES))
}

/// True if each of `handles` handles can have a ring of `bytes` bytes, and the memory of one more stays free.
pub(super) fn fits(bytes: u32, handles: usize) -> bool {
    u64::from(bytes).saturating_mul(handles as u64 + 1) <= ALL_RINGS_BYTES
}

/// The notice for the user if rings are smaller than configured.
pub(super) fn notice(config: &capture::Config, handles: usize) -> Option<String> {
    let bytes = ring_bytes(config, handles);
    (bytes < config.buffer_bytes).then(|| {
        format!(
            "{handles} interfaces share {} MiB of ring memory, {} KiB each; name fewer interfaces (-iface) for larger rings",
            ALL_RINGS_BYTES >> 20,
            bytes >> 10
        )
    })
}

/// The memory that is reserved for all open rings.
#[derive(Debug)]
pub(super) struct Rings {
    /// The most bytes; none unless `all` interfaces are captured, because the user has then chosen their number.
    limit: Option<u64>,
    /// Bytes.
    reserved: Mutex<u64>,
    pub vitals: Vitals,
}

impl Rings {
    pub(super) fn new(selection: &Selection, vitals: Vitals) -> Arc<Self> {
        let limit = (*selection == Selection::All).then_some(ALL_RINGS_BYTES);
        Arc::new(Self { limit, reserved: Mutex::default(), vitals })
    }

    /// Reserves `bytes` for the ring of a new handle. None if not as much would stay free for a replacement.
    pub(super) fn reserve(self: &Arc<Self>, bytes: u32) -> Option<Ring> {
        self.take(bytes, bytes)
    }

    /// Reserves `bytes` for a ring that replaces a larger one.
    pub(super) fn reserve_replacement(self: &Arc<Self>, bytes: u32) -> Option<Ring> {
        self.take(bytes, 0)
    }

    fn take(self: &Arc<Self>, bytes: u32, free: u32) -> Option<Ring> {
        let mut reserved = self.reserved();
        let taken = *reserved + u64::from(bytes);
        if self.limit.is_some_and(|limit| taken + u64::from(free) > limit) {
            return None;
        }
        *reserved = taken;
        self.vitals.set_ring_bytes(taken);
        Some(Ring { rings: Arc::clone(self), bytes })
    }

    /// Locked for an addition, and only where a handle is opened or closed.
    fn reserved(&self) -> MutexGuard<'_, u64> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut reserved = self.rings.reserved();
        *reserved -= u64::from(self.bytes);
        self.rings.vitals.set_ring_bytes(*reserved);
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
        let shares = [1, 15, 16, 31, 32, 63, 64, 127, 255, 511].map(|handles| ring_bytes(&all(), handles) / MEBIBYTE);
        assert_eq!(shares, [32, 32, 16, 16, 8, 8, 4, 4, 2, 1]);
        assert!((1..=511).all(|handles| fits(ring_bytes(&all(), handles), handles)));
        assert!(!fits(ring_bytes(&all(), 512), 512), "at the least there is no room for more");
    }

    #[test]
    fn configured_size_is_kept_where_it_fits_or_interfaces_are_named() {
        let of = |config: &capture::Config, handles| ring_bytes(config, handles);
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
        assert_eq!(*rings.reserved(), u64::from(14 * 32 * MEBIBYTE + replacement.bytes()));
        drop((open, replacement));
        assert_eq!(*rings.reserved(), 0);
    }

    #[test]
    fn rings_of_named_interfaces_are_counted_and_never_refused() {
        let rings = rings(&Selection::Named(Vec::new()));
        let open: Vec<Ring> = (0..100).filter_map(|_| rings.reserve(32 * MEBIBYTE)).collect();
        assert_eq!(open.len(), 100);
        assert_eq!(*rings.reserved(), 100 << 25);
    }

    /// Interfaces that come one by one, as the capture threads deal with them: each time all larger rings are replaced.
    #[test]
    fn sum_stays_bound_however_many_interfaces_come_one_by_one() {
        let rings = rings(&Selection::All);
        let mut open: Vec<Ring> = Vec::new();
        for handles in 1..=600 {
            let share = ring_bytes(&all(), handles);
            for ring in &mut open {
                if ring.bytes() > share {
                    *ring = rings.reserve_replacement(share).expect("one share is free");
                }
            }
            open.extend(rings.reserve(share));
            assert!(*rings.reserved() <= ALL_RINGS_BYTES);
        }
        assert_eq!(open.len(), 511);
    }
}
