//! Rewrites the arguments for clap: a long option may have one dash, as in Go.
//!
//! Takes the arguments as they were typed; gives arguments for clap, and a record of how each option was typed. Refuses
//! arguments that clap would misread: `-ifaec eth0` does not mean `-i faec`. Must not know what a value means.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::options::{Occurrence, all, by_long, by_short};
use crate::config::nearest::nearest;
use crate::config::{Arity, Declaration, Error};

#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    /// The arguments for clap: as many as were typed, long options behind two dashes.
    pub rewritten: Vec<OsString>,
    /// Every option given, in order.
    pub occurrences: Vec<Occurrence>,
}

/// Rewrites the arguments (without the program's name). Refuses an option that does not exist, a value attached to a
/// letter, and a missing value.
pub(super) fn rewrite(typed: impl IntoIterator<Item = OsString>) -> Result<Arguments, Error> {
    let mut arguments = Arguments { rewritten: Vec::new(), occurrences: Vec::new() };
    let mut typed = typed.into_iter();
    while let Some(argument) = typed.next() {
        match form(&argument)? {
            ArgumentForm::End => {
                arguments.rewritten.push(argument);
                arguments.rewritten.extend(typed.by_ref());
            }
            ArgumentForm::Word => arguments.rewritten.push(argument),
            ArgumentForm::Cluster(declarations) => {
                let typed = argument.to_string_lossy().into_owned();
                let occurrence =
                    |declaration| Occurrence { declaration, typed: typed.clone(), value: None, is_attached: false };
                arguments.occurrences.extend(declarations.into_iter().map(occurrence));
                arguments.rewritten.push(argument);
            }
            ArgumentForm::Option { mut occurrence, rewritten } => {
                arguments.rewritten.push(rewritten);
                if occurrence.value.is_none() && occurrence.declaration.arity.takes_next() {
                    let value = typed.next().ok_or_else(|| missing(&occurrence))?;
                    arguments.rewritten.push(value.clone());
                    occurrence.value = Some(value);
                }
                arguments.occurrences.push(occurrence);
            }
        }
    }
    Ok(arguments)
}

/// The form of an argument that does not stand in the place of a value.
enum ArgumentForm {
    /// `--`: no argument behind it is an option.
    End,
    /// A word of the filter, a file, a subcommand; also `-` alone.
    Word,
    /// Counting switches in one argument, `-vv`.
    Cluster(Vec<&'static Declaration>),
    /// An option, with the value that `=` attaches.
    Option { occurrence: Occurrence, rewritten: OsString },
}

fn form(argument: &OsStr) -> Result<ArgumentForm, Error> {
    let bytes = argument.as_bytes();
    let dashes = bytes.iter().take(2).take_while(|byte| **byte == b'-').count();
    match (dashes, bytes.len()) {
        (0, _) | (1, 1) => return Ok(ArgumentForm::Word),
        (2, 2) => return Ok(ArgumentForm::End),
        _ => {}
    }
    let (name, value) = split_value(&bytes[dashes..]);
    let typed = format!("{}{name}", "-".repeat(dashes));
    let Some(declaration) = known(&name, dashes) else {
        return cluster(&name, &value, dashes).map(ArgumentForm::Cluster).ok_or_else(|| unknown(&name, &typed));
    };
    let rewritten = if dashes == 1 && name.len() > 1 { with_second_dash(argument) } else { argument.to_owned() };
    let is_attached = value.is_some();
    Ok(ArgumentForm::Option { occurrence: Occurrence { declaration, typed, value, is_attached }, rewritten })
}

/// The name before the first `=`, and the value behind it.
fn split_value(body: &[u8]) -> (String, Option<OsString>) {
    let mut parts = body.splitn(2, |byte| *byte == b'=');
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    (name, parts.next().map(|value| OsString::from_vec(value.to_vec())))
}

/// A letter is known behind one dash, a long name behind one or two.
fn known(name: &str, dashes: usize) -> Option<&'static Declaration> {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if dashes == 1 => by_short(letter),
        _ => by_long(name),
    }
}

/// The counting switches of a cluster, if it is made of nothing else.
fn cluster(name: &str, value: &Option<OsString>, dashes: usize) -> Option<Vec<&'static Declaration>> {
    let counting = |letter| by_short(letter).filter(|declaration| declaration.arity == Arity::Counting);
    let cluster = name.chars().map(counting).collect::<Option<Vec<_>>>()?;
    (dashes == 1 && value.is_none() && !cluster.is_empty()).then_some(cluster)
}

fn with_second_dash(argument: &OsStr) -> OsString {
    let mut rewritten = OsString::from("-");
    rewritten.push(argument);
    rewritten
}

/// Offers the nearest option with the same dashes. The name is never read as a letter with its value: `--foo` is not
/// `-f oo`.
fn unknown(name: &str, typed: &str) -> Error {
    let dashes = &typed[..typed.len() - name.len()];
    let near = nearest(name, all().flat_map(Declaration::long_names));
    let mut letters = name.chars();
    let letter = letters.next().filter(|letter| letters.next().is_none() && by_short(*letter).is_some());
    let advice = match (near, letter) {
        (Some(near), _) => format!("did you mean {dashes}{near}?"),
        (None, Some(letter)) => format!("did you mean -{letter}?"),
        _ if name.starts_with(|first: char| first.is_ascii_digit()) => {
            "limits and windows cannot be negative".to_owned()
        }
        _ => "see --help for the list of options; a value follows after a space or =".to_owned(),
    };
    Error::invalid(typed, format!("no such option; {advice}"))
}

fn missing(occurrence: &Occurrence) -> Error {
    let Occurrence { declaration, typed, .. } = occurrence;
    Error::invalid(typed, format!("value missing; write {typed} {}", declaration.value))
}

#[cfg(test)]
mod tests;
