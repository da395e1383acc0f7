//! The kind of values that are receivers of alerts.
//!
//! Takes a mapping; gives the settings of a receiver. Must not know the other receivers.

mod shown;

use std::collections::BTreeMap;

use super::super::given::{Content, Given, RefusedSetting};
use super::super::slack::ATTEMPT;
use super::addresses::{FILE_NAME, FREE_TEXT, WholeNetwork};
use super::durations::ATTEMPT_TIMEOUT;
use super::keywords::{ALERT_KIND, Keywords, SEVERITY};
use super::rules::{keys_and_values, known_key, mapping, missing};
use super::secrets::{SECRET_KEY, SECRET_URL, SecretText};
use super::{ListOf, Scalar, Scalars, ValueKind};
use crate::notify::{AlertSelection, ReceiverConfig, SecretSource, Vendor};
use shown::{shown_headers, shown_url, shown_vendor};

/// The longest name of a receiver. It is the value of a label.
const LONGEST_NAME: usize = 64;
/// Headers that the program sets itself.
const OWN_HEADERS: [&str; 6] =
    ["content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent"];

/// The word for each vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VendorWord {
    Alertmanager,
    Slack,
    PagerDuty,
    Opsgenie,
    Webhook,
}

const VENDOR: Keywords<VendorWord> = Keywords::of(&[
    ("alertmanager", VendorWord::Alertmanager),
    ("slack", VendorWord::Slack),
    ("pagerduty", VendorWord::PagerDuty),
    ("opsgenie", VendorWord::Opsgenie),
    ("webhook", VendorWord::Webhook),
]);

impl VendorWord {
    /// The keys of this vendor alone.
    const fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::Slack => &["channel", "emoji", "icon"],
            Self::PagerDuty => &["routing_key", "routing_key_file", "routing_key_env"],
            Self::Opsgenie => &["api_key", "api_key_file", "api_key_env"],
            Self::Alertmanager | Self::Webhook => &[],
        }
    }

    /// True if the vendor has no URL of its own.
    const fn needs_url(self) -> bool {
        matches!(self, Self::Alertmanager | Self::Slack | Self::Webhook)
    }

    const fn of(vendor: &Vendor) -> Self {
        match vendor {
            Vendor::Alertmanager => Self::Alertmanager,
            Vendor::Slack { .. } => Self::Slack,
            Vendor::PagerDuty { .. } => Self::PagerDuty,
            Vendor::Opsgenie { .. } => Self::Opsgenie,
            Vendor::Webhook => Self::Webhook,
        }
    }
}

/// The name of a receiver.
const NAME: Scalar<String> = Scalar {
    form: "1 to 64 of a-z, 0-9, - and _",
    parse: |text| {
        let fits = (1..=LONGEST_NAME).contains(&text.len());
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        (fits && text.bytes().all(is_plain)).then(|| text.to_owned())
    },
    ..FREE_TEXT
};

/// The name of an environment variable.
const VARIABLE_NAME: Scalar<String> = Scalar {
    form: "the name of an environment variable",
    parse: |text| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = !text.is_empty() && !text.as_bytes()[0].is_ascii_digit() && text.bytes().all(is_part);
        is_name.then(|| text.to_owned())
    },
    ..FREE_TEXT
};

/// An entry of the list of receivers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiverEntry;

impl ReceiverEntry {
    pub(super) const KEYS: &[&str] = &[
        "name",
        "type",
        "url",
        "url_file",
        "url_env",
        "timeout",
        "headers",
        "header_files",
        "ca_file",
        "kinds",
        "severity",
        "networks",
        "channel",
        "emoji",
        "icon",
        "routing_key",
        "routing_key_file",
        "routing_key_env",
        "api_key",
        "api_key_file",
        "api_key_env",
    ];
    /// Index of the first key that only one vendor has.
    const OWN: usize = 12;
}

impl ValueKind for ReceiverEntry {
    type Value = ReceiverConfig;

    fn form(&self) -> String {
        "a mapping such as {name: team, type: slack, url_file: /etc/trafficmonitor/slack-url}".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::None
    }

