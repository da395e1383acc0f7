//! The processes behind flows of this host. Takes the shown flows, the open sockets and `/proc`; gives the process of each
//! flow. Must not know the pages.
//!
//! A socket's inode is looked for among the open files of all processes. That takes long on a host with many files, so
//! a pass has a time budget, and the next one goes on where it ended.

mod containers;
mod files;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::known::{LocalProcess, ProcessEnds};
use super::shown::ShownFlow;
use crate::capture::network::{self, OpenSocket, read_sockets};
use crate::packet::Protocol;
use files::FileSearch;

/// Longest time for which a pass reads `/proc`.
const BUDGET: Duration = Duration::from_millis(100);
/// The time after which a socket that no readable process has is looked for again.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// The processes that were found, by the inode of their socket.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: HashMap<u32, LocalProcess>,
    /// Sockets that no readable process has, with the moment of the search.
    missing: HashMap<u32, Instant>,
    search: FileSearch,
}

/// The result of a pass.
#[derive(Debug, Default)]
pub(super) struct ProcessPass {
    /// The process of each flow that has a known one.
    pub processes: HashMap<ProcessEnds, LocalProcess>,
    /// The flows of this host that have no socket, or one that no readable process has.
    pub missing: HashSet<ProcessEnds>,
    /// The flows whose processes are still looked for.
    pub open: HashSet<ProcessEnds>,
    /// Sockets past the limit.
    pub refused: u64,
}

impl ProcessPass {
    /// True if a process of the flow was found, false if there is none; none if that is not known, or the flow is of other
    /// hosts.
    pub(super) fn result(&self, flow: &ShownFlow) -> Option<bool> {
        let ShownFlow { client, server, protocol, port } = *flow;
        let ends = [(client, server, protocol, port), (server, client, protocol, port)];
        let is_in = |set: &HashSet<ProcessEnds>| ends.iter().any(|ends| set.contains(ends));
        match () {
            () if ends.iter().any(|ends| self.processes.contains_key(ends)) => Some(true),
            () if is_in(&self.missing) && !is_in(&self.open) => Some(false),
            () => None,
        }
    }
}

impl Processes {
    /// Finds the processes of `flows`. `own` has the addresses of this host.
    ///
    /// # Errors
    /// When the kernel does not list its sockets.
    pub(super) fn find(&mut self, flows: &[ShownFlow], own: &HashSet<IpAddr>) -> Result<ProcessPass, network::Error> {
        let mut sockets = FlowSockets::of(flows, own);
        let refused = read_sockets(|socket| sockets.take(&socket))?;
        let inodes = sockets.inodes();
        self.search_for(&inodes.values().copied().collect());
        let mut pass = ProcessPass { refused, ..ProcessPass::default() };
        for (ends, _) in sockets.flows {
            match inodes.get(&ends).map(|inode| (self.known.get(inode), self.missing.contains_key(inode))) {
                Some((Some(process), _)) => {
                    pass.processes.insert(ends, process.clone());
                }
                Some((None, false)) => {
                    pass.open.insert(ends);
                }
                Some((None, true)) | None => {
                    pass.missing.insert(ends);
                }
            }
        }
        Ok(pass)
    }

    /// Forgets other sockets than `wanted` ones and processes that ended, and looks for those that are not known. (A process
    /// holds the sockets of its parent from its start until its exec.)
    fn search_for(&mut self, wanted: &HashSet<u32>) {
        let now = Instant::now();
        self.known.retain(|inode, process| wanted.contains(inode) && files::exists(process.pid));
        self.missing.retain(|inode, since| wanted.contains(inode) && now < *since + RETRY_INTERVAL);
        let is_open = |inode: &&u32| !self.known.contains_key(inode) && !self.missing.contains_key(inode);
        let mut open: HashSet<u32> = wanted.iter().filter(is_open).copied().collect();
        if open.is_empty() {
            self.search.restart();
            return;
        }
        let missing = self.search.go_on(&mut open, now + BUDGET, |inode, process| {
            self.known.insert(inode, process);
        });
        self.missing.extend(missing.into_iter().map(|inode| (inode, now)));
    }

    /// Memory in bytes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.known.capacity() * (size_of::<(u32, LocalProcess)>() + 32)
            + self.missing.capacity() * size_of::<(u32, Instant)>()
    }
}

/// A socket as a flow knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SocketKey {
    protocol: Protocol,
    /// The own address.
    own: IpAddr,
    /// The other address; none for a socket without one.
    other: Option<IpAddr>,
    /// The port of the service.
    port: u16,
    /// True if the own end serves.
    serves: bool,
}

/// The sockets that the shown flows may belong to.
#[derive(Debug, Default)]
struct FlowSockets {
    /// Each flow of which this host is the client or the server, with the key of its socket, best first.
    flows: Vec<(ProcessEnds, Vec<SocketKey>)>,
    wanted: HashMap<SocketKey, Option<u32>>,
}

impl FlowSockets {
    fn of(flows: &[ShownFlow], own: &HashSet<IpAddr>) -> Self {
        let mut sockets = Self::default();
        for flow in flows {
            let ShownFlow { client, server, protocol, port } = *flow;
            if own.contains(&server) {
                // A connection, or else the socket that listens: it is the same process, or its parent.
                let key = |own, other| SocketKey { protocol, own, other, port, serves: true };
                let any = [unspecified(server), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
                let keys = [key(server, Some(client)), key(server, None), key(any[0], None), key(any[1], None)];
                sockets.want((server, client, protocol, port), keys.to_vec());
            }
            if own.contains(&client) {
                let key = SocketKey { protocol, own: client, other: Some(server), port, serves: false };
                sockets.want((client, server, protocol, port), vec![key]);
            }
        }
        sockets
    }

    fn want(&mut self, ends: ProcessEnds, keys: Vec<SocketKey>) {
        self.wanted.extend(keys.iter().map(|key| (*key, None)));
        self.flows.push((ends, keys));
    }

    /// Takes a socket if a flow may be its.
    fn take(&mut self, socket: &OpenSocket) {
        let OpenSocket { protocol, local, local_port, remote, remote_port, inode } = *socket;
        let other = (remote_port != 0).then_some(remote);
        let served = SocketKey { protocol, own: local, other, port: local_port, serves: true };
        let asked = SocketKey { port: remote_port, serves: false, ..served };
        for key in [served, asked] {
            if let Some(found) = self.wanted.get_mut(&key) {
                found.get_or_insert(inode);
            }
        }
    }

    /// The inode of the best socket of each flow.
    fn inodes(&self) -> HashMap<ProcessEnds, u32> {
        let best = |keys: &[SocketKey]| keys.iter().find_map(|key| *self.wanted.get(key)?);
        self.flows.iter().filter_map(|(ends, keys)| Some((*ends, best(keys)?))).collect()
    }
}

const fn unspecified(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests;
