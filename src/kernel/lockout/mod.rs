//! The check that dropping leaves this host within reach: default gateways and peers of SSH sessions have to be
//! permitted. Takes the networks of a policy, at the start or new ones later; gives an error that names the addresses that
//! would be cut off. Must not know how packets are dropped.

mod sessions;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::{Config, Error};
use crate::capture::network::{Network, default_gateways};
use crate::os::processes::inherited;
use crate::policy::{Networks, Verdict};

/// The variable in which an SSH server tells a session its ends (ssh(1)).
const SSH_CONNECTION: &str = "SSH_CONNECTION";

/// An address without which this host is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lifeline {
    /// A default gateway. Gateways with link-local addresses are none: neighbour discovery always passes.
    Gateway(IpAddr),
    /// The other side of an established SSH session.
    SshPeer(IpAddr),
    /// The client that `SSH_CONNECTION` names. The connection may belong to mosh or to another server.
    SshClient(IpAddr),
}

impl Lifeline {
    fn address(self) -> IpAddr {
        match self {
            Self::Gateway(address) | Self::SshPeer(address) | Self::SshClient(address) => address,
        }
    }
}

impl fmt::Display for Lifeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(address) => write!(f, "the default gateway {address} is not permitted"),
            Self::SshPeer(address) => write!(f, "{address}, which has an SSH session with this host, is not permitted"),
            Self::SshClient(address) => {
                write!(f, "{address}, which started this session ({SSH_CONNECTION}), is not permitted")
            }
        }
    }
}

/// Checks that dropping by `networks` leaves this host within reach. Without dropping, or with force, all is well.
///
/// # Errors
/// With the lifelines that would be cut; also when the kernel does not tell its routes or connections.
pub fn check(config: &Config, networks: Option<&Networks>) -> Result<(), Error> {
    let Some(networks) = networks.filter(|_| config.drops_packets && !config.force) else { return Ok(()) };
    if networks.permitted().is_empty() {
        return Err(Error::DropsAll);
    }
    // The addresses of this host are permitted whatever the lists say: `ssh localhost` cuts nothing off.
    let own = Network::read().map_err(|error| Error::LockoutUnknown(error.to_string()))?;
    let cut = cut_by(&networks.permitting_own(own.own_networks()), lifelines()?);
    let object = if cut.len() == 1 { "it" } else { "them" };
    if cut.is_empty() { Ok(()) } else { Err(Error::Lockout { cut: cut.join("; "), object }) }
}

/// The lifelines that these networks would cut, in words, each address once.
fn cut_by(networks: &Networks, lifelines: Vec<Lifeline>) -> Vec<String> {
    let mut named = BTreeSet::new();
    let is_cut = |lifeline: &Lifeline| {
        networks.verdict(lifeline.address()) == Verdict::NotPermitted && named.insert(lifeline.address())
    };
    lifelines.into_iter().filter(is_cut).map(|lifeline| lifeline.to_string()).collect()
}

/// The lifelines of this host, in the current network namespace.
fn lifelines() -> Result<Vec<Lifeline>, Error> {
    let gateways = default_gateways().map_err(|error| Error::LockoutUnknown(error.to_string()))?;
    let peers = sessions::ssh_peers().map_err(|error| Error::LockoutUnknown(error.to_string()))?;
    let mut lifelines: Vec<Lifeline> = gateways.into_iter().filter(is_routed).map(Lifeline::Gateway).collect();
    lifelines.extend(peers.into_iter().map(Lifeline::SshPeer));
    lifelines.extend(inherited(SSH_CONNECTION).iter().filter_map(|ends| client(ends)).map(Lifeline::SshClient));
    Ok(lifelines)
}

/// False for addresses of one link.
fn is_routed(gateway: &IpAddr) -> bool {
    match gateway {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

/// The client in the value of `SSH_CONNECTION`: its address and port, those of the server. A link-local address has its
/// interface behind `%`.
fn client(ends: &str) -> Option<IpAddr> {
    let address = ends.split(' ').next()?;
    address.split('%').next()?.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_of_a_session_is_read() {
        let address = |text: &str| text.parse::<IpAddr>().ok();
        assert_eq!(client("192.0.2.7 50000 198.51.100.1 22"), address("192.0.2.7"));
        assert_eq!(client("fe80::7%eth0 50000 fe80::1%eth0 22"), address("fe80::7"));
        assert_eq!(client("::ffff:192.0.2.7 50000 ::ffff:198.51.100.1 22"), address("192.0.2.7"));
        assert_eq!((client(""), client("UNKNOWN 65535 UNKNOWN 65535")), (None, None));
    }

    #[test]
    fn gateways_of_one_link_are_no_lifelines() {
        let routed =
            ["10.0.0.1", "169.254.1.1", "2001:db8::1", "fe80::1"].map(|text| is_routed(&text.parse().unwrap()));
        assert_eq!(routed, [true, true, true, false]);
    }

    #[test]
    fn every_lifeline_that_is_cut_is_named_once() {
        let networks = Networks::new(&["192.0.2.0/24".parse().unwrap()], &[]);
        let [gateway, peer, permitted] = ["10.0.0.1", "10.0.0.7", "192.0.2.7"].map(|text| text.parse().unwrap());
        let lifelines = vec![
            Lifeline::Gateway(gateway),
            Lifeline::Gateway(permitted),
            Lifeline::SshPeer(peer),
            Lifeline::SshClient(peer),
        ];
        let expected = [
            "the default gateway 10.0.0.1 is not permitted",
            "10.0.0.7, which has an SSH session with this host, is not permitted",
        ];
        assert_eq!(cut_by(&networks, lifelines), expected);
    }

    #[test]
    fn nothing_is_checked_without_dropping_or_with_force() {
        let nothing_permitted = Networks::new(&[], &[]);
        let with = |drops_packets, force| Config { drops_packets, force, ..Config::default() };
        for config in [with(false, false), with(false, true), with(true, true)] {
            assert!(check(&config, Some(&nothing_permitted)).is_ok());
        }
        assert!(check(&with(true, false), None).is_ok(), "without a policy nothing is dropped");
    }

    #[test]
    fn list_that_permits_everything_cuts_nothing() {
        let everything = Networks::new(&["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()], &[]);
        let dropping = Config { drops_packets: true, ..Config::default() };
        check(&dropping, Some(&everything)).unwrap();
    }
}
