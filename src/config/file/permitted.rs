//! The configuration file of the XDP traffic monitor: a JSON object with the list `permitted_cidrs`.
//!
//! Takes the text of the file; gives one layer of [`Settings`]. Must not know what the networks are for.

use std::path::Path;

use super::{Yaml, without_location};
use crate::config::declarations::{SECTIONS, by_key};
use crate::config::given::{Content, Given, RefusedSetting};
use crate::config::kinds::rules::known_key;
use crate::config::nearest::nearest;
use crate::config::{Error, Settings};

const KEY: &str = "permitted_cidrs";

/// True if `text` is such a file. The key may be misspelt.
pub(super) fn is_file(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with('{') && (text.contains(&format!("\"{KEY}\"")) || has_misspelt_key(text))
}

/// True if a key is almost the one of such files, and none is a section of ours.
fn has_misspelt_key(text: &str) -> bool {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let is_ours = |key: &String| SECTIONS.iter().any(|(section, _)| section == key);
    !object.keys().any(is_ours) && object.keys().any(|key| nearest(key, [KEY]).is_some())
}

/// Reads the text of the file `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Settings, Error> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str::<serde_json::Value>(text).map_err(|error| {
        let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
        Error::invalid(place, format!("not valid JSON: {}", without_location(&error.to_string())))
    })?;
    // JSON is YAML, which has the places of its nodes, except for tabs. In JSON they stand only between nodes.
    let text = text.replace('\t', " ");
    let yaml = Yaml { text: &text, path };
    let document = yaml.nodes()?;
    let mut settings = Settings::default();
    let Content::Mapping(entries) = &document.content else { return Ok(settings) };
    for (key, networks) in entries {
        let given = known_key(key, &[KEY]).and_then(|_| give(&mut settings, networks));
        given.map_err(|refusal| yaml.refused(&refusal))?;
    }
    Ok(settings)
}

fn give(settings: &mut Settings, networks: &Given) -> Result<(), RefusedSetting> {
    if !matches!(networks.content, Content::List(_)) {
        return Err(networks.refused("expected a list of networks, such as [\"10.0.0.0/8\"]"));
    }
    by_key(("policy", "permitted")).map_or(Ok(()), |permitted| settings.give(permitted, vec![networks.clone()]))
}
