//! The parts of the sandbox that are in force. Takes them from the start of the program; gives samples. Must not know how
//! rights are given up.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::family;
use super::text::TextWriter;

/// A part of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxPart {
    /// Threads have only the capabilities that their work needs.
    Capabilities,
    /// The process gains no privileges by executing a program.
    NoNewPrivileges,
    /// Only the system calls that the program makes are allowed.
    SystemCalls,
    /// Only the files that the program uses can be opened.
    Files,
}

impl SandboxPart {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Capabilities, Self::NoNewPrivileges, Self::SystemCalls, Self::Files];

    /// The value of the label `part`: the kernel's name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no_new_privs",
            Self::SystemCalls => "seccomp",
            Self::Files => "landlock",
        }
    }
}

/// The state of each part.
#[derive(Debug, Default)]
pub struct SandboxFigures([AtomicBool; SandboxPart::ALL.len()]);

impl SandboxFigures {
    /// Notes whether a part is in force.
    pub fn set(&self, part: SandboxPart, is_in_force: bool) {
        self.0[part as usize].store(is_in_force, Relaxed);
    }

    /// True if the part is in force.
    pub fn is_in_force(&self, part: SandboxPart) -> bool {
        self.0[part as usize].load(Relaxed)
    }
}

pub(super) fn write<W: Write>(figures: &SandboxFigures, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::SANDBOX)?;
    SandboxPart::ALL.iter().try_for_each(|part| {
        let value = u64::from(figures.is_in_force(*part));
        writer.sample(family::SANDBOX.name).label("part", part.label()).value(value)
    })
}
