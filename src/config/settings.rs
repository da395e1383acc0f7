//! One layer of the configuration: every setting may be there or not, and knows where it was given.
//!
//! The sections are the rooms, the fields their keys in the YAML file.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_saphyr::Spanned;

use super::option::{Origin, Text};
use super::quantities::{Entries, IdleTimeout, ReadTimeout, Refresh, RingBytes, SnapLength, Workers};
use super::value::{List, Node, Value, Written};
use super::values::InterfaceName;
use super::{Config, ConfigError, LogFormat, LogLevel};
use crate::account::FlowKeying;
use crate::capture::Selection;
use crate::http::ListenAddress;

/// A setting of one layer: not given, or a value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T>(Option<(T, Origin)>);

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Setting<T> {
    /// The value, where one was given.
    pub fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|(value, _)| value)
    }

    /// Where the value was given.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.as_ref().map(|(_, origin)| origin)
    }

    /// The setting of `upper` where it has one, else this.
    #[must_use]
    fn under(self, upper: Self) -> Self {
        Self(upper.0.or(self.0))
    }

    /// As [`Setting::value`], taken out.
    pub(super) fn into_value(self) -> Option<T> {
        self.0.map(|(value, _)| value)
    }

    fn of(value: T) -> Self {
        Self(Some((value, Origin::Default)))
    }
}

impl<T: Value> Setting<T> {
    /// Sets the value that the last of `texts` says; a blank text means not given.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a text that is no such value.
    pub fn set(&mut self, texts: &[Text]) -> Result<(), ConfigError> {
        self.0 = match texts.last() {
            Some(text) if !text.is_blank() => Some((text.read()?, text.origin.clone())),
            _ => None,
        };
        Ok(())
    }
}

impl<T: Value> Setting<List<T>> {
    /// Sets the values of all `texts` together, blank ones aside.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a text that is no such list.
    pub fn collect(&mut self, texts: &[Text]) -> Result<(), ConfigError> {
        let mut all = Self::default();
        for text in texts.iter().filter(|text| !text.is_blank()) {
            let List(more) = text.read()?;
            let (list, _) = all.0.get_or_insert_with(|| (List(Vec::new()), text.origin.clone()));
            list.0.extend(more);
        }
        *self = all;
        Ok(())
    }
}

impl<'de, T: Value> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Node(value), referenced, .. } = Spanned::<Node<T>>::deserialize(deserializer)?;
        let origin = Origin::File { line: referenced.line(), column: referenced.column() };
        Ok(Self(value.map(|value| (value, origin))))
    }
}

impl<T: Value> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value() {
            Some(value) => Written(value).serialize(serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// Declares a section: its fields are settings, and a layer is laid over another field by field.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $value:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Setting<$value>,)*
        }

        impl $name {
            /// The keys of this section.
            pub const KEYS: &[&str] = &[$(stringify!($field)),*];

            fn under(self, upper: Self) -> Self {
                Self { $($field: self.$field.under(upper.$field),)* }
            }
        }
    };
}

section! {
    /// What is captured, and how.
    CaptureSettings {
        /// `all`, `any` or names.
        interfaces: List<InterfaceName>,
        /// Never captured by `all`.
        excluded_interfaces: List<InterfaceName>,
        /// A BPF filter.
        filter: String,
        /// Whether frames for others are captured too.
        promiscuous: bool,
        /// Bytes kept of a packet.
        snap_length: SnapLength,
        /// The kernel ring of a handle.
        buffer_size: RingBytes,
        /// Capture threads an interface.
        workers: Workers,
        /// How long libpcap may hold packets back.
        read_timeout: ReadTimeout,
        /// A capture file instead of interfaces.
        pcap_file: PathBuf,
    }
}

section! {
    /// What is local.
    LocalitySettings {
        /// The local networks.
        networks: List<IpNet>,
        /// More addresses of this host.
        own_addresses: List<IpAddr>,
    }
}

section! {
    /// How flows are counted.
    AccountSettings {
        /// What tells flows apart.
        flow_key: FlowKeying,
        /// Flows held at once.
        max_flows: Entries,
        /// Flows shown to Prometheus.
        max_series: Entries,
        /// Hosts held at once.
        max_hosts: Entries,
        /// Hosts shown to Prometheus.
        max_host_series: Entries,
        /// After how long a rest a flow or host leaves.
        idle_timeout: IdleTimeout,
    }
}

section! {
    /// What is exported.
    ExportSettings {
        /// Whether `hosts_src_dst` and its two totals are written.
        seed_families: bool,
        /// Whether flows are written in packets too.
        flow_packets: bool,
        /// Whether OpenMetrics says when counters began.
        created: bool,
    }
}

section! {
    /// Where is served.
    HttpSettings {
        /// Addresses to listen at.
        listen: List<ListenAddress>,
    }
}

