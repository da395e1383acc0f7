//! The addresses of a filter, as they are written. Takes a word or a value; gives a network or a MAC address. Must not
//! know what words mean.

use std::net::IpAddr;
use std::str::FromStr as _;

use ipnet::IpNet;

/// Pairs of hexadecimal digits of a MAC address.
const MAC_PAIRS: usize = 6;

/// An address, a network with the bits behind its prefix cleared, or the network of an address that is written in part.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let address = || IpAddr::from_str(text).ok().map(IpNet::from);
    let network = || IpNet::from_str(text).ok().map(|network| network.trunc());
    address().or_else(network).or_else(|| begin_of_ipv4(text)).or_else(|| begin_of_ipv6(text))
}

/// `192.168.1` and `192.168.1.` are 192.168.1.0/24. A number without a dot may as well be part of a name.
fn begin_of_ipv4(text: &str) -> Option<IpNet> {
    let bytes: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    if !text.contains('.') || bytes.len() > 3 {
        return None;
    }
    let rest = ".0".repeat(4 - bytes.len());
    IpNet::from_str(&format!("{}{rest}/{}", bytes.join("."), 8 * bytes.len())).ok()
}

/// `2001:db8:` is 2001:db8::/32.
fn begin_of_ipv6(text: &str) -> Option<IpNet> {
    let groups = text.strip_suffix(':').filter(|groups| !groups.is_empty() && !groups.contains("::"))?;
    IpNet::from_str(&format!("{groups}::/{}", 16 * groups.split(':').count())).ok()
}

/// True if a word consists of numbers and dots, as an IPv4 address does. Names of hosts do not end with a number.
pub(super) fn looks_like_address(word: &str) -> bool {
    let is_digit = |letter: char| letter.is_ascii_digit();
    word.contains('.') && word.contains(is_digit) && word.chars().all(|letter| letter == '.' || is_digit(letter))
}

/// A MAC address in lower case with colons; none if the value is no whole one. Hyphens stand for colons.
pub(super) fn mac(value: &str) -> Option<String> {
    let mac = value.to_ascii_lowercase().replace('-', ":");
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    (mac.split(':').count() == MAC_PAIRS && mac.split(':').all(is_pair)).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_be_written_in_part() {
        for (text, expected) in [
            ("10.0.0.5", Some("10.0.0.5/32")),
            ("10.0.0.77/24", Some("10.0.0.0/24")),
            ("192.168.1", Some("192.168.1.0/24")),
            ("192.168.1.", Some("192.168.1.0/24")),
            ("10.1", Some("10.1.0.0/16")),
            ("10.", Some("10.0.0.0/8")),
            ("2001:db8:", Some("2001:db8::/32")),
            ("FE80:", Some("fe80::/16")),
            ("2001:db8::", Some("2001:db8::/128")),
            ("1:2:3:4:5:6:7:", Some("1:2:3:4:5:6:7:0/112")),
            ("10", None),
            (".", None),
            (".1", None),
            ("300.1", None),
            ("10..1", None),
            ("10.0.0.300", None),
            ("1.2.3.4.5", None),
            (":", None),
            ("port:", None),
            ("1:2:3:4:5:6:7:8:", None),
            ("192.168.1/24", None),
            ("nas.lan", None),
        ] {
            assert_eq!(network(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn word_of_numbers_and_dots_looks_like_an_address() {
        let looks = ["10.0.0.300", "1.2.3.4.5", "300.1", "10..1", ".1", "nas.lan", "10", ".", "10.0.0.5x", "v1.2", ""];
        assert_eq!(looks.map(looks_like_address).iter().filter(|looks| **looks).count(), 5);
        assert!(looks[..5].iter().all(|word| looks_like_address(word)));
    }

    #[test]
    fn mac_address_has_six_pairs() {
        for value in ["02:00:00:AB:00:05", "02-00-00-ab-00-05"] {
            assert_eq!(mac(value).as_deref(), Some("02:00:00:ab:00:05"));
        }
        for value in
            ["zz", "02:00:00", "02:00:00:ab:00:5", "02:00:00:ab:00:05:06", "0g:00:00:ab:00:05", "020000ab0005", ""]
        {
            assert_eq!(mac(value), None, "{value}");
        }
    }
}
