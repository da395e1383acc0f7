//! Every option: the settings, and those of the command line alone.
//!
//! Takes the declarations of the settings; adds its own, and gives the form of an option that was typed. Must not know how
//! arguments are read.

use std::ffi::OsString;

use crate::config::declarations::options;
use crate::config::{Arity, Declaration, Given, Role, SettingOrigin};

pub(super) const CONFIG: &str = "config";
/// True if the configuration is only checked.
pub(super) const CONFIG_CHECK: &str = "config.check";
pub(super) const OUTPUT: &str = "output";
/// The number of conversations or flows that `replay` lists.
pub(super) const TOP: &str = "top";
/// True if `replay` writes exact numbers in its table.
pub(super) const BYTES: &str = "bytes";
/// The number of threads with which `replay` counts.
pub(super) const WORKERS: &str = "workers";
/// The part of their names by which `test` chooses cases.
pub(super) const RUN: &str = "run";
/// The file that `test` writes its results to.
pub(super) const JUNIT: &str = "junit";
/// The format of the logs that `analyze` reads.
pub(super) const LOG_FORMAT: &str = "format";
/// The file that `analyze` writes its report to.
pub(super) const EXPORT_REPORT: &str = "export-report";
pub(super) const SOURCE: &str = "pcapfile";
// clap answers these two.
pub(super) const HELP: &str = "help";
pub(super) const VERSION: &str = "version";

/// The options that are not settings.
pub(super) static COMMAND: &[Declaration] = &[
    Declaration::option(CONFIG, Role::Command)
        .aliases(&["config.file"])
        .letter('c')
        .value("FILE", "")
        .variable("TRAFFICMONITOR_CONFIG")
        .help("Configuration file: YAML, TrafficAlerted's format, or JSON with permitted_cidrs; environment variables and options \
               override it"),
    Declaration::option(CONFIG_CHECK, Role::Command)
        .taking(Arity::Switch)
        .help("Check the configuration and exit"),
    Declaration::option(OUTPUT, Role::Replay)
        .value("FORMAT", "table")
        .help("Output format of replay: table, jsonl, csv, alerts, prometheus or none (for benchmarks); of check: table or jsonl"),
    Declaration::option(TOP, Role::Replay)
        .value("N", "20")
        .help("Conversations that replay's table lists, the heaviest, and alerts, the first: a number or all. With jsonl or \
               csv it limits the flows, which are all by default; the rest is summed up as `other`. For analyze: entries of each list"),
    Declaration::option(BYTES, Role::Replay)
        .value("", "false")
        .taking(Arity::Switch)
        .help("Exact numbers in replay's table instead of kB and MB"),
    Declaration::option(WORKERS, Role::Replay)
        .value("N", "1")
        .help("Counting threads of replay, in addition to the reader: 1 to 64, at most four per core; does not change the output"),
    Declaration::option(RUN, Role::Test)
        .value("TEXT", "")
        .help("Run only the cases of test whose names contain this text"),
    Declaration::option(JUNIT, Role::Test)
        .value("FILE", "")
        .help("File to write the results of test to, as JUnit XML, in addition to the text"),
    Declaration::option(LOG_FORMAT, Role::Analyze)
        .value("FORMAT", "auto")
        .help("Format of the logs that analyze reads: auto, json, jsonl or csv"),
    Declaration::option(EXPORT_REPORT, Role::Analyze)
        .value("FILE", "")
        .help("File to write the report of analyze to, as JSON, in addition to the text"),
    Declaration::option(HELP, Role::Command)
        .taking(Arity::Switch)
        .letter('h')
        .help("Print help (-h prints a summary)"),
    Declaration::option(VERSION, Role::Command)
        .taking(Arity::Switch)
        .letter('V')
        .help("Print the version; --version also prints the commit and the version of libpcap"),
];

/// All options: settings, command line.
pub fn all() -> impl Iterator<Item = &'static Declaration> + Clone {
    options().chain(COMMAND)
}

/// The option with this long name.
pub fn by_long(name: &str) -> Option<&'static Declaration> {
    all().find(|declaration| declaration.long_names().any(|long| long == name))
}

/// The option with this letter.
pub fn by_short(letter: char) -> Option<&'static Declaration> {
    all().find(|declaration| declaration.short == Some(letter))
}

/// An option as it was given.
#[derive(Debug, Clone)]
pub(super) struct Occurrence {
    pub declaration: &'static Declaration,
    /// The name as typed, with its dashes.
    pub typed: String,
    /// The value; none for a switch without one.
    pub value: Option<OsString>,
    /// True if the value stands behind `=`.
    pub is_attached: bool,
}

impl Occurrence {
    /// The value with its place; `true` for a switch without one.
    pub(super) fn given(&self) -> Given {
        let value = self.value.clone().unwrap_or_else(|| OsString::from("true"));
        let typed = self.typed.clone();
        let origin =
            if self.is_attached { SettingOrigin::OptionWithValue(typed) } else { SettingOrigin::Option(typed) };
        Given::argument(value, origin)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::trafficalerted::KEYS;

    #[test]
    fn no_two_options_share_a_name_a_letter_or_a_variable() {
        let (mut names, mut letters, mut variables) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for declaration in all() {
            for name in declaration.long_names() {
                assert!(names.insert(name), "{name}");
                assert!(name.chars().count() > 1, "{name}: a letter is a short name");
            }
            assert!(declaration.short.is_none_or(|letter| letters.insert(letter)), "{:?}", declaration.short);
            assert!(
                declaration.variable.is_none_or(|variable| variables.insert(variable)),
                "{:?}",
                declaration.variable
            );
            assert!(!declaration.id().is_empty());
        }
    }

    #[test]
    fn every_option_of_the_interface_is_known() {
        let long = "iface interface filter promisc snaplen buffer-size capture.workers max-flows max-series idle-timeout \
            metrics.seed metrics.created daq pcapfile localIPs localNetworks promHTTP web.listen-address promRefresh config \
            config.file config.check web.config.file drop-packets log-format log-file log-buffer-size verbose \
            anom_active_size anom_gv_cap anom_lower_bound anom_methods anom_n_seasons anom_sensitivity anom_upper_bound \
            transfer_interval filter_ip_CIDR filter_bool filter_src filter_dst archive_dir log_packets max_pcap_log_size \
            max_pcap_rotations slack_channel slack_emoji slack_icon slack_url loglevel bandwidth.interval scan.interval \
            scan.rule bandwidth.direction anom.threshold anom.min_bytes explain log.level log.format output flow-key workers top bytes run junit format export-report summary-interval log-max-size log-max-age log-rotations";
        for name in long.split_whitespace().chain(KEYS.iter().copied()) {
            assert!(by_long(name).is_some(), "{name}");
        }
        for letter in "ifswrclvhV".chars() {
            assert!(by_short(letter).is_some(), "{letter}");
        }
    }

    #[test]
    fn variables_carry_our_prefix() {
        for variable in all().filter_map(|declaration| declaration.variable) {
            assert!(variable.starts_with("TRAFFICMONITOR_"), "{variable}");
        }
    }
}
