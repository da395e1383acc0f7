//! The checks of the permitted and the denied networks.
//!
//! Takes the given values and the configuration with them; refuses contradictions, and notes what has no effect. Must
//! not know how a network is written.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::declaration::FileKey;
use super::given::{Content, Given};
use super::kinds::addresses::WholeNetwork;
use super::kinds::{ListOf, ValueKind as _};
use super::{Config, Error, Settings};
use crate::detect;

const PERMITTED: FileKey = ("policy", "permitted");
const DENIED: FileKey = ("policy", "denied");

/// Checks both lists, and completes the detector of sources that are not permitted.
pub(super) fn complete(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    let permitted = listed(settings, PERMITTED)?;
    let denied = listed(settings, DENIED)?;
    let Some(networks) = config.policy.networks() else {
        let problem =
            "networks are denied, but none is permitted; give policy.permitted too, such as [0.0.0.0/0, \"::/0\"]";
        return if denied.is_empty() { Ok(()) } else { Err(Error::invalid(settings.place(DENIED), problem)) };
    };
    if let Some((network, given)) = denied.iter().find(|(network, _)| permitted.contains_key(*network)) {
        let permitted = permitted.get(network).map(|given| given.origin.to_string()).unwrap_or_default();
        let problem = format!("{network} is permitted too ({permitted}); remove it from one of both lists");
        return Err(Error::invalid(given.origin.to_string(), problem));
    }
    let place = |network| permitted.get(network).or(denied.get(network)).map(|given| given.origin.to_string());
    let idle = networks.without_effect();
    if let Some((first, place)) = idle.first().and_then(|first| Some((first, place(first)?))) {
        let more = if idle.len() > 1 { format!(", like {} more", idle.len() - 1) } else { String::new() };
        let notice = format!("{place}: {first} changes nothing{more}: without it its addresses have the same verdict");
        config.notices.push(notice);
    }
    if networks.permitted().is_empty() {
        let place = settings.place(PERMITTED);
        config.notices.push(format!("{place}: the list is empty, so no source is permitted"));
    }
    config.detect.policy = Some(detect::policy::Config::of(&config.policy));
    Ok(())
}

/// The networks of a list, each with the value that it comes from. Refuses a network that is listed twice.
fn listed(settings: &Settings, key: FileKey) -> Result<BTreeMap<IpNet, &Given>, Error> {
    let mut networks = BTreeMap::new();
    for (network, given) in settings.value(key).map(entries).unwrap_or_default() {
        if let Some(first) = networks.insert(network, given) {
            let problem = format!("{network} is listed twice ({}); remove one", first.origin);
            return Err(Error::invalid(given.origin.to_string(), problem));
        }
    }
    Ok(networks)
}

/// The networks in a value, in order. The value was parsed before, so nothing in it is refused.
fn entries(given: &Given) -> Vec<(IpNet, &Given)> {
    match &given.content {
        Content::List(nodes) => nodes.iter().flat_map(entries).collect(),
        _ => {
            let networks = ListOf(WholeNetwork).parse_given(given).unwrap_or_default();
            networks.into_iter().map(|network| (network, given)).collect()
        }
    }
}
