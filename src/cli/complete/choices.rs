//! Option → the values that a shell can offer for it.

use crate::config::OptionDefinition;

/// The values that a shell offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choices {
    /// Nothing: a number, a size, a network, an expression.
    Free,
    /// These words.
    Words(&'static [&'static str]),
    /// These words and the names of the host's interfaces.
    Interfaces(&'static [&'static str]),
    /// Names of files.
    Files,
}

/// The values of a switch.
const TRUTH: &[&str] = &["true", "false"];

/// The values of this option.
pub(super) fn choices(definition: &OptionDefinition) -> Choices {
    if !definition.kind.takes_next() {
        return Choices::Words(TRUTH);
    }
    match definition.id().as_str() {
        "iface" => Choices::Interfaces(&["all", "any"]),
        "ExcludedInterfaces" => Choices::Interfaces(&[]),
        "pcapfile" | "config" => Choices::Files,
        "flow-key" => Choices::Words(&["service", "dst-port", "pair"]),
        "bandwidth.direction" => Choices::Words(&["source", "destination", "both"]),
        "scan.rule" => Choices::Words(&["evidence", "contacts"]),
        "anom_methods" => Choices::Words(&["cdf", "diff", "fence", "highrank", "ks", "lowrank", "magnitude"]),
        "log.level" => Choices::Words(&["error", "warn", "info", "debug", "trace"]),
        "log.format" => Choices::Words(&["logfmt", "json"]),
        "output" => Choices::Words(&["table", "jsonl", "csv", "alerts", "prometheus", "none"]),
        _ => Choices::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Output;
    use crate::cli::options::available;
    use crate::config::value::Value as _;
    use crate::config::{Origin, Role, Settings, Text};

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

    /// The refusal of a value that the option does not take.
    fn refusal(definition: &OptionDefinition) -> String {
        let text = Text { value: "zzz".into(), origin: Origin::Option("-x".to_owned()) };
        match definition.role {
            Role::Setting(apply) => apply(&mut Settings::default(), &[text]).unwrap_err().to_string(),
            _ if definition.kind.takes_next() => Output::EXPECTED.to_owned(),
            _ => bool::EXPECTED.to_owned(),
        }
    }

    /// The words of `…: expected a method: a, b or c`.
    fn expected_words(message: &str) -> Vec<String> {
        let list = message.rsplit(": ").next().unwrap_or_default().trim_start_matches("expected ");
        list.replace(" or ", ", ").split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn every_option_has_choices_or_a_value_that_no_shell_knows() {
        for definition in available().filter(|definition| definition.kind.takes_next()) {
            let is_free = choices(definition) == Choices::Free;
            assert_eq!(is_free, FREE.contains(&definition.value), "{} {}", definition.id(), definition.value);
        }
    }

    #[test]
    fn the_words_are_those_that_the_option_takes() {
        let lists = available().filter_map(|definition| match choices(definition) {
            Choices::Words(words) => Some((definition, words)),
            _ => None,
        });
        for (definition, words) in lists.filter(|(definition, _)| !matches!(definition.role, Role::Command)) {
            assert_eq!(expected_words(&refusal(definition)), words, "{}", definition.id());
        }
    }
}
