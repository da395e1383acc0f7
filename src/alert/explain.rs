//! Explains an alert in a sentence. Takes an alert with its figures; gives one line of text. Must not know its readers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Alert, AlertState, Peak};
use crate::detect::{Kind, LargestPeer, ScanEvidence, Span, Subject, Target};
use crate::packet::Protocol;
use crate::services::protocol_name;

/// Number of first and of last targets that a sentence names.
const FIRST: usize = 3;
const LAST: usize = 1;

/// The shortest duration that a sentence mentions.
const SHORTEST: Duration = Duration::from_millis(100);

/// Units of bytes, in steps of 1000.
const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

impl Alert {
    /// One sentence: the source, its activity, the figure, the window, the limit and the targets. For a resolved alert,
    /// the figures of its peak, the time for which it fired, and the time of the packets that counted.
    ///
    /// The sentence needs no escaping, because it has only numbers, addresses and IANA's protocol names from outside.
    pub fn explain(&self) -> String {
        let found = match self.kind {
            Kind::HostScan => self.scan("hosts"),
            Kind::PortScan => self.scan("ports"),
            Kind::GroupScan => self.scan("targets"),
            Kind::Bandwidth => self.bandwidth(),
            Kind::Anomaly => self.anomaly(),
            Kind::Policy => self.policy(),
        };
        let Some(lasted) = self.lasted() else { return found };
        let lasted = MeasuredTime(lasted, false);
        match self.traffic_time() {
            Some((time, is_about)) => {
                format!("resolved after {lasted} (traffic of {}): {found}", MeasuredTime(time, is_about))
            }
            None => format!("resolved after {lasted}: {found}"),
        }
    }

    /// The time for which the alert fired; none before it has resolved.
    pub fn lasted(&self) -> Option<Duration> {
        let end = self.ends_at.filter(|_| self.state == AlertState::Resolved)?;
        Some(end.since(self.starts_at))
    }

    /// The time from the first to the last packet that counted, and true if it is known only in whole time cells; none
    /// before the alert has resolved, or if it is unknown, as after the clock was set.
    pub fn traffic_time(&self) -> Option<(Duration, bool)> {
        let Span { first, last, precision } = self.span.filter(|_| self.state == AlertState::Resolved)?;
        Some((last.since(first).max(precision), !precision.is_zero()))
    }

    /// `in the last 170 s`; for a resolved alert `within 170 s`.
    fn window(&self) -> String {
        let window = ShownDuration(self.figures.window);
        if self.state == AlertState::Resolved { format!("within {window}") } else { format!("in the last {window}") }
    }

    fn scan(&self, what: &str) -> String {
        let (actor, window, shown) = (Actor(&self.subject), self.window(), self.shown());
        let Peak { value, limit, .. } = shown;
        let about = if shown.is_estimate { "about " } else { "" };
        let counted = match shown.scan {
            Some(evidence) => {
                let ScanEvidence { failed, touched, used, .. } = evidence;
                let (tried, place) = (failed + touched + used, Place(&evidence));
                let what = if evidence.counts_ports { "ports" } else { "hosts" };
                let unused = if evidence.counts_touched {
                    format!(", {about}{touched} were left unused")
                } else {
                    String::new()
                };
                let limit = CrossedLimit(&evidence, limit);
                format!("{actor} tried {about}{tried} {what}{place} {window}, {about}{failed} failed{unused} ({limit})")
            }
            None => format!("{actor} contacted {about}{value} {what} {window} (limit {limit})"),
        };
        counted + &self.targets()
    }

    /// The evidence of a scan in a sentence: the outcomes of the contacts that were compared, and the setting that would have
    /// silenced the alert. None for other alerts.
    pub fn explain_evidence(&self) -> Option<String> {
        let evidence = self.shown().scan?;
        let ScanEvidence { failed, touched, used, setting, silencing_value, .. } = evidence;
        let targets = failed + touched + used;
        Some(format!(
            "compared {targets} targets{}: {failed} failed, {touched} were touched, {used} were used; \
             {setting} {silencing_value} would have silenced it",
            Place(&evidence),
        ))
    }

