//! Opens the handles of a capture on trial. Takes the network and the settings; gives for each handle whether it opened,
//! and closes it. Must not count a packet.

use std::collections::BTreeSet;
use std::time::Duration;

use super::planner::Planner;
use crate::capture::live::Live;
use crate::capture::network::Network;
use crate::capture::{self, Config};
use crate::locality;

/// The trial of one handle.
#[derive(Debug)]
pub struct HandleTrial {
    /// The interface.
    pub name: String,
    /// The bytes of its ring, or the reason why it does not open.
    pub opened: Result<u32, capture::Error>,
}

/// Opens the handles of the plan one after the other, `most` of them at most. `config` has names as
/// [`as_they_stand`](capture::selection::as_they_stand) gives them. A handle is sealed, so that it gets no packet, and
/// never promiscuous, so that the interface does not change.
pub fn try_handles(network: &Network, config: &Config, most: usize) -> Vec<HandleTrial> {
    let config = Config { promiscuous: false, ..config.clone() };
    let planner = Planner {
        capture: config.clone(),
        locality: locality::Config::default(),
        policy: None,
        user_filter: None,
        grids: Vec::new(),
        tick: Duration::ZERO,
    };
    let plan = planner.plan(network, &BTreeSet::new()).plan;
    let config = Config { buffer_bytes: plan.ring_bytes, ..config };
    let open = |name: String| {
        let opened = Live::open(&name, &config).map(|_| plan.ring_bytes);
        HandleTrial { name, opened }
    };
    plan.filters.into_keys().take(most).map(open).collect()
}
