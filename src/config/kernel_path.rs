//! The checks of the kernel path: what it cannot feed is refused, and what has no effect is said.
//!
//! Takes the given values and the configuration with them; completes the configuration, or refuses it. Must not know
//! how the kernel counts.

use super::declaration::FileKey;
use super::{Config, Error, Settings};
use crate::capture::Selection;
use crate::kernel::{self, Daq};

const DAQ: FileKey = ("kernel", "daq");
const DROPS: FileKey = ("kernel", "drop_packets");

/// The settings of libpcap that have no effect on the kernel path, by their options.
const OF_LIBPCAP: [(FileKey, &str); 5] = [
    (("capture", "promiscuous"), "promiscuous mode"),
    (("capture", "snap_length"), "the snap length"),
    (("capture", "buffer_size"), "the size of libpcap's ring"),
    (("capture", "workers"), "the number of capture threads"),
    (("capture", "read_timeout"), "libpcap's read timeout"),
];

/// Completes the settings of the kernel path, or refuses them.
pub(super) fn complete(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    choose_daq(settings, config)?;
    config.kernel.max_conversations = conversations(config.account.max_flows);
    let notices = notices(settings, config);
    config.notices.extend(notices);
    config.capture.ethernet_only = config.kernel.daq != Daq::Libpcap;
    if config.kernel.daq == Daq::Libpcap {
        return Ok(());
    }
    refuse_to_drop_all(settings, config)?;
    refuse_what_cannot_be_fed(settings, config)
}

/// The most conversations of each IP version in an interval: there is a map for each version and generation.
pub(super) fn conversations(max_flows: usize) -> u32 {
    u32::try_from(max_flows.clamp(1_024, 1 << 20)).unwrap_or(1 << 20)
}

/// Refuses to drop packets without a list of permitted networks, and by an empty one unless that is forced.
fn refuse_to_drop_all(settings: &Settings, config: &Config) -> Result<(), Error> {
    let problem = match config.policy.permitted.as_deref() {
        _ if !config.kernel.drops_packets => return Ok(()),
        None => {
            "no network is permitted, so every packet would be dropped; name the permitted ones: --policy.permitted, or \
             a configuration file"
                .to_owned()
        }
        Some([]) if !config.kernel.force => format!(
            "no network is permitted ({} is empty), so every packet would be dropped; name the permitted ones, or add \
             --force",
            settings.place(("policy", "permitted"))
        ),
        Some(_) => return Ok(()),
    };
    Err(Error::invalid(settings.place(DROPS), problem))
}

/// Refuses the kernel path for capture files, which are given as arguments.
pub(super) fn refuse_for_files(settings: &Settings, config: &Config) -> Result<(), Error> {
    if config.kernel.daq == Daq::Libpcap {
        return Ok(());
    }
    let problem = "the kernel path reads interfaces, not files; leave this out, or override it: -daq libpcap \
                   --drop-packets=false";
    Err(Error::invalid(settings.place(source(settings)), problem))
}

/// The setting that chose the kernel path.
fn source(settings: &Settings) -> FileKey {
    if settings.gives(DAQ) { DAQ } else { DROPS }
}

/// Dropping implies XDP.
fn choose_daq(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    let kernel = &mut config.kernel;
    if !kernel.drops_packets || kernel.daq == Daq::Xdp {
        return Ok(());
    }
    if settings.gives(DAQ) {
        let problem = format!(
            "{} cannot drop packets ({}); take -daq xdp, or leave one of both out",
            kernel.daq.word(),
            settings.place(DROPS)
        );
        return Err(Error::invalid(settings.place(DAQ), problem));
    }
    kernel.daq = Daq::Xdp;
    Ok(())
}

fn refuse_what_cannot_be_fed(settings: &Settings, config: &Config) -> Result<(), Error> {
    let source = settings.place(source(settings));
    let evidence = &config.evidence;
    let refused: [(bool, FileKey, &str); 5] = [
        (config.source.is_some(), ("capture", "pcap_file"), "the kernel path reads interfaces, not files"),
        (config.capture.filter.is_some(), ("capture", "filter"), "the kernel path has no BPF filter"),
        (
            config.capture.selection == Selection::Any,
            ("capture", "interfaces"),
            "the kernel path has no pseudo-device any; name interfaces, or take all",
        ),
        (evidence.archive_dir.is_some(), ("evidence", "archive_dir"), "the kernel path keeps no packets as evidence"),
        (evidence.packet_log.is_on, ("evidence", "log_packets"), "the kernel path keeps no packets for a log"),
    ];
    match refused.into_iter().find(|(is_refused, ..)| *is_refused) {
        Some((_, key, problem)) => {
            let problem = format!("{problem}; leave this out, or let libpcap capture instead of {source}");
            Err(Error::invalid(settings.place(key), problem))
        }
        None => Ok(()),
    }
}

/// The settings that have no effect with this source of packets.
fn notices(settings: &Settings, config: &Config) -> Vec<String> {
    let daq = config.kernel.daq;
    let of_libpcap = OF_LIBPCAP
        .iter()
        .filter(|(key, _)| daq != Daq::Libpcap && settings.gives(*key))
        .map(|(key, what)| format!("{}: {what} has no effect with -daq {}", settings.place(*key), daq.word()));
    let (given, default) = (&config.kernel, kernel::Config::default());
    let neither = "no effect without -daq xdp or tc";
    // A file may list all settings with their defaults.
    let others = [
        ("xdp_mode", daq != Daq::Xdp && given.xdp_mode != default.xdp_mode, "no effect without -daq xdp"),
        ("tc_hook", daq != Daq::Tc && given.tc_hook != default.tc_hook, "no effect without -daq tc"),
        ("ring_size", daq == Daq::Libpcap && given.ring_bytes != default.ring_bytes, neither),
        ("map_memory", daq == Daq::Libpcap && given.map_bytes != default.map_bytes, neither),
        ("force", given.force && !given.drops_packets, "no effect without --drop-packets"),
    ];
    let others = others.into_iter().filter(|(_, is_idle, _)| *is_idle);
    of_libpcap.chain(others.map(|(key, _, what)| format!("{}: {what}", settings.place(("kernel", key))))).collect()
}
