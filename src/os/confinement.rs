//! The confinement of threads: each gives up the capabilities that its work does not need (capabilities(7)), and the files
//! that the program does not use (landlock(7)). Takes the rights that stay; confines threads. Must not know which settings
//! need which right.
//!
//! Both belong to a thread, and a new thread inherits them. So each thread confines itself when it begins
//! ([`super::threads::spawn`]), and the main thread does so last.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, path_beneath_rules,
};
pub use rustix::thread::CapabilitySet;
use rustix::thread::{self, CapabilitySets};

/// The newest Landlock whose rights are used; an older kernel applies those that it has.
const NEWEST: ABI = ABI::V5;

/// The rights that the work of a thread needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None.
    Nothing,
    /// To open packet sockets (packet(7)).
    PacketSockets,
    /// To attach programs to interfaces and to read their maps (bpf(2)).
    KernelPrograms,
    /// To see the open files of other users' processes (proc_pid_fd(5)).
    OtherProcesses,
}

impl Needs {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::PacketSockets, Self::KernelPrograms, Self::OtherProcesses];
}

/// The rights of all threads.
#[derive(Debug)]
pub struct Confinement {
    /// The capabilities that stay, by [`Needs`]; none where the kernel does not let any be given up.
    pub kept: Option<[CapabilitySet; Needs::ALL.len()]>,
    /// The files that stay in reach; none without Landlock.
    pub files: Option<FileRules>,
}

impl Confinement {
    /// The capabilities that stay on any thread.
    pub fn kept_by_any(&self) -> CapabilitySet {
        let union = |kept: &[CapabilitySet]| kept.iter().fold(CapabilitySet::empty(), |all, kept| all | *kept);
        self.kept.map_or(CapabilitySet::all(), |kept| union(&kept))
    }
}

static CONFINEMENT: OnceLock<Confinement> = OnceLock::new();
/// True once a thread could not be confined.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Lets threads that begin from now on confine themselves. Does nothing the second time.
pub fn install(confinement: Confinement) {
    CONFINEMENT.get_or_init(|| confinement);
}

/// The confinement that is installed.
pub fn installed() -> Option<&'static Confinement> {
    CONFINEMENT.get()
}

/// A hint for an error that the file rules may have caused; empty for other errors.
///
/// A rule is for a directory itself, not for its name (landlock(7)).
pub fn sandbox_hint(error: &io::Error) -> &'static str {
    let has_rules = installed().is_some_and(|confinement| confinement.files.is_some());
    if has_rules && error.kind() == io::ErrorKind::PermissionDenied {
        "; the sandbox has only directories in reach that were named and there at the start: restart the program for another one"
    } else {
        ""
    }
}

/// False if a thread could not be confined.
pub fn is_whole() -> bool {
    !HAS_FAILED.load(Ordering::Acquire)
}

thread_local! {
    static IS_FILES_CONFINED: Cell<bool> = const { Cell::new(false) };
}

/// The part of a thread's confinement that its children inherit and that may be applied only a few times: the kernel
/// stacks at most 16 sets of file rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Confined(bool);

impl Confined {
    pub(super) fn of_this_thread() -> Self {
        Self(IS_FILES_CONFINED.get())
    }

    /// Notes on a new thread what it has inherited.
    pub(super) fn adopt(self) {
        IS_FILES_CONFINED.set(self.0);
    }
}

/// Confines this thread, if a confinement is installed. A failure is logged; [`is_whole`] is false then.
pub fn confine_or_note(needs: Needs) {
    let Some(confinement) = CONFINEMENT.get() else { return };
    if let Err(error) = confine(confinement, needs) {
        HAS_FAILED.store(true, Ordering::Release);
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!(thread, %error, "the sandbox could not be applied to a thread");
    }
}

fn confine(confinement: &Confinement, needs: Needs) -> io::Result<()> {
    // Other processes are out of sight for a thread with file rules (landlock(7), "Ptrace restrictions").
    if let Some(files) = confinement.files.as_ref().filter(|_| needs != Needs::OtherProcesses)
        && !IS_FILES_CONFINED.get()
    {
        files.apply().map_err(io::Error::other)?;
        IS_FILES_CONFINED.set(true);
    }
    confinement.kept.map_or(Ok(()), |kept| keep_capabilities(kept[needs as usize]))
}

