//! The memory of the capture rings. Takes the number of handles; gives the size of a ring, and keeps the sum of all
//! rings below a limit. Must not know the handles themselves.
//!
//! With `all`, the size of a ring falls as interfaces come: from the configured size to powers of two below it. Such
//! steps make the other handles change their rings only a few times. The memory of one ring always stays free, because
//! a handle and its replacement with a smaller ring exist at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{self, Selection};
use crate::export::vitals::Vitals;

/// The fewest bytes of a ring: four of libpcap's blocks, about 4,000 small packets.
const SMALLEST_RING_BYTES: u32 = 1 << 20;

/// The size of each ring if `handles` handles are open.
pub(super) fn ring_bytes(config: &capture::Config, handles: usize) -> u32 {
    let wanted = config.buffer_bytes;
    if config.selection != Selection::All || fits(config, wanted, handles) {
        return wanted;
    }
    let most = u32::try_from(config.all_rings_bytes / (handles as u64 + 1)).unwrap_or(u32::MAX);
    let step = most.checked_ilog2().map_or(0, |step| 1 << step);
    wanted.min(step.max(SMALLEST_RING_BYTES))
}

/// True if each of `handles` handles can have a ring of `bytes` bytes, and the memory of one more stays free.
pub(super) fn fits(config: &capture::Config, bytes: u32, handles: usize) -> bool {
    handles <= config.most_handles && u64::from(bytes).saturating_mul(handles as u64 + 1) <= config.all_rings_bytes
}

/// The notice for the user if rings are smaller than configured.
pub(super) fn notice(config: &capture::Config, handles: usize) -> Option<String> {
    let bytes = ring_bytes(config, handles);
    (bytes < config.buffer_bytes).then(|| {
        format!(
            "{handles} interfaces share {} MiB of ring memory, {} KiB each; name fewer interfaces (-iface) for larger rings",
            config.all_rings_bytes >> 20,
            bytes >> 10
        )
    })
}

/// The memory that is reserved for all open rings.
#[derive(Debug)]
pub(super) struct Rings {
    /// The most bytes; none unless `all` interfaces are captured, because the user has then chosen their number.
    limit: Option<u64>,
    /// The most rings, replacements aside.
    most_handles: usize,
    reserved: Mutex<Reserved>,
    pub vitals: Vitals,
}

impl Rings {
    pub(super) fn new(config: &capture::Config, vitals: Vitals) -> Arc<Self> {
        let is_all = config.selection == Selection::All;
        let limit = is_all.then_some(config.all_rings_bytes);
        let most_handles = if is_all { config.most_handles } else { usize::MAX };
        Arc::new(Self { limit, most_handles, reserved: Mutex::default(), vitals })
    }

    /// Reserves `bytes` for the ring of a new handle. None if not as much would stay free for a replacement.
    pub(super) fn reserve(self: &Arc<Self>, bytes: u32) -> Option<Ring> {
        self.take(bytes, bytes, self.most_handles)
    }

    /// Reserves `bytes` for a ring that replaces a larger one.
    pub(super) fn reserve_replacement(self: &Arc<Self>, bytes: u32) -> Option<Ring> {
        self.take(bytes, 0, usize::MAX)
    }

    fn take(self: &Arc<Self>, bytes: u32, free: u32, most_handles: usize) -> Option<Ring> {
        let mut reserved = self.reserved();
        let taken = reserved.bytes + u64::from(bytes);
        let is_over = self.limit.is_some_and(|limit| taken + u64::from(free) > limit);
        if is_over || reserved.rings >= most_handles {
            return None;
        }
        *reserved = Reserved { bytes: taken, rings: reserved.rings + 1 };
        self.vitals.set_ring_bytes(taken);
        Some(Ring { rings: Arc::clone(self), bytes })
    }

    /// Locked for an addition, and only where a handle is opened or closed.
    fn reserved(&self) -> MutexGuard<'_, Reserved> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All open rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reserved {
    bytes: u64,
    rings: usize,
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
        reserved.bytes -= u64::from(self.bytes);
        reserved.rings -= 1;
        self.rings.vitals.set_ring_bytes(reserved.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u32 = 1 << 20;

    fn all() -> capture::Config {
        capture::Config::default()
    }

    fn rings(config: &capture::Config) -> Arc<Rings> {
        Rings::new(config, Vitals::new().unwrap())
    }

    #[test]
    fn shares_shrink_in_steps_and_their_sum_leaves_one_free() {
        let shares = [1, 15, 16, 31, 32, 63, 64, 127, 255, 511].map(|handles| ring_bytes(&all(), handles) / MEBIBYTE);
        assert_eq!(shares, [32, 32, 16, 16, 8, 8, 4, 4, 2, 1]);
        assert!((1..=511).all(|handles| fits(&all(), ring_bytes(&all(), handles), handles)));
        assert!(!fits(&all(), ring_bytes(&all(), 512), 512), "at the least there is no room for more");
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
        let rings = rings(&all());
        let mut open: Vec<Ring> = std::iter::from_fn(|| rings.reserve(32 * MEBIBYTE)).collect();
        assert_eq!(open.len(), 15);
        let replacement = rings.reserve_replacement(16 * MEBIBYTE).unwrap();
        open.pop();
        assert_eq!(rings.reserved().bytes, u64::from(14 * 32 * MEBIBYTE + replacement.bytes()));
        drop((open, replacement));
        assert_eq!(rings.reserved().bytes, 0);
    }

    #[test]
    fn rings_of_named_interfaces_are_counted_and_never_refused() {
        let rings = rings(&capture::Config { selection: Selection::Named(Vec::new()), ..all() });
        let open: Vec<Ring> = (0..100).filter_map(|_| rings.reserve(32 * MEBIBYTE)).collect();
        assert_eq!(open.len(), 100);
        assert_eq!(rings.reserved().bytes, 100 << 25);
    }

    #[test]
    fn no_more_handles_are_opened_than_a_limit_on_memory_allows() {
        let config = capture::Config { most_handles: 2, all_rings_bytes: 8 << 20, ..all() };
        assert_eq!([1, 2, 3].map(|handles| ring_bytes(&config, handles) / MEBIBYTE), [4, 2, 2]);
        assert!(!fits(&config, MEBIBYTE, 3));
        let rings = rings(&config);
        let open: Vec<Ring> = std::iter::from_fn(|| rings.reserve(MEBIBYTE)).collect();
        assert_eq!(open.len(), 2);
        assert!(rings.reserve_replacement(MEBIBYTE).is_some());
    }

    /// Interfaces that come one by one, as the capture threads deal with them: each time all larger rings are replaced.
    #[test]
    fn sum_stays_bound_however_many_interfaces_come_one_by_one() {
        let rings = rings(&all());
        let mut open: Vec<Ring> = Vec::new();
        for handles in 1..=600 {
            let share = ring_bytes(&all(), handles);
            for ring in &mut open {
                if ring.bytes() > share {
                    *ring = rings.reserve_replacement(share).expect("one share is free");
                }
            }
            open.extend(rings.reserve(share));
            assert!(rings.reserved().bytes <= all().all_rings_bytes);
        }
        assert_eq!(open.len(), 511);
    }
}
