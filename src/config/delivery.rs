//! The checks of receivers, of packets of alerts and of logged packets.
//!
//! Takes the given values and the configuration with them; completes the configuration, or refuses it. Must not look at
//! files.

use super::declaration::FileKey;
use super::environment::STATE_DIRECTORY;
use super::given::{Content, Given, SettingOrigin};
use super::slack::SLACK;
use super::{Config, Error, Settings};
use crate::detect::Kind;
use crate::locality::local_networks;
use crate::notify::{ReceiverConfig, SelectionMismatch};

/// The memory for recent packets if an archive directory is given and no size.
const RING_OF_ARCHIVE: u64 = 64 << 20;
/// The most receivers. Each has a thread's worth of work and a label value.
const MOST_RECEIVERS: usize = 64;

const RECEIVERS: FileKey = ("notify", "receivers");

/// Adds the receiver of the Slack options and the memory for packets, and refuses contradictions.
pub(super) fn complete(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    complete_receivers(settings, config)?;
    complete_evidence(settings, config)
}

fn complete_receivers(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    let slack = &config.slack;
    if slack.url.is_some() && slack.url_file.is_some() {
        let place = settings.place(("notify", "slack_url"));
        return Err(refused(
            settings,
            ("notify", "slack_url_file"),
            format!("{place} also gives the URL; give only one"),
        ));
    }
    config.notify.receivers.extend(slack.receiver());
    let receivers = &config.notify.receivers;
    let names: Vec<&str> = receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    if let Some((second, twice)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        let hint =
            if *twice == SLACK && slack.receiver().is_some() { " (one is that of the Slack options)" } else { "" };
        let problem = format!("two receivers have the name {twice}{hint}; rename one");
        return Err(Error::invalid(place_of_receiver(settings, second), problem));
    }
    if receivers.len() > MOST_RECEIVERS {
        let problem = format!("{} receivers; at most {MOST_RECEIVERS} are possible", receivers.len());
        return Err(refused(settings, RECEIVERS, problem));
    }
    let (severities, detected) = (&config.alert.severities, detected(config));
    let local = local_networks(&config.locality, []);
    let idle = receivers.iter().filter_map(|one| Some((one, one.selection.mismatch(severities, &detected, &local)?)));
    let notices: Vec<String> = idle.map(|(receiver, mismatch)| idle_notice(settings, receiver, mismatch)).collect();
    config.notices.extend(notices);
    note_idle_state_dir(settings, config);
    Ok(())
}

/// Notes that the directory has no effect without receivers, unless systemd provides it. It is kept for the receivers that
/// a reload may bring.
fn note_idle_state_dir(settings: &Settings, config: &mut Config) {
    const KEY: FileKey = ("state", "dir");
    let Some(given) = settings.value(KEY) else { return };
    if config.notify.receivers.is_empty() && given.origin != SettingOrigin::Variable(STATE_DIRECTORY) {
        config.notices.push(format!("{}: no effect without receivers of alerts", settings.place(KEY)));
    }
}

/// The kinds of alerts that can be raised.
fn detected(config: &Config) -> Vec<Kind> {
    let scan = config.detect.scan.as_ref();
    let is_detected = |kind: &Kind| match kind {
        Kind::HostScan => scan.is_some_and(|scan| scan.analyze_hosts),
        Kind::PortScan => scan.is_some_and(|scan| scan.analyze_ports),
        Kind::GroupScan => scan.is_some_and(|scan| scan.analyze_hosts || scan.analyze_ports),
        Kind::Bandwidth => config.detect.bandwidth.is_some(),
        Kind::Anomaly => config.detect.anomaly.as_ref().is_some_and(|anomaly| anomaly.alerts),
        Kind::Policy => config.detect.policy.is_some(),
    };
    Kind::ALL.into_iter().filter(is_detected).collect()
}

/// The place of a receiver by its position; that of the list for the one of the Slack options.
fn place_of_receiver(settings: &Settings, position: usize) -> String {
    let listed = settings.value(RECEIVERS).and_then(|given| match &given.content {
        Content::List(receivers) => receivers.get(position),
        _ => None,
    });
    listed.map_or_else(|| settings.place(RECEIVERS), Given::place)
}

fn idle_notice(settings: &Settings, receiver: &ReceiverConfig, mismatch: SelectionMismatch) -> String {
    let least =
        receiver.selection.severity.map_or(String::new(), |least| format!(" and severity {} or above", least.label()));
    let (place, name) = (settings.place(RECEIVERS), &receiver.name);
    match mismatch {
        SelectionMismatch::Kinds => format!(
            "{place}: the receiver {name} gets no alert: none that is detected has its kinds{least}; \
             change its kinds or severity, or --alert.severity"
        ),
        // The addresses of the interfaces are local too, and are not known yet.
        SelectionMismatch::Networks => format!(
            "{place}: the receiver {name} gets no alert, except about addresses of this host: none about its networks has \
             its kinds{least}; change its networks or severity, or -localNetworks or --alert.severity"
        ),
    }
}

fn complete_evidence(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    let evidence = &mut config.evidence;
    let (ring, log_packets) = (("evidence", "ring"), ("evidence", "log_packets"));
    if evidence.archive_dir.is_some() && !settings.gives(ring) {
        evidence.ring_bytes = Some(RING_OF_ARCHIVE);
    }
    let log = &evidence.packet_log;
    if log.is_on && log.dir.is_none() {
        return Err(refused(settings, log_packets, "no directory for the capture files; give one with -l"));
    }
    if log.is_on && evidence.archive_dir.is_none() {
        let problem = "no directory for the capture files of anomalous traffic; give one with -archive_dir";
        return Err(refused(settings, log_packets, problem));
    }
    if evidence.ring_bytes.is_some() && evidence.archive_dir.is_none() {
        let notice =
            format!("{}: packets are kept in memory, but written to no file; give -archive_dir", settings.place(ring));
        config.notices.push(notice);
    }
    if log.dir.is_some() && !log.is_on {
        config.notices.push(format!("{}: no effect without -log_packets", settings.place(("evidence", "log_dir"))));
    }
    Ok(())
}

fn refused(settings: &Settings, key: FileKey, problem: impl Into<String>) -> Error {
    Error::invalid(settings.place(key), problem)
}
