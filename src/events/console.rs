//! One line a change for people: fields as the program's log writes them, or a sentence.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Seconds, state};
use crate::alert::{Alert, Change, State};
use crate::detect::Subject;

/// How a line says what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Fields: `ts=1700000012.5 state=firing kind=host_scan src=203.0.113.5 …` (logfmt).
    #[default]
    Fields,
    /// A sentence: `1700000012.5 firing host_scan: 203.0.113.5 tried …`.
    Explained,
}

/// Writes a change as one line.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: Write>(change: &Change, style: Style, mut out: W) -> io::Result<()> {
    let line = match style {
        Style::Fields => fields(change),
        Style::Explained => sentence(change),
    };
    writeln!(out, "{line}")
}

/// The fields, without an end of line.
fn fields(change: &Change) -> String {
    let Alert { kind, rule, subject, starts_at, ends_at, figures, peak, fingerprint, .. } = change.alert();
    let mut line = format!("ts={} state={} kind={}", Seconds::at(*starts_at), state(change), kind.label());
    let mut put = |key: &str, value: &dyn std::fmt::Display| {
        // A string takes all that is written to it.
        write!(line, " {key}={}", quoted(&value.to_string())).unwrap_or_default();
    };
    put("rule", rule);
    match subject {
        Subject::Source(source) => put("src", source),
        Subject::Destination(destination) => put("dst", destination),
        Subject::Pair { source, destination } => {
            put("src", source);
            put("dst", destination);
        }
        Subject::Network(network) => put("network", network),
    }
    ends_at.iter().for_each(|ends_at| put("ends_at", &Seconds::at(*ends_at)));
    put("value", &figures.value);
    put("limit", &figures.limit);
    put("window_seconds", &Seconds(figures.window.as_nanos().try_into().unwrap_or(i128::MAX)));
    put("peak", &peak.value);
    put("bytes", &figures.bytes);
    figures.answered.iter().for_each(|answered| put("answered", answered));
    put("fingerprint", fingerprint);
    line
}

/// The sentence, without an end of line.
fn sentence(change: &Change) -> String {
    let alert = change.alert();
    let when = alert.ends_at.unwrap_or(alert.starts_at);
    // `resolved bandwidth after 88 s: …` continues into the explanation.
    let colon = if alert.state == State::Resolved { "" } else { ":" };
    format!("{} {} {}{colon} {}", Seconds::at(when), state(change), alert.kind.label(), alert.explain())
}

/// A value in quotes where it would not be one word, and without anything that speaks to the terminal.
fn quoted(value: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '"' | '=' | '\\');
    if !value.is_empty() && value.chars().all(is_plain) {
        return Cow::Borrowed(value);
    }
    // `escape_debug` leaves what can be printed, and escapes quotes, controls and what only directs text.
    Cow::Owned(format!("\"{}\"", value.escape_debug()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::{Fingerprint, Peak};
    use crate::detect::{Figures, Kind};
    use crate::packet::Timestamp;

    fn alert(rule: &str) -> Alert {
        Alert {
            fingerprint: Fingerprint(0xab),
            kind: Kind::Bandwidth,
            rule: rule.into(),
            subject: Subject::Source("203.0.113.5".parse().unwrap()),
            state: State::Firing,
            starts_at: Timestamp::from_nanoseconds(1_700_000_012_500_000_000),
            ends_at: None,
            figures: Figures {
                value: 2e9,
                limit: 1e9,
                window: Duration::from_millis(170_500),
                bytes: 2_000_000_000,
                ..Figures::default()
            },
            peak: Peak { value: 2e9, bytes: 2_000_000_000, answered: None, at: Timestamp::default() },
        }
    }

    fn line(change: &Change, style: Style) -> String {
        let mut out = Vec::new();
        write(change, style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn resolved() -> Change {
        let ends_at = Some(Timestamp::from_nanoseconds(1_700_000_100_500_000_000));
        Change::Resolved(Alert { state: State::Resolved, ends_at, ..alert("bandwidth") })
    }

    #[test]
    fn a_line_has_its_fields() {
        assert_eq!(
            line(&Change::Fired(alert("bandwidth")), Style::Fields),
            "ts=1700000012.5 state=firing kind=bandwidth rule=bandwidth src=203.0.113.5 value=2000000000 \
             limit=1000000000 window_seconds=170.5 peak=2000000000 bytes=2000000000 fingerprint=00000000000000ab\n"
        );
        assert!(line(&resolved(), Style::Fields).contains(" state=resolved "));
        assert!(line(&resolved(), Style::Fields).contains(" ends_at=1700000100.5 "));
    }

    #[test]
    fn a_line_may_be_a_sentence() {
        assert_eq!(
            line(&Change::Fired(alert("bandwidth")), Style::Explained),
            "1700000012.5 firing bandwidth: 203.0.113.5 sent 2 GB in the last 170.5 s (limit 1 GB)\n"
        );
        assert_eq!(
            line(&resolved(), Style::Explained),
            "1700000100.5 resolved bandwidth after 88 s: 203.0.113.5 sent 2 GB within 170.5 s (limit 1 GB)\n"
        );
    }

    #[test]
    fn hostile_names_stay_within_their_field() {
        for (rule, field) in [
            ("two words", " rule=\"two words\" "),
            ("a=b", " rule=\"a=b\" "),
            ("", " rule=\"\" "),
            ("a\"\n\u{1b}[31mb", " rule=\"a\\\"\\n\\u{1b}[31mb\" "),
            ("a\u{202e}b", " rule=\"a\\u{202e}b\" "),
        ] {
            let line = line(&Change::Fired(alert(rule)), Style::Fields);
            assert!(line.contains(field), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
