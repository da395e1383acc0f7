//! Text from outside, made safe to store. Takes bytes of names; gives one line of bounded length. Must not know where the
//! text is shown.

use crate::capture::printable::is_unsafe;

/// The most bytes of a name. A DNS name has at most 253 characters.
pub(super) const LONGEST_NAME: usize = 255;

/// Stands in place of a character that cannot be seen.
const UNSEEN: char = '\u{fffd}';

/// A name on one line, without blanks around it and without a final dot; none if nothing is left. A name over `longest`
/// bytes is cut.
pub(super) fn clean(text: &str, longest: usize) -> Option<Box<str>> {
    let text = text.trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut name = String::with_capacity(text.len().min(longest));
    for letter in text.chars().map(|letter| if is_unsafe(letter) { UNSEEN } else { letter }) {
        if name.len() + letter.len_utf8() > longest {
            break;
        }
        name.push(letter);
    }
    (!name.is_empty()).then(|| name.into_boxed_str())
}

/// The labels of a DNS name with dots between them. Bytes that are no printable ASCII, dots and backslashes are escaped
/// as in zone files (RFC 1035, section 5.1).
pub(super) fn dns_name<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Box<str>> {
    let mut name = String::new();
    for label in labels {
        if !name.is_empty() {
            name.push('.');
        }
        for &byte in label {
            match byte {
                b'.' | b'\\' => name.extend(['\\', char::from(byte)]),
                _ if byte.is_ascii_graphic() => name.push(char::from(byte)),
                _ => name += &format!("\\{byte:03}"),
            }
        }
    }
    clean(&name, LONGEST_NAME)
}

/// An Ethernet address in lower case with colons.
pub(super) fn mac_text(mac: [u8; 6]) -> Box<str> {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}").into()
}

/// Reads an Ethernet address of six pairs of digits between colons or hyphens.
pub(super) fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.trim().split([':', '-']);
    for byte in &mut mac {
        let is_pair = |part: &&str| matches!(part.len(), 1 | 2) && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        let part = parts.next().filter(is_pair)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_one_bounded_printable_line() {
        let hostile = format!("<b>\u{1b}[31m\n\u{202e}\"{}", "é".repeat(300));
        let name = clean(&hostile, LONGEST_NAME).unwrap();
        assert!(name.len() <= LONGEST_NAME && !name.contains(is_unsafe), "{name}");
        assert!(name.starts_with("<b>\u{fffd}[31m\u{fffd}\u{fffd}\"é"));
        assert_eq!(clean(" nas.lan. ", LONGEST_NAME).as_deref(), Some("nas.lan"));
        assert_eq!((clean(" . ", 9), clean("", 9)), (None, None));
    }

    #[test]
    fn labels_of_any_bytes_are_escaped_as_in_zone_files() {
        let name = |labels: &[&[u8]]| dns_name(labels.iter().copied());
        assert_eq!(name(&[b"nas", b"lan"]).as_deref(), Some("nas.lan"));
        assert_eq!(name(&[b"a.b\\c", b"\n\xff\0"]).as_deref(), Some("a\\.b\\\\c.\\010\\255\\000"));
        assert_eq!(name(&[]), None);
        assert_eq!(name(&[[0xff; 63].as_slice(); 4]).unwrap().len(), LONGEST_NAME);
    }

    #[test]
    fn ethernet_addresses_are_read_and_written() {
        let mac = [0, 0x1b, 0xc5, 0xff, 1, 2];
        assert_eq!(&*mac_text(mac), "00:1b:c5:ff:01:02");
        assert_eq!(parse_mac("0:1B-c5:FF:1:02"), Some(mac));
        for text in ["", "0:1:2:3:4", "0:1:2:3:4:5:6", "0:1:2:3:4:xx", "001:b:c5:ff:01:02", "+1:0:0:0:0:0"] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
    }
}
