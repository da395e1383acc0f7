//! Declarations: what is captured, and how.

use std::time::Duration;

use super::access;
use crate::capture::Selection;
use crate::config::declaration::{Access, Arity, Declaration};
use crate::config::kinds::addresses::{FileName, FreeText, InterfaceName};
use crate::config::kinds::durations::READ_TIMEOUT;
use crate::config::kinds::keywords::TruthValue;
use crate::config::kinds::numbers::{RingBytes, SnapLength, WORKERS};
use crate::config::kinds::{ListOf, Optional, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    Declaration {
        aliases: &["interface"],
        short: Some('i'),
        value: "NAME,...",
        arity: Arity::Repeatable,
        default: "all",
        help: "Interfaces to capture: names (alternative ones too), `all` (every interface that is up, except loopback; new ones are \
               added) or `any` (libpcap's pseudo-device); names with commas may be in double quotes",
        keys: &[("capture", "interfaces")],
        variable: Some("TRAFFICMONITOR_IFACE"),
        ..Declaration::setting("iface", INTERFACES)
    },
    Declaration {
        value: "NAME,...",
        arity: Arity::List,
        help: "Interfaces that `all` leaves out; names may be in double quotes",
        keys: &[("capture", "excluded_interfaces")],
        variable: Some("TRAFFICMONITOR_EXCLUDED_INTERFACES"),
        ..Declaration::setting("ExcludedInterfaces", access!(ListOf(InterfaceName), config.capture.excluded))
    },
    Declaration {
        short: Some('f'),
        value: "EXPR",
        help: "BPF filter (pcap-filter(7)); may also be given as the remaining arguments",
        keys: &[("capture", "filter")],
        variable: Some("TRAFFICMONITOR_FILTER"),
        ..Declaration::setting("filter", access!(Optional(FreeText), config.capture.filter))
    },
    Declaration {
        default: "false",
        help: "Promiscuous mode: also capture frames addressed to other hosts; not available with `any`",
        keys: &[("capture", "promiscuous")],
        variable: Some("TRAFFICMONITOR_PROMISC"),
        ..Declaration::switch("promisc", access!(TruthValue, config.capture.promiscuous))
    },
    Declaration {
        short: Some('s'),
        value: "BYTES",
        default: "1500",
        help: "Bytes captured per packet, 1 to 65535; 0, 65536 and 262144 mean 65535",
        keys: &[("capture", "snap_length")],
        variable: Some("TRAFFICMONITOR_SNAPLEN"),
        ..Declaration::setting("snaplen", SNAP_LENGTH)
    },
    Declaration {
        value: "SIZE",
        default: "32MiB",
        help: "Size of the kernel ring per capture handle, at least 1MiB, such as 32MiB, 32M or plain bytes",
        keys: &[("capture", "buffer_size")],
        variable: Some("TRAFFICMONITOR_BUFFER_SIZE"),
        ..Declaration::setting("buffer-size", access!(RingBytes, config.capture.buffer_bytes))
    },
    Declaration {
        value: "N",
        default: "1",
        help: "Capture threads per interface that share its packets, each with its own ring: 1 to 64, at most four per core",
        keys: &[("capture", "workers")],
        variable: Some("TRAFFICMONITOR_CAPTURE_WORKERS"),
        ..Declaration::setting("capture.workers", access!(WORKERS, config.capture.workers))
    },
    Declaration {
        short: Some('w'),
        value: "DURATION",
        default: "100ms",
        help: "Read timeout: how long libpcap may delay packets; capped at 500ms",
        keys: &[("capture", "read_timeout")],
        variable: Some("TRAFFICMONITOR_READ_TIMEOUT"),
        ..Declaration::unnamed(READ_TIMEOUT_ACCESS)
    },
    Declaration {
        short: Some('r'),
        value: "FILE",
        help: "Read this capture file instead of interfaces, using packet timestamps, then keep serving its final state; \
               `-` is standard input",
        keys: &[("capture", "pcap_file")],
        variable: Some("TRAFFICMONITOR_PCAPFILE"),
        ..Declaration::setting("pcapfile", access!(Optional(FileName), config.source))
    },
];

const INTERFACES: Access = Access {
    apply: |config, given| {
        config.capture.selection = selection(ListOf(InterfaceName).read(given)?);
        Ok(())
    },
    show: |config| {
        ListOf(InterfaceName).show(&match &config.capture.selection {
            Selection::All => vec!["all".to_owned()],
            Selection::Any => vec!["any".to_owned()],
            Selection::Named(names) => names.clone(),
        })
    },
    ..access!(ListOf(InterfaceName))
};

/// `all` and `any` stand alone; a name given twice counts once.
fn selection(names: Vec<String>) -> Selection {
    let names = super::without_repeats(names);
    match names.as_slice() {
        [one] if one == "all" => Selection::All,
        [one] if one == "any" => Selection::Any,
        _ => Selection::Named(names),
    }
}

const SNAP_LENGTH: Access = Access {
    apply: |config, given| {
        let bytes = SnapLength.read(given)?;
        config.capture.snap_length = bytes.min(SnapLength::WHOLE_PACKET_BYTES);
        if bytes > SnapLength::WHOLE_PACKET_BYTES {
            let (place, taken) = (&given.origin, SnapLength::WHOLE_PACKET_BYTES);
            config.notices.push(format!("{place}: a snap length of {bytes} is taken as {taken}"));
        }
        Ok(())
    },
    ..access!(SnapLength, config.capture.snap_length)
};

/// Packets that are delayed longer would come later than the idle clock allows for.
const LONGEST_READ_TIMEOUT: Duration = Duration::from_millis(500);

const READ_TIMEOUT_ACCESS: Access = Access {
    apply: |config, given| {
        let timeout = READ_TIMEOUT.read(given)?;
        config.capture.read_timeout = timeout.min(LONGEST_READ_TIMEOUT);
        if timeout > LONGEST_READ_TIMEOUT {
            let [timeout, longest] = [timeout, LONGEST_READ_TIMEOUT].map(humantime::format_duration);
            config.notices.push(format!("{}: a read timeout of {timeout} is capped at {longest}", given.origin));
        }
        Ok(())
    },
    ..access!(READ_TIMEOUT, config.capture.read_timeout)
};
