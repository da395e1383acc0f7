//! The evidence files of alerts, as readers find them: receivers, pages and events.
//!
//! Takes the file of an alert as its state changes; gives it by fingerprint. Must not know how files are written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Fingerprint;
use crate::packet::Timestamp;

/// The most alerts whose files can be found; the oldest makes room.
const MOST_FILES: usize = 10_000;

/// Time by which the start of an episode in a verdict may differ: it is a floating-point number there.
const INEXACT: Duration = Duration::from_micros(1);

/// The capture file with the packets of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFile {
    /// The start of the episode.
    pub starts_at: Timestamp,
    /// Its place.
    pub path: PathBuf,
    /// True if the file is written: nothing is added any more.
    pub is_finished: bool,
    /// The SHA-256 of the finished file, in hexadecimal digits; empty before.
    pub sha256: String,
    /// Packets in it.
    pub packets: u64,
    /// True if it holds all packets that the verdict rests on, and no earlier memory decided it.
    pub is_complete: bool,
}

/// The evidence files by fingerprint. Clones share one index.
#[derive(Clone, Default)]
pub struct EvidenceIndex {
    files: Arc<Mutex<BTreeMap<Fingerprint, AlertFiles>>>,
    on_finished: Option<Arc<OnFinished>>,
    /// True if each alert gets a file.
    is_fed: Arc<AtomicBool>,
}

/// The files of an alert.
#[derive(Debug, Clone)]
struct AlertFiles {
    latest: EvidenceFile,
    /// The finished file of an earlier episode, while the latest one is being written.
    before: Option<EvidenceFile>,
}

/// Receives each file once it is finished.
type OnFinished = dyn Fn(Fingerprint, &EvidenceFile) + Send + Sync;

impl fmt::Debug for EvidenceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvidenceIndex").field("files", &self.files).finish_non_exhaustive()
    }
}

impl EvidenceIndex {
    /// An empty index that gives each finished file to `on_finished`.
    pub fn announcing(on_finished: impl Fn(Fingerprint, &EvidenceFile) + Send + Sync + 'static) -> Self {
        Self { on_finished: Some(Arc::new(on_finished)), ..Self::default() }
    }

    /// Notes that alerts get files from now on.
    pub fn expect_files(&self) {
        self.is_fed.store(true, Ordering::Relaxed);
    }

    /// True if an alert that fires gets a file soon.
    pub fn expects_files(&self) -> bool {
        self.is_fed.load(Ordering::Relaxed)
    }

    /// Notes the present state of an alert's file. A file of a later episode takes the place of an earlier one.
    pub fn note(&self, fingerprint: Fingerprint, file: EvidenceFile) {
        if let Some(on_finished) = self.on_finished.as_ref().filter(|_| file.is_finished) {
            on_finished(fingerprint, &file);
        }
        self.insert(fingerprint, file);
    }

    /// Notes the finished file of an alert of an earlier run. A later file that is known stays.
    pub fn note_earlier(&self, fingerprint: Fingerprint, file: EvidenceFile) {
        let mut files = self.lock();
        match files.get_mut(&fingerprint) {
            Some(known) if known.latest.starts_at >= file.starts_at => known.note_before(file),
            _ => {
                drop(files);
                self.insert(fingerprint, file);
            }
        }
    }

    fn insert(&self, fingerprint: Fingerprint, latest: EvidenceFile) {
        let mut files = self.lock();
        if files.len() >= MOST_FILES && !files.contains_key(&fingerprint) {
            let oldest =
                files.iter().min_by_key(|(_, file)| file.latest.starts_at).map(|(fingerprint, _)| *fingerprint);
            oldest.map(|oldest| files.remove(&oldest));
        }
        let known = files.remove(&fingerprint).filter(|_| !latest.is_finished);
        let before = known.and_then(AlertFiles::finished);
        files.insert(fingerprint, AlertFiles { latest, before });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fingerprint, AlertFiles>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of an alert's latest episode.
    pub fn find(&self, fingerprint: Fingerprint) -> Option<EvidenceFile> {
        self.lock().get(&fingerprint).map(|files| files.latest.clone())
    }

    /// The file of an alert's latest episode with a finished one.
    pub fn find_finished(&self, fingerprint: Fingerprint) -> Option<EvidenceFile> {
        self.lock().get(&fingerprint).cloned().and_then(AlertFiles::finished)
    }

    /// The file of the episode that began then.
    pub fn find_episode(&self, fingerprint: Fingerprint, starts_at: Timestamp) -> Option<EvidenceFile> {
        let files = self.lock().get(&fingerprint).cloned()?;
        let is_it =
            |file: &EvidenceFile| file.starts_at.since(starts_at).max(starts_at.since(file.starts_at)) < INEXACT;
        [Some(files.latest), files.before].into_iter().flatten().find(is_it)
    }

    /// Forgets a file that was removed.
    pub fn forget(&self, fingerprint: Fingerprint, path: &Path) {
        let mut files = self.lock();
        let Some(known) = files.get_mut(&fingerprint) else { return };
        if known.latest.path == path {
            files.remove(&fingerprint);
        } else if known.before.as_ref().is_some_and(|before| before.path == path) {
            known.before = None;
        }
    }
}

impl AlertFiles {
    /// The latest finished file.
    fn finished(self) -> Option<EvidenceFile> {
        if self.latest.is_finished { Some(self.latest) } else { self.before }
    }

