//! One event of a log, as far as the analysis needs it. Takes fields by their names; gives a record. Must not know
//! formats.

use std::net::IpAddr;

use super::values::LogValue;
use crate::detect::Kind;
use crate::packet::Protocol;

/// A field that the analysis reads. Others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogField {
    Event,
    Time,
    Source,
    Destination,
    Port,
    Protocol,
    Packets,
    Bytes,
    Action,
    Suppressed,
    Kind,
    State,
}

impl LogField {
    /// The field of a name, also of names that other programs use.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"event" => Self::Event,
            b"ts" | b"time" | b"timestamp" => Self::Time,
            b"src" | b"src_ip" | b"source_ip" | b"source" => Self::Source,
            b"dst" | b"dst_ip" | b"destination_ip" | b"dest_ip" | b"destination" => Self::Destination,
            b"dst_port" | b"destination_port" | b"dest_port" => Self::Port,
            b"protocol" | b"proto" => Self::Protocol,
            b"packets" => Self::Packets,
            b"bytes" | b"packet_size" | b"size" | b"length" => Self::Bytes,
            b"action" | b"dropped" => Self::Action,
            b"suppressed" => Self::Suppressed,
            b"kind" => Self::Kind,
            b"state" => Self::State,
            _ => return None,
        })
    }
}

/// An event of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LogRecord {
    is_violation: bool,
    /// Nanoseconds since the epoch.
    pub(super) time: Option<i64>,
    pub(super) source: Option<IpAddr>,
    pub(super) destination: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) protocol: Option<Protocol>,
    packets: Option<u64>,
    pub(super) bytes: u64,
    pub(super) suppressed: u64,
    pub(super) is_dropped: bool,
    pub(super) kind: Option<&'static str>,
    pub(super) is_resolved: bool,
}

impl LogRecord {
    #[inline]
    pub(super) fn set(&mut self, field: LogField, value: LogValue<'_>) {
        match field {
            LogField::Event => self.is_violation = value.is_text("violation"),
            LogField::Time => self.time = value.time(),
            LogField::Source => self.source = value.address(),
            LogField::Destination => self.destination = value.address(),
            LogField::Port => self.port = value.port(),
            LogField::Protocol => self.protocol = value.protocol(),
            LogField::Packets => self.packets = value.number(),
            LogField::Bytes => self.bytes = value.number().unwrap_or(0),
            LogField::Action => self.is_dropped = value.is_drop(),
            LogField::Suppressed => self.suppressed = value.number().unwrap_or(0),
            LogField::Kind => self.kind = kind(value),
            LogField::State => self.is_resolved = value.is_text("resolved"),
        }
    }

    /// True for an alert.
    pub(super) const fn is_alert(&self) -> bool {
        !self.is_violation && self.kind.is_some()
    }

    /// Packets of the event; a log without this field has a line per packet.
    pub(super) fn packets(&self) -> u64 {
        self.packets.unwrap_or(1)
    }

    /// The reason why the line is no event; none if it is one.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self {
            Self { time: None, .. } => Some("no time"),
            _ if self.is_alert() => None,
            Self { source: None, .. } => Some("no source address"),
            _ => None,
        }
    }
}

/// The kind of an alert. Logs of later versions may have others.
fn kind(value: LogValue<'_>) -> Option<&'static str> {
    match value {
        LogValue::Text("policy") => Some("policy"),
        LogValue::Text("") | LogValue::Other => None,
        LogValue::Text(text) => {
            Some(Kind::ALL.map(Kind::label).into_iter().find(|label| *label == text).unwrap_or("other"))
        }
        _ => Some("other"),
    }
}
