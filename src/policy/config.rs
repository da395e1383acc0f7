//! The settings of the policy. Takes nothing; gives the settings with their defaults. Must not know files or options.

use std::time::Duration;

use ipnet::IpNet;

use super::Networks;

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The permitted networks. None if there is no policy; an empty list permits nothing.
    pub permitted: Option<Vec<IpNet>>,
    /// Networks inside permitted ones that are not permitted.
    pub denied: Vec<IpNet>,
    /// The name of the rule in alerts.
    pub rule: String,
    /// The most packets in the window that a source may send without being permitted.
    pub limit_packets: u64,
    /// The window of the limit.
    pub interval: Duration,
    /// The most sources whose packets are summed for alerts.
    pub max_sources: usize,
    /// The pace of events.
    pub events: EventPace,
}

/// The most events of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPace {
    /// Events that may come at once.
    pub burst: u32,
    /// Events a second that may come for long.
    pub per_second: u32,
    /// The most sources that have a pace of their own; further ones share one.
    pub max_sources: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            permitted: None,
            denied: Vec::new(),
            rule: "policy".to_owned(),
            limit_packets: 0,
            interval: Duration::from_secs(60),
            max_sources: 16_384,
            events: EventPace::default(),
        }
    }
}

impl Default for EventPace {
    fn default() -> Self {
        Self { burst: 10, per_second: 1, max_sources: 65_536 }
    }
}

impl Config {
    /// The networks; none without a policy.
    pub fn networks(&self) -> Option<Networks> {
        self.permitted.as_ref().map(|permitted| Networks::new(permitted, &self.denied))
    }
}
