//! Alerts in plain words: the one place for the words of all receivers.
//!
//! Takes a notice with the file of its packets; gives a title, sentences and details. Must not know what a vendor makes
//! of them, but gives no text that could be markup, a mention or a link by accident.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::notice::Notice;
use super::runbook;
use crate::alert::EvidenceFile;
use crate::capture::printable::is_unsafe;
use crate::detect::Kind;

/// Stands in place of a character that cannot be seen.
const UNSEEN: char = '\u{fffd}';
/// The most targets whose names a sentence has; as many as the sentence of an alert has targets.
const NAMED_TARGETS: usize = 4;
/// Stands for the end of a text that was cut.
const CUT: char = '…';
/// Characters that a vendor may interpret, each with one that looks alike and means nothing.
const MARKUP: [(char, char); 11] = [
    ('&', '＆'),
    ('<', '＜'),
    ('>', '＞'),
    ('@', '＠'),
    ('*', '＊'),
    ('~', '～'),
    ('`', '｀'),
    ('#', '＃'),
    ('|', '｜'),
    ('[', '［'),
    (']', '］'),
];

/// An alert, with all that its words are made of.
pub(super) struct AlertText<'a> {
    pub notice: &'a Notice,
    /// The name of this host.
    pub host: &'a str,
    /// The URL of this program's pages, without a slash at the end.
    pub external_url: Option<&'a str>,
    /// The address of the runbooks, with its placeholders.
    pub runbook_url: Option<&'a str>,
    /// The file with the packets of the alert.
    pub evidence: Option<EvidenceFile>,
}

