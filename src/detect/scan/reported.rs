//! What was reported of an established conversation of late: most rows are of one of which there is nothing new to say.

use crate::detect::LastReport;

/// The activity of a conversation that was reported in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reported {
    /// Nothing.
    Nothing,
    /// The server answers.
    Answer,
    /// Both sides go on.
    Exchange,
}

/// The bits that hold the activity, below those of the period; 0 for nothing.
const KIND: u32 = 3;
const ANSWER: u32 = 1;
const EXCHANGE: u32 = 2;

/// A note holds what was reported last, and in which period. To report the same again must not matter: of two periods
/// that take turns, as where threads are not in step, each is new again.
impl Reported {
    /// The activity that was reported in `period`.
    #[inline]
    pub(super) const fn of(note: LastReport, period: i64) -> Self {
        match note.0.wrapping_sub(bits_of(period)) {
            ANSWER => Self::Answer,
            EXCHANGE => Self::Exchange,
            _ => Self::Nothing,
        }
    }

    /// Notes that the server answers, or that both sides go on.
    #[inline]
    pub(super) const fn keep(note: &mut LastReport, period: i64, goes_on: bool) {
        note.0 = bits_of(period) | if goes_on { EXCHANGE } else { ANSWER };
    }

    /// Forgets what was reported in `period`, or in the next one by a thread that is ahead.
    #[inline]
    pub(super) const fn forget(note: &mut LastReport, period: i64) {
        let noted = note.0 & !KIND;
        if noted == bits_of(period) || noted == bits_of(period.wrapping_add(1)) {
            *note = LastReport(0);
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
        let mut note = LastReport::default();
        for period in [-3, 0, 1, i64::from(u32::MAX) + 5] {
            assert_eq!(Reported::of(note, period), Reported::Nothing);
            for (goes_on, heard) in [(false, Reported::Answer), (true, Reported::Exchange), (false, Reported::Answer)] {
                Reported::keep(&mut note, period, goes_on);
                assert_eq!(Reported::of(note, period), heard);
                assert_eq!([period - 1, period + 1].map(|other| Reported::of(note, other)), [Reported::Nothing; 2]);
            }
        }
    }

    #[test]
    fn a_beginning_forgets_its_own_period_and_the_next() {
        let held = |noted: i64, begun: i64| {
            let mut note = LastReport::default();
            Reported::keep(&mut note, noted, true);
            Reported::forget(&mut note, begun);
            Reported::of(note, noted) == Reported::Exchange
        };
        assert_eq!([6, 7, 8, 9].map(|noted| held(noted, 7)), [true, false, false, true]);
    }
}
