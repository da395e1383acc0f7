//! One line per event, in each format. Takes events; gives bytes. Must not know files.
//!
//! No text can end its line or its field: characters that control a terminal are escaped everywhere, and a CSV cell that
//! a spreadsheet would take for a formula gets a quote before it.

use std::borrow::Cow;

use super::channel::LoggedEvent;
use super::config::EventFormat;
use super::fields::{EventCell, EventFields, FIELDS};
use crate::capture::printable::printable;
use crate::events::console::{self, Style};
use crate::events::line::LogLine;
use crate::events::spreadsheet::begins_formula;
use crate::policy::SuppressedPackets;

/// The first line of a CSV file.
pub(super) fn csv_header() -> String {
    FIELDS.join(",") + "\n"
}

/// Adds an event to `lines` as one line.
pub(super) fn write(event: &LoggedEvent, format: EventFormat, style: Style, lines: &mut Vec<u8>) {
    match format {
        EventFormat::Console => lines.extend(console_line(event, style).as_bytes()),
        EventFormat::Json | EventFormat::JsonLines => lines.extend(json_line(event).as_bytes()),
        EventFormat::Csv => lines.extend(csv_line(event)),
    }
}

/// The line for people, in the form of the program's own log.
pub(super) fn console_line(event: &LoggedEvent, style: Style) -> String {
    match event {
        LoggedEvent::Alert(change) => console::line(change, style),
        LoggedEvent::Violation(violation) => {
            let mut line = LogLine::new(style.form, violation.last, "warn", "source is not permitted");
            put_fields(&mut line, &EventFields::of(event), &["event", "ts", "last"]);
            line.finish()
        }
        LoggedEvent::Suppressed(suppressed) => {
            let mut line = LogLine::new(style.form, suppressed.last, "warn", suppressed_message(suppressed));
            put_fields(&mut line, &EventFields::of(event), &["event", "ts", "packets"]);
            line.finish()
        }
    }
}

/// The message of a line about packets without an event.
pub(super) const fn suppressed_message(suppressed: &SuppressedPackets) -> &'static str {
    match suppressed.source {
        Some(_) => "source sent more packets that are not permitted",
        None => "several sources sent more packets that are not permitted",
    }
}

fn json_line(event: &LoggedEvent) -> String {
    let mut object = LogLine::object();
    put_fields(&mut object, &EventFields::of(event), &[]);
    object.finish()
}

fn put_fields(line: &mut LogLine, fields: &EventFields, left_out: &[&str]) {
    for (name, cell) in fields.present().filter(|(name, _)| !left_out.contains(name)) {
        match cell {
            EventCell::Text(text) => line.put_text(name, text),
            EventCell::Number(number) => line.put(name, number),
        }
    }
}

fn csv_line(event: &LoggedEvent) -> Vec<u8> {
    let fields = EventFields::of(event);
    let cells = fields.all().map(|cell| match cell {
        None => Cow::Borrowed(""),
        Some(EventCell::Number(number)) => Cow::Borrowed(number.as_str()),
        Some(EventCell::Text(text)) => Cow::Owned(csv_cell(text)),
    });
    let mut writer = csv::Writer::from_writer(Vec::new());
    // A vector takes all that is written to it.
    writer.write_record(cells.map(|cell| cell.into_owned())).unwrap_or_default();
    writer.into_inner().unwrap_or_default()
}

/// A text that no spreadsheet takes for a formula, in one line.
pub(super) fn csv_cell(text: &str) -> String {
    let text_in_line = printable(text);
    // Judged as it was: the escapes of characters that cannot be seen would hide what follows them.
    if begins_formula(text) { format!("'{text_in_line}") } else { text_in_line }
}
