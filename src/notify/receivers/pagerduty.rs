//! PagerDuty: one event for each change of an alert.
//!
//! Takes a notice; gives the request of the Events API v2 (developer.pagerduty.com: "Send an event to PagerDuty",
//! PD-CEF). Must not know where the routing key comes from.

use serde_json::{Value, json};

use super::{Batching, Context, Receiver, Request, SENDER, object};
use crate::notify::config::PAGERDUTY_PATH;
use crate::notify::notice::Notice;
use crate::notify::text::{AlertText, cut, harmless, link_to_alerts, plain, rfc_3339};

/// The most characters of a summary.
const SUMMARY: usize = 1_024;
/// The most characters of a detail; an event may have 512 kB.
const DETAIL: usize = 4_096;

/// PagerDuty's Events API.
pub(super) struct PagerDuty;

impl Receiver for PagerDuty {
    fn batching(&self) -> Batching {
        Batching::Each
    }

    fn default_url(&self) -> Option<&'static str> {
        Some("https://events.pagerduty.com")
    }

    /// Each notice has a request of its own: only the first one counts.
    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        let events = notices.first().map(|notice| event(notice, context));
        super::json(PAGERDUTY_PATH, &events.unwrap_or_default())
    }
}

fn event(notice: &Notice, context: &Context<'_>) -> Value {
    let routing_key = context.key.map(|key| key.expose()).unwrap_or_default();
    let text = context.text(notice);
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": if notice.is_firing { "trigger" } else { "resolve" },
        "dedup_key": notice.fingerprint,
        "client": SENDER,
        "payload": payload(&text),
    });
    if let Some(url) = text.external_url {
        event["client_url"] = json!(link_to_alerts(url));
    }
    let links = links(&text);
    if !links.is_empty() {
        event["links"] = Value::Array(links);
    }
    event
}

/// Also in an event that resolves: the end of the alert and the checksum of its packets are known only then.
fn payload(text: &AlertText<'_>) -> Value {
    let details = text.details().into_iter().map(|(key, value)| (key, cut(&value, DETAIL)));
    json!({
        "summary": cut(&format!("{}: {}", text.summary(), text.sentence()), SUMMARY),
        "source": text.subject(),
        "severity": severity(text.notice),
        "timestamp": rfc_3339(text.notice.starts_at),
        "component": text.rule(),
        "group": plain(text.host),
        "class": harmless(&text.notice.kind),
        "custom_details": object(details),
    })
}

fn links(text: &AlertText<'_>) -> Vec<Value> {
    let of_alert = if text.evidence.is_some() { "Packets of the alert" } else { "All alerts" };
    let links = [(text.link(), of_alert), (text.runbook_link(), "Runbook")];
    links.into_iter().filter_map(|(link, name)| link.map(|link| json!({"href": link, "text": name}))).collect()
}

fn severity(notice: &Notice) -> &'static str {
    match notice.severity.as_str() {
        "critical" => "critical",
        "warning" => "warning",
        _ => "info",
    }
}
