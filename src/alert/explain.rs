//! An alert in a sentence.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Alert, State};
use crate::detect::{Kind, Subject, Target};
use crate::packet::Protocol;
use crate::services::protocol_name;

/// How many first and last targets a sentence names.
const FIRST: usize = 3;
const LAST: usize = 1;

/// Units of bytes, in steps of 1000.
const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

impl Alert {
    /// One line that says to people what was found: who, what, how much, in what time, with what limit, and where. Once
    /// the alert is resolved, with the highest figure of the episode.
    ///
    /// Made of numbers, addresses and IANA's protocol names alone, so that it needs no escaping.
    #[must_use]
    pub fn explain(&self) -> String {
        let lasted = self.ends_at.filter(|_| self.state == State::Resolved).map(|end| end.since(self.starts_at));
        let duration = lasted.map_or_else(String::new, |lasted| format!("after {}: ", Seconds(lasted)));
        let (value, bytes, answered) = match lasted {
            Some(_) => (self.peak.value, self.peak.bytes, self.peak.answered),
            None => (self.figures.value, self.figures.bytes, self.figures.answered),
        };
        let found = match self.kind {
            Kind::HostScan => self.scan("hosts", value, answered),
            Kind::PortScan => self.scan("ports", value, answered),
            Kind::Bandwidth => self.bandwidth(bytes),
            Kind::Anomaly => self.anomaly(value, bytes),
        };
        format!("{duration}{found}")
    }

    fn scan(&self, what: &str, value: f64, answered: Option<u64>) -> String {
        let (who, window, limit) = (Who(&self.subject), self.window(), self.figures.limit);
        let counted = match answered {
            Some(answered) => {
                let tried = value + answered as f64;
                format!("{who} tried {tried} {what} {window} and {value} did not answer (limit {limit})")
            }
            None => format!("{who} contacted {value} {what} {window} (limit {limit})"),
        };
        counted + &self.targets()
    }

    fn bandwidth(&self, bytes: u64) -> String {
        let did = match self.subject {
            Subject::Source(_) => "sent",
            Subject::Destination(_) => "received",
            Subject::Pair { .. } | Subject::Network(_) => "carried",
        };
        let (who, window) = (Who(&self.subject), self.window());
        format!("{who} {did} {} {window} (limit {})", Bytes(bytes as f64), Bytes(self.figures.limit))
    }

    fn anomaly(&self, probability: f64, bytes: u64) -> String {
        let (who, window, limit) = (Who(&self.subject), self.window(), self.figures.limit);
        let bytes = Bytes(bytes as f64);
        format!("{who} differs from its past: {bytes} {window}, score {probability:.2} (threshold {limit})")
    }

    /// `in the last 170 s`, or `within 170 s` where the figures are of the past.
    fn window(&self) -> String {
        let window = Seconds(self.figures.window);
        match self.state {
            State::Resolved => format!("within {window}"),
            _ => format!("in the last {window}"),
        }
    }

    fn targets(&self) -> String {
        let (first, last) = (&self.figures.first_targets, &self.figures.last_targets);
        let list =
            |targets: &[Target]| targets.iter().map(|target| At(target).to_string()).collect::<Vec<_>>().join(", ");
        let shown = &first[..first.len().min(FIRST)];
        let last: Vec<Target> =
            last.iter().rev().take(LAST).filter(|target| !shown.contains(target)).copied().collect();
        match (shown.is_empty(), last.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!(": first {}", list(shown)),
            (true, false) => format!(": last {}", list(&last)),
            (false, false) => format!(": first {}, last {}", list(shown), list(&last)),
        }
    }
}

/// `10.0.0.5`, `10.0.0.5 → 10.0.0.6`, `10.0.0.0/8`.
struct Who<'a>(&'a Subject);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Source(address) | Subject::Destination(address) => write!(f, "{address}"),
            Subject::Pair { source, destination } => write!(f, "{source} → {destination}"),
            Subject::Network(network) => write!(f, "{network}"),
        }
    }
}

/// `192.0.2.1:22/tcp`, `[2001:db8::1]:53/udp`, `192.0.2.1 icmp`, `192.0.2.1`.
struct At<'a>(&'a Target);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { address, protocol, port } = *self.0;
        match (address, port) {
            (IpAddr::V6(address), Some(port)) => write!(f, "[{address}]:{port}")?,
            (address, Some(port)) => write!(f, "{address}:{port}")?,
            (address, None) => write!(f, "{address}")?,
        }
        let Some(Protocol(number)) = protocol else { return Ok(()) };
        f.write_str(if port.is_some() { "/" } else { " " })?;
        match protocol_name(Protocol(number)) {
            Some(name) => f.write_str(name),
            None => write!(f, "protocol {number}"),
        }
    }
}

