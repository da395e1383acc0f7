//! The cells of tables: one value, as JSON and as comma-separated values. Takes values; gives text and an order. Must
//! not know the tables.
//!
//! Spreadsheets run a text that begins like a formula. In comma-separated values such a text gets an apostrophe in
//! front, so that it stays text (OWASP, CSV injection).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::moment::Rfc3339;
use crate::names::{HostName, LocalProcess};
use crate::packet::Timestamp;

/// Characters with which a spreadsheet begins a formula, or drops before it looks for one.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The value of a row in one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CellValue<'a> {
    Null,
    Flag(bool),
    Count(u64),
    /// A finite number.
    Rate(f64),
    Address(IpAddr),
    Addresses(Vec<IpAddr>),
    Text(Cow<'a, str>),
    Time(Timestamp),
    Names(Option<&'a HostName>),
    Process(Option<&'a LocalProcess>),
}

impl<'a> CellValue<'a> {
    pub(super) fn address(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Null, Self::Address)
    }

    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    pub(super) fn time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Null, Self::Time)
    }

    /// The order of values of one column. Absent values come last, whatever the order.
    pub(super) fn compare(&self, other: &Self, is_descending: bool) -> Ordering {
        let ordering = match (self, other) {
            (Self::Null, Self::Null) => return Ordering::Equal,
            (Self::Null, _) => return Ordering::Greater,
            (_, Self::Null) => return Ordering::Less,
            (Self::Flag(one), Self::Flag(other)) => one.cmp(other),
            (Self::Count(one), Self::Count(other)) => one.cmp(other),
            (Self::Rate(one), Self::Rate(other)) => one.total_cmp(other),
            (Self::Address(one), Self::Address(other)) => one.cmp(other),
            (Self::Addresses(one), Self::Addresses(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Time(one), Self::Time(other)) => one.cmp(other),
            _ => Ordering::Equal,
        };
        if is_descending { ordering.reverse() } else { ordering }
    }

    /// The columns of comma-separated values that a column `name` becomes.
    pub(super) fn heads(&self, name: &str) -> Vec<String> {
        let part = |part: &&str| format!("{name}_{part}");
        match self {
            Self::Names(_) => HOST_PARTS.iter().map(part).collect(),
            Self::Process(_) => PROCESS_PARTS.iter().map(part).collect(),
            _ => vec![name.to_owned()],
        }
    }

    /// Appends the fields of comma-separated values, as many as there are heads.
    pub(super) fn push_fields(&self, fields: &mut Vec<String>) {
        let inert_or_empty = |text: Option<Box<str>>| text.map(|text| inert(&text)).unwrap_or_default();
        match self {
            Self::Null => fields.push(String::new()),
            Self::Flag(flag) => fields.push(flag.to_string()),
            Self::Count(count) => fields.push(count.to_string()),
            Self::Rate(rate) => fields.push(rate.to_string()),
            Self::Address(address) => fields.push(address.to_string()),
            Self::Addresses(addresses) => {
                fields.push(addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "));
            }
            Self::Text(text) => fields.push(inert(text)),
            Self::Time(time) => fields.push(Rfc3339(*time).to_string()),
            Self::Names(names) => {
                let HostName { dns, dhcp, vendor, mac, country, asn, organisation } =
                    names.cloned().unwrap_or_default();
                let asn = asn.map(|asn| asn.to_string()).unwrap_or_default();
                let [dns, dhcp, vendor, mac, country, organisation] =
                    [dns, dhcp, vendor, mac, country, organisation].map(inert_or_empty);
                fields.extend([dns, dhcp, vendor, mac, country, asn, organisation]);
            }
            Self::Process(process) => fields.extend(process.map_or_else(Default::default, |process| {
                [process.pid.to_string(), inert(&process.name), inert_or_empty(process.container.clone())]
            })),
        }
    }
}

const HOST_PARTS: [&str; 7] = ["dns", "dhcp", "vendor", "mac", "country", "asn", "organisation"];
const PROCESS_PARTS: [&str; 3] = ["pid", "name", "container"];

impl Serialize for CellValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Rate(rate) => serializer.serialize_f64(*rate),
            Self::Address(address) => address.serialize(serializer),
            Self::Addresses(addresses) => addresses.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Time(time) => Rfc3339(*time).serialize(serializer),
            Self::Names(names) => names.unwrap_or(&HostName::default()).serialize(serializer),
            Self::Process(process) => process.serialize(serializer),
        }
    }
}

/// A row: cells with the names of their columns.
pub(super) struct NamedCells<'a>(pub Vec<(&'static str, CellValue<'a>)>);

impl Serialize for NamedCells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in &self.0 {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

/// A text that no spreadsheet runs.
fn inert(text: &str) -> String {
    if text.starts_with(FORMULA_STARTS) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(cell: &CellValue<'_>) -> Vec<String> {
        let mut fields = Vec::new();
        cell.push_fields(&mut fields);
        assert_eq!(fields.len(), cell.heads("x").len());
        fields
    }

    #[test]
    fn text_like_a_formula_is_inert_in_comma_separated_values() {
        for (text, field) in [
            ("nas.lan", "nas.lan"),
            ("=1+2", "'=1+2"),
            ("+1", "'+1"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(fields(&CellValue::text(Some(text))), [field]);
        }
        let names = HostName { dns: Some("=cmd|' /C calc'!A0".into()), asn: Some(64_500), ..HostName::default() };
        let cells = ["'=cmd|' /C calc'!A0", "", "", "", "", "64500", ""];
        assert_eq!(fields(&CellValue::Names(Some(&names))), cells);
        let process = LocalProcess { pid: 7, name: "@x".into(), container: Some("-y".into()) };
        assert_eq!(fields(&CellValue::Process(Some(&process))), ["7", "'@x", "'-y"]);
        assert_eq!(fields(&CellValue::Process(None)), ["", "", ""]);
    }

    #[test]
    fn absent_values_come_last_in_both_orders() {
        for is_descending in [false, true] {
            assert_eq!(CellValue::Null.compare(&CellValue::text(Some("a")), is_descending), Ordering::Greater);
            assert_eq!(CellValue::text(Some("a")).compare(&CellValue::Null, is_descending), Ordering::Less);
        }
        assert_eq!(CellValue::Count(2).compare(&CellValue::Count(10), false), Ordering::Less);
        assert_eq!(CellValue::Count(2).compare(&CellValue::Count(10), true), Ordering::Greater);
    }
}