impl AlertText<'_> {
    /// The alert in a few words, as the alerting rules for Prometheus have them.
    pub fn summary(&self) -> String {
        let Notice { source, destination, network, source_name, destination_name, .. } = self.notice;
        let text = |address: &Option<IpAddr>, name: &Option<String>| {
            address.map(|address| with_name(address, name.as_deref())).unwrap_or_default()
        };
        let (source, destination) = (text(source, source_name), text(destination, destination_name));
        let subject = [&source, &destination].into_iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>();
        let subject = if subject.is_empty() { self.subject() } else { subject.join(" to ") };
        match self.notice.kind.as_str() {
            "bandwidth" => format!("{subject} is over its bandwidth limit"),
            "host_scan" => format!("{source} scans hosts"),
            "port_scan" => format!("{source} scans ports"),
            "group_scan" => {
                let network = network.map(|network| network.to_string()).unwrap_or(subject);
                format!("Sources of {network} scan together")
            }
            "policy" => format!("{source} sends and is not permitted"),
            "anomaly" => format!("Unusual traffic from {source} to {destination}"),
            kind => format!("{subject}: {}", harmless(kind)),
        }
    }

    /// The summary with the severity before it; once it is over, with `resolved`.
    pub fn title(&self) -> String {
        format!("[{}] {}", self.state(), self.summary())
    }

    /// As [`AlertText::title`], without an address.
    pub fn title_without_subject(&self) -> String {
        format!("[{}] {}", self.state(), self.notice.kind.replace('_', " "))
    }

    /// The address or addresses that it is about.
    pub fn subject(&self) -> String {
        match self.notice {
            Notice { source: Some(source), destination: Some(destination), .. } => format!("{source} to {destination}"),
            Notice { source: Some(address), .. } | Notice { destination: Some(address), .. } => address.to_string(),
            Notice { network: Some(network), .. } => network.to_string(),
            _ => "unknown".to_owned(),
        }
    }

    /// The source, its activity, the figure, the window, the limit and the targets.
    pub fn sentence(&self) -> String {
        plain(&self.notice.sentence)
    }

    /// `since 2026-01-01T00:00:00Z`, or `from … to …` once it is over.
    pub fn period(&self) -> String {
        let start = whole_seconds(self.notice.starts_at);
        match self.notice.ends_at {
            Some(end) => format!("from {start} to {}", whole_seconds(end)),
            None => format!("since {start}"),
        }
    }

    /// The rule's name, with nothing in it that could be markup.
    pub fn rule(&self) -> String {
        harmless(&self.notice.rule)
    }

    /// All in sentences, in one line.
    pub fn description(&self) -> String {
        let Notice { severity, side, .. } = self.notice;
        let text = format!(
            "{}. {}Rule {} at {}, severity {severity}, {side} the local networks, {}.",
            self.sentence(),
            Some(self.names()).filter(|names| !names.is_empty()).map(|names| names + " ").unwrap_or_default(),
            self.rule(),
            plain(self.host),
            self.period()
        );
        let evidence = self.evidence.as_ref().map(evidence_sentence);
        let link = self.evidence_link().map(|link| format!("Packets: {link}"));
        [Some(text), evidence, link].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The known names in sentences; empty if none is known.
    pub fn names(&self) -> String {
        let Notice { source, destination, source_name, destination_name, .. } = self.notice;
        let Notice { source_origin, destination_origin, target_names, processes, .. } = self.notice;
        let of = |words: &'static str, address: &Option<IpAddr>, text: &Option<String>| {
            Some(format!("The {words} of {} is {}.", (*address)?, harmless(text.as_deref()?)))
        };
        let ends = [
            of("name", source, source_name),
            of("origin", source, source_origin),
            of("name", destination, destination_name),
            of("origin", destination, destination_origin),
        ];
        let target = |(address, name): &(IpAddr, String)| format!("{address} is {}", harmless(name));
        let title = if self.has_peers() { "Largest peers" } else { "Targets" };
        let targets = sentence(title, target_names.iter().take(NAMED_TARGETS).map(target));
        let processes = sentence("Local processes", processes.iter().map(|process| harmless(process)));
        ends.into_iter().flatten().chain(targets).chain(processes).collect::<Vec<_>>().join(" ")
    }

    /// True if the first targets are the largest peers of a subject over its bandwidth limit, which has no targets.
    fn has_peers(&self) -> bool {
        self.notice.kind == Kind::Bandwidth.label()
    }

    /// The known names, for receivers that show them as a list.
    pub fn name_details(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Notice { source_name, destination_name, source_origin, destination_origin, .. } = self.notice;
        let ends = [
            ("source_name", source_name),
            ("destination_name", destination_name),
            ("source_origin", source_origin),
            ("destination_origin", destination_origin),
        ];
        let ends = ends.into_iter().filter_map(|(key, name)| Some((key, harmless(name.as_deref()?))));
        let target = |(address, name): &(IpAddr, String)| format!("{address} {}", harmless(name));
        let targets: Vec<String> = self.notice.target_names.iter().map(target).collect();
        let processes: Vec<String> = self.notice.processes.iter().map(|process| harmless(process)).collect();
        let key = if self.has_peers() { "peer_names" } else { "target_names" };
        let lists = [(key, targets), ("processes", processes)];
        ends.chain(lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key, list.join(", "))))
    }

    /// Names and values for receivers that show them as a list. All values are texts.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let Notice { kind, severity, side, fingerprint, value, peak, limit, window_seconds, bytes, .. } = self.notice;
        let mut details = vec![
            ("subject", self.subject()),
            ("kind", harmless(kind)),
            ("rule", self.rule()),
            ("severity", harmless(severity)),
            ("side", harmless(side)),
            ("value", value.to_string()),
            ("peak", peak.to_string()),
            ("limit", limit.to_string()),
            ("window_seconds", window_seconds.to_string()),
            ("bytes", bytes.to_string()),
            ("starts_at", rfc_3339(self.notice.starts_at)),
            ("fingerprint", harmless(fingerprint)),
            ("host", plain(self.host)),
        ];
        details.extend(self.name_details());
        details.extend(self.notice.ends_at.map(|end| ("ends_at", rfc_3339(end))));
        details.extend(self.notice.answered.map(|answered| ("answered", answered.to_string())));
        let targets = |targets: &[String]| plain(&targets.join(", "));
        let Notice { first_targets, last_targets, .. } = self.notice;
        let first = if self.has_peers() { "largest_peers" } else { "first_targets" };
        details.extend((!first_targets.is_empty()).then(|| (first, targets(first_targets))));
        details.extend((!last_targets.is_empty()).then(|| ("last_targets", targets(last_targets))));
        details.extend(self.evidence_details());
        details.extend(self.runbook_link().map(|link| ("runbook_url", link)));
        details
    }

    /// The place of the packets: path, checksum, link.
    pub fn evidence_details(&self) -> Vec<(&'static str, String)> {
        let Some(file) = &self.evidence else { return Vec::new() };
        let mut details = vec![("evidence", path(file))];
        if file.is_finished {
            details.push(("evidence_packets", file.packets.to_string()));
            details.push(("evidence_complete", file.is_complete.to_string()));
        }
        details.extend((!file.sha256.is_empty()).then(|| ("evidence_sha256", harmless(&file.sha256))));
        details.extend(self.evidence_link().map(|link| ("evidence_url", link)));
        details
    }

    /// The link to the file with the packets, if there is one.
    pub fn evidence_link(&self) -> Option<String> {
        self.evidence.as_ref()?;
        Some(format!("{}/alerts/{}/evidence", self.external_url?, harmless(&self.notice.fingerprint)))
    }

    /// The link to the packets, or else to the alert on the dashboard.
    pub fn link(&self) -> Option<String> {
        let on_dashboard = |url| format!("{}#alert={}", link_to_alerts(url), harmless(&self.notice.fingerprint));
        self.evidence_link().or_else(|| self.external_url.map(on_dashboard))
    }

    /// The link to the instructions for this kind of alerts, if their address is configured.
    pub fn runbook_link(&self) -> Option<String> {
        self.runbook_url.map(|template| runbook::address(template, &self.notice.kind))
    }

    fn state(&self) -> String {
        if self.notice.is_firing { harmless(&self.notice.severity) } else { "resolved".to_owned() }
    }
}