/// Gives up all capabilities of this thread but these, in the effective, permitted and inheritable sets; the ambient set
/// follows them.
///
/// # Errors
/// When the kernel refuses.
pub fn keep_capabilities(kept: CapabilitySet) -> io::Result<()> {
    let CapabilitySets { effective, permitted, .. } = thread::capabilities(None)?;
    let sets = CapabilitySets {
        effective: effective & kept,
        permitted: permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(thread::set_capabilities(None, sets)?)
}

/// The capabilities that this thread may use.
pub fn held_capabilities() -> CapabilitySet {
    thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted)
}

/// Takes all capabilities but these out of the bounding set of this thread, and of threads that it starts. Without
/// CAP_SETPCAP the set stays, which makes no difference to a process that gains no privileges.
///
/// # Errors
/// When the kernel refuses.
pub fn bound_capabilities(kept: CapabilitySet) -> io::Result<()> {
    if !thread::capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
        // The kernel refuses the first number that it does not know.
        let Ok(is_there) = thread::capability_is_in_bounding_set(capability) else { break };
        if is_there && !kept.contains(capability) {
            thread::remove_capability_from_bounding_set(capability)?;
        }
    }
    Ok(())
}

/// Lets this thread, and those that it starts, gain no privileges by executing a program.
///
/// # Errors
/// When the kernel refuses.
pub fn gain_no_privileges() -> io::Result<()> {
    Ok(thread::set_no_new_privs(true)?)
}

/// The names of capabilities, such as `CAP_NET_RAW`; `none` for none.
pub fn capability_names(set: CapabilitySet) -> String {
    let names: Vec<String> = set.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Rules of Landlock: the paths that stay in reach. No other file can be opened, made, renamed or removed, no program be
/// executed, and no TCP port be bound.
#[derive(Debug)]
pub struct FileRules(RulesetCreated);

/// The reason why Landlock is not applied.
#[derive(Debug, thiserror::Error)]
pub enum FileRulesError {
    /// The kernel is older or was built without it.
    #[error("this kernel has no Landlock; it needs Linux 5.13 or newer")]
    NotBuilt,
    /// It is switched off.
    #[error("Landlock is switched off; add landlock to the kernel parameter lsm=")]
    SwitchedOff,
    /// The kernel refuses the rules.
    #[error("{0}")]
    Refused(#[from] RulesetError),
}

impl FileRules {
    /// Rules for files and directories, with all below these. A path that does not exist is left out.
    ///
    /// # Errors
    /// When the kernel refuses the rules.
    pub fn new(read: &[PathBuf], written: &[PathBuf]) -> Result<Self, FileRulesError> {
        let reading = AccessFs::ReadFile | AccessFs::ReadDir;
        let rules = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?.handle_access(AccessNet::BindTcp)?;
        let rules = rules.create()?.add_rules(path_beneath_rules(read, reading))?;
        Ok(Self(rules.add_rules(path_beneath_rules(written, reading | writing()))?))
    }

    /// Applies the rules to this thread; gives the version of Landlock.
    ///
    /// # Errors
    /// When the kernel has no Landlock or refuses.
    pub fn apply(&self) -> Result<LandlockVersion, FileRulesError> {
        let cloned = self.0.try_clone().map_err(|_| FileRulesError::NotBuilt)?;
        let status = cloned.restrict_self()?;
        match status.landlock {
            LandlockStatus::NotImplemented => Err(FileRulesError::NotBuilt),
            LandlockStatus::NotEnabled => Err(FileRulesError::SwitchedOff),
            LandlockStatus::Available { .. } if status.ruleset == RulesetStatus::NotEnforced => {
                Err(FileRulesError::NotBuilt)
            }
            LandlockStatus::Available { effective_abi, kernel_abi } => {
                Ok(LandlockVersion(kernel_abi.unwrap_or(effective_abi as i32)))
            }
        }
    }
}

fn writing() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// The version of the kernel's Landlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LandlockVersion(pub i32);

/// The state of a thread, as the kernel has it in `/proc/self/task/*/status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadState {
    /// The name of the thread.
    pub name: String,
    /// The capabilities that it may use.
    pub permitted: u64,
    /// True if it gains no privileges by executing a program.
    pub gains_no_privileges: bool,
    /// True if a filter checks its system calls.
    pub is_filtered: bool,
}

/// The states of all threads of this process.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn thread_states() -> io::Result<Vec<ThreadState>> {
    let tasks = fs::read_dir("/proc/self/task")?;
    // A thread may end meanwhile.
    Ok(tasks.flatten().filter_map(|task| Some(state(&read_status(&task.path())?))).collect())
}

fn read_status(task: &Path) -> Option<String> {
    fs::read_to_string(task.join("status")).ok()
}

