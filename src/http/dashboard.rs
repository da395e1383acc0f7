//! The dashboard: its page, and the script, the style and the icon that the page loads. Takes paths; gives files that
//! are part of the program. Must not know the API.
//!
//! The paths of the loaded files hold a hash of their contents, so that browsers may keep them for ever. The page names
//! these paths and is asked for again each time.

use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, HTML, PLAIN, SVG, page};
use super::conditional::{add_headers, is_known, not_modified};
use super::negotiate::{self, Coding};

/// The path of the page.
pub(super) const PATH: &str = "/dashboard";

/// Browsers ask again each time.
const ASK_AGAIN: &str = "no-cache";
/// Browsers keep a file for a year and never ask again.
const KEEP: &str = "public, max-age=31536000, immutable";

/// Bytes of the hash in a path.
const HASH_BYTES: usize = 8;

const INDEX: &str = include_str!("../../web/dist/index.html");

/// A file that the page loads: its name and its ending, its media type and its contents, compressed by the build.
type LoadedFile = (&'static str, &'static str, &'static str, &'static [u8]);

macro_rules! compressed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz"))
    };
}

const LOADED: [LoadedFile; 3] = [
    ("app", "js", "text/javascript; charset=utf-8", compressed!("app.js")),
    ("app", "css", "text/css; charset=utf-8", compressed!("app.css")),
    ("icon", "svg", SVG, compressed!("icon.svg")),
];

/// All files, by path. Made at the first request.
static FILES: LazyLock<Vec<DashboardFile>> = LazyLock::new(files);

/// A file as it is served.
#[derive(Debug)]
struct DashboardFile {
    path: String,
    content_type: &'static str,
    caching: &'static str,
    tag: String,
    plain: Bytes,
    compressed: Bytes,
}

fn files() -> Vec<DashboardFile> {
    let mut index = INDEX.to_owned();
    let mut files = Vec::new();
    for (name, ending, content_type, compressed) in LOADED {
        let plain = Bytes::from(decompressed(compressed));
        let plain_path = format!("{PATH}/{name}.{ending}");
        let hashed_path = format!("{PATH}/{name}.{}.{ending}", hash(&plain));
        // Without the slash in front: the page may name its files relative to its own path.
        index = index.replace(&plain_path[1..], &hashed_path[1..]);
        let contents = || (plain.clone(), Bytes::from_static(compressed));
        let file = |path, caching| DashboardFile::new(path, content_type, caching, contents());
        files.extend([file(hashed_path, KEEP), file(plain_path, ASK_AGAIN)]);
    }
    let contents = (Bytes::copy_from_slice(index.as_bytes()), compressed(index.as_bytes()).into());
    files.push(DashboardFile::new(PATH.to_owned(), HTML, ASK_AGAIN, contents));
    files
}

impl DashboardFile {
    fn new(
        path: String,
        content_type: &'static str,
        caching: &'static str,
        (plain, compressed): (Bytes, Bytes),
    ) -> Self {
        Self { path, content_type, caching, tag: format!("\"{}\"", hash(&plain)), plain, compressed }
    }

    fn answer(&self, headers: &HeaderMap) -> Answer {
        if is_known(headers, &self.tag) {
            return not_modified(&self.tag, self.caching);
        }
        let (coding, body) = match negotiate::coding(headers) {
            Coding::Identity => (None, &self.plain),
            Coding::Gzip => (Some("gzip"), &self.compressed),
        };
        let mut answer = page(StatusCode::OK, self.content_type, body.clone());
        add_headers(&mut answer, &self.tag, self.caching);
        if let Some(coding) = coding {
            answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        answer
    }
}

/// The first bytes of the SHA-256 as hexadecimal digits.
fn hash(contents: &[u8]) -> String {
    Sha256::digest(contents).iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn compressed(contents: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory never fails.
    let written = encoder.write_all(contents).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// The contents that the build compressed.
fn decompressed(compressed: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    // Reading from memory what the build wrote never fails.
    _ = GzDecoder::new(compressed).read_to_end(&mut contents);
    contents
}

/// True if `path` is the page or lies below it.
pub(super) fn is_below(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The file at `path`; none if there is no such file. The first call takes some milliseconds.
pub(super) fn answer(path: &str, headers: &HeaderMap) -> Option<Answer> {
    if path.strip_prefix(PATH) == Some("/") {
        // The page's own paths are relative to the path without a slash. So is this one, for a proxy that adds a prefix.
        let mut answer = page(StatusCode::FOUND, PLAIN, "the dashboard is at /dashboard\n");
        answer.headers_mut().insert(LOCATION, HeaderValue::from_static("../dashboard"));
        return Some(answer);
    }
    Some(FILES.iter().find(|file| file.path == path)?.answer(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_names_files_by_their_hashes_and_they_may_be_kept() {
        let index = &FILES.iter().find(|file| file.path == PATH).unwrap().plain;
        let index = std::str::from_utf8(index).unwrap();
        let hashed = FILES.iter().filter(|file| file.caching == KEEP);
        for file in hashed {
            let plain = format!("{PATH}/{}", file.path.rsplit('/').next().unwrap().split('.').next().unwrap());
            assert!(file.path.starts_with(&plain) && file.path.split('.').nth(1).unwrap().len() == 16, "{}", file.path);
            assert!(index.contains(&format!("{}\"", &file.path[1..])), "{} is not in the page", file.path);
        }
    }

    #[test]
    fn compressed_files_hold_the_same() {
        for file in FILES.iter() {
            assert!(!file.plain.is_empty(), "{}", file.path);
            assert_eq!(decompressed(&file.compressed), file.plain, "{}", file.path);
        }
    }

    #[test]
    fn only_paths_below_the_page_belong_to_it() {
        for (path, is) in
            [("/dashboard", true), ("/dashboard/", true), ("/dashboard/x.js", true), ("/dashboards", false)]
        {
            assert_eq!(is_below(path), is, "{path}");
        }
        assert!(answer("/dashboard/app.0000000000000000.js", &HeaderMap::new()).is_none());
    }
}
