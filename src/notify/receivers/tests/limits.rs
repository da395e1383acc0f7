//! The vendors' documented limits, with long, hostile and empty texts.

use super::*;

/// Alerts with texts that are long, hostile or empty.
fn difficult() -> Vec<Notice> {
    let hostile = [
        "<!channel> @here <https://evil.example|click> *b* _i_ ~s~ `c` #general & \u{202e}\u{1b}[31m\n\r\0",
        "&lt;!everyone&gt; [x](javascript:alert(1)) <img src=x> :fire: www.evil.example",
        "",
    ];
    let long = ["漢".repeat(20_000), "𝄞".repeat(20_000), "<".repeat(20_000), "a, ".repeat(20_000)];
    let texts = hostile.map(str::to_owned).into_iter().chain(long);
    let of_text = |text: String| {
        let targets = vec![text.clone(); 3];
        let rule = text.clone();
        let all = Notice { first_targets: targets, rule, sentence: text, ..notice("host_scan") };
        [Notice { is_firing: false, ends_at: Some(all.starts_at), ..all.clone() }, all]
    };
    let empty = Notice { source: None, kind: "<new>".to_owned(), severity: "<x>".to_owned(), ..notice("host_scan") };
    texts.flat_map(of_text).chain([empty]).collect()
}

fn units(value: &Value) -> usize {
    value.as_str().expect("a text").encode_utf16().count()
}

#[test]
fn pagerduty_events_keep_the_limits() {
    let [_, _, pagerduty, ..] = vendors();
    for notice in difficult() {
        let request = request(pagerduty.clone(), std::slice::from_ref(&notice), [0; 2]);
        assert!(request.body.len() < 512_000, "{}", request.body.len());
        let event = body(&request);
        assert!(units(&event["dedup_key"]) <= 255);
        assert_eq!(event["event_action"], if notice.is_firing { "trigger" } else { "resolve" });
        let payload = &event["payload"];
        assert!((1..=1_024).contains(&units(&payload["summary"])));
        assert!(units(&payload["source"]) > 0);
        assert!(["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap()));
    }
}

#[test]
fn opsgenie_alerts_keep_the_limits() {
    let [.., opsgenie, _] = vendors();
    for notice in difficult() {
        let request = request(opsgenie.clone(), std::slice::from_ref(&notice), [0; 2]);
        let alert = body(&request);
        if !notice.is_firing {
            assert!(units(&alert["note"]) <= 25_000 && units(&alert["source"]) <= 100 && units(&alert["user"]) <= 100);
            continue;
        }
        for (key, most) in [("message", 130), ("alias", 512), ("description", 15_000), ("entity", 512), ("source", 100)]
        {
            assert!((1..=most).contains(&units(&alert[key])), "{key}");
        }
        let tags = alert["tags"].as_array().unwrap();
        assert!(tags.len() <= 20 && tags.iter().all(|tag| units(tag) <= 50));
        let details = alert["details"].as_object().unwrap();
        let size: usize = details.iter().map(|(key, value)| key.len() + units(value)).sum();
        assert!(size <= 8_000, "{size}");
    }
}

#[test]
fn slack_messages_keep_the_limits_and_have_no_markup() {
    let [_, slack, ..] = vendors();
    let body = body(&request(slack, &difficult(), [1_000_000, 0]));
    assert!(body["attachments"].as_array().unwrap().len() <= 100);
    assert_eq!([&body["mrkdwn"], &body["link_names"], &body["parse"]], [&json!(false), &json!(false), &json!("none")]);
    for text in texts(&body["attachments"]).into_iter().chain(texts(&body["text"])) {
        assert!(!text.contains(['<', '>']), "{text}");
        let entities = ["&amp;", "&lt;", "&gt;"].iter().map(|entity| text.matches(entity).count()).sum::<usize>();
        assert_eq!(text.matches('&').count(), entities, "{text}");
        assert!(!text.contains(crate::capture::printable::is_unsafe), "{text:?}");
        // An escaped character may be five.
        assert!(text.encode_utf16().count() <= 10_000, "{}", text.len());
    }
    for attachment in body["attachments"].as_array().unwrap() {
        assert!(attachment["title"].as_str().unwrap().encode_utf16().count() <= 5 * 250);
        let mrkdwn: Vec<&str> = texts(&attachment["mrkdwn_in"]);
        if mrkdwn == ["text"] {
            let text = attachment["text"].as_str().unwrap();
            assert!(text.starts_with('`') && text.ends_with('`') && text.matches('`').count() == 2, "{text}");
        } else {
            assert!(mrkdwn.is_empty());
        }
    }
}

#[test]
fn alerts_of_alertmanager_are_of_its_schema() {
    for vendor in [Vendor::Alertmanager, Vendor::Webhook] {
        let body = body(&request(vendor.clone(), &difficult(), [0; 2]));
        let alerts = if vendor == Vendor::Webhook { &body["alerts"] } else { &body };
        for alert in alerts.as_array().unwrap() {
            for set in ["labels", "annotations"] {
                for (name, value) in alert[set].as_object().unwrap() {
                    assert!(
                        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                    );
                    assert!(value.is_string(), "{name}");
                }
            }
            assert!(!alert["labels"]["alertname"].as_str().unwrap().is_empty());
            for time in ["startsAt", "endsAt"] {
                let text = alert[time].as_str().unwrap();
                assert!(text == "0001-01-01T00:00:00Z" || humantime::parse_rfc3339(text).is_ok(), "{text}");
            }
        }
    }
}
