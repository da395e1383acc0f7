//! The known name that is nearest to an unknown one.
//!
//! Takes a word and names; gives one of the names. Must not know what they name.

/// The least similarity (Jaro-Winkler, 0 to 1) of a name that is offered. It keeps `ieth0` from being taken for
/// `iface`.
const ALIKE: f64 = 0.8;

/// The name that is most similar to `word`, letter case aside; none if no name is near.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let alike = |name: &str| strsim::jaro_winkler(&word, &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (alike(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["iface", "promHTTP", "snaplen", "filter", "log.level"];

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        for (word, name) in
            [("ifaec", "iface"), ("promhttp", "promHTTP"), ("snap", "snaplen"), ("log-level", "log.level")]
        {
            assert_eq!(nearest(word, NAMES), Some(name), "{word}");
        }
    }

    #[test]
    fn an_unrelated_word_finds_no_name() {
        for word in ["", "ieth0", "zzz", "x"] {
            assert_eq!(nearest(word, NAMES), None, "{word}");
        }
    }
}
