//! The sandbox: the exporter gives up the rights that it does not need. Takes the configuration; gives up rights in a
//! fixed order, and says what stays. Must not know what other rooms do with their rights.
//!
//! 1. [`Sandbox::prepare`], before the first thread: no new privileges, and a smaller bounding set. A trial on a thread
//!    that ends shows what the kernel refuses. From then on each thread confines itself when it begins.
//! 2. [`Sandbox::filter_calls`], before the first packet: the filter of system calls, for all threads.
//! 3. [`Sandbox::close`], once all is open: the main thread confines itself. The states of all threads are read from the
//!    kernel, the metric shows them, and a line of the log says them.

mod paths;
mod rights;
mod trial;

use std::io;
use std::sync::Arc;

use crate::config::{Config, SandboxMode};
use crate::export::sandbox::{SandboxFigures, SandboxPart};
use crate::kernel::Daq;
use crate::os::calls::{CallFilter, CallFilterError, CapturingCalls};
use crate::os::confinement::{
    self, CapabilitySet, Confinement, FileRules, FileRulesError, LandlockVersion, ThreadState, bound_capabilities,
    capability_names, confine_or_note, gain_no_privileges, held_capabilities, thread_states,
};
use crate::os::threads::Needs;
use paths::NamedFiles;
use trial::Trial;

/// The reasons why the program does not start with `--sandbox=strict`.
#[derive(Debug, thiserror::Error)]
#[error("--sandbox=strict: {0}; fix this, or start with --sandbox=auto, which goes without")]
pub(super) struct StrictRefusal(String);

/// The sandbox, until it is closed.
pub(super) struct Sandbox {
    mode: SandboxMode,
    /// The parts that are not applied, or not wholly, each with the reason.
    gaps: Vec<Gap>,
    calls: Option<CallFilter>,
    landlock: Option<LandlockVersion>,
    figures: Arc<SandboxFigures>,
}

/// The parts that the trial allows.
struct UsableParts {
    files: Option<FileRules>,
    /// Capabilities that stay on every thread, because files need them.
    extra: CapabilitySet,
    /// True if capabilities can be given up.
    can_drop: bool,
}

/// A part that is not applied, or not wholly.
struct Gap {
    part: SandboxPart,
    reason: String,
}

impl Sandbox {
    /// Prepares the sandbox before the first thread starts, and lets threads confine themselves from now on.
    ///
    /// # Errors
    /// [`StrictRefusal`] in the mode `strict`, when a part cannot be applied.
    pub(super) fn prepare(config: &Config) -> anyhow::Result<Self> {
        let mut sandbox = Self::open(config.sandbox);
        if sandbox.mode == SandboxMode::Off {
            return Ok(sandbox);
        }
        let usable = sandbox.try_all(config)?;
        sandbox.refuse_gaps()?;
        install(config, usable)?;
        Ok(sandbox)
    }

    /// The parts that a run cannot apply, or not wholly, each with the reason. Sets `no_new_privs` on this thread, and
    /// gives up nothing else.
    ///
    /// # Errors
    /// When there is no thread for the trial.
    pub(super) fn gaps(config: &Config) -> anyhow::Result<Vec<String>> {
        let mut sandbox = Self::open(config.sandbox);
        sandbox.try_all(config)?;
        Ok(sandbox.gaps.iter().map(Gap::words).collect())
    }

    fn open(mode: SandboxMode) -> Self {
        Self { mode, gaps: Vec::new(), calls: None, landlock: None, figures: Arc::default() }
    }

    /// Tries all parts for a configuration, and notes those that are refused.
    fn try_all(&mut self, config: &Config) -> io::Result<UsableParts> {
        let refused = gain_no_privileges().err();
        self.note(SandboxPart::NoNewPrivileges, refused.map(|error| error.to_string()));
        let named = NamedFiles::of(config);
        let files = FileRules::new(&named.readable(), &named.writable());
        let calls = CallFilter::new(capturing_calls(config));
        let usable = self.try_out(&named, files, calls)?;
        if let Some(setting) = rights::setting_that_looks_at_processes(config).filter(|_| usable.files.is_some()) {
            let reason = format!("a thread that looks at other processes cannot have it, as {setting} needs");
            self.note(SandboxPart::Files, Some(reason));
        }
        Ok(usable)
    }

    /// Tries the parts, and notes those that are refused.
    fn try_out(
        &mut self,
        named: &NamedFiles,
        files: Result<FileRules, FileRulesError>,
        calls: Result<CallFilter, CallFilterError>,
    ) -> io::Result<UsableParts> {
        let (files, no_files) = apart(files);
        let (calls, no_calls) = apart(calls);
        let of_files = files.as_ref().ok_or(no_files.unwrap_or(FileRulesError::NotBuilt));
        let of_calls = calls.as_ref().ok_or(no_calls.unwrap_or(CallFilterError::Processor));
        let Trial { capabilities, calls: filtered, files: ruled, out_of_reach } =
            trial::try_out(named, of_files, of_calls)?;
        let can_drop = capabilities.is_ok();
        self.note(SandboxPart::Capabilities, capabilities.err().map(|error| error.to_string()));
        self.calls = calls.filter(|_| filtered.is_ok());
        self.note(SandboxPart::SystemCalls, filtered.err().map(|error| error.to_string()));
        let files = files.filter(|_| ruled.is_ok());
        self.landlock = ruled.as_ref().ok().copied();
        self.note(SandboxPart::Files, ruled.err().map(|error| error.to_string()));
        for (path, capability) in &out_of_reach {
            let reason = format!(
                "{} stays, because without it this user may not use {}; change its owner or its rights",
                capability_names(*capability),
                path.display()
            );
            self.note(SandboxPart::Capabilities, Some(reason));
        }
        let extra = out_of_reach.iter().fold(CapabilitySet::empty(), |all, (_, capability)| all | *capability);
        Ok(UsableParts { files, extra, can_drop })
    }