    fn parse_given(&self, given: &Given) -> Result<ReceiverConfig, RefusedSetting> {
        let entry = ReceiverKeys::of(self, given)?;
        let word = entry.required("type", &VENDOR)?;
        entry.refuse_keys_of_others(word)?;
        let url = entry.secret(["url", "url_file", "url_env"], SECRET_URL)?;
        if url.is_none() && word.needs_url() {
            return Err(given.refused("the URL is missing; give url, url_file or url_env"));
        }
        let vendor = entry.vendor(word)?;
        if let (Some(SecretSource::Given(given)), Some(value)) = (&url, entry.value("url")) {
            vendor.check_url(given).map_err(|fault| without_content(value).refused(fault.to_string()))?;
        }
        Ok(ReceiverConfig {
            name: entry.required("name", &NAME)?,
            vendor,
            url,
            timeout: entry.optional("timeout", &ATTEMPT_TIMEOUT)?.unwrap_or(ATTEMPT),
            headers: entry.headers()?,
            ca_file: entry.optional("ca_file", &FILE_NAME)?,
            selection: AlertSelection {
                kinds: entry.list("kinds", ALERT_KIND)?,
                severity: entry.optional("severity", &SEVERITY)?,
                networks: entry.list("networks", WholeNetwork)?,
            },
        })
    }

    fn show(&self, receiver: &ReceiverConfig) -> Content {
        let AlertSelection { kinds, severity, networks } = &receiver.selection;
        let Content::Mapping(mut entries) = mapping([
            ("name", Some(NAME.show(&receiver.name))),
            ("type", Some(VENDOR.show(&VendorWord::of(&receiver.vendor)))),
            ("timeout", Some(ATTEMPT_TIMEOUT.show(&receiver.timeout))),
            ("headers", shown_headers(receiver, |source| matches!(source, SecretSource::Given(_)))),
            ("header_files", shown_headers(receiver, |source| matches!(source, SecretSource::File(_)))),
            ("ca_file", receiver.ca_file.as_ref().map(|file| FILE_NAME.show(file))),
            ("kinds", (!kinds.is_empty()).then(|| ListOf(ALERT_KIND).show(kinds))),
            ("severity", severity.as_ref().map(|severity| SEVERITY.show(severity))),
            ("networks", (!networks.is_empty()).then(|| ListOf(WholeNetwork).show(networks))),
        ]) else {
            return Content::Null;
        };
        entries.extend(receiver.url.as_ref().map(|url| shown_url(&receiver.vendor, url)));
        entries.extend(shown_vendor(&receiver.vendor));
        Content::Mapping(entries)
    }
}

/// The keys of a receiver with their values. A key without a value counts as not given.
struct ReceiverKeys<'a> {
    given: &'a Given,
    values: BTreeMap<&'static str, (&'a Given, &'a Given)>,
}

impl<'a> ReceiverKeys<'a> {
    fn of(kind: &ReceiverEntry, given: &'a Given) -> Result<Self, RefusedSetting> {
        let mut values = BTreeMap::new();
        for (key, value) in keys_and_values(kind, given)? {
            let known = known_key(key, ReceiverEntry::KEYS)?;
            if !value.is_blank() {
                values.insert(known, (key, value));
            }
        }
        Ok(Self { given, values })
    }

