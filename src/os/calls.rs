//! The system calls that the program makes, as a filter that refuses all others (seccomp(2)). Takes the ways of capturing;
//! filters the calls of a thread or of all. Must not know settings.
//!
//! The list has what the program, its libraries and the C libraries of Linux call, and no call that loads code into the
//! kernel, starts or inspects a process, mounts, or changes users, clocks or namespaces. A refused call fails as on a
//! kernel that does not have it (ENOSYS): C libraries then take an older call, as for `clone3`, whose flags a filter cannot
//! see.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls that depend on how packets are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapturingCalls {
    /// Packet sockets.
    pub packet_sockets: bool,
    /// bpf(2).
    pub kernel_programs: bool,
}

/// The filter of system calls.
#[derive(Debug)]
pub struct CallFilter(BpfProgram);

/// The reason why calls are not filtered.
#[derive(Debug, thiserror::Error)]
pub enum CallFilterError {
    /// No list for this processor.
    #[error("there is no list of system calls for this processor ({ARCH})")]
    Processor,
    /// The list is no filter: a fault of the program.
    #[error("the list of system calls is no filter: {0}")]
    List(seccompiler::BackendError),
    /// The kernel refuses.
    #[error("the kernel takes no filter of system calls: {0}")]
    Refused(seccompiler::Error),
}

impl CallFilter {
    /// The filter for these ways of capturing.
    ///
    /// # Errors
    /// On a processor without a list.
    pub fn new(capturing: CapturingCalls) -> Result<Self, CallFilterError> {
        let target = TargetArch::try_from(ARCH).map_err(|_| CallFilterError::Processor)?;
        let rules = rules(capturing).map_err(CallFilterError::List)?;
        let refused = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
        let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, target);
        filter.and_then(TryInto::try_into).map(Self).map_err(CallFilterError::List)
    }

    /// Filters the calls of this thread, and of those that it starts.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn apply(&self) -> Result<(), CallFilterError> {
        seccompiler::apply_filter(&self.0).map_err(CallFilterError::Refused)
    }

    /// Filters the calls of all threads of this process.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn apply_to_all(&self) -> Result<(), CallFilterError> {
        seccompiler::apply_filter_all_threads(&self.0).map_err(CallFilterError::Refused)
    }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rules(capturing: CapturingCalls) -> Result<Rules, seccompiler::BackendError> {
    // A call without a rule is allowed with all its arguments.
    let mut rules: Rules = [FILES, MEMORY, THREADS, TIME, WAITING, NETWORK, THIS_PROCESS, ARCHITECTURE]
        .into_iter()
        .flatten()
        .map(|call| (*call, Vec::new()))
        .collect();
    if capturing.kernel_programs {
        rules.insert(libc::SYS_bpf, Vec::new());
    }
    let packets = capturing.packet_sockets.then_some(libc::AF_PACKET);
    let families = SOCKET_FAMILIES.into_iter().chain(packets);
    rules.insert(libc::SYS_socket, families.map(|family| one(0, equal(), family)).collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socketpair, vec![one(0, equal(), libc::AF_UNIX)?]);
    // A thread, and no process.
    let thread = libc::CLONE_THREAD;
    rules.insert(libc::SYS_clone, vec![one(0, SeccompCmpOp::MaskedEq(thread.cast_unsigned().into()), thread)?]);
    rules.insert(libc::SYS_ioctl, vec![not_typing()?]);
    let allowed = CONTROLS.into_iter().map(|control| one(0, equal(), control));
    rules.insert(libc::SYS_prctl, allowed.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_prlimit64, vec![reading_limits()?]);
    Ok(rules)
}

const fn equal() -> SeccompCmpOp {
    SeccompCmpOp::Eq
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// A rule with one condition. Arguments of 32 bits are compared.
fn one(argument: u8, operator: SeccompCmpOp, value: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![condition(argument, operator, value.cast_unsigned().into())?])
}

/// Every request of ioctl(2) but those that type into a terminal.
fn not_typing() -> Result<SeccompRule, seccompiler::BackendError> {
    const TIOCLINUX: u64 = 0x541c;
    let not = |request| condition(1, SeccompCmpOp::Ne, request);
    SeccompRule::new(vec![not(u64::from(libc::TIOCSTI as u32))?, not(TIOCLINUX)?])
}

/// Limits of resources can be read, not changed: the new limit is a null pointer.
fn reading_limits() -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?])
}

