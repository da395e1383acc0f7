//! Slack: one message of an incoming webhook for a burst, with an attachment for each alert.
//!
//! Takes notices; gives the request (docs.slack.dev: "Sending messages using incoming webhooks", "Reference: secondary
//! message attachments", "Formatting message text"). Must not let a text form a mention, a link, an emoji or markup.

use serde_json::{Map, Value, json};

use super::{Batching, Context, INTERVAL, NAMED, Receiver, Request, SENDER, WAIT};
use crate::notify::notice::Notice;
use crate::notify::text::{AlertText, counts, cut, harmless, link_to_alerts, plain};

/// The most characters of the titles and of the texts of attachments. Slack hides the end of longer texts.
const TITLE: usize = 250;
const TEXT: usize = 2_000;

/// Slack's incoming webhook.
pub(super) struct Slack {
    /// Overrides the channel of the hook.
    pub channel: Option<String>,
    /// Shown in place of the hook's icon.
    pub emoji: Option<String>,
    /// The URL of an icon; the emoji counts if both are given.
    pub icon: Option<String>,
}

impl Receiver for Slack {
    fn batching(&self) -> Batching {
        Batching::Group { wait: WAIT, interval: INTERVAL, named: NAMED }
    }

    fn default_url(&self) -> Option<&'static str> {
        None
    }

    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        let firing = notices.iter().filter(|notice| notice.is_firing).count() as u64;
        let [more_firing, more_resolved] = context.unnamed;
        let all = counts(firing + more_firing, notices.len() as u64 - firing + more_resolved);
        let of_alerts = notices.iter().map(|notice| attachment(&context.text(notice)));
        let attachments: Vec<Value> = of_alerts.chain(rest(context)).collect();
        // Nothing in the texts is interpreted: no names, no channels, no links, no markup.
        let mut message = json!({
            "username": SENDER,
            "text": escaped(&format!("{all} at {}", plain(context.host))),
            "parse": "none",
            "link_names": false,
            "mrkdwn": false,
            "attachments": attachments,
        });
        if let Some(channel) = &self.channel {
            message["channel"] = json!(channel);
        }
        match (&self.emoji, &self.icon) {
            (Some(emoji), _) => message["icon_emoji"] = json!(emoji),
            (None, Some(icon)) => message["icon_url"] = json!(icon),
            (None, None) => {}
        }
        super::json("", &message)
    }
}

fn attachment(text: &AlertText<'_>) -> Value {
    let notice = text.notice;
    let (title, is_code) = if looks_like_emoji(&text.title()) {
        (text.title_without_subject(), true)
    } else {
        (text.title(), looks_like_emoji(&text.sentence()))
    };
    let sentence = escaped(&cut(&text.sentence(), TEXT));
    let mut attachment = json!({
        "color": color(notice),
        "fallback": escaped(&cut(&format!("{title}: {}", text.sentence()), TEXT)),
        "title": escaped(&cut(&title, TITLE)),
        "text": if is_code { format!("`{}`", sentence.replace('`', "'")) } else { sentence },
        "mrkdwn_in": if is_code { vec!["text"] } else { Vec::new() },
        "fields": fields(text),
        "footer": escaped(&format!("{SENDER} at {}", plain(text.host))),
        "ts": notice.ends_at.unwrap_or(notice.starts_at) / 1_000_000_000,
    });
    if let Some(link) = text.link() {
        attachment["title_link"] = json!(link);
    }
    if let Some(link) = text.runbook_link() {
        attachment["actions"] = json!([{"type": "button", "text": "Runbook", "url": link}]);
    }
    attachment
}

fn fields(text: &AlertText<'_>) -> Vec<Value> {
    let field = |title: &str, value: &str, is_short: bool| json!({"title": title, "value": escaped(&cut(value, TEXT)), "short": is_short});
    let urgency = format!("{}, {} the local networks", harmless(&text.notice.severity), harmless(&text.notice.side));
    let mut fields = vec![
        field("Rule", &text.rule(), true),
        field("Severity", &urgency, true),
        field("Time", &text.period(), false),
    ];
    let names = text.names();
    fields.extend((!names.is_empty()).then(|| field("Names", &without_emoji(names), false)));
    let evidence: Map<String, Value> = super::object(text.evidence_details());
    for (key, title) in [("evidence", "Evidence"), ("evidence_sha256", "SHA-256")] {
        fields.extend(evidence.get(key).and_then(Value::as_str).map(|value| field(title, value, false)));
    }
    fields
}

/// The attachment that counts the alerts that are not named.
fn rest(context: &Context<'_>) -> Option<Value> {
    let [firing, resolved] = context.unnamed;
    let title = format!("not named here: {}", counts(firing, resolved));
    (firing + resolved > 0).then(|| {
        let mut attachment = json!({"fallback": title, "title": title, "mrkdwn_in": []});
        if let Some(url) = context.external_url {
            attachment["title_link"] = json!(link_to_alerts(url));
        }
        attachment
    })
}

/// Slack's own words for colours.
fn color(notice: &Notice) -> &'static str {
    match notice.severity.as_str() {
        _ if !notice.is_firing => "good",
        "critical" => "danger",
        "warning" => "warning",
        _ => "#439FE0",
    }
}

/// The three characters that Slack interprets everywhere.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text with other colons if a part of it is an emoji for Slack: code is not interpreted in the fields.
fn without_emoji(text: String) -> String {
    if looks_like_emoji(&text) { text.replace(':', "：") } else { text }
}

/// True if a part of the text is an emoji for Slack, as `:100:` in the address `2001:db8:100::1`. Such a text is written as
/// code, in which nothing is interpreted.
fn looks_like_emoji(text: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-'".contains(&byte))
    };
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() > 2 && parts[1..parts.len() - 1].iter().any(|part| is_name(part))
}
