//! The rings: beginnings of frames and violations. Takes records of the kernel; gives messages and violations. Must not
//! know the maps.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use aya::maps::{Map, MapData, MapError, RingBuf};

use super::layout::{self, MESSAGE_BYTES, Message, Report, UNCOUNTED, VERSION_4};
use super::rows::ClockOffset;
use crate::account::interval::FrameCounters;
use crate::decode::NotIp;
use crate::kernel::{InterfaceTotals, KernelInterval, KernelMessage, KernelViolation};
use crate::os::epoll::WakeupWait;
use crate::packet::{Addresses, Protocol, TcpFlags};

/// The most messages of an interval. Further ones are counted.
const MAXIMUM_MESSAGES: usize = 65_536;
/// The most violations of an interval. Further ones are counted.
const MAXIMUM_VIOLATIONS: usize = 65_536;

pub(super) struct RecordRings {
    messages: RingBuf<MapData>,
    /// The kernel wakes the reader when half of the ring of messages is in use.
    wakeups: WakeupWait,
    reports: RingBuf<MapData>,
    read_messages: Vec<Message>,
    read_reports: Vec<Report>,
    messages_lost: u64,
    violations_lost: u64,
    /// Frames that were neither counted nor kept, by interface.
    unread: BTreeMap<u32, FrameCounters>,
}

impl RecordRings {
    pub(super) fn new(messages: Map, reports: Map) -> Result<Self, MapError> {
        let messages = RingBuf::try_from(messages)?;
        Ok(Self {
            wakeups: WakeupWait::new(messages.as_fd())?,
            messages,
            reports: RingBuf::try_from(reports)?,
            read_messages: Vec::new(),
            read_reports: Vec::new(),
            messages_lost: 0,
            violations_lost: 0,
            unread: BTreeMap::new(),
        })
    }

    /// Waits until it is time to read, `most` at most. An interval that has all its messages needs no reader sooner.
    pub(super) fn wait(&self, most: Duration) {
        if self.read_messages.len() < MAXIMUM_MESSAGES {
            self.wakeups.wait(most);
        } else {
            thread::sleep(most);
        }
    }

    /// Takes all records out of the rings.
    pub(super) fn read(&mut self) {
        while let Some(message) = self.messages.next().map(|record| layout::read::<Message>(&record)) {
            match message {
                Some(message) if self.read_messages.len() < MAXIMUM_MESSAGES => self.read_messages.push(message),
                lost => self.lose(lost.as_ref()),
            }
        }
        while let Some(record) = self.reports.next() {
            match layout::read(&record) {
                Some(report) if self.read_reports.len() < MAXIMUM_VIOLATIONS => self.read_reports.push(report),
                _ => self.violations_lost += 1,
            }
        }
    }

    /// Counts a message that is not kept. A frame that the kernel has not counted counts as one without a packet.
    fn lose(&mut self, message: Option<&Message>) {
        self.messages_lost += 1;
        if let Some(message) = message.filter(|message| message.kind == UNCOUNTED) {
            self.unread.entry(message.interface).or_default().count(message.wire_bytes);
        }
    }

    /// Gives what was read since the last call.
    pub(super) fn give(&mut self, clock: ClockOffset, interval: &mut KernelInterval) {
        interval.messages.extend(self.read_messages.drain(..).map(|message| given_message(clock, &message)));
        interval.violations.extend(self.read_reports.drain(..).map(|report| given_violation(clock, &report)));
        let unread = std::mem::take(&mut self.unread).into_iter().map(|(interface, frames)| InterfaceTotals {
            frames,
            not_ip: vec![(NotIp::Link, frames.frames)],
            ..InterfaceTotals::nothing(interface)
        });
        interval.totals.extend(unread);
        interval.messages_lost = std::mem::take(&mut self.messages_lost);
        interval.violations_lost = std::mem::take(&mut self.violations_lost);
    }
}

fn given_message(clock: ClockOffset, message: &Message) -> KernelMessage {
    let length = message.length as usize;
    KernelMessage {
        interface: message.interface,
        time: clock.time(message.time),
        length: message.length,
        wire_bytes: message.wire_bytes,
        wire_packets: message.segments,
        is_uncounted: message.kind == UNCOUNTED,
        bytes: message.bytes[..length.min(MESSAGE_BYTES)].to_vec(),
    }
}

fn given_violation(clock: ClockOffset, report: &Report) -> KernelViolation {
    KernelViolation {
        interface: report.interface,
        time: clock.time(report.time),
        addresses: addresses(report),
        protocol: Protocol(report.protocol),
        source_port: report.source_port,
        destination_port: report.destination_port,
        tcp_flags: TcpFlags(report.flags),
        bytes: report.bytes,
        is_dropped: report.is_dropped != 0,
        suppressed: report.suppressed,
    }
}

fn addresses(report: &Report) -> Addresses {
    if report.version == VERSION_4 {
        let [source, destination] = [report.source[3], report.destination[3]].map(Ipv4Addr::from_bits);
        Addresses::V4 { source, destination }
    } else {
        let [source, destination] = [report.source, report.destination].map(super::rows::address_v6);
        Addresses::V6 { source, destination }
    }
}
