//! The writer: all work with evidence files, on a thread of its own.
//!
//! Takes jobs from a bounded queue; gives files, their digests, and reports of what failed. Must not know subjects, nor which
//! packets are selected.

mod capture_file;
mod cut;
mod facts;
pub(super) mod files;
mod jobs;
pub(super) mod leftovers;
mod link_type;
pub(super) mod pcapng;
pub(super) mod quota;
mod records;
pub(super) mod savefile;
mod space;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Instant;

use serde_json::{Value, json};

use super::figures::EvidenceCounters;
use super::{Chunk, Message, earlier, names};
use crate::alert::{EvidenceFile, EvidenceIndex};
use crate::events::Complaints;
use crate::os::files::open_to_read;
use crate::packet::Timestamp;
use capture_file::{COMMENT_ROOM, CaptureFile};
pub(super) use facts::{FORM, KILLED};
pub(super) use jobs::{Ending, FileId, FilePart, Job, JobQueue, NewFile, WriterReport};
use leftovers::Leftovers;
pub(super) use space::ArchiveSpace;
pub use space::RunningQuota;

// Failures, each until its work succeeds.
const NOT_BEGUN: &str = "an evidence file could not be begun; it is tried again";
const NOT_WRITTEN: &str = "packets could not be written; they are tried again";
const NOT_FINISHED: &str = "an evidence file could not be finished; it is tried again";

/// The settings of the writer.
#[derive(Debug)]
pub(super) struct WriterSetup {
    /// The directory of the files.
    pub(super) archive: PathBuf,
    /// The program and its version.
    pub(super) application: String,
    pub(super) index: EvidenceIndex,
    pub(super) counters: Arc<EvidenceCounters>,
    pub(super) space: Arc<ArchiveSpace>,
}

/// Writes the files of open cases.
#[derive(Debug)]
pub(super) struct Writer {
    setup: WriterSetup,
    open: HashMap<FileId, (CaptureFile, EvidenceFile)>,
    reports: Sender<Message>,
    complaints: Complaints,
    leftovers: Leftovers,
}

/// The name of the file with a configuration: the same for the same text.
pub(super) fn configuration_name(configuration: &str) -> String {
    format!("configuration-{}.yml", &capture_file::digest_of(configuration)[..16])
}

impl Writer {
    pub(super) fn new(setup: WriterSetup, reports: Sender<Message>) -> Self {
        let leftovers = Leftovers::find(&setup.archive, names::is_ours, cut::order);
        setup.counters.leftovers.set(leftovers.count() as u64);
        Self { setup, open: HashMap::new(), reports, complaints: Complaints::default(), leftovers }
    }

    /// Works until the last job. Unfinished files keep their temporary names.
    pub(super) fn run(mut self, jobs: &Receiver<Job>, queue: &JobQueue) {
        while let Some(job) = self.next_job(jobs) {
            if let Job::End(deadline) = job {
                return self.end(deadline);
            }
            self.work(job);
            self.setup.counters.open_files.set(self.open.len() as u64);
            if queue.job_is_done() {
                self.report(WriterReport::HasSpace);
            }
        }
    }

