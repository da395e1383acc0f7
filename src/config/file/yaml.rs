//! YAML text ↔ settings. The one place that knows the YAML crate's data model.
//!
//! Takes the text of a document, gives its settings, each with line and column; and writes a configuration. Must not
//! know how a mistake is explained.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_saphyr::{
    DoubleQuoted, DuplicateKeyPolicy, Error as YamlError, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned,
};

use super::super::declarations::{SECTIONS, of_section};
use super::super::given::{Content, Given, RefusedSetting, SettingOrigin};
use super::super::{Config, Error, Settings};
use crate::capture::printable::is_unsafe;

/// The first mistake of a document.
pub(super) enum Mistake {
    /// The text is not YAML, or does not consist of sections and keys.
    Unreadable(YamlError),
    Refused(RefusedSetting),
}

/// Reads the settings of a document, or gives the first mistake in it.
pub(super) fn read(text: &str, path: &Path) -> Result<Settings, Mistake> {
    let mut document = Document { path: path.into(), settings: Settings::default(), refusal: None };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, strict(), |deserializer| {
        DocumentLevel { document: &mut document, section: None }.deserialize(deserializer)
    });
    match (read, document.refusal) {
        (Err(_), Some(refusal)) => Err(Mistake::Refused(refusal)),
        (Err(error), None) => Err(Mistake::Unreadable(error)),
        (Ok(()), _) => Ok(document.settings),
    }
}

/// Reads a document of any form.
pub(super) fn nodes(text: &str, path: &Path) -> Result<Given, Mistake> {
    let nodes = serde_saphyr::from_str_with_options(text, strict()).map_err(Mistake::Unreadable)?;
    Ok(in_file(nodes, &path.into()))
}

/// Reads the settings in a node: sections with their keys, as a document has them.
pub(super) fn settings(node: &Given) -> Result<Settings, RefusedSetting> {
    let mut settings = Settings::default();
    for (section, keys) in entries(node)? {
        let section = known(section, SECTIONS.iter().map(|(section, _)| (*section, *section)))?;
        for (key, value) in entries(keys)? {
            settings.give(known(key, of_section(section))?, vec![value.clone()])?;
        }
    }
    Ok(settings)
}

fn entries(node: &Given) -> Result<&[(Given, Given)], RefusedSetting> {
    match &node.content {
        Content::Mapping(entries) => Ok(entries),
        Content::Null => Ok(&[]),
        _ => Err(node.refused("expected keys with values, such as level: info")),
    }
}

/// Only `true` and `false` are booleans, because an interface may be called `no`. A key appears once, and nothing is
/// merged in.
fn strict() -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        // As texts they are refused by their setting, which says what it expects.
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    }
}

struct Document {
    path: Arc<Path>,
    settings: Settings,
    /// The refusal that stopped the reading.
    refusal: Option<RefusedSetting>,
}

impl Document {
    /// Stops reading where `result` is a refusal.
    fn stop<T, E: de::Error>(&mut self, result: Result<T, RefusedSetting>) -> Result<T, E> {
        result.map_err(|refusal| {
            self.refusal = Some(refusal);
            E::custom("refused")
        })
    }
}

/// The sections of a document, or the keys of one section. They are read one by one, so that the first mistake is
/// reported.
struct DocumentLevel<'a> {
    document: &'a mut Document,
    section: Option<&'static str>,
}

impl<'de> DeserializeSeed<'de> for DocumentLevel<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentLevel<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("keys with values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { document, section } = self;
        while let Some(key) = map.next_key()? {
            let key = in_file(given(key, Content::Text), &document.path);
            if let Some(section) = section {
                let declaration = document.stop(known(&key, of_section(section)))?;
                let value = in_file(map.next_value()?, &document.path);
                let given = document.settings.give(declaration, vec![value]);
                document.stop(given)?;
            } else {
                let section = document.stop(known(&key, SECTIONS.iter().map(|(section, _)| (*section, *section))))?;
                map.next_value_seed(DocumentLevel { document, section: Some(section) })?;
            }
        }
        Ok(())
    }
}

/// The entry of `all` that has the name of the key.
fn known<T>(key: &Given, all: impl Iterator<Item = (&'static str, T)>) -> Result<T, RefusedSetting> {
    let mut names = Vec::new();
    for (name, known) in all {
        if key.text().is_some_and(|text| text == name) {
            return Ok(known);
        }
        names.push(name);
    }
    Err(RefusedSetting::UnknownKey { key: key.clone(), known: names })
}

/// The node with the name of its file, which the crate does not know.
fn in_file(node: Given, path: &Arc<Path>) -> Given {
    let origin = match node.origin {
        SettingOrigin::File { line, column, .. } => SettingOrigin::File { path: path.clone(), line, column },
        other => other,
    };
    let content = match node.content {
        Content::List(nodes) => Content::List(nodes.into_iter().map(|node| in_file(node, path)).collect()),
        Content::Mapping(entries) => Content::Mapping(
            entries.into_iter().map(|(key, value)| (in_file(key, path), in_file(value, path))).collect(),
        ),
        scalar => scalar,
    };
    Given { content, origin }
}

fn given<T>(Spanned { value, referenced, .. }: Spanned<T>, content: fn(T) -> Content) -> Given {
    let (line, column) = (referenced.line(), referenced.column());
    Given { content: content(value), origin: SettingOrigin::File { path: Path::new("").into(), line, column } }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(|node| given(node, |content| content))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any node")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E: de::Error>(self, boolean: bool) -> Result<Content, E> {
        Ok(Content::Bool(boolean))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Content, E> {
        Ok(Content::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Signed(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Content, E> {
        Ok(Content::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Content, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(Content::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Content::Mapping(entries))
    }
}

impl Config {
    /// The configuration as the YAML file that would give it (without the notices).
    pub(crate) fn to_yaml(&self) -> Result<String, Error> {
        let sections = SECTIONS.map(|(section, _)| {
            let keys = of_section(section).map(|(key, declaration)| (key, declaration.shown(self)));
            (section, Content::Mapping(keys.map(|(key, value)| (text(key), value.into())).collect()))
        });
        let document = Content::Mapping(sections.into_iter().map(|(name, keys)| (text(name), keys.into())).collect());
        let yaml = serde_saphyr::to_string(&document);
        yaml.map(|yaml| escaped(&yaml)).map_err(|error| Error::Unwritable(error.to_string()))
    }
}

fn text(text: &str) -> Given {
    Content::Text(text.to_owned()).into()
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content.serialize(serializer)
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(boolean) => serializer.serialize_bool(*boolean),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) if text.contains(is_hidden) => DoubleQuoted(text).serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Argument(text) => serializer.serialize_str(&text.to_string_lossy()),
            Self::List(nodes) => serializer.collect_seq(nodes),
            Self::Mapping(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// True for a character that controls a terminal or is invisible. The YAML crate escapes only some of them.
fn is_hidden(letter: char) -> bool {
    is_unsafe(letter) && !matches!(letter, '\n' | '\t')
}

/// YAML with its hidden characters escaped. They occur only between double quotes.
fn escaped(yaml: &str) -> String {
    let escape = |letter: char| match u32::from(letter) {
        _ if !is_hidden(letter) => letter.to_string(),
        code @ 0..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    yaml.chars().map(escape).collect()
}
