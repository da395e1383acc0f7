//! The command of clap, which reads words and subcommands and prints the help.
//!
//! Takes the options and the subcommands; gives the command. Must not know what an option sets.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, builder::ValueParser, value_parser};
use clap_complete::Shell;

use super::options::{HELP, VERSION, all};
use super::scope::uses;
pub(super) use super::scope::{ANALYZE, CHECK, COMPLETIONS, CONFIG, INTERFACES, MAN, REPLAY, TEST};
use crate::config::declarations::SECTIONS;
use crate::config::{Arity, Declaration, Role};

pub(super) const PROGRAM: &str = "trafficmonitor";
/// The id of the remaining arguments.
pub(super) const WORDS: &str = "FILTER";
/// The id of the files that `replay` reads.
pub(super) const FILES: &str = "FILE";
/// The id of the files of cases that `test` runs.
pub(super) const CASES: &str = "CASES";
/// The id of the event logs that `analyze` reads.
pub(super) const LOGS: &str = "LOG";
/// The id of the shell that `completions` is for.
pub(super) const SHELL: &str = "SHELL";

/// The subcommands that work, with their descriptions.
pub const SUBCOMMANDS: &[(&str, &str)] = &[
    (REPLAY, "Read capture files as fast as possible, using packet timestamps, and print the results"),
    (
        TEST,
        "Read capture files that YAML files of test cases name, and check that the expected alerts fire and no others",
    ),
    (ANALYZE, "Read event logs, and print totals, the top sources, targets and ports, and the threats found in them"),
    (
        CHECK,
        "Say before a run, with the same options, what will not work and why; status 0 if the run will work, 1 if not",
    ),
    (INTERFACES, "List interfaces with their state and addresses, and whether each would be captured (if not, why)"),
    (CONFIG, "Print the effective configuration as YAML"),
    (COMPLETIONS, "Print a shell completion script"),
    (MAN, "Print the man page"),
];

const ABOUT: &str = "Prometheus exporter backed by libpcap: who talks to whom, on what protocol, how much";
const NOTES: &str = "\
Long options take one dash or two; their value follows after a space or =. Remaining arguments are the BPF filter, except a single \
one that ends in .conf (TrafficAlerted's configuration file) and the seven arguments of the older TrafficAlerted. An empty value \
(-filter=) means that the option is not given. Options override environment variables (TRAFFICMONITOR_...), and both override \
the configuration file.

Exit status: 0 success, 1 failure while running, 2 wrong usage or configuration.";

/// The whole command with reserved options, for reading arguments. Its help hides options that the exporter does not
/// use.
pub(super) fn reading(libpcap: &str) -> Command {
    let options = all().map(|declaration| (declaration, uses(None, declaration)));
    command(libpcap, options.collect())
}

/// The command as documents show it: every option that works.
pub(super) fn shown(libpcap: &str) -> Command {
    command(libpcap, all().map(|declaration| (declaration, true)).collect())
}

