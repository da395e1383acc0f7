//! The files of one conversation.
//!
//! Takes paths as files are begun, finished and removed; gives their order. Must not do work with files.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::evidence::writer::files;

/// The files of one conversation, the oldest first.
#[derive(Debug)]
pub(super) struct ConversationFiles {
    pub(super) name: String,
    /// Only the last one has a temporary name.
    pub(super) files: VecDeque<LoggedFile>,
    /// The number of the next file.
    pub(super) next: u32,
}

/// A file and its size.
#[derive(Debug)]
pub(super) struct LoggedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl ConversationFiles {
    /// No files of a conversation with this name yet.
    pub(super) const fn named(name: String) -> Self {
        Self { name, files: VecDeque::new(), next: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Forgets a file that was removed.
    pub(super) fn forget(&mut self, removed: &Path) {
        self.files.retain(|file| file.path != removed);
    }

    /// The paths of the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The file to which packets are added; none if there is none.
    pub(super) fn unfinished(&mut self) -> Option<&mut LoggedFile> {
        self.files.back_mut().filter(|file| files::is_unfinished(&file.path))
    }

    /// Bytes of the file to which packets are added; none if there is none.
    pub(super) fn last_bytes(&self) -> Option<u64> {
        self.files.back().filter(|file| files::is_unfinished(&file.path)).map(|file| file.bytes)
    }
}
