//! The declarations → completion scripts for bash, zsh and fish.
//!
//! Takes the options of each subcommand and their possible values; gives a script that needs only its shell. The scripts of
//! the crate `clap_complete` complete no values, and long options only behind two dashes. Must not know what an option sets.

mod bash;
mod choices;
mod fish;
mod zsh;

use super::command::SUBCOMMANDS;
use super::options::available;
use super::scope::uses;
use crate::config::{Arity, Declaration};
use choices::{Choices, choices};

pub use bash::script as bash;
pub use fish::script as fish;
pub use zsh::script as zsh;

/// The name of the exporter itself in the scripts. It is not a subcommand.
const EXPORTER: &str = "exporter";
/// The shells that there are scripts for.
const SHELLS: &str = "bash elvish fish powershell zsh";

/// The exporter and the subcommands, each with its name in the scripts.
fn modes() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    std::iter::once((EXPORTER, None)).chain(SUBCOMMANDS.iter().map(|(name, _)| (*name, Some(*name))))
}

/// The options of the exporter or of a subcommand.
fn used(subcommand: Option<&'static str>) -> impl Iterator<Item = &'static Declaration> {
    available().filter(move |declaration| uses(subcommand, declaration))
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
