//! Declarations: receivers of alerts, the state folder, and the packets of alerts. The options have wherefore's names
//! where it has the setting. Gives the declarations. Must not know where a value comes from.

use super::access;
use crate::config::Config;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::given::{Content, SettingOrigin};
use crate::config::kinds::addresses::{DIRECTORY, FILE_NAME, FREE_TEXT, PAGES_URL, RUNBOOK_URL};
use crate::config::kinds::durations::{EVIDENCE_TIME, WAIT};
use crate::config::kinds::keywords::BOOLEAN;
use crate::config::kinds::numbers::{EVIDENCE_RING, FILE_BYTES, KEPT_BYTES, MEGABYTES, QUOTA_BYTES, ROTATIONS};
use crate::config::kinds::receivers::ReceiverEntry;
use crate::config::kinds::secrets::{OrNil, SECRET_URL};
use crate::config::kinds::{ListOf, ValueKind as _};
use crate::notify::{ReceiverConfig, SecretSource};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("notify", "receivers")], RECEIVERS)
        .taking(Arity::List)
        .live()
        .help("Receivers of alerts: entries such as {name: team, type: slack, url_file: /etc/trafficmonitor/slack-url, \
               severity: warning}; the types are alertmanager, slack, pagerduty, opsgenie and webhook (docs/notifications.md)"),
    setting(&[("notify", "slack_url")], SLACK_URL)
        .named("slack_url", "TRAFFICMONITOR_SLACK_URL", "URL", "nil")
        .live()
        .help("URL of a Slack incoming webhook that receives all alerts, as the receiver named slack; nil means none. Other users \
               of the host can read it in the list of processes: prefer -slack_url_file"),
    setting(&[("notify", "slack_url_file")], access!(FILE_NAME, optional config.slack.url_file))
        .named("slack_url_file", "TRAFFICMONITOR_SLACK_URL_FILE", "FILE", "")
        .live()
        .help("File that contains the URL of the Slack incoming webhook, in place of -slack_url"),
    setting(&[("notify", "slack_channel")], access!(OrNil(FREE_TEXT), config.slack.channel))
        .named("slack_channel", "TRAFFICMONITOR_SLACK_CHANNEL", "CHANNEL", "#wherefore")
        .live()
        .help("Slack channel, where the webhook lets you choose it; nil means that of the webhook"),
    setting(&[("notify", "slack_emoji")], access!(OrNil(FREE_TEXT), config.slack.emoji))
        .named("slack_emoji", "TRAFFICMONITOR_SLACK_EMOJI", "EMOJI", ":warning:")
        .live()
        .help("Emoji to use as the icon of Slack messages; nil means the icon below"),
    setting(&[("notify", "slack_icon")], access!(OrNil(FREE_TEXT), config.slack.icon))
        .named(
            "slack_icon",
            "TRAFFICMONITOR_SLACK_ICON",
            "URL",
            "https://cdn4.iconfinder.com/data/icons/proglyphs-free/512/Invader_1-128.png",
        )
        .live()
        .help("URL of the icon of Slack messages, without an emoji; nil means that of the webhook"),
    setting(&[("notify", "external_url")], access!(PAGES_URL, optional config.notify.external_url))
        .named("notify.external_url", "TRAFFICMONITOR_NOTIFY_EXTERNAL_URL", "URL", "")
        .live()
        .help("URL under which receivers of alerts reach the pages of this program, for links in messages"),
    setting(&[("notify", "runbook_url")], access!(RUNBOOK_URL, optional config.notify.runbook_url))
        .named("notify.runbook_url", "TRAFFICMONITOR_NOTIFY_RUNBOOK_URL", "URL", "")
        .live()
        .help("URL of the instructions for alerts, for links in messages: {kind} stands for the kind, such as host_scan, and \
               {alert} for the alert's name in lower case, as the headings of docs/runbooks.md have it"),
    setting(&[("notify", "restart_grace")], access!(WAIT, config.notify.restart_grace))
        .named("notify.restart_grace", "TRAFFICMONITOR_NOTIFY_RESTART_GRACE", "DURATION", "5m")
        .help("After a restart, resolve alerts at their receivers that have not fired again for this long"),
    setting(&[("state", "dir")], access!(DIRECTORY, optional config.notify.state_dir))
        .named("state.dir", "TRAFFICMONITOR_STATE_DIR", "DIR", "")
        .help("Directory that keeps undelivered alerts over a restart; without it they are kept in memory only. In a systemd \
               service the default is its first StateDirectory"),
    setting(&[("evidence", "archive_dir")], access!(DIRECTORY, optional config.evidence.archive_dir))
        .named("archive_dir", "TRAFFICMONITOR_ARCHIVE_DIR", "DIR", "")
        .help("Directory for the packets of each alert, as a capture file, and for logged packets of anomalous traffic; implies \
               --evidence.ring 64MiB"),
    setting(&[("evidence", "ring")], RING)
        .named("evidence.ring", "TRAFFICMONITOR_EVIDENCE_RING", "SIZE", "")
        .help("Memory for recent packets, from which the packets before an alert are taken: a size such as 64MiB or 100MB; 0 \
               keeps none"),
    setting(&[("evidence", "packet_bytes")], access!(KEPT_BYTES, config.evidence.packet_bytes))
        .named("evidence.packet_bytes", "TRAFFICMONITOR_EVIDENCE_PACKET_BYTES", "BYTES", "256")
        .help("Bytes kept of each packet, 128 to 65535; never more than -snaplen captures"),
    setting(&[("evidence", "max_bytes")], access!(FILE_BYTES, config.evidence.max_bytes))
        .named("evidence.max_bytes", "TRAFFICMONITOR_EVIDENCE_MAX_BYTES", "SIZE", "64MiB")
        .help("Maximum size of the capture file of an alert"),
    setting(&[("evidence", "longest")], access!(EVIDENCE_TIME, config.evidence.longest))
        .named("evidence.longest", "TRAFFICMONITOR_EVIDENCE_LONGEST", "DURATION", "10m")
        .help("Maximum time for which packets are added to the capture file of an alert after it fired"),
    setting(&[("evidence", "quota")], access!(QUOTA_BYTES, config.evidence.quota_bytes))
        .named("evidence.quota", "TRAFFICMONITOR_EVIDENCE_QUOTA", "SIZE", "1GiB")
        .help("Maximum size of the evidence files and logged files in the archive directory; the oldest are removed first")
        .live(),
    setting(&[("evidence", "log_packets")], access!(BOOLEAN, config.evidence.packet_log.is_on))
        .switch("log_packets", "TRAFFICMONITOR_LOG_PACKETS", "false")
        .help("Write the packets of each connection to capture files in the directory -l; they are moved to -archive_dir if its \
               traffic becomes anomalous, and removed when it ends otherwise"),
    setting(&[("evidence", "log_dir")], access!(DIRECTORY, optional config.evidence.packet_log.dir))
        .letter('l')
        .value("DIR", "")
        .variable("TRAFFICMONITOR_LOG_DIR")
        .help("Directory for the capture files of -log_packets while their connections last"),
    setting(&[("evidence", "max_pcap_log_size")], access!(MEGABYTES, config.evidence.packet_log.max_file_bytes))
        .named("max_pcap_log_size", "TRAFFICMONITOR_MAX_PCAP_LOG_SIZE", "N", "1")
        .help("Maximum size of a capture file of -log_packets in megabytes; then the next one is begun"),
    setting(&[("evidence", "max_pcap_rotations")], access!(ROTATIONS, config.evidence.packet_log.max_rotations))
        .named("max_pcap_rotations", "TRAFFICMONITOR_MAX_PCAP_ROTATIONS", "N", "10")
        .help("Maximum number of capture files of -log_packets per connection; the oldest is removed"),
];

