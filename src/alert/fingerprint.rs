//! The fingerprint of an alert: the same in every process and in every episode. Takes a kind, a rule's name and a
//! subject; gives a hash. Must not know figures or times.

use std::fmt;
use std::net::IpAddr;

use crate::detect::{Kind, Subject};

/// A hash of kind, rule and subject alone: FNV-1a of 64 bits (Fowler, Noll and Vo) over the kind's word, a byte 0, the
/// rule's name, a byte 0 and the subject (its sort as a byte, then each address with its version as a byte, of a
/// network the prefix length too). Written as 16 hexadecimal digits, as Alertmanager writes its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Fingerprint {
    /// The fingerprint of the alerts of a rule about a subject.
    pub(crate) fn of(kind: Kind, rule: &str, subject: &Subject) -> Self {
        let named = Self(OFFSET_BASIS).with(kind.label().as_bytes()).with(&[0]).with(rule.as_bytes()).with(&[0]);
        match *subject {
            Subject::Source(source) => named.with(&[1]).with_address(source),
            Subject::Destination(destination) => named.with(&[2]).with_address(destination),
            Subject::Pair { source, destination } => named.with(&[3]).with_address(source).with_address(destination),
            Subject::Network(network) => named.with(&[4]).with_address(network.network()).with(&[network.prefix_len()]),
        }
    }

    fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME)))
    }

    fn with_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.with(&[4]).with(&address.octets()),
            IpAddr::V6(address) => self.with(&[6]).with(&address.octets()),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // The published test vectors.
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(Fingerprint(OFFSET_BASIS).with(text.as_bytes()), Fingerprint(hash));
        }
    }

    #[test]
    fn a_fingerprint_never_changes() {
        let source = Subject::Source("203.0.113.5".parse().unwrap());
        let bytes = b"host_scan\0scan\0\x01\x04\xcb\x00\x71\x05";
        assert_eq!(Fingerprint::of(Kind::HostScan, "scan", &source), Fingerprint(OFFSET_BASIS).with(bytes));
        assert_eq!(Fingerprint::of(Kind::HostScan, "scan", &source).to_string(), "e4386537134a0d22");
    }

    #[test]
    fn kind_rule_and_subject_tell_alerts_apart() {
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let subjects = [
            Subject::Source(one),
            Subject::Source(other),
            Subject::Destination(one),
            Subject::Pair { source: one, destination: other },
            Subject::Pair { source: other, destination: one },
            Subject::Network("10.0.0.1/32".parse().unwrap()),
            Subject::Network("10.0.0.0/8".parse().unwrap()),
            Subject::Network("10.0.0.0/16".parse().unwrap()),
            Subject::Source("::a00:1".parse().unwrap()),
        ];
        let mut known = BTreeSet::new();
        for subject in subjects {
            for kind in Kind::ALL {
                for rule in ["", "a", "b", "ab"] {
                    assert!(known.insert(Fingerprint::of(kind, rule, &subject)), "{kind:?} {rule} {subject:?}");
                }
            }
        }
    }
}
