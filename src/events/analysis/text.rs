//! The report of an analysis for people. Takes a report; gives text. Must not know how figures were counted.

use std::fmt::{self, Display, Write as _};

use super::report::{AddressFigures, AnalysisReport, PeriodFigures};
use super::threat_entries::{AlertEvidence, LineEntry, ThreatEntry};
use crate::capture::printable;
use crate::events::line::counted;

/// Letters of the longest bar of the rate.
const LONGEST_BAR: u128 = 40;

impl Display for AnalysisReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_logs(f)?;
        if self.totals.events == 0 {
            return writeln!(f, "no events");
        }
        self.write_totals(f)?;
        self.write_alerts(f)?;
        write_addresses(f, "Top sources", "target", &self.sources, self.errors.sources)?;
        write_addresses(f, "Top targets", "source", &self.targets, self.errors.targets)?;
        self.write_ports(f)?;
        self.write_rate(f)?;
        self.write_threats(f)
    }
}

impl AnalysisReport {
    fn write_logs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            let [lines, events] = [counted(log.lines, "line"), counted(log.events, "event")];
            let (name, broken) = (printable(&log.name), counted(log.broken_lines, "broken line"));
            writeln!(f, "{name} ({}): {lines}, {events}, {broken}", log.format)?;
        }
        Ok(())
    }

    fn write_totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            writeln!(f, "From {} to {} ({} s)", span.first, span.last, span.seconds)?;
        }
        let totals = &self.totals;
        let (violations, bytes) = (counted(totals.violations, "violation"), counted(totals.bytes, "byte"));
        writeln!(f, "{violations}: {}, {bytes}", counted(totals.packets, "packet"))?;
        let all = counted(totals.packets.saturating_add(totals.suppressed_packets), "packet");
        let (suppressed, dropped) = (totals.suppressed_packets, totals.dropped_packets);
        writeln!(f, "{all} not permitted: {suppressed} suppressed (without an event of their own), {dropped} dropped")?;
        let (sources, targets) = (counted(totals.sources, "source"), counted(totals.targets, "target"));
        let about = |error: u64| if error == 0 { "" } else { "about " };
        writeln!(f, "{}{sources}, {}{targets}", about(self.errors.sources), about(self.errors.targets))
    }

    fn write_alerts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for alerts in &self.alerts {
            writeln!(f, "{} alerts: {} fired, {} resolved", alerts.kind, alerts.fired, alerts.resolved)?;
        }
        Ok(())
    }

    fn write_ports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.ports.is_empty() {
            writeln!(
                f,
                "\nTop ports (without suppressed packets, whose ports are unknown){}",
                at_least(self.errors.ports)
            )?;
        }
        for port in &self.ports {
            let name = format!("{}/{}", port.port, port.protocol);
            let service = port.service.unwrap_or("-");
            writeln!(f, "  {name:<16} {service:<20} {}", packets_and_bytes(port.packets, port.bytes))?;
        }
        if !self.protocols.is_empty() {
            writeln!(f, "\nProtocols (without suppressed packets)")?;
        }
        for protocol in &self.protocols {
            let figures = packets_and_bytes(protocol.packets, protocol.bytes);
            writeln!(f, "  {:<37} {figures}", protocol.protocol)?;
        }
        Ok(())
    }

    fn write_rate(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |period: &PeriodFigures| period.packets.saturating_add(period.suppressed_packets);
        let most = self.rate.periods.iter().map(all).max().unwrap_or(0);
        writeln!(f, "\nRate per {} s (packets and bars with suppressed packets)", self.rate.period_seconds)?;
        writeln!(f, "  {:<20} {:>10} {:>12} {:>12}", "from", "events", "packets", "suppressed")?;
        for period in &self.rate.periods {
            let start = period.start.split('.').next().unwrap_or_default();
            let (events, packets, suppressed) = (period.events, all(period), period.suppressed_packets);
            writeln!(f, "  {start}Z {events:>10} {packets:>12} {suppressed:>12}{}", bar(packets, most))?;
        }
        Ok(())
    }

    fn write_threats(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThreats{}", if self.threats.is_empty() { ": none found" } else { "" })?;
        self.threats.iter().try_for_each(|threat| write_threat(f, threat))
    }
}

/// A blank and a bar, at least one letter long for any packet and [`LONGEST_BAR`] for `most`.
fn bar(packets: u64, most: u64) -> String {
    if packets == 0 {
        return String::new();
    }
    let length = (u128::from(packets) * LONGEST_BAR).div_ceil(u128::from(most.max(packets)));
    format!(" {}", "#".repeat(usize::try_from(length).unwrap_or(0)))
}

