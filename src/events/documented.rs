//! The names that docs/event-logs.md has in its tables. Takes the head of a table; gives the names. Must not know what
//! they mean.

use std::fs;
use std::path::Path;

/// The names in the first column of the table that begins with `head`, in order.
pub(super) fn documented_names(head: &str) -> Vec<String> {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/event-logs.md")).unwrap();
    let table = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|row| row.split('|').nth(1).unwrap());
    rows.flat_map(|names| names.split(',').map(|name| name.trim().trim_matches('`').to_owned())).collect()
}
