//! The interfaces that the run would capture. Takes the configuration; gives a finding for each. Must not leave a handle
//! open.

use super::finding::CheckFinding;
use crate::capture::network::Network;
use crate::capture::nic::{FrameDifference, frame_difference};
use crate::capture::{Selection, printable, selection};
use crate::config::Config;
use crate::config::memory::size;
use crate::kernel::{Daq, check_interface};
use crate::pipeline::trial::{HandleTrial, try_handles};

const INTERFACES: &str = "interfaces";
const OFFLOADS: &str = "offloads";

/// The most interfaces that are tried one by one.
const MOST_TRIED: usize = 64;

/// The choice of interfaces, and each of them, opened and closed.
pub(super) fn check(config: &Config) -> Vec<CheckFinding> {
    let network = match Network::read() {
        Ok(network) => network,
        Err(error) => return vec![CheckFinding::failure(INTERFACES, error)],
    };
    let capture = selection::as_they_stand(&network, &config.capture);
    if let Err(error) = selection::check_names(&network, &capture) {
        return vec![CheckFinding::failure(INTERFACES, error)];
    }
    let captured = selection::captured(&network, &capture);
    let links: Vec<(u32, &str)> =
        captured.into_iter().filter_map(|index| Some((index, network.link(index)?.name.as_str()))).collect();
    if links.is_empty() && capture.selection != Selection::Any {
        let text = "none is up that would be captured; the run waits for one (see `trafficmonitor interfaces`)";
        return vec![CheckFinding::warning(INTERFACES, text)];
    }
    let mut findings = Vec::new();
    if config.kernel.daq == Daq::Libpcap {
        let trials = try_handles(&network, &capture, MOST_TRIED);
        findings.extend(trials.into_iter().map(|trial| opened(&network, trial)));
    } else {
        findings.extend(links.iter().take(MOST_TRIED).map(|link| attachable(config, *link)));
    }
    findings.extend(links.iter().take(MOST_TRIED).filter_map(|(_, name)| offloads(name)));
    findings
}

/// The finding about an interface of the kernel path.
fn attachable(config: &Config, (index, name): (u32, &str)) -> CheckFinding {
    let shown = printable(name);
    match check_interface(&config.kernel, index, name) {
        Ok(()) if config.kernel.daq == Daq::Xdp => CheckFinding::ok(
            INTERFACES,
            format!("{shown} is free for the kernel's program; whether its driver has native XDP shows at the start"),
        ),
        Ok(()) => CheckFinding::ok(INTERFACES, format!("{shown} is free for the kernel's program")),
        Err(error) => CheckFinding::failure(INTERFACES, error),
    }
}

fn opened(network: &Network, trial: HandleTrial) -> CheckFinding {
    let name = printable(&trial.name).to_string();
    match trial.opened {
        Ok(bytes) => {
            CheckFinding::ok(INTERFACES, format!("{name} can be opened with a ring of {}", size(bytes.into())))
        }
        Err(error) if network.links.iter().any(|link| link.name == trial.name && !link.up) => {
            CheckFinding::warning(INTERFACES, format!("{error}; the run waits until {name} is up"))
        }
        Err(error) => CheckFinding::failure(INTERFACES, error),
    }
}

/// The finding about offloads and programs that join, split or drop frames before a capture sees them.
fn offloads(name: &str) -> Option<CheckFinding> {
    let shown = printable(name);
    Some(match frame_difference(name) {
        Ok(Some(FrameDifference::Offloads)) => CheckFinding::ok(
            OFFLOADS,
            format!(
                "{shown} joins or splits frames (GRO, LRO, TSO, GSO), as usual: bytes are right, and packets are those that \
                 this host handles, fewer than on the wire"
            ),
        ),
        Ok(Some(FrameDifference::Xdp)) => CheckFinding::warning(
            OFFLOADS,
            format!(
                "{shown} has an XDP program: frames that it drops or redirects are never seen; -daq tc does not see them either"
            ),
        ),
        Ok(None) => CheckFinding::ok(OFFLOADS, format!("{shown} shows the frames of the wire")),
        Ok(Some(FrameDifference::Unanswered)) | Err(_) => return None,
    })
}
