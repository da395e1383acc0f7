//! Any webhook: the JSON of Alertmanager's own webhook receiver, version 4, so that its consumers work unchanged.
//!
//! Takes notices; gives one request for a burst (prometheus.io/docs/alerting/latest/configuration, `webhook_config`). Must
//! not know who reads it.

use serde_json::{Map, Value, json};

use super::alertmanager::{annotations, labels};
use super::{Batching, Context, INTERVAL, NAMED, Receiver, Request, WAIT};
use crate::notify::notice::Notice;
use crate::notify::text::rfc_3339;

/// The end of an alert that fires, as Alertmanager writes it: Go's zero time.
const NO_END: &str = "0001-01-01T00:00:00Z";
/// The key of a group without labels, as Alertmanager writes it.
const GROUP: &str = "{}:{}";

/// A receiver of Alertmanager's webhook JSON.
pub(super) struct Webhook {
    /// The name of the receiver.
    pub receiver: String,
}

impl Receiver for Webhook {
    fn batching(&self) -> Batching {
        Batching::Group { wait: WAIT, interval: INTERVAL, named: NAMED }
    }

    fn default_url(&self) -> Option<&'static str> {
        None
    }

    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        let alerts: Vec<Value> = notices.iter().map(|notice| alert(notice, context)).collect();
        let is_firing = context.unnamed[0] > 0 || notices.iter().any(|notice| notice.is_firing);
        let of_group = json!({
            "version": "4",
            "groupKey": GROUP,
            "truncatedAlerts": context.unnamed.iter().sum::<u64>(),
            "status": status(is_firing),
            "receiver": self.receiver,
            "groupLabels": {},
            "commonLabels": common(&alerts, "labels"),
            "commonAnnotations": common(&alerts, "annotations"),
            "externalURL": context.external_url.unwrap_or_default(),
            "alerts": alerts,
        });
        super::json("", &of_group)
    }
}

fn alert(notice: &Notice, context: &Context<'_>) -> Value {
    let text = context.text(notice);
    json!({
        "status": status(notice.is_firing),
        "labels": labels(&text),
        "annotations": annotations(&text),
        "startsAt": rfc_3339(notice.starts_at),
        "endsAt": notice.ends_at.map_or_else(|| NO_END.to_owned(), rfc_3339),
        "generatorURL": text.link().unwrap_or_default(),
        "fingerprint": notice.fingerprint,
    })
}

const fn status(is_firing: bool) -> &'static str {
    if is_firing { "firing" } else { "resolved" }
}

/// The entries of an object that all alerts have in common.
fn common(alerts: &[Value], key: &str) -> Map<String, Value> {
    let Some(Value::Object(first)) = alerts.first().and_then(|alert| alert.get(key)) else { return Map::new() };
    let is_common = |name: &String, value: &Value| alerts.iter().all(|alert| alert[key].get(name) == Some(value));
    first
        .iter()
        .filter(|(name, value)| is_common(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
