//! The leases of DHCP servers: dnsmasq, ISC dhcpd and Kea, of IPv4 and IPv6. Takes the bytes of a lease file; gives the
//! name and the Ethernet address of each leased address. Must not know files, nor a clock.

mod dhcpd;
mod dnsmasq;
mod kea;

use std::collections::HashMap;
use std::net::IpAddr;

use super::text::{LONGEST_NAME, clean};

/// The most leases of a file.
pub(super) const MOST_LEASES: usize = 65_536;

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lease {
    /// The name that the client gave.
    pub name: Option<Box<str>>,
    /// The Ethernet address of the client.
    pub mac: Option<[u8; 6]>,
    /// Seconds since the epoch at which it ends; none if it never does.
    pub ends: Option<u64>,
}

impl Lease {
    /// True if the lease has not ended at `now`, in seconds since the epoch.
    pub(super) fn is_valid(&self, now: u64) -> bool {
        self.ends.is_none_or(|ends| ends > now)
    }
}

/// The leases of a file, and the number of those that did not fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leases {
    pub by_address: HashMap<IpAddr, Lease>,
    pub refused: u64,
}

impl Leases {
    /// Puts a lease in the place of an earlier one of the address.
    fn put(&mut self, address: IpAddr, lease: Lease) {
        if self.by_address.len() < MOST_LEASES || self.by_address.contains_key(&address) {
            self.by_address.insert(address, lease);
        } else {
            self.refused += 1;
        }
    }

    fn remove(&mut self, address: IpAddr) {
        self.by_address.remove(&address);
    }
}

/// Reads a lease file; its form follows from its lines. Lines that are no leases are left out.
pub(super) fn parse(file: &[u8]) -> Leases {
    let text = String::from_utf8_lossy(file);
    // A file whose beginning was cut off has no header, so all lines may say what it is.
    let form = text.lines().find_map(|line| {
        let line = line.trim_start();
        if kea::is_header(line) || kea::is_lease(line) {
            return Some(kea::parse as fn(&str) -> Leases);
        }
        if dhcpd::is_typical(line) {
            return Some(dhcpd::parse);
        }
        dnsmasq::is_lease(line).then_some(dnsmasq::parse)
    });
    form.map_or_else(Leases::default, |parse| parse(&text))
}

