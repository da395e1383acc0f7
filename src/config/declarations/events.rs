//! Declarations: the event log. Options and defaults are those of the XDP traffic monitor where it has the setting. Gives
//! the declarations. Must not know where a value comes from.

use super::access;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::addresses::FILE_NAME;
use crate::config::kinds::durations::{LOG_AGE, SUMMARY_INTERVAL};
use crate::config::kinds::keywords::{BOOLEAN, EVENT_FORMAT};
use crate::config::kinds::numbers::{FILE_BYTES, LOG_BUFFER, ROTATIONS};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("events", "format")], access!(EVENT_FORMAT, config.events.format))
        .named("log-format", "TRAFFICMONITOR_EVENTS_FORMAT", "FORMAT", "console")
        .help("Format of the event log, which has alerts and packets of sources that are not permitted: console, json, csv or \
               jsonl; all but console need --log-file"),
    setting(&[("events", "file")], access!(FILE_NAME, optional config.events.file))
        .named("log-file", "TRAFFICMONITOR_EVENTS_FILE", "FILE", "")
        .help("File that events are appended to; it is reopened on SIGHUP and when it was renamed"),
    setting(&[("events", "buffer_size")], access!(LOG_BUFFER, config.events.buffer_bytes))
        .named("log-buffer-size", "TRAFFICMONITOR_EVENTS_BUFFER_SIZE", "BYTES", "8192")
        .help("Bytes of events to gather before they are written; they are written once per second in any case"),
    setting(&[("events", "max_size")], access!(FILE_BYTES, optional config.events.max_bytes))
        .named("log-max-size", "TRAFFICMONITOR_EVENTS_MAX_SIZE", "SIZE", "")
        .help("Rotate the event log before it exceeds this size: FILE becomes FILE.1"),
    setting(&[("events", "max_age")], access!(LOG_AGE, optional config.events.max_age))
        .named("log-max-age", "TRAFFICMONITOR_EVENTS_MAX_AGE", "DURATION", "")
        .help("Rotate the event log when its first event is this old"),
    setting(&[("events", "rotations")], access!(ROTATIONS, config.events.rotations))
        .named("log-rotations", "TRAFFICMONITOR_EVENTS_ROTATIONS", "N", "5")
        .help("Rotated event logs to keep; the oldest is removed"),
    setting(&[("events", "summary_interval")], access!(SUMMARY_INTERVAL, config.events.summary_interval))
        .named("summary-interval", "TRAFFICMONITOR_EVENTS_SUMMARY_INTERVAL", "DURATION", "60s")
        .help("How often to log a summary: of the traffic by verdict with a policy, and of the events; 0 never"),
    setting(&[("events", "verbose")], access!(BOOLEAN, config.events.is_verbose))
        .switch("verbose", "TRAFFICMONITOR_VERBOSE", "false")
        .letter('v')
        .taking(Arity::Counting)
        .help("Log each packet or group of packets of a source that is not permitted, with its parsed headers; implies \
               --log.level debug"),
];
