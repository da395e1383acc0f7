//! Secrets: values that must not be seen, such as the URL of a chat hook.
//!
//! Takes a text, the name of an environment variable or the path of a file; gives the text to what sends it. Must not
//! print it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::os::confinement::sandbox_hint;

/// The most bytes of a file with a secret. Longer files are something else.
const LONGEST: u64 = 16 << 10;
/// The rights of users that are neither the owner nor in the group.
const OF_OTHERS: u32 = 0o006;

/// A text that no log line, page or error shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// A secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request that needs it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In the configuration itself.
    Given(Secret),
    /// In the environment variable of this name.
    Variable(String),
    /// In a file, read before each delivery, so that it can be replaced while the program runs.
    File(PathBuf),
}

/// The reason why a secret cannot be read. No message contains a part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is missing, or may not be read by this process.
    #[error("{}: cannot read the file with the secret: {source}{}", path.display(), sandbox_hint(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason of the system.
        source: io::Error,
    },
    /// The path leads to a folder or a device.
    #[error("{}: not a file; name the file that contains the secret", .0.display())]
    NoFile(PathBuf),
    /// All users can read or replace the secret.
    #[error("{path}: other users can read or change this file with a secret; run `chmod o-rw {path}`", path = .0.display())]
    Open(PathBuf),
    /// The file contains no text of one line.
    #[error("{}: expected one line with the secret and nothing else", .0.display())]
    NoLine(PathBuf),
    /// The environment variable is missing or empty.
    #[error("{0}: the environment variable with the secret is not set; set it, or name a file with the secret")]
    NotSet(String),
    /// The environment variable contains a line break.
    #[error("{0}: expected one line with the secret in this environment variable")]
    VariableNoLine(String),
}

impl SecretSource {
    /// The secret as it is now, without blanks around it.
    ///
    /// # Errors
    /// It is missing, not one line of text, or in a file that other users can read or change.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::Variable(name) => read_variable(name),
            Self::File(path) => read_file(path),
        }
    }
}

fn read_variable(name: &str) -> Result<Secret, SecretError> {
    match std::env::var(name) {
        Ok(text) if !text.trim().is_empty() => {
            one_line(&text).ok_or_else(|| SecretError::VariableNoLine(name.to_owned()))
        }
        _ => Err(SecretError::NotSet(name.to_owned())),
    }
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let metadata = path.metadata().map_err(unreadable)?;
    // Before it is opened: a named pipe would block.
    if !metadata.is_file() {
        return Err(SecretError::NoFile(path.to_owned()));
    }
    if metadata.permissions().mode() & OF_OTHERS != 0 {
        return Err(SecretError::Open(path.to_owned()));
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
    let text = String::from_utf8(text).ok().filter(|text| text.len() as u64 <= LONGEST);
    text.as_deref().and_then(one_line).ok_or_else(|| SecretError::NoLine(path.to_owned()))
}

/// The secret in a text, if that is one line without control characters.
fn one_line(text: &str) -> Option<Secret> {
    let line = text.trim();
    (!line.is_empty() && !line.contains(char::is_control)).then(|| Secret::new(line))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(folder: &Path, text: &[u8], mode: u32) -> SecretSource {
        let path = folder.join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        SecretSource::File(path)
    }

    #[test]
    fn secret_is_printed_as_an_ellipsis() {
        let source = SecretSource::Given(Secret::new("canary"));
        assert_eq!(format!("{source:?} {:?}", Secret::new("canary")), "Given(…) …");
    }

    #[test]
    fn file_of_the_owner_or_group_is_read_without_its_line_break() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o400, 0o600, 0o640, 0o440] {
            let read = write(folder.path(), b" https://hooks.example/x\r\n", mode).read().unwrap();
            assert_eq!(read.expose(), "https://hooks.example/x");
        }
    }

    #[test]
    fn file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let source = write(folder.path(), b"one", 0o600);
        assert_eq!(source.read().unwrap().expose(), "one");
        write(folder.path(), b"two", 0o600);
        assert_eq!(source.read().unwrap().expose(), "two");
    }

    #[test]
    fn file_that_others_can_read_or_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o604, 0o602, 0o644, 0o666] {
            let error = write(folder.path(), b"canary", mode).read().unwrap_err();
            assert!(matches!(error, SecretError::Open(_)), "{mode:o}: {error}");
            assert!(error.to_string().contains("run `chmod o-rw ") && !error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn file_without_one_line_of_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for text in [&b""[..], b" \n", b"canary\ncanary", b"canary\0", b"\xffcanary", &[b'a'; 20_000]] {
            let error = write(folder.path(), text, 0o600).read().unwrap_err();
            assert!(matches!(error, SecretError::NoLine(_)), "{text:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn missing_file_and_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = SecretSource::File(folder.path().join("none")).read().unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{missing}");
        let of_folder = SecretSource::File(folder.path().to_owned()).read().unwrap_err();
        assert!(matches!(of_folder, SecretError::NoFile(_)), "{of_folder}");
    }

    #[test]
    fn variable_that_is_not_set_is_refused_with_its_name() {
        let error = SecretSource::Variable("NO_SUCH_VARIABLE_OF_A_SECRET".to_owned()).read().unwrap_err();
        assert!(error.to_string().starts_with("NO_SUCH_VARIABLE_OF_A_SECRET: the environment variable"), "{error}");
        let path = SecretSource::Variable("PATH".to_owned()).read().unwrap();
        assert_eq!(path.expose(), std::env::var("PATH").unwrap().trim());
    }
}
