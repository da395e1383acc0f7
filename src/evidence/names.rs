//! The names of files in the archive.
//!
//! Takes alerts; gives names, and tells the names of this program from others. Must not know directories.

use std::time::{Duration, UNIX_EPOCH};

use ipnet::IpNet;

use crate::alert::{Alert, Fingerprint};
use crate::detect::{Kind, Subject};
use crate::packet::Timestamp;

/// The ending of a file that is being written.
pub(super) const UNFINISHED: &str = ".part";
/// The ending of evidence files.
pub(super) const CAPTURE: &str = ".pcapng";
/// The ending of verdicts.
pub(super) const VERDICT: &str = ".json";
/// The ending of logged packets.
pub(super) const LOGGED: &str = ".pcap";

/// `20260102T030405.678Z-host_scan-10.0.0.5-e4386537134a0d22`: the time is in UTC, so names sort by age.
pub(super) fn stem(alert: &Alert) -> String {
    let (time, kind) = (utc(alert.starts_at), alert.kind.label());
    safe(&format!("{time}-{kind}-{}-{}", subject(&alert.subject), alert.fingerprint))
}

/// `20260102T030405.678Z`. Times before 1970 become 1970, and later than the year 9999 are the latest that fits.
fn utc(time: Timestamp) -> String {
    let nanoseconds = time.nanoseconds().max(0).cast_unsigned();
    let text = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(nanoseconds)).to_string();
    text.replace(['-', ':'], "")
}

/// `10.0.0.5`, `10.0.0.5_to_10.0.0.6`, `10.0.0.0_24`.
fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Source(address) | Subject::Destination(address) => address.to_string(),
        Subject::Pair { source, destination } => format!("{source}_to_{destination}"),
        Subject::Network(network) => format!("{}_{}", IpNet::network(network), network.prefix_len()),
    }
}

/// The text with `:` as `_`, and without any character that is not in `0-9 A-Z a-z . _ -`.
pub(super) fn safe(text: &str) -> String {
    let text = text.replace(':', "_");
    text.chars().filter(|letter| is_safe(*letter)).collect()
}

const fn is_safe(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-')
}

/// True for names that [`stem`] begins and that end like a file of this program, finished or not.
pub(super) fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix(UNFINISHED).unwrap_or(name);
    let stem = [CAPTURE, VERDICT, LOGGED].into_iter().find_map(|ending| name.strip_suffix(ending));
    stem.is_some_and(|stem| fingerprint(stem).is_some())
}

/// The fingerprint in a name that [`stem`] begins.
pub(super) fn fingerprint(name: &str) -> Option<Fingerprint> {
    parts(name).map(|(_, _, fingerprint)| fingerprint)
}

/// Start, kind and fingerprint of the alert in a name that [`stem`] begins.
pub(super) fn parts(name: &str) -> Option<(Timestamp, &'static str, Fingerprint)> {
    let parts: Vec<&str> = name.splitn(5, '-').collect();
    let [time, kind, _, rest, ..] = parts.as_slice() else { return None };
    let digits = rest.get(..16).filter(|_| matches!(rest.as_bytes().get(16), None | Some(b'.')))?;
    let kind = Kind::ALL.iter().map(|known| known.label()).find(|label| label == kind)?;
    let time = from_utc(time).filter(|_| name.chars().all(is_safe))?;
    u64::from_str_radix(digits, 16).ok().map(|number| (time, kind, Fingerprint(number)))
}

/// The time of a text that [`utc`] made.
fn from_utc(text: &str) -> Option<Timestamp> {
    let is_time = text.len() == "20260102T030405.678Z".len() && text.is_ascii();
    let pieces = is_time.then(|| [0..4, 4..6, 6..11, 11..13, 13..20].map(|range| &text[range]))?;
    let [year, month, day, minute, second] = pieces;
    let text = format!("{year}-{month}-{day}:{minute}:{second}");
    humantime::parse_rfc3339(&text).ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;

    fn named(subject: Subject) -> String {
        let mut alert = alert(Kind::HostScan, subject);
        alert.starts_at = Timestamp::from_nanoseconds(1_700_000_000_250_000_000);
        alert.fingerprint = Fingerprint(0xab);
        stem(&alert)
    }

    #[test]
    fn names_have_time_kind_subject_and_fingerprint() {
        let (one, other) = ("2001:db8::1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let begins = "20231114T221320.250Z-host_scan-";
        let ends = "-00000000000000ab";
        assert_eq!(named(Subject::Source(other)), format!("{begins}10.0.0.2{ends}"));
        assert_eq!(named(Subject::Destination(one)), format!("{begins}2001_db8__1{ends}"));
        let pair = Subject::Pair { source: other, destination: other };
        assert_eq!(named(pair), format!("{begins}10.0.0.2_to_10.0.0.2{ends}"));
        assert_eq!(named(Subject::Network("fd00::/64".parse().unwrap())), format!("{begins}fd00___64{ends}"));
    }

    #[test]
    fn own_names_are_known_and_others_are_not() {
        let stem = named(Subject::Source("::1".parse().unwrap()));
        let start = Timestamp::from_nanoseconds(1_700_000_000_250_000_000);
        assert_eq!(parts(&stem), Some((start, "host_scan", Fingerprint(0xab))));
        for ending in [".pcapng", ".json", ".pcapng.part", "-cut.pcapng", "-2.json", "-tcp_1_2.0.pcap"] {
            assert!(is_ours(&format!("{stem}{ending}")), "{ending}");
        }
        let others = ["", ".part", "notes.json", "20231114T221320.250Z-host_scan-a-ab.pcapng", "2023-a-b-c.pcapng"];
        assert!(others.into_iter().all(|name| !is_ours(name)));
        assert!(!is_ours(&stem) && !is_ours(&format!("{stem}.txt")) && !is_ours(&format!("x/{stem}.json")));
        assert!(!is_ours(&format!("{stem}é.json")) && !is_ours(&stem.replace("host_scan", "rm")));
    }

    #[test]
    fn text_cannot_leave_its_directory() {
        assert_eq!(safe("../../etc/pass wd\n\0fe80::1"), "....etcpasswdfe80__1");
    }
}
