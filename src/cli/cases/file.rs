//! The text of a file of cases → its cases.
//!
//! Takes the text and the settings that lie under those of each case; gives cases, or the first mistake. Must not know
//! what an alert is.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::{argv, layers};
use super::expectation::{expectation, pattern};
use super::{CaseFile, TestCase};
use crate::capture::printable;
use crate::config::file::{Yaml, load};
use crate::config::given::{Content, Given, RefusedSetting};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::addresses::{FILE_NAME, FREE_TEXT};
use crate::config::kinds::keywords::Keywords;
use crate::config::kinds::rules::known_key;
use crate::config::{Config, Error, Role, Settings};

const FILE_KEYS: [&str; 2] = ["defaults", "cases"];
const DEFAULT_KEYS: [&str; 5] = ["capture", "config_file", "config", "options", "others"];
const CASE_KEYS: [&str; 8] = ["name", "capture", "config_file", "config", "options", "alerts", "absent", "others"];

/// True if alerts that are not expected are allowed.
const OTHERS: Keywords<bool> = Keywords::of(&[("fail", false), ("allow", true)]);

/// The reason why cases cannot be read.
enum CaseMistake {
    Refused(RefusedSetting),
    /// An error of a configuration, which has its place.
    Invalid(Error),
}

impl From<RefusedSetting> for CaseMistake {
    fn from(refusal: RefusedSetting) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for CaseMistake {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}

/// Reads the text of the file `path`. The settings of each case lie over `base`.
pub(super) fn parse(text: &str, path: &Path, base: &Settings) -> Result<CaseFile, Error> {
    let yaml = Yaml { text, path };
    let nodes = yaml.nodes()?;
    let cases = CaseReader { yaml, base }.read(&nodes).map_err(|mistake| match mistake {
        CaseMistake::Refused(refusal) => yaml.refused(&refusal),
        CaseMistake::Invalid(error) => error,
    })?;
    Ok(CaseFile { path: path.to_owned(), cases })
}

/// The part of a case that the defaults of a file may have as well.
#[derive(Debug, Clone, Default)]
struct Conditions {
    captures: Option<Vec<PathBuf>>,
    /// The settings of the configuration file.
    file: Option<Settings>,
    /// The settings of `config`.
    config: Settings,
    /// The settings of `options`.
    options: Settings,
    allows_others: Option<bool>,
}

impl Conditions {
    /// The settings of a case: those of the command line, of the configuration file, then those of the defaults and of
    /// the case.
    fn settings(&self, base: &Settings, defaults: &Self) -> Settings {
        let file = self.file.as_ref().or(defaults.file.as_ref()).cloned().unwrap_or_default();
        let layers = [file, defaults.config.clone(), defaults.options.clone(), self.config.clone()];
        layers.into_iter().fold(base.clone(), Settings::merge).merge(self.options.clone())
    }
}

struct CaseReader<'a> {
    yaml: Yaml<'a>,
    base: &'a Settings,
}

