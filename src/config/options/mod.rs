//! The options that are settings, each declared once.
//!
//! The parser, `--help`, the man page, the README's table, the environment and the hints of the YAML reader are all made from here.

mod account;
mod anomaly;
mod capture;
mod detect;
mod serving;

use super::option::OptionDefinition;

/// The settings by their rooms, in the order of the rooms.
static ROOMS: &[&[OptionDefinition]] =
    &[capture::OPTIONS, account::OPTIONS, detect::OPTIONS, anomaly::OPTIONS, serving::OPTIONS];

/// Keys of the file that hold lists of rules or bounds of tables, and are no options.
pub const FILE_ONLY: &[(&str, &str)] =
    &[("bandwidth", "networks"), ("anomaly", "max_pairs"), ("alert", "max_alerts"), ("alert", "exclusions")];

/// Every setting, in the order of the rooms.
pub fn settings() -> impl Iterator<Item = &'static OptionDefinition> + Clone {
    ROOMS.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsString;

    use super::super::option::{Origin, Role, Text};
    use super::super::{Config, Settings};
    use super::*;

    fn apply(settings: &mut Settings, definition: &OptionDefinition, text: &str) {
        let Role::Setting(apply) = definition.role else { panic!("{} is no setting", definition.id()) };
        let text = Text { value: OsString::from(text), origin: Origin::Option(definition.id()) };
        apply(settings, &[text]).unwrap();
    }

    #[test]
    fn the_defaults_as_text_are_the_defaults_of_the_rooms() {
        let mut layer = Settings::default();
        for definition in settings() {
            apply(&mut layer, definition, definition.default);
        }
        assert_eq!(layer.validate().unwrap(), Config::default());
    }

    #[test]
    fn every_key_of_the_file_is_an_option_or_a_list_of_rules_and_every_option_has_a_key() {
        assert!(settings().all(|definition| !definition.keys.is_empty()));
        let of_options = settings().flat_map(|definition| definition.keys).chain(FILE_ONLY).copied();
        let of_options: BTreeSet<_> = of_options.collect();
        let of_file: BTreeSet<_> =
            Settings::KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key))).collect();
        assert_eq!(of_options, of_file);
    }

    #[test]
    fn an_option_fills_the_keys_it_names_and_no_other() {
        for definition in settings() {
            let example = match definition.long {
                Some("ExcludedInterfaces") => "lo",
                Some("filter") => "tcp",
                Some("pcapfile") => "a.pcap",
                Some("localIPs") => "192.0.2.1",
                Some("anom_upper_bound") => "1000",
                _ => definition.default,
            };
            let mut layer = Settings::default();
            apply(&mut layer, definition, example);
            let json = serde_json::to_value(&layer).unwrap();
            for (section, keys) in Settings::KEYS {
                for key in *keys {
                    let filled = !json[section][key].is_null();
                    assert_eq!(filled, definition.keys.contains(&(*section, *key)), "{} and {key}", definition.id());
                }
            }
        }
    }
}
