//! The evidence files of a killed program.
//!
//! Takes a file under its temporary name; gives it its name with `-cut`, and a verdict that is not complete. Must not know
//! open files.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::leftovers::Leftover;
use super::{FORM, KILLED, capture_file, facts, files, pcapng, seconds_since_1970};
use crate::evidence::names;
use crate::os::files::open_to_read;

/// The most bytes of a verdict.
const LARGEST: u64 = 1 << 20;

/// A file without a broken last block, with its verdict. It has neither of its names yet.
pub(super) struct CutEvidence {
    file: File,
    part: PathBuf,
    /// The verdict that was written when the file was begun, or the final one without its file.
    begun: [PathBuf; 2],
    pub(super) path: PathBuf,
    pub(super) verdict: String,
}

/// Captures come before the verdicts of their beginnings, which they need.
pub(super) fn order(leftover: &Leftover) -> (bool, String) {
    (!leftover.name.ends_with(names::CAPTURE), leftover.name.clone())
}

/// Reads a leftover of the archive. One that is no capture with packets is removed, and gives none.
pub(super) fn read(archive: &Path, leftover: Leftover) -> io::Result<Option<CutEvidence>> {
    let Some(stem) = leftover.name.strip_suffix(names::CAPTURE) else { return remove_other(&leftover) };
    let final_verdict = archive.join(format!("{stem}{}", names::VERDICT));
    let begun = [files::unfinished(&final_verdict), final_verdict];
    let Some(mut file) = leftover.cut(pcapng::whole_blocks)? else {
        begun.iter().for_each(|path| files::remove(path));
        return Ok(None);
    };
    let path = files::free_path(archive, &format!("{stem}-cut"), names::CAPTURE);
    let (contents, interfaces) = pcapng::contents(&file)?;
    let sha256 = capture_file::digest(&mut file)?;
    let verdict = begun.iter().find_map(|path| read_begun(path)).unwrap_or_else(|| from_name(stem));
    let verdict = facts::with_facts(verdict, &path, &contents, &interfaces, &sha256);
    Ok(Some(CutEvidence { file, part: leftover.part, begun, path, verdict }))
}

impl CutEvidence {
    /// Writes the verdict, then gives the file its name: a finished file has a verdict.
    pub(super) fn publish(&self) -> io::Result<()> {
        files::write_whole(&self.path.with_extension("json"), self.verdict.as_bytes())?;
        files::publish(&self.file, &self.part, &self.path)?;
        self.begun.iter().for_each(|path| files::remove(path));
        Ok(())
    }
}

/// Removes a copy, or a verdict, that is not whole. A verdict stays while its capture is there: another process writes both.
fn remove_other(leftover: &Leftover) -> io::Result<Option<CutEvidence>> {
    let capture = leftover.name.strip_suffix(names::VERDICT).map(|stem| format!("{stem}{}", names::CAPTURE));
    let capture = capture.map(|name| files::unfinished(&leftover.part.with_file_name(name)));
    if capture.is_none_or(|capture| capture.symlink_metadata().is_err()) {
        let _locked = leftover.open()?;
        fs::remove_file(&leftover.part)?;
    }
    Ok(None)
}

fn read_begun(path: &Path) -> Option<Map<String, Value>> {
    let mut text = String::new();
    files::regular(path).ok()?;
    open_to_read(path).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    let mut verdict: Map<String, Value> = serde_json::from_str(&text).ok()?;
    let window = verdict.get_mut("window").and_then(Value::as_object_mut)?;
    window.insert("complete".to_owned(), false.into());
    window.insert("reasons".to_owned(), json!([KILLED]));
    Some(verdict)
}

/// The verdict as far as the name of its file tells it: after a power cut no other text may be left.
fn from_name(stem: &str) -> Map<String, Value> {
    let alert = names::parts(stem).map(|(time, kind, fingerprint)| {
        json!({"fingerprint": fingerprint.to_string(), "kind": kind, "ts": seconds_since_1970(time)})
    });
    let fields = json!({
        "form": FORM,
        "alert": alert,
        "window": {"complete": false, "reasons": [KILLED]},
    });
    if let Value::Object(fields) = fields { fields } else { Map::new() }
}
