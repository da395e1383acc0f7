//! All settings, each declared once.
//!
//! Gives the declarations to the parser, the help, the man page, the documents, the environment and the file. Must not
//! know in which layer a setting is given.

mod account;
mod anomaly;
mod capture;
mod delivery;
mod detect;
mod events;
mod kernel;
mod memory;
mod names;
mod policy;
mod scan;
mod serving;

use ipnet::IpNet;

use super::declaration::{Declaration, FileKey};
use super::given::Given;

/// The settings by their rooms, in the order of the help.
static ROOMS: &[&[Declaration]] = &[
    capture::DECLARATIONS,
    kernel::DECLARATIONS,
    memory::DECLARATIONS,
    account::DECLARATIONS,
    policy::DECLARATIONS,
    detect::DECLARATIONS,
    scan::DECLARATIONS,
    anomaly::DECLARATIONS,
    delivery::DECLARATIONS,
    events::DECLARATIONS,
    names::DECLARATIONS,
    serving::DECLARATIONS,
];

/// The sections of the configuration file, in their order, each with its heading in the help.
pub(crate) const SECTIONS: [(&str, &str); 21] = [
    ("capture", "Capture"),
    ("kernel", "Capture in the kernel"),
    ("memory", "Memory"),
    ("locality", "Local networks"),
    ("account", "Flows"),
    ("policy", "Permitted networks"),
    ("bandwidth", DETECTION),
    ("scan", DETECTION),
    ("detect", DETECTION),
    ("anomaly", "Anomalies"),
    ("alert", DETECTION),
    ("notify", DELIVERY),
    ("state", DELIVERY),
    ("evidence", "Packets of alerts"),
    ("events", "Event log"),
    ("names", "Names"),
    ("export", METRICS),
    ("http", METRICS),
    ("pipeline", METRICS),
    ("log", "Log"),
    ("process", "Process"),
];
const DETECTION: &str = "Bandwidth, scans, alerts";
const DELIVERY: &str = "Delivery of alerts";
const METRICS: &str = "Metrics";

/// Every setting, in the order of the help.
pub fn settings() -> impl Iterator<Item = &'static Declaration> + Clone {
    ROOMS.iter().copied().flatten()
}

/// The settings that have an option.
pub(crate) fn options() -> impl Iterator<Item = &'static Declaration> + Clone {
    settings().filter(|declaration| declaration.is_option())
}

/// The settings with one key in this section of the file, in their order there.
pub(crate) fn of_section(section: &str) -> impl Iterator<Item = (&'static str, &'static Declaration)> {
    settings().filter_map(move |declaration| match declaration.keys {
        [(of, key)] if *of == section => Some((*key, declaration)),
        _ => None,
    })
}

/// The setting with this key alone.
pub(crate) fn by_key((section, key): FileKey) -> Option<&'static Declaration> {
    of_section(section).find(|(known, _)| *known == key).map(|(_, declaration)| declaration)
}

/// The functions of a setting that is a field of the configuration. Without a field the value is only read.
macro_rules! access {
    ($kind:expr, $config:ident.$($field:ident).+) => {
        Access {
            apply: |$config, given| {
                $config.$($field).+ = $kind.parse_given(given)?;
                Ok(())
            },
            show: |$config| $kind.show(&$config.$($field).+),
            is_same: |$config, other| $config.$($field).+ == other.$($field).+,
            ..access!($kind)
        }
    };
    ($kind:expr, optional $config:ident.$($field:ident).+) => {
        Access {
            apply: |$config, given| {
                $config.$($field).+ = Some($kind.parse_given(given)?);
                Ok(())
            },
            show: |$config| match &$config.$($field).+ {
                Some(value) => $kind.show(value),
                None => $crate::config::given::Content::Null,
            },
            is_same: |$config, other| $config.$($field).+ == other.$($field).+,
            ..access!($kind)
        }
    };
    ($kind:expr) => {
        Access {
            form: || $kind.form(),
            words: || $kind.words(),
            apply: |_, given| $kind.parse_given(given).map(drop),
            show: |_| $crate::config::given::Content::Null,
            // A setting without a field of its own says itself what it compares.
            is_same: |one, other| one == other,
        }
    };
}
use access;

/// As [`access`], for a field of a detector's configuration, which is missing when detection is switched off.
macro_rules! detector {
    ($kind:expr, $detector:ident.$($field:ident).+) => {
        Access {
            apply: |config, given| {
                config.detect.$detector.get_or_insert_default().$($field).+ = $kind.parse_given(given)?;
                Ok(())
            },
            show: |config| match &config.detect.$detector {
                Some($detector) => $kind.show(&$detector.$($field).+),
                None => $crate::config::given::Content::Null,
            },
            // A detector that is missing in one of both is the difference of another setting.
            is_same: |one, other| match (&one.detect.$detector, &other.detect.$detector) {
                (Some(one), Some(other)) => one.$($field).+ == other.$($field).+,
                _ => true,
            },
            ..access!($kind)
        }
    };
}
use detector;

/// The notice that a network is taken without its host bits.
fn host_bits(given: &Given, network: &IpNet) -> Option<String> {
    let taken = network.trunc();
    (taken != *network).then(|| format!("{}: {network} has host bits set; using {taken}", given.origin))
}
