//! Limits of bandwidth, for all addresses and for networks.
//!
//! Takes the configured values; gives checked ones or the first mistake. Must not know files or options.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;

/// The most networks with limits of their own: each row is compared with all of them.
pub const MAXIMUM_NETWORKS: usize = 4_096;

/// The most different intervals: each has tables of its own.
pub const MAXIMUM_INTERVALS: usize = 8;

/// The end of a packet whose bytes have a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BandwidthDirection {
    /// Bytes that an address sends.
    #[default]
    Source,
    /// Bytes that an address receives.
    Destination,
    /// Both, each with its own sum. For the sum of a network: packets from it or to it, each packet once.
    Both,
}

/// A limit for the addresses of a network, in place of the general one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkLimit {
    /// The network. If several networks contain an address, only the most specific counts.
    pub network: IpNet,
    /// The most IP bytes in a window. The rule holds above it.
    pub limit_bytes: u64,
    /// The length of the window; none for the general one.
    pub interval: Option<Duration>,
    /// The name of the rule; none for the general one's.
    pub rule: Option<String>,
    /// True if the limit is for the sum of all its addresses, which then have no limit of their own. Addresses of a
    /// more specific network do not belong to it.
    pub total: bool,
}

/// The limits of bandwidth and of the tables behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name of the rule.
    pub rule: String,
    /// The most IP bytes in a window. The rule holds above it.
    pub limit_bytes: u64,
    /// The length of the window.
    pub interval: Duration,
    /// The ends that have a limit. The bytes of sources are added up in any case.
    pub direction: BandwidthDirection,
    /// Limits for some networks.
    pub networks: Vec<NetworkLimit>,
    /// The most sources, and destinations if these have a limit, for each interval. See [`WindowBounds`] for the policy
    /// at the limit.
    ///
    /// [`WindowBounds`]: super::window::WindowBounds
    pub max_addresses: usize,
    /// The most cells of sources, and of destinations, for each interval.
    pub max_cells: usize,
    /// A source is charted from this many bytes in its window on.
    pub chart_min_bytes: u64,
    /// True if destinations of sources are not kept.
    pub no_destinations: bool,
    /// The most pairs of source and destination, for each interval.
    pub max_pairs: usize,
    /// The most cells of pairs, for each interval.
    pub max_pair_cells: usize,
}

impl Default for Config {
    /// TrafficAlerted's limits: 1 GB in 170 s, charted from 5 MB on.
    fn default() -> Self {
        Self {
            rule: "bandwidth".to_owned(),
            limit_bytes: 1_000_000_000,
            interval: Duration::from_secs(170),
            direction: BandwidthDirection::Source,
            networks: Vec::new(),
            max_addresses: 32_768,
            max_cells: 262_144,
            chart_min_bytes: 5_000_000,
            no_destinations: false,
            max_pairs: 16_384,
            max_pair_cells: 65_536,
        }
    }
}

/// A mistake in a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A limit of no bytes.
    #[error("rule {rule:?}{}: the limit is 0 bytes, so every packet would alert; give a number of bytes such as 1G", of(.network))]
    ZeroLimit {
        /// The rule.
        rule: String,
        /// The network, unless the limit is for all addresses.
        network: Option<IpNet>,
    },
    /// A window of no length.
    #[error("rule {rule:?}{}: the interval is 0 s; give a number of seconds such as 170", of(.network))]
    ZeroInterval {
        /// The rule.
        rule: String,
        /// The network, unless the limit is for all addresses.
        network: Option<IpNet>,
    },
    /// A network that is listed twice.
    #[error("network {0} has two limits; remove one")]
    SameNetworkTwice(IpNet),
    /// A network that is written as an address in it.
    #[error("network {given} has host bits set; did you mean {meant}?")]
    HostBits {
        /// As it was written.
        given: IpNet,
        /// The network that contains it.
        meant: IpNet,
    },
    /// Too many networks.
    #[error("{0} networks have their own limit; the maximum is {MAXIMUM_NETWORKS}")]
    TooManyNetworks(usize),
    /// Too many intervals.
    #[error("{0} different intervals; the maximum is {MAXIMUM_INTERVALS}, because each needs its own tables")]
    TooManyIntervals(usize),
    /// A table with a limit of 0.
    #[error("{0} is 0; nothing would be detected")]
    EmptyTable(&'static str),
}

fn of(network: &Option<IpNet>) -> String {
    network.map_or_else(String::new, |network| format!(" for {network}"))
}

impl Config {
    /// The configuration without the values that a running detector can change.
    pub(super) fn without_limits(&self) -> Self {
        let mut others = Self { limit_bytes: 0, chart_min_bytes: 0, ..self.clone() };
        others.networks.iter_mut().for_each(|own| own.limit_bytes = 0);
        others
    }

