//! The space of the archive, which evidence files and logged files share.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::quota::{ByteLimit, Quota};
use crate::alert::EvidenceIndex;
use crate::evidence::figures::EvidenceCounters;
use crate::evidence::names;

/// The quota in force, which a reload may replace. Clones share it.
#[derive(Debug, Clone)]
pub struct RunningQuota {
    limit: ByteLimit,
    space: Option<Arc<ArchiveSpace>>,
}

impl RunningQuota {
    pub(in crate::evidence) const fn new(limit: ByteLimit, space: Option<Arc<ArchiveSpace>>) -> Self {
        Self { limit, space }
    }

    /// Puts another quota into force, in bytes. An archive that has more loses its oldest files at once; the directory of
    /// logged packets does with its next packet.
    pub fn replace(&self, bytes: u64) {
        self.limit.set(bytes);
        if let Some(Err(error)) = self.space.as_ref().map(|space| space.adding(0, || Ok(()))) {
            tracing::warn!(%error, "the archive exceeds its new quota");
        }
    }
}

/// The bytes in the archive, their figure, and the index of its files.
#[derive(Debug)]
pub(in crate::evidence) struct ArchiveSpace {
    quota: Mutex<Quota>,
    counters: Arc<EvidenceCounters>,
    index: EvidenceIndex,
}

impl ArchiveSpace {
    /// The space of this directory.
    pub(in crate::evidence) fn new(
        archive: &Path,
        limit: ByteLimit,
        counters: Arc<EvidenceCounters>,
        index: EvidenceIndex,
    ) -> Self {
        let quota = Quota::new(archive.to_owned(), limit, names::is_ours);
        counters.archive_bytes.set(quota.bytes());
        Self { quota: Mutex::new(quota), counters, index }
    }

    /// Makes space for new bytes, then does the work that adds them. If it fails, they do not count.
    ///
    /// # Errors
    /// When the work fails, or the quota has no space for the new bytes: files that are being written are never removed.
    pub(in crate::evidence) fn adding<T>(&self, bytes: u64, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let (removed, taken) = self.quota().take(bytes);
        self.forget(removed);
        let done = taken.and_then(|()| work().inspect_err(|_| self.quota().give_back(bytes)));
        let quota = self.quota();
        // Under the lock, so that no older figure follows a newer one.
        self.counters.archive_bytes.set(quota.bytes());
        drop(quota);
        done
    }

    fn forget(&self, removed: Vec<PathBuf>) {
        self.counters.removed_files.add(removed.len() as u64);
        for path in removed {
            let fingerprint = path.file_name().and_then(|name| names::fingerprint(name.to_str()?));
            fingerprint.into_iter().for_each(|fingerprint| self.index.forget(fingerprint, &path));
        }
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
