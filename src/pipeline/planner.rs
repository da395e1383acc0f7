//! The planner: decides which interfaces are captured, and with which filters. [`super::supervisor`] acts on it. Takes
//! a network and the settings; gives a plan. Must not know threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::control::Plan;
use super::rings;
use crate::capture::filter::UserFilter;
use crate::capture::network::{Link, Network};
use crate::capture::once::{HandleKind, Origins, filter_expression};
use crate::capture::selection::{LinkOutcome, Reason};
use crate::capture::{self, Selection, printable, selection};
use crate::locality::{self, Classifier};
use crate::policy::Networks;
use crate::time_grid::TimeGrid;

/// libpcap's name of the pseudo-device that shows all interfaces.
const ANY: &str = "any";

pub(super) struct Planner {
    pub capture: capture::Config,
    pub locality: locality::Config,
    pub policy: Option<Arc<Networks>>,
    pub user_filter: Option<Arc<UserFilter>>,
    pub grids: Vec<TimeGrid>,
    pub tick: Duration,
}

pub(super) struct Planned {
    pub plan: Plan,
    pub notices: Vec<String>,
}

impl Planner {
    /// The plan for one state of the network. The interfaces of `unopened` are tried again; until they open, other
    /// interfaces count the packets that come in by them.
    pub(super) fn plan(&self, network: &Network, unopened: &BTreeSet<String>) -> Planned {
        let selected = selection::captured(network, &self.capture);
        let is_open = |index: &u32| network.link(*index).is_none_or(|link| !unopened.contains(&link.name));
        let captured: Vec<u32> = selected.iter().copied().filter(is_open).collect();
        let mut notices = Vec::new();
        let mut filters = BTreeMap::new();
        for (name, handle) in self.handles(network, &selected) {
            let expression = filter_expression(network, &captured, handle);
            notices.extend(expression.notices);
            filters.insert(name, expression.text);
        }
        let is_any = self.capture.selection == Selection::Any;
        // The pseudo-device is not in the network: an interface with its name is another one.
        let known = || network.links.iter().filter(|link| !is_any && filters.contains_key(&link.name));
        let indexes = known().map(|link| (link.name.clone(), link.index)).collect();
        let up = known().filter(|link| link.up).map(|link| link.name.clone());
        let up = up.chain(is_any.then(|| ANY.to_owned())).collect();
        notices.extend(self.unopenable(network));
        let origins = is_any.then(|| Arc::new(Origins::new(network, &captured)));
        let classifier = Arc::new(Classifier::new(&self.locality, network.own_addresses()));
        let local = locality::local_networks(&self.locality, network.own_addresses());
        let kept = self.kept(network, &filters);
        let ring_bytes = rings::ring_bytes(&self.capture, filters.len() * self.capture.workers);
        let policy = self.policy.as_ref().map(|policy| Arc::new(policy.permitting_own(self.own(network))));
        let captures = BTreeMap::new();
        let (user_filter, grids, tick) = (self.user_filter.clone(), self.grids.clone(), self.tick);
        let plan = Plan {
            filters,
            indexes,
            captures,
            kept,
            up,
            origins,
            classifier,
            local,
            policy,
            ring_bytes,
            user_filter,
            grids,
            tick,
        };
        Planned { plan, notices }
    }

    /// The networks from which this host alone sends.
    fn own<'a>(&'a self, network: &'a Network) -> impl Iterator<Item = IpNet> + 'a {
        network.own_networks().chain(self.locality.own_networks())
    }

    fn kept(&self, network: &Network, filters: &BTreeMap<String, Option<String>>) -> BTreeSet<String> {
        let mut kept: BTreeSet<String> = filters.keys().cloned().collect();
        match &self.capture.selection {
            Selection::All => kept.extend(network.links.iter().map(|link| link.name.clone())),
            Selection::Named(names) => kept.extend(names.iter().cloned()),
            Selection::Any => {}
        }
        kept
    }

    /// Notices about interfaces that can never be captured, for their name or kind, where all are wanted.
    fn unopenable(&self, network: &Network) -> Vec<String> {
        let of_links =
            if self.capture.selection == Selection::All { selection::decide(network, &self.capture) } else { vec![] };
        of_links
            .into_iter()
            .filter_map(|decision| match decision.outcome {
                LinkOutcome::NotCaptured(reason @ (Reason::NameOfLibpcap | Reason::NotEthernet)) => {
                    Some(format!("the interface {} is not captured: {reason}", printable(&decision.name)))
                }
                _ => None,
            })
            .collect()
    }

