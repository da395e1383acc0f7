//! The tries of networks. Takes networks with verdicts; gives the kernel the difference to those before. Must not know
//! what a verdict does.

use std::collections::BTreeMap;

use aya::maps::lpm_trie::Key;
use aya::maps::{LpmTrie, Map, MapData, MapError};
use ipnet::IpNet;

use super::layout::{NOT_PERMITTED, PERMITTED};
use crate::policy::Verdict;

/// The tries of both IP versions.
pub(super) struct NetworkTries {
    v4: LpmTrie<MapData, [u8; 4], u8>,
    v6: LpmTrie<MapData, [u8; 16], u8>,
    present: BTreeMap<IpNet, Verdict>,
}

impl NetworkTries {
    pub(super) fn new(v4: Map, v6: Map) -> Result<Self, MapError> {
        Ok(Self { v4: LpmTrie::try_from(v4)?, v6: LpmTrie::try_from(v6)?, present: BTreeMap::new() })
    }

    /// Sets the networks. New ones are added before old ones are removed. After an error the former ones hold.
    pub(super) fn replace(&mut self, networks: impl Iterator<Item = (IpNet, Verdict)>) -> Result<(), MapError> {
        let wanted: BTreeMap<IpNet, Verdict> = networks.map(|(network, verdict)| (network.trunc(), verdict)).collect();
        let former = self.present.clone();
        let replaced = self.add(&wanted).and_then(|()| self.remove_others(&wanted));
        // In this order, because the tries may be full.
        if replaced.is_err()
            && let Err(error) = self.remove_others(&former).and_then(|()| self.add(&former))
        {
            tracing::error!(%error, "the kernel's former networks could not be restored");
        }
        replaced
    }

    fn add(&mut self, wanted: &BTreeMap<IpNet, Verdict>) -> Result<(), MapError> {
        for (network, verdict) in wanted {
            if self.present.get(network) != Some(verdict) {
                self.insert(network, *verdict)?;
                self.present.insert(*network, *verdict);
            }
        }
        Ok(())
    }

    fn remove_others(&mut self, wanted: &BTreeMap<IpNet, Verdict>) -> Result<(), MapError> {
        let others = self.present.keys().filter(|network| !wanted.contains_key(*network)).copied();
        for network in others.collect::<Vec<IpNet>>() {
            self.remove(&network)?;
            self.present.remove(&network);
        }
        Ok(())
    }

    fn insert(&mut self, network: &IpNet, verdict: Verdict) -> Result<(), MapError> {
        let value = match verdict {
            Verdict::Permitted => PERMITTED,
            Verdict::NotPermitted => NOT_PERMITTED,
        };
        let length = u32::from(network.prefix_len());
        match network {
            IpNet::V4(network) => self.v4.insert(&Key::new(length, network.network().octets()), value, 0),
            IpNet::V6(network) => self.v6.insert(&Key::new(length, network.network().octets()), value, 0),
        }
    }

    fn remove(&mut self, network: &IpNet) -> Result<(), MapError> {
        let length = u32::from(network.prefix_len());
        match network {
            IpNet::V4(network) => self.v4.remove(&Key::new(length, network.network().octets())),
            IpNet::V6(network) => self.v6.remove(&Key::new(length, network.network().octets())),
        }
    }
}
