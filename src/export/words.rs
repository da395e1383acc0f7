//! Addresses and protocols as text, appended without an allocation each.

use std::io::Write as _;
use std::net::IpAddr;

use crate::packet::Protocol;
use crate::services::protocol_name;

/// Appends `address`: dotted decimal, or RFC 5952 for IPv6.
pub(super) fn push_address(buffer: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let mut digits = itoa::Buffer::new();
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    buffer.push(b'.');
                }
                buffer.extend_from_slice(digits.format(octet).as_bytes());
            }
        }
        // Writing to a `Vec` cannot fail.
        IpAddr::V6(address) => write!(buffer, "{address}").unwrap_or_default(),
    }
}

/// IANA's keyword, or the number where there is none.
pub(super) fn push_protocol(buffer: &mut Vec<u8>, protocol: Protocol) {
    match protocol_name(protocol) {
        Some(name) => buffer.extend_from_slice(name.as_bytes()),
        None => buffer.extend_from_slice(itoa::Buffer::new().format(protocol.0).as_bytes()),
    }
}
