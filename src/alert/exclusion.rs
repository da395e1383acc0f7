//! Exclusions: the detections that never become alerts. Takes detections; gives the answer if one is excluded, and the
//! contacts that do not count for scans. Must not know alerts.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Error;
use crate::detect::scan::ExcludedContact;
use crate::detect::{Detection, Kind, Subject, Target};

/// A description of detections that raise no alert. All given conditions must apply.
///
/// With a source, a destination or a source port it describes traffic: contacts that do not count for scans, and subjects
/// of bandwidth and anomalies that are those addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exclusion {
    /// The network that contains the subject. For a pair it has to contain one of both addresses, for a network all of
    /// it.
    pub network: Option<IpNet>,
    /// The network of the sender.
    pub source: Option<IpNet>,
    /// The network of the receiver.
    pub destination: Option<IpNet>,
    /// A port of targets. A detection is excluded if the ports of all its targets are excluded for it.
    pub port: Option<u16>,
    /// The port that the source of a contact sends from.
    pub source_port: Option<u16>,
    /// The kind of detections.
    pub kind: Option<Kind>,
}

impl Exclusion {
    /// Checks the conditions against each other. `number` is for the message.
    pub(super) fn validate(&self, number: usize) -> Result<(), Error> {
        if self.port == Some(0) || self.source_port == Some(0) {
            return Err(Error::PortZero(number));
        }
        match (self.kind, self.source, self.destination) {
            (Some(kind), ..) if self.source_port.is_some() && !kind.is_scan() => {
                Err(Error::KindWithoutPorts(number, kind.label()))
            }
            (Some(Kind::Bandwidth), Some(_), Some(_)) => Err(Error::BothEndsOfBandwidth(number)),
            (Some(Kind::Policy), _, Some(_)) => Err(Error::DestinationOfPolicy(number)),
            (_, Some(source), Some(destination)) if source.addr().is_ipv4() != destination.addr().is_ipv4() => {
                Err(Error::DifferentVersions(number, source, destination))
            }
            _ => Ok(()),
        }
    }

    const fn is_of_traffic(&self) -> bool {
        self.source.is_some() || self.destination.is_some() || self.source_port.is_some()
    }

    /// The contacts that do not count for scans because of it; none if it excludes no contacts.
    pub fn contacts(&self) -> Option<ExcludedContact> {
        let Self { network, source, destination, port, source_port, kind } = *self;
        if !self.is_of_traffic() || kind.is_some_and(|kind| !kind.is_scan()) {
            return None;
        }
        // The subject of a scan is its source.
        let source = match (network, source) {
            (Some(network), Some(source)) if network.contains(&source) => Some(source),
            (Some(network), Some(source)) if source.contains(&network) => Some(network),
            (Some(_), Some(_)) => return None,
            (network, source) => network.or(source),
        };
        Some(ExcludedContact { source, source_port, destination, port, kind })
    }

    /// True if a detection is about the traffic that it describes, and about no other. Detections of scans are not asked:
    /// they are made without the contacts that do not count.
    fn describes(&self, detection: &Detection) -> bool {
        if detection.kind.is_scan() || self.port.is_some() || self.source_port.is_some() {
            return false;
        }
        let within = |network: Option<IpNet>, address: &IpAddr| network.is_none_or(|network| network.contains(address));
        match &detection.subject {
            Subject::Source(address) => self.destination.is_none() && within(self.source, address),
            Subject::Destination(address) => self.source.is_none() && within(self.destination, address),
            Subject::Pair { source, destination } => {
                within(self.source, source) && within(self.destination, destination)
            }
            Subject::Network(_) => false,
        }
    }
}

/// True if one of the exclusions applies to a detection.
pub(super) fn exclude(exclusions: &[Exclusion], detection: &Detection) -> bool {
    if exclusions.is_empty() {
        return false;
    }
    let applies = |exclusion: &&Exclusion| {
        exclusion.kind.is_none_or(|kind| kind == detection.kind)
            && exclusion.network.is_none_or(|network| holds(&network, &detection.subject))
    };
    let (of_traffic, others): (Vec<&Exclusion>, Vec<&Exclusion>) =
        exclusions.iter().filter(applies).partition(|exclusion| exclusion.is_of_traffic());
    if of_traffic.iter().any(|exclusion| exclusion.describes(detection)) {
        return true;
    }
    let (without_port, ports): (Vec<&Exclusion>, Vec<&Exclusion>) =
        others.into_iter().partition(|exclusion| exclusion.port.is_none());
    let is_excluded = |target: &Target| target.port.is_some() && ports.iter().any(|of| of.port == target.port);
    let figures = &detection.figures;
    let mut targets = figures.first_targets.iter().chain(&figures.last_targets).peekable();
    !without_port.is_empty() || (targets.peek().is_some() && targets.all(is_excluded))
}

fn holds(network: &IpNet, subject: &Subject) -> bool {
    let has = |address: &IpAddr| network.contains(address);
    match subject {
        Subject::Source(address) | Subject::Destination(address) => has(address),
        Subject::Pair { source, destination } => has(source) || has(destination),
        Subject::Network(other) => network.contains(other),
    }
}
