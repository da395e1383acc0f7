//! What a value of a setting is: read from the text of an option or a variable or from a YAML node, and written back.

use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{SerializeSeq, Serializer};

/// A value of a setting.
pub trait Value: Sized {
    /// What it looks like, for messages: `a size such as 32MiB`.
    const EXPECTED: &'static str;
    /// The YAML scalars that it is read from.
    const SCALARS: Scalars;

    /// Reads the text of an option or a variable, which is not blank.
    ///
    /// # Errors
    /// What is wrong and what would do, without the text itself.
    fn from_text(text: &str) -> Result<Self, String>;

    /// The text that [`Value::from_text`] reads.
    fn text(&self) -> String;

    /// Reads an argument; only paths and names of interfaces need not be UTF-8.
    ///
    /// # Errors
    /// As [`Value::from_text`].
    fn from_argument(argument: &OsStr) -> Result<Self, String> {
        Self::from_text(argument.to_str().ok_or("not UTF-8")?.trim())
    }

    /// Reads a YAML sequence; only lists can.
    ///
    /// # Errors
    /// Those of the reader, and a value that is no list.
    fn from_sequence<'de, A: SeqAccess<'de>>(_sequence: A) -> Result<Self, A::Error> {
        Err(mistyped::<Self, _>(Unexpected::Seq))
    }

    /// Reads a YAML mapping; only entries of lists of rules can.
    ///
    /// # Errors
    /// Those of the reader, and a value that is no mapping.
    fn from_map<'de, A: MapAccess<'de>>(_map: A) -> Result<Self, A::Error> {
        Err(mistyped::<Self, _>(Unexpected::Map))
    }

    /// Writes the YAML node.
    ///
    /// # Errors
    /// Those of the writer.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// Kinds of YAML scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalars {
    /// A string only.
    Text,
    /// A number only.
    Number,
    /// A number (bytes, seconds) or a string with a unit.
    TextOrNumber,
    /// `true` or `false`.
    Truth,
    /// None: it is a mapping.
    Nothing,
}

/// Several values: a comma list (each may stand in double quotes, and may then contain commas) or a YAML sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: Value> Value for List<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const SCALARS: Scalars = T::SCALARS;

    fn from_text(text: &str) -> Result<Self, String> {
        Self::from_argument(OsStr::new(text))
    }

    fn from_argument(argument: &OsStr) -> Result<Self, String> {
        entries(argument.as_bytes()).into_iter().map(item).collect::<Result<_, _>>().map(Self)
    }

    fn from_sequence<'de, A: SeqAccess<'de>>(mut sequence: A) -> Result<Self, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = sequence.next_element::<Node<T>>()? {
            values.push(value.ok_or_else(|| de::Error::custom(format!("empty entry; {}", expected::<T>())))?);
        }
        Ok(Self(values))
    }

    /// One entry without its dash.
    fn from_map<'de, A: MapAccess<'de>>(_map: A) -> Result<Self, A::Error> {
        let problem = match T::SCALARS {
            Scalars::Nothing => format!("expected a list; each entry must be {}", T::EXPECTED),
            _ => format!("{}, found {}", expected::<Self>(), Unexpected::Map),
        };
        Err(de::Error::custom(problem))
    }

    fn text(&self) -> String {
        let entry = |value: &T| {
            let text = value.text();
            if text.contains(',') { format!("\"{text}\"") } else { text }
        };
        self.0.iter().map(entry).collect::<Vec<_>>().join(",")
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.0.len()))?;
        for value in &self.0 {
            sequence.serialize_element(&Written(value))?;
        }
        sequence.end()
    }
}

/// The entries of a comma list, without blanks around them. Commas between double quotes belong to their entry.
fn entries(list: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    let mut rest = Some(list);
    while let Some(list) = rest {
        let quoted = list.trim_ascii_start().strip_prefix(b"\"").and_then(|inside| {
            let end = inside.iter().position(|&byte| byte == b'"')?;
            let behind = inside[end + 1..].trim_ascii_start();
            (behind.is_empty() || behind.starts_with(b",")).then_some(list.len() - behind.len())
        });
        let end = quoted.or_else(|| list.iter().position(|&byte| byte == b',')).unwrap_or(list.len());
        entries.push(list[..end].trim_ascii());
        rest = list.get(end + 1..);
    }
    entries
}

/// One entry of a comma list; the list names it in the error, which has the whole list before it.
fn item<T: Value>(entry: &[u8]) -> Result<T, String> {
    let bare = entry.strip_prefix(b"\"").and_then(|entry| entry.strip_suffix(b"\"")).unwrap_or(entry);
    if bare.is_empty() {
        return Err(format!("empty entry between commas; {}", expected::<T>()));
    }
    let entry = OsStr::from_bytes(bare);
    T::from_argument(entry).map_err(|problem| format!("{}: {problem}", entry.to_string_lossy()))
}

/// `expected …`.
pub(super) fn expected<T: Value>() -> String {
    format!("expected {}", T::EXPECTED)
}

/// An error in the reader's free form: only this one is given the place of the value, the others that of its key.
fn mistyped<T: Value, E: de::Error>(found: Unexpected<'_>) -> E {
    E::custom(format!("{}, found {found}", expected::<T>()))
}

/// A value as a YAML node: nothing for null and for a blank text.
pub(super) struct Node<T>(pub Option<T>);

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Value> serde::Deserialize<'de> for Node<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor(PhantomData)).map(Self)
    }
}

struct NodeVisitor<T>(PhantomData<T>);

impl<T: Value> NodeVisitor<T> {
    /// Reads a scalar of one of the `allowed` kinds.
    fn scalar<E: de::Error>(&self, allowed: &[Scalars], text: &str, found: Unexpected<'_>) -> Result<Option<T>, E> {
        if !allowed.contains(&T::SCALARS) {
            return Err(mistyped::<T, _>(found));
        }
        T::from_text(text).map(Some).map_err(|problem| E::custom(format!("{text}: {problem}")))
    }
}

const TEXTS: &[Scalars] = &[Scalars::Text, Scalars::TextOrNumber];
const NUMBERS: &[Scalars] = &[Scalars::Number, Scalars::TextOrNumber];

impl<'de, T: Value> Visitor<'de> for NodeVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
        if text.trim().is_empty() { Ok(None) } else { self.scalar(TEXTS, text, Unexpected::Str(text)) }
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Option<T>, E> {
        self.scalar(&[Scalars::Truth], if truth { "true" } else { "false" }, Unexpected::Bool(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<T>, E> {
        self.scalar(NUMBERS, &number.to_string(), Unexpected::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<T>, E> {
        self.scalar(NUMBERS, &number.to_string(), Unexpected::Signed(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<T>, E> {
        self.scalar(NUMBERS, &number.to_string(), Unexpected::Float(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Option<T>, A::Error> {
        T::from_sequence(sequence).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::from_map(map).map(Some)
    }
}

/// A value on its way into YAML.
pub(super) struct Written<'a, T>(pub &'a T);

impl<T: Value> serde::Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}
