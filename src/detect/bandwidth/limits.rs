//! The limits of the windows, at the start and when a running detector gets others. Takes the configuration and the rules;
//! gives limits. Must not know rows.

use super::{Bandwidth, BandwidthDirection, Config, LimitRule, MAXIMUM_NETWORKS, Scope};

/// When a table is nearly full, a new key must have this part of the smallest limit.
const NEWCOMER_PART_OF_LIMIT: u64 = 1_024;
/// When a table of pairs is nearly full, a new pair must have this part of the bytes from which on a source is charted.
const NEWCOMER_PART_OF_CHART: u64 = 16;

impl Bandwidth {
    /// Goes on with other limits; false, and nothing is changed, if the windows or the networks are others too.
    pub(crate) fn configure(&mut self, config: &Config) -> bool {
        if self.config.without_limits() != config.without_limits() {
            return false;
        }
        let networks = config.networks.iter().take(MAXIMUM_NETWORKS);
        let limits: Vec<u64> = std::iter::once(config.limit_bytes).chain(networks.map(|own| own.limit_bytes)).collect();
        self.rules.iter_mut().zip(&limits).for_each(|(rule, limit)| rule.limit_bytes = *limit);
        let Self { rules, scopes, .. } = self;
        scopes.iter_mut().for_each(|scope| scope.set_limits(config, rules));
        self.chart_min_bytes = config.chart_min_bytes;
        self.config = config.clone();
        true
    }
}

impl Scope {
    fn set_limits(&mut self, config: &Config, rules: &[LimitRule]) {
        let (newcomer_bytes, charted) = newcomer_bytes(config, rules);
        if config.direction != BandwidthDirection::Destination {
            self.sources.set_limits(limits_of_hosts(rules), newcomer_bytes);
        }
        if let Some(destinations) = &mut self.destinations {
            destinations.set_limits(limits_of_hosts(rules), newcomer_bytes);
        }
        if let Some(totals) = &mut self.totals {
            totals.set_limits(rules.iter().map(|rule| rule.limit_bytes).collect(), 0);
        }
        if let Some(pairs) = &mut self.pairs {
            pairs.set_limits(Vec::new(), charted);
        }
    }
}

/// The limits of hosts by rule. Addresses of a network that is summed as a whole have no limit of their own.
pub(super) fn limits_of_hosts(rules: &[LimitRule]) -> Vec<u64> {
    rules.iter().map(|rule| if rule.total.is_none() { rule.limit_bytes } else { u64::MAX }).collect()
}

/// The bytes that a new host, and a new pair, must have when a table is nearly full.
pub(super) fn newcomer_bytes(config: &Config, rules: &[LimitRule]) -> (u64, u64) {
    let smallest = rules.iter().map(|rule| rule.limit_bytes).min().unwrap_or(u64::MAX);
    let charted = config.chart_min_bytes / NEWCOMER_PART_OF_CHART;
    ((smallest / NEWCOMER_PART_OF_LIMIT).min(charted), charted)
}
