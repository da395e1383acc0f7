//! The families of the older trafficmonitor, as it prints them. Takes a snapshot; gives samples in the older program's
//! words. Must not know the newer families.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::family;
use super::text::TextWriter;
use super::words::{push_address, push_protocol};
use crate::account::flow::{Counters, FlowKey};
use crate::account::snapshot::Snapshot;
use crate::locality::Direction;
use crate::packet::{Protocol, Timestamp};
use crate::services::service_name;

pub(super) fn write<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::HOSTS_SRC_DST)?;
    let mut dates = Dates::default();
    for flow in &snapshot.flows.rows {
        writer
            .sample(family::HOSTS_SRC_DST.name)
            .label_with("addr", |buffer| push_pair(buffer, &flow.key))
            .label_with("dstPort", |buffer| push_port(buffer, &flow.key))
            .label_with("firstSeen", |buffer| dates.push(buffer, flow.first_seen))
            .label_with("port", |buffer| push_port(buffer, &flow.key))
            .value(flow.lifetime.bytes)?;
    }
    // Left out in a live capture, where it would fall when a flow gets a row.
    if snapshot.flows.is_plain {
        write_other(snapshot, writer)?;
    }
    for (family, direction) in
        [(family::TOTAL_INCOMING, Direction::Incoming), (family::TOTAL_OUTGOING, Direction::Outgoing)]
    {
        writer.single(&family, snapshot.totals.direction(direction).bytes)?;
    }
    Ok(())
}

/// The traffic of flows without a row, one sample a protocol.
fn write_other<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    let mut by_protocol = std::collections::BTreeMap::<Protocol, Counters>::new();
    for (&(_, protocol), &counters) in &snapshot.flows.other {
        by_protocol.entry(protocol).or_default().add(counters);
    }
    for (protocol, counters) in by_protocol {
        writer
            .sample(family::HOSTS_SRC_DST.name)
            .label_with("addr", |buffer| {
                buffer.extend_from_slice(b"other->other, proto: ");
                push_protocol(buffer, protocol);
            })
            .label_with("dstPort", |buffer| push_protocol(buffer, protocol))
            .label("firstSeen", "")
            .label_with("port", |buffer| push_protocol(buffer, protocol))
            .value(counters.bytes)?;
    }
    Ok(())
}

/// `10.0.0.124->216.58.211.138, proto: udp`
fn push_pair(buffer: &mut Vec<u8>, key: &FlowKey) {
    push_address(buffer, key.source);
    buffer.extend_from_slice(b"->");
    push_address(buffer, key.destination);
    buffer.extend_from_slice(b", proto: ");
    push_protocol(buffer, key.protocol);
}

/// `udp/443(https)`, `reply_udp/443(https)`, `udp/50000`, `icmp`
fn push_port(buffer: &mut Vec<u8>, key: &FlowKey) {
    if key.reply {
        buffer.extend_from_slice(b"reply_");
    }
    push_protocol(buffer, key.protocol);
    if key.port == 0 {
        return;
    }
    buffer.push(b'/');
    buffer.extend_from_slice(itoa::Buffer::new().format(key.port).as_bytes());
    if let Some(name) = service_name(key.protocol, key.port) {
        buffer.push(b'(');
        buffer.extend_from_slice(name.as_bytes());
        buffer.push(b')');
    }
}

/// Times as `2021 03 17 13:31:58` in UTC. Most share their day, so the text of the date is kept.
#[derive(Default)]
struct Dates {
    day: Option<i64>,
    date: String,
}

impl Dates {
    const SECONDS_A_DAY: i64 = 24 * 60 * 60;