/// The command with these options. Its help shows those that are true.
fn command(libpcap: &str, options: Vec<(&'static Declaration, bool)>) -> Command {
    let root = bare(PROGRAM, ABOUT, libpcap)
        .after_help(NOTES)
        .args(options.iter().map(|(declaration, is_shown)| argument(declaration).hide(!is_shown)))
        .arg(words(WORDS, "BPF filter, same as -filter").num_args(0..));
    let declarations: Vec<_> = options.into_iter().map(|(declaration, _)| declaration).collect();
    SUBCOMMANDS.iter().fold(root, |root, (name, about)| {
        root.subcommand(with_arguments(bare(name, about, libpcap), name, &declarations))
    })
}

/// A command with the program's name and no option of its own: help and version are declared too.
fn bare(name: &'static str, about: &'static str, libpcap: &str) -> Command {
    Command::new(name)
        .display_name(PROGRAM)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .long_version(long_version(libpcap))
        .disable_help_flag(true)
        .disable_version_flag(true)
}

/// A subcommand with its options and words. Its help shows the options that it uses. Other settings are accepted, so
/// that a subcommand can be added to any working command line.
fn with_arguments(subcommand: Command, name: &'static str, declarations: &[&'static Declaration]) -> Command {
    let is_used = |declaration: &Declaration| uses(Some(name), declaration);
    let everything = declarations.iter().map(|declaration| argument(declaration).hide(!is_used(declaration)));
    let used = declarations.iter().filter(|declaration| is_used(declaration)).map(|declaration| argument(declaration));
    match name {
        REPLAY => subcommand.args(everything).arg(
            words(FILES, "Capture files (pcap or pcapng), read in this order; - is standard input")
                .required(true)
                .num_args(1..),
        ),
        TEST => subcommand.args(everything).arg(
            words(CASES, "Files of test cases (YAML); captures are named relative to their file")
                .required(true)
                .num_args(1..),
        ),
        ANALYZE => subcommand.args(everything).arg(
            words(
                LOGS,
                "Event logs (also gzip, Zstandard or xz), read in the order of their events; - is standard input",
            )
            .required(true)
            .num_args(1..),
        ),
        COMPLETIONS => subcommand
            .args(used)
            .arg(Arg::new(SHELL).required(true).value_parser(value_parser!(Shell)).help("Shell to complete for")),
        MAN => subcommand.args(used),
        CHECK => subcommand.args(everything).arg(words(WORDS, "BPF filter of the run, same as -filter").num_args(0..)),
        _ => subcommand.args(everything),
    }
}

fn words(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).action(ArgAction::Append).value_parser(ValueParser::os_string()).help(help)
}

fn argument(declaration: &'static Declaration) -> Arg {
    let id = declaration.id();
    let argument = Arg::new(id.clone())
        .long(declaration.long)
        .aliases(declaration.aliases)
        .short(declaration.short)
        .help(help(declaration))
        .long_help(long_help(declaration))
        .help_heading(heading(declaration));
    match (id.as_str(), declaration.arity) {
        (HELP, _) => argument.action(ArgAction::Help),
        (VERSION, _) => argument.action(ArgAction::Version),
        (_, Arity::Switch | Arity::Counting) => {
            valued(argument, "BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        _ => valued(argument, declaration.value).num_args(1).allow_hyphen_values(true),
    }
}

fn valued(argument: Arg, name: &'static str) -> Arg {
    argument.action(ArgAction::Append).value_name(name).value_parser(value_parser!(OsString))
}

/// The help with the default and the other names, for which clap's help has no place.
fn help(declaration: &Declaration) -> String {
    let default = Some(declaration.default).filter(|default| !default.is_empty());
    let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let aliases = declaration.aliases.iter().map(|alias| format!(" [also: --{alias}]"));
    aliases.fold(format!("{}{default}", declaration.help), |help, alias| help + &alias)
}

fn long_help(declaration: &Declaration) -> String {
    let keys: Vec<_> = declaration.keys.iter().map(|(section, key)| format!("{section}.{key}")).collect();
    let keys = (!keys.is_empty()).then(|| format!("file: {}", keys.join(" and ")));
    let variable = declaration.variable.map(|variable| format!("environment: {variable}"));
    let places: Vec<_> = keys.into_iter().chain(variable).collect();
    match places.as_slice() {
        [] => help(declaration),
        places => format!("{}\n[{}]", help(declaration), places.join(", ")),
    }
}

/// The heading of the help under which an option stands; that of its section for a setting.
pub(super) fn heading(declaration: &Declaration) -> Option<&'static str> {
    match declaration.role {
        Role::Replay => return Some("Replay"),
        Role::Test => return Some("Test"),
        Role::Analyze => return Some("Analyze"),
        _ => {}
    }
    let (section, _) = declaration.keys.first()?;
    SECTIONS.iter().find(|(name, _)| name == section).map(|(_, heading)| *heading)
}

fn long_version(libpcap: &str) -> String {
    format!("{}\ncommit {}\n{libpcap}", env!("CARGO_PKG_VERSION"), env!("TRAFFICMONITOR_COMMIT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_nothing_wrong_with_the_command() {
        reading("libpcap version 1").debug_assert();
        shown("libpcap version 1").debug_assert();
    }
}
