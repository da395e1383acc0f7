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
        let line = without_comment(line).trim();
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
            self.lease.name = quoted(host).and_then(|host| name(&host));
        } else if let Some(host) = statement.strip_prefix("set ddns-fwd-name = ") {
            // The name that the client gave comes first.
            self.lease.name = self.lease.name.take().or_else(|| name(&quoted(host)?));
        }
    }
}

/// The line before a `#` that is not in quotes.
fn without_comment(line: &str) -> &str {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let begins_comment = |(_, letter): &(usize, char)| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            letter => return *letter == '#' && !is_quoted,
        }
        false
    };
    let comment = line.char_indices().find(begins_comment);
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The text of a string in quotes; none if a quote is missing. Bytes that are not UTF-8 become U+FFFD.
fn quoted(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('"')?;
    let (mut bytes, mut rest) = (Vec::new(), inner.as_bytes());
    loop {
        rest = match rest {
            [b'"', ..] => return Some(String::from_utf8_lossy(&bytes).into_owned()),
            [b'\\', escape @ ..] => {
                let (byte, rest) = unescaped(escape)?;
                bytes.push(byte);
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

/// The byte of an escape, after its backslash, and what follows it. dhcpd writes `\ooo`, `\"` and `\\`, and reads
/// these others as well.
fn unescaped(escape: &[u8]) -> Option<(u8, &[u8])> {
    match escape {
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
            Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), rest))
        }
        [b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(((digit(*high)? << 4) | digit(*low)?, rest))
        }
        [b't', rest @ ..] => Some((b'\t', rest)),
        [b'n', rest @ ..] => Some((b'\n', rest)),
        [b'r', rest @ ..] => Some((b'\r', rest)),
        [b'b', rest @ ..] => Some((0x08, rest)),
        [other, rest @ ..] => Some((*other, rest)),
        [] => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a lease with this statement.
    fn name_of(statement: &str) -> Option<String> {
        let text = format!("lease 10.0.0.5 {{\n  binding state active;\n  {statement}\n}}\n");
        let leases = parse(&text);
        leases.by_address.values().next().unwrap().name.as_deref().map(str::to_owned)
    }

    #[test]
    fn escapes_in_host_names_are_read() {
        for (written, name) in [
            (r#"client-hostname "nas";"#, "nas"),
            (r#"client-hostname "Anna\047s iPad";"#, "Anna's iPad"),
            (r#"client-hostname "b\303\274ro";"#, "büro"),
            (r#"client-hostname "a\"b\\c";"#, r#"a"b\c"#),
            (r#"client-hostname "a\\047";"#, r"a\047"),
            (r#"client-hostname "a\x41\.b";"#, "aA.b"),
            (r#"set ddns-fwd-name = "b\303\274ro.lan";"#, "büro.lan"),
            (r#"client-hostname "a # b; c"; # a comment"#, "a # b; c"),
            (r#"client-hostname "a\" # b";# a comment"#, r#"a" # b"#),
        ] {
            assert_eq!(name_of(written).as_deref(), Some(name), "{written}");
        }
    }

    #[test]
    fn escaped_bytes_that_cannot_be_shown_are_made_safe() {
        assert_eq!(
            name_of(r#"client-hostname "a\033[31m\012\000\377";"#).unwrap(),
            "a\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(name_of(r#"client-hostname "\342\200\256x";"#).unwrap(), "\u{fffd}x", "U+202E reverses text");
    }

    #[test]
    fn strings_without_their_end_give_no_name() {
        for statement in
            [r#"client-hostname "nas;"#, r#"client-hostname "nas\";"#, "client-hostname nas;", "client-hostname \";"]
        {
            assert_eq!(name_of(statement), None, "{statement}");
        }
    }
}
