//! The rotating files of conversations.
//!
//! Takes records; gives files of a bounded size and number, of which few are open at once. Must not know packets.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::events::Complaints;
use crate::evidence::figures::EvidenceCounters;
use crate::evidence::writer::quota::Quota;
use crate::evidence::writer::{files, savefile};
use crate::evidence::{PacketSource, names};

/// Files that are open at once; the one that was used longest ago is closed for another.
const MOST_OPEN: usize = 256;

/// The settings of the files.
#[derive(Debug)]
pub(in crate::evidence) struct LogSetup {
    pub(in crate::evidence) directory: PathBuf,
    /// None if files of conversations with an alert stay where they are.
    pub(in crate::evidence) archive: Option<PathBuf>,
    pub(in crate::evidence) archive_quota: Option<Arc<Mutex<Quota>>>,
    pub(in crate::evidence) quota_bytes: u64,
    pub(in crate::evidence) max_file_bytes: u64,
    pub(in crate::evidence) max_rotations: u32,
}

/// The files of one conversation, the oldest first.
#[derive(Debug)]
pub(super) struct ConversationFiles {
    name: String,
    files: VecDeque<(PathBuf, u64)>,
    /// The number of the next file.
    next: u32,
}

impl ConversationFiles {
    /// No files of a conversation with this name yet.
    pub(super) const fn named(name: String) -> Self {
        Self { name, files: VecDeque::new(), next: 0 }
    }

    /// Forgets a file that was removed.
    pub(super) fn forget(&mut self, removed: &Path) {
        self.files.retain(|(path, _)| path != removed);
    }
}

/// The files of all conversations.
#[derive(Debug)]
pub(in crate::evidence) struct LogFiles {
    setup: LogSetup,
    quota: Quota,
    /// Open files, the one that was used longest ago first.
    open: VecDeque<(PathBuf, File)>,
    removed: Vec<PathBuf>,
    counters: Arc<EvidenceCounters>,
    complaints: Complaints,
}

