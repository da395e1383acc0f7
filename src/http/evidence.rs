//! The evidence file of an alert, sent while it is read.
//!
//! Takes the path of a request; gives an answer. Must not know how the file was written.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::answer::{Answer, PLAIN, page, unavailable};
use super::body::Body;
use super::negotiate::Coding;
use crate::alert::{EvidenceFile, EvidenceIndex, Fingerprint};
use crate::evidence::open_unfinished;
use crate::os::files::open_to_read;

/// The media type of capture files, as Wireshark registers it with desktops.
const PCAPNG: &str = "application/x-pcapng";
/// Says which file of the alert is sent.
const STATE: HeaderName = HeaderName::from_static("x-evidence");
/// The whole file of the latest episode.
const FINISHED: &str = "finished";
/// The whole file of an earlier episode, while that of the latest one is being written.
const EARLIER: &str = "earlier";
/// The packets so far of a file that is being written.
const UNFINISHED: &str = "unfinished";
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// The fingerprint in the path `/alerts/<fingerprint>/evidence`.
pub(super) fn fingerprint(path: &str) -> Option<Fingerprint> {
    let text = path.strip_prefix("/alerts/")?.strip_suffix("/evidence")?;
    let is_one = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_one.then(|| u64::from_str_radix(text, 16).ok().map(Fingerprint)).flatten()
}

/// The reason why there is no file to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EvidenceAbsence {
    /// The alert has no file.
    None,
    /// It has no packets yet.
    Empty,
    /// It was removed.
    Removed,
}

impl EvidenceAbsence {
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::None => page(StatusCode::NOT_FOUND, PLAIN, "no evidence file for this alert\n"),
            Self::Empty => {
                let mut answer = unavailable("the evidence file has no packets yet; try again in a minute\n");
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
                answer
            }
            Self::Removed => page(StatusCode::NOT_FOUND, PLAIN, "the evidence file of this alert was removed\n"),
        }
    }
}

/// An opened file to send.
#[derive(Debug)]
pub(super) struct SentEvidence {
    file: File,
    bytes: u64,
    name: String,
    /// None of an unfinished file: it grows.
    sha256: Option<String>,
    /// Which file of the alert it is, for [`STATE`].
    state: &'static str,
}

/// The file of the alert's latest episode. While it is being written, the finished file of an earlier episode; if there is
/// none, the packets so far.
pub(super) fn open(index: &EvidenceIndex, fingerprint: Fingerprint) -> Result<SentEvidence, EvidenceAbsence> {
    let latest = index.find(fingerprint).ok_or(EvidenceAbsence::None)?;
    if latest.is_finished {
        return open_finished(latest, FINISHED);
    }
    let earlier = index.find_finished(fingerprint).map(|earlier| open_finished(earlier, EARLIER));
    if let Some(Ok(earlier)) = earlier {
        return Ok(earlier);
    }
    match open_unfinished(&latest.path) {
        Ok(Some((file, bytes))) => {
            let name = format!("{}-unfinished.pcapng", file_name(&latest.path).trim_end_matches(".pcapng"));
            Ok(SentEvidence { file, bytes, name, sha256: None, state: UNFINISHED })
        }
        Ok(None) => Err(EvidenceAbsence::Empty),
        // It may have been finished a moment ago.
        Err(_) => {
            index.find_finished(fingerprint).map_or(Err(EvidenceAbsence::Removed), |file| open_finished(file, FINISHED))
        }
    }
}