    fn bandwidth(&self) -> String {
        let (did, towards) = match self.subject {
            Subject::Source(_) => ("sent", "to"),
            Subject::Destination(_) => ("received", "from"),
            Subject::Pair { .. } | Subject::Network(_) => ("carried", "to"),
        };
        let (actor, window, shown) = (Actor(&self.subject), self.window(), self.shown());
        let peers = shown.largest_peer.map(|peer| PeersOfBytes(peer, towards).to_string()).unwrap_or_default();
        let [bytes, limit] = distinguished(shown.bytes as f64, shown.limit);
        format!("{actor} {did} {bytes} {window} (limit {limit}){peers}")
    }

    fn anomaly(&self) -> String {
        let (actor, window, Peak { value, limit, bytes, .. }) = (Actor(&self.subject), self.window(), self.shown());
        let bytes = ShownBytes(bytes as f64, DECIMALS);
        format!("{actor} differs from its past: {bytes} {window}, score {value:.2} (threshold {limit})")
    }

    fn policy(&self) -> String {
        let (actor, window, Peak { value, limit, bytes, .. }) = (Actor(&self.subject), self.window(), self.shown());
        let packets = if value == 1.0 { "packet" } else { "packets" };
        let bytes = ShownBytes(bytes as f64, DECIMALS);
        let limit = if limit > 0.0 { format!(" (limit {limit})") } else { String::new() };
        format!("{actor}, which is not permitted, sent {value} {packets} ({bytes}) {window}{limit}") + &self.targets()
    }

    fn targets(&self) -> String {
        let (first, last) = (&self.figures.first_targets, &self.figures.last_targets);
        let list = |targets: &[Target]| targets.iter().map(|target| target.to_string()).collect::<Vec<_>>().join(", ");
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

/// `limit 15`; `limit 15 times 2` where touched targets count too, or hosts that have less in common; `limit 15, here 26 because
/// others answered`.
struct CrossedLimit<'a>(&'a ScanEvidence, f64);

impl fmt::Display for CrossedLimit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanEvidence { limit, times, .. } = self.0;
        match times {
            1 => write!(f, "limit {limit}"),
            0 => write!(f, "limit {limit}, here {} because others answered", self.1),
            _ => write!(f, "limit {limit} times {times}"),
        }
    }
}

/// ` of 203.0.113.0/24 at 22/tcp`, as far as it is known.
struct Place<'a>(&'a ScanEvidence);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(network) = self.0.network {
            write!(f, " of {network}")?;
        }
        match self.0.port {
            Some((protocol, port)) if matches!(protocol, Protocol::TCP | Protocol::UDP) => {
                write!(f, " at {port}/{}", protocol_name(protocol).unwrap_or_default())
            }
            Some((Protocol::ICMP | Protocol::ICMPV6, _)) => write!(f, " by ICMP"),
            Some(_) => write!(f, " by address resolution"),
            None => Ok(()),
        }
    }
}

/// `10.0.0.5`, `10.0.0.5 → 10.0.0.6`, `10.0.0.0/8`.
struct Actor<'a>(&'a Subject);

impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Source(address) | Subject::Destination(address) => write!(f, "{address}"),
            Subject::Pair { source, destination } => write!(f, "{source} → {destination}"),
            Subject::Network(network) => write!(f, "{network}"),
        }
    }
}

