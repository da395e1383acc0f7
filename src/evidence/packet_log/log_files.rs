//! The rotating files of conversations.
//!
//! Takes records; gives files of a bounded size and number, of which few are open at once. Must not know packets.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::conversation_files::{ConversationFiles, LoggedFile};
use crate::events::Complaints;
use crate::evidence::figures::EvidenceCounters;
use crate::evidence::writer::leftovers::Leftovers;
use crate::evidence::writer::quota::{self, ByteLimit, Quota};
use crate::evidence::writer::{ArchiveSpace, files, savefile};
use crate::evidence::{PacketSource, names};

// Failures, each until its work succeeds.
const NOT_LOGGED: &str = "packets could not be logged";
const NOT_FINISHED: &str = "a logged file could not be finished";
const NOT_MOVED: &str = "a logged file could not be moved to the archive";

/// Files that are open at once; the one that was used longest ago is closed for another.
const MOST_OPEN: usize = 256;
/// Time for which files stay that belong to no conversation of this run.
const KEEP_LEFT: Duration = Duration::from_secs(24 * 3_600);

/// The settings of the files.
#[derive(Debug)]
pub(in crate::evidence) struct LogSetup {
    pub(in crate::evidence) directory: PathBuf,
    /// The directory for files of conversations with an alert.
    pub(in crate::evidence) archive: PathBuf,
    pub(in crate::evidence) archive_space: Arc<ArchiveSpace>,
    /// The quota of the directory.
    pub(in crate::evidence) limit: ByteLimit,
    pub(in crate::evidence) max_file_bytes: u64,
    pub(in crate::evidence) max_rotations: u32,
}

/// The files of all conversations.
#[derive(Debug)]
pub(in crate::evidence) struct LogFiles {
    setup: LogSetup,
    quota: Quota,
    /// Open files, the one that was used longest ago first.
    open: VecDeque<(PathBuf, File)>,
    removed: Vec<PathBuf>,
    pub(super) counters: Arc<EvidenceCounters>,
    complaints: Complaints,
    pub(super) leftovers: Leftovers,
    /// True at the end of the program: one sync of the file system follows all renames.
    is_ending: bool,
    /// The lock of the directory; none if another process logs packets there too.
    lock: Option<File>,
}

