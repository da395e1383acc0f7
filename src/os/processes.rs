//! The processes of this host, as `/proc` shows them (proc(5)). Takes names of programs and variables; gives the sockets
//! and environments of processes. Must not know what they are for.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The most ancestors that are followed. A chain of shells is much shorter.
const MOST_ANCESTORS: usize = 64;

/// The sockets of the processes that run certain programs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnedSockets {
    /// Inodes of the sockets.
    pub inodes: BTreeSet<u64>,
    /// Processes of these programs that do not show their sockets to this user. If `/proc` itself hides processes of other
    /// users (hidepid, proc(5)), they count as one.
    pub hidden_processes: usize,
}

/// The sockets of all processes that run one of these programs, by the names of their files.
///
/// # Errors
/// When the processes cannot be listed.
pub fn sockets_of(programs: &[&str]) -> io::Result<OwnedSockets> {
    let hidden_processes = usize::from(hides_processes(Path::new("/proc")));
    let mut owned = OwnedSockets { hidden_processes, ..OwnedSockets::default() };
    for entry in fs::read_dir("/proc")?.flatten() {
        let is_process = entry.file_name().as_bytes().iter().all(u8::is_ascii_digit);
        let process = entry.path();
        if !is_process || !runs(&process, programs) {
            continue;
        }
        match sockets(&process) {
            Ok(inodes) => owned.inodes.extend(inodes),
            // It has ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => owned.hidden_processes += 1,
        }
    }
    Ok(owned)
}

/// True if processes of other users do not show in `proc`: then the first process of the system, which never ends, is one.
fn hides_processes(proc: &Path) -> bool {
    !proc.join("1").exists()
}

/// True if a process has the name of one of these programs, or its file has. Others may read the name, not the file.
fn runs(process: &Path, programs: &[&str]) -> bool {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    let file = || {
        let path = fs::read_link(process.join("exe")).ok()?;
        let name = path.file_name()?.to_str()?;
        // An update replaces the file of a running program.
        Some(name.strip_suffix(" (deleted)").unwrap_or(name).to_owned())
    };
    programs.contains(&name.trim_end()) || file().is_some_and(|file| programs.contains(&file.as_str()))
}

/// The inodes of a process's sockets.
fn sockets(process: &Path) -> io::Result<Vec<u64>> {
    let descriptors = fs::read_dir(process.join("fd"))?.flatten();
    Ok(descriptors.filter_map(|descriptor| socket_inode(&fs::read_link(descriptor.path()).ok()?)).collect())
}

/// `socket:[12345]` → 12345.
fn socket_inode(descriptor: &Path) -> Option<u64> {
    descriptor.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The values of a variable in the environments of this process and its ancestors, each as the program was started.
/// (`sudo` passes few variables on, but keeps its own.) Ancestors in another network namespace are left out, and those of
/// which this user may not read the environment.
pub fn inherited(variable: &str) -> BTreeSet<String> {
    let this = PathBuf::from("/proc/self");
    let network = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    let of_this = network(&this);
    let processes = std::iter::successors(Some(this), |process| parent(process)).take(MOST_ANCESTORS);
    let near = processes.filter(|process| network(process) == of_this);
    let environments = near.filter_map(|process| fs::read(process.join("environ")).ok());
    environments.filter_map(|environment| value_of(variable, &environment)).collect()
}

/// The value of a variable among strings that end in 0.
fn value_of(variable: &str, environment: &[u8]) -> Option<String> {
    let mut strings = environment.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    strings.find_map(|string| Some(string.strip_prefix(variable)?.strip_prefix('=')?.to_owned()))
}

fn parent(process: &Path) -> Option<PathBuf> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    (parent != "0").then(|| Path::new("/proc").join(parent))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn sockets_of_a_program_are_found_by_the_name_of_its_file() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inode = socket_inode(&link).unwrap();
        let file = std::env::current_exe().unwrap();
        let program = file.file_name().unwrap().to_str().unwrap();
        assert!(sockets_of(&["no-such-program", program]).unwrap().inodes.contains(&inode));
        assert_eq!(sockets_of(&["no-such-program"]).unwrap(), OwnedSockets::default());
    }

    #[test]
    fn proc_without_the_first_process_hides_others() {
        assert!(!hides_processes(Path::new("/proc")));
        assert!(hides_processes(Path::new("/proc/self")));
    }

    #[test]
    fn process_is_found_by_its_name_too() {
        // The shell waits for its input, so it has a name of its own and the file of `sh`.
        let mut child = Command::new("sh")
            .args(["-c", "printf lockout-test > /proc/self/comm; echo named; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut named = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut named).unwrap();
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let is_found = runs(&process, &["lockout-test"]);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(is_found);
    }

    #[test]
    fn variable_of_this_process_is_read_as_it_was_started() {
        let path = std::env::var("PATH").unwrap();
        assert!(inherited("PATH").contains(&path));
        assert!(inherited("TRAFFICMONITOR_NO_SUCH_VARIABLE").is_empty());
        assert_eq!(value_of("A", b"AB=1\0A=2=3\0A=4\0"), Some("2=3".to_owned()));
    }

    #[test]
    fn this_process_has_a_parent() {
        let parent = parent(Path::new("/proc/self")).unwrap();
        assert_eq!(parent, Path::new("/proc").join(std::os::unix::process::parent_id().to_string()));
    }
}
