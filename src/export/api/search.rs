//! Completion of the filter box. Takes the last word that was typed, and the traffic; gives words that continue it.
//! Must not know how they are shown.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::Serialize;

use super::ApiInputs;
use super::filter::KEYS;
use super::filter_word::{FilterWord, QuotedValue, last, written};
use super::query::{BadParameter, Parameters};
use super::sums::{AddressKey, map};
use super::words::protocol_text;
use crate::locality::Direction;
use crate::names::HostNames;
use crate::packet::Protocol;
use crate::services::service_name;
use crate::tables::hashing::State;
use crate::tables::top::{heaviest_first, top_n};

/// Suggestions of an answer if it asks for no other number, and the most.
const DEFAULT_SUGGESTIONS: usize = 10;
const MAXIMUM_SUGGESTIONS: usize = 50;

pub(super) const PARAMETERS: [&str; 2] = ["q", "limit"];

/// A request for suggestions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SearchQuery {
    /// The word to continue, without its negation and its quotes.
    word: String,
    /// The sign before it, if it is negated.
    sign: &'static str,
    limit: usize,
}

#[derive(Serialize)]
struct SearchAnswer {
    suggestions: Vec<Suggestion>,
}

#[derive(Serialize)]
struct Suggestion {
    text: String,
    label: String,
}