fn open_finished(evidence: EvidenceFile, state: &'static str) -> Result<SentEvidence, EvidenceAbsence> {
    let opened = open_to_read(&evidence.path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (bytes, file) = opened.map_err(|error| {
        tracing::debug!(%error, "cannot open an evidence file");
        EvidenceAbsence::Removed
    })?;
    let name = file_name(&evidence.path).to_owned();
    Ok(SentEvidence { file, bytes, name, sha256: Some(evidence.sha256), state })
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or("evidence.pcapng")
}

/// Sends a file; a client that wants only the head gets no body. `guards` are dropped when it is sent.
pub(super) fn answer(evidence: SentEvidence, is_head: bool, guards: impl Send + 'static) -> Answer {
    let SentEvidence { file, bytes, name, sha256, state } = evidence;
    let mut answer = Response::new(Body::Ended);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PCAPNG));
    headers.insert(STATE, HeaderValue::from_static(state));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    let tag = sha256.map(|sha256| (ETAG, format!("\"{sha256}\"")));
    let name = (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
    for (header, value) in tag.into_iter().chain([name]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
    if !is_head {
        let (body, chunks) = Body::rendered(None);
        *answer.body_mut() = body;
        drop(tokio::task::spawn_blocking(move || {
            // A file that is being written has more by now.
            let sent = chunks.write_all(Coding::Identity, |out| copy(&mut file.take(bytes), out));
            drop(guards);
            if let Err(error) = sent {
                tracing::debug!(%error, "the client disconnected before it read the evidence file");
            }
        }));
    }
    answer
}

/// Copies in large pieces: each is one in the queue of the body.
fn copy(file: &mut impl io::Read, out: &mut dyn Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            read => out.write_all(&piece[..read])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_sixteen_hexadecimal_digits_have_a_fingerprint() {
        assert_eq!(fingerprint("/alerts/00000000000000ff/evidence"), Some(Fingerprint(255)));
        assert_eq!(fingerprint("/alerts/e4386537134a0d22/evidence"), Some(Fingerprint(0xe438_6537_134a_0d22)));
        for path in [
            "/alerts/ff/evidence",
            "/alerts/00000000000000fg/evidence",
            "/alerts/+0000000000000ff/evidence",
            "/alerts/00000000000000ff/",
            "/alerts/00000000000000ff/evidence/..",
            "/alerts/../evidence",
            "/evidence",
        ] {
            assert_eq!(fingerprint(path), None, "{path}");
        }
    }

    fn evidence(path: &std::path::Path, is_finished: bool) -> EvidenceIndex {
        let index = EvidenceIndex::default();
        let file = EvidenceFile {
            starts_at: crate::packet::Timestamp::from_nanoseconds(0),
            path: path.to_owned(),
            is_finished,
            sha256: "ab12".to_owned(),
            packets: 1,
            is_complete: true,
        };
        index.note(Fingerprint(255), file);
        index
    }

    #[tokio::test]
    async fn finished_file_is_sent_with_its_name_length_and_hash() {
        use http_body_util::BodyExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("20261128T120000Z-host_scan-10.0.0.5-00000000000000ff.pcapng");
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let index = evidence(&path, true);
        let sent = answer(open(&index, Fingerprint(255)).ok().unwrap(), false, ());
        let header = |name| sent.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header(CONTENT_LENGTH), "200000");
        assert_eq!(header(ETAG), "\"ab12\"");
        assert_eq!(header(STATE), "finished");
        assert!(header(CONTENT_DISPOSITION).ends_with("-host_scan-10.0.0.5-00000000000000ff.pcapng\""));
        assert_eq!(sent.into_body().collect().await.unwrap().to_bytes(), bytes);
        let head = answer(open(&index, Fingerprint(255)).ok().unwrap(), true, ());
        assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
    }

    #[test]
    fn files_that_are_missing_or_removed_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pcapng");
        let status = |index: &EvidenceIndex, number| open(index, Fingerprint(number)).err().unwrap().answer().status();
        assert_eq!(status(&evidence(&path, true), 1), StatusCode::NOT_FOUND);
        assert_eq!(status(&evidence(&path, true), 255), StatusCode::NOT_FOUND, "removed");
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(status(&evidence(&path, true), 255), StatusCode::NOT_FOUND, "a link");
    }
    /// A file in `folder` with this state.
    fn file(folder: &Path, second: i64, is_finished: bool) -> EvidenceFile {
        EvidenceFile {
            starts_at: crate::packet::Timestamp::from_nanoseconds(second * 1_000_000_000),
            path: folder.join(format!("{second}.pcapng")),
            is_finished,
            sha256: String::new(),
            packets: 0,
            is_complete: false,
        }
    }

    /// A block of pcapng without contents, but for its lengths.
    fn block(bytes: u32) -> Vec<u8> {
        [&[9; 4][..], &bytes.to_le_bytes(), &vec![0; bytes as usize - 12], &bytes.to_le_bytes()].concat()
    }

    #[tokio::test]
    async fn whole_blocks_of_an_unfinished_file_are_sent_unless_an_earlier_one_is_finished() {
        use http_body_util::BodyExt as _;
        let (folder, index, alert) = (tempfile::tempdir().unwrap(), EvidenceIndex::default(), Fingerprint(255));
        let part = folder.path().join("2.pcapng.part");
        index.note(alert, file(folder.path(), 2, false));
        std::fs::write(&part, block(64)).unwrap();
        let empty = open(&index, alert).unwrap_err();
        let answered = empty.answer();
        assert_eq!((empty, answered.status()), (EvidenceAbsence::Empty, StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(answered.headers()[RETRY_AFTER], "60");
        // A section, an interface, a packet, and the beginning of another one.
        let whole = [block(64), block(40), block(100)].concat();
        std::fs::write(&part, [&whole[..], &block(100)[..50]].concat()).unwrap();
        let sent = answer(open(&index, alert).unwrap(), false, ());
        let header = |name: HeaderName| sent.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((header(STATE).unwrap().as_str(), header(ETAG)), ("unfinished", None));
        assert_eq!(header(CONTENT_LENGTH).unwrap(), whole.len().to_string());
        assert!(header(CONTENT_DISPOSITION).unwrap().ends_with("\"2-unfinished.pcapng\""));
        assert_eq!(sent.into_body().collect().await.unwrap().to_bytes(), whole);
        std::fs::write(folder.path().join("1.pcapng"), "earlier").unwrap();
        index.note_earlier(alert, file(folder.path(), 1, true));
        let sent = answer(open(&index, alert).unwrap(), false, ());
        assert_eq!(sent.headers()[STATE], "earlier");
        assert_eq!(sent.into_body().collect().await.unwrap().to_bytes(), "earlier");
    }
}