    /// The handles to open. A named interface that is away, or has another name now, gets its own when it is back.
    fn handles(&self, network: &Network, selected: &[u32]) -> Vec<(String, HandleKind)> {
        let handle = |link: &Link| {
            let kind = if link.loopback { HandleKind::Loopback } else { HandleKind::Named(link.index) };
            (link.name.clone(), kind)
        };
        match &self.capture.selection {
            Selection::Any => vec![(ANY.to_owned(), HandleKind::Any)],
            Selection::Named(_) => selection::named(network, &self.capture).into_iter().map(handle).collect(),
            Selection::All => selected.iter().filter_map(|&index| network.link(index)).map(handle).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::network::made::{link, network, router};
    use crate::policy::Verdict;

    fn planner(selection: Selection) -> Planner {
        let capture = capture::Config { selection, filter: Some("udp".to_owned()), ..capture::Config::default() };
        Planner {
            capture,
            locality: locality::Config::default(),
            policy: None,
            user_filter: None,
            grids: Vec::new(),
            tick: Duration::from_secs(1),
        }
    }

    fn plan(network: &Network) -> Plan {
        planner(Selection::Named(vec!["eth0".to_owned()])).plan(network, &BTreeSet::new()).plan
    }

    #[test]
    fn a_named_interface_that_is_away_is_not_captured_without_its_filter() {
        let away = plan(&network(vec![link(2, "wan0", &[])], &[]));
        assert!(away.filters.is_empty());
        let back = plan(&network(vec![link(2, "eth0", &[])], &[]));
        assert_eq!(back.filters.get("eth0"), Some(&None));
    }

    #[test]
    fn existing_and_named_interfaces_are_kept() {
        let there = network(vec![link(1, "lo", &[]), link(2, "eth0", &[]), link(3, "eth1", &[]).down()], &[]);
        let kept =
            |selection| planner(selection).plan(&there, &BTreeSet::new()).plan.kept.into_iter().collect::<Vec<_>>();
        assert_eq!(kept(Selection::All), ["eth0", "eth1", "lo"]);
        assert_eq!(kept(Selection::Any), ["any"]);
        assert_eq!(kept(Selection::Named(vec!["wan0".to_owned()])), ["wan0"], "it may come back");
    }

    #[test]
    fn an_interface_called_any_is_not_taken_for_the_pseudo_device() {
        let there = network(vec![link(2, "any", &[]), link(3, "eth0", &[])], &[]);
        let all = planner(Selection::All).plan(&there, &BTreeSet::new());
        assert!(all.plan.filters.keys().eq(["eth0"]));
        assert_eq!(
            all.notices,
            ["the interface any is not captured: libpcap has a device of its own with this name; rename the interface"]
        );
        let any = planner(Selection::Any).plan(&there, &BTreeSet::new());
        assert!(any.plan.filters.keys().eq(["any"]) && any.plan.up.contains("any"));
        assert!(any.plan.indexes.is_empty() && any.notices.is_empty(), "{:?}", any.notices);
    }

    #[test]
    fn tunnel_is_left_out_of_all_with_a_notice_where_only_ethernet_is_captured() {
        let there = network(
            vec![link(2, "eth0", &[]), link(3, "tun0", &[]).tunnel(), link(4, "sit0", &[]).tunnel().down()],
            &[],
        );
        let mut planner = planner(Selection::All);
        assert!(planner.plan(&there, &BTreeSet::new()).plan.filters.keys().eq(["eth0", "tun0"]));
        planner.capture.ethernet_only = true;
        let planned = planner.plan(&there, &BTreeSet::new());
        assert!(planned.plan.filters.keys().eq(["eth0"]));
        let expected =
            "the interface tun0 is not captured: not an Ethernet interface; libpcap can capture it (-daq libpcap)";
        assert_eq!(planned.notices, [expected]);
    }

    #[test]
    fn addresses_of_this_host_are_permitted_as_they_come() {
        let policy = Some(Arc::new(Networks::new(&[], &["192.0.2.0/24".parse().unwrap()])));
        let own_addresses = vec!["198.51.100.7".parse().unwrap()];
        let locality = locality::Config { own_addresses, ..locality::Config::default() };
        let planner = Planner { policy, locality, ..planner(Selection::All) };
        let is_permitted = |addresses: &[&str], source: &str| {
            let plan = planner.plan(&network(vec![link(2, "eth0", addresses)], &[]), &BTreeSet::new()).plan;
            plan.policy.unwrap().verdict(source.parse().unwrap()) == Verdict::Permitted
        };
        assert!(!is_permitted(&[], "192.0.2.1"));
        assert!(is_permitted(&["192.0.2.1/24"], "192.0.2.1"));
        assert!(!is_permitted(&["192.0.2.1/24"], "192.0.2.2"));
        assert!(is_permitted(&[], "198.51.100.7"), "an address of -localIPs");
    }

    #[test]
    fn an_interface_that_comes_up_makes_a_new_plan() {
        let [down, up] =
            [link(2, "eth0", &[]).down(), link(2, "eth0", &[])].map(|link| plan(&network(vec![link], &[])));
        assert_ne!(down, up);
        assert_eq!(down.filters, up.filters);
    }

    #[test]
    fn packet_from_an_interface_that_cannot_be_opened_counts_where_it_leaves() {
        let planner = planner(Selection::All);
        let whole = planner.plan(&router(), &BTreeSet::new()).plan;
        let without = planner.plan(&router(), &BTreeSet::from(["eth2".to_owned()])).plan;
        assert!(without.filters.keys().eq(whole.filters.keys()), "it is tried again");
        let leaves_by_eth0 = |plan: &Plan| plan.filters["eth0"].clone().unwrap_or_default();
        assert!(!leaves_by_eth0(&whole).contains("10.2.0.0/24"), "{}", leaves_by_eth0(&whole));
        assert!(leaves_by_eth0(&without).contains("or ip src net 10.2.0.0/24 or"), "{}", leaves_by_eth0(&without));
    }
}