/// The receiver of the Slack options is added once all settings are checked. It has keys of its own.
const RECEIVERS: Access = Access {
    apply: |config, given| {
        config.notify.receivers = ListOf(ReceiverEntry).parse_given(given)?;
        Ok(())
    },
    show: |config| ListOf(ReceiverEntry).show(&of_file(config)),
    is_same: |one, other| of_file(one) == of_file(other),
    ..access!(ListOf(ReceiverEntry))
};

/// The receivers without that of the Slack options.
fn of_file(config: &Config) -> Vec<ReceiverConfig> {
    let of_options = config.slack.receiver();
    let others = config.notify.receivers.iter().filter(|receiver| Some(*receiver) != of_options.as_ref());
    others.cloned().collect()
}

/// A URL of the environment stays there, so that the configuration that is printed can be read again beside it.
const SLACK_URL: Access = Access {
    apply: |config, given| {
        let url = OrNil(SECRET_URL).parse_given(given)?;
        config.slack.url = url.map(|url| match given.origin {
            SettingOrigin::Variable(name) => SecretSource::Variable(name.to_owned()),
            _ => SecretSource::Given(url),
        });
        Ok(())
    },
    show: |config| match &config.slack.url {
        Some(SecretSource::Given(url)) => SECRET_URL.show(url),
        Some(SecretSource::Variable(_) | SecretSource::File(_)) => Content::Null,
        None => OrNil(SECRET_URL).show(&None),
    },
    is_same: |one, other| one.slack.url == other.slack.url,
    ..access!(OrNil(SECRET_URL))
};

/// None is the default, which depends on the archive directory; 0 keeps no packets in any case.
const RING: Access = Access {
    apply: |config, given| {
        config.evidence.ring_bytes = Some(EVIDENCE_RING.parse_given(given)?).filter(|bytes| *bytes > 0);
        Ok(())
    },
    show: |config| match (&config.evidence.ring_bytes, &config.evidence.archive_dir) {
        (Some(bytes), _) => EVIDENCE_RING.show(bytes),
        (None, Some(_)) => EVIDENCE_RING.show(&0),
        (None, None) => Content::Null,
    },
    is_same: |one, other| one.evidence.ring_bytes == other.evidence.ring_bytes,
    ..access!(EVIDENCE_RING)
};
