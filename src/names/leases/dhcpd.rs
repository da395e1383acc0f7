//! The lease files of ISC dhcpd (dhcpd.leases(5)). Takes their lines; gives leases. Must not know other servers.
//!
//! A lease is a block of statements, one on a line. A later block about an address replaces an earlier one.

use std::net::IpAddr;

use super::super::text::parse_mac;
use super::{Lease, Leases, name};

/// True for a line that only a file of dhcpd has.
pub(super) fn is_typical(line: &str) -> bool {
    let is_block =
        line.ends_with('{') && ["lease ", "ia-na ", "ia-ta ", "ia-pd "].iter().any(|word| line.starts_with(word));
    is_block || line.starts_with("authoring-byte-order ") || line.starts_with("server-duid ")
}

/// The block that is being read.
#[derive(Debug, Default)]
struct LeaseBlock {
    address: Option<IpAddr>,
    lease: Lease,
    is_active: bool,
}

pub(super) fn parse(text: &str) -> Leases {
    let (mut leases, mut block) = (Leases::default(), LeaseBlock::default());
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(address) = opened(line) {
            block = LeaseBlock { address: address.parse().ok(), ..LeaseBlock::default() };
        } else if line == "}" {
            let LeaseBlock { address, lease, is_active } = std::mem::take(&mut block);
            match address {
                Some(address) if is_active => leases.put(address, lease),
                Some(address) => leases.remove(address),
                None => {}
            }
        } else if let Some(statement) = line.strip_suffix(';') {
            block.take(statement);
        }
    }
    leases
}

/// The address of a block that begins with this line.
fn opened(line: &str) -> Option<&str> {
    let line = line.strip_suffix('{')?.trim_end();
    line.strip_prefix("lease ").or_else(|| line.strip_prefix("iaaddr "))
}

impl LeaseBlock {
    fn take(&mut self, statement: &str) {
        if let Some(state) = statement.strip_prefix("binding state ") {
            self.is_active = state == "active";
        } else if let Some(mac) = statement.strip_prefix("hardware ethernet ") {
            self.lease.mac = parse_mac(mac);
        } else if let Some(time) = statement.strip_prefix("ends ") {
            self.lease.ends = seconds(time);
        } else if let Some(host) = statement.strip_prefix("client-hostname ") {
            self.lease.name = name(host.trim_matches('"'));
        } else if let Some(host) = statement.strip_prefix("set ddns-fwd-name = ") {
            // The name that the client gave comes first.
            self.lease.name = self.lease.name.take().or_else(|| name(host.trim_matches('"')));
        }
    }
}

/// Seconds since the epoch of `2 2023/11/14 22:13:20` or `epoch 1700000000`; none for `never`.
fn seconds(time: &str) -> Option<u64> {
    let (first, rest) = time.split_once(' ')?;
    if first == "epoch" {
        return rest.trim().parse().ok();
    }
    let moment = humantime::parse_rfc3339_weak(&rest.trim().replace('/', "-")).ok()?;
    Some(moment.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}
