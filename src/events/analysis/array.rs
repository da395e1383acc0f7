//! The events of a JSON array, line by line.
//!
//! Takes lines; gives the bytes of each event. The event log writes one event per line, but events may also share a line
//! or span several. An event that begins a line ends the one before it, which was cut off. Must not know fields.

use super::lines::LinePart;

/// The most bytes of an event that spans several lines.
const LARGEST_EVENT: usize = 1 << 20;

/// The events of an array, with one that began in an earlier line.
#[derive(Debug, Default)]
pub(super) struct ArrayEvents {
    open: Vec<u8>,
    began: u64,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
}

impl ArrayEvents {
    /// Hands each event that ends in this line to `on_event`, with the number of the line that it began in; none for one
    /// that was cut off.
    pub(super) fn read(&mut self, part: &LinePart<'_>, mut on_event: impl FnMut(u64, Option<&[u8]>)) {
        let is_line = part.begins && part.ends && self.depth == 0;
        if let Some(event) = only_event(part.bytes).filter(|_| is_line) {
            return on_event(part.number, Some(event));
        }
        if self.depth > 0 && part.begins && part.bytes.starts_with(b"{") {
            self.give_up(&mut on_event);
        }
        self.walk(part, &mut on_event);
        // No text of JSON spans lines.
        if (self.in_text && part.ends) || self.open.len() > LARGEST_EVENT {
            self.give_up(&mut on_event);
        }
    }

    /// Reports an event that the end of the file has cut off.
    pub(super) fn finish(&mut self, mut on_event: impl FnMut(u64, Option<&[u8]>)) {
        if self.depth > 0 {
            self.give_up(&mut on_event);
        }
    }

    fn give_up(&mut self, on_event: &mut impl FnMut(u64, Option<&[u8]>)) {
        on_event(self.began, None);
        *self = Self::default();
    }

    fn walk(&mut self, part: &LinePart<'_>, on_event: &mut impl FnMut(u64, Option<&[u8]>)) {
        let mut start = 0;
        for (at, byte) in part.bytes.iter().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_text => self.is_escaped = true,
                b'"' if self.depth > 0 => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' => {
                    if self.depth == 0 {
                        (start, self.began) = (at, part.number);
                    }
                    self.depth += 1;
                }
                b'}' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.open.extend_from_slice(&part.bytes[start..=at]);
                        on_event(self.began, Some(&self.open));
                        self.open.clear();
                    }
                }
                _ => {}
            }
        }
        if self.depth > 0 {
            self.open.extend_from_slice(&part.bytes[start..]);
            if part.ends {
                self.open.push(b'\n');
            }
        }
    }
}

/// The event of a line that has one event and perhaps a comma; none for other lines.
fn only_event(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii();
    let event = line.strip_suffix(b",").unwrap_or(line);
    let inner = event.strip_prefix(b"{")?.strip_suffix(b"}")?;
    (!inner.contains(&b'{') && !inner.contains(&b'}')).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<(u64, String)> {
        let mut array = ArrayEvents::default();
        let mut found = Vec::new();
        let mut on_event = |number, event: Option<&[u8]>| {
            found.push((number, event.map_or("broken".to_owned(), |event| String::from_utf8(event.to_vec()).unwrap())));
        };
        for (number, line) in (1..).zip(text.lines()) {
            array.read(&LinePart { bytes: line.as_bytes(), number, begins: true, ends: true }, &mut on_event);
        }
        array.finish(&mut on_event);
        found
    }

    fn expected(events: &[(u64, &str)]) -> Vec<(u64, String)> {
        events.iter().map(|(number, event)| (*number, (*event).to_owned())).collect()
    }

    #[test]
    fn events_may_have_a_line_share_one_or_span_several() {
        assert_eq!(events("[\n{\"a\":1},\n{\"b\":\"}\"}\n]\n"), expected(&[(2, "{\"a\":1}"), (3, "{\"b\":\"}\"}")]));
        assert_eq!(events("[{\"a\":{}},{\"b\":2}]"), expected(&[(1, "{\"a\":{}}"), (1, "{\"b\":2}")]));
        assert_eq!(events("[\n  {\n    \"a\": 1\n  }\n]"), expected(&[(2, "{\n    \"a\": 1\n  }")]));
        assert_eq!(events("[\n]\n"), expected(&[]));
    }

    #[test]
    fn events_of_a_long_line_come_in_parts() {
        let line = b"[{\"a\":\"\\\"}\"},{\"b\":2}]";
        for cut in 1..line.len() {
            let mut array = ArrayEvents::default();
            let mut count = 0;
            for (bytes, begins) in [(&line[..cut], true), (&line[cut..], false)] {
                let part = LinePart { bytes, number: 1, begins, ends: !begins };
                array.read(&part, |_, event| {
                    assert!(serde_json::from_slice::<serde_json::Value>(event.unwrap()).is_ok());
                    count += 1;
                });
            }
            assert_eq!(count, 2, "cut at {cut}");
        }
    }

    #[test]
    fn cut_off_event_costs_no_other() {
        let text = "[\n{\"a\":1},\n{\"b\":\"torn\n{\"c\":3},\n{\"d\":\n{\"e\":5}\n";
        assert_eq!(
            events(text),
            expected(&[(2, "{\"a\":1}"), (3, "broken"), (4, "{\"c\":3}"), (5, "broken"), (6, "{\"e\":5}")])
        );
        assert_eq!(events("[\n{\"a\":1},\n{\"b\""), expected(&[(2, "{\"a\":1}"), (3, "broken")]));
    }
}