/// A list in a sentence; none if it is empty.
fn sentence(words: &str, list: impl Iterator<Item = String>) -> Option<String> {
    let list: Vec<String> = list.collect();
    (!list.is_empty()).then(|| format!("{words}: {}.", list.join(", ")))
}

/// An address, with its name in brackets if one is known.
fn with_name(address: IpAddr, name: Option<&str>) -> String {
    name.map_or_else(|| address.to_string(), |name| format!("{address} ({})", harmless(name)))
}

/// The dashboard, which has all alerts.
pub(super) fn link_to_alerts(external_url: &str) -> String {
    format!("{external_url}/dashboard")
}

/// `2 alerts firing, 1 resolved`; what is 0 is left out.
pub(super) fn counts(firing: u64, resolved: u64) -> String {
    let alerts = |number: u64| if number == 1 { "1 alert".to_owned() } else { format!("{number} alerts") };
    match (firing, resolved) {
        (firing, 0) => format!("{} firing", alerts(firing)),
        (0, resolved) => format!("{} resolved", alerts(resolved)),
        (firing, resolved) => format!("{} firing, {resolved} resolved", alerts(firing)),
    }
}

fn evidence_sentence(file: &EvidenceFile) -> String {
    if !file.is_finished {
        return format!("Evidence: {} (still being written).", path(file));
    }
    let packets = if file.packets == 1 { "1 packet".to_owned() } else { format!("{} packets", file.packets) };
    let checksum = if file.sha256.is_empty() { String::new() } else { format!(", SHA-256 {}", harmless(&file.sha256)) };
    format!("Evidence: {} ({packets}{checksum}).", path(file))
}

fn path(file: &EvidenceFile) -> String {
    plain(&file.path.to_string_lossy())
}

/// A time as RFC 3339 in UTC; `nanoseconds` since 1970.
pub(super) fn rfc_3339(nanoseconds: i64) -> String {
    humantime::format_rfc3339(time(nanoseconds)).to_string()
}

