//! Names that the user gave → names that links have. Takes a network and the names of the settings; gives names of
//! links. Must not know which links are captured.

use std::borrow::Cow;

use super::{Config, Network, Selection};

/// The same configuration with names that contain commas. A list is split at commas, so where neighbours joined by commas
/// are the name of a link, that name is meant: a name that exists as it stands wins. To be asked once, at start: when such
/// a link is gone, its parts must not be taken for other links.
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

/// The same configuration with the links' own names in place of their alternative ones. A link that is named twice, by
/// both names, is there once.
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
