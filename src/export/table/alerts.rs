//! The last part of the table: each alert with its time, its state and a sentence.

use std::io::{self, Write};

use super::{Replayed, write_wrapped};
use crate::alert::{Alert, AlertState};
use crate::capture::printable;
use crate::export::units::utc;

const INDENT: &str = "    ";

pub(super) fn write<W: Write>(replayed: &Replayed<'_>, out: &mut W) -> io::Result<()> {
    writeln!(out, "\nAlerts")?;
    if replayed.alerts.is_empty() && replayed.more_alerts == 0 {
        return writeln!(out, "none");
    }
    replayed.alerts.iter().try_for_each(|alert| write_alert(alert, out))?;
    match replayed.more_alerts {
        0 => Ok(()),
        more => write_wrapped(out, "", "", &format!("and {more} more; --output\u{a0}alerts lists all.")),
    }
}

fn write_alert<W: Write>(alert: &Alert, out: &mut W) -> io::Result<()> {
    // The sentence says that a resolved one is.
    let state = match alert.state {
        AlertState::Resolved => "",
        AlertState::Pending | AlertState::Firing => ", still firing at the end",
    };
    let (severity, side) = (alert.severity.label(), alert.side.label());
    let kind = alert.kind.label();
    let rule = if *alert.rule == *kind { String::new() } else { format!(" (rule {})", printable(&alert.rule)) };
    write_wrapped(out, "", INDENT, &format!("{} UTC  {kind}{rule}, {severity}, {side}{state}", utc(alert.starts_at)))?;
    write_wrapped(out, INDENT, INDENT, &alert.explain())
}
