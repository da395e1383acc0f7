//! The kinds of values that are secrets, and values that the word `nil` unsets.
//!
//! Takes a text; gives a secret. No message contains a part of it, and `config` prints [`HIDDEN`]. Must not know what
//! the secret opens.

use super::super::given::{Content, Given, RefusedSetting};
use super::{Scalars, ValueKind};
use crate::notify::{Secret, check_url};

/// `config` prints this in place of a secret. It is refused when it is read.
pub(crate) const HIDDEN: &str = "<secret>";

/// The word that means "not given" in wherefore's options.
const NIL: &str = "nil";

/// A secret text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretText {
    form: &'static str,
    check: fn(&str) -> Result<(), String>,
}

/// The URL of a receiver. It often contains a key.
pub(crate) const SECRET_URL: SecretText =
    SecretText { form: "a URL with https or http", check: |text| check_url(text).map_err(|fault| fault.to_string()) };
/// A key, or the value of a header.
pub(crate) const SECRET_KEY: SecretText = SecretText {
    form: "text of one line",
    check: |text| if text.contains(char::is_control) { Err("expected text of one line".to_owned()) } else { Ok(()) },
};

impl ValueKind for SecretText {
    type Value = Secret;

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn parse(&self, text: &str) -> Result<Secret, String> {
        if text == HIDDEN {
            return Err(format!(
                "{HIDDEN} stands for a secret that `trafficmonitor config` does not print; put the secret into a file and \
                 name that file instead"
            ));
        }
        (self.check)(text).map(|()| Secret::new(text))
    }

    fn show(&self, _: &Secret) -> Content {
        Content::Text(HIDDEN.to_owned())
    }

    fn parse_given(&self, given: &Given) -> Result<Secret, RefusedSetting> {
        let parsed = match &given.content {
            Content::Argument(argument) => self.parse_argument(argument),
            Content::Text(text) => self.parse(text.trim()),
            _ => Err(format!("{}, in quotes", self.expected())),
        };
        parsed.map_err(|problem| hidden(given).refused(problem))
    }
}

/// The value without its content, for messages.
fn hidden(given: &Given) -> Given {
    Given { content: Content::Null, origin: given.origin.clone() }
}

/// A value that `nil` unsets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrNil<K>(pub K);

impl<K: ValueKind> ValueKind for OrNil<K> {
    type Value = Option<K::Value>;

    fn form(&self) -> String {
        format!("{}, or {NIL}", self.0.form())
    }

    fn scalars(&self) -> Scalars {
        self.0.scalars()
    }

    fn parse(&self, text: &str) -> Result<Self::Value, String> {
        if text == NIL { Ok(None) } else { self.0.parse(text).map(Some) }
    }

    fn show(&self, value: &Self::Value) -> Content {
        value.as_ref().map_or_else(|| Content::Text(NIL.to_owned()), |value| self.0.show(value))
    }

    fn parse_given(&self, given: &Given) -> Result<Self::Value, RefusedSetting> {
        if given.text().is_some_and(|text| text.trim() == NIL) { Ok(None) } else { self.0.parse_given(given).map(Some) }
    }
}
