//! The names of links for the names that the user gave. Takes a network and the names in the settings; gives names of
//! links. Must not know which links are captured.

use std::borrow::Cow;

use super::{Config, Network, Selection};

/// The configuration with restored names that contain commas. A list is split at commas; if neighbours joined by commas
/// are the name of an existing link, that link is meant. Call it once, at start: when such a link is gone, the parts of
/// its name must not be taken for other links.
pub fn as_they_stand(network: &Network, config: &Config) -> Config {
    let selection = match &config.selection {
        Selection::Named(names) => Selection::Named(joined(network, names)),
        other => other.clone(),
    };
    Config { selection, excluded: joined(network, &config.excluded), ..config.clone() }
}

fn joined(network: &Network, names: &[String]) -> Vec<String> {
    let mut joined = Vec::new();
    let mut rest = names;
    while let [first, others @ ..] = rest {
        let longest = (2..=rest.len()).rev().find(|&count| network.named(&rest[..count].join(",")).is_some());
        joined.push(longest.map_or_else(|| first.clone(), |count| rest[..count].join(",")));
        rest = longest.map_or(others, |count| &rest[count..]);
    }
    joined
}

/// The configuration with the own names of links instead of alternative ones. A link that has both names in the list
/// appears once.
pub(super) fn resolved<'a>(network: &Network, config: &'a Config) -> Cow<'a, Config> {
    let has_other = |name: &String| network.named(name).is_some_and(|link| link.name != *name);
    let named = if let Selection::Named(names) = &config.selection { names.as_slice() } else { &[] };
    if !named.iter().chain(&config.excluded).any(has_other) {
        return Cow::Borrowed(config);
    }
    let selection = match &config.selection {
        Selection::Named(names) => Selection::Named(own_names(network, names)),
        other => other.clone(),
    };
    Cow::Owned(Config { selection, excluded: own_names(network, &config.excluded), ..config.clone() })
}

fn own_names(network: &Network, names: &[String]) -> Vec<String> {
    let mut own: Vec<String> = Vec::new();
    for name in names {
        let name = network.named(name).map_or(name, |link| &link.name);
        if !own.contains(name) {
            own.push(name.clone());
        }
    }
    own
}