impl SearchQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, BadParameter> {
        let typed = parameters.text("q").unwrap_or_default();
        let FilterWord { positive, is_negated, quoted, .. } = last(typed);
        let limit = parameters.number("limit", DEFAULT_SUGGESTIONS, 1, MAXIMUM_SUGGESTIONS)?;
        let word = match quoted {
            Some(QuotedValue { key: Some(key), value, .. }) => format!("{key}:{value}"),
            Some(QuotedValue { key: None, value, .. }) => value,
            None => positive.trim_start_matches(['-', '!']).to_owned(),
        };
        Ok(Self { word, sign: if is_negated { "-" } else { "" }, limit })
    }

    pub(super) fn write<W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        let mut suggestions = match self.word.split_once(':') {
            Some((key, begun)) if KEYS.contains(&key.to_ascii_lowercase().as_str()) => {
                self.of_key(&key.to_ascii_lowercase(), &begun.to_lowercase(), inputs)
            }
            _ => self.of_word(inputs),
        };
        suggestions.truncate(self.limit);
        Ok(serde_json::to_writer(out, &SearchAnswer { suggestions })?)
    }

    fn suggestion(&self, text: &str, label: impl Into<String>) -> Suggestion {
        Suggestion { text: format!("{}{text}", self.sign), label: label.into() }
    }

    /// Keys, addresses and services that the word begins.
    fn of_word(&self, inputs: &ApiInputs<'_>) -> Vec<Suggestion> {
        let begun = self.word.to_lowercase();
        let keys = KEYS.into_iter().filter(|key| !begun.is_empty() && key.starts_with(&begun));
        let mut suggestions: Vec<Suggestion> =
            keys.map(|key| self.suggestion(&format!("{key}:"), format!("{key}:"))).collect();
        for key in ["host", "service", "protocol"] {
            suggestions.extend(self.of_key(key, &begun, inputs));
        }
        suggestions
    }

    fn of_key(&self, key: &str, begun: &str, inputs: &ApiInputs<'_>) -> Vec<Suggestion> {
        let keyed = |value: &str, label: String| self.suggestion(&format!("{key}:{}", written(value)), label);
        match key {
            "host" | "src" | "dst" => {
                let hosts = self.hosts(begun, inputs).into_iter();
                hosts.map(|(text, label)| keyed(&text, label)).collect()
            }
            "port" | "service" | "protocol" => {
                let found = self.services(key, begun, inputs).into_iter();
                found.map(|(text, label)| keyed(&text, label)).collect()
            }
            "direction" => {
                let labels = Direction::ALL.map(Direction::label).into_iter();
                labels.filter(|label| label.starts_with(begun)).map(|label| keyed(label, label.to_owned())).collect()
            }
            "interface" => {
                let names = inputs.report.accounts.interfaces.iter().filter(|interface| interface.gone_since.is_none());
                let begun = names.filter(|interface| interface.name.to_lowercase().starts_with(begun));
                begun.map(|interface| keyed(&interface.name, interface.name.clone())).collect()
            }
            _ => {
                let devices = devices(begun, inputs.names).into_iter().take(self.limit);
                devices.map(|(mac, addresses)| keyed(mac, device_label(mac, &addresses, inputs.names))).collect()
            }
        }
    }

    /// Addresses that `begun` begins, and those with it in a name; the heaviest first.
    fn hosts(&self, begun: &str, inputs: &ApiInputs<'_>) -> Vec<(String, String)> {
        let mut bytes: HashMap<AddressKey, u64, State> = map();
        for row in &inputs.report.accounts.flows.rows {
            for end in [row.key.source, row.key.destination] {
                *bytes.entry(AddressKey(end)).or_default() += row.lifetime.bytes;
            }
        }
        let is_meant = |address: IpAddr| {
            begun.is_empty() || address.to_string().starts_with(begun) || inputs.names.contain(address, begun)
        };
        let meant = bytes.into_iter().filter(|(address, _)| is_meant(address.0));
        let labelled = |(AddressKey(address), _): (AddressKey, u64)| {
            let label = inputs.names.best(address).map(|name| format!("{address} ({name})"));
            (address.to_string(), label.unwrap_or_else(|| address.to_string()))
        };
        top_n(meant, self.limit, heaviest_first).into_iter().map(labelled).collect()
    }

    /// Ports, names of services, or protocols that `begun` begins; the heaviest first.
    fn services(&self, key: &str, begun: &str, inputs: &ApiInputs<'_>) -> Vec<(String, String)> {
        let mut bytes: HashMap<(Protocol, u16), u64, State> = map();
        for row in &inputs.report.accounts.flows.rows {
            *bytes.entry((row.key.protocol, row.key.port)).or_default() += row.lifetime.bytes;
        }
        // By the value, so that a port stands once: its bytes, and the bytes and the label of its heaviest service.
        let mut texts: HashMap<String, (u64, (u64, String)), State> = map();
        for ((protocol, port), bytes) in bytes {
            let name = service_name(protocol, port);
            let text = match key {
                "port" if port != 0 => {
                    Some((port.to_string(), name.map_or_else(|| port.to_string(), |name| format!("{port} ({name})"))))
                }
                "service" => name.map(|name| (name.to_owned(), name.to_owned())),
                "protocol" => Some((protocol_text(protocol), protocol_text(protocol))),
                _ => None,
            };
            if let Some((text, label)) = text.filter(|(text, _)| text.starts_with(begun)) {
                let (sum, heaviest) = texts.entry(text).or_default();
                *sum += bytes;
                let best = std::mem::take(heaviest);
                *heaviest = best.max((bytes, label));
            }
        }
        let sums = texts.into_iter().map(|(text, (sum, (_, label)))| ((text, label), sum));
        top_n(sums, self.limit, heaviest_first).into_iter().map(|(text, _)| text).collect()
    }
}

/// The devices whose MAC address begins with `begun`, each once, with their addresses in order.
fn devices<'a>(begun: &str, names: &'a HostNames) -> BTreeMap<&'a str, Vec<IpAddr>> {
    let mut devices: BTreeMap<&str, Vec<IpAddr>> = BTreeMap::new();
    for (&address, host) in &names.hosts {
        if let Some(mac) = host.mac.as_deref().filter(|mac| mac.starts_with(begun)) {
            devices.entry(mac).or_default().push(address);
        }
    }
    devices.values_mut().for_each(|addresses| addresses.sort_unstable());
    devices
}

/// `02:00:00:00:00:05 (nas.lan)`, `02:00:00:00:00:05 (10.0.0.5)`, `… (10.0.0.5 and 2 more)`.
fn device_label(mac: &str, addresses: &[IpAddr], names: &HostNames) -> String {
    let name = addresses.iter().find_map(|address| names.best(*address)).map(str::to_owned);
    let first = || addresses.first().map(IpAddr::to_string).unwrap_or_default();
    match (name, addresses.len()) {
        (Some(name), _) => format!("{mac} ({name})"),
        (None, ..=1) => format!("{mac} ({})", first()),
        (None, count) => format!("{mac} ({} and {} more)", first(), count - 1),
    }
}
