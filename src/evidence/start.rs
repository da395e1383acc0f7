//! Starts and ends the threads of this room.
//!
//! Takes the settings; gives the sender for packets and alerts, and the figures. Must not know the work of the threads.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cases::Cases;
use super::collector::PacketCollector;
use super::detection::RunningDetection;
use super::earlier;
use super::figures::{EvidenceCounters, FiguresReader};
use super::packet_log::{LogQueue, LogSetup, PacketLog};
use super::writer::quota::ByteLimit;
use super::writer::{ArchiveSpace, JobQueue, RunningQuota, Writer, WriterSetup, files};
use super::{Config, DEFAULT_RING_BYTES, EvidenceSender, Message, Waiting};
use crate::alert::{Change, EvidenceIndex};
use crate::capture::printable;
use crate::os::threads::{self, Needs};

/// Time between two looks at threads that are to end.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Facts about this program that the files name, and the index that finds the files.
#[derive(Debug, Clone)]
pub struct EvidenceSetup {
    /// The name of this host.
    pub host: String,
    /// The version of the program.
    pub version: String,
    /// The facts about detection, which a reload may change.
    pub detection: RunningDetection,
    /// The most bytes that are captured and kept of a packet.
    pub kept_bytes: u32,
    /// The index in which files are noted.
    pub index: EvidenceIndex,
    /// Describes an alert as a JSON object, with the words that events use.
    pub describe_alert: fn(&Change) -> String,
}

/// A reason why evidence cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory cannot be used.
    #[error("{setting} {}: {source}; give a directory that this process can write to", .path.display())]
    Directory {
        /// The setting that names it.
        setting: &'static str,
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Packets are to be logged nowhere.
    #[error("log_packets has no directory; give one with -l")]
    NoLogDirectory,
    /// Logged packets of anomalous traffic have no place.
    #[error("log_packets has no archive; give one with -archive_dir")]
    NoArchive,
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// The running threads.
#[derive(Debug)]
pub struct Evidence {
    sender: EvidenceSender,
    messages: Sender<Message>,
    figures: FiguresReader,
    quota: RunningQuota,
    threads: Vec<JoinHandle<()>>,
}

impl Evidence {
    /// Starts the threads. Directories are made if they are missing. The threads finish the files that an earlier run left.
    ///
    /// # Errors
    /// When a directory cannot be written to, or a thread cannot be started.
    pub fn start(config: Config, setup: EvidenceSetup) -> Result<Self, Error> {
        let (messages, receiver) = channel();
        let queue_bytes = config.queue_bytes;
        let counters = Arc::<EvidenceCounters>::default();
        let mut threads = Vec::new();
        let archive = config.archive_dir.as_deref().map(|path| usable("archive_dir", path)).transpose()?;
        let limit = ByteLimit::new(config.quota_bytes);
        let space = |archive: &PathBuf| {
            Arc::new(ArchiveSpace::new(archive, limit.clone(), Arc::clone(&counters), setup.index.clone()))
        };
        let space = archive.as_ref().map(space);
        let log = start_log(&config, &limit, archive.as_deref().zip(space.as_ref()), &counters, &mut threads)?;
        let quota = RunningQuota::new(limit, space.clone());
        let ring_bytes = config.ring_bytes.unwrap_or(DEFAULT_RING_BYTES);
        let cases = match archive.zip(space) {
            Some((archive, space)) => {
                setup.index.expect_files();
                let writer = WriterSetup {
                    archive,
                    application: format!("trafficmonitor {}", setup.version),
                    index: setup.index.clone(),
                    counters: Arc::clone(&counters),
                    space,
                };
                let writer = start_writer(writer, messages.clone(), &mut threads)?;
                Some(Cases::new(&config, setup, Arc::clone(&counters), writer))
            }
            None => None,
        };
        let waiting = Arc::<Waiting>::default();
        let figures = FiguresReader { counters: Arc::clone(&counters), waiting: Arc::clone(&waiting) };
        let collector = PacketCollector::new(ring_bytes, counters, Arc::clone(&waiting), cases, log);
        threads.push(spawn("evidence", move || collector.run(&receiver))?);
        let sender = EvidenceSender::new(messages.clone(), waiting).bounded(queue_bytes);
        Ok(Self { sender, messages, figures, quota, threads })
    }

    /// The sending end for packets and alerts.
    pub fn sender(&self) -> EvidenceSender {
        self.sender.clone()
    }

    /// The quota, to be replaced.
    pub fn quota(&self) -> RunningQuota {
        self.quota.clone()
    }

    /// The figures.
    pub fn figures(&self) -> FiguresReader {
        self.figures.clone()
    }

    /// Finishes the open files and ends the threads. True if all is done by `deadline`; else open files keep their
    /// temporary names, and a warning has their number.
    pub fn finish(self, deadline: Instant) -> bool {
        let counters = Arc::clone(&self.figures.counters);
        let is_done = self.end(deadline);
        let files = counters.unfinished_files();
        if files > 0 {
            tracing::warn!("{files} files of packets are not finished; the next start finishes them");
        }
        is_done && files == 0
    }

    /// Ends the threads. True if they have ended by `deadline`.
    fn end(self, deadline: Instant) -> bool {
        if self.messages.send(Message::End { deadline }).is_err() {
            tracing::debug!("the evidence thread had ended before");
        }
        while !self.threads.iter().all(JoinHandle::is_finished) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        self.threads.into_iter().all(|thread| thread.join().is_ok())
    }
}

/// The directory, without symbolic links in its path, after a test file could be written to it. A full disk is no reason
/// not to start: it may have space later.
fn usable(setting: &'static str, path: &Path) -> Result<PathBuf, Error> {
    let refused = |source| Error::Directory { setting, path: path.to_owned(), source };
    files::make_directory(path).map_err(refused)?;
    let directory = path.canonicalize().map_err(refused)?;
    match write_test_file(&directory) {
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            let path = printable(&path.display().to_string());
            tracing::warn!("{setting} {path}: {error}; files are written once there is space");
        }
        written => written.map_err(refused)?,
    }
    Ok(directory)
}

