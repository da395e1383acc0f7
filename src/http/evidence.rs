//! The evidence file of an alert, sent while it is read. Takes the path of a request; gives an answer. Must not know how the
//! file was written.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write};

use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::{Answer, PLAIN, page, unavailable};
use super::body::Body;
use super::negotiate::Coding;
use crate::alert::{EvidenceFile, EvidenceIndex, Fingerprint};
use crate::os::files::open_to_read;

/// The media type of capture files, as Wireshark registers it with desktops.
const PCAPNG: &str = "application/x-pcapng";
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
    /// Packets are still added.
    Unfinished,
    /// It was removed.
    Removed,
}

impl EvidenceAbsence {
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::None => page(StatusCode::NOT_FOUND, PLAIN, "no evidence file for this alert\n"),
            Self::Unfinished => unavailable("the evidence file is still being written\n"),
            Self::Removed => page(StatusCode::NOT_FOUND, PLAIN, "the evidence file of this alert was removed\n"),
        }
    }
}

/// The finished file of an alert, opened.
pub(super) fn open(index: &EvidenceIndex, fingerprint: Fingerprint) -> Result<(EvidenceFile, File), EvidenceAbsence> {
    let file = index.find(fingerprint).ok_or(EvidenceAbsence::None)?;
    if !file.is_finished {
        return Err(EvidenceAbsence::Unfinished);
    }
    match open_to_read(&file.path) {
        Ok(opened) => Ok((file, opened)),
        Err(error) => {
            tracing::debug!(%error, "cannot open an evidence file");
            Err(EvidenceAbsence::Removed)
        }
    }
}

/// Sends a file; a client that wants only the head gets no body. `guards` are dropped when it is sent.
pub(super) fn answer((evidence, mut file): (EvidenceFile, File), is_head: bool, guards: impl Send + 'static) -> Answer {
    let length = file.metadata().map(|metadata| metadata.len());
    let mut answer = Response::new(Body::Ended);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PCAPNG));
    let name = evidence.path.file_name().and_then(OsStr::to_str).unwrap_or("evidence.pcapng");
    for (header, value) in [
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (ETAG, format!("\"{}\"", evidence.sha256)),
        (CONTENT_LENGTH, length.map(|length| length.to_string()).unwrap_or_default()),
    ] {
        if let Some(value) = HeaderValue::from_str(&value).ok().filter(|value| !value.is_empty()) {
            headers.insert(header, value);
        }
    }
    if !is_head {
        let (body, chunks) = Body::rendered(None);
        *answer.body_mut() = body;
        drop(tokio::task::spawn_blocking(move || {
            let sent = chunks.write_all(Coding::Identity, |out| copy(&mut file, out));
            drop(guards);
            if let Err(error) = sent {
                tracing::debug!(%error, "the client disconnected before it read the evidence file");
            }
        }));
    }
    answer
}

/// Copies in large pieces: each is one in the queue of the body.
fn copy(file: &mut File, out: &mut dyn Write) -> io::Result<()> {
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
        assert!(header(CONTENT_DISPOSITION).ends_with("-host_scan-10.0.0.5-00000000000000ff.pcapng\""));
        assert_eq!(sent.into_body().collect().await.unwrap().to_bytes(), bytes);
        let head = answer(open(&index, Fingerprint(255)).ok().unwrap(), true, ());
        assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
    }

    #[test]
    fn files_that_are_missing_unfinished_or_removed_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pcapng");
        let status = |index: &EvidenceIndex, number| open(index, Fingerprint(number)).err().unwrap().answer().status();
        assert_eq!(status(&evidence(&path, true), 1), StatusCode::NOT_FOUND);
        assert_eq!(status(&evidence(&path, false), 255), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(&evidence(&path, true), 255), StatusCode::NOT_FOUND, "removed");
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(status(&evidence(&path, true), 255), StatusCode::NOT_FOUND, "a link");
    }
}
