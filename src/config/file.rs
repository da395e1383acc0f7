//! The configuration file ↔ one layer of [`Settings`]; the one place that knows the YAML crate's functions.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Options, Spanned};

use super::nearest::nearest;
use super::notation::{self, Slip};
use super::option::OptionDefinition;
use super::options::{FILE_ONLY, settings};
use super::{ConfigError, Settings, Unavailable, trafficalerted};

/// Advice for the list of permitted networks.
const WITHOUT_PERMITTED_NETWORKS: &str = "count what is not permitted with a filter, such as not net 10.0.0.0/8";

/// Reads a configuration file.
///
/// # Errors
/// [`ConfigError::Unreadable`]; [`ConfigError::Invalid`] with file, line and column; [`ConfigError::Unavailable`] for the
/// file of another program that is known but not read yet.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// Reads the text of the configuration file `path`: YAML, or TrafficAlerted's, which is known by its keys.
///
/// # Errors
/// As [`load`], but for reading the file.
pub fn parse(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    if text.trim_start().starts_with('{') && text.contains("\"permitted_cidrs\"") {
        let what = format!("{}: the list of permitted networks (permitted_cidrs)", path.display());
        return Err(ConfigError::Unavailable(vec![Unavailable { what, meanwhile: WITHOUT_PERMITTED_NETWORKS }]));
    }
    if is_trafficalerteds(text, path) {
        return trafficalerted::parse(text, path);
    }
    if let Some(slip) = notation::find_silent(text) {
        return Err(noted(slip, path));
    }
    let read: Option<Settings> =
        serde_saphyr::from_str_with_options(text, strict()).map_err(|error| located(&error, text, path))?;
    refuse_odd_numbers(text, path)?;
    Ok(Settings { path: Some(path.to_owned()), ..read.unwrap_or_default() })
}

/// Writes settings as YAML.
///
/// # Errors
/// [`ConfigError::Unwritable`].
pub fn write(settings: &Settings) -> Result<String, ConfigError> {
    serde_saphyr::to_string(settings).map_err(|error| ConfigError::Unwritable(error.to_string()))
}

/// Only `true` and `false` are booleans (an interface may be called `no`), a key stands once, and nothing is merged in.
fn strict() -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        // They are no number of anything, and are told with what would do.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    }
}

/// YAML knows numbers that people read otherwise: 0x10, 0o17, 0b1, 1_000, and 010, which was 8 once. They are refused here,
/// where a setting is what it is in an option: decimal digits.
fn refuse_odd_numbers(text: &str, path: &Path) -> Result<(), ConfigError> {
    let read: Option<Numbers> =
        serde_saphyr::from_str_with_options(text, strict()).map_err(|error| located(&error, text, path))?;
    for (line, column) in read.map(|Numbers { below, .. }| below).unwrap_or_default() {
        let written = scalar_at(text, line as usize, column as usize);
        if is_odd_number(written) {
            let place = format!("{}:{line}:{column}", path.display());
            let problem = format!("{written}: write the number in decimal digits, such as 4096");
            return Err(ConfigError::invalid(place, problem));
        }
    }
    Ok(())
}

/// The plain scalar that begins there; lines and columns count from 1.
fn scalar_at(text: &str, line: usize, column: usize) -> &str {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let start = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let scalar = &line[start..];
    let end = scalar.find([',', '}']).into_iter().chain(scalar.find(" #")).min().unwrap_or(scalar.len());
    scalar[..end].trim()
}

/// Whether a number has another base, or digits that need not be there.
fn is_odd_number(written: &str) -> bool {
    let digits = written.trim_start_matches(['+', '-']);
    let leads =
        digits.strip_prefix('0').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_alphanumeric()));
    leads || digits.contains('_')
}

/// Where the numbers of a node stand: line and column.
#[derive(Default)]
struct Numbers {
    /// The node is a number itself.
    is_number: bool,
    /// Those within.
    below: Vec<(u64, u64)>,
}

impl Numbers {
    fn scalar(is_number: bool) -> Self {
        Self { is_number, below: Vec::new() }
    }

    fn add(&mut self, node: Spanned<Self>) {
        if node.value.is_number {
            self.below.push((node.defined.line(), node.defined.column()));
        }
        self.below.extend(node.value.below);
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumbersVisitor)
    }
}

