//! The fields of an event, in the one order that all formats have. Takes violations and changes of alerts; gives rows
//! of cells. Must not know formats.

use super::channel::LoggedEvent;
use crate::alert::{Alert, Change};
use crate::detect::Subject;
use crate::events::line::rfc_3339_nanoseconds;
use crate::events::state;
use crate::packet::{Protocol, Seconds, TcpFlags};
use crate::policy::{SuppressedPackets, Violation};
use crate::services::protocol_name;

/// The names of the fields: keys of JSON objects, columns of CSV.
pub(crate) const FIELDS: [&str; 30] = [
    "event",
    "ts",
    "first",
    "last",
    "interface",
    "src",
    "src_port",
    "dst",
    "dst_port",
    "network",
    "protocol",
    "flags",
    "packets",
    "bytes",
    "action",
    "suppressed",
    "kind",
    "rule",
    "state",
    "severity",
    "side",
    "value",
    "limit",
    "window_seconds",
    "peak",
    "first_target",
    "last_target",
    "starts_at",
    "lasted_seconds",
    "fingerprint",
];

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EventCell {
    /// A text, which may have any characters.
    Text(String),
    /// A number that is written as it is.
    Number(String),
}

/// The fields of an event that are present, in the order of [`FIELDS`].
#[derive(Debug, Default)]
pub(super) struct EventFields(Vec<(usize, EventCell)>);

impl EventFields {
    pub(super) fn of(event: &LoggedEvent) -> Self {
        let mut fields = Self(Vec::with_capacity(FIELDS.len()));
        match event {
            LoggedEvent::Violation(violation) => fields.put_violation(violation),
            LoggedEvent::Suppressed(suppressed) => fields.put_suppressed(suppressed),
            LoggedEvent::Alert(change) => fields.put_alert(change),
        }
        fields.0.sort_by_key(|(at, _)| *at);
        fields
    }

    /// The names and values of the fields that are present.
    pub(super) fn present(&self) -> impl Iterator<Item = (&'static str, &EventCell)> {
        self.0.iter().map(|(at, cell)| (FIELDS[*at], cell))
    }

    /// The value of each field, in order; none for those that are absent.
    pub(super) fn all(&self) -> impl Iterator<Item = Option<&EventCell>> {
        let mut present = self.0.iter().peekable();
        (0..FIELDS.len()).map(move |at| present.next_if(|(next, _)| *next == at).map(|(_, cell)| cell))
    }

    fn put(&mut self, name: &str, cell: EventCell) {
        if let Some(at) = FIELDS.iter().position(|known| *known == name) {
            self.0.push((at, cell));
        }
    }

    fn text(&mut self, name: &str, text: impl Into<String>) {
        self.put(name, EventCell::Text(text.into()));
    }

    fn number(&mut self, name: &str, number: impl ToString) {
        self.put(name, EventCell::Number(number.to_string()));
    }

    /// JSON has no notation for infinities and NaN: they are left out.
    fn finite(&mut self, name: &str, number: f64) {
        if number.is_finite() {
            self.number(name, number);
        }
    }

    fn put_violation(&mut self, violation: &Violation) {
        self.text("event", "violation");
        self.text("ts", rfc_3339_nanoseconds(violation.last));
        self.text("first", rfc_3339_nanoseconds(violation.first));
        self.text("last", rfc_3339_nanoseconds(violation.last));
        self.text("interface", &*violation.interface);
        self.text("src", violation.addresses.source().to_string());
        self.text("dst", violation.addresses.destination().to_string());
        for (name, port) in [("src_port", violation.source_port), ("dst_port", violation.destination_port)] {
            if port > 0 {
                self.number(name, port);
            }
        }
        self.text("protocol", protocol_text(violation.protocol));
        if violation.tcp_flags.0 > 0 {
            self.text("flags", flag_names(violation.tcp_flags));
        }
        self.number("packets", violation.packets);
        self.number("bytes", violation.bytes);
        self.text("action", violation.action.label());
        self.number("suppressed", violation.suppressed);
    }

    /// `packets` is 0, so that a sum of packets and suppressed packets over all lines is right.
    fn put_suppressed(&mut self, suppressed: &SuppressedPackets) {
        self.text("event", "suppressed");
        self.text("ts", rfc_3339_nanoseconds(suppressed.last));
        suppressed.source.iter().for_each(|source| self.text("src", source.to_string()));
        self.number("packets", 0);
        self.number("suppressed", suppressed.packets);
    }

    fn put_alert(&mut self, change: &Change) {
        let (alert, shown) = (change.alert(), change.alert().shown());
        self.text("event", "alert");
        self.text("ts", rfc_3339_nanoseconds(alert.ends_at.unwrap_or(alert.starts_at)));
        self.put_span(alert);
        self.put_subject(&alert.subject);
        self.number("bytes", shown.bytes);
        self.text("kind", alert.kind.label());
        self.text("rule", &*alert.rule);
        self.text("state", state(change));
        self.text("severity", alert.severity.label());
        self.text("side", alert.side.label());
        self.finite("value", shown.value);
        self.finite("limit", shown.limit);
        self.number("window_seconds", Seconds::of(alert.figures.window));
        self.finite("peak", alert.peak.value);
        for (name, target) in
            [("first_target", alert.figures.first_targets.first()), ("last_target", alert.figures.last_targets.last())]
        {
            target.iter().for_each(|target| self.text(name, target.to_string()));
        }
        self.text("starts_at", rfc_3339_nanoseconds(alert.starts_at));
        self.text("fingerprint", alert.fingerprint.to_string());
    }

    fn put_span(&mut self, alert: &Alert) {
        if let Some(span) = alert.span {
            self.text("first", rfc_3339_nanoseconds(span.first));
            self.text("last", rfc_3339_nanoseconds(span.last));
        }
        if let Some(lasted) = alert.lasted() {
            self.number("lasted_seconds", Seconds::of(lasted));
        }
    }

    fn put_subject(&mut self, subject: &Subject) {
        match subject {
            Subject::Source(source) => self.text("src", source.to_string()),
            Subject::Destination(destination) => self.text("dst", destination.to_string()),
            Subject::Pair { source, destination } => {
                self.text("src", source.to_string());
                self.text("dst", destination.to_string());
            }
            Subject::Network(network) => self.text("network", network.to_string()),
        }
    }
}

/// IANA's keyword of a protocol, or its number.
pub(super) fn protocol_text(protocol: Protocol) -> String {
    protocol_name(protocol).map_or_else(|| protocol.0.to_string(), str::to_owned)
}

/// The names of the flags that are set, from SYN on: `SYN|ACK`.
pub(super) fn flag_names(flags: TcpFlags) -> String {
    const NAMES: [(u8, &str); 8] = [
        (0x02, "SYN"),
        (0x10, "ACK"),
        (0x01, "FIN"),
        (0x04, "RST"),
        (0x08, "PSH"),
        (0x20, "URG"),
        (0x40, "ECE"),
        (0x80, "CWR"),
    ];
    let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| flags.0 & bit > 0).map(|(_, name)| *name).collect();
    set.join("|")
}