    /// The next job. Files of an earlier run are finished while there is none, or if they have waited for long.
    fn next_job(&mut self, jobs: &Receiver<Job>) -> Option<Job> {
        loop {
            match jobs.try_recv() {
                Ok(job) => {
                    self.finish_leftover(false);
                    return Some(job);
                }
                Err(TryRecvError::Empty) if self.leftovers.count() > 0 => self.finish_leftover(true),
                Err(TryRecvError::Empty) => return jobs.recv().ok(),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }

    fn end(&mut self, deadline: Instant) {
        while Instant::now() < deadline && self.leftovers.count() > 0 {
            self.finish_leftover(true);
        }
    }

    /// Finishes a file of an earlier run, if it is time.
    fn finish_leftover(&mut self, is_idle: bool) {
        if self.leftovers.is_due(is_idle)
            && let Some(leftover) = self.leftovers.next()
        {
            let part = leftover.part.clone();
            match self.try_finish_leftover(leftover) {
                Ok(finished) => self.leftovers.note_finished(finished.into()),
                Err(error) if leftovers::is_fault(&error) => {
                    self.failed("a file of an earlier run could not be finished", &part, &error);
                }
                Err(error) => {
                    tracing::debug!(file = %part.display(), %error, "a file of an earlier run stays as it is");
                }
            }
            self.setup.counters.leftovers.set(self.leftovers.count() as u64);
        }
    }

    /// True if the file has its name now; false if it was removed, because no packet is in it.
    fn try_finish_leftover(&mut self, leftover: leftovers::Leftover) -> io::Result<bool> {
        let Some(cut) = cut::read(&self.setup.archive, leftover)? else { return Ok(false) };
        self.setup.space.adding(cut.verdict.len() as u64, || cut.publish())?;
        earlier::note(&self.setup.archive, &cut.path.with_extension("json"), &self.setup.index);
        Ok(true)
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Begin(file) => self.begin(*file),
            Job::Append { chunk, number, parts } => parts.iter().for_each(|part| self.append(&chunk, number, part)),
            Job::Resume(id) => {
                if let Some((file, _)) = self.open.get_mut(&id) {
                    file.is_stalled = false;
                }
            }
            Job::Finish(ending) => self.finish(&ending),
            Job::End(_) => {}
        }
    }

    fn report(&self, report: WriterReport) {
        if self.reports.send(Message::Written(report)).is_err() {
            tracing::trace!("the evidence thread has ended");
        }
    }

    fn failed(&mut self, what: &'static str, file: &Path, error: &io::Error) {
        self.setup.counters.write_errors.add(1);
        self.complaints.add(what, file, error);
    }

    fn begin(&mut self, new: NewFile) {
        let path = files::free_path(&self.setup.archive, &new.stem, names::CAPTURE);
        let create = || CaptureFile::create(path.clone(), &new.comment, self.setup.application.clone());
        let begun = files::make_directory(&self.setup.archive)
            .and_then(|()| self.write_configuration(&new.detection.configuration))
            .and_then(|()| write_verdict_if_killed(&new, &path))
            .and_then(|()| self.setup.space.adding((new.comment.len() + COMMENT_ROOM) as u64, create));
        match begun {
            Ok(file) => {
                let noted = EvidenceFile {
                    starts_at: new.starts_at,
                    path,
                    is_finished: false,
                    sha256: String::new(),
                    packets: 0,
                    is_complete: false,
                };
                self.setup.index.note(new.fingerprint, noted.clone());
                self.open.insert(new.id, (file, noted));
                self.complaints.end(NOT_BEGUN, "evidence files are begun again");
            }
            Err(error) => {
                self.failed(NOT_BEGUN, &path, &error);
                self.report(WriterReport::NotBegun(new.id));
            }
        }
    }

    /// Writes the configuration that verdicts name, unless it is there.
    fn write_configuration(&self, configuration: &str) -> io::Result<()> {
        let path = self.setup.archive.join(configuration_name(configuration));
        if files::regular(&path).is_ok_and(|file| file.len() == configuration.len() as u64) {
            return Ok(());
        }
        files::write_whole(&path, configuration.as_bytes())
    }

    fn append(&mut self, chunk: &Chunk, number: u64, part: &FilePart) {
        let packets = part.positions.len() as u64;
        let Some((file, _)) = self.open.get_mut(&part.id) else { return };
        if file.is_stalled {
            return self.report(WriterReport::NotTaken { id: part.id, chunk: number, packets });
        }
        let before = file.contents();
        match self.setup.space.adding(part.bytes, || file.append(chunk, &part.positions)) {
            Ok(()) => {
                self.setup.counters.written_packets.add(file.contents().packets - before.packets);
                self.complaints.end(NOT_WRITTEN, "packets are written to evidence files again");
            }
            Err(error) => {
                file.is_stalled = true;
                let path = file.part.clone();
                self.report(WriterReport::Stalled { id: part.id, chunk: number, packets, bytes: before.bytes });
                self.failed(NOT_WRITTEN, &path, &error);
            }
        }
    }

    fn finish(&mut self, ending: &Ending) {
        // A stalled file was reported, and is finished once its packets came again.
        if self.open.get(&ending.id).is_none_or(|(file, _)| file.is_stalled) {
            return;
        }
        let Err(error) = self.try_finish(ending) else {
            self.complaints.end(NOT_FINISHED, "evidence files are finished again");
            return self.report(WriterReport::Finished(ending.id));
        };
        let Some((file, _)) = self.open.get(&ending.id) else { return };
        let (path, is_gone) = (file.path.clone(), !file.part.exists());
        self.failed(NOT_FINISHED, &path, &error);
        if is_gone {
            self.open.remove(&ending.id);
        }
        self.report(WriterReport::NotFinished { id: ending.id, is_gone });
    }

    /// Writes the verdict, then gives the file its name: a finished file has a verdict.
    fn try_finish(&mut self, ending: &Ending) -> io::Result<()> {
        let Some((file, _)) = self.open.get_mut(&ending.id) else { return Ok(()) };
        let sha256 = file.finish(&ending.comment)?;
        let (verdict, path) = (ending.verdict.clone(), file.path.with_extension("json"));
        let verdict = facts::with_facts(verdict, &file.path, &file.contents(), &file.interfaces(), &sha256);
        self.setup.space.adding(verdict.len() as u64, || files::write_whole(&path, verdict.as_bytes()))?;
        if let Some((file, _)) = self.open.get(&ending.id) {
            file.publish()?;
        }
        if let Some((file, mut noted)) = self.open.remove(&ending.id) {
            self.setup.counters.written_files.add(1);
            (noted.is_finished, noted.sha256) = (true, sha256);
            (noted.packets, noted.is_complete) = (file.contents().packets, ending.is_complete);
            self.setup.index.note(ending.fingerprint, noted);
        }
        Ok(())
    }
}

/// Opens the unfinished file that will be at `path`. Gives the bytes of its whole blocks too; none before its first packet.
///
/// # Errors
/// When it cannot be read, or is finished by now.
pub fn open_unfinished(path: &Path) -> io::Result<Option<(File, u64)>> {
    let file = open_to_read(&files::unfinished(path))?;
    let whole = pcapng::whole_blocks(&file, file.metadata()?.len())?;
    Ok((whole.packets > 0).then_some((file, whole.bytes)))
}

/// Writes the verdict that a file at `path` gets if the program is killed. The final verdict takes its place.
fn write_verdict_if_killed(new: &NewFile, path: &Path) -> io::Result<()> {
    let verdict = serde_json::to_string(&new.verdict)?;
    files::write_unfinished(&path.with_extension("json"), verdict.as_bytes())
}

/// A time as the JSON lines of alerts have it, so that both can be compared.
pub(super) fn seconds_since_1970(time: Timestamp) -> Value {
    json!(time.to_string().parse::<f64>().ok())
}

#[cfg(test)]
mod tests;
