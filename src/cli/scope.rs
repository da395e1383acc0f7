//! The options that a subcommand uses: its help lists them, and shells complete them.
//!
//! Takes an option and a subcommand; tells whether the subcommand uses it. Must not decide what is accepted: a
//! subcommand accepts every setting, so that it can be added to any working command line.

use super::options::{CONFIG as CONFIG_FILE, CONFIG_CHECK, OUTPUT, TOP};
use crate::config::{Declaration, Role};

pub(super) const REPLAY: &str = "replay";
pub(super) const TEST: &str = "test";
pub(super) const ANALYZE: &str = "analyze";
pub(super) const CHECK: &str = "check";
pub(super) const INTERFACES: &str = "interfaces";
pub(super) const CONFIG: &str = "config";
pub(super) const COMPLETIONS: &str = "completions";
pub(super) const MAN: &str = "man";

/// Sections that `replay` and `test` do not use: they deliver no alerts and keep no packets.
const SECTIONS_NOT_IN_REPLAY: [&str; 5] = ["capture", "kernel", "notify", "state", "evidence"];
/// Settings outside of these sections that `replay` and `test` do not use: they are for live captures and for the server.
const NOT_IN_REPLAY: [(&str, &str); 5] = [
    ("http", "listen"),
    ("http", "web_config_file"),
    ("pipeline", "refresh"),
    ("account", "idle_timeout"),
    ("events", "summary_interval"),
];
const OF_INTERFACES: [(&str, &str); 2] = [("capture", "interfaces"), ("capture", "excluded_interfaces")];

/// True if `subcommand` uses the option; `None` is the exporter itself.
pub(super) fn uses(subcommand: Option<&str>, declaration: &Declaration) -> bool {
    match declaration.role {
        Role::Replay => match subcommand {
            Some(REPLAY) => true,
            Some(ANALYZE) => declaration.id() == TOP,
            Some(CHECK) => declaration.id() == OUTPUT,
            _ => false,
        },
        Role::Test => subcommand == Some(TEST),
        Role::Analyze => subcommand == Some(ANALYZE),
        Role::Command => uses_command_option(subcommand, &declaration.id()),
        Role::Setting(_) => declaration.keys.iter().any(|key| uses_setting(subcommand, *key)),
    }
}

fn uses_command_option(subcommand: Option<&str>, id: &str) -> bool {
    let is_about_settings = matches!(id, CONFIG_FILE | CONFIG_CHECK);
    !(is_about_settings && matches!(subcommand, Some(ANALYZE | MAN | COMPLETIONS)))
}

fn uses_setting(subcommand: Option<&str>, key: (&'static str, &'static str)) -> bool {
    match subcommand {
        Some(MAN | COMPLETIONS) => false,
        Some(INTERFACES) => OF_INTERFACES.contains(&key),
        Some(ANALYZE) => key.0 == "log",
        // A log of events is written by `replay`, not by `test`.
        Some(TEST) if key.0 == "events" => false,
        Some(REPLAY | TEST) => {
            let is_unused = SECTIONS_NOT_IN_REPLAY.contains(&key.0) || NOT_IN_REPLAY.contains(&key);
            key == ("capture", "filter") || !is_unused
        }
        Some(CONFIG) | None | Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::all;

    fn used(subcommand: Option<&str>) -> Vec<String> {
        all().filter(|declaration| uses(subcommand, declaration)).map(Declaration::id).collect()
    }

    #[test]
    fn interfaces_uses_the_settings_that_choose_interfaces() {
        let expected = ["iface", "ExcludedInterfaces", "config", "config.check", "help", "version"];
        assert_eq!(used(Some(INTERFACES)), expected);
    }

    #[test]
    fn analyze_uses_its_own_options_and_those_of_the_log() {
        let expected = ["log.level", "log.format", "top", "format", "export-report", "help", "version"];
        assert_eq!(used(Some(ANALYZE)), expected);
    }

    #[test]
    fn man_and_completions_use_no_setting() {
        for subcommand in [MAN, COMPLETIONS] {
            assert_eq!(used(Some(subcommand)), ["help", "version"]);
        }
    }

    #[test]
    fn replay_uses_neither_interfaces_nor_the_server() {
        let used = used(Some(REPLAY));
        for absent in [
            "iface",
            "promisc",
            "snaplen",
            "buffer-size",
            "w",
            "pcapfile",
            "promHTTP",
            "promRefresh",
            "idle-timeout",
            "slack_url",
            "state.dir",
            "archive_dir",
            "l",
        ] {
            assert!(!used.contains(&absent.to_owned()), "{absent}");
        }
        for present in
            ["filter", "output", "workers", "flow-key", "localNetworks", "ByteLimit", "anom_methods", "log.level"]
        {
            assert!(used.contains(&present.to_owned()), "{present}");
        }
    }

    #[test]
    fn the_exporter_uses_every_setting_and_only_replay_has_an_output() {
        let settings = all().filter(|declaration| matches!(declaration.role, Role::Setting(_))).count();
        let command = ["config", "config.check", "help", "version"].len();
        assert_eq!((used(None).len(), used(Some(CONFIG)).len()), (settings + command, settings + command));
    }
}
