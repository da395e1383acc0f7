//! The known names of hosts and processes at one moment. Takes nothing; gives plain values for readers. Must not know
//! the sources of names.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::Serialize;

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

/// The conversations of a process: its own address, the other address, the protocol and the port of the service.
pub type ProcessEnds = (IpAddr, IpAddr, Protocol, u16);

/// The known names at one moment.
#[derive(Debug, Clone, Default)]
pub struct HostNames {
    /// A number that changes with the names.
    pub number: u64,
    /// By address.
    pub hosts: HashMap<IpAddr, HostName>,
    /// By the ends of conversations.
    pub processes: HashMap<ProcessEnds, LocalProcess>,
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
        if self.processes.is_empty() {
            return None;
        }
        let of = |own, other| self.processes.get(&(own, other, protocol, port));
        of(source, destination).or_else(|| of(destination, source))
    }

    /// True if `word`, in lower case, is part of a name of the address.
    pub fn contain(&self, address: IpAddr, word: &str) -> bool {
        self.host(address).is_some_and(|names| names.contains(word))
    }

    /// Memory in bytes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let processes = self.processes.values().map(|process| {
            let container = process.container.as_ref().map_or(0, |container| container.len());
            size_of::<(ProcessEnds, LocalProcess)>() + process.name.len() + container
        });
        self.hosts.values().map(HostName::memory_bytes).sum::<usize>() + processes.sum::<usize>()
    }
}
