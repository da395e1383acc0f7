//! The report of an analysis for people. Takes a report; gives text. Must not know how figures were counted.

use std::fmt::{self, Display, Write as _};

use super::report::{AddressFigures, AnalysisReport, ThreatFigures};
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
        writeln!(f, "\nEvents per {} s", self.rate.period_seconds)?;
        for period in &self.rate.periods {
            let length = (u128::from(period.events) * u128::from(BAR)).div_ceil(u128::from(most));
            let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
            let start = period.start.split('.').next().unwrap_or_default();
            writeln!(f, "  {start}Z {:>10} {bar}", period.events)?;
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

fn write_threat(f: &mut fmt::Formatter<'_>, threat: &ThreatFigures) -> fmt::Result {
    let evidence = &threat.evidence;
    let about = if threat.estimate { "about " } else { "" };
    let mut what = String::new();
    match threat.kind {
        "host_scan" => write!(what, "contacted {about}{} targets on {} ports", evidence.peers, evidence.ports)?,
        "port_scan" => write!(what, "contacted {about}{} ports of {} targets", evidence.ports, evidence.peers)?,
        "single_port_sweep" => {
            let port = evidence.port.as_deref().unwrap_or("-");
            write!(what, "contacted {about}{} targets on port {port}", evidence.peers)?;
        }
        "repeat_offender" => write!(what, "returned after pauses: {} periods of activity", evidence.visits)?,
        _ => {
            let at = evidence.peak_at.as_deref().unwrap_or("-");
            write!(what, "up to {} packets per second, at {at}", evidence.peak_packets_per_second)?;
        }
    }
    let (first, last) = (&evidence.first_line, &evidence.last_line);
    writeln!(f, "  {:<18} {} {what}", threat.kind, threat.address)?;
    writeln!(
        f,
        "    {} events, {} packets, {} to {}, {} line {} to {} line {}",
        evidence.events,
        evidence.packets + evidence.suppressed_packets,
        evidence.first,
        evidence.last,
        printable(&first.log),
        first.line,
        printable(&last.log),
        last.line
    )
}