fn state(status: &str) -> ThreadState {
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map_or("", str::trim);
    ThreadState {
        name: value("Name:").to_owned(),
        permitted: u64::from_str_radix(value("CapPrm:"), 16).unwrap_or(u64::MAX),
        gains_no_privileges: value("NoNewPrivs:") == "1",
        is_filtered: value("Seccomp:") == "2",
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::os::rerun::{self, output, start};
    use crate::os::threads::spawn;

    #[test]
    fn thread_reaches_the_files_of_its_rules_alone() {
        let folder = tempfile::tempdir().unwrap();
        output(rerun::start(&rerun::path(module_path!(), "under_file_rules"), folder.path()));
    }

    #[test]
    #[ignore = "another test runs it as a process of its own"]
    fn under_file_rules() {
        let Some(folder) = rerun::directory() else { return };
        let [read, written, other] = ["read", "written", "other"].map(|name| folder.join(name));
        for directory in [&read, &written, &other] {
            fs::create_dir(directory).unwrap();
            fs::write(directory.join("file"), "text").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        gain_no_privileges().unwrap();
        let rules = FileRules::new(&[read.clone(), "/proc".into()], std::slice::from_ref(&written)).unwrap();
        let LandlockVersion(version) = rules.apply().unwrap();
        assert_eq!(fs::read_to_string(read.join("file")).unwrap(), "text");
        let denied = |error: io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        denied(fs::write(read.join("file"), "other").unwrap_err());
        denied(fs::remove_file(read.join("file")).unwrap_err());
        denied(fs::read(other.join("file")).unwrap_err());
        denied(fs::read_dir(&other).unwrap_err());
        let [from, to] = ["file", "renamed"].map(|name| written.join(name));
        fs::rename(&from, &to).unwrap();
        fs::write(&to, "other").unwrap();
        fs::remove_file(&to).unwrap();
        fs::create_dir(written.join("inner")).unwrap();
        assert!(TcpStream::connect(listener.local_addr().unwrap()).is_ok());
        if version >= 4 {
            denied(TcpListener::bind("127.0.0.1:0").unwrap_err());
        }
    }

    #[test]
    fn threads_of_confined_threads_are_confined_and_not_stacked() {
        output(start(&rerun::path(module_path!(), "confined_threads"), ""));
    }

    #[test]
    #[ignore = "another test runs it as a process of its own"]
    fn confined_threads() {
        /// More than the sets of file rules that the kernel stacks.
        const GENERATIONS: u32 = 20;
        fn begin(generations: u32) {
            let begun = spawn("generation", Needs::Nothing, move || {
                assert_eq!(held_capabilities(), CapabilitySet::empty());
                assert!(fs::read("/etc/passwd").is_err() && fs::read("/proc/self/status").is_ok());
                if generations > 1 {
                    begin(generations - 1);
                }
            });
            begun.unwrap().join().unwrap();
        }
        if rerun::parameter().is_none() {
            return;
        }
        let held = held_capabilities();
        gain_no_privileges().unwrap();
        let files = FileRules::new(&["/proc".into()], &[]).unwrap();
        install(Confinement { kept: Some([CapabilitySet::empty(); Needs::ALL.len()]), files: Some(files) });
        begin(GENERATIONS);
        assert!(is_whole());
        assert_eq!(held_capabilities(), held, "the main thread has not confined itself");
        let sees = spawn("processes", Needs::OtherProcesses, || fs::read("/etc/passwd").is_ok()).unwrap();
        assert!(sees.join().unwrap(), "a thread that looks at other processes has no file rules");
        let states = thread_states().unwrap();
        let is_this = |state: &ThreadState| state.gains_no_privileges && !state.is_filtered;
        assert!(states.iter().any(is_this), "{states:?}");
    }

    #[test]
    fn state_of_a_thread_is_read_as_the_kernel_writes_it() {
        let status = "Name:\tcapture-eth0\nCapPrm:\t0000000000002000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let expected = ThreadState {
            name: "capture-eth0".to_owned(),
            permitted: CapabilitySet::NET_RAW.bits(),
            gains_no_privileges: true,
            is_filtered: true,
        };
        assert_eq!(state(status), expected);
        assert_eq!(state("Name:\tx\n").permitted, u64::MAX, "what is unknown counts as all");
    }

    #[test]
    fn capabilities_have_the_names_of_the_kernel() {
        assert_eq!(capability_names(CapabilitySet::empty()), "none");
        let two = CapabilitySet::NET_RAW | CapabilitySet::BPF;
        assert_eq!(capability_names(two), "CAP_NET_RAW, CAP_BPF");
    }
}
