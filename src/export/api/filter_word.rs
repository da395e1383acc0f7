//! The words of a filter, as they are written. Takes text; gives words with their sign, key and value, and writes a
//! value so that it is read as one. Must not know what words mean.
//!
//! Blanks end a word. A value in double quotes may have blanks; in it a backslash makes the next character literal. A
//! quote counts at the beginning of a word or right behind its key: elsewhere it is a character like any other.

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilterWord<'a> {
    /// All of it, as it is written.
    pub text: &'a str,
    /// True if `-` or `!` stands before it.
    pub is_negated: bool,
    /// All of it behind the sign.
    pub positive: &'a str,
    /// Its value, if that is in quotes.
    pub quoted: Option<QuotedValue<'a>>,
}

/// A value in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuotedValue<'a> {
    /// The letters before the colon, if there is one.
    pub key: Option<&'a str>,
    /// Without quotes and escapes.
    pub value: String,
    /// False if the closing quote is missing.
    pub is_closed: bool,
    /// True if there are characters between the closing quote and the next blank.
    pub has_rest: bool,
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<FilterWord<'_>> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let word = first(rest);
        rest = rest[word.text.len()..].trim_start();
        words.push(word);
    }
    words
}

/// The last word, which is empty if a blank stands behind it.
pub(super) fn last(text: &str) -> FilterWord<'_> {
    let end = FilterWord { text: "", is_negated: false, positive: "", quoted: None };
    words(text).pop().filter(|word| text.ends_with(word.text)).unwrap_or(end)
}

/// A value that is read as it is: in quotes if it needs them.
pub(super) fn written(value: &str) -> String {
    let is_plain = !value.is_empty()
        && !value.starts_with('"')
        // The page takes a word that ends so for a key without a value.
        && !value.ends_with(':')
        && !value.contains(char::is_whitespace);
    if is_plain { value.to_owned() } else { format!("\"{}\"", value.replace('\\', r"\\").replace('"', r#"\""#)) }
}

/// The word that a text begins with.
fn first(text: &str) -> FilterWord<'_> {
    let positive = text.strip_prefix(['-', '!']).unwrap_or(text);
    let is_key = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic());
    let keyed = positive.split_once(':').filter(|(key, _)| is_key(key));
    let (key, value) = keyed.map_or((None, positive), |(key, value)| (Some(key), value));
    let to_blank = |from: usize| text[from..].find(char::is_whitespace).map_or(text.len(), |length| from + length);
    let (quoted, end) = match value.strip_prefix('"') {
        None => (None, to_blank(0)),
        Some(inner) => {
            let (value, length) = unquoted(inner);
            let behind = text.len() - inner.len() + length.unwrap_or(inner.len());
            let end = to_blank(behind);
            (Some(QuotedValue { key, value, is_closed: length.is_some(), has_rest: end > behind }), end)
        }
    };
    let sign = text.len() - positive.len();
    FilterWord { text: &text[..end], is_negated: sign > 0, positive: &text[sign..end], quoted }
}

/// The value behind an opening quote, and the bytes up to its closing one, if there is one.
fn unquoted(inner: &str) -> (String, Option<usize>) {
    let (mut value, mut letters) = (String::new(), inner.char_indices());
    while let Some((position, letter)) = letters.next() {
        match letter {
            '"' => return (value, Some(position + 1)),
            '\\' => value.extend(letters.next().map(|(_, literal)| literal)),
            _ => value.push(letter),
        }
    }
    (value, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words, each with the value in its quotes.
    fn read(text: &str) -> Vec<(&str, Option<String>)> {
        words(text).into_iter().map(|word| (word.text, word.quoted.map(|quoted| quoted.value))).collect()
    }

    #[test]
    fn blanks_end_words_outside_of_quotes() {
        let value = |value: &str| Some(value.to_owned());
        for (text, expected) in [
            ("", vec![]),
            ("  a \t b\u{a0}c ", vec![("a", None), ("b", None), ("c", None)]),
            (r#"interface:"my file" x"#, vec![(r#"interface:"my file""#, value("my file")), ("x", None)]),
            (r#"-"a b" c"#, vec![(r#"-"a b""#, value("a b")), ("c", None)]),
            (r#""a \"b\" \\ \c""#, vec![(r#""a \"b\" \\ \c""#, value(r#"a "b" \ c"#))]),
            (r#"a"b c"d"#, vec![(r#"a"b"#, None), (r#"c"d"#, None)]),
            (r#"::"a b"#, vec![(r#"::"a"#, None), ("b", None)]),
            (r#""a"b c"#, vec![(r#""a"b"#, value("a")), ("c", None)]),
            (r#"x "a b"#, vec![("x", None), (r#""a b"#, value("a b"))]),
            (r#""a\"#, vec![(r#""a\"#, value("a"))]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_that_are_not_closed_and_rests_are_noted() {
        let of = |text| {
            let quoted = first(text).quoted.unwrap();
            (quoted.key, quoted.is_closed, quoted.has_rest)
        };
        assert_eq!(of(r#"!mac:"a b"#), (Some("mac"), false, false));
        assert_eq!(of(r#""a b"c d"#), (None, true, true));
        assert_eq!(of(r#""a b" d"#), (None, true, false));
    }

    #[test]
    fn last_word_is_empty_behind_a_blank() {
        assert_eq!([last("a b").text, last("a ").text, last("").text], ["b", "", ""]);
        assert_eq!(last(r#"a interface:"my f"#).quoted.unwrap().value, "my f");
        assert_eq!(last(r#"a "b "#).text, r#""b "#, "a blank in quotes ends nothing");
    }

    proptest::proptest! {
        #[test]
        fn any_value_is_read_as_it_was_written(value in "[ \"\\\\:a\u{85}\u{a0}\u{feff}\u{202e}\n-]{1,12}|\\PC{1,40}") {
            let text = format!("x -interface:{} y", written(&value));
            let read = words(&text);
            proptest::prop_assert_eq!(read.len(), 3);
            let word = &read[1];
            let plain = || word.positive.split_once(':').unwrap().1.to_owned();
            let found = word.quoted.as_ref().map_or_else(plain, |quoted| quoted.value.clone());
            proptest::prop_assert_eq!(found, value);
            proptest::prop_assert!(word.quoted.as_ref().is_none_or(|quoted| quoted.is_closed && !quoted.has_rest));
        }
    }
}
