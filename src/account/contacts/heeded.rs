//! Which established conversations were heeded of late, as far as a small table tells: most rows are of one that was.

/// Sets of conversations, a power of two, and how many are held in each: 16 bytes, which lie in one cache line.
const SETS: usize = 16_384;
const EACH: usize = 4;

/// What was heeded of a conversation in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// That its server answers.
    Answer,
    /// That both sides go on.
    Exchange,
}

/// Conversations by hash; in a set, a later one takes the place of the earliest. To heed one again must not matter.
#[derive(Debug)]
pub struct Heeded {
    /// The latest first: tag and period, mixed, and what was heard; 0 for none.
    sets: Vec<[u32; EACH]>,
}

impl Default for Heeded {
    fn default() -> Self {
        Self { sets: vec![[0; EACH]; SETS] }
    }
}

impl Heeded {
    /// What was heeded in `period` of the conversation with this hash.
    #[must_use]
    #[inline]
    pub fn heard(&self, hash: u64, period: i64) -> Heard {
        let tag = tag(hash, period);
        let held = self.sets[hash as usize % SETS].iter().find(|place| is_of(**place, tag));
        match held.map_or(0, |place| place & KIND) {
            ANSWER => Heard::Answer,
            EXCHANGE => Heard::Exchange,
            _ => Heard::Nothing,
        }
    }

    /// Notes that its server answers, or that both sides go on.
    #[inline]
    pub fn note(&mut self, hash: u64, period: i64, goes_on: bool) {
        let tag = tag(hash, period);
        let note = tag | if goes_on { EXCHANGE } else { ANSWER };
        let set = &mut self.sets[hash as usize % SETS];
        match set.iter_mut().find(|place| is_of(**place, tag)) {
            Some(place) => *place = note,
            None => *set = [note, set[0], set[1], set[2]],
        }
    }

    /// Forgets what was heard in `period`, or in the next one by a thread that is ahead.
    #[inline]
    pub fn forget(&mut self, hash: u64, period: i64) {
        let tags = [tag(hash, period), tag(hash, period.wrapping_add(1))];
        let set = &mut self.sets[hash as usize % SETS];
        set.iter_mut().filter(|place| tags.iter().any(|tag| is_of(**place, *tag))).for_each(|place| *place = 0);
    }

    /// The memory that the table takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.sets.capacity() * size_of::<[u32; EACH]>()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.fill([0; EACH]);
    }
}

/// The bits that say what was heard; a place without any is free.
const KIND: u32 = 3;
const ANSWER: u32 = 1;
const EXCHANGE: u32 = 2;

/// Whether a place holds a note with this tag.
#[inline]
const fn is_of(place: u32, tag: u32) -> bool {
    place & !KIND == tag && place & KIND != 0
}

/// What tells a conversation in a period from another, and from itself in another period.
fn tag(hash: u64, period: i64) -> u32 {
    let mixed = ((hash >> 32) as u32).wrapping_add((period as u32).wrapping_mul(0x9e37_79b9));
    mixed & !KIND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes() -> impl Iterator<Item = u64> {
        (0..1_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[test]
    fn what_was_noted_last_is_heard_in_its_period_alone() {
        let mut heeded = Heeded::default();
        for (hash, period) in hashes().zip([-3, 0, 1, i64::from(u32::MAX) + 5].into_iter().cycle()) {
            assert_eq!(heeded.heard(hash, period), Heard::Nothing);
            for (goes_on, heard) in [(false, Heard::Answer), (true, Heard::Exchange), (false, Heard::Answer)] {
                heeded.note(hash, period, goes_on);
                assert_eq!(heeded.heard(hash, period), heard);
                assert_eq!(heeded.heard(hash, period + 1), Heard::Nothing);
                assert_eq!(heeded.heard(hash ^ 1 << 40, period), Heard::Nothing);
            }
        }
        heeded.clear();
        assert!(hashes().all(|hash| heeded.heard(hash, 0) == Heard::Nothing));
    }

    #[test]
    fn the_latest_of_a_set_are_held_and_what_is_forgotten_alone_is_gone() {
        let mut heeded = Heeded::default();
        let hash = |number: u64| number << 40 | 5;
        (0..5).for_each(|number| heeded.note(hash(number), 7, true));
        let held =
            |heeded: &Heeded| (0..5).map(|number| heeded.heard(hash(number), 7) == Heard::Exchange).collect::<Vec<_>>();
        assert_eq!(held(&heeded), [false, true, true, true, true]);
        // In the period before, of which a late row begins it anew.
        heeded.forget(hash(2), 6);
        heeded.forget(hash(3), 7);
        heeded.forget(hash(4), 8);
        assert_eq!(held(&heeded), [false, true, false, false, true]);
    }
}
