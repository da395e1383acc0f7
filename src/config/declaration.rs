//! The declaration of an option or a setting: its names, its places and its two functions.
//!
//! Gives all that parser, help, documents, environment and file need. Must not know whether the option or setting is
//! given.

use super::Config;
use super::given::{Content, Given, RefusedSetting};

/// Section and key in the configuration file.
pub(crate) type FileKey = (&'static str, &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One value; the last one given counts.
    Value,
    /// One value that is a comma list; the last one given counts.
    List,
    /// A comma list that may be given several times, each adding to it.
    Repeatable,
    /// On by its name alone; a value only after `=`.
    Switch,
    /// A switch that may be given several times, also as one cluster (`-vv`).
    Counting,
}

impl Arity {
    /// True if the next argument is the value when `=` attaches none.
    pub const fn takes_next(self) -> bool {
        matches!(self, Self::Value | Self::List | Self::Repeatable)
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Role {
    Setting(Access),
    /// The command line itself uses it.
    Command,
    /// Only the subcommand `replay` uses it.
    Replay,
    /// Only the subcommand `test` uses it.
    Test,
    /// Only the subcommand `analyze` uses it.
    Analyze,
}

/// The two functions of a setting, and the form of its values.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// The form of a value, with its range.
    pub form: fn() -> String,
    /// All words that are values; empty if there are other values than words.
    pub words: fn() -> Vec<&'static str>,
    /// Parses a value and puts it into the configuration.
    pub apply: fn(&mut Config, &Given) -> Result<(), RefusedSetting>,
    /// The value in the configuration, as the file would have it.
    pub show: fn(&Config) -> Content,
    /// True if the setting has the same value in both configurations.
    pub is_same: fn(&Config, &Config) -> bool,
}

/// The fate of a new value that a reload reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The running program takes it.
    Live,
    /// The reload is refused, because only a start can take it.
    Restart,
}

/// An option, a setting, or both.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The first name of the option. A few have only a letter, and settings of the file alone have neither.
    pub long: Option<&'static str>,
    pub aliases: &'static [&'static str],
    pub short: Option<char>,
    /// The name of the value in the help; empty for switches.
    pub value: &'static str,
    pub arity: Arity,
    /// The default as a text; empty for none.
    pub default: &'static str,
    /// The purpose, in a sentence without a full stop.
    pub help: &'static str,
    /// Section and key in the configuration file; an option that sets several keys has all of them.
    pub keys: &'static [FileKey],
    pub variable: Option<&'static str>,
    /// The fate of a new value that a reload reads. A declaration without [`Declaration::live`] needs a restart.
    pub reload: Reload,
    pub role: Role,
}

/// A setting with these keys in the file; the functions below add its option.
pub(super) const fn setting(keys: &'static [FileKey], access: Access) -> Declaration {
    Declaration { long: None, keys, ..Declaration::option("", Role::Setting(access)) }
}

/// The builder: each of these functions sets one more property.
impl Declaration {
    /// An option that is not a setting.
    pub const fn option(long: &'static str, role: Role) -> Self {
        Self {
            long: Some(long),
            aliases: &[],
            short: None,
            value: "",
            arity: Arity::Value,
            default: "",
            help: "",
            keys: &[],
            variable: None,
            reload: Reload::Restart,
            role,
        }
    }

    /// An option with a long name, an environment variable, a value, and a default, which is empty for none.
    pub(crate) const fn named(
        self,
        long: &'static str,
        variable: &'static str,
        value: &'static str,
        default: &'static str,
    ) -> Self {
        Self { long: Some(long), ..self.variable(variable).value(value, default) }
    }

    pub const fn value(self, value: &'static str, default: &'static str) -> Self {
        Self { value, default, ..self }
    }

    /// An option that is on by its name alone.
    pub(crate) const fn switch(self, long: &'static str, variable: &'static str, default: &'static str) -> Self {
        Self { arity: Arity::Switch, ..self.named(long, variable, "", default) }
    }

    pub const fn taking(self, arity: Arity) -> Self {
        Self { arity, ..self }
    }

    pub const fn letter(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// A setting whose new value a running program takes at a reload.
    pub(crate) const fn live(self) -> Self {
        Self { reload: Reload::Live, ..self }
    }

    pub const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }
}

impl Declaration {
    /// The option's first name, or its letter. No two options have the same one.
    pub fn id(&self) -> String {
        self.long.map_or_else(|| self.short.map(String::from).unwrap_or_default(), str::to_owned)
    }

    /// Its key in the file, with the section: `capture.filter`.
    pub(crate) fn key(&self) -> String {
        self.keys.iter().map(|(section, key)| format!("{section}.{key}")).collect::<Vec<_>>().join(", ")
    }

    pub(crate) const fn is_option(&self) -> bool {
        self.long.is_some() || self.short.is_some()
    }

    /// All long names, the first one first.
    pub fn long_names(&self) -> impl Iterator<Item = &'static str> {
        self.long.into_iter().chain(self.aliases.iter().copied())
    }

    /// Every name with its dashes, as the documents show it.
    pub fn spellings(&self) -> Vec<String> {
        let short = self.short.map(|letter| format!("-{letter}"));
        let long = self
            .long_names()
            .map(|name| if name.contains(['.', '-']) { format!("--{name}") } else { format!("-{name}") });
        long.chain(short).collect()
    }

    /// True if the setting has the same value in both configurations; true for an option that is no setting.
    pub(super) fn is_same(&self, one: &Config, other: &Config) -> bool {
        match self.role {
            Role::Setting(access) => (access.is_same)(one, other),
            _ => true,
        }
    }

    /// All words that are values; empty if there are other values than words.
    pub fn words(&self) -> Vec<&'static str> {
        match self.role {
            Role::Setting(access) => (access.words)(),
            _ => Vec::new(),
        }
    }

    /// The value in `config`, as the file has it.
    pub(super) fn shown(&self, config: &Config) -> Content {
        match self.role {
            Role::Setting(access) => (access.show)(config),
            _ => Content::Null,
        }
    }
}