    fn value(&self, key: &str) -> Option<&'a Given> {
        self.values.get(key).map(|(_, value)| *value)
    }

    fn optional<K: ValueKind>(&self, key: &str, kind: &K) -> Result<Option<K::Value>, RefusedSetting> {
        self.value(key).map(|value| kind.parse_given(value)).transpose()
    }

    /// The values of a list, which is not empty if it is given.
    fn list<K: ValueKind>(&self, key: &str, kind: K) -> Result<Vec<K::Value>, RefusedSetting> {
        let Some(given) = self.value(key) else { return Ok(Vec::new()) };
        let values = ListOf(kind).parse_given(given)?;
        if values.is_empty() {
            return Err(given.refused(format!("no {key} are given; name some, or remove the key for all")));
        }
        Ok(values)
    }

    fn required<K: ValueKind>(&self, key: &str, kind: &K) -> Result<K::Value, RefusedSetting> {
        self.optional(key, kind)?.ok_or_else(|| missing(self.given, key, kind))
    }

    /// Refuses keys that only another vendor has.
    fn refuse_keys_of_others(&self, word: VendorWord) -> Result<(), RefusedSetting> {
        let others = &ReceiverEntry::KEYS[ReceiverEntry::OWN..];
        let foreign = others.iter().find(|key| self.values.contains_key(*key) && !word.own_keys().contains(key));
        foreign.and_then(|key| self.values.get(key)).map_or(Ok(()), |(key, _)| {
            let name = key.text().unwrap_or_default().into_owned();
            Err(key.refused(format!("a receiver of type {} has no key {name}; remove it", VENDOR.word(word))))
        })
    }

    fn vendor(&self, word: VendorWord) -> Result<Vendor, RefusedSetting> {
        let key = |keys: [&'static str; 3]| {
            let missing =
                || self.given.refused(format!("the key is missing; give {}, {} or {}", keys[0], keys[1], keys[2]));
            self.secret(keys, SECRET_KEY)?.ok_or_else(missing)
        };
        Ok(match word {
            VendorWord::Alertmanager => Vendor::Alertmanager,
            VendorWord::Webhook => Vendor::Webhook,
            VendorWord::Slack => Vendor::Slack {
                channel: self.optional("channel", &FREE_TEXT)?,
                emoji: self.optional("emoji", &FREE_TEXT)?,
                icon: self.optional("icon", &FREE_TEXT)?,
            },
            VendorWord::PagerDuty => {
                Vendor::PagerDuty { routing_key: key(["routing_key", "routing_key_file", "routing_key_env"])? }
            }
            VendorWord::Opsgenie => Vendor::Opsgenie { api_key: key(["api_key", "api_key_file", "api_key_env"])? },
        })
    }

    /// The secret of one of three keys: itself, the file with it, the variable with it.
    fn secret(&self, keys: [&'static str; 3], kind: SecretText) -> Result<Option<SecretSource>, RefusedSetting> {
        let [itself, file, variable] = keys;
        let mut given = keys.iter().filter_map(|key| self.values.get(key));
        if let (Some(_), Some((second, _))) = (given.next(), given.next()) {
            return Err(second.refused(format!("give only one of {itself}, {file} and {variable}")));
        }
        let of_file = self.optional(file, &FILE_NAME)?.map(SecretSource::File);
        let of_variable = self.optional(variable, &VARIABLE_NAME)?.map(SecretSource::Variable);
        let itself = self.optional(itself, &kind)?.map(SecretSource::Given);
        Ok(itself.or(of_file).or(of_variable))
    }

    /// The headers by their names in lower case.
    fn headers(&self) -> Result<BTreeMap<String, SecretSource>, RefusedSetting> {
        let mut headers = BTreeMap::new();
        for key in ["headers", "header_files"] {
            let Some(value) = self.value(key) else { continue };
            let Content::Mapping(entries) = &value.content else {
                return Err(
                    without_content(value).refused("expected names of headers with values, such as {X-Team: net}")
                );
            };
            for (name, value) in entries {
                let source = if key == "headers" {
                    SecretSource::Given(SECRET_KEY.parse_given(value)?)
                } else {
                    SecretSource::File(FILE_NAME.parse_given(value)?)
                };
                if headers.insert(header_name(name)?, source).is_some() {
                    return Err(name.refused("this header is given twice; remove one"));
                }
            }
        }
        Ok(headers)
    }
}

/// The name of a header in lower case (RFC 9110, section 5.6.2: a token).
fn header_name(node: &Given) -> Result<String, RefusedSetting> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = node.text().unwrap_or_default().to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(without_content(node).refused("not a valid name of a header; expected a form such as X-Team"));
    }
    if OWN_HEADERS.contains(&name.as_str()) {
        return Err(node.refused(format!("the program itself sets the header {name}; remove it")));
    }
    Ok(name)
}

fn without_content(given: &Given) -> Given {
    Given { content: Content::Null, origin: given.origin.clone() }
}
