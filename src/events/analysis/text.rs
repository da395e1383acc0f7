//! The report of an analysis for people. Takes a report; gives text. Must not know how figures were counted.

use std::fmt::{self, Display, Write as _};

use super::report::{AddressFigures, AnalysisReport};
use super::threat_entries::{AlertEvidence, LineEntry, ThreatEntry};
use crate::capture::printable;

/// The longest bar of the rate.
const BAR: u64 = 40;

impl Display for AnalysisReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_totals(f)?;
        self.write_alerts(f)?;
        write_addresses(f, "Top sources", "targets", &self.sources, self.errors.sources)?;
        write_addresses(f, "Top targets", "sources", &self.targets, self.errors.targets)?;
        self.write_ports(f)?;
        self.write_rate(f)?;
        self.write_threats(f)
    }
}

impl AnalysisReport {
    fn write_totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            let (name, broken) = (printable(&log.name), log.broken_lines);
            writeln!(f, "{name} ({}): {} lines, {} events, {broken} broken lines", log.format, log.lines, log.events)?;
        }
        if let Some(span) = &self.span {
            writeln!(f, "From {} to {} ({} s)", span.first, span.last, span.seconds)?;
        }
        let totals = &self.totals;
        writeln!(
            f,
            "{} violations: {} packets, {} bytes; {} packets dropped, {} without an event of their own; {} sources, {} targets",
            totals.violations,
            totals.packets,
            totals.bytes,
            totals.dropped_packets,
            totals.suppressed_packets,
            totals.sources,
            totals.targets
        )
    }

    fn write_alerts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for alerts in &self.alerts {
            writeln!(f, "{} alerts: {} fired, {} resolved", alerts.kind, alerts.fired, alerts.resolved)?;
        }
        Ok(())
    }

    fn write_ports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.ports.is_empty() {
            writeln!(f, "\nTop ports{}", at_least(self.errors.ports))?;
        }
        for port in &self.ports {
            let name = format!("{}/{}", port.port, port.protocol);
            let service = port.service.unwrap_or("-");
            writeln!(f, "  {name:<16} {service:<20} {:>12} packets {:>15} bytes", port.packets, port.bytes)?;
        }
        if !self.protocols.is_empty() {
            writeln!(f, "\nProtocols")?;
        }
        for protocol in &self.protocols {
            writeln!(f, "  {:<37} {:>12} packets {:>15} bytes", protocol.protocol, protocol.packets, protocol.bytes)?;
        }
        Ok(())
    }

    fn write_rate(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.rate.periods.iter().map(|period| period.events).max().unwrap_or(0);
        if most == 0 {
            return Ok(());
        }
        writeln!(
            f,
            "\nEvents, their packets, and packets without an event of their own, per {} s",
            self.rate.period_seconds
        )?;
        for period in &self.rate.periods {
            let length = (u128::from(period.events) * u128::from(BAR)).div_ceil(u128::from(most));
            let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
            let start = period.start.split('.').next().unwrap_or_default();
            let (packets, suppressed) = (period.packets, period.suppressed_packets);
            writeln!(f, "  {start}Z {:>10} {packets:>12} {suppressed:>12} {bar}", period.events)?;
        }
        Ok(())
    }

    fn write_threats(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThreats{}", if self.threats.is_empty() { ": none found" } else { "" })?;
        self.threats.iter().try_for_each(|threat| write_threat(f, threat))
    }
}

fn write_addresses(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    peers: &str,
    addresses: &[AddressFigures],
    error: u64,
) -> fmt::Result {
    if !addresses.is_empty() {
        writeln!(f, "\n{title}{}", at_least(error))?;
    }
    for of in addresses {
        let about = if of.estimate { "about " } else { "" };
        write!(f, "  {:<37} {:>12} packets {:>15} bytes", of.address, of.packets, of.bytes)?;
        writeln!(f, "  {about}{} {peers}, {} ports, {} alerts", of.peers, of.ports, of.alerts)?;
    }
    Ok(())
}

/// The note about counts of a table that was full.
fn at_least(error: u64) -> String {
    if error == 0 { String::new() } else { format!(" (estimates: counts may be too low by up to {error} packets)") }
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
    let packets = evidence.packets + evidence.suppressed_packets;
    write!(f, "    {} events, {packets} packets, {} to {}, ", evidence.events, evidence.first, evidence.last)?;
    write_lines(f, &evidence.first_line, &evidence.last_line)
}

/// The threat in words.
fn finding(threat: &ThreatEntry) -> Result<String, fmt::Error> {
    let (evidence, value) = (&threat.evidence, threat.value.0);
    let is_of_events = threat.basis != "alerts";
    let about = if threat.estimate && is_of_events { "about " } else { "" };
    let mut text = String::new();
    match (threat.kind, threat.unit) {
        ("host_scan", _) => write!(text, "contacted {about}{value} targets on {} ports", evidence.ports)?,
        ("port_scan", _) => write!(text, "contacted {about}{value} ports of {} targets", evidence.peers)?,
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
    write!(f, "    {episodes} alerts of {kind}: up to {peak} in {window} s, limit {limit}, {first} to {last}, ")?;
    write_lines(f, &alert.first_line, &alert.last_line)
}

fn write_lines(f: &mut fmt::Formatter<'_>, first: &LineEntry, last: &LineEntry) -> fmt::Result {
    let (of_first, of_last) = (printable(&first.log), printable(&last.log));
    writeln!(f, "{of_first} line {} to {of_last} line {}", first.line, last.line)
}
