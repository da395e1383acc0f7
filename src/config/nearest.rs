//! The nearest of the known names to one that is not known.

/// Names less alike than this (Jaro-Winkler, 0 to 1) are not offered: `ieth0` is no misspelt `iface`.
const ALIKE: f64 = 0.8;

/// The name most like `word`, letter case aside; nothing when none is near.
#[must_use]
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
    fn a_stranger_finds_none() {
        for word in ["", "ieth0", "zzz", "x"] {
            assert_eq!(nearest(word, NAMES), None, "{word}");
        }
    }
}