fn name(text: &str) -> Option<Box<str>> {
    clean(text, LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(name: &str, mac: Option<[u8; 6]>, ends: Option<u64>) -> Lease {
        Lease { name: super::name(name), mac, ends }
    }

    const MAC: [u8; 6] = [0, 0x1b, 0xc5, 0, 0, 1];

    fn of(file: &str, address: &str) -> Option<Lease> {
        parse(file.as_bytes()).by_address.get(&address.parse::<IpAddr>().unwrap()).cloned()
    }

    const DNSMASQ: &str = "1700000000 00:1b:c5:00:00:01 10.0.0.5 nas 01:00:1b:c5:00:00:01\n\
                           0 00:1b:c5:00:00:02 10.0.0.6 * *\n\
                           duid 00:01:00:01:2c:aa:bb:cc:00:1b:c5:00:00:09\n\
                           1700000000 12345678 2001:db8::5 nas6 00:01:00:01:2c\n";

    const DHCPD: &str = "# comment\nauthoring-byte-order little-endian;\n\n\
        lease 10.0.0.5 {\n  starts 2 2023/11/14 21:13:20;\n  ends 2 2023/11/14 22:13:20;\n  binding state active;\n  \
        next binding state free;\n  hardware ethernet 00:1b:c5:00:00:01;\n  client-hostname \"nas\";\n}\n\
        lease 10.0.0.6 {\n  ends never;\n  binding state active;\n  set ddns-fwd-name = \"six.lan\";\n}\n\
        lease 10.0.0.7 {\n  binding state active;\n  client-hostname \"seven\";\n}\n\
        lease 10.0.0.7 {\n  binding state free;\n}\n\
        ia-na \"\\001\\002\" {\n  cltt 2 2023/11/14 21:13:20;\n  iaaddr 2001:db8::5 {\n    binding state active;\n    \
        ends epoch 1700000000; # a comment\n    set ddns-fwd-name = \"nas6\";\n  }\n}\n";

    const KEA_V4: &str = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n\
        10.0.0.5,00:1b:c5:00:00:01,,3600,1700000000,1,1,1,old.lan,0,\n\
        10.0.0.5,00:1b:c5:00:00:01,,3600,1700000000,1,1,1,nas,0,\n\
        10.0.0.6,,,3600,1700000000,1,0,0,a&#x2cb,0,\n\
        10.0.0.7,,,3600,1700000000,1,0,0,gone,2,\n";

    const KEA_V6: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context\n\
        2001:db8::5,00:01:00,3600,1700000000,1,1800,0,7,128,0,0,nas6,00:1b:c5:00:00:01,0,\n\
        2001:db8:1::,00:01:00,3600,1700000000,1,1800,2,7,56,0,0,prefix,,0,\n";

    #[test]
    fn leases_of_each_server_are_read() {
        let ends = Some(1_700_000_000);
        for (file, address, expected) in [
            (DNSMASQ, "10.0.0.5", Some(lease("nas", Some(MAC), ends))),
            (DNSMASQ, "10.0.0.6", Some(lease("", Some([0, 0x1b, 0xc5, 0, 0, 2]), None))),
            (DNSMASQ, "2001:db8::5", Some(lease("nas6", None, ends))),
            (DHCPD, "10.0.0.5", Some(lease("nas", Some(MAC), ends))),
            (DHCPD, "10.0.0.6", Some(lease("six.lan", None, None))),
            (DHCPD, "10.0.0.7", None),
            (DHCPD, "2001:db8::5", Some(lease("nas6", None, ends))),
            (KEA_V4, "10.0.0.5", Some(lease("nas", Some(MAC), ends))),
            (KEA_V4, "10.0.0.6", Some(lease("a,b", None, ends))),
            (KEA_V4, "10.0.0.7", None),
            (KEA_V6, "2001:db8::5", Some(lease("nas6", Some(MAC), ends))),
            (KEA_V6, "2001:db8:1::", None),
        ] {
            assert_eq!(of(file, address), expected, "{address} in {file}");
        }
    }

    #[test]
    fn lease_ends_at_its_moment() {
        let lease = of(DNSMASQ, "10.0.0.5").unwrap();
        assert!(lease.is_valid(1_699_999_999) && !lease.is_valid(1_700_000_000));
        assert!(of(DNSMASQ, "10.0.0.6").unwrap().is_valid(u64::MAX));
    }

    #[test]
    fn every_truncation_and_every_changed_byte_is_read_without_harm() {
        for file in [DNSMASQ, DHCPD, KEA_V4, KEA_V6] {
            let whole = parse(file.as_bytes()).by_address.len();
            for end in 0..file.len() {
                assert!(parse(&file.as_bytes()[..end]).by_address.len() <= whole + 1, "{end}");
                let mut changed = file.as_bytes().to_vec();
                changed[end] ^= 0x55;
                parse(&changed);
            }
        }
    }

    #[test]
    fn kea_file_without_its_header_is_read() {
        let (_, tail) = KEA_V4.split_once('\n').unwrap();
        assert_eq!(of(tail, "10.0.0.5").unwrap().name.as_deref(), Some("nas"));
        let (_, tail) = KEA_V6.split_once('\n').unwrap();
        assert_eq!(of(tail, "2001:db8::5").unwrap().name.as_deref(), Some("nas6"));
    }

    #[test]
    fn hostile_names_are_stored_as_printable_text() {
        let file = "1700000000 00:1b:c5:00:00:01 10.0.0.5 <script>\u{1b}[31m\u{202e}\" *\n";
        assert_eq!(of(file, "10.0.0.5").unwrap().name.as_deref(), Some("<script>\u{fffd}[31m\u{fffd}\""));
        let long = format!("1700000000 00:1b:c5:00:00:01 10.0.0.5 {} *\n", "x".repeat(100_000));
        assert_eq!(of(&long, "10.0.0.5").unwrap().name.unwrap().len(), LONGEST_NAME);
        let mut bytes = b"1700000000 00:1b:c5:00:00:01 10.0.0.5 a\xff\xfeb *\n".to_vec();
        bytes.extend([0xff; 1_000]);
        assert_eq!(parse(&bytes).by_address.len(), 1);
        for text in ["", "\n\n", "lease", "lease x {", "}", "address,", "a b c d e", "lease 10.0.0.5 { }"] {
            assert_eq!(parse(text.as_bytes()), Leases::default(), "{text}");
        }
    }

    #[test]
    fn leases_past_the_limit_are_counted() {
        let line = |number: usize| {
            let [a, b, c, _] = u32::try_from(number << 8).unwrap().to_be_bytes();
            format!("0 00:1b:c5:00:00:01 {a}.{b}.{c}.1 h{number} *\n")
        };
        let file: String = (1..=MOST_LEASES + 3).map(line).collect();
        let leases = parse(file.as_bytes());
        assert_eq!((leases.by_address.len(), leases.refused), (MOST_LEASES, 3));
    }
}