    /// Notes the finished file of an earlier episode. It is of use while the latest one is being written.
    fn note_before(&mut self, file: EvidenceFile) {
        let is_newer = self.before.as_ref().is_none_or(|known| known.starts_at < file.starts_at);
        if !self.latest.is_finished && is_newer {
            self.before = Some(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(seconds: i64) -> EvidenceFile {
        EvidenceFile {
            starts_at: Timestamp::from_nanoseconds(seconds * 1_000_000_000),
            path: PathBuf::from(format!("{seconds}.pcapng")),
            is_finished: false,
            sha256: String::new(),
            packets: 0,
            is_complete: false,
        }
    }

    #[test]
    fn latest_file_of_an_alert_is_found_until_it_is_forgotten() {
        let index = EvidenceIndex::default();
        index.clone().note(Fingerprint(1), file(1));
        index.note(Fingerprint(1), file(2));
        assert_eq!(index.find(Fingerprint(1)), Some(file(2)));
        assert_eq!(index.find(Fingerprint(2)), None);
        index.forget(Fingerprint(1), &file(1).path);
        assert_eq!(index.find(Fingerprint(1)), Some(file(2)), "another file of the alert was removed");
        index.forget(Fingerprint(1), &file(2).path);
        assert_eq!(index.find(Fingerprint(1)), None);
    }

    #[test]
    fn finished_file_is_found_while_a_later_one_is_written() {
        let (index, alert) = (EvidenceIndex::default(), Fingerprint(1));
        let finished = |seconds| EvidenceFile { is_finished: true, ..file(seconds) };
        index.note(alert, finished(1));
        index.note(alert, file(2));
        assert_eq!((index.find(alert), index.find_finished(alert)), (Some(file(2)), Some(finished(1))));
        // The file is begun again, and so is the next episode.
        index.note(alert, file(2));
        index.note(alert, file(3));
        assert_eq!(index.find_finished(alert), Some(finished(1)));
        // The file of a killed run is finished late.
        index.note_earlier(alert, finished(2));
        index.note_earlier(alert, finished(1));
        assert_eq!((index.find(alert), index.find_finished(alert)), (Some(file(3)), Some(finished(2))));
        let begun = |nanoseconds| index.find_episode(alert, Timestamp::from_nanoseconds(nanoseconds));
        assert_eq!((begun(3_000_000_999), begun(2_999_999_001)), (Some(file(3)), Some(file(3))));
        assert_eq!((begun(2_000_000_000), begun(1_000_000_000)), (Some(finished(2)), None));
        index.forget(alert, &file(2).path);
        assert_eq!((index.find(alert), index.find_finished(alert)), (Some(file(3)), None));
        index.note(alert, finished(3));
        index.note_earlier(alert, finished(2));
        assert_eq!((index.find(alert), index.find_finished(alert)), (Some(finished(3)), Some(finished(3))));
    }

    #[test]
    fn finished_file_is_announced_once() {
        let announced = Arc::<Mutex<Vec<Fingerprint>>>::default();
        let list = Arc::clone(&announced);
        let index = EvidenceIndex::announcing(move |fingerprint, _| list.lock().unwrap().push(fingerprint));
        index.note(Fingerprint(1), file(1));
        assert_eq!(*announced.lock().unwrap(), []);
        index.note(Fingerprint(1), EvidenceFile { is_finished: true, ..file(1) });
        assert_eq!(*announced.lock().unwrap(), [Fingerprint(1)]);
    }

    #[test]
    fn oldest_file_makes_room() {
        let index = EvidenceIndex::default();
        (0..=MOST_FILES as u64)
            .for_each(|number| index.note(Fingerprint(MOST_FILES as u64 - number), file(number as i64)));
        assert_eq!(index.find(Fingerprint(MOST_FILES as u64)), None, "the oldest");
        assert_eq!(index.find(Fingerprint(0)), Some(file(MOST_FILES as i64)));
    }
}
