//! Metric families of the policy, where one is configured. Takes a report; gives samples. Must not know the networks.

use std::io::{self, Write};

use super::Report;
use super::family::{self, Family};
use super::text::TextWriter;
use crate::account::flow::Counters;
use crate::account::interval::VerdictCounters;
use crate::policy::{EventCounts, Verdict};

pub(super) fn write<W: Write>(report: &Report, writer: &mut TextWriter<W>) -> io::Result<()> {
    if let Some(verdicts) = &report.accounts.totals.verdicts {
        write_verdicts(&family::POLICY_BYTES, verdicts, |counters| counters.bytes, writer)?;
        write_verdicts(&family::POLICY_PACKETS, verdicts, |counters| counters.packets, writer)?;
    }
    let Some(EventCounts { events, packets, suppressed_packets }) = report.events else { return Ok(()) };
    writer.single(&family::POLICY_EVENTS, events)?;
    writer.single(&family::POLICY_EVENT_PACKETS, packets)?;
    writer.single(&family::POLICY_EVENTS_SUPPRESSED, suppressed_packets)
}

fn write_verdicts<W: Write>(
    family: &Family,
    verdicts: &VerdictCounters,
    value: impl Fn(Counters) -> u64,
    writer: &mut TextWriter<W>,
) -> io::Result<()> {
    writer.family(family)?;
    for verdict in Verdict::ALL {
        writer.sample(family.name).label("verdict", verdict.label()).value(value(verdicts.of(verdict)))?;
    }
    Ok(())
}
