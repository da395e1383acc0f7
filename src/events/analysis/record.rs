//! One event of a log, as far as the analysis needs it. Takes fields by their names; gives a record. Must not know
//! formats.

use std::net::IpAddr;

use ipnet::IpNet;

use super::values::{LogTarget, LogValue};
use crate::detect::Kind;
use crate::packet::Protocol;

/// A field that the analysis reads. Others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogField {
    Event,
    Time,
    First,
    Last,
    Source,
    Destination,
    Port,
    Network,
    Protocol,
    Packets,
    Bytes,
    Action,
    Suppressed,
    Kind,
    State,
    Value,
    Peak,
    Limit,
    Window,
    FirstTarget,
    LastTarget,
    StartsAt,
}

impl LogField {
    /// The field of a name, also of names that other programs use.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match (name.len(), name) {
            (2, b"ts") => Self::Time,
            (3, b"src") => Self::Source,
            (3, b"dst") => Self::Destination,
            (4, b"last") => Self::Last,
            (4, b"kind") => Self::Kind,
            (4, b"peak") => Self::Peak,
            (4, b"time") => Self::Time,
            (4, b"size") => Self::Bytes,
            (5, b"event") => Self::Event,
            (5, b"first") => Self::First,
            (5, b"bytes") => Self::Bytes,
            (5, b"state") => Self::State,
            (5, b"value") => Self::Value,
            (5, b"limit") => Self::Limit,
            (5, b"proto") => Self::Protocol,
            (6, b"action") => Self::Action,
            (6, b"src_ip" | b"source") => Self::Source,
            (6, b"dst_ip") => Self::Destination,
            (6, b"length") => Self::Bytes,
            (7, b"packets") => Self::Packets,
            (7, b"network") => Self::Network,
            (7, b"dest_ip") => Self::Destination,
            (7, b"dropped") => Self::Action,
            (8, b"dst_port") => Self::Port,
            (8, b"protocol") => Self::Protocol,
            (9, b"timestamp") => Self::Time,
            (9, b"source_ip") => Self::Source,
            (9, b"dest_port") => Self::Port,
            (9, b"starts_at") => Self::StartsAt,
            (10, b"suppressed") => Self::Suppressed,
            (11, b"destination") => Self::Destination,
            (11, b"packet_size") => Self::Bytes,
            (11, b"last_target") => Self::LastTarget,
            (12, b"first_target") => Self::FirstTarget,
            (14, b"destination_ip") => Self::Destination,
            (14, b"window_seconds") => Self::Window,
            (16, b"destination_port") => Self::Port,
            _ => return None,
        })
    }
}

/// The kind of an alert in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum LoggedKind {
    Known(Kind),
    /// A kind of a later version.
    Unknown,
}

impl LoggedKind {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Known(kind) => kind.label(),
            Self::Unknown => "other",
        }
    }

    fn of(value: LogValue<'_>) -> Option<Self> {
        match value {
            LogValue::Text(b"") | LogValue::Other => None,
            _ => {
                let known = Kind::ALL.into_iter().find(|kind| value.is_text(kind.label()));
                Some(known.map_or(Self::Unknown, Self::Known))
            }
        }
    }
}

/// The fields of an alert.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct AlertFields {
    kind: Option<LoggedKind>,
    pub(super) is_resolved: bool,
    pub(super) network: Option<IpNet>,
    /// Nanoseconds since the epoch, as the following times.
    pub(super) starts_at: Option<i64>,
    first: Option<i64>,
    last: Option<i64>,
    value: Option<f64>,
    peak: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) window_seconds: Option<f64>,
    targets: [Option<LogTarget>; 2],
}

impl AlertFields {
    /// The first and the last target that the source contacted. Those of other kinds are peers with traffic.
    pub(super) fn contacts(&self) -> impl Iterator<Item = LogTarget> {
        let is_of_contacts = matches!(self.kind, Some(LoggedKind::Known(Kind::HostScan | Kind::PortScan)));
        self.targets.into_iter().flatten().filter(move |_| is_of_contacts)
    }

    /// The time of the packets, as far as the line, of time `time`, tells it.
    pub(super) fn active_time(&self, time: i64) -> (i64, i64) {
        let start = self.first.or(self.starts_at).unwrap_or(time);
        (start, self.last.unwrap_or(start).max(start))
    }

    /// The highest figure of the episode so far.
    pub(super) fn figure(&self) -> f64 {
        self.peak.or(self.value).unwrap_or(0.0)
    }
}

/// An event of a log.
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// Apart, so that a record is small: most lines are violations.
    alert: Option<Box<AlertFields>>,
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
            _ if !self.is_violation => self.set_of_alert(field, value),
            _ => {}
        }
    }

    fn set_of_alert(&mut self, field: LogField, value: LogValue<'_>) {
        let alert = self.alert.get_or_insert_default();
        match field {
            LogField::First => alert.first = value.time(),
            LogField::Last => alert.last = value.time(),
            LogField::Network => alert.network = value.network(),
            LogField::Kind => alert.kind = LoggedKind::of(value),
            LogField::State => alert.is_resolved = value.is_text("resolved"),
            LogField::Value => alert.value = value.figure(),
            LogField::Peak => alert.peak = value.figure(),
            LogField::Limit => alert.limit = value.figure(),
            LogField::Window => alert.window_seconds = value.figure(),
            LogField::FirstTarget => alert.targets[0] = value.target(),
            LogField::LastTarget => alert.targets[1] = value.target(),
            LogField::StartsAt => alert.starts_at = value.time(),
            _ => {}
        }
    }

    /// The fields of an alert and its kind; none for other events.
    #[inline]
    pub(super) fn alert(&self) -> Option<(&AlertFields, LoggedKind)> {
        let alert = self.alert.as_deref().filter(|_| !self.is_violation)?;
        Some((alert, alert.kind?))
    }

    /// Packets of the event. A log without this field has a line per packet, unless the line only tells of packets
    /// without an event.
    #[inline]
    pub(super) fn packets(&self) -> u64 {
        self.packets.unwrap_or(u64::from(self.suppressed == 0))
    }

    /// The reason why the line is no event; none if it is one.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self {
            Self { time: None, .. } => Some("no time that can be read"),
            _ if self.alert().is_some() => None,
            // Packets of several sources have none.
            Self { source: None, suppressed: 0, .. } => Some("no source address that can be read"),
            _ => None,
        }
    }
}
