//! The kinds of values that are one of several words: enumerations and booleans.
//!
//! Takes a word; gives the value, or a message with the nearest word. Must not know which setting the value is for.

use tracing::Level;

use super::super::given::Content;
use super::super::nearest::nearest;
use super::{Scalar, Scalars, ValueKind};
use crate::account::FlowKeying;
use crate::alert::{Severity, Side};
use crate::config::SandboxMode;
use crate::detect::anomaly::Method;
use crate::detect::bandwidth::BandwidthDirection;
use crate::detect::{Kind, scan};
use crate::events::line::LineForm;
use crate::events::log::EventFormat;
use crate::kernel::{Daq, TcHook, XdpMode};

#[derive(Debug, Clone, Copy)]
pub struct Keywords<T: 'static> {
    /// The words, in the order in which messages list them.
    pub words: &'static [(&'static str, T)],
    /// Other words for the same values, which messages do not list.
    pub synonyms: &'static [(&'static str, T)],
    /// Words that are values of another option, and the message for them.
    pub misplaced: (&'static [&'static str], &'static str),
    /// The text before the words in [`ValueKind::form`].
    pub noun: &'static str,
}

impl<T> Keywords<T> {
    pub const fn of(words: &'static [(&'static str, T)]) -> Self {
        Self { words, synonyms: &[], misplaced: (&[], ""), noun: "" }
    }
}

impl<T: Copy + PartialEq> Keywords<T> {
    pub fn word(&self, value: T) -> &'static str {
        self.words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
    }
}

pub(crate) const FLOW_KEY: Keywords<FlowKeying> = Keywords::of(&[
    ("service", FlowKeying::Service),
    ("dst-port", FlowKeying::DestinationPort),
    ("pair", FlowKeying::Pair),
]);
pub(crate) const DIRECTION: Keywords<BandwidthDirection> = Keywords::of(&[
    ("source", BandwidthDirection::Source),
    ("destination", BandwidthDirection::Destination),
    ("both", BandwidthDirection::Both),
]);
pub(crate) const SCAN_RULE: Keywords<scan::Rule> =
    Keywords::of(&[("evidence", scan::Rule::Evidence), ("contacts", scan::Rule::Contacts)]);
pub(crate) const DAQ: Keywords<Daq> = Keywords::of(&[("libpcap", Daq::Libpcap), ("xdp", Daq::Xdp), ("tc", Daq::Tc)]);
pub(crate) const XDP_MODE: Keywords<XdpMode> =
    Keywords::of(&[("auto", XdpMode::Auto), ("native", XdpMode::Native), ("generic", XdpMode::Generic)]);
pub(crate) const TC_HOOK: Keywords<TcHook> =
    Keywords::of(&[("auto", TcHook::Auto), ("tcx", TcHook::Tcx), ("clsact", TcHook::Clsact)]);
pub(crate) const ALERT_KIND: Keywords<Kind> = Keywords::of(&[
    ("host_scan", Kind::HostScan),
    ("port_scan", Kind::PortScan),
    ("group_scan", Kind::GroupScan),
    ("bandwidth", Kind::Bandwidth),
    ("anomaly", Kind::Anomaly),
    ("policy", Kind::Policy),
]);
pub(crate) const SEVERITY: Keywords<Severity> =
    Keywords::of(&[("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)]);
/// The side of the local networks' border.
pub(crate) const SIDE: Keywords<Side> = Keywords::of(&[("inside", Side::Inside), ("outside", Side::Outside)]);
pub(crate) const METHOD: Keywords<Method> = Keywords {
    noun: "an anomaly test: ",
    ..Keywords::of(&[
        ("cdf", Method::Cdf),
        ("diff", Method::Diff),
        ("fence", Method::Fence),
        ("highrank", Method::Highrank),
        ("ks", Method::Ks),
        ("lowrank", Method::Lowrank),
        ("magnitude", Method::Magnitude),
    ])
};
/// The level of the program's own log. The words of the older programs' `-loglevel` are accepted too; `fatal` and
/// `panic` mean `error`, the highest level here.
pub(crate) const LOG_LEVEL: Keywords<Level> = Keywords {
    synonyms: &[("fatal", Level::ERROR), ("panic", Level::ERROR)],
    ..Keywords::of(&[
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ])
};
/// The way of giving up rights.
pub(crate) const SANDBOX: Keywords<SandboxMode> =
    Keywords::of(&[("off", SandboxMode::Off), ("auto", SandboxMode::Auto), ("strict", SandboxMode::Strict)]);
pub(crate) const LOG_FORMAT: Keywords<LineForm> = Keywords {
    misplaced: (
        &["console", "csv", "jsonl"],
        "this is a value of --log-format (the event log); expected logfmt or json",
    ),
    ..Keywords::of(&[("logfmt", LineForm::Logfmt), ("json", LineForm::Json)])
};
pub(crate) const EVENT_FORMAT: Keywords<EventFormat> = Keywords {
    misplaced: (
        &["logfmt"],
        "this is a value of --log.format (the program's own log); expected console, json, csv or jsonl",
    ),
    ..Keywords::of(&[
        ("console", EventFormat::Console),
        ("json", EventFormat::Json),
        ("csv", EventFormat::Csv),
        ("jsonl", EventFormat::JsonLines),
    ])
};

impl<T: Copy + PartialEq> ValueKind for Keywords<T> {
    type Value = T;

    /// `a`, `a or b`, `a, b or c`.
    fn form(&self) -> String {
        let words = self.words().join(", ");
        let (before, last) = words.rsplit_once(", ").unwrap_or(("", &words));
        format!("{}{before} or {last}", self.noun)
    }

    fn words(&self) -> Vec<&'static str> {
        self.words.iter().map(|(word, _)| *word).collect()
    }

    fn parse(&self, text: &str) -> Result<T, String> {
        let (misplaced, message) = self.misplaced;
        match self.words.iter().chain(self.synonyms).find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None if misplaced.contains(&text) => Err(message.to_owned()),
            None => Err(match nearest(text, self.words()) {
                Some(near) => format!("did you mean {near}? {}", self.expected()),
                None => self.expected(),
            }),
        }
    }

    fn show(&self, value: &T) -> Content {
        Content::Text(self.word(*value).to_owned())
    }
}

/// A boolean, in the words of Go's flag package.
pub const BOOLEAN: Scalar<bool> = Scalar {
    form: "true or false",
    scalars: Scalars::Bool,
    parse: |text| match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    },
    show: |boolean| Content::Bool(*boolean),
    parse_raw: None,
};