impl CaseReader<'_> {
    fn read(&self, nodes: &Given) -> Result<Vec<TestCase>, CaseMistake> {
        let (mut defaults, mut cases) = (Conditions::default(), None);
        for (key, value) in fields(nodes, &FILE_KEYS)? {
            match key {
                "cases" => cases = Some(value),
                _ => {
                    for (key, value) in fields(value, &DEFAULT_KEYS)? {
                        self.read_condition(&mut defaults, key, value)?;
                    }
                }
            }
        }
        let list = cases.ok_or_else(|| nodes.refused("there are no cases; list them under the key cases"))?;
        let mut names = HashMap::new();
        let mut read = Vec::new();
        for node in entries(list)? {
            let case = self.case(node, &defaults)?;
            if let Some(first) = names.insert(case.name.clone(), node) {
                let problem = format!("{}: another case has this name ({})", printable(&case.name), first.origin);
                return Err(node.refused(problem).into());
            }
            read.push(case);
        }
        if read.is_empty() { Err(list.refused("the list is empty; give at least one case").into()) } else { Ok(read) }
    }

    fn case(&self, node: &Given, defaults: &Conditions) -> Result<TestCase, CaseMistake> {
        let (mut name, mut alerts, mut absent) = (None, Vec::new(), Vec::new());
        let mut own = Conditions::default();
        for (key, value) in fields(node, &CASE_KEYS)? {
            match key {
                "name" => name = Some(FREE_TEXT.parse_given(value)?),
                "alerts" => alerts = entries(value)?.iter().map(expectation).collect::<Result<_, _>>()?,
                "absent" => absent = entries(value)?.iter().map(pattern).collect::<Result<_, _>>()?,
                _ => self.read_condition(&mut own, key, value)?,
            }
        }
        let name = name.ok_or_else(|| node.refused("the key name is missing"))?;
        let captures = own.captures.clone().or_else(|| defaults.captures.clone());
        let captures = captures.ok_or_else(|| node.refused("the key capture is missing; name a capture file"))?;
        let allows_others = own.allows_others.or(defaults.allows_others).unwrap_or_default();
        if allows_others && alerts.is_empty() && absent.is_empty() {
            let problem = "nothing is expected: other alerts are allowed; give entries of alerts or of absent";
            return Err(node.refused(problem).into());
        }
        let config = own.settings(self.base, defaults).validate().map_err(|error| self.in_case(node, error))?;
        let config = Config { source: None, ..config };
        Ok(TestCase { name, captures, config, alerts, absent, allows_others })
    }

    fn read_condition(&self, conditions: &mut Conditions, key: &str, value: &Given) -> Result<(), CaseMistake> {
        match key {
            "capture" => conditions.captures = Some(self.captures(value)?),
            "config_file" => conditions.file = Some(self.config_file(value)?),
            "config" => conditions.config = self.yaml.settings(value)?,
            "options" => conditions.options = options(value)?,
            _ => conditions.allows_others = Some(OTHERS.parse_given(value)?),
        }
        Ok(())
    }

    /// One file, or several that are read in this order.
    fn captures(&self, node: &Given) -> Result<Vec<PathBuf>, RefusedSetting> {
        let nodes = if let Content::List(nodes) = &node.content { nodes } else { std::slice::from_ref(node) };
        if nodes.is_empty() {
            return Err(node.refused("the list is empty; name at least one capture file"));
        }
        let captures = nodes.iter().map(|node| {
            let path = self.beside(&FILE_NAME.parse_given(node)?);
            let problem = match path.metadata() {
                Ok(metadata) if metadata.is_file() => return Ok(path),
                Ok(_) => "not a regular file".to_owned(),
                Err(error) => error.to_string(),
            };
            Err(node.refused(format!("{}: cannot read the capture: {problem}", printable(&path.to_string_lossy()))))
        });
        captures.collect()
    }

    fn config_file(&self, node: &Given) -> Result<Settings, CaseMistake> {
        match load(&self.beside(&FILE_NAME.parse_given(node)?)) {
            Err(error @ Error::Unreadable { .. }) => Err(node.refused(error.to_string()).into()),
            read => Ok(read?),
        }
    }

    /// A path that is relative to the folder of the file of cases.
    fn beside(&self, path: &Path) -> PathBuf {
        self.yaml.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// An error in the settings of a case, with the place of the case where it would name none in this file.
    fn in_case(&self, node: &Given, error: Error) -> Error {
        match error {
            Error::Invalid { place, problem } if !place.starts_with(&*self.yaml.path.to_string_lossy()) => {
                Error::invalid(node.place(), format!("{place}: {problem}"))
            }
            error => error,
        }
    }
}

/// The keys of a mapping that have a value, with it.
fn fields<'a>(node: &'a Given, keys: &[&'static str]) -> Result<Vec<(&'static str, &'a Given)>, RefusedSetting> {
    let Content::Mapping(entries) = &node.content else {
        return Err(node.refused(format!("expected a mapping; its keys are {}", keys.join(", "))));
    };
    let fields = entries.iter().map(|(key, value)| Ok((known_key(key, keys)?, value)));
    let fields: Vec<_> = fields.collect::<Result<_, RefusedSetting>>()?;
    Ok(fields.into_iter().filter(|(_, value)| !value.is_blank()).collect())
}

fn entries(node: &Given) -> Result<&[Given], RefusedSetting> {
    match &node.content {
        Content::List(entries) => Ok(entries),
        _ => Err(node.refused("expected a list; each entry begins with a dash")),
    }
}

/// Reads options as on the command line: a list of arguments, or a text that is split at blanks.
fn options(node: &Given) -> Result<Settings, CaseMistake> {
    let typed: Vec<OsString> = match &node.content {
        Content::Text(text) => text.split_whitespace().map(OsString::from).collect(),
        Content::List(nodes) => nodes.iter().map(argument).collect::<Result<_, _>>()?,
        _ => return Err(node.refused("expected a list of arguments, such as [-ByteLimit, 5M]").into()),
    };
    let at_node = |error| match error {
        Error::Invalid { place, problem } => CaseMistake::from(node.refused(format!("{place}: {problem}"))),
        error => error.into(),
    };
    let argv::Arguments { rewritten, occurrences } = argv::rewrite(typed).map_err(at_node)?;
    if let Some(other) = occurrences.iter().find(|one| !matches!(one.declaration.role, Role::Setting(_))) {
        let problem = format!("{}: not a setting; options of a case are settings alone", other.typed);
        return Err(node.refused(problem).into());
    }
    let in_options: usize =
        occurrences.iter().map(|one| 1 + usize::from(one.value.is_some() && !one.is_attached)).sum();
    if rewritten.len() != in_options {
        let problem = "expected only options with their values; a filter is given as -filter, a file as config_file";
        return Err(node.refused(problem).into());
    }
    Ok(layers::options_layer(&occurrences).map_err(at_node)?.alerting_on_anomalies())
}

fn argument(node: &Given) -> Result<OsString, RefusedSetting> {
    let text = node.text().ok_or_else(|| node.refused("expected an argument, such as -ByteLimit or 5M"))?;
    Ok(OsString::from(text.into_owned()))
}
