//! Who is not held and wants to be: bytes by a hash of the subject, so that one look-up tells whether it has weight.

/// How many counters there are. Even 1,000 subjects that share one weigh little.
const SLOTS: usize = 8_192;

/// Counters of bytes. Subjects that share one are let in earlier, never later.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    slots: Vec<u32>,
}

impl Newcomers {
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
    }

    /// Whether what was counted under this hash, with these bytes, has reached `enough`; it is then counted anew.
    #[inline]
    pub(super) fn weigh(&mut self, hash: u64, bytes: u64, enough: u64) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let slot = &mut self.slots[hash as usize % SLOTS];
        let counted = u64::from(*slot).saturating_add(bytes);
        let has_weight = counted >= enough.min(u64::from(u32::MAX));
        *slot = if has_weight { 0 } else { u32::try_from(counted).unwrap_or(u32::MAX) };
        has_weight
    }
}
