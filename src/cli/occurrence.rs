//! An option as a command line gives it.
//!
//! Takes what was typed; gives a value with its place. Must not know other options.

use std::ffi::OsString;

use crate::config::{Declaration, Given, SettingOrigin};

/// An option as it was given.
#[derive(Debug, Clone)]
pub struct Occurrence {
    /// The option.
    pub declaration: &'static Declaration,
    /// The name as typed, with its dashes.
    pub typed: String,
    /// The value; none for a switch without one.
    pub value: Option<OsString>,
    /// True if the value stands behind `=`.
    pub is_attached: bool,
}

impl Occurrence {
    /// The value with its place; `true` for a switch without one.
    pub fn given(&self) -> Given {
        let value = self.value.clone().unwrap_or_else(|| OsString::from("true"));
        let typed = self.typed.clone();
        let origin =
            if self.is_attached { SettingOrigin::OptionWithValue(typed) } else { SettingOrigin::Option(typed) };
        Given::argument(value, origin)
    }
}
