//! The period in which a conversation last reported that its ends exchange data: most rows have nothing newer to report.
//!
//! Takes and gives the last report, one word in the notes of a conversation. Must not know what is done with a report.

use crate::detect::LastReport;

/// Set in a report; without it nothing was reported.
const EXCHANGED: u32 = 1;

/// True if an exchange was reported in `period`.
#[inline]
pub(super) const fn is_reported(report: LastReport, period: i64) -> bool {
    report.0 == of(period)
}

/// Notes that an exchange is reported. Two periods may alternate, as of two threads: to report again is harmless.
#[inline]
pub(super) const fn keep(report: &mut LastReport, period: i64) {
    report.0 = of(period);
}

/// Forgets what was reported in `period`, or in the next one by a thread that is ahead.
#[inline]
pub(super) const fn forget(report: &mut LastReport, period: i64) {
    if is_reported(*report, period) || is_reported(*report, period.wrapping_add(1)) {
        *report = LastReport(0);
    }
}

/// The report of a period: the next one with the same is 2^31 periods later.
const fn of(period: i64) -> u32 {
    (period as u32) << 1 | EXCHANGED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_report_counts_in_its_period_alone() {
        let mut report = LastReport::default();
        for period in [-3, 0, 1, i64::from(u32::MAX) + 5] {
            assert!(!is_reported(report, period));
            keep(&mut report, period);
            assert!(is_reported(report, period));
            assert!(![period - 1, period + 1].into_iter().any(|other| is_reported(report, other)));
        }
    }

    #[test]
    fn a_beginning_forgets_its_own_period_and_the_next() {
        let holds = |noted: i64, begun: i64| {
            let mut report = LastReport::default();
            keep(&mut report, noted);
            forget(&mut report, begun);
            is_reported(report, noted)
        };
        assert_eq!([6, 7, 8, 9].map(|noted| holds(noted, 7)), [true, false, false, true]);
    }
}
