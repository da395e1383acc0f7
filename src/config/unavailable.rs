//! The refusal of options and files that are not built yet: one sentence that names all of them, with advice.
//!
//! Takes their names and advice; gives the sentence. Must not know which options there are.

use super::without_repeats;

/// An option, a variable, a subcommand or a file that is not built yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unavailable {
    /// The name as it was typed.
    pub what: String,
    /// Advice until it is built: an imperative without a full stop.
    pub meanwhile: &'static str,
}

/// `-l and -slack_url are not available yet; leave them out, and meanwhile …`. If the advice differs, each
/// piece follows the names that it is for.
pub(super) fn sentence(given: &[Unavailable]) -> String {
    let names = without_repeats(given.iter().map(|one| one.what.as_str()));
    let (verb, object) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    format!("{} {verb} not available yet; leave {object} out, and meanwhile {}", enumeration(&names), advice(given))
}

fn advice(given: &[Unavailable]) -> String {
    let advice = without_repeats(given.iter().map(|one| one.meanwhile));
    if let [only] = advice[..] {
        return only.to_owned();
    }
    let of = |text: &str| {
        let names = given.iter().filter(|one| one.meanwhile == text).map(|one| one.what.as_str());
        format!("for {}: {text}", enumeration(&without_repeats(names)))
    };
    advice.into_iter().map(of).collect::<Vec<_>>().join("; ")
}

/// `a`, `a and b`, `a, b and c`.
fn enumeration(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &'static str)]) -> Vec<Unavailable> {
        pairs.iter().map(|(what, meanwhile)| Unavailable { what: (*what).to_owned(), meanwhile }).collect()
    }

    #[test]
    fn one_is_named_with_its_advice() {
        let sentence = sentence(&given(&[("-l", "keep standard output")]));
        assert_eq!(sentence, "-l is not available yet; leave it out, and meanwhile keep standard output");
    }

    #[test]
    fn several_are_named_once_each_and_so_is_their_advice() {
        let sentence = sentence(&given(&[("-a", "one"), ("-b", "two"), ("-c", "one"), ("-b", "two")]));
        assert_eq!(
            sentence,
            "-a, -b and -c are not available yet; leave them out, and meanwhile for -a and -c: one; for -b: two"
        );
    }
}
