//! Texts that are kept beside the tests; `UPDATE_GOLDEN=1` rewrites them, and `git diff` then shows what changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Two blocks of one file are not written at the same time.
static WRITING: Mutex<()> = Mutex::new(());

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// `text` is the one in `tests/golden/` called `name`.
#[track_caller]
pub fn is_golden(name: &str, text: &str) {
    settle(&root().join("tests/golden").join(name), text);
}

/// `text` stands in the document between `<!-- block -->` and `<!-- /block -->`, with an empty line on either side.
#[track_caller]
pub fn is_in_document(document: &str, block: &str, text: &str) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = root().join(document);
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
    let (begin, end) = (format!("<!-- {block} -->\n"), format!("<!-- /{block} -->"));
    let (before, rest) = kept.split_once(&begin).unwrap_or_else(|| panic!("{document} has no {begin:?}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} has no {end:?}"));
    settle(&path, &[before, &begin, "\n", text, "\n", &end, after].concat());
}

/// The document at `path`, below the root, has this text.
#[track_caller]
pub fn is_document(path: &str, text: &str) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    settle(&root().join(path), text);
}

/// The file at `path` has this text, now or from now on.
#[track_caller]
fn settle(path: &PathBuf, text: &str) {
    if is_updating() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, text).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    let mut lines = kept.lines().zip(text.lines()).enumerate();
    let differing = lines.find(|(_, (kept, given))| kept != given);
    let at = differing.map_or(kept.lines().count().min(text.lines().count()), |(at, _)| at);
    let line = |text: &str| text.lines().nth(at).unwrap_or("(no such line)").to_owned();
    let why = "run the test with UPDATE_GOLDEN=1 if it is meant";
    assert!(kept == text, "{}:{}:\n  kept  {}\n  given {}\n{why}", path.display(), at + 1, line(&kept), line(text));
}