fn whole_seconds(nanoseconds: i64) -> String {
    humantime::format_rfc3339_seconds(time(nanoseconds)).to_string()
}

fn time(nanoseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// One line without characters that control a terminal, cannot be seen, or turn the direction of writing.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if is_unsafe(letter) { UNSEEN } else { letter }).collect()
}

/// As [`plain`], and nothing in it can be markup, a mention, an emoji or a link. Such characters are replaced by others that
/// look alike: an underscore only at the edge of a word, a colon before a letter or a slash, a point before a letter.
pub(super) fn harmless(text: &str) -> String {
    let letters: Vec<char> = plain(text).chars().collect();
    let is_word =
        |index: Option<usize>| index.and_then(|index| letters.get(index)).is_some_and(|c| c.is_alphanumeric());
    let at = |index: usize| {
        let (letter, before, after) = (letters[index], index.checked_sub(1), Some(index + 1));
        let alike = MARKUP.iter().find(|(markup, _)| *markup == letter).map(|(_, alike)| *alike);
        let next = letters.get(index + 1);
        match letter {
            '_' if !(is_word(before) && is_word(after)) => '＿',
            ':' if next.is_some_and(|next| !next.is_whitespace()) => '：',
            '.' if next.is_some_and(|next| next.is_alphabetic()) => '．',
            _ => alike.unwrap_or(letter),
        }
    };
    (0..letters.len()).map(at).collect()
}