section! {
    /// How often is published.
    PipelineSettings {
        /// Between two snapshots.
        refresh: Refresh,
    }
}

section! {
    /// The program's own log.
    LogSettings {
        /// The least grave lines written.
        level: LogLevel,
        /// How a line is written.
        format: LogFormat,
    }
}

/// Declares the whole: the sections in the order of the rooms.
macro_rules! sections {
    ($($(#[$doc:meta])* $field:ident: $section:ty,)*) => {
        /// One layer of settings, and what was noticed while it was read.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$doc])* #[serde(deserialize_with = "null_is_empty")] pub $field: $section,)*
            /// The file that was read, if one was.
            #[serde(skip)]
            pub path: Option<PathBuf>,
            /// What is to be said once, in words for the log.
            #[serde(skip)]
            pub notices: Vec<String>,
        }

        impl Settings {
            /// Each section and its keys, in order.
            pub const KEYS: &[(&str, &[&str])] = &[$((stringify!($field), <$section>::KEYS)),*];

            /// This layer with `upper` laid over it: what both give, `upper` decides.
            #[must_use]
            pub fn merge(self, upper: Self) -> Self {
                let notices = self.notices.into_iter().chain(upper.notices).collect();
                Self { $($field: self.$field.under(upper.$field),)* path: upper.path.or(self.path), notices }
            }
        }
    };
}

sections! {
    /// What is captured, and how.
    capture: CaptureSettings,
    /// What is local.
    locality: LocalitySettings,
    /// How flows are counted.
    account: AccountSettings,
    /// What is exported.
    export: ExportSettings,
    /// Where is served.
    http: HttpSettings,
    /// How often is published.
    pipeline: PipelineSettings,
    /// The program's own log.
    log: LogSettings,
}

/// A section whose keys are all commented out is null.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Settings {
    /// Where `setting` was given, in words: an option as typed, a variable, or a line of the file.
    #[must_use]
    pub fn place<T>(&self, setting: &Setting<T>) -> String {
        match (setting.origin(), &self.path) {
            (Some(Origin::File { line, column }), Some(path)) => format!("{}:{line}:{column}", path.display()),
            (Some(origin), _) => origin.to_string(),
            (None, _) => Origin::Default.to_string(),
        }
    }
}

impl From<&Config> for Settings {
    /// Every setting, as the effective configuration has it.
    fn from(config: &Config) -> Self {
        let optional = |value: Option<_>| value.map_or_else(Setting::default, Setting::of);
        let capture = &config.capture;
        Self {
            capture: CaptureSettings {
                interfaces: Setting::of(interfaces(&capture.selection)),
                excluded_interfaces: Setting::of(names(&capture.excluded)),
                filter: optional(capture.filter.clone()),
                promiscuous: Setting::of(capture.promiscuous),
                snap_length: Setting::of(SnapLength(capture.snap_length)),
                buffer_size: Setting::of(RingBytes(capture.buffer_bytes)),
                workers: Setting::of(Workers(capture.workers)),
                read_timeout: Setting::of(ReadTimeout(capture.read_timeout)),
                pcap_file: config.source.clone().map_or_else(Setting::default, Setting::of),
            },
            locality: LocalitySettings {
                networks: Setting::of(List(config.locality.networks.clone())),
                own_addresses: Setting::of(List(config.locality.own_addresses.clone())),
            },
            account: AccountSettings {
                flow_key: Setting::of(config.account.flow_keying),
                max_flows: Setting::of(Entries(config.account.max_flows)),
                max_series: Setting::of(Entries(config.account.max_series)),
                max_hosts: Setting::of(Entries(config.account.max_hosts)),
                max_host_series: Setting::of(Entries(config.account.max_host_series)),
                idle_timeout: Setting::of(IdleTimeout(config.account.idle_timeout)),
            },
            export: ExportSettings {
                seed_families: Setting::of(config.export.seed_families),
                flow_packets: Setting::of(config.export.flow_packets),
                created: Setting::of(config.export.created),
            },
            http: HttpSettings { listen: Setting::of(List(config.http.listen.clone())) },
            pipeline: PipelineSettings { refresh: Setting::of(Refresh(config.pipeline.refresh)) },
            log: LogSettings { level: Setting::of(config.log.level), format: Setting::of(config.log.format) },
            ..Self::default()
        }
    }
}

fn interfaces(selection: &Selection) -> List<InterfaceName> {
    match selection {
        Selection::All => names(&["all"]),
        Selection::Any => names(&["any"]),
        Selection::Named(named) => names(named),
    }
}

fn names(names: &[impl AsRef<str>]) -> List<InterfaceName> {
    List(names.iter().map(|name| InterfaceName(name.as_ref().to_owned())).collect())
}