/// `, most of it to 10.0.0.5` above half of the bytes; else `, to 12 hosts, 10.0.0.5 the largest with 861 B`, or `, to many
/// hosts, 10.0.0.5 the largest known with 861 B` if some had no entry in the table of pairs.
struct PeersOfBytes(LargestPeer, &'static str);

impl fmt::Display for PeersOfBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(peer, towards) = self;
        let LargestPeer { address, bytes, least_bytes, peers, .. } = *peer;
        if peer.has_most() {
            return write!(f, ", most of it {towards} {address}");
        }
        let about = if least_bytes < bytes { "about " } else { "" };
        let bytes = ShownBytes(bytes as f64, DECIMALS);
        if peer.knows_all() {
            write!(f, ", {towards} {about}{peers} hosts, {address} the largest with {about}{bytes}")
        } else {
            write!(f, ", {towards} many hosts, {address} the largest known with {about}{bytes}")
        }
    }
}

/// `192.0.2.1:22/tcp`, `[2001:db8::1]:53/udp`, `192.0.2.1 icmp`, `192.0.2.1`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, protocol, port } = *self;
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

/// `3.9 s`, `less than 0.1 s`; `about 165 s` where it is known in whole cells.
struct MeasuredTime(Duration, bool);

impl fmt::Display for MeasuredTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(time, is_about) = *self;
        match is_about {
            true => write!(f, "about {}", ShownDuration(time)),
            false if time < SHORTEST => write!(f, "less than {}", ShownDuration(SHORTEST)),
            false => ShownDuration(time).fmt(f),
        }
    }
}

/// `170 s`, `0.5 s`.
struct ShownDuration(Duration);

impl fmt::Display for ShownDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to a tenth of a second.
        write!(f, "{} s", (self.0.as_secs_f64() * 10.0).round() / 10.0)
    }
}

/// Decimals of bytes, unless more are needed.
const DECIMALS: i32 = 2;
const MOST_DECIMALS: i32 = 6;

/// A value and its limit as text, with enough decimals to differ.
fn distinguished(value: f64, limit: f64) -> [String; 2] {
    let written = |decimals| [value, limit].map(|bytes| ShownBytes(bytes, decimals).to_string());
    let differ = (DECIMALS..MOST_DECIMALS).map(written).find(|[value, limit]| value != limit);
    differ.unwrap_or_else(|| written(MOST_DECIMALS))
}

/// `999 B`, `1.25 GB`: bytes, and the most decimals.
struct ShownBytes(f64, i32);