/// At most `most` UTF-16 units, which are never fewer than characters; what is cut ends in an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut units = CUT.len_utf16();
    let fits = |letter: &char| {
        units += letter.len_utf16();
        units <= most
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::notify::made::{evidence, notice};
    use crate::notify::notice::alert_name;
    use crate::packet::Timestamp;

    fn text(notice: &Notice) -> AlertText<'_> {
        AlertText {
            notice,
            host: "monitor1",
            external_url: Some("https://monitor.example.net"),
            runbook_url: None,
            evidence: None,
        }
    }

    #[test]
    fn summary_has_the_words_of_the_alerting_rules() {
        let rules = include_str!("../../alerts.rules.yml");
        let pair = Notice { destination: Some("192.0.2.1".parse().unwrap()), ..notice("anomaly") };
        let group = Notice { source: None, network: Some("203.0.113.0/24".parse().unwrap()), ..notice("group_scan") };
        for (notice, summary, name) in [
            (notice("host_scan"), "10.0.0.5 scans hosts", "TrafficmonitorHostScan"),
            (notice("port_scan"), "10.0.0.5 scans ports", "TrafficmonitorPortScan"),
            (group, "Sources of 203.0.113.0/24 scan together", "TrafficmonitorGroupScan"),
            (notice("bandwidth"), "10.0.0.5 is over its bandwidth limit", "TrafficmonitorBandwidthExceeded"),
            (notice("policy"), "10.0.0.5 sends and is not permitted", "TrafficmonitorNotPermitted"),
            (pair, "Unusual traffic from 10.0.0.5 to 192.0.2.1", "TrafficmonitorAnomaly"),
        ] {
            assert_eq!(text(&notice).summary(), summary);
            assert_eq!(alert_name(&notice.kind), name);
            assert!(rules.contains(&format!("- alert: {name}\n")), "{name}");
            let words = summary.split(' ').filter(|word| !word.contains(|letter: char| letter.is_ascii_digit()));
            let of_rule = rules.split_once(&format!("- alert: {name}\n")).unwrap().1;
            let of_rule = of_rule.lines().find(|line| line.contains("summary:")).unwrap();
            words.for_each(|word| assert!(of_rule.contains(word), "{word}: {of_rule}"));
        }
    }

    #[test]
    fn known_names_stand_in_brackets_and_hostile_ones_are_inert() {
        let named = Notice { source_name: Some("nas.lan".to_owned()), ..notice("host_scan") };
        assert_eq!(text(&named).summary(), "10.0.0.5 (nas．lan) scans hosts");
        assert_eq!(text(&named).subject(), "10.0.0.5", "an identity stays as it is");
        assert!(text(&named).description().contains(". The name of 10.0.0.5 is nas．lan. Rule host_scan"));
        assert!(text(&named).details().contains(&("source_name", "nas．lan".to_owned())));
        let hostile = "<!channel> *a* [x](http://evil.example) :100:x\n\u{202e}@here".to_owned();
        let hostile = Notice { source_name: Some(hostile), ..notice("host_scan") };
        let summary = text(&hostile).summary();
        assert!(!summary.contains(['<', '>', '*', '[', ']', '@', '\n', '\u{202e}']), "{summary}");
        assert!(!summary.contains("evil.example") && !summary.contains(":100:"), "{summary}");
    }

    /// A notice whose names all are `name`.
    fn named(name: &str) -> Notice {
        let (source, target) = ("10.0.0.5".parse().unwrap(), "192.0.2.1".parse().unwrap());
        Notice {
            source_name: Some(name.to_owned()),
            destination: Some(source),
            destination_name: Some(name.to_owned()),
            source_origin: Some(name.to_owned()),
            destination_origin: Some(name.to_owned()),
            target_names: vec![(target, name.to_owned())],
            processes: vec![name.to_owned()],
            ..notice("host_scan")
        }
    }

    #[test]
    fn peers_of_a_bandwidth_alert_are_not_called_targets() {
        let peers =
            Notice { first_targets: vec!["192.0.2.1".to_owned()], kind: "bandwidth".to_owned(), ..named("nas") };
        assert!(text(&peers).description().contains(" Largest peers: 192.0.2.1 is nas. "));
        let details = text(&peers).details();
        assert!(details.contains(&("largest_peers", "192.0.2.1".to_owned())), "{details:?}");
        assert!(details.contains(&("peer_names", "192.0.2.1 nas".to_owned())), "{details:?}");
        assert!(!details.iter().any(|(key, _)| key.contains("target")), "{details:?}");
    }

    #[test]
    fn names_of_all_ends_targets_and_processes_are_told() {
        let processes = vec!["sshd (812)".to_owned(), "nginx (7) in docker/0123456789ab".to_owned()];
        let targets = (1..=9_u8).map(|host| ([192, 0, 2, host].into(), format!("h{host}"))).collect();
        let named = Notice {
            source_origin: Some("country NL, AS64500 Example".to_owned()),
            target_names: targets,
            processes,
            ..named("nas")
        };
        let sentences = ". The name of 10.0.0.5 is nas. The origin of 10.0.0.5 is country NL, AS64500 Example. \
             The name of 10.0.0.5 is nas. The origin of 10.0.0.5 is nas. \
             Targets: 192.0.2.1 is h1, 192.0.2.2 is h2, 192.0.2.3 is h3, 192.0.2.4 is h4. \
             Local processes: sshd (812), nginx (7) in docker/0123456789ab. Rule host_scan";
        assert!(text(&named).description().contains(sentences), "{}", text(&named).description());
        let details = text(&named).details();
        let of = |key| details.iter().find(|(name, _)| *name == key).unwrap().1.as_str();
        assert_eq!(of("source_origin"), "country NL, AS64500 Example");
        assert_eq!([of("destination_name"), of("destination_origin")], ["nas", "nas"]);
        assert!(of("target_names").starts_with("192.0.2.1 h1, 192.0.2.2 h2, ") && of("target_names").ends_with("h9"));
        assert_eq!(of("processes"), "sshd (812), nginx (7) in docker/0123456789ab");
    }

    #[test]
    fn all_hostile_names_are_inert() {
        let hostile = named("<!channel> *a* [x](http://evil.example) :100:x\n\u{202e}@here");
        let alert = text(&hostile);
        let mut texts: Vec<String> = alert.name_details().map(|(_, text)| text).collect();
        assert_eq!(texts.len(), 6);
        texts.push(alert.names());
        for text in texts {
            assert!(!text.contains(['<', '>', '*', '[', ']', '@', '\n', '\u{202e}']), "{text}");
            assert!(!text.contains("evil.example") && !text.contains(":100:"), "{text}");
        }
    }

    #[test]
    fn description_says_source_figures_limit_time_and_evidence() {
        let notice = notice("host_scan");
        let with_evidence = AlertText { evidence: Some(evidence()), ..text(&notice) };
        assert_eq!(
            with_evidence.description(),
            "10.0.0.5 tried 22 hosts of 192.0.2.0/24 at 22/tcp in the last 170 s, 20 failed (limit 15): first \
             192.0.2.1:22/tcp. Rule host_scan at monitor1, severity warning, inside the local networks, since \
             2023-11-14T22:13:20Z. Evidence: /var/lib/trafficmonitor/a.pcapng (42 packets, SHA-256 00ff). Packets: \
             https://monitor.example.net/alerts/00000000000000ab/evidence"
        );
        let resolved = Notice { is_firing: false, ends_at: Some(1_700_000_165_000_000_000), ..notice.clone() };
        assert!(text(&resolved).description().contains(", from 2023-11-14T22:13:20Z to 2023-11-14T22:16:05Z."));
        assert_eq!(text(&resolved).title(), "[resolved] 10.0.0.5 scans hosts");
        assert_eq!(text(&notice).title(), "[warning] 10.0.0.5 scans hosts");
    }

    #[test]
    fn file_that_is_written_has_no_checksum_yet() {
        let file = EvidenceFile {
            starts_at: Timestamp::from_nanoseconds(0),
            path: PathBuf::from("/a\n.pcapng"),
            is_finished: false,
            sha256: String::new(),
            packets: 1,
            is_complete: false,
        };
        assert_eq!(evidence_sentence(&file), "Evidence: /a\u{fffd}.pcapng (still being written).");
    }

    #[test]
    fn links_are_there_only_with_an_external_url() {
        let notice = notice("host_scan");
        let with = |external_url, evidence| AlertText { external_url, evidence, ..text(&notice) }.link();
        assert_eq!(with(None, Some(evidence())), None);
        assert_eq!(with(Some("http://x"), None).unwrap(), "http://x/dashboard#alert=00000000000000ab");
        assert_eq!(with(Some("http://x"), Some(evidence())).unwrap(), "http://x/alerts/00000000000000ab/evidence");
    }

    #[test]
    fn hostile_text_has_no_markup_mention_link_or_hidden_character() {
        for (hostile, expected) in [
            ("<!channel> <@U1|x> &amp;", "＜!channel＞ ＜＠U1｜x＞ ＆amp;"),
            ("@here *bold* ~gone~ `code` #general", "＠here ＊bold＊ ～gone～ ｀code｀ ＃general"),
            ("_italic_ host_scan a_ _b", "＿italic＿ host_scan a＿ ＿b"),
            ("https://evil.example/x www.evil.example", "https：//evil．example/x www．evil．example"),
            ("a\n\r\tb\u{1b}[31m\u{202e}c\u{200b}d\u{0}", "a���b�［31m�c�d�"),
            ("[text](javascript:x)", "［text］(javascript：x)"),
            (":fire: a: b", "：fire: a: b"),
            ("bandwidth 192.0.2.0/24", "bandwidth 192.0.2.0/24"),
            ("Büro Köln 漢字", "Büro Köln 漢字"),
        ] {
            assert_eq!(harmless(hostile), expected, "{hostile:?}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("a𝄞𝄞", 4), "a𝄞…", "a character of two units");
        assert_eq!(cut("a𝄞𝄞", 3), "a…");
        for most in 1..20 {
            let text = cut("a𝄞ä漢b𝄞ä漢c𝄞ä漢", most);
            assert!(text.encode_utf16().count() <= most && text.chars().count() <= most, "{text}");
        }
    }

    #[test]
    fn counts_are_said_in_words() {
        assert_eq!(counts(1, 0), "1 alert firing");
        assert_eq!(counts(2, 1), "2 alerts firing, 1 resolved");
        assert_eq!(counts(0, 3), "3 alerts resolved");
    }
}
