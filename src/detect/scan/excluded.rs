//! Contacts that the configuration excludes: they count neither as failed nor as used.
//!
//! Takes the ends of a contact; tells if it counts. A contact may be excluded for one kind of scans and count for the
//! others. Must not know alerts.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::detect::Kind;

/// The most entries. Each contact is compared with all of them.
pub const MAXIMUM_EXCLUDED: usize = 256;

/// A description of contacts that do not count. All given conditions must apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExcludedContact {
    /// The network of the source.
    pub source: Option<IpNet>,
    /// The port that the source sends from.
    pub source_port: Option<u16>,
    /// The network of the target.
    pub destination: Option<IpNet>,
    /// The port of the target.
    pub port: Option<u16>,
    /// The kind of scans for which they do not count; none for all kinds.
    pub kind: Option<Kind>,
}

impl ExcludedContact {
    fn applies(&self, (source, source_port): (IpAddr, u16), (target, port): (IpAddr, u16)) -> bool {
        self.source_port.is_none_or(|excluded| excluded == source_port)
            && self.port.is_none_or(|excluded| excluded == port)
            && self.source.is_none_or(|network| network.contains(&source))
            && self.destination.is_none_or(|network| network.contains(&target))
    }
}

/// The contacts that do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExcludedContacts {
    of_all_kinds: Vec<ExcludedContact>,
    of_one_kind: Vec<ExcludedContact>,
}

impl ExcludedContacts {
    /// True if no contact is excluded, as by default.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.of_all_kinds.is_empty() && self.of_one_kind.is_empty()
    }

    /// True if a contact counts for no kind of scans. Source and target are given by address and port.
    #[cold]
    pub(super) fn exclude(&self, source: (IpAddr, u16), target: (IpAddr, u16)) -> bool {
        self.of_all_kinds.iter().any(|excluded| excluded.applies(source, target))
    }

    /// True if a contact that counts for some kind does not count for this one.
    #[cold]
    pub(super) fn exclude_from(&self, kind: Kind, source: (IpAddr, u16), target: (IpAddr, u16)) -> bool {
        self.of_one_kind.iter().any(|excluded| excluded.kind == Some(kind) && excluded.applies(source, target))
    }
}

impl FromIterator<ExcludedContact> for ExcludedContacts {
    fn from_iter<I: IntoIterator<Item = ExcludedContact>>(contacts: I) -> Self {
        let (of_all_kinds, of_one_kind) = contacts.into_iter().partition(|excluded| excluded.kind.is_none());
        Self { of_all_kinds, of_one_kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Option<IpNet> {
        Some(text.parse().unwrap())
    }

    fn end(address: &str, port: u16) -> (IpAddr, u16) {
        (address.parse().unwrap(), port)
    }

    #[test]
    fn contact_is_excluded_if_all_conditions_of_an_entry_apply() {
        let entry = ExcludedContact {
            source: network("10.0.0.0/8"),
            source_port: Some(5_000),
            destination: network("192.0.2.0/24"),
            port: Some(161),
            kind: None,
        };
        let excluded: ExcludedContacts = [entry].into_iter().collect();
        assert!(excluded.exclude(end("10.1.2.3", 5_000), end("192.0.2.9", 161)));
        for (source, target) in [
            (end("11.1.2.3", 5_000), end("192.0.2.9", 161)),
            (end("10.1.2.3", 5_001), end("192.0.2.9", 161)),
            (end("10.1.2.3", 5_000), end("192.0.3.9", 161)),
            (end("10.1.2.3", 5_000), end("192.0.2.9", 162)),
            (end("192.0.2.9", 161), end("10.1.2.3", 5_000)),
            (end("fd00::1", 5_000), end("192.0.2.9", 161)),
        ] {
            assert!(!excluded.exclude(source, target), "{source:?} {target:?}");
        }
    }

    #[test]
    fn entry_with_a_kind_excludes_contacts_from_that_kind_alone() {
        let entry = |source_port, kind| ExcludedContact { source_port: Some(source_port), kind, ..Default::default() };
        let excluded: ExcludedContacts = [entry(5_000, Some(Kind::HostScan)), entry(6_000, None)].into_iter().collect();
        let (source, other, target) = (end("2001:db8::1", 5_000), end("2001:db8::1", 6_000), end("2001:db8::2", 80));
        assert!(!excluded.exclude(source, target) && excluded.exclude(other, target));
        assert!(excluded.exclude_from(Kind::HostScan, source, target));
        assert!(!excluded.exclude_from(Kind::PortScan, source, target));
        assert!(!excluded.exclude_from(Kind::GroupScan, source, target));
    }

    #[test]
    fn nothing_is_excluded_by_default() {
        let excluded = ExcludedContacts::default();
        let (source, target) = (end("10.0.0.1", 1), end("10.0.0.2", 2));
        assert!(!excluded.exclude(source, target) && !excluded.exclude_from(Kind::HostScan, source, target));
    }
}
