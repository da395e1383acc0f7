//! A hosts file (hosts(5)). Takes its bytes; gives the first name of each address. Must not know files.

use std::collections::HashMap;
use std::net::IpAddr;

use super::text::{LONGEST_NAME, clean};

/// The most addresses of a file.
pub(super) const MOST_HOSTS: usize = 65_536;

/// The names by address, and the number of addresses that did not fit. Of several lines about an address the first
/// counts.
pub(super) fn parse(file: &[u8]) -> (HashMap<IpAddr, Box<str>>, u64) {
    let (mut names, mut refused) = (HashMap::new(), 0);
    for line in String::from_utf8_lossy(file).lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        let name = words.next().and_then(|word| clean(word, LONGEST_NAME));
        let (Some(address), Some(name)) = (address, name) else { continue };
        if names.len() < MOST_HOSTS || names.contains_key(&address) {
            names.entry(address).or_insert(name);
        } else {
            refused += 1;
        }
    }
    (names, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_name_of_each_address_is_read() {
        let file = b"# comment\n127.0.0.1 localhost\n10.0.0.5\tnas.lan nas # disk\n10.0.0.5 other\n2001:db8::5 nas6\n\
                     10.0.0.6\nno-address name\n10.0.0.7 # none\n\xff\xfe\n10.0.0.8 a\xffb\n";
        let (names, refused) = parse(file);
        let name = |address: &str| names.get(&address.parse::<IpAddr>().unwrap()).map(|name| &**name);
        assert_eq!((name("10.0.0.5"), name("2001:db8::5")), (Some("nas.lan"), Some("nas6")));
        assert_eq!((name("10.0.0.6"), name("10.0.0.7"), name("10.0.0.8")), (None, None, Some("a\u{fffd}b")));
        assert_eq!((names.len(), refused), (4, 0));
    }

    #[test]
    fn addresses_past_the_limit_are_counted() {
        let line = |number: usize| format!("2001:db8::{:x}:{:x} h\n", number >> 16, number & 0xffff);
        let file: String = (0..MOST_HOSTS + 2).map(line).collect();
        let (names, refused) = parse(file.as_bytes());
        assert_eq!((names.len(), refused), (MOST_HOSTS, 2));
    }
}