/// `170 s`, `0.5 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tenth of a second is as much as anyone reads.
        write!(f, "{} s", (self.0.as_secs_f64() * 10.0).round() / 10.0)
    }
}

/// `999 B`, `1.25 GB`.
struct Bytes(f64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0, 0);
        while value >= 1_000.0 && unit + 1 < UNITS.len() {
            value /= 1_000.0;
            unit += 1;
        }
        // Cut, not rounded: what is above a limit must not look as if it were on it, nor below as if it were above.
        let hundredths = 100.0;
        write!(f, "{} {}", (value * hundredths).floor() / hundredths, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;
    use crate::detect::Figures;
    use crate::packet::Timestamp;

    fn target(address: &str, protocol: Option<u8>, port: Option<u16>) -> Target {
        Target { address: address.parse().unwrap(), protocol: protocol.map(Protocol), port }
    }

    fn figures(value: f64, limit: f64, seconds: u64) -> Figures {
        Figures { value, limit, window: Duration::from_secs(seconds), ..Figures::default() }
    }

    fn source(text: &str) -> Subject {
        Subject::Source(text.parse().unwrap())
    }

    #[test]
    fn a_scan_is_explained_by_who_was_tried_and_who_did_not_answer() {
        let mut figures = Figures { answered: Some(3), ..figures(209.0, 15.0, 170) };
        figures.first_targets = (1..6).map(|host| target(&format!("192.0.2.{host}"), Some(6), Some(22))).collect();
        figures.last_targets = vec![target("192.0.2.8", Some(6), Some(22)), target("2001:db8::9", Some(17), Some(53))];
        assert_eq!(
            alert(Kind::HostScan, source("10.0.0.5"), figures).explain(),
            "10.0.0.5 tried 212 hosts in the last 170 s and 209 did not answer (limit 15): \
             first 192.0.2.1:22/tcp, 192.0.2.2:22/tcp, 192.0.2.3:22/tcp, last [2001:db8::9]:53/udp"
        );
    }

    #[test]
    fn a_scan_by_counting_is_explained_by_its_contacts() {
        let mut figures = figures(101.0, 100.0, 600);
        figures.first_targets = vec![target("192.0.2.1", Some(1), None), target("192.0.2.2", Some(253), None)];
        figures.last_targets = figures.first_targets.clone();
        assert_eq!(
            alert(Kind::PortScan, source("2001:db8::5"), figures).explain(),
            "2001:db8::5 contacted 101 ports in the last 600 s (limit 100): first 192.0.2.1 icmp, 192.0.2.2 protocol 253"
        );
    }

    #[test]
    fn bandwidth_is_explained_in_readable_units() {
        let explained = |subject, bytes: u64, limit| {
            let figures = Figures { bytes, ..figures(bytes as f64, limit, 170) };
            alert(Kind::Bandwidth, subject, figures).explain()
        };
        assert_eq!(
            explained(source("10.0.0.5"), 1_259_999_999, 1e9),
            "10.0.0.5 sent 1.25 GB in the last 170 s (limit 1 GB)"
        );
        let destination = Subject::Destination("10.0.0.5".parse().unwrap());
        assert_eq!(explained(destination, 1_000_001, 999.0), "10.0.0.5 received 1 MB in the last 170 s (limit 999 B)");
        let network = Subject::Network("10.0.0.0/8".parse().unwrap());
        assert_eq!(explained(network, u64::MAX, 5e12), "10.0.0.0/8 carried 18.44 EB in the last 170 s (limit 5 TB)");
    }

    #[test]
    fn an_anomaly_is_explained_by_its_probability() {
        let pair = Subject::Pair { source: "10.0.0.1".parse().unwrap(), destination: "10.0.0.2".parse().unwrap() };
        let figures = Figures { bytes: 12_345, ..figures(0.912_345, 0.6, 5) };
        assert_eq!(
            alert(Kind::Anomaly, pair, figures).explain(),
            "10.0.0.1 → 10.0.0.2 differs from its past: 12.34 kB in the last 5 s, score 0.91 (threshold 0.6)"
        );
    }

    #[test]
    fn what_is_over_is_explained_by_its_highest_figure() {
        let mut alert = alert(Kind::HostScan, source("10.0.0.5"), figures(0.0, 15.0, 170));
        alert.state = State::Resolved;
        alert.peak.value = 40.0;
        alert.ends_at = Some(Timestamp::from_nanoseconds(alert.starts_at.nanoseconds() + 75_540_000_000));
        assert_eq!(alert.explain(), "after 75.5 s: 10.0.0.5 contacted 40 hosts within 170 s (limit 15)");
    }
}
