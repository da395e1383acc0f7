//! The checks of the kernel path: what it cannot feed is refused, and what has no effect is said.
//!
//! Takes the given values and the configuration with them; completes the configuration, or refuses it. Must not know
//! how the kernel counts.

use super::declaration::FileKey;
use super::{Config, Error, Settings};
use crate::capture::Selection;
use crate::kernel::Daq;

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
    // One map for each IP version and generation.
    config.kernel.max_conversations = u32::try_from(config.account.max_flows.clamp(1_024, 1 << 20)).unwrap_or(1 << 20);
    if config.kernel.daq == Daq::Libpcap {
        return Ok(());
    }
    if config.kernel.drops_packets && config.policy.permitted.is_none() {
        let problem = "no network is permitted, so every packet would be dropped; name the permitted ones: \
                       --policy.permitted, or a configuration file";
        return Err(Error::invalid(settings.place(DROPS), problem));
    }
    refuse_what_cannot_be_fed(settings, config)?;
    let notices = notices(settings, config);
    config.notices.extend(notices);
    Ok(())
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
    let source = if settings.gives(DAQ) { settings.place(DAQ) } else { settings.place(DROPS) };
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

fn notices(settings: &Settings, config: &Config) -> Vec<String> {
    let daq = config.kernel.daq;
    let of_libpcap = OF_LIBPCAP
        .iter()
        .filter(|(key, _)| settings.gives(*key))
        .map(|(key, what)| format!("{}: {what} has no effect with -daq {}", settings.place(*key), daq.word()));
    let others = [
        (("kernel", "xdp_mode"), daq != Daq::Xdp, "no effect without -daq xdp"),
        (("kernel", "tc_hook"), daq != Daq::Tc, "no effect without -daq tc"),
        (("kernel", "force"), !config.kernel.drops_packets, "no effect without --drop-packets"),
    ];
    let others = others.into_iter().filter(|(key, has_none, _)| *has_none && settings.gives(*key));
    of_libpcap.chain(others.map(|(key, _, what)| format!("{}: {what}", settings.place(key)))).collect()
}
