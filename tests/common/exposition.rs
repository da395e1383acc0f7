//! A strict reader of the text format 0.0.4, which shares no code with the writer. Text that it cannot read fails the
//! test.
//!
//! Stricter than the format: a family is introduced by its help and its type in this order, its samples follow at
//! once, nothing comes twice, and there are neither blank lines nor other comments nor times.

use std::collections::{BTreeSet, HashSet};

/// A family with its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub name: String,
    pub help: String,
    pub kind: String,
    pub samples: Vec<Sample>,
}

/// A sample: its labels as they are meant, its value as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: Vec<(String, String)>,
    pub value: String,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(label, _)| label == name);
        &label.unwrap_or_else(|| panic!("no label {name} in {self:?}")).1
    }

    /// The value, which is a whole number.
    pub fn count(&self) -> u64 {
        self.value.parse().unwrap_or_else(|_| panic!("no whole number: {self:?}"))
    }
}

/// The family called `name`.
pub fn family<'a>(families: &'a [Family], name: &str) -> &'a Family {
    families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no family {name}"))
}

/// The sum of the samples of the family `name` that have the label, or of all.
pub fn sum(families: &[Family], name: &str, label: Option<(&str, &str)>) -> u64 {
    let samples = family(families, name).samples.iter();
    samples.filter(|sample| label.is_none_or(|(name, value)| sample.label(name) == value)).map(Sample::count).sum()
}

/// Reads an exposition.
pub fn parse(text: &str) -> Vec<Family> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut families: Vec<Family> = Vec::new();
    let mut series = HashSet::new();
    let mut lines = text.split_terminator('\n');
    while let Some(line) = lines.next() {
        if let Some(introduction) = line.strip_prefix("# HELP ") {
            let family = introduced(introduction, lines.next().unwrap_or_default());
            assert!(families.iter().all(|other| other.name != family.name), "a second time: {line}");
            families.push(family);
        } else {
            let family = families.last_mut().unwrap_or_else(|| panic!("a sample without a family: {line}"));
            let sample = sample_of(&family.name, line);
            assert!(series.insert((family.name.clone(), sample.labels.clone())), "a second time: {line}");
            family.samples.push(sample);
        }
    }
    families
}

fn introduced(introduction: &str, type_line: &str) -> Family {
    let (name, help) = introduction.split_once(' ').unwrap_or_else(|| panic!("no help: {introduction}"));
    let kind = type_line.strip_prefix("# TYPE ").and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let kind = kind.unwrap_or_else(|| panic!("{name}: no type but {type_line:?}"));
    assert!(matches!(kind, "counter" | "gauge"), "{type_line}");
    assert!(is_name(name, true), "no name: {name}");
    assert_eq!(kind == "counter", name.ends_with("_total"), "{type_line}");
    Family { name: name.to_owned(), help: unescaped(help, false).0, kind: kind.to_owned(), samples: Vec::new() }
}

fn sample_of(name: &str, line: &str) -> Sample {
    let rest = line.strip_prefix(name).unwrap_or_else(|| panic!("not a sample of {name}: {line}"));
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels_of(rest, line),
        None => (Vec::new(), rest),
    };
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    assert!(is_number(value), "no number: {line}");
    Sample { labels, value: value.to_owned() }
}

/// The labels up to the closing brace, and the rest behind it.
fn labels_of<'a>(mut rest: &'a str, line: &str) -> (Vec<(String, String)>, &'a str) {
    let mut labels = Vec::new();
    let mut names = BTreeSet::new();
    loop {
        let (name, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name, false) && names.insert(name), "label {name}: {line}");
        let (value, length) = unescaped(behind, true);
        labels.push((name.to_owned(), value));
        rest = behind.get(length..).and_then(|rest| rest.strip_prefix('"')).unwrap_or_else(|| panic!("no end: {line}"));
        match (rest.strip_prefix(','), rest.strip_prefix('}')) {
            (Some(behind), _) => rest = behind,
            (_, Some(behind)) => return (labels, behind),
            _ => panic!("neither another label nor the end: {line}"),
        }
    }
}

/// The text that is meant, up to an unescaped quote or the end, and the length of how it is written.
fn unescaped(text: &str, in_quotes: bool) -> (String, usize) {
    let mut meant = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' if in_quotes => return (meant, at),
            '\\' => meant.push(match characters.next() {
                Some((_, '\\')) => '\\',
                Some((_, 'n')) => '\n',
                Some((_, '"')) if in_quotes => '"',
                other => panic!("an escape of {other:?}: {text}"),
            }),
            _ => meant.push(c),
        }
    }
    (meant, text.len())
}

fn is_name(name: &str, colons: bool) -> bool {
    let is_inside = |c: char| c == '_' || c.is_ascii_alphanumeric() || (colons && c == ':');
    name.chars().all(is_inside) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    matches!(text, "NaN" | "+Inf" | "-Inf")
        || (text.bytes().all(|byte| b"0123456789.e+-".contains(&byte)) && text.parse::<f64>().is_ok())
}
