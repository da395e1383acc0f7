//! Exclusions: detections that never become alerts.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Exclusion;
use crate::detect::{Detection, Subject, Target};

/// True if a detection is excluded.
pub(super) fn exclude(exclusions: &[Exclusion], detection: &Detection) -> bool {
    if exclusions.is_empty() {
        return false;
    }
    let applies = |exclusion: &&Exclusion| {
        exclusion.kind.is_none_or(|kind| kind == detection.kind)
            && exclusion.network.is_none_or(|network| holds(&network, &detection.subject))
    };
    let (without_port, ports): (Vec<&Exclusion>, Vec<&Exclusion>) =
        exclusions.iter().filter(applies).partition(|exclusion| exclusion.port.is_none());
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
