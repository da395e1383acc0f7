//! Alertmanager: `POST /api/v2/alerts`, an array of alerts.
//!
//! Takes notices; gives the request of its API (Alertmanager's `api/v2/openapi.yaml`, `postableAlerts`). Must not know
//! when alerts are sent again.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Batching, Context, Receiver, Request, SENDER, object};
use crate::notify::config::ALERTMANAGER_PATH;
use crate::notify::notice::{Notice, alert_name};
use crate::notify::text::{AlertText, plain, rfc_3339};

/// The most alerts in one request. A request stays below 200 kB.
const MOST: usize = 64;
/// The time after which a firing alert is sent again.
const AGAIN: Duration = Duration::from_secs(60);
/// A firing alert that is not sent again ends after this many times [`AGAIN`], as Prometheus has it.
const ENDS_AFTER: u32 = 4;

/// The receiver Alertmanager.
pub(super) struct Alertmanager;

impl Receiver for Alertmanager {
    fn batching(&self) -> Batching {
        Batching::All { most: MOST, again: AGAIN }
    }

    fn default_url(&self) -> Option<&'static str> {
        None
    }

    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        let ends_without_news = context.now.nanoseconds().saturating_add((AGAIN * ENDS_AFTER).as_nanos() as i64);
        let alerts = notices.iter().map(|notice| {
            let end = notice.ends_at.unwrap_or(context.now.nanoseconds()).max(notice.starts_at);
            let ends_at = if notice.is_firing { ends_without_news } else { end };
            let text = context.text(notice);
            let mut alert = json!({
                "labels": labels(&text),
                "annotations": annotations(&text),
                "startsAt": rfc_3339(notice.starts_at),
                "endsAt": rfc_3339(ends_at),
            });
            if let Some(link) = text.link() {
                alert["generatorURL"] = Value::String(link);
            }
            alert
        });
        super::json(ALERTMANAGER_PATH, &Value::Array(alerts.collect()))
    }
}

/// The labels: they identify the alert and stay the same for as long as it lives. Their values are those of
/// `trafficmonitor_alert_firing`, so that one set of rules inhibits and routes both.
pub(super) fn labels(text: &AlertText<'_>) -> Map<String, Value> {
    let notice = text.notice;
    let labels = [
        ("alertname", alert_name(&notice.kind)),
        ("job", SENDER.to_owned()),
        ("instance", plain(text.host)),
        ("kind", notice.kind.clone()),
        // The journal may be older than the check of the configuration.
        ("rule", plain(&notice.rule)),
        ("severity", notice.severity.clone()),
        ("side", notice.side.clone()),
    ];
    let source = notice.source.map(|source| ("source", source.to_string()));
    let destination = notice.destination.map(|destination| ("destination", destination.to_string()));
    let network = notice.network.map(|network| ("network", network.to_string()));
    object(labels.into_iter().chain(source).chain(destination).chain(network))
}

/// The annotations: words, figures, and the place of the packets. Alertmanager takes those of the latest request.
pub(super) fn annotations(text: &AlertText<'_>) -> Map<String, Value> {
    let notice = text.notice;
    let annotations = [
        ("summary", text.summary()),
        ("description", text.description()),
        ("value", notice.value.to_string()),
        ("limit", notice.limit.to_string()),
        ("fingerprint", notice.fingerprint.clone()),
    ];
    let runbook = text.runbook_link().map(|link| ("runbook_url", link));
    object(annotations.into_iter().chain(text.name_details()).chain(text.evidence_details()).chain(runbook))
}
