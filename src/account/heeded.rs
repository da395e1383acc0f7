//! What was heeded of an established conversation of late: most rows are of one of which there is nothing new to say.

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

/// What was heeded last of a conversation, and in which period. To heed the same again must not matter: of two periods
/// that take turns, as where threads are not in step, each is new again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heeded(u32);

/// The bits that say what was heard, below those of the period; 0 for nothing.
const KIND: u32 = 3;
const ANSWER: u32 = 1;
const EXCHANGE: u32 = 2;

impl Heeded {
    /// What was heeded in `period`.
    #[must_use]
    #[inline]
    pub const fn heard(self, period: i64) -> Heard {
        match self.0.wrapping_sub(bits_of(period)) {
            ANSWER => Heard::Answer,
            EXCHANGE => Heard::Exchange,
            _ => Heard::Nothing,
        }
    }

    /// Notes that its server answers, or that both sides go on.
    #[inline]
    pub const fn note(&mut self, period: i64, goes_on: bool) {
        self.0 = bits_of(period) | if goes_on { EXCHANGE } else { ANSWER };
    }

    /// Forgets what was heard in `period`, or in the next one by a thread that is ahead.
    #[inline]
    pub const fn forget(&mut self, period: i64) {
        let noted = self.0 & !KIND;
        if noted == bits_of(period) || noted == bits_of(period.wrapping_add(1)) {
            *self = Self(0);
        }
    }
}

/// The low bits of a period: the next one with the same is 2^30 periods later.
const fn bits_of(period: i64) -> u32 {
    (period as u32).wrapping_mul(KIND + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_last_is_heard_in_its_period_alone() {
        let mut heeded = Heeded::default();
        for period in [-3, 0, 1, i64::from(u32::MAX) + 5] {
            assert_eq!(heeded.heard(period), Heard::Nothing);
            for (goes_on, heard) in [(false, Heard::Answer), (true, Heard::Exchange), (false, Heard::Answer)] {
                heeded.note(period, goes_on);
                assert_eq!(heeded.heard(period), heard);
                assert_eq!([period - 1, period + 1].map(|other| heeded.heard(other)), [Heard::Nothing; 2]);
            }
        }
    }

    #[test]
    fn a_beginning_forgets_its_own_period_and_the_next() {
        let held = |noted: i64, begun: i64| {
            let mut heeded = Heeded::default();
            heeded.note(noted, true);
            heeded.forget(begun);
            heeded.heard(noted) == Heard::Exchange
        };
        assert_eq!([6, 7, 8, 9].map(|noted| held(noted, 7)), [true, false, false, true]);
    }
}
