//! The clock, by which packets have their times. Takes nothing; gives findings. Must not set it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::finding::CheckFinding;
use crate::os::clock::is_synchronised;

const CLOCK: &str = "clock";

/// The beginning of 2024: a clock before it was never set.
const SANE: Duration = Duration::from_secs(1_704_067_200);

/// Findings about the time that the clock shows, and about the service that keeps it right.
pub(super) fn check() -> Vec<CheckFinding> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    vec![time(now), synchronisation(is_synchronised())]
}

fn time(now: Duration) -> CheckFinding {
    let shown = humantime::format_rfc3339_seconds(UNIX_EPOCH + now);
    if now < SANE {
        let text = format!("it shows {shown}, so it was never set; set it, or the times of alerts and logs are wrong");
        return CheckFinding::warning(CLOCK, text);
    }
    CheckFinding::ok(CLOCK, format!("it shows {shown}; packets have the kernel's times by this clock"))
}

fn synchronisation(is_synchronised: std::io::Result<bool>) -> CheckFinding {
    match is_synchronised {
        Ok(true) => CheckFinding::ok(CLOCK, "a time service keeps it right"),
        Ok(false) => CheckFinding::warning(
            CLOCK,
            "no time service keeps it right; if it is set while the program runs, by more than 2 s back or an hour ahead, the \
             windows of detection start again; run chrony, ntpd or systemd-timesyncd on the host",
        ),
        Err(error) => {
            CheckFinding::warning(CLOCK, format!("the kernel does not say whether it is kept right: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::finding::CheckOutcome;

    #[test]
    fn clock_that_was_never_set_or_is_not_kept_right_is_a_warning() {
        assert_eq!(time(Duration::from_secs(86_400)).outcome, CheckOutcome::Warning);
        assert!(time(Duration::from_secs(86_400)).text.starts_with("it shows 1970-01-02T00:00:00Z"));
        assert_eq!(time(SANE).outcome, CheckOutcome::Ok);
        let outcomes =
            [Ok(true), Ok(false), Err(std::io::Error::other("x"))].map(|answer| synchronisation(answer).outcome);
        assert_eq!(outcomes, [CheckOutcome::Ok, CheckOutcome::Warning, CheckOutcome::Warning]);
    }
}
