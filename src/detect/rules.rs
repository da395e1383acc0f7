//! The names of all rules that may alert, so that their counters exist from the start.
//!
//! Takes the configurations of the detectors; gives kinds and names of rules. Must not know detections.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Config, Kind, bandwidth, scan};

pub(super) const ANOMALY: &str = "anomaly";

/// The configured rules, by kind and by name.
pub(super) fn configured(config: &Config) -> BTreeSet<(Kind, Arc<str>)> {
    let bandwidth = config.bandwidth.iter().flat_map(of_bandwidth);
    let scans = config.scan.iter().flat_map(of_scan);
    let anomaly = config.anomaly.as_ref().filter(|config| config.alerts).map(|_| (Kind::Anomaly, ANOMALY.into()));
    let policy = config.policy.as_ref().map(|config| (Kind::Policy, Arc::clone(&config.rule)));
    bandwidth.chain(scans).chain(anomaly).chain(policy).collect()
}

fn of_bandwidth(config: &bandwidth::Config) -> impl Iterator<Item = (Kind, Arc<str>)> {
    let own = config.networks.iter().filter_map(|network| network.rule.as_deref());
    std::iter::once(config.rule.as_str()).chain(own).map(|rule| (Kind::Bandwidth, rule.into()))
}

fn of_scan(config: &scan::Config) -> impl Iterator<Item = (Kind, Arc<str>)> {
    let [hosts, ports] = config.names.clone();
    let hosts = config.analyze_hosts.then_some((Kind::HostScan, hosts));
    let ports = config.analyze_ports.then_some((Kind::PortScan, ports));
    let groups = config.looks_for_groups().then(|| (Kind::GroupScan, Arc::clone(&config.group_name)));
    hosts.into_iter().chain(ports).chain(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::bandwidth::NetworkLimit;
    use crate::detect::{anomaly, policy};

    fn names(rules: &BTreeSet<(Kind, Arc<str>)>) -> Vec<&str> {
        rules.iter().map(|(_, rule)| rule.as_ref()).collect()
    }

    #[test]
    fn rules_that_may_alert_are_known_from_the_start() {
        let network = |rule: Option<&str>| NetworkLimit {
            network: "192.0.2.0/24".parse().unwrap(),
            limit_bytes: 1,
            interval: None,
            rule: rule.map(str::to_owned),
            total: false,
        };
        let bandwidth =
            bandwidth::Config { networks: vec![network(None), network(Some("guests"))], ..Default::default() };
        let policy = policy::Config::of(&crate::policy::Config::default());
        let rules = configured(&Config { bandwidth: Some(bandwidth), policy: Some(policy), ..Config::default() });
        assert_eq!(names(&rules), ["host_scan", "port_scan", "group_scan", "bandwidth", "guests", "policy"]);
    }

    #[test]
    fn disabled_detectors_have_no_rule() {
        let ports_alone = scan::Config { analyze_hosts: false, ..Default::default() };
        let loud = anomaly::Config { alerts: true, ..Default::default() };
        let some = Config { scan: Some(ports_alone), anomaly: Some(loud), ..Config::nothing() };
        assert_eq!(names(&configured(&some)), ["port_scan", "group_scan", "anomaly"]);
        assert_eq!(names(&configured(&Config::nothing())), [""; 0]);
    }
}
