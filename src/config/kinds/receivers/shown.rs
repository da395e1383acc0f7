//! The keys of a receiver as `config` prints them. Takes settings; gives keys and values without secrets. Must not know
//! how they were given.

use super::VARIABLE_NAME;
use crate::config::given::{Content, Given};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::addresses::{FILE_NAME, FREE_TEXT};
use crate::config::kinds::rules::mapping;
use crate::config::kinds::secrets::SECRET_KEY;
use crate::notify::{ReceiverConfig, Secret, SecretSource, Vendor};

/// Base URLs of interfaces are no secrets.
pub(super) fn shown_url(vendor: &Vendor, source: &SecretSource) -> (Given, Given) {
    let (key, hidden) = shown_secret(["url", "url_file", "url_env"], source);
    let plain = match source {
        SecretSource::Given(url) => vendor.plain_url(url),
        SecretSource::File(_) | SecretSource::Variable(_) => None,
    };
    (key, plain.map_or(hidden, |url| Content::Text(url.to_owned()).into()))
}

fn shown_secret([itself, file, variable]: [&str; 3], source: &SecretSource) -> (Given, Given) {
    let (key, value) = match source {
        SecretSource::Given(secret) => (itself, SECRET_KEY.show(secret)),
        SecretSource::File(path) => (file, FILE_NAME.show(path)),
        SecretSource::Variable(name) => (variable, VARIABLE_NAME.show(name)),
    };
    (Content::Text(key.to_owned()).into(), value.into())
}

pub(super) fn shown_headers(receiver: &ReceiverConfig, is_included: fn(&SecretSource) -> bool) -> Option<Content> {
    let included = receiver.headers.iter().filter(|(_, source)| is_included(source));
    let entries = included.map(|(name, source)| {
        let value = match source {
            SecretSource::File(path) => FILE_NAME.show(path),
            SecretSource::Given(_) | SecretSource::Variable(_) => SECRET_KEY.show(&Secret::default()),
        };
        (Content::Text(name.clone()).into(), value.into())
    });
    let entries: Vec<_> = entries.collect();
    (!entries.is_empty()).then_some(Content::Mapping(entries))
}

pub(super) fn shown_vendor(vendor: &Vendor) -> Vec<(Given, Given)> {
    match vendor {
        Vendor::Alertmanager | Vendor::Webhook => Vec::new(),
        Vendor::Slack { channel, emoji, icon } => {
            let shown = [("channel", channel), ("emoji", emoji), ("icon", icon)].map(|(key, value)| {
                let value = value.as_ref().map(|value| FREE_TEXT.show(value));
                (key, value)
            });
            match mapping(shown) {
                Content::Mapping(entries) => entries,
                _ => Vec::new(),
            }
        }
        Vendor::PagerDuty { routing_key } => {
            vec![shown_secret(["routing_key", "routing_key_file", "routing_key_env"], routing_key)]
        }
        Vendor::Opsgenie { api_key } => vec![shown_secret(["api_key", "api_key_file", "api_key_env"], api_key)],
    }
}
