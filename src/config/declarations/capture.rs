//! Declarations: interfaces, the filter and the rings. Gives the declarations. Must not know where a value comes from.

use std::time::Duration;

use super::access;
use crate::capture::Selection;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::addresses::{FILE_NAME, FREE_TEXT, INTERFACE_NAME};
use crate::config::kinds::durations::READ_TIMEOUT;
use crate::config::kinds::keywords::BOOLEAN;
use crate::config::kinds::numbers::{RING_BYTES, SNAP_LENGTH, WHOLE_PACKET_BYTES, WORKERS};
use crate::config::kinds::{ListOf, ValueKind as _};
use crate::config::without_repeats;

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("capture", "interfaces")], INTERFACES)
        .named("iface", "TRAFFICMONITOR_IFACE", "NAME,...", "all")
        .aliases(&["interface"])
        .letter('i')
        .taking(Arity::Repeatable)
        .help("Interfaces to capture: names (alternative ones too), `all` (every interface that is up, except loopback; new ones are \
               added) or `any` (libpcap's pseudo-device); names with commas may be in double quotes"),
    setting(&[("capture", "excluded_interfaces")], access!(ListOf(INTERFACE_NAME), config.capture.excluded))
        .named("ExcludedInterfaces", "TRAFFICMONITOR_EXCLUDED_INTERFACES", "NAME,...", "")
        .taking(Arity::List)
        .help("Interfaces that `all` leaves out; names may be in double quotes"),
    setting(&[("capture", "filter")], access!(FREE_TEXT, optional config.capture.filter))
        .named("filter", "TRAFFICMONITOR_FILTER", "EXPR", "")
        .letter('f')
        .live()
        .help("BPF filter (pcap-filter(7)); may also be given as the remaining arguments"),
    setting(&[("capture", "promiscuous")], access!(BOOLEAN, config.capture.promiscuous))
        .switch("promisc", "TRAFFICMONITOR_PROMISC", "false")
        .help("Promiscuous mode: also capture frames addressed to other hosts; not available with `any`"),
    setting(&[("capture", "snap_length")], CAPTURED_BYTES)
        .named("snaplen", "TRAFFICMONITOR_SNAPLEN", "BYTES", "1500")
        .letter('s')
        .help("Bytes captured per packet, 1 to 65535; 0, 65536 and 262144 mean 65535"),
    setting(&[("capture", "buffer_size")], access!(RING_BYTES, config.capture.buffer_bytes))
        .named("buffer-size", "TRAFFICMONITOR_BUFFER_SIZE", "SIZE", "32MiB")
        .help("Size of the kernel ring per capture handle, at least 1MiB, such as 32MiB, 32M or plain bytes"),
    setting(&[("capture", "workers")], access!(WORKERS, config.capture.workers))
        .named("capture.workers", "TRAFFICMONITOR_CAPTURE_WORKERS", "N", "1")
        .help("Capture threads per interface that share its packets, each with its own ring: 1 to 64, at most four per core"),
    setting(&[("capture", "read_timeout")], CAPPED_READ_TIMEOUT)
        .letter('w')
        .value("DURATION", "100ms")
        .variable("TRAFFICMONITOR_READ_TIMEOUT")
        .help("Read timeout: how long libpcap may delay packets; capped at 500ms"),
    setting(&[("capture", "pcap_file")], access!(FILE_NAME, optional config.source))
        .named("pcapfile", "TRAFFICMONITOR_PCAPFILE", "FILE", "")
        .letter('r')
        .help("Read this capture file instead of interfaces, using packet timestamps, then keep serving its final state; \
               `-` is standard input"),
];

const INTERFACES: Access = Access {
    apply: |config, given| {
        config.capture.selection = selection(ListOf(INTERFACE_NAME).parse_given(given)?);
        Ok(())
    },
    show: |config| {
        ListOf(INTERFACE_NAME).show(&match &config.capture.selection {
            Selection::All => vec!["all".to_owned()],
            Selection::Any => vec!["any".to_owned()],
            Selection::Named(names) => names.clone(),
        })
    },
    is_same: |one, other| one.capture.selection == other.capture.selection,
    ..access!(ListOf(INTERFACE_NAME))
};

/// `all` and `any` stand alone; a name given twice counts once.
fn selection(names: Vec<String>) -> Selection {
    let names = without_repeats(names);
    match names.as_slice() {
        [one] if one == "all" => Selection::All,
        [one] if one == "any" => Selection::Any,
        _ => Selection::Named(names),
    }
}

const CAPTURED_BYTES: Access = Access {
    apply: |config, given| {
        let bytes = SNAP_LENGTH.parse_given(given)?;
        config.capture.snap_length = bytes.min(WHOLE_PACKET_BYTES);
        if bytes > WHOLE_PACKET_BYTES {
            let (place, taken) = (&given.origin, WHOLE_PACKET_BYTES);
            config.notices.push(format!("{place}: a snap length of {bytes} is taken as {taken}"));
        }
        Ok(())
    },
    ..access!(SNAP_LENGTH, config.capture.snap_length)
};

/// Packets that are delayed longer would come later than the idle clock allows for.
const LONGEST_READ_TIMEOUT: Duration = Duration::from_millis(500);

const CAPPED_READ_TIMEOUT: Access = Access {
    apply: |config, given| {
        let timeout = READ_TIMEOUT.parse_given(given)?;
        config.capture.read_timeout = timeout.min(LONGEST_READ_TIMEOUT);
        if timeout > LONGEST_READ_TIMEOUT {
            let [timeout, longest] = [timeout, LONGEST_READ_TIMEOUT].map(humantime::format_duration);
            config.notices.push(format!("{}: a read timeout of {timeout} is capped at {longest}", given.origin));
        }
        Ok(())
    },
    ..access!(READ_TIMEOUT, config.capture.read_timeout)
};