fn write_test_file(directory: &Path) -> io::Result<()> {
    /// A file of no bytes may need no space.
    const CONTENT: [u8; 4_096] = [0; 4_096];
    let path = directory.join(format!(".trafficmonitor-{}", std::process::id()));
    let mut file = files::create(&path)?;
    let written = file.write_all(&CONTENT).and_then(|()| file.sync_data());
    std::fs::remove_file(path)?;
    written
}

fn start_writer(
    setup: WriterSetup,
    reports: Sender<Message>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<JobQueue, Error> {
    let (queue, jobs) = JobQueue::new();
    let of_writer = queue.clone();
    threads.push(spawn("evidence-writer", move || {
        earlier::note_all(&setup.archive, &setup.index);
        Writer::new(setup, reports).run(&jobs, &of_writer);
    })?);
    Ok(queue)
}

fn start_log(
    config: &Config,
    limit: &ByteLimit,
    archive: Option<(&Path, &Arc<ArchiveSpace>)>,
    counters: &Arc<EvidenceCounters>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<Option<LogQueue>, Error> {
    let log = &config.packet_log;
    if !log.is_on {
        return Ok(None);
    }
    let directory = usable("l", log.dir.as_deref().ok_or(Error::NoLogDirectory)?)?;
    let (archive, archive_space) = archive.ok_or(Error::NoArchive)?;
    let setup = LogSetup {
        directory,
        archive: archive.to_owned(),
        archive_space: Arc::clone(archive_space),
        limit: limit.clone(),
        max_file_bytes: log.max_file_bytes,
        max_rotations: log.max_rotations,
    };
    let (queue, messages) = LogQueue::new();
    let counters = Arc::clone(counters);
    threads.push(spawn("packet-log", move || PacketLog::new(setup, counters).run(&messages))?);
    Ok(Some(queue))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    threads::spawn(name, Needs::Nothing, work).map_err(Error::Thread)
}
