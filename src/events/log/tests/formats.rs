//! Each format, and texts that try to leave their line or their field.

use proptest::prelude::*;

use super::*;
use crate::capture::printable::is_unsafe;
use crate::events::documented::documented_names;
use crate::events::line::LineForm;
use crate::events::log::channel::LoggedEvent;
use crate::events::spreadsheet::{begins_formula, inert};

fn line(event: &LoggedEvent, format: EventFormat) -> String {
    let mut lines = Vec::new();
    form::write(event, format, Style::default(), &mut lines);
    String::from_utf8(lines).unwrap()
}

fn alert(rule: &str) -> LoggedEvent {
    LoggedEvent::Alert(Box::new(change(rule)))
}

#[test]
fn violation_has_its_fields_in_every_format() {
    let event = LoggedEvent::Violation(violation(3));
    assert_eq!(
        line(&event, EventFormat::JsonLines),
        concat!(
            r#"{"event":"violation","ts":"2023-11-14T22:13:33.000000004Z","first":"2023-11-14T22:13:32.500000004Z","#,
            r#""last":"2023-11-14T22:13:33.000000004Z","interface":"eth0","src":"203.0.113.5","src_port":40000,"#,
            r#""dst":"10.0.0.1","dst_port":22,"protocol":"tcp","flags":"SYN|ACK","packets":3,"bytes":180,"#,
            r#""action":"dropped","suppressed":2}"#,
            "\n"
        )
    );
    assert_eq!(
        line(&event, EventFormat::Csv),
        concat!(
            "violation,2023-11-14T22:13:33.000000004Z,2023-11-14T22:13:32.500000004Z,2023-11-14T22:13:33.000000004Z,",
            "eth0,203.0.113.5,40000,10.0.0.1,22,,tcp,SYN|ACK,3,180,dropped,2,,,,,,,,,,,,,,\n"
        )
    );
}

#[test]
fn suppressed_packets_have_their_fields_in_every_format() {
    let event = |source| LoggedEvent::Suppressed(suppressed(source));
    let time = "2023-11-14T22:13:33.000000001Z";
    for (source, in_json, in_csv) in [(Some("203.0.113.5"), r#""src":"203.0.113.5","#, "203.0.113.5"), (None, "", "")] {
        let object = format!(
            "{{\"event\":\"suppressed\",\"ts\":\"{time}\",{in_json}\"packets\":0,\"action\":\"dropped\",\"suppressed\":120}}\n"
        );
        assert_eq!(line(&event(source), EventFormat::JsonLines), object);
        assert_eq!(line(&event(source), EventFormat::Json), object);
        let record = format!("suppressed,{time},,,,{in_csv},,,,,,,0,,dropped,120,,,,,,,,,,,,,,\n");
        assert_eq!(line(&event(source), EventFormat::Csv), record);
    }
}

#[test]
fn alert_has_its_fields_in_every_format() {
    assert_eq!(
        line(&alert("scan"), EventFormat::JsonLines),
        concat!(
            r#"{"event":"alert","ts":"1970-01-01T00:01:40.000000000Z","src":"2001:db8::5","bytes":640,"kind":"host_scan","#,
            r#""rule":"scan","state":"firing","severity":"warning","side":"inside","value":16,"limit":15,"#,
            r#""window_seconds":170,"peak":16,"starts_at":"1970-01-01T00:01:40.000000000Z","#,
            r#""fingerprint":"FINGERPRINT"}"#,
            "\n"
        )
        .replace("FINGERPRINT", &change("scan").alert().fingerprint.to_string())
    );
    let console = line(&alert("scan"), EventFormat::Console);
    assert!(console.contains(" msg=\"alert firing\" state=firing kind=host_scan rule=scan "), "{console}");
}

#[test]
fn both_formats_for_programs_have_the_same_values() {
    let suppressed = LoggedEvent::Suppressed(suppressed(Some("203.0.113.5")));
    for event in [LoggedEvent::Violation(violation(3)), suppressed, alert("a, \"b\" =c"), alert("=1+1")] {
        let object: Value = serde_json::from_str(&line(&event, EventFormat::JsonLines)).unwrap();
        let text = csv_header_and(&line(&event, EventFormat::Csv));
        let record = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
        for (name, cell) in FIELDS.iter().zip(&record) {
            let expected = match &object[*name] {
                Value::Null => String::new(),
                Value::String(text) => inert(text),
                other => other.to_string(),
            };
            assert_eq!(cell, expected, "{name}");
        }
    }
}

fn csv_header_and(line: &str) -> String {
    form::csv_header() + line
}

#[test]
fn documented_fields_are_those_that_are_written() {
    assert_eq!(documented_names("| field |"), FIELDS);
}

proptest! {
    #[test]
    fn no_text_leaves_its_line_or_its_cell(rule in any::<String>(), start in "[ \"]?[=+@＝\t\r\n,\"'-]?", interface in any::<String>()) {
        let rule = start + &rule;
        let mut of_policy = violation(3);
        of_policy.interface = interface.as_str().into();
        for event in [alert(&rule), LoggedEvent::Violation(of_policy)] {
            for format in FORMATS {
                let written = line(&event, format);
                prop_assert_eq!(written.matches('\n').count(), 1, "{:?}", &written);
                prop_assert!(written.ends_with('\n') && !written.trim_end_matches('\n').contains(is_unsafe), "{:?}", &written);
            }
            let text = csv_header_and(&line(&event, EventFormat::Csv));
            let records: Vec<_> = csv::Reader::from_reader(text.as_bytes()).into_records().collect();
            prop_assert_eq!(records.len(), 1);
            let record = records[0].as_ref().unwrap();
            prop_assert_eq!(record.len(), FIELDS.len());
            prop_assert!(!record.iter().any(|cell| begins_formula(cell) && !cell.starts_with('\'')), "{:?}", record);
            let object: Value = serde_json::from_str(&line(&event, EventFormat::Json)).unwrap();
            let (name, expected) = if event == alert(&rule) { ("rule", &rule) } else { ("interface", &interface) };
            prop_assert_eq!(object[name].as_str(), Some(expected.as_str()));
        }
    }

    /// A forged field would be a second `src=` outside of quotes.
    #[test]
    fn no_text_forges_a_field_of_a_console_line(rule in any::<String>()) {
        let written = line(&alert(&(rule + " src=192.0.2.66 \" src=192.0.2.67")), EventFormat::Console);
        let mut is_quoted = false;
        let mut is_escaped = false;
        let outside: String = written.chars().filter(|letter| {
            let is_quote = *letter == '"' && !is_escaped;
            is_escaped = *letter == '\\' && !is_escaped;
            is_quoted ^= is_quote;
            !is_quoted
        }).collect();
        prop_assert_eq!(outside.matches(" src=").count(), 1, "{}", &written);
    }
}

#[test]
fn console_lines_have_the_form_of_the_log() {
    let style = Style { form: LineForm::Json, explain: false };
    let text = form::console_line(&LoggedEvent::Violation(violation(3)), style);
    let object: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&object["msg"], &object["packets"]), (&"source is not permitted".into(), &3.into()));
}