    /// Checks the limits, each and against each other.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        check(&self.rule, None, self.limit_bytes, self.interval)?;
        self.check_tables()?;
        if self.networks.len() > MAXIMUM_NETWORKS {
            return Err(Error::TooManyNetworks(self.networks.len()));
        }
        let mut known = BTreeSet::new();
        for own in &self.networks {
            let rule = own.rule.as_ref().unwrap_or(&self.rule);
            check(rule, Some(own.network), own.limit_bytes, own.interval.unwrap_or(self.interval))?;
            let meant = own.network.trunc();
            if meant != own.network {
                return Err(Error::HostBits { given: own.network, meant });
            }
            if !known.insert(own.network) {
                return Err(Error::SameNetworkTwice(own.network));
            }
        }
        let different = self.different_intervals().len();
        if different > MAXIMUM_INTERVALS { Err(Error::TooManyIntervals(different)) } else { Ok(()) }
    }

    fn check_tables(&self) -> Result<(), Error> {
        let tables = [
            ("max_addresses", self.max_addresses),
            ("max_cells", self.max_cells),
            ("max_pairs", self.max_pairs),
            ("max_pair_cells", self.max_pair_cells),
        ];
        tables.into_iter().find(|(_, limit)| *limit == 0).map_or(Ok(()), |(name, _)| Err(Error::EmptyTable(name)))
    }

    /// The intervals in use, the general one first, within their bound.
    pub(crate) fn intervals(&self) -> Vec<Duration> {
        let others = self.different_intervals().into_iter().filter(|interval| *interval != self.interval);
        std::iter::once(self.interval).chain(others).take(MAXIMUM_INTERVALS).collect()
    }

    fn different_intervals(&self) -> BTreeSet<Duration> {
        let own = self.networks.iter().filter_map(|own| own.interval);
        own.chain([self.interval]).collect()
    }
}

fn check(rule: &str, network: Option<IpNet>, limit_bytes: u64, interval: Duration) -> Result<(), Error> {
    let rule = rule.to_owned();
    match (limit_bytes, interval) {
        (0, _) => Err(Error::ZeroLimit { rule, network }),
        (_, Duration::ZERO) => Err(Error::ZeroInterval { rule, network }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(network: &str) -> NetworkLimit {
        NetworkLimit { network: network.parse().unwrap(), limit_bytes: 1, interval: None, rule: None, total: false }
    }

    fn problem(networks: Vec<NetworkLimit>) -> String {
        Config { networks, ..Config::default() }.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        let networks = vec![own("10.0.0.0/8"), own("10.0.0.0/16"), own("fd00::/8"), own("10.1.2.3/32")];
        assert_eq!(Config { networks, ..Config::default() }.validate(), Ok(()));
    }

    #[test]
    fn mistakes_are_named() {
        let zero = Config { limit_bytes: 0, ..Config::default() };
        assert_eq!(zero.validate(), Err(Error::ZeroLimit { rule: "bandwidth".to_owned(), network: None }));
        let zero = Config { interval: Duration::ZERO, ..Config::default() };
        assert_eq!(zero.validate(), Err(Error::ZeroInterval { rule: "bandwidth".to_owned(), network: None }));
        let none = problem(vec![NetworkLimit { limit_bytes: 0, rule: Some("lab".to_owned()), ..own("10.0.0.0/8") }]);
        assert_eq!(
            none,
            "rule \"lab\" for 10.0.0.0/8: the limit is 0 bytes, so every packet would alert; give a number of bytes such as 1G"
        );
        let none = problem(vec![NetworkLimit { interval: Some(Duration::ZERO), ..own("10.0.0.0/8") }]);
        assert!(none.contains("10.0.0.0/8: the interval is 0 s"), "{none}");
        assert_eq!(problem(vec![own("10.0.0.1/8")]), "network 10.0.0.1/8 has host bits set; did you mean 10.0.0.0/8?");
        assert_eq!(problem(vec![own("fd00::/8"), own("fd00::/8")]), "network fd00::/8 has two limits; remove one");
        assert_eq!(Config { max_pairs: 0, ..Config::default() }.validate(), Err(Error::EmptyTable("max_pairs")));
    }

    #[test]
    fn networks_and_intervals_are_bounded() {
        let network = |bits: u32| NetworkLimit {
            network: IpNet::from(std::net::IpAddr::from(bits.to_be_bytes())),
            ..own("::/0")
        };
        let networks = (0..5_000).map(network).collect();
        assert_eq!(problem(networks), "5000 networks have their own limit; the maximum is 4096");
        let interval =
            |second: u32| NetworkLimit { interval: Some(Duration::from_secs(second.into())), ..network(second) };
        let networks: Vec<NetworkLimit> = (1..9).map(interval).collect();
        assert!(problem(networks.clone()).starts_with("9 different intervals"));
        let config = Config { networks, ..Config::default() };
        assert_eq!(config.intervals().len(), MAXIMUM_INTERVALS);
        assert_eq!(config.intervals()[0], config.interval);
    }
}
