//! The lines of a CSV log → records. Takes lines; gives records by the columns that the header names. Must not know what
//! fields mean.
//!
//! Each event has one line: a text with a line feed is not written.

use super::record::{LogField, LogRecord};
use super::values::LogValue;
use crate::events::log::FIELDS;

/// The fields of the columns.
#[derive(Debug)]
pub(super) struct Columns {
    fields: Vec<Option<LogField>>,
    header: Vec<u8>,
}

impl Default for Columns {
    /// The columns that this program writes.
    fn default() -> Self {
        Self::of(FIELDS.join(",").as_bytes())
    }
}

impl Columns {
    fn of(header: &[u8]) -> Self {
        let field = |cell: &[u8]| {
            let name = String::from_utf8_lossy(cell).trim().to_ascii_lowercase();
            LogField::of(name.as_bytes())
        };
        Self { fields: cells(header).iter().map(|cell| field(cell)).collect(), header: header.to_vec() }
    }

    /// Takes a line as the header if it is one: the first line if it names a source, later the same line again.
    pub(super) fn take_header(&mut self, line: &[u8], is_first: bool) -> bool {
        if !is_first {
            return line == self.header;
        }
        let of_line = Self::of(line);
        let is_header = of_line.fields.contains(&Some(LogField::Source));
        if is_header {
            *self = of_line;
        }
        is_header
    }

    /// Reads one line.
    pub(super) fn read(&self, line: &[u8]) -> Result<LogRecord, String> {
        if line.contains(&b'"') {
            self.record(cells(line).iter().map(Vec::as_slice))
        } else {
            self.record(line.split(|byte| *byte == b','))
        }
    }

    fn record<'a>(&self, cells: impl Iterator<Item = &'a [u8]>) -> Result<LogRecord, String> {
        let mut record = LogRecord::default();
        let mut count = 0;
        for cell in cells {
            if let Some(Some(field)) = self.fields.get(count)
                && !cell.is_empty()
            {
                let text = std::str::from_utf8(cell).map_err(|_| "not UTF-8".to_owned())?;
                record.set(*field, LogValue::Text(text.trim().as_bytes()));
            }
            count += 1;
        }
        if count == self.fields.len() {
            Ok(record)
        } else {
            Err(format!("the row has {count} of {} columns", self.fields.len()))
        }
    }
}

/// The cells of a line with quotes.
fn cells(line: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    let mut record = csv::ByteRecord::new();
    // A slice can always be read.
    reader.read_byte_record(&mut record).unwrap_or_default();
    record.iter().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_gives_the_columns() {
        let mut columns = Columns::default();
        assert!(columns.take_header(b"Timestamp,Protocol,Source_IP,destination_ip,extra,size\r", true));
        let record = columns.read(b"1700000012,TCP,203.0.113.5,10.0.0.1,\"a,\"\"b\",60\r").unwrap();
        assert_eq!((record.bytes, record.packets(), record.fault()), (60, 1, None));
        assert_eq!(record.source, Some("203.0.113.5".parse().unwrap()));
        assert!(columns.take_header(b"Timestamp,Protocol,Source_IP,destination_ip,extra,size\r", false));
        assert_eq!(columns.read(b"1700000012,TCP"), Err("the row has 2 of 6 columns".to_owned()));
    }

    #[test]
    fn log_without_a_header_has_the_columns_of_this_program() {
        let mut columns = Columns::default();
        let line = format!("violation,2023-11-14T22:13:32Z,,,eth0,203.0.113.5{}", ",".repeat(FIELDS.len() - 6));
        assert!(!columns.take_header(line.as_bytes(), true));
        assert_eq!(columns.read(line.as_bytes()).unwrap().fault(), None);
    }
}