    fn push(&mut self, buffer: &mut Vec<u8>, time: Timestamp) {
        let day = time.seconds().div_euclid(Self::SECONDS_A_DAY);
        if self.day != Some(day) {
            self.day = Some(day);
            self.date = jiff::Timestamp::from_second(day * Self::SECONDS_A_DAY)
                .map(|midnight| midnight.to_zoned(TimeZone::UTC).strftime("%Y %m %d").to_string())
                .unwrap_or_default();
        }
        let second = time.seconds().rem_euclid(Self::SECONDS_A_DAY);
        buffer.extend_from_slice(self.date.as_bytes());
        for (mark, part) in [(b' ', second / 3_600), (b':', second / 60 % 60), (b':', second % 60)] {
            // Under 60 each.
            let part = part as u8;
            buffer.extend_from_slice(&[mark, b'0' + part / 10, b'0' + part % 10]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::flow::FlowKeying;
    use crate::account::snapshot::{Shown, ShownRow};
    use crate::export::Format;

    fn flow(
        source: &str,
        destination: &str,
        protocol: Protocol,
        port: u16,
        reply: bool,
        bytes: u64,
    ) -> ShownRow<FlowKey> {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        let key = FlowKey { source, destination, protocol, port, reply, direction: Direction::Outgoing };
        let first_seen = Timestamp::from_nanoseconds(1_615_987_918_999_999_999);
        let counters = Counters { packets: 1, bytes };
        ShownRow { key, first_seen, last_seen: None, shown_since: first_seen, lifetime: counters, value: counters }
    }

    fn written(rows: Vec<ShownRow<FlowKey>>) -> String {
        let flows = Shown { rows, is_plain: true, ..Shown::default() };
        let mut snapshot = Snapshot { flow_keying: FlowKeying::Service, flows, ..Snapshot::default() };
        let other = Counters { packets: 1, bytes: 10 };
        snapshot.flows.other.insert((Direction::Outgoing, Protocol::TCP), other);
        snapshot.flows.other.insert((Direction::Incoming, Protocol::TCP), other);
        snapshot.totals.traffic[Direction::Incoming as usize][1].bytes = 42;
        let mut out = Vec::new();
        let mut writer = TextWriter::new(Format::Text, None, &mut out);
        write(&snapshot, &mut writer).unwrap();
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_written_in_utc() {
        let mut dates = Dates::default();
        let texts = [0, 86_399, 86_400, 1_709_251_199, -1].map(|second| {
            let mut buffer = Vec::new();
            dates.push(&mut buffer, Timestamp::from_nanoseconds(second * 1_000_000_000));
            String::from_utf8(buffer).unwrap()
        });
        let expected = ["1970 01 01 00:00:00", "1970 01 01 23:59:59", "1970 01 02 00:00:00", "2024 02 29 23:59:59"];
        assert_eq!((&texts[..4], texts[4].as_str()), (&expected.map(str::to_owned)[..], "1969 12 31 23:59:59"));
    }

    #[test]
    fn the_families_look_as_the_older_program_prints_them() {
        let text = written(vec![
            flow("10.0.0.124", "216.58.211.138", Protocol::UDP, 443, false, 5602),
            flow("216.58.211.138", "10.0.0.124", Protocol::UDP, 443, true, 6229),
            flow("10.0.0.124", "216.58.211.138", Protocol::UDP, 50_000, false, 1),
            flow("fd00::1", "ff02::16", Protocol::ICMPV6, 0, false, 76),
            flow("10.0.0.1", "10.0.0.2", Protocol(253), 0, false, 20),
        ]);
        assert_eq!(
            text,
            r#"# HELP hosts_src_dst Number of bytes transfered between hosts
# TYPE hosts_src_dst gauge
hosts_src_dst{addr="10.0.0.124->216.58.211.138, proto: udp",dstPort="udp/443(https)",firstSeen="2021 03 17 13:31:58",port="udp/443(https)"} 5602
hosts_src_dst{addr="216.58.211.138->10.0.0.124, proto: udp",dstPort="reply_udp/443(https)",firstSeen="2021 03 17 13:31:58",port="reply_udp/443(https)"} 6229
hosts_src_dst{addr="10.0.0.124->216.58.211.138, proto: udp",dstPort="udp/50000",firstSeen="2021 03 17 13:31:58",port="udp/50000"} 1
hosts_src_dst{addr="fd00::1->ff02::16, proto: ipv6-icmp",dstPort="ipv6-icmp",firstSeen="2021 03 17 13:31:58",port="ipv6-icmp"} 76
hosts_src_dst{addr="10.0.0.1->10.0.0.2, proto: 253",dstPort="253",firstSeen="2021 03 17 13:31:58",port="253"} 20
hosts_src_dst{addr="other->other, proto: tcp",dstPort="tcp",firstSeen="",port="tcp"} 20
# HELP total_incoming total incoming bytes from internet
# TYPE total_incoming gauge
total_incoming 42
# HELP total_outgoing total outgoing bytes from internet
# TYPE total_outgoing gauge
total_outgoing 0
"#
        );
    }
}