impl fmt::Display for ShownBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0, 0);
        while value >= 1_000.0 && unit + 1 < UNITS.len() {
            value /= 1_000.0;
            unit += 1;
        }
        // Cut, not rounded: a value below a limit must not look as if it had reached the limit.
        let parts = 10_f64.powi(self.1);
        write!(f, "{} {}", (value * parts).floor() / parts, UNITS[unit])
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

    /// The evidence of a scan of these targets, found by failed ones.
    fn evidence(failed: u64, touched: u64, used: u64) -> ScanEvidence {
        ScanEvidence {
            network: None,
            port: None,
            counts_ports: false,
            failed,
            touched,
            used,
            counts_touched: false,
            limit: 15,
            times: 1,
            setting: "NumberContactedIPs",
            silencing_value: failed,
        }
    }

    #[test]
    fn a_scan_is_explained_by_its_tried_and_unanswered_targets() {
        let found = ScanEvidence { port: Some((Protocol::TCP, 22)), ..evidence(209, 1, 2) };
        let mut figures = Figures { scan: Some(found), ..figures(209.0, 15.0, 170) };
        figures.first_targets = (1..6).map(|host| target(&format!("192.0.2.{host}"), Some(6), Some(22))).collect();
        figures.last_targets = vec![target("192.0.2.8", Some(6), Some(22)), target("2001:db8::9", Some(17), Some(53))];
        assert_eq!(
            alert(Kind::HostScan, source("10.0.0.5"), figures).explain(),
            "10.0.0.5 tried 212 hosts at 22/tcp in the last 170 s, 209 failed (limit 15): \
             first 192.0.2.1:22/tcp, 192.0.2.2:22/tcp, 192.0.2.3:22/tcp, last [2001:db8::9]:53/udp"
        );
    }

    #[test]
    fn touched_targets_are_mentioned_where_they_count() {
        let network = Some("203.0.113.0/24".parse().unwrap());
        let found = ScanEvidence { network, counts_touched: true, times: 2, silencing_value: 20, ..evidence(9, 31, 2) };
        let figures = Figures { scan: Some(found), ..figures(40.0, 30.0, 170) };
        let alert = alert(Kind::HostScan, source("10.0.0.5"), figures);
        assert_eq!(
            alert.explain(),
            "10.0.0.5 tried 42 hosts of 203.0.113.0/24 in the last 170 s, 9 failed, 31 were left unused (limit 15 times 2)"
        );
        assert_eq!(
            alert.explain_evidence().unwrap(),
            "compared 42 targets of 203.0.113.0/24: 9 failed, 31 were touched, 2 were used; \
             NumberContactedIPs 20 would have silenced it"
        );
    }

    #[test]
    fn limit_that_answers_raise_is_told() {
        let found = ScanEvidence { times: 0, counts_ports: true, ..evidence(40, 0, 26) };
        let figures = Figures { scan: Some(found), ..figures(40.0, 26.0, 170) };
        assert_eq!(
            alert(Kind::PortScan, source("10.0.0.5"), figures).explain(),
            "10.0.0.5 tried 66 ports in the last 170 s, 40 failed (limit 15, here 26 because others answered)"
        );
    }

    #[test]
    fn sources_of_a_network_are_explained_together() {
        let network = Subject::Network("198.51.100.0/24".parse().unwrap());
        let found = ScanEvidence { port: Some((Protocol::ICMP, 0)), limit: 120, ..evidence(130, 0, 0) };
        let figures = Figures { scan: Some(found), ..figures(130.0, 120.0, 170) };
        assert_eq!(
            alert(Kind::GroupScan, network, figures).explain(),
            "198.51.100.0/24 tried 130 hosts by ICMP in the last 170 s, 130 failed (limit 120)"
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

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanoseconds((seconds * 1e9) as i64)
    }

    /// A host scan that has resolved. Its peak and its last figures differ in all that they have.
    fn resolved() -> Alert {
        let figures = Figures { scan: Some(evidence(0, 0, 500)), ..figures(0.0, 500.0, 170) };
        let mut alert = alert(Kind::HostScan, source("10.0.0.5"), figures);
        alert.state = AlertState::Resolved;
        alert.peak = Peak { value: 40.0, limit: 15.0, scan: Some(evidence(40, 0, 2)), ..alert.peak };
        alert.starts_at = at(100.0);
        alert.ends_at = Some(at(175.0));
        alert.span = Some(Span { first: at(1.0), last: at(4.94), precision: Duration::ZERO });
        alert
    }

    #[test]
    fn a_resolved_alert_shows_the_figures_and_the_limit_of_its_peak_and_the_time_of_its_packets() {
        assert_eq!(
            resolved().explain(),
            "resolved after 75 s (traffic of 3.9 s): 10.0.0.5 tried 42 hosts within 170 s, 40 failed (limit 15)"
        );
    }

    #[test]
    fn a_time_that_is_known_in_cells_is_about_right() {
        let lasted = |first, last, precision: f64| {
            let span = Span { first: at(first), last: at(last), precision: Duration::from_secs_f64(precision) };
            let explained = Alert { span: Some(span), ..resolved() }.explain();
            explained.split_once(" (").unwrap().1.split_once(')').unwrap().0.to_owned()
        };
        assert_eq!(lasted(10.0, 175.0, 1.0), "traffic of about 165 s");
        assert_eq!(lasted(10.0, 10.0, 1.0), "traffic of about 1 s", "all packets in one cell");
        assert_eq!(lasted(10.0, 10.05, 0.0), "traffic of less than 0.1 s");
    }

    #[test]
    fn sentence_of_an_alert_without_times_of_packets_names_its_duration_alone() {
        let alert = Alert { span: None, ..resolved() };
        assert!(alert.explain().starts_with("resolved after 75 s: "), "{}", alert.explain());
        let cut_off = Alert { ends_at: Some(alert.starts_at), ..alert };
        assert!(cut_off.explain().starts_with("resolved after less than 0.1 s: "), "{}", cut_off.explain());
    }

    #[test]
    fn estimates_are_marked() {
        let figures = Figures { scan: Some(evidence(1_200, 0, 8)), is_estimate: true, ..figures(1_200.0, 15.0, 170) };
        assert_eq!(
            alert(Kind::HostScan, source("10.0.0.5"), figures).explain(),
            "10.0.0.5 tried about 1208 hosts in the last 170 s, about 1200 failed (limit 15)"
        );
        let figures = Figures { is_estimate: true, ..self::figures(128.0, 15.0, 170) };
        assert_eq!(
            alert(Kind::HostScan, source("10.0.0.5"), figures).explain(),
            "10.0.0.5 contacted about 128 hosts in the last 170 s (limit 15)"
        );
    }

    /// The sentence about a sender of 2.75 MB and its largest peer.
    fn with_peer(least_bytes: u64, bytes: u64, peers: usize, known_bytes: u64) -> String {
        let address = "198.51.100.200".parse().unwrap();
        let largest = LargestPeer { address, bytes, least_bytes, of_bytes: 2_750_000, peers, known_bytes };
        let figures = Figures { bytes: 2_750_000, largest_peer: Some(largest), ..figures(2.75e6, 1e6, 170) };
        alert(Kind::Bandwidth, source("10.0.0.5"), figures).explain()
    }

    #[test]
    fn most_of_the_bytes_is_said_only_above_half_of_them() {
        let sent = "10.0.0.5 sent 2.75 MB in the last 170 s (limit 1 MB), ";
        let most = format!("{sent}most of it to 198.51.100.200");
        assert_eq!(with_peer(1_375_001, 1_375_001, 3, 2_750_000), most);
        assert_eq!(with_peer(1_375_001, 1_375_001, 3, 2_000_000), most, "others are not known");
        assert_eq!(with_peer(9, 2_750_000, 1, 2_750_000), most, "the only one");
        let half = format!("{sent}to 3 hosts, 198.51.100.200 the largest with 1.37 MB");
        assert_eq!(with_peer(1_375_000, 1_375_000, 3, 2_750_000), half);
    }

    #[test]
    fn largest_of_many_peers_is_named_with_its_bytes() {
        let sent = "10.0.0.5 sent 2.75 MB in the last 170 s (limit 1 MB), to ";
        let largest = |text: &str| format!("{sent}{text}");
        let all = largest("8001 hosts, 198.51.100.200 the largest with 861 B");
        assert_eq!(with_peer(861, 861, 8_001, 2_750_000), all);
        let about = largest("about 8001 hosts, 198.51.100.200 the largest with about 861 B");
        assert_eq!(with_peer(700, 861, 8_001, 2_750_100), about);
        let some = largest("many hosts, 198.51.100.200 the largest known with 861 B");
        assert_eq!(with_peer(861, 861, 8_001, 2_700_000), some);
    }

    #[test]
    fn resolved_alert_names_the_largest_peer_of_its_peak() {
        let peer = |text: &str| LargestPeer {
            address: text.parse().unwrap(),
            bytes: 900,
            least_bytes: 900,
            of_bytes: 1_000,
            peers: 2,
            known_bytes: 1_000,
        };
        let figures = Figures { bytes: 1_000, largest_peer: Some(peer("10.0.0.7")), ..figures(1e3, 500.0, 170) };
        let mut alert = alert(Kind::Bandwidth, source("203.0.113.9"), figures);
        alert.peak = Peak { bytes: 2_000, largest_peer: Some(peer("10.0.0.6")), ..alert.peak };
        assert!(alert.explain().ends_with("most of it to 10.0.0.7"), "{}", alert.explain());
        alert.state = AlertState::Resolved;
        assert!(alert.explain().ends_with("most of it to 10.0.0.6"), "{}", alert.explain());
    }
}