/// True for the names of logged files: `CONVERSATION-NUMBER.pcap`.
fn is_logged(name: &str) -> bool {
    let stem = name.strip_suffix(names::LOGGED).and_then(|stem| stem.rsplit_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    stem.is_some_and(|(conversation, number)| {
        conversation.contains('_') && names::safe(conversation) == conversation && is_number(number)
    })
}

impl LogFiles {
    pub(super) fn new(setup: LogSetup, counters: Arc<EvidenceCounters>) -> Self {
        let quota = Quota::new(setup.directory.clone(), setup.quota_bytes, is_logged);
        Self { setup, quota, open: VecDeque::new(), removed: Vec::new(), counters, complaints: Complaints::default() }
    }

    /// The files that were removed for the quota since the last call.
    pub(super) fn removed(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.removed)
    }

    /// Adds records to the last file of a conversation, or to a new one if it is full.
    pub(super) fn append(
        &mut self,
        source: &PacketSource,
        of: &mut ConversationFiles,
        records: &[u8],
    ) -> io::Result<()> {
        let written = self.try_append(source, of, records);
        self.counters.log.bytes.set(self.quota.bytes());
        written.inspect_err(|error| {
            self.counters.write_errors.add(1);
            self.complaints.add("packets could not be logged", &self.setup.directory, error);
        })
    }

    fn try_append(&mut self, source: &PacketSource, of: &mut ConversationFiles, mut records: &[u8]) -> io::Result<()> {
        self.make_space(records.len() as u64, of)?;
        while !records.is_empty() {
            let used = of.files.back().map_or(u64::MAX, |(_, bytes)| *bytes);
            let mut fitting = savefile::whole_records(records, self.setup.max_file_bytes.saturating_sub(used));
            if fitting == 0 {
                self.rotate(source, of)?;
                let used = of.files.back().map_or(0, |(_, bytes)| *bytes);
                fitting = savefile::whole_records(records, self.setup.max_file_bytes.saturating_sub(used));
            }
            // A packet that is larger than a file may be has one of its own.
            let (now, later) = records.split_at(fitting.max(savefile::first_record(records)));
            self.write(of, now)?;
            records = later;
        }
        Ok(())
    }

    /// Removes the oldest files until so many bytes fit.
    fn make_space(&mut self, bytes: u64, of: &mut ConversationFiles) -> io::Result<()> {
        for path in self.quota.take(bytes)? {
            self.counters.removed_files.add(1);
            self.open.retain(|(open, _)| *open != path);
            of.forget(&path);
            self.removed.push(path);
        }
        Ok(())
    }

    /// Adds records to the last file of a conversation. After an error it is as it was before.
    fn write(&mut self, of: &mut ConversationFiles, records: &[u8]) -> io::Result<()> {
        let Some((path, bytes)) = of.files.back_mut() else { return Ok(()) };
        let file = open(&mut self.open, path)?;
        file.write_all_at(records, *bytes).inspect_err(|_| {
            file.set_len(*bytes).ok();
        })?;
        *bytes += records.len() as u64;
        Ok(())
    }

    /// Begins a new file of a conversation; the oldest one beyond the limit goes.
    fn rotate(&mut self, source: &PacketSource, of: &mut ConversationFiles) -> io::Result<()> {
        files::make_directory(&self.setup.directory)?;
        let header = savefile::file_header(source);
        self.make_space(header.len() as u64, of)?;
        let (path, mut file) = loop {
            let path = self.setup.directory.join(format!("{}-{}{}", of.name, of.next, names::LOGGED));
            of.next += 1;
            match files::create(&path) {
                // A file of an earlier run, or of a link type of its own.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => break (path, created?),
            }
        };
        file.write_all(&header).inspect_err(|_| files::remove(&path))?;
        of.files.push_back((path.clone(), header.len() as u64));
        keep_open(&mut self.open, path, file);
        while of.files.len() > self.setup.max_rotations.max(1) as usize
            && let Some((oldest, bytes)) = of.files.pop_front()
        {
            self.remove_file(&oldest, bytes);
        }
        Ok(())
    }

    fn remove_file(&mut self, path: &Path, bytes: u64) {
        self.open.retain(|(open, _)| open != path);
        files::remove(path);
        self.quota.give_back(bytes);
    }

    /// Removes the files of a conversation.
    pub(super) fn remove(&mut self, of: &mut ConversationFiles) {
        while let Some((path, bytes)) = of.files.pop_front() {
            self.remove_file(&path, bytes);
        }
        self.counters.log.bytes.set(self.quota.bytes());
    }

    /// Moves the files of a conversation to the archive, with names that begin with `stem`.
    pub(super) fn archive(&mut self, of: &mut ConversationFiles, stem: &str) {
        let Some(archive) = self.setup.archive.clone() else { return };
        while let Some((path, bytes)) = of.files.pop_front() {
            self.open.retain(|(open, _)| *open != path);
            let name = path.file_name().map(|name| name.to_string_lossy().replace('-', ".")).unwrap_or_default();
            let target = archive.join(format!("{stem}-{name}"));
            match self.move_to(&path, &target, bytes) {
                Ok(()) => {
                    self.quota.give_back(bytes);
                    self.counters.log.archived_files.add(1);
                }
                Err(error) => {
                    self.counters.write_errors.add(1);
                    self.complaints.add("a logged file could not be moved to the archive", &path, &error);
                }
            }
        }
    }

    fn move_to(&self, from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
        files::regular(from)?;
        if let Some(quota) = &self.setup.archive_quota {
            quota.lock().unwrap_or_else(PoisonError::into_inner).take(bytes)?;
        }
        if to.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                files::write_whole(to, &fs::read(from)?)?;
                fs::remove_file(from)
            }
            moved => moved,
        }
    }
}

/// The open file of this path, now the one that was used last.
fn open<'a>(files: &'a mut VecDeque<(PathBuf, File)>, path: &Path) -> io::Result<&'a File> {
    let known = files.iter().position(|(open, _)| open == path).and_then(|position| files.remove(position));
    let file = match known {
        Some((_, file)) => file,
        None => files::open_existing(path)?,
    };
    keep_open(files, path.to_owned(), file);
    files.back().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn keep_open(files: &mut VecDeque<(PathBuf, File)>, path: PathBuf, file: File) {
    if files.len() >= MOST_OPEN {
        files.pop_front();
    }
    files.push_back((path, file));
}
