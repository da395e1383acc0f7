//! The file of the event log: opened, repaired, written in whole lines, rotated.
//!
//! Takes lines; appends all of them or none. A symbolic link is followed, as the operator names the file. Must not know
//! events.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::array::ArrayEnd;
use super::config::{Config, EventFormat};
use super::form::csv_header;
use crate::os::files::{self, PathUse, check_access, explain_not_created};

/// Agents that ship logs may read them as the group of the file.
const OWNER_AND_GROUP: u32 = 0o640;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    format: EventFormat,
    file: File,
    kind: FileKind,
    /// The last line could not be completed, nor removed.
    is_torn: bool,
    /// The time of the first event.
    began: SystemTime,
}

#[derive(Debug)]
enum FileKind {
    /// A pipe or a device: it is only written.
    Stream,
    /// A regular file of lines.
    Lines,
    /// A regular file with a JSON array.
    Array(ArrayEnd),
}

impl LogFile {
    /// Opens the file, or creates it, and repairs its end.
    pub(super) fn open(path: &Path, format: EventFormat) -> io::Result<Self> {
        let stream = fs::metadata(path).ok().filter(|metadata| !metadata.is_file());
        let path = path.to_owned();
        match stream {
            Some(metadata) => {
                let file = open_stream(&path, format, &metadata)?;
                Ok(Self { path, format, file, kind: FileKind::Stream, is_torn: false, began: SystemTime::now() })
            }
            None => Self::open_regular(path, format),
        }
    }

    /// Checks that the file could be opened now. It is neither created, nor locked, nor repaired.
    pub(super) fn inspect(path: &Path, format: EventFormat) -> io::Result<()> {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                check_stream(format, &metadata)?;
                check_access(path, PathUse::Write)
            }
            Ok(_) => {
                let file = options(format).open(path)?;
                match format {
                    EventFormat::Json => ArrayEnd::inspect(&file).map(drop),
                    EventFormat::Csv => has_cut_header(&file).map(drop),
                    EventFormat::Console | EventFormat::JsonLines => check_first_byte(&file, format),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let access = check_access(folder.unwrap_or_else(|| Path::new(".")), PathUse::CreateIn);
                access.map_err(|error| explain_not_created(path, error))
            }
            Err(error) => Err(error),
        }
    }

    /// True if another process keeps the file locked. The lock is free again at once.
    pub(super) fn is_locked(path: &Path, format: EventFormat) -> bool {
        let file = || options(format).open(path).ok().filter(|file| file.metadata().is_ok_and(|file| file.is_file()));
        format == EventFormat::Json && file().is_some_and(|file| lock(&file).is_err())
    }

    fn open_regular(path: PathBuf, format: EventFormat) -> io::Result<Self> {
        let opened = open_or_create(&path, format);
        let mut file = opened.map_err(|error| explain_not_created(&path, error))?;
        let kind = if format == EventFormat::Json {
            lock(&file)?;
            FileKind::Array(ArrayEnd::find(&file)?)
        } else {
            match format {
                EventFormat::Csv => check_header(&file)?,
                _ => check_first_byte(&file, format)?,
            }
            end_last_line(&mut file)?;
            FileKind::Lines
        };
        let began = beginning(&file.metadata()?, format);
        Ok(Self { path, format, file, kind, is_torn: false, began })
    }

    /// Opens the file of this name again. After an error the old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let (FileKind::Array(_), false) = (&self.kind, self.has_moved()) {
            // The lock is this process's own.
            return Ok(());
        }
        *self = Self::open(&self.path, self.format)?;
        Ok(())
    }

    /// True if the name leads to another file, or to none.
    pub(super) fn has_moved(&self) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let opened = self.file.metadata().map(identity).ok();
        !matches!(self.kind, FileKind::Stream) && fs::metadata(&self.path).map(identity).ok() != opened
    }

    /// Appends whole lines: all, or none after an error.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        match &mut self.kind {
            FileKind::Array(end) => {
                if end.file_bytes() != length {
                    // Another process has emptied it.
                    *end = ArrayEnd::find(&self.file)?;
                }
                end.append(&self.file, lines)
            }
            FileKind::Stream => self.write(lines, None),
            FileKind::Lines if length == 0 && self.format == EventFormat::Csv => {
                self.write(&[csv_header().as_bytes(), lines].concat(), Some(length))
            }
            FileKind::Lines => self.write(lines, Some(length)),
        }
    }

    /// Writes in one call as far as the system can. After an error a file has its former `length` again.
    fn write(&mut self, lines: &[u8], length: Option<u64>) -> io::Result<()> {
        let lines = if self.is_torn { [b"\n", lines].concat() } else { lines.to_vec() };
        let mut written = 0;
        while written < lines.len() {
            let failure = match self.file.write(&lines[written..]) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(bytes) => {
                    written += bytes;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            self.take_back(written as u64, length);
            return Err(failure);
        }
        self.is_torn = false;
        Ok(())
    }

    /// Removes a part of a batch, unless another process has changed the file since.
    fn take_back(&mut self, written: u64, length: Option<u64>) {
        let is_ours = |length: u64| self.file.metadata().is_ok_and(|now| now.len() == length + written);
        let is_removed = length.is_some_and(|length| is_ours(length) && self.file.set_len(length).is_ok());
        self.is_torn |= written > 0 && !is_removed;
    }

    /// True if the file is to be rotated before so many bytes are added.
    pub(super) fn is_due(&self, config: &Config, bytes: usize) -> bool {
        let Ok(metadata) = self.file.metadata() else { return false };
        if matches!(self.kind, FileKind::Stream) || !has_events(&metadata, self.format) {
            return false;
        }
        let is_full = config.max_bytes.is_some_and(|most| metadata.len() + bytes as u64 > most);
        let age = SystemTime::now().duration_since(self.began).unwrap_or_default();
        is_full || config.max_age.is_some_and(|oldest| age >= oldest)
    }

    /// Renames `FILE` to `FILE.1`, that one to `FILE.2` and so on, and begins a new file. The oldest one is removed.
    pub(super) fn rotate(&mut self, kept: u32) -> io::Result<()> {
        // The names stand beside the file that a link leads to.
        let path = fs::canonicalize(&self.path)?;
        for number in (1..kept.max(1)).rev() {
            match fs::rename(numbered(&path, number), numbered(&path, number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&path, numbered(&path, 1))?;
        *self = Self::open(&self.path, self.format)?;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn has_events(metadata: &Metadata, format: EventFormat) -> bool {
    let empty = match format {
        EventFormat::Csv => csv_header().len() as u64,
        EventFormat::Json => ArrayEnd::EMPTY_BYTES,
        EventFormat::Console | EventFormat::JsonLines => 0,
    };
    metadata.len() > empty
}

/// The time from which the age of a file is counted. A file system that does not know when a file was made tells when it
/// was last changed.
fn beginning(metadata: &Metadata, format: EventFormat) -> SystemTime {
    let made = metadata.created().or_else(|_| metadata.modified()).ok();
    made.filter(|_| has_events(metadata, format)).unwrap_or_else(SystemTime::now)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// Opens the file, or creates it. A new file gets its mode whatever the umask is; that of systemd's unit hides files from
/// the group.
fn open_or_create(path: &Path, format: EventFormat) -> io::Result<File> {
    match options(format).create_new(true).mode(OWNER_AND_GROUP).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(OWNER_AND_GROUP))?;
            Ok(file)
        }
        // A symbolic link to a name that is not there yet is no new file either.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            options(format).create(true).mode(OWNER_AND_GROUP).open(path)
        }
        Err(error) => Err(error),
    }
}

/// The way in which a regular file is opened: to append, or to rewrite its end if it is a JSON array.
fn options(format: EventFormat) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    if format == EventFormat::Json {
        options.write(true).truncate(false)
    } else {
        options.append(true)
    };
    options
}

