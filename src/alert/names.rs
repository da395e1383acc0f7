//! The names that an alert is told with. Takes an alert and the known names; gives the names of its ends, its targets
//! and its local processes. Must not know their readers: detection, fingerprints and labels never have a name.

use std::net::IpAddr;

use super::Alert;
use crate::detect::{Subject, Target};
use crate::names::{HostNames, LocalProcess};
use crate::packet::Protocol;

/// The most local processes of an alert. Of more, those of the first targets count.
pub const MAXIMUM_PROCESSES: usize = 4;

/// The names of an alert. Hostile text: it may come from the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertNames {
    /// The names of the source.
    pub source: EndNames,
    /// The names of the destination.
    pub destination: EndNames,
    /// The names of targets, each address once, in the order of the targets.
    pub targets: Vec<(IpAddr, Box<str>)>,
    /// The processes of this host that hold the conversations, at most [`MAXIMUM_PROCESSES`].
    pub processes: Vec<LocalProcess>,
}

/// The names of an address that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndNames {
    /// The name that tells most.
    pub name: Option<Box<str>>,
    /// Vendor, country and autonomous system, in one text.
    pub origin: Option<Box<str>>,
}

impl EndNames {
    fn of(address: Option<IpAddr>, names: &HostNames) -> Self {
        let host = address.and_then(|address| names.host(address));
        let origin = host.and_then(|host| host.origin());
        Self { name: host.and_then(|host| host.best()).map(Into::into), origin: origin.map(Into::into) }
    }
}

/// A conversation that an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversation {
    /// The address that the alert is about, and the other one.
    pub ends: (IpAddr, IpAddr),
    /// The protocol and the port of the service, where they are known.
    pub port: Option<(Protocol, u16)>,
}

impl AlertNames {
    /// The names of an alert, as far as they are known.
    pub fn of(alert: &Alert, names: &HostNames) -> Self {
        let (source, destination) = ends(alert.subject);
        Self {
            source: EndNames::of(source, names),
            destination: EndNames::of(destination, names),
            targets: target_names(alert, names),
            processes: processes_of(alert, names).into_iter().cloned().collect(),
        }
    }

    /// The name of a target.
    pub fn target(&self, address: IpAddr) -> Option<&str> {
        self.targets.iter().find(|(target, _)| *target == address).map(|(_, name)| name.as_ref())
    }
}

impl Alert {
    /// The first and then the last targets, each once.
    pub fn all_targets(&self) -> Vec<Target> {
        let mut all: Vec<Target> = Vec::new();
        for target in self.figures.first_targets.iter().chain(&self.figures.last_targets) {
            if !all.contains(target) {
                all.push(*target);
            }
        }
        all
    }

    /// The conversations that the alert is about.
    pub fn conversations(&self) -> Vec<Conversation> {
        if let Subject::Pair { source, destination } = self.subject {
            return vec![Conversation { ends: (source, destination), port: None }];
        }
        let (source, destination) = ends(self.subject);
        let Some(own) = source.or(destination) else { return Vec::new() };
        let port = |target: &Target| target.protocol.zip(target.port);
        let of = |target: &Target| Conversation { ends: (own, target.address), port: port(target) };
        self.all_targets().iter().map(of).collect()
    }
}

/// The processes of this host that hold the conversations of an alert, each once.
pub fn processes_of<'a>(alert: &Alert, names: &'a HostNames) -> Vec<&'a LocalProcess> {
    let mut found: Vec<&LocalProcess> = Vec::new();
    if names.processes.is_empty() {
        return found;
    }
    let conversations = alert.conversations().into_iter();
    for process in conversations.flat_map(|Conversation { ends, port }| names.processes_between(ends, port)) {
        if found.len() == MAXIMUM_PROCESSES {
            break;
        }
        if !found.contains(&process) {
            found.push(process);
        }
    }
    found
}

const fn ends(subject: Subject) -> (Option<IpAddr>, Option<IpAddr>) {
    match subject {
        Subject::Source(source) => (Some(source), None),
        Subject::Destination(destination) => (None, Some(destination)),
        Subject::Pair { source, destination } => (Some(source), Some(destination)),
        Subject::Network(_) => (None, None),
    }
}