    fn note(&mut self, part: SandboxPart, reason: Option<String>) {
        self.gaps.extend(reason.map(|reason| Gap { part, reason }));
    }

    fn refuse_gaps(&self) -> Result<(), StrictRefusal> {
        if self.mode != SandboxMode::Strict || self.gaps.is_empty() {
            return Ok(());
        }
        let words: Vec<_> = self.gaps.iter().map(Gap::words).collect();
        Err(StrictRefusal(words.join("; ")))
    }

    /// The metric.
    pub(super) fn figures(&self) -> Arc<SandboxFigures> {
        Arc::clone(&self.figures)
    }

    /// Logs the parts that are not applied, and why.
    pub(super) fn log_gaps(&self) {
        self.gaps.iter().for_each(|gap| tracing::warn!("sandbox: {}", gap.words()));
    }

    /// Filters the system calls of all threads, before the first packet is read.
    ///
    /// # Errors
    /// When the kernel refuses now what it allowed in the trial.
    pub(super) fn filter_calls(&self) -> Result<(), CallFilterError> {
        self.calls.as_ref().map_or(Ok(()), CallFilter::apply_to_all)
    }

    /// Confines the main thread once all is open, and compares all threads with what they should have.
    ///
    /// # Errors
    /// [`StrictRefusal`] in the mode `strict`, when a thread has more rights.
    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        if self.mode == SandboxMode::Off {
            tracing::info!("the sandbox is off: the program keeps all its rights (--sandbox)");
            return Ok(());
        }
        confine_or_note(Needs::Nothing);
        let kept = confinement::installed().map_or(CapabilitySet::all(), Confinement::kept_by_any);
        for (part, is_in_force) in self.in_force(&thread_states()?, kept) {
            let is_known = self.has_gap(part);
            if !is_in_force && !is_known {
                let gap = Gap { part, reason: "a thread is without it; this is a bug in trafficmonitor".to_owned() };
                tracing::error!("sandbox: {}", gap.words());
                self.gaps.push(gap);
            }
            self.figures.set(part, is_in_force && !is_known);
        }
        self.refuse_gaps()?;
        self.log(kept);
        Ok(())
    }

    /// The parts, and whether all threads have them. `/proc` does not show Landlock: it is in force if no thread failed to
    /// apply it.
    fn in_force(&self, threads: &[ThreadState], kept: CapabilitySet) -> [(SandboxPart, bool); SandboxPart::ALL.len()] {
        let is_whole = confinement::is_whole();
        let has_no_more = threads.iter().all(|thread| thread.permitted & !kept.bits() == 0);
        let gain_none = threads.iter().all(|thread| thread.gains_no_privileges);
        let are_filtered = threads.iter().all(|thread| thread.is_filtered);
        [
            (SandboxPart::Capabilities, is_whole && has_no_more),
            (SandboxPart::NoNewPrivileges, gain_none),
            (SandboxPart::SystemCalls, self.calls.is_some() && are_filtered),
            (SandboxPart::Files, is_whole && self.landlock.is_some()),
        ]
    }

    fn has_gap(&self, part: SandboxPart) -> bool {
        self.gaps.iter().any(|gap| gap.part == part)
    }

    fn log(&self, kept: CapabilitySet) {
        let word = |part| match (self.figures.is_in_force(part), self.has_gap(part)) {
            (true, _) => "on",
            (false, true) => "with gaps",
            (false, false) => "off",
        };
        tracing::info!(
            capabilities = capability_names(kept),
            no_new_privs = word(SandboxPart::NoNewPrivileges),
            seccomp = word(SandboxPart::SystemCalls),
            landlock = word(SandboxPart::Files),
            landlock_version = self.landlock.map(|LandlockVersion(version)| version),
            "the sandbox is in force"
        );
    }
}

impl Gap {
    fn words(&self) -> String {
        let part = match self.part {
            SandboxPart::Capabilities => "capabilities are not all given up",
            SandboxPart::NoNewPrivileges => "no_new_privs is not set",
            SandboxPart::SystemCalls => "system calls are not filtered (seccomp)",
            SandboxPart::Files => "files stay in reach (Landlock)",
        };
        format!("{part}: {}", self.reason)
    }
}

/// Lets threads confine themselves.
fn install(config: &Config, UsableParts { files, extra, can_drop }: UsableParts) -> io::Result<()> {
    let held = held_capabilities();
    let kept = can_drop.then(|| rights::kept(config, held).map(|kept| kept | (held & extra)));
    let confinement = Confinement { kept, files };
    bound_capabilities(confinement.kept_by_any())?;
    confinement::install(confinement);
    Ok(())
}

/// A result as its value or its error.
fn apart<T, E>(result: Result<T, E>) -> (Option<T>, Option<E>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    }
}

fn capturing_calls(config: &Config) -> CapturingCalls {
    let is_live = config.source.is_none();
    let is_libpcap = config.kernel.daq == Daq::Libpcap;
    CapturingCalls { packet_sockets: is_live && is_libpcap, kernel_programs: is_live && !is_libpcap }
}
