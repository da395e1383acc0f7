//! The known names of hosts and processes at one moment. Takes nothing; gives plain values for readers. Must not know
//! the sources of names.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::vendors::RANDOM;
use crate::packet::Protocol;

/// The names of one address. Hostile text: it may come from the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HostName {
    /// The name of the hosts file, else of a reverse look-up.
    pub dns: Option<Box<str>>,
    /// The name that the host gave a DHCP server.
    pub dhcp: Option<Box<str>>,
    /// The vendor of its network interface.
    pub vendor: Option<Box<str>>,
    /// The address of its network interface, in lower case with colons.
    pub mac: Option<Box<str>>,
    /// The country as two letters, ISO 3166-1.
    pub country: Option<Box<str>>,
    /// The number of the autonomous system.
    pub asn: Option<u32>,
    /// The organisation of the autonomous system.
    pub organisation: Option<Box<str>>,
}

impl HostName {
    /// The name that tells most: of DHCP, else of the hosts file or the reverse look-up.
    pub fn best(&self) -> Option<&str> {
        self.dhcp.as_deref().or(self.dns.as_deref())
    }

    /// The vendor, the country and the autonomous system in one text, as far as they are known.
    pub fn origin(&self) -> Option<String> {
        let Self { vendor, country, asn, organisation, .. } = self;
        let system = match (asn, organisation) {
            (Some(asn), Some(organisation)) => Some(format!("AS{asn} {organisation}")),
            (Some(asn), None) => Some(format!("AS{asn}")),
            (None, organisation) => organisation.as_deref().map(str::to_owned),
        };
        let vendor = vendor.as_ref().map(|vendor| match vendor.as_ref() {
            RANDOM => format!("MAC address {RANDOM}"),
            vendor => format!("vendor {vendor}"),
        });
        let country = country.as_ref().map(|country| format!("country {country}"));
        let known: Vec<String> = [vendor, country, system].into_iter().flatten().collect();
        (!known.is_empty()).then(|| known.join(", "))
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = [&self.dns, &self.dhcp, &self.vendor, &self.mac, &self.country, &self.organisation];
        texts.into_iter().filter_map(|text| text.as_deref())
    }

    /// True if `word`, in lower case, is part of a text here.
    fn contains(&self, word: &str) -> bool {
        self.texts().any(|text| text.to_lowercase().contains(word))
    }

    fn memory_bytes(&self) -> usize {
        size_of::<(IpAddr, Self)>() + self.texts().map(str::len).sum::<usize>()
    }
}

/// A process that has the local end of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocalProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: Box<str>,
    /// The container that it runs in, such as `docker/0123456789ab`.
    pub container: Option<Box<str>>,
}

impl LocalProcess {
    /// True if `word`, in lower case, is part of the name of the process or of its container.
    pub fn contains(&self, word: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(word);
        has(&self.name) || self.container.as_deref().is_some_and(has)
    }
}

/// `sshd (812)`, `nginx (4711) in docker/0123456789ab`. Hostile text.
impl fmt::Display for LocalProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, name, container } = self;
        write!(f, "{name} ({pid})")?;
        container.iter().try_for_each(|container| write!(f, " in {container}"))
    }
}

/// The conversations of a process: its own address, the other address, the protocol and the port of the service.
pub type ProcessEnds = (IpAddr, IpAddr, Protocol, u16);

/// The known local processes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalProcesses {
    by_ends: HashMap<ProcessEnds, LocalProcess>,
    /// The conversations between two addresses, in order.
    ports: HashMap<(IpAddr, IpAddr), Vec<(Protocol, u16)>>,
}

impl From<HashMap<ProcessEnds, LocalProcess>> for LocalProcesses {
    fn from(by_ends: HashMap<ProcessEnds, LocalProcess>) -> Self {
        let mut ports: HashMap<_, Vec<_>> = HashMap::new();
        for &(own, other, protocol, port) in by_ends.keys() {
            ports.entry((own, other)).or_default().push((protocol, port));
        }
        ports.values_mut().for_each(|ports| ports.sort_unstable());
        Self { by_ends, ports }
    }
}

impl LocalProcesses {
    /// The number of conversations with a known process.
    pub(super) fn len(&self) -> usize {
        self.by_ends.len()
    }

    /// True if no process is known.
    pub fn is_empty(&self) -> bool {
        self.by_ends.is_empty()
    }

    /// The processes of all conversations between two addresses, at either end.
    fn between(&self, one: IpAddr, other: IpAddr) -> impl Iterator<Item = &LocalProcess> {
        let of = move |own, other| {
            let ports = self.ports.get(&(own, other)).into_iter().flatten();
            ports.filter_map(move |&(protocol, port)| self.by_ends.get(&(own, other, protocol, port)))
        };
        of(one, other).chain(of(other, one))
    }

    fn memory_bytes(&self) -> usize {
        let texts =
            |process: &LocalProcess| process.name.len() + process.container.as_ref().map_or(0, |name| name.len());
        self.by_ends.len() * (size_of::<(ProcessEnds, LocalProcess)>() + size_of::<(Protocol, u16)>())
            + self.ports.len() * size_of::<((IpAddr, IpAddr), Vec<(Protocol, u16)>)>()
            + self.by_ends.values().map(texts).sum::<usize>()
    }
}

/// The known names at one moment.
#[derive(Debug, Clone, Default)]
pub struct HostNames {
    /// A number that changes with the names.
    pub number: u64,
    /// By address.
    pub hosts: HashMap<IpAddr, HostName>,
    /// The broadcast addresses of the links of this host: no host has them.
    pub broadcasts: HashSet<IpAddr>,
    /// By the ends of conversations.
    pub processes: LocalProcesses,
}

impl HostNames {
    /// The names of an address, if any is known.
    pub fn host(&self, address: IpAddr) -> Option<&HostName> {
        self.hosts.get(&address)
    }

    /// The name of an address that tells most.
    pub fn best(&self, address: IpAddr) -> Option<&str> {
        self.host(address)?.best()
    }

    /// The process at either end of a flow.
    pub fn process(
        &self,
        (source, destination): (IpAddr, IpAddr),
        protocol: Protocol,
        port: u16,
    ) -> Option<&LocalProcess> {
        let processes = &self.processes.by_ends;
        if self.processes.is_empty() {
            return None;
        }
        let of = |own, other| processes.get(&(own, other, protocol, port));
        of(source, destination).or_else(|| of(destination, source))
    }

    /// The processes of the conversations between two addresses: of the one over `port`, or of all without it.
    pub fn processes_between(
        &self,
        (one, other): (IpAddr, IpAddr),
        port: Option<(Protocol, u16)>,
    ) -> impl Iterator<Item = &LocalProcess> {
        let exact = port.and_then(|(protocol, port)| self.process((one, other), protocol, port));
        let all = port.is_none().then(|| self.processes.between(one, other));
        exact.into_iter().chain(all.into_iter().flatten())
    }

    /// True if `word`, in lower case, is part of a name of the address.
    pub fn contain(&self, address: IpAddr, word: &str) -> bool {
        self.host(address).is_some_and(|names| names.contains(word))
    }

    /// Memory in bytes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.hosts.values().map(HostName::memory_bytes).sum::<usize>()
            + self.processes.memory_bytes()
            + self.broadcasts.capacity() * size_of::<IpAddr>()
    }
}
