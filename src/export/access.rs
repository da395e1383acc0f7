//! The figures of web access, where there is a web configuration file. Takes events of the server; gives samples. Must
//! not know the rules of access.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use super::family;
use super::text::TextWriter;

/// The reason why a connection or a request was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenialReason {
    /// The TLS handshake failed.
    Handshake,
    /// Plain HTTP came to a port with TLS.
    Plaintext,
    /// Without a user and password, or with wrong ones.
    Credentials,
    /// The client, or all clients together, asked for too many checks of passwords.
    Checks,
    /// The limit of requests was reached.
    Rate,
    /// A page of another site made the request.
    Forged,
}

impl DenialReason {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 6] =
        [Self::Handshake, Self::Plaintext, Self::Credentials, Self::Checks, Self::Rate, Self::Forged];

    /// The value of the label `reason`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Plaintext => "plaintext",
            Self::Credentials => "credentials",
            Self::Checks => "checks",
            Self::Rate => "rate",
            Self::Forged => "forged",
        }
    }
}

/// The figures of web access.
#[derive(Debug, Default)]
pub struct AccessFigures {
    denied: [AtomicU64; DenialReason::ALL.len()],
    is_outdated: AtomicBool,
    /// Seconds since the epoch; 0 without a certificate.
    not_after: AtomicI64,
}

impl AccessFigures {
    /// Counts a denied connection or request.
    pub fn count_denied(&self, reason: DenialReason) {
        self.denied[reason as usize].fetch_add(1, Relaxed);
    }

    /// Notes whether the latest version of the file is in use.
    pub fn set_current(&self, is_current: bool) {
        self.is_outdated.store(!is_current, Relaxed);
    }

    /// Notes the end of the certificate's validity, in seconds since the epoch; none without a certificate.
    pub fn set_not_after(&self, seconds: Option<i64>) {
        self.not_after.store(seconds.unwrap_or_default(), Relaxed);
    }
}

pub(super) fn write<W: Write>(figures: &AccessFigures, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.single(&family::WEB_CONFIG_CURRENT, u64::from(!figures.is_outdated.load(Relaxed)))?;
    if let Some(not_after) = u64::try_from(figures.not_after.load(Relaxed)).ok().filter(|seconds| *seconds > 0) {
        writer.single(&family::WEB_CERTIFICATE_NOT_AFTER, not_after)?;
    }
    writer.family(&family::WEB_DENIED)?;
    DenialReason::ALL.iter().try_for_each(|reason| {
        let denied = figures.denied[*reason as usize].load(Relaxed);
        writer.sample(family::WEB_DENIED.name).label("reason", reason.label()).value(denied)
    })
}