/// Opens a pipe or a device. A pipe is opened for reading too, so that opening does not wait for a reader.
fn open_stream(path: &Path, format: EventFormat, metadata: &Metadata) -> io::Result<File> {
    check_stream(format, metadata)?;
    OpenOptions::new().read(metadata.file_type().is_fifo()).write(true).open(path)
}

fn check_stream(format: EventFormat, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory; name a file"));
    }
    if format == EventFormat::Json {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the format json rewrites the end of its file, which a pipe or a device cannot; use jsonl",
        ));
    }
    Ok(())
}

/// Two writers would overwrite each other's events. Some file systems know no locks.
fn lock(file: &File) -> io::Result<()> {
    if files::lock(file) {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::ResourceBusy,
        "another process writes to it; name another file, or use the format jsonl",
    ))
}

/// Ends a last line that a crash has cut off, so that the next event begins a line of its own.
fn end_last_line(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

/// Refuses a file of another format: with events of two formats it could not be read.
fn check_first_byte(file: &File, format: EventFormat) -> io::Result<()> {
    let mut start = [0; 64];
    let read = file.read_at(&mut start, 0)?;
    let first = start[..read].trim_ascii_start().first();
    let is_refused = match format {
        EventFormat::JsonLines => first.is_some_and(|first| *first != b'{'),
        _ => matches!(first, Some(b'{' | b'[')),
    };
    if is_refused {
        return Err(io::Error::new(ErrorKind::InvalidData, "it has events of another format; name another file"));
    }
    Ok(())
}

/// Checks that a file has the columns that are written. A header that a crash has cut off is removed.
fn check_header(file: &File) -> io::Result<()> {
    if has_cut_header(file)? { file.set_len(0) } else { Ok(()) }
}

/// True if a file has only a part of the header. Refuses a file with other columns.
fn has_cut_header(file: &File) -> io::Result<bool> {
    let header = csv_header();
    let mut start = vec![0; header.len()];
    let read = file.read_at(&mut start, 0)?;
    let first = start[..read].split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    if first == header.as_bytes() || first.is_empty() {
        return Ok(false);
    }
    let cut = first.strip_suffix(b"\n").unwrap_or(first);
    if header.as_bytes().starts_with(cut) && file.metadata()?.len() == first.len() as u64 {
        return Ok(true);
    }
    Err(io::Error::new(
        ErrorKind::InvalidData,
        "its first line has other columns than this program writes; name another file",
    ))
}
