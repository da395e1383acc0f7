//! Secrets: values that must not be seen, such as the URL of a chat hook.
//!
//! Takes a text or the path of a file; gives the text to what sends it. Must not print it.

use std::fmt;
use std::path::PathBuf;

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
    /// In an environment variable or in the configuration.
    Given(Secret),
    /// In a file, read before each delivery, so that it can be replaced while the program runs.
    File(PathBuf),
}
