//! The lease files of Kea's memfile backend. Takes their lines; gives leases. Must not know other servers.
//!
//! A line has comma-separated values in the order of the header. In values, commas are written as `&#x2c` and ampersands
//! as `&#x26`. A later line about an address replaces an earlier one.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::text::parse_mac;
use super::{Lease, Leases, name};

/// The columns of an IPv4 file, as far as all versions have them at these positions.
const COLUMNS_V4: &str = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state";
/// The same of an IPv6 file.
const COLUMNS_V6: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state";

/// Begins an escaped byte.
const ESCAPE: &str = "&#x";
/// The state of a lease in use; others are declined or reclaimed.
const IN_USE: &str = "0";
/// The type of an IPv6 lease that is a prefix.
const PREFIX: &str = "2";

/// The positions of the columns in use.
#[derive(Debug, Clone, Copy)]
struct ColumnPositions {
    address: usize,
    hostname: usize,
    expire: usize,
    state: usize,
    hardware: Option<usize>,
    lease_type: Option<usize>,
}

/// True for the first line of a file.
pub(super) fn is_header(line: &str) -> bool {
    line.starts_with("address,")
}

/// True for a line with a lease, in a file without its header.
pub(super) fn is_lease(line: &str) -> bool {
    let mut fields = line.split(',');
    let is_address = fields.next().is_some_and(|field| field.parse::<IpAddr>().is_ok());
    is_address && fields.count() >= 9
}

pub(super) fn parse(text: &str) -> Leases {
    let header = text.lines().find(|line| is_header(line));
    let of = |columns: &str| positions(columns);
    let (given, v4, v6) = (header.and_then(of), of(COLUMNS_V4), of(COLUMNS_V6));
    let mut leases = Leases::default();
    for line in text.lines().filter(|line| !is_header(line)) {
        let fields: Vec<&str> = line.trim_end().split(',').collect();
        let is_v6 = fields.first().is_some_and(|address| address.contains(':'));
        let columns = given.or(if is_v6 { v6 } else { v4 });
        if let Some((address, lease)) = columns.and_then(|columns| lease(&fields, &columns)) {
            match lease {
                Some(lease) => leases.put(address, lease),
                None => leases.remove(address),
            }
        }
    }
    leases
}

fn positions(header: &str) -> Option<ColumnPositions> {
    let names: Vec<&str> = header.trim_end().split(',').collect();
    let position = |name: &str| names.iter().position(|column| *column == name);
    Some(ColumnPositions {
        address: position("address")?,
        hostname: position("hostname")?,
        expire: position("expire")?,
        state: position("state")?,
        hardware: position("hwaddr"),
        lease_type: position("lease_type"),
    })
}

/// The address of a line and its lease; no lease if the address is not in use.
fn lease(fields: &[&str], columns: &ColumnPositions) -> Option<(IpAddr, Option<Lease>)> {
    let field = |position: usize| fields.get(position).copied();
    let of = |position: Option<usize>| position.and_then(field);
    let address = field(columns.address)?.parse().ok()?;
    if of(columns.lease_type) == Some(PREFIX) {
        return None;
    }
    let lease = Lease {
        name: name(&unescaped(field(columns.hostname)?)),
        mac: of(columns.hardware).and_then(parse_mac),
        ends: field(columns.expire)?.parse().ok(),
    };
    Some((address, Some(lease).filter(|_| field(columns.state) == Some(IN_USE))))
}

/// A value with its escapes read: `&#x` and two hexadecimal digits are one byte. Bytes that are not UTF-8 become U+FFFD.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains(ESCAPE) {
        return Cow::Borrowed(value);
    }
    let (mut bytes, mut rest) = (Vec::new(), value);
    while let Some((before, behind)) = rest.split_once(ESCAPE) {
        bytes.extend(before.as_bytes());
        let byte = behind.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.extend(ESCAPE.as_bytes());
            rest = behind;
        }
    }
    bytes.extend(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_in_values_are_read_once() {
        for (written, value) in [
            ("nas", "nas"),
            ("a&#x2cb&#x2C", "a,b,"),
            ("a&#x26#x2cb", "a&#x2cb"),
            ("&#x26", "&"),
            ("b&#xc3&#xbcro", "büro"),
            ("&#xff", "\u{fffd}"),
            ("a&#x", "a&#x"),
            ("a&#x2", "a&#x2"),
            ("a&#x+1&#x\u{fc}", "a&#x+1&#x\u{fc}"),
        ] {
            assert_eq!(unescaped(written), value, "{written}");
        }
    }
}