fn target_names(alert: &Alert, names: &HostNames) -> Vec<(IpAddr, Box<str>)> {
    let mut found: Vec<(IpAddr, Box<str>)> = Vec::new();
    for Target { address, .. } in alert.all_targets() {
        if let Some(name) = names.best(address)
            && !found.iter().any(|(known, _)| *known == address)
        {
            found.push((address, name.into()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;
    use crate::detect::{Figures, Kind};
    use crate::names::{HostName, ProcessEnds};

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn process(pid: u32) -> LocalProcess {
        LocalProcess { pid, name: format!("p{pid}").into(), container: None }
    }

    /// Names of some hosts, and a process for each conversation.
    fn known(processes: &[ProcessEnds]) -> HostNames {
        let mut names = HostNames::default();
        let named = |name: &str| HostName { dns: Some(name.into()), ..HostName::default() };
        names.hosts.insert(ip("10.0.0.5"), named("desk.lan"));
        names.hosts.insert(ip("192.0.2.1"), HostName { asn: Some(64_500), ..named("one.example") });
        names.hosts.insert(ip("192.0.2.2"), named("two.example"));
        names.processes = processes
            .iter()
            .zip(1..)
            .map(|(ends, pid)| (*ends, process(pid)))
            .collect::<std::collections::HashMap<_, _>>()
            .into();
        names
    }

    fn target(address: &str, port: Option<u16>) -> Target {
        Target { address: ip(address), protocol: port.map(|_| Protocol::TCP), port }
    }

    fn scan(targets: [Target; 3]) -> Alert {
        let figures =
            Figures { first_targets: targets[..2].to_vec(), last_targets: targets[1..].to_vec(), ..Figures::default() };
        alert(Kind::HostScan, Subject::Source(ip("10.0.0.5")), figures)
    }

    #[test]
    fn ends_and_targets_have_their_names_each_once() {
        let targets = [target("192.0.2.2", Some(22)), target("192.0.2.1", Some(22)), target("192.0.2.1", Some(23))];
        let names = AlertNames::of(&scan(targets), &known(&[]));
        assert_eq!(names.source.name.as_deref(), Some("desk.lan"));
        assert_eq!(names.destination, EndNames::default());
        let expected = [(ip("192.0.2.2"), "two.example".into()), (ip("192.0.2.1"), "one.example".into())];
        assert_eq!(names.targets, expected);
        assert_eq!((names.target(ip("192.0.2.1")), names.target(ip("192.0.2.9"))), (Some("one.example"), None));
    }

    #[test]
    fn destination_has_its_name_and_origin() {
        let alert = alert(Kind::Bandwidth, Subject::Destination(ip("192.0.2.1")), Figures::default());
        let AlertNames { source, destination, .. } = AlertNames::of(&alert, &known(&[]));
        assert_eq!(source, EndNames::default());
        assert_eq!(
            [destination.name.as_deref(), destination.origin.as_deref()],
            [Some("one.example"), Some("AS64500")]
        );
    }

    #[test]
    fn processes_hold_the_conversations_at_either_end() {
        let (own, one, other) = (ip("10.0.0.5"), ip("192.0.2.1"), ip("192.0.2.2"));
        let names =
            known(&[(own, one, Protocol::TCP, 22), (other, own, Protocol::TCP, 22), (own, one, Protocol::TCP, 80)]);
        let pids = |alert: &Alert| {
            let mut pids: Vec<u32> = processes_of(alert, &names).iter().map(|process| process.pid).collect();
            pids.sort_unstable();
            pids
        };
        let targets = [target("192.0.2.1", Some(22)), target("192.0.2.2", Some(22)), target("192.0.2.9", Some(22))];
        assert_eq!(pids(&scan(targets)), [1, 2]);
        let peers = [target("192.0.2.1", None), target("192.0.2.9", None), target("192.0.2.9", None)];
        assert_eq!(pids(&scan(peers)), [1, 3], "all conversations with a peer whose port is not known");
        let pair = Subject::Pair { source: one, destination: own };
        assert_eq!(pids(&alert(Kind::Anomaly, pair, Figures::default())), [1, 3]);
    }

    #[test]
    fn processes_are_bounded() {
        let (own, one) = (ip("10.0.0.5"), ip("192.0.2.1"));
        let ends: Vec<ProcessEnds> = (1..100).map(|port| (own, one, Protocol::TCP, port)).collect();
        let pair = alert(Kind::Anomaly, Subject::Pair { source: own, destination: one }, Figures::default());
        assert_eq!(AlertNames::of(&pair, &known(&ends)).processes.len(), MAXIMUM_PROCESSES);
    }
}
