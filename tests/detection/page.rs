//! Writes the results of a run into docs/detection.md when `UPDATE_GOLDEN=1` asks for it. Each run has other traffic,
//! so the page shows one run, with its seed.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

static WRITING: Mutex<()> = Mutex::new(());

/// Prints `text`, and writes it between `<!-- block -->` and `<!-- /block -->`.
pub fn show(block: &str, text: &str) {
    println!("{text}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/detection.md");
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (begin, end) = (format!("<!-- {block} -->\n"), format!("<!-- /{block} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("docs/detection.md has no {begin:?}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/detection.md has no {end:?}"));
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&path, [before, &begin, "\n", text, "\n", &end, after].concat()).unwrap();
    }
}