/// True for the names of logged files, finished or not: `CONVERSATION-NUMBER.pcap`.
fn is_logged(name: &str) -> bool {
    let name = name.strip_suffix(names::UNFINISHED).unwrap_or(name);
    let stem = name.strip_suffix(names::LOGGED).and_then(|stem| stem.rsplit_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    stem.is_some_and(|(conversation, number)| {
        conversation.contains('_') && names::safe(conversation) == conversation && is_number(number)
    })
}

impl LogFiles {
    /// No files yet. Those that an earlier run left wait to be finished.
    pub(super) fn new(setup: LogSetup, counters: Arc<EvidenceCounters>) -> Self {
        let lock = files::lock_directory(&setup.directory);
        if lock.is_none() {
            tracing::debug!(directory = %setup.directory.display(), "another process logs packets here too");
        }
        // No file is taken from a process that writes it.
        let is_left = if lock.is_some() { is_logged } else { |_: &str| false };
        let leftovers = Leftovers::find(&setup.directory, is_left, |leftover| leftover.name.clone());
        counters.log.leftovers.set(leftovers.count() as u64);
        let quota = Quota::new(setup.directory.clone(), setup.limit.clone(), is_logged).removing_unfinished();
        let (open, removed, complaints) = (VecDeque::new(), Vec::new(), Complaints::default());
        Self { setup, quota, open, removed, counters, complaints, leftovers, is_ending: false, lock }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.setup.directory
    }

    /// Begins the end: files are not written to the disk one by one any more. [`LogFiles::sync`] follows.
    pub(super) fn begin_end(&mut self) {
        self.is_ending = true;
    }

    /// Writes all files to the disk, with their names.
    pub(super) fn sync(&mut self) {
        let directory = self.setup.directory.clone();
        if let Err(error) = files::sync_all(&directory) {
            self.failed_at("logged files could not be written to the disk", &directory, &error);
        }
    }

    /// Removes the files of the directory that are older than a day, except those in `owned`.
    pub(super) fn remove_left(&mut self, owned: &HashSet<&Path>, now: SystemTime) {
        if self.lock.is_none() {
            return;
        }
        let left = quota::own_files(&self.setup.directory, is_logged).filter(|path| !owned.contains(path.as_path()));
        for path in left {
            let Ok(found) = files::regular(&path) else { continue };
            let age = found.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > KEEP_LEFT) {
                self.remove_file(&path, found.len());
            }
        }
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
        match &written {
            Ok(()) => self.complaints.end(NOT_LOGGED, "packets are logged again"),
            Err(error) => {
                self.counters.write_errors.add(1);
                self.complaints.add(NOT_LOGGED, &self.setup.directory, error);
            }
        }
        written
    }

    fn try_append(&mut self, source: &PacketSource, of: &mut ConversationFiles, mut records: &[u8]) -> io::Result<()> {
        self.make_space(records.len() as u64, of)?;
        let written = self.write_all(source, of, &mut records);
        if written.is_err() {
            self.quota.give_back(records.len() as u64);
        }
        written
    }

    /// Writes records, and takes off what is written.
    fn write_all(&mut self, source: &PacketSource, of: &mut ConversationFiles, records: &mut &[u8]) -> io::Result<()> {
        while !records.is_empty() {
            let used = of.last_bytes().unwrap_or(u64::MAX);
            let mut fitting = savefile::whole_records(records, self.setup.max_file_bytes.saturating_sub(used));
            if fitting == 0 {
                self.rotate(source, of)?;
                let used = of.last_bytes().unwrap_or(0);
                fitting = savefile::whole_records(records, self.setup.max_file_bytes.saturating_sub(used));
            }
            // A packet that is larger than a file may be has one of its own.
            let (now, later) = records.split_at(fitting.max(savefile::first_record(records)));
            match self.write(of, now) {
                // The file was removed by someone else: another one is begun.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.forget_last(of),
                written => {
                    written?;
                    *records = later;
                }
            }
        }
        Ok(())
    }

    /// Removes the oldest files until so many bytes fit.
    fn make_space(&mut self, bytes: u64, of: &mut ConversationFiles) -> io::Result<()> {
        let (removed, taken) = self.quota.take(bytes);
        for path in removed {
            self.counters.removed_files.add(1);
            self.open.retain(|(open, _)| *open != path);
            of.forget(&path);
            self.removed.push(path);
        }
        taken
    }

    /// Adds records to the last file of a conversation. After an error it is as it was before.
    fn write(&mut self, of: &mut ConversationFiles, records: &[u8]) -> io::Result<()> {
        let Some(LoggedFile { path, bytes }) = of.files.back_mut() else { return Ok(()) };
        let file = open(&mut self.open, path)?;
        file.write_all_at(records, *bytes).inspect_err(|_| {
            file.set_len(*bytes).ok();
        })?;
        *bytes += records.len() as u64;
        Ok(())
    }

    /// Finishes the last file of a conversation and begins a new one; the oldest one beyond the limit goes.
    fn rotate(&mut self, source: &PacketSource, of: &mut ConversationFiles) -> io::Result<()> {
        self.finish(of)?;
        files::make_directory(&self.setup.directory)?;
        let header = savefile::file_header(source);
        self.make_space(header.len() as u64, of)?;
        let path = files::unfinished(&self.free_path(of));
        let file = begin(&path, &header).inspect_err(|_| self.quota.give_back(header.len() as u64))?;
        of.files.push_back(LoggedFile { path: path.clone(), bytes: header.len() as u64 });
        keep_open(&mut self.open, path, file);
        while of.files.len() > self.setup.max_rotations.max(1) as usize
            && let Some(oldest) = of.files.pop_front()
        {
            self.remove_file(&oldest.path, oldest.bytes);
        }
        Ok(())
    }

    /// The final name of the next file. Files of an earlier run, or of a link type of its own, keep theirs.
    fn free_path(&self, of: &mut ConversationFiles) -> PathBuf {
        loop {
            let path = self.setup.directory.join(format!("{}-{}{}", of.name, of.next, names::LOGGED));
            of.next += 1;
            let is_taken = |path: &Path| path.symlink_metadata().is_ok();
            if !is_taken(&path) && !is_taken(&files::unfinished(&path)) {
                return path;
            }
        }
    }

    fn forget_last(&mut self, of: &mut ConversationFiles) {
        self.quota.give_back(of.files.pop_back().map_or(0, |file| file.bytes));
    }

    /// Gives the last file of a conversation its final name. A file that is gone is forgotten.
    fn finish(&mut self, of: &mut ConversationFiles) -> io::Result<()> {
        let Some(last) = of.unfinished() else { return Ok(()) };
        let finished = files::finished(&last.path);
        let published = if self.is_ending {
            fs::rename(&last.path, &finished)
        } else {
            open(&mut self.open, &last.path).and_then(|file| files::publish(file, &last.path, &finished))
        };
        let is_gone = matches!(&published, Err(error) if error.kind() == io::ErrorKind::NotFound);
        if !is_gone {
            published?;
        }
        self.open.retain(|(open, _)| *open != last.path);
        last.path = finished;
        if is_gone {
            self.forget_last(of);
        }
        Ok(())
    }

    /// Finishes the last file of a conversation, and forgets the files: they stay for a day.
    pub(super) fn leave(&mut self, of: &mut ConversationFiles) {
        if let Err(error) = self.finish(of) {
            self.failed(NOT_FINISHED, of, &error);
        }
        of.files.clear();
    }

    fn failed(&mut self, what: &'static str, of: &ConversationFiles, error: &io::Error) {
        let path = of.paths().next().unwrap_or(&self.setup.directory).to_owned();
        self.failed_at(what, &path, error);
    }

    pub(super) fn failed_at(&mut self, what: &'static str, path: &Path, error: &io::Error) {
        self.counters.write_errors.add(1);
        self.complaints.add(what, path, error);
    }

    fn remove_file(&mut self, path: &Path, bytes: u64) {
        self.open.retain(|(open, _)| open != path);
        files::remove(path);
        self.quota.give_back(bytes);
    }

    /// Removes the files of a conversation.
    pub(super) fn remove(&mut self, of: &mut ConversationFiles) {
        while let Some(file) = of.files.pop_front() {
            self.remove_file(&file.path, file.bytes);
        }
        self.counters.log.bytes.set(self.quota.bytes());
    }

    /// Moves the files of a conversation to the archive, with names that begin with `stem`. False if one could not be moved:
    /// it and later ones stay, and can be tried again.
    pub(super) fn archive(&mut self, of: &mut ConversationFiles, stem: &str) -> bool {
        while let Some(file) = of.files.front() {
            match self.move_to_archive(&file.path, file.bytes, stem) {
                Ok(()) => {
                    self.counters.log.archived_files.add(1);
                    self.complaints.end(NOT_MOVED, "logged files are moved to the archive again");
                }
                // It was removed by someone else.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.failed(NOT_MOVED, of, &error);
                    return false;
                }
            }
            let moved = of.files.pop_front();
            self.quota.give_back(moved.map_or(0, |file| file.bytes));
        }
        self.counters.log.bytes.set(self.quota.bytes());
        true
    }

    fn move_to_archive(&mut self, from: &Path, bytes: u64, stem: &str) -> io::Result<()> {
        let name = files::finished(from).file_stem().map(|name| name.to_string_lossy().replace('-', "."));
        let stem = format!("{stem}-{}", name.unwrap_or_default());
        files::make_directory(&self.setup.archive)?;
        let to = files::free_path(&self.setup.archive, &stem, names::LOGGED);
        self.setup.archive_space.adding(bytes, || {
            if self.is_ending {
                return files::move_unsynced(from, &to);
            }
            open(&mut self.open, from).and_then(|file| files::move_to(file, from, &to))
        })?;
        self.open.retain(|(open, _)| open != from);
        Ok(())
    }
}

/// A new file with this header.
fn begin(path: &Path, header: &[u8]) -> io::Result<File> {
    let mut file = files::create(path)?;
    file.write_all(header).inspect_err(|_| files::remove(path))?;
    Ok(file)
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