struct NumbersVisitor;

impl<'de> Visitor<'de> for NumbersVisitor {
    type Value = Numbers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any node")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Numbers, E> {
        Ok(Numbers::scalar(true))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Numbers, E> {
        Ok(Numbers::scalar(true))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Numbers, E> {
        Ok(Numbers::scalar(true))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Numbers, E> {
        Ok(Numbers::default())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Numbers, E> {
        Ok(Numbers::default())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Numbers, E> {
        Ok(Numbers::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Numbers, A::Error> {
        let mut numbers = Numbers::default();
        while let Some(node) = sequence.next_element()? {
            numbers.add(node);
        }
        Ok(numbers)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Numbers, A::Error> {
        let mut numbers = Numbers::default();
        while let Some((IgnoredAny, node)) = map.next_entry()? {
            numbers.add(node);
        }
        Ok(numbers)
    }
}

/// Whether a file has TrafficAlerted's keys and no section of ours. Its keys may all be misspelt where its name tells.
fn is_trafficalerteds(text: &str, path: &Path) -> bool {
    let mut keys = text.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key);
    let is_ours = keys.any(|key| Settings::KEYS.iter().any(|(section, _)| *section == key));
    let is_named = path.extension().is_some_and(|extension| extension == trafficalerted::EXTENSION);
    !is_ours && (is_named || trafficalerted::is_file(text))
}

/// An error of the YAML crate in our words, with file, line and column.
fn located(error: &Error, text: &str, path: &Path) -> ConfigError {
    let error = error.without_snippet();
    if let Some(slip) = slip(error, text) {
        return noted(slip, path);
    }
    let place = match error.location() {
        Some(location) => format!("{}:{}:{}", path.display(), location.line(), location.column()),
        None => path.display().to_string(),
    };
    ConfigError::invalid(place, problem(error))
}

/// The slip of the notation because of which there is this error, if there is one.
fn slip(error: &Error, text: &str) -> Option<Slip> {
    let location = error.location()?;
    let line = usize::try_from(location.line()).ok()?;
    match error {
        Error::SerdeInvalidType { .. } | Error::DuplicateMappingKey { .. } | Error::MultipleDocuments { .. } => None,
        Error::Message { .. } => notation::find_missing_space(text, line),
        Error::SerdeUnknownField { field, .. } if !field.contains([':', '\u{a0}']) => None,
        // In braces, `level:info` is a key without a value.
        Error::SerdeUnknownField { field, .. } => notation::find(text, line).or_else(|| {
            let (key, value) = field.split_once(':')?;
            let problem = format!("a space is missing after the colon; write `{key}: {value}`");
            Some(Slip { line, column: usize::try_from(location.column()).ok()?, problem })
        }),
        _ => notation::find(text, line),
    }
}

fn noted(Slip { line, column, problem }: Slip, path: &Path) -> ConfigError {
    ConfigError::invalid(format!("{}:{line}:{column}", path.display()), problem)
}

fn problem(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected),
        Error::SerdeInvalidType { unexpected, expected, .. } => format!("expected {expected}, found {unexpected}"),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("duplicate key {key}; remove one")
        }
        Error::MultipleDocuments { .. } => "a second YAML document starts here; keep only one".to_owned(),
        Error::Message { msg, .. } => msg.clone(),
        other => without_location(&other.to_string()),
    }
}

/// The crate's messages end in the location, which stands before ours.
fn without_location(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message).to_owned()
}

/// Offers the nearest key of the section, else the key of the option of that name, else names the keys there are.
fn unknown_key(key: &str, expected: &[&'static str]) -> String {
    let offer = nearest(key, expected.iter().copied()).map(str::to_owned).or_else(|| elsewhere(key));
    match offer {
        Some(offer) => format!("unknown key {key}; did you mean {offer}?"),
        None => format!("unknown key {key}; the keys here are {}", expected.join(", ")),
    }
}

/// Where a key stands that was written into the wrong section, or as the option is called.
fn elsewhere(key: &str) -> Option<String> {
    let of_option = |definition: &OptionDefinition| definition.long_names().any(|name| name == key);
    let keys = || settings().flat_map(|definition| definition.keys).chain(FILE_ONLY);
    let (section, key) = settings()
        .find(|definition| of_option(definition))
        .and_then(|definition| definition.keys.first())
        .or_else(|| keys().find(|(_, name)| *name == key))?;
    Some(format!("{key} in section {section}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text, Path::new("t.yml")).and_then(Settings::validate).unwrap_err().to_string()
    }

    #[test]
    fn nothing_and_empty_sections_give_an_empty_layer() {
        for text in
            ["", "# only a comment\n", "---\n", "capture:\nlog:\n", "capture:\n  filter:\n", "capture:\n  filter: ''\n"]
        {
            let read = parse(text, Path::new("t.yml")).unwrap();
            assert_eq!(Settings { path: None, ..read }, Settings::default(), "{text:?}");
        }
    }

    #[test]
    fn mistakes_are_told_with_line_column_and_what_would_do() {
        let table = [
            ("capture:\n  snaplength: 5\n", "t.yml:2:3: unknown key snaplength; did you mean snap_length?"),
            ("capture:\n  iface: eth0\n", "t.yml:2:3: unknown key iface; did you mean interfaces in section capture?"),
            (
                "log:\n  promiscuous: true\n",
                "t.yml:2:3: unknown key promiscuous; did you mean promiscuous in section capture?",
            ),
            ("snap_length: 5\n", "t.yml:1:1: unknown key snap_length; did you mean snap_length in section capture?"),
            ("log:\n  zzz: true\n", "t.yml:2:3: unknown key zzz; the keys here are level, format"),
            (
                "capture:\n  snap_length: many\n",
                "t.yml:2:16: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535), found string \"many\"",
            ),
            (
                "capture:\n  snap_length: 70000\n",
                "t.yml:2:16: 70000: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535)",
            ),
            ("capture:\n  promiscuous: yes\n", "t.yml:2:16: expected true or false, found string \"yes\""),
            ("capture:\n  promiscuous: 1\n", "t.yml:2:16: expected true or false, found integer `1`"),
            ("capture:\n  filter: [tcp]\n", "t.yml:2:11: expected text, found sequence"),
            ("capture:\n  filter: {a: tcp}\n", "t.yml:2:11: expected text, found map"),
            (
                "capture:\n  promiscuous: true\n  promiscuous: true\n",
                "t.yml:3:3: duplicate key promiscuous; remove one",
            ),
            (
                "capture:\n  interfaces:\n    - eth0\n    - a/b\n",
                "t.yml:4:7: a/b: expected an interface name (1 to 127 bytes, no slash, colon or space)",
            ),
            ("log: {}\n---\nlog: {}\n", "t.yml:3:1: a second YAML document starts here; keep only one"),
            (
                "log:\n  format: jsonl\n",
                "t.yml:2:11: jsonl: this is a value of --log-format (the format of policy events); expected logfmt or json",
            ),
            ("http:\n  listen: []\n", "t.yml:2:11: no address to listen on; give one, such as :8888"),
        ];
        for (text, expected) in table {
            assert_eq!(message(text), expected, "{text}");
        }
    }

    #[test]
    fn contradictions_name_both_places() {
        assert_eq!(
            message("capture:\n  interfaces: any\n  promiscuous: true\n"),
            "t.yml:3:16: the interface any (t.yml:2:15) has no promiscuous mode; name the interfaces to capture, or turn \
             promiscuous mode off"
        );
    }

    #[test]
    fn broken_yaml_is_told_with_its_place() {
        for text in ["capture: [", "capture:\n\t- x", "a: b: c", "*x", "- a", "5", "capture: 5", "<<: {}"] {
            let message = message(text);
            assert!(message.starts_with("t.yml:"), "{text:?}: {message}");
            assert!(!message.contains('\n') && !message.contains(" at line "), "{text:?}: {message}");
        }
    }

    #[test]
    fn the_list_of_permitted_networks_is_known_but_not_read_yet() {
        let permitted = "{\n  \"permitted_cidrs\": [\"10.0.0.0/8\"]\n}";
        assert_eq!(
            message(permitted),
            "t.yml: the list of permitted networks (permitted_cidrs) is not available yet; leave it out, and meanwhile count what is \
             not permitted with a filter, such as not net 10.0.0.0/8"
        );
    }

    #[test]
    fn mistakes_in_entries_of_lists_are_told_with_their_place() {
        for (text, expected) in [
            (
                "bandwidth:\n  networks:\n  - {network: 10.0.0.0/8, limit: 1X}\n",
                "3:34: 1X: expected a number of bytes above 0",
            ),
            (
                "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit: 0\n",
                "4:12: 0: a limit of 0 would alert on every packet; expected a number of bytes",
            ),
            (
                "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n",
                "3:5: the key limit is missing; expected a number of bytes",
            ),
            ("bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit:\n", "3:5: the key limit is missing"),
            (
                "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limits: 1G\n",
                "4:5: unknown key limits; did you mean limit?",
            ),
            (
                "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit: 0x10\n",
                "4:12: 0x10: write the number in decimal digits",
            ),
            (
                "bandwidth:\n  networks:\n  - network: 10.0.0.0/8\n    limit: 1G\n    interval: -5\n",
                "5:15: -5: expected seconds or a duration",
            ),
            (
                "bandwidth:\n  networks:\n  - 10.0.0.0/8\n",
                "3:5: expected a mapping such as {network: 192.0.2.0/24, limit: 5G}, found string",
            ),
            (
                "bandwidth:\n  networks: {network: 10.0.0.0/8, limit: 1G}\n",
                "2:13: expected a list; each entry must be a mapping such as",
            ),
            (
                "bandwidth:\n  networks:\n  - {network: 10.0.0.1/8, limit: 1G}\n",
                "3:5: network 10.0.0.1/8 has host bits set; did you mean 10.0.0.0/8?",
            ),
            (
                "bandwidth:\n  networks:\n  - {network: 10.0.0.0/8, limit: 1G}\n  - {network: 10.0.0.0/8, limit: 2G}\n",
                "3:5: network 10.0.0.0/8 has two limits",
            ),
            (
                "alert:\n  exclusions:\n  - {}\n",
                "3:5: exclusion 1 excludes everything; give a network, a port or a kind",
            ),
            ("alert:\n  exclusions:\n  - port: 0\n", "3:11: 0: expected a port from 1 to 65535"),
            (
                "alert:\n  exclusions:\n  - kind: hostscan\n",
                "3:11: hostscan: did you mean host_scan? expected host_scan, port_scan",
            ),
            ("alert:\n  exclusions:\n  - {ports: 53}\n", "3:6: unknown key ports; did you mean port?"),
            (
                "anomaly:\n  methods: [diff, hirank]\n",
                "2:19: hirank: did you mean highrank? expected an anomaly test: cdf, diff",
            ),
            ("anomaly:\n  methods: []\n", "2:12: no anomaly test given; choose from"),
            ("anomaly:\n  methods: fence\n", "2:12: the fence test does nothing without a bound"),
            (
                "anomaly:\n  lower_bound: 10\n  upper_bound: 5\n",
                "2:16, t.yml:3:16: the lower bound 10 is not below the upper bound 5",
            ),
            (
                "anomaly:\n  lower_bound: 10\n",
                "2:16: the lower bound 10 is not below the upper bound 5 (the default is 5",
            ),
            ("anomaly:\n  upper_bound: -1\n", "2:16: the upper bound -1 is not above 0"),
            ("anomaly:\n  capacity: 4\n", "2:13: 4 values per pair are too few"),
            (
                "anomaly:\n  seasons: 10\n",
                "2:12: 10 values per pair are too few: the active and reference windows need 11",
            ),
            ("anomaly:\n  transfer_interval: 2d\n", "2:22: a transfer interval of 2days; use 100ms to 1day"),
            ("scan:\n  port_interval: -600\n", "2:18: -600: expected seconds or a duration"),
            ("scan:\n  contacted_ips: 0\n", "2:18: 0: expected a number from 1 to 65535"),
            (
                "bandwidth:\n  limit: 99999999T\n",
                "2:10: 99999999T: the limit cannot exceed 18446744073709551615 bytes; expected",
            ),
            (
                "bandwidth:\n  TrafficInterval: 170\n",
                "2:3: unknown key TrafficInterval; did you mean interval in section bandwidth?",
            ),
        ] {
            let message = message(text);
            assert!(message.starts_with(&format!("t.yml:{expected}")), "{text}: {message}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told_with_its_name() {
        let error = load(Path::new("/nowhere/t.yml")).unwrap_err();
        assert!(
            error.to_string().starts_with("/nowhere/t.yml: cannot read the configuration: No such file"),
            "{error}"
        );
    }
}
