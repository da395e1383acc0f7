//! The completion scripts for bash, zsh and fish, written from the declarations.
//!
//! Takes the options of each subcommand and their possible values; gives a script that needs only its shell. The
//! scripts of the crate `clap_complete` complete no values, and long options only behind two dashes. Must not know what
//! an option sets.

mod bash;
mod fish;
mod zsh;

use super::command::SUBCOMMANDS;
use super::options::all;
use super::scope::uses;
use super::{ANALYSIS_FORMAT, OUTPUT};
use crate::config::kinds::ValueKind as _;
use crate::config::{Arity, Declaration};

pub use bash::script as bash;
pub use fish::script as fish;
pub use zsh::script as zsh;

/// The name of the exporter itself in the scripts. It is not a subcommand.
const EXPORTER: &str = "exporter";
/// The shells that there are scripts for.
const SHELLS: &str = "bash elvish fish powershell zsh";

/// The subcommands.
fn subcommands() -> String {
    SUBCOMMANDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// Every name of an option whose value is the next word.
fn taking_values() -> String {
    all().filter(|one| one.arity.takes_next()).flat_map(names).collect::<Vec<_>>().join(" ")
}

/// The exporter and the subcommands, each with its name in the scripts.
fn modes() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    std::iter::once((EXPORTER, None)).chain(SUBCOMMANDS.iter().map(|(name, _)| (*name, Some(*name))))
}

/// The options of the exporter or of a subcommand.
fn used(subcommand: Option<&'static str>) -> impl Iterator<Item = &'static Declaration> {
    all().filter(move |declaration| uses(subcommand, declaration))
}

/// Every name of an option without its dashes.
fn names(declaration: &Declaration) -> Vec<String> {
    declaration.long_names().map(str::to_owned).chain(declaration.short.map(String::from)).collect()
}

/// Every spelling of an option: a long name behind one dash and behind two, a letter behind one.
fn spellings(declaration: &Declaration) -> Vec<String> {
    let long = declaration.long_names().flat_map(|name| [format!("-{name}"), format!("--{name}")]);
    long.chain(declaration.short.map(|letter| format!("-{letter}"))).collect()
}

fn is_list(declaration: &Declaration) -> bool {
    matches!(declaration.arity, Arity::List | Arity::Repeatable)
}

/// A text between single quotes, in which `quote` stands for a quote.
fn quoted(text: &str, quote: &str) -> String {
    format!("'{}'", text.replace('\'', quote))
}

/// The values that a shell offers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choices {
    /// Nothing: a number, a size, a network, an expression.
    Free,
    Words(Vec<&'static str>),
    /// These words and the names of the host's interfaces.
    Interfaces(Vec<&'static str>),
    Files,
}

fn choices(declaration: &Declaration) -> Choices {
    if !declaration.arity.takes_next() {
        return Choices::Words(vec!["true", "false"]);
    }
    let words = declaration.words();
    match declaration.id().as_str() {
        "iface" => Choices::Interfaces(vec!["all", "any"]),
        "ExcludedInterfaces" => Choices::Interfaces(Vec::new()),
        _ if matches!(declaration.value, "FILE" | "DIR") => Choices::Files,
        "output" => Choices::Words(OUTPUT.words()),
        "format" => Choices::Words(ANALYSIS_FORMAT.words()),
        _ if words.is_empty() => Choices::Free,
        _ => Choices::Words(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of values that no shell can offer.
    const FREE: [&str; 17] = [
        "URL",
        "CHANNEL",
        "EMOJI",
        "EXPR",
        "TEXT",
        "BYTES",
        "SIZE",
        "N",
        "DURATION",
        "SECONDS",
        "CIDR,...",
        "CIDR",
        "ADDR[/BITS],...",
        "P",
        "[HOST]:PORT",
        "ADDRESS[:PORT]",
        "KIND[.SIDE]=SEVERITY,...",
    ];

    #[test]
    fn every_option_has_choices_or_a_value_that_no_shell_knows() {
        for declaration in all().filter(|declaration| declaration.arity.takes_next()) {
            let is_free = choices(declaration) == Choices::Free;
            assert_eq!(is_free, FREE.contains(&declaration.value), "{} {}", declaration.id(), declaration.value);
        }
    }
}
