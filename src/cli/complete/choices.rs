//! Option → the values that a shell can offer for it.
//!
//! Takes a declaration; gives its words. Must not know the shells.

use crate::cli::OUTPUT;
use crate::config::Declaration;
use crate::config::kinds::ValueKind as _;

/// The values that a shell offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choices {
    /// Nothing: a number, a size, a network, an expression.
    Free,
    /// These words.
    Words(Vec<&'static str>),
    /// These words and the names of the host's interfaces.
    Interfaces(Vec<&'static str>),
    /// Names of files.
    Files,
}

/// The values of this option.
pub(super) fn choices(declaration: &Declaration) -> Choices {
    if !declaration.arity.takes_next() {
        return Choices::Words(vec!["true", "false"]);
    }
    let words = declaration.words();
    match declaration.id().as_str() {
        "iface" => Choices::Interfaces(vec!["all", "any"]),
        "ExcludedInterfaces" => Choices::Interfaces(Vec::new()),
        "pcapfile" | "config" => Choices::Files,
        "output" => Choices::Words(OUTPUT.words()),
        _ if words.is_empty() => Choices::Free,
        _ => Choices::Words(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::available;

    /// Names of values that no shell can offer.
    const FREE: [&str; 12] = [
        "EXPR",
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
        "KIND[.SIDE]=SEVERITY,...",
    ];

    #[test]
    fn every_option_has_choices_or_a_value_that_no_shell_knows() {
        for declaration in available().filter(|declaration| declaration.arity.takes_next()) {
            let is_free = choices(declaration) == Choices::Free;
            assert_eq!(is_free, FREE.contains(&declaration.value), "{} {}", declaration.id(), declaration.value);
        }
    }
}