/// Families of sockets besides packet sockets.
const SOCKET_FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The name of a thread, of memory, and what a process may do to itself only to lose rights.
const CONTROLS: [i32; 8] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_GET_DUMPABLE,
    libc::PR_CAPBSET_READ,
    libc::PR_CAP_AMBIENT,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_SET_NO_NEW_PRIVS,
];

const FILES: &[i64] = &[
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_linkat,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sync_file_range,
    libc::SYS_syncfs,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_write,
    libc::SYS_writev,
];

const MEMORY: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munmap,
];

const THREADS: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_tkill,
];

const TIME: &[i64] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_times,
];

const WAITING: &[i64] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
];

const NETWORK: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// A thread that begins gives up rights by `capset` and `landlock_restrict_self`.
const THIS_PROCESS: &[i64] = &[
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getuid,
    libc::SYS_landlock_restrict_self,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// Older forms of the calls above, which x86 alone has.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: &[i64] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
/// C libraries rename by this call where there is no `rename`.
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: &[i64] = &[libc::SYS_renameat];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: &[i64] = &[];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Error;
    use std::net::UdpSocket;
    use std::process::Command;

    use super::*;
    use crate::os::rerun::{output, parameter, path, start};

    #[test]
    fn calls_off_the_list_fail_as_if_the_kernel_did_not_have_them() {
        output(start(&path(module_path!(), "under_the_filter"), ""));
    }

    /// The error of a call; 0 if it succeeds.
    fn error_of(result: i64) -> i32 {
        if result < 0 { Error::last_os_error().raw_os_error().unwrap() } else { 0 }
    }

    #[test]
    #[ignore = "another test runs it as a process of its own"]
    fn under_the_filter() {
        if parameter().is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        CallFilter::new(CapturingCalls::default()).unwrap().apply_to_all().unwrap();
        let refused = Command::new("true").spawn().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENOSYS), "no process starts");
        // SAFETY: none of the calls gets a pointer but a null pointer.
        unsafe {
            let socket = |family, kind| error_of(libc::socket(family, kind, 0).into());
            assert_eq!(socket(libc::AF_PACKET, libc::SOCK_RAW), libc::ENOSYS);
            assert_eq!(socket(libc::AF_INET, libc::SOCK_DGRAM), 0);
            assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW), 0);
            assert_eq!(error_of(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0)), libc::ENOSYS);
            assert_eq!(error_of(libc::syscall(libc::SYS_bpf, 0, 0, 0)), libc::ENOSYS);
            assert_eq!(error_of(libc::unshare(libc::CLONE_NEWNET).into()), libc::ENOSYS);
            assert_eq!(error_of(libc::ioctl(0, libc::TIOCSTI, 0).into()), libc::ENOSYS);
            assert_eq!(error_of(libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0).into()), libc::ENOSYS);
        }
        // The C library names, measures and starts threads by several calls.
        let body = || fs::read_to_string("/proc/thread-self/comm").unwrap();
        let thread = std::thread::Builder::new().name("named".to_owned()).spawn(body).unwrap();
        assert_eq!(thread.join().unwrap(), "named\n");
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        fs::write(&one, "text").and_then(|()| fs::rename(&one, &other)).unwrap();
        fs::hard_link(&other, &one).and_then(|()| fs::remove_file(&other)).unwrap();
        assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
        assert!(std::thread::available_parallelism().is_ok());
    }

    #[test]
    fn kernel_path_has_bpf_and_libpcap_has_packet_sockets() {
        let with = |packet_sockets, kernel_programs| rules(CapturingCalls { packet_sockets, kernel_programs }).unwrap();
        assert!(with(false, true).contains_key(&libc::SYS_bpf) && !with(true, false).contains_key(&libc::SYS_bpf));
        let families = |rules: Rules| rules[&libc::SYS_socket].len();
        assert_eq!(families(with(true, false)), families(with(false, true)) + 1);
    }

    #[test]
    fn calls_that_gain_rights_are_not_on_the_list() {
        let rules = rules(CapturingCalls { packet_sockets: true, kernel_programs: true }).unwrap();
        for call in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone3,
            libc::SYS_ptrace,
            libc::SYS_process_vm_writev,
            libc::SYS_mount,
            libc::SYS_setuid,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_init_module,
            libc::SYS_kexec_load,
            libc::SYS_keyctl,
            libc::SYS_io_uring_setup,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_kill,
            libc::SYS_clock_settime,
        ] {
            assert!(!rules.contains_key(&call), "{call}");
        }
        // As docs/security.md says.
        assert!((140..170).contains(&rules.len()), "{}", rules.len());
    }
}
