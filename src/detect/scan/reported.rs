//! The activity of a conversation that was reported last: most rows are of a conversation that has nothing new to report.
//!
//! Takes and gives the last report, one word in the notes of a conversation. Must not know what is done with a report.

use crate::detect::LastReport;

/// The activity of a conversation that was reported in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reported {
    /// Nothing.
    Nothing,
    /// The server answers.
    Answer,
    /// Both sides continue.
    Exchange,
}

/// The bits that hold the activity, below those of the period; 0 for nothing.
const KIND: u32 = 3;
const ANSWER: u32 = 1;
const EXCHANGE: u32 = 2;

/// The last report is an activity and its period. Two periods may alternate, as of two threads: to report again is
/// harmless.
impl Reported {
    /// The activity that was reported in `period`.
    #[inline]
    pub(super) const fn of(report: LastReport, period: i64) -> Self {
        match report.0.wrapping_sub(bits_of(period)) {
            ANSWER => Self::Answer,
            EXCHANGE => Self::Exchange,
            _ => Self::Nothing,
        }
    }

    /// Notes that the server answers, or that both sides continue.
    #[inline]
    pub(super) const fn keep(report: &mut LastReport, period: i64, continues: bool) {
        report.0 = bits_of(period) | if continues { EXCHANGE } else { ANSWER };
    }

    /// Forgets what was reported in `period`, or in the next one by a thread that is ahead.
    #[inline]
    pub(super) const fn forget(report: &mut LastReport, period: i64) {
        let noted = report.0 & !KIND;
        if noted == bits_of(period) || noted == bits_of(period.wrapping_add(1)) {
            *report = LastReport(0);
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
    fn last_report_counts_in_its_period_alone() {
        let mut report = LastReport::default();
        for period in [-3, 0, 1, i64::from(u32::MAX) + 5] {
            assert_eq!(Reported::of(report, period), Reported::Nothing);
            for (continues, expected) in
                [(false, Reported::Answer), (true, Reported::Exchange), (false, Reported::Answer)]
            {
                Reported::keep(&mut report, period, continues);
                assert_eq!(Reported::of(report, period), expected);
                assert_eq!([period - 1, period + 1].map(|other| Reported::of(report, other)), [Reported::Nothing; 2]);
            }
        }
    }

    #[test]
    fn a_beginning_forgets_its_own_period_and_the_next() {
        let held = |noted: i64, begun: i64| {
            let mut report = LastReport::default();
            Reported::keep(&mut report, noted, true);
            Reported::forget(&mut report, begun);
            Reported::of(report, noted) == Reported::Exchange
        };
        assert_eq!([6, 7, 8, 9].map(|noted| held(noted, 7)), [true, false, false, true]);
    }
}
