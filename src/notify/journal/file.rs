//! The file of the journal.
//!
//! Takes bytes to append and states to rewrite; gives the state of an earlier run. Must not know receivers. All
//! calls wait for the disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::JournalError;
use super::record::{self, RecordPart};
use super::state::JournalState;
use crate::os::files::{NO_FOLLOW, lock, open_to_read};

/// The first bytes of the file: a magic word and the version of the format.
const MAGIC: &[u8; 8] = b"tmnotify";
const VERSION: u32 = 1;
const HEADER: usize = MAGIC.len() + size_of::<u32>();

/// The file is rewritten when it has grown beyond twice its length after the last time, and this.
const LEAST_GROWTH: u64 = 1 << 20;

/// The open file. It is locked as long as it is open.
#[derive(Debug)]
pub(super) struct JournalFile {
    folder: PathBuf,
    /// Open, since it is locked.
    handle: File,
    /// None if the file could not be written when the program started.
    file: Option<File>,
    /// Bytes that are whole records.
    length: u64,
    /// The length at which the file is rewritten.
    limit: u64,
}

impl JournalFile {
    /// Opens the journal below a state directory, and reads it.
    pub(super) fn open(state_dir: &Path) -> Result<(Self, JournalState), JournalError> {
        let folder = state_dir.join("notify");
        let fault = |source| JournalError::Folder { path: folder.clone(), source };
        DirBuilder::new().mode(0o700).recursive(true).create(state_dir).map_err(fault)?;
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fault(error)),
            _ => {}
        }
        let handle = open_to_read(&folder).map_err(fault)?;
        if !handle.metadata().map_err(fault)?.is_dir() {
            return Err(fault(io::ErrorKind::NotADirectory.into()));
        }
        // Some network file systems know no locks; a second process is a mistake that cannot be seen there.
        if !lock(&handle) {
            return Err(JournalError::Busy(folder));
        }
        let state = read(&folder.join("journal"))?;
        Ok((Self { folder, handle, file: None, length: 0, limit: 0 }, state))
    }

    /// Checks that the journal could be opened now. Gives true if another process keeps it locked. Nothing is created or
    /// changed; a lock is free again at once.
    pub(super) fn inspect(state_dir: &Path) -> Result<bool, JournalError> {
        let folder = state_dir.join("notify");
        let fault = |source| JournalError::Folder { path: folder.clone(), source };
        let handle = match open_to_read(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(fault)?,
        };
        if !handle.metadata().map_err(fault)?.is_dir() {
            return Err(fault(io::ErrorKind::NotADirectory.into()));
        }
        if !lock(&handle) {
            return Ok(true);
        }
        read(&folder.join("journal")).map(|_| false)
    }

    /// Appends whole records. After a fault nothing of them is in the file, if it can be shortened.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        if let Err(error) = file.write_all(bytes) {
            file.set_len(self.length)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// True if it has grown so much that it should be rewritten.
    pub(super) fn is_long(&self) -> bool {
        self.length > self.limit
    }

    /// Waits until the disk has all of it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Writes a state in place of all records so far. After a fault the file is as before.
    pub(super) fn rewrite(&mut self, state: &JournalState) -> io::Result<()> {
        let (path, new) = (self.folder.join("journal"), self.folder.join("journal.new"));
        remove(&new)?;
        let mut file =
            OpenOptions::new().append(true).create_new(true).mode(0o600).custom_flags(NO_FOLLOW).open(&new)?;
        let written = write(&mut file, state).and_then(|length| std::fs::rename(&new, &path).map(|()| length));
        let length = match written {
            Ok(length) => length,
            Err(error) => {
                remove(&new)?;
                return Err(error);
            }
        };
        self.handle.sync_all()?;
        (self.file, self.length, self.limit) = (Some(file), length, 2 * length + LEAST_GROWTH);
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a whole journal and waits for the disk; gives its length.
fn write(file: &mut File, state: &JournalState) -> io::Result<u64> {
    const PIECE: usize = 64 * 1024;
    let (mut bytes, mut length) = (header().to_vec(), 0);
    for record in state.records() {
        record::encode(&record, &mut bytes);
        if bytes.len() >= PIECE {
            file.write_all(&bytes)?;
            length += bytes.len() as u64;
            bytes.clear();
        }
    }
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(length + bytes.len() as u64)
}

fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header[MAGIC.len()..].copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// The state of an earlier run; the beginning of it if the file is damaged.
fn read(path: &Path) -> Result<JournalState, JournalError> {
    let mut bytes = Vec::new();
    let opened = open_to_read(path).and_then(|mut file| file.read_to_end(&mut bytes));
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(JournalState::default()),
        Err(source) => return Err(JournalError::File { path: path.to_owned(), source }),
        Ok(_) => {}
    }
    let (state, unread) = match bytes.split_first_chunk::<HEADER>() {
        Some((found, records)) if *found == header() => replay(records),
        Some((found, _)) if found.starts_with(MAGIC) => return Err(JournalError::Version(path.to_owned())),
        _ => (JournalState::default(), bytes.len()),
    };
    if unread > 0 {
        let path = path.display();
        tracing::warn!("{path}: the last {unread} of {} bytes are damaged and left out", bytes.len());
    }
    Ok(state)
}

/// The fewest records that say the same as the records of a journal, without its header; and the number of bytes from
/// the first damage on.
pub fn reread_journal(records: &[u8]) -> (Vec<u8>, usize) {
    let (state, unread) = replay(records);
    let mut bytes = Vec::new();
    state.records().for_each(|record| record::encode(&record, &mut bytes));
    (bytes, unread)
}

/// The state after all records up to the first damage, and the number of bytes from there on.
pub(super) fn replay(mut bytes: &[u8]) -> (JournalState, usize) {
    let mut state = JournalState::default();
    while let RecordPart::Payload(payload, rest) = record::split(bytes) {
        // A payload that is whole and cannot be read concerns itself alone.
        if let Ok(record) = serde_json::from_slice(payload) {
            state.apply(&record);
        }
        bytes = rest;
    }
    (state, bytes.len())
}
