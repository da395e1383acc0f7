//! Opsgenie: an alert is created, and closed by its alias.
//!
//! Takes a notice; gives the request of the Alert API (docs.opsgenie.com: "Create Alert", "Close Alert", "Alerts and alert
//! fields"). Must not know where the key comes from.

use serde_json::{Value, json};

use super::{Batching, Context, Receiver, Request, SENDER, object};
use crate::notify::config::OPSGENIE_PATH;
use crate::notify::notice::Notice;
use crate::notify::secret::Secret;
use crate::notify::text::{cut, harmless, plain};

/// The most characters of the fields.
const MESSAGE: usize = 130;
const DESCRIPTION: usize = 15_000;
const ENTITY: usize = 512;
const TAG: usize = 50;
const SOURCE: usize = 100;
/// The most characters of one detail. All keys and values together may have 8000.
const DETAIL: usize = 350;

/// Opsgenie's Alert API.
pub(super) struct Opsgenie;

impl Receiver for Opsgenie {
    fn batching(&self) -> Batching {
        Batching::Each
    }

    fn default_url(&self) -> Option<&'static str> {
        Some("https://api.opsgenie.com")
    }

    /// Each notice has a request of its own: only the first one counts.
    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        let (path, body) = notices.first().map(|notice| change(notice, context)).unwrap_or_default();
        let key = context.key.map(|key| key.expose()).unwrap_or_default();
        let authorization = Secret::new(format!("GenieKey {key}"));
        Request { headers: vec![("authorization", authorization)], ..super::json(path, &body) }
    }
}

fn change(notice: &Notice, context: &Context<'_>) -> (String, Value) {
    let source = cut(&format!("{SENDER} at {}", plain(context.host)), SOURCE);
    if notice.is_firing {
        return (OPSGENIE_PATH.to_owned(), created(notice, context, &source));
    }
    // A close takes no details. The note names the evidence, whose checksum is known only now.
    let note = cut(&context.text(notice).description(), DESCRIPTION);
    // The alias is in a path: the journal may have been written by another program.
    let alias: String = notice.fingerprint.chars().filter(char::is_ascii_alphanumeric).collect();
    let path = format!("{OPSGENIE_PATH}/{alias}/close?identifierType=alias");
    (path, json!({"user": SENDER, "source": source, "note": note}))
}

fn created(notice: &Notice, context: &Context<'_>, source: &str) -> Value {
    let text = context.text(notice);
    let details = text.details().into_iter().map(|(key, value)| (key, cut(&value, DETAIL)));
    let tags = [SENDER, &notice.kind, &notice.severity, &notice.side].map(|tag| cut(&harmless(tag), TAG));
    json!({
        "message": cut(&text.summary(), MESSAGE),
        "alias": notice.fingerprint,
        "description": cut(&text.description(), DESCRIPTION),
        "entity": cut(&text.subject(), ENTITY),
        "source": source,
        "priority": priority(notice),
        "tags": tags,
        "details": object(details),
    })
}

fn priority(notice: &Notice) -> &'static str {
    match notice.severity.as_str() {
        "critical" => "P1",
        "warning" => "P3",
        _ => "P5",
    }
}