/// `           1 packet                1 byte`, in columns.
fn packets_and_bytes(packets: u64, bytes: u64) -> String {
    let plural = |number: u64| if number == 1 { " " } else { "s" };
    format!("{packets:>12} packet{} {bytes:>15} byte{}", plural(packets), plural(bytes)).trim_end().to_owned()
}

fn write_addresses(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    peer: &str,
    addresses: &[AddressFigures],
    error: u64,
) -> fmt::Result {
    if addresses.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title} (packets with suppressed ones, bytes without them){}", at_least(error))?;
    writeln!(f, "  {:<37} {:>12} {:>12} {:>12} {:>15}", "address", "packets", "suppressed", "dropped", "bytes")?;
    for of in addresses {
        let all = of.packets.saturating_add(of.suppressed_packets);
        let (suppressed, dropped) = (of.suppressed_packets, of.dropped_packets);
        write!(f, "  {:<37} {all:>12} {suppressed:>12} {dropped:>12} {:>15}", of.address, of.bytes)?;
        let about = if of.estimate { "about " } else { "" };
        let (peers, ports, alerts) = (counted(of.peers, peer), counted(of.ports, "port"), counted(of.alerts, "alert"));
        writeln!(f, "  {about}{peers}, {ports}, {alerts}")?;
    }
    Ok(())
}

/// The note about counts of a table that was full.
fn at_least(error: u64) -> String {
    let packets = counted(error, "packet");
    if error == 0 { String::new() } else { format!(" (estimates: counts may be too low by up to {packets})") }
}

fn write_threat(f: &mut fmt::Formatter<'_>, threat: &ThreatEntry) -> fmt::Result {
    let evidence = &threat.evidence;
    let basis = match threat.basis {
        "both" => "alerts and events",
        basis => basis,
    };
    writeln!(f, "  {:<18} {} {} (by {basis})", threat.kind, threat.address, finding(threat)?)?;
    for alert in &threat.alerts {
        write_alert(f, alert)?;
    }
    let events = counted(evidence.events, "event");
    let packets = counted(evidence.packets + evidence.suppressed_packets, "packet");
    write!(f, "    {events}, {packets}, {} to {}, ", evidence.first, evidence.last)?;
    write_lines(f, &evidence.first_line, &evidence.last_line)
}

/// The threat in words.
fn finding(threat: &ThreatEntry) -> Result<String, fmt::Error> {
    let (evidence, value) = (&threat.evidence, threat.value.0);
    let is_of_events = threat.basis != "alerts";
    let about = if threat.estimate && is_of_events { "about " } else { "" };
    let mut text = String::new();
    match (threat.kind, threat.unit) {
        ("host_scan", _) => write!(text, "contacted {about}{value} targets on {}", counted(evidence.ports, "port"))?,
        ("port_scan", _) => write!(text, "contacted {about}{value} ports of {}", counted(evidence.peers, "target"))?,
        ("group_scan", _) => write!(text, "has sources that together contacted {value} targets")?,
        ("single_port_sweep", _) => {
            let port = evidence.port.as_deref().unwrap_or("-");
            write!(text, "contacted {about}{value} targets on port {port}")?;
        }
        ("repeat_offender", _) => write!(text, "returned after pauses: {value} periods of activity")?,
        ("anomaly", _) => write!(text, "differs from its past: score {value}")?,
        (_, "bytes") => write!(text, "up to {value} bytes in the window of an alert")?,
        _ if is_of_events => {
            let at = evidence.peak_at.as_deref().unwrap_or("-");
            write!(text, "up to {} packets per second, at {at}", evidence.peak_packets_per_second)?;
            if evidence.peak_suppressed_per_second > 0 {
                write!(text, ", {} of them without an event of their own", evidence.peak_suppressed_per_second)?;
            }
        }
        _ => write!(text, "{value:.0} packets per second in the window of an alert")?,
    }
    Ok(text)
}

fn write_alert(f: &mut fmt::Formatter<'_>, alert: &AlertEvidence) -> fmt::Result {
    let AlertEvidence { kind, episodes, peak, limit, window_seconds, first, last, .. } = alert;
    let (peak, limit, window) = (peak.0, limit.0, window_seconds.0);
    let alerts = counted(*episodes, "alert");
    write!(f, "    {alerts} of {kind}: up to {peak} in {window} s, limit {limit}, {first} to {last}, ")?;
    write_lines(f, &alert.first_line, &alert.last_line)
}

fn write_lines(f: &mut fmt::Formatter<'_>, first: &LineEntry, last: &LineEntry) -> fmt::Result {
    let (of_first, of_last) = (printable(&first.log), printable(&last.log));
    writeln!(f, "{of_first} line {} to {of_last} line {}", first.line, last.line)
}
