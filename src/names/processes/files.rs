//! The open files of processes (proc_pid_fd(5)). Takes inodes of sockets; gives the processes that have them. Must not know
//! flows.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use super::super::known::LocalProcess;
use super::super::text::clean;
use super::containers;

/// The most open files of a process that are looked at.
const MOST_FILES: usize = 1 << 18;
/// The most bytes of a process' name. The kernel keeps 15.
const LONGEST_NAME: usize = 64;
/// The most bytes that are read of a file of `/proc`.
const MOST_BYTES: u64 = 64 * 1024;

/// A search through all processes, which may take several passes.
#[derive(Debug, Default)]
pub(super) struct FileSearch(Option<SearchRound>);

#[derive(Debug)]
struct SearchRound {
    /// Processes that were not looked at yet, the oldest first.
    left: Vec<u32>,
    /// The inodes that were looked for when the round began.
    asked: HashSet<u32>,
}

impl FileSearch {
    /// Begins a new round with the next search.
    pub(super) fn restart(&mut self) {
        self.0 = None;
    }

    /// Looks for the processes of the `open` inodes until the deadline, and takes those that are found out of `open`. Gives
    /// the inodes that no process has, once each process was looked at; the next search begins another round.
    pub(super) fn go_on(
        &mut self,
        open: &mut HashSet<u32>,
        deadline: Instant,
        mut found: impl FnMut(u32, LocalProcess),
    ) -> HashSet<u32> {
        let round = self.0.get_or_insert_with(|| SearchRound { left: pids(), asked: open.clone() });
        while !open.is_empty() && Instant::now() < deadline {
            let Some(pid) = round.left.pop() else { break };
            look_at(pid, open, &mut found);
        }
        if !round.left.is_empty() && !open.is_empty() {
            return HashSet::new();
        }
        let asked = self.0.take().map(|round| round.asked).unwrap_or_default();
        asked.intersection(open).copied().collect()
    }
}

/// True if the process has not ended.
pub(super) fn exists(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// Looks at the files of a process. Those of other users' processes can be seen only with CAP_SYS_PTRACE and
/// CAP_DAC_READ_SEARCH.
fn look_at(pid: u32, open: &mut HashSet<u32>, found: &mut impl FnMut(u32, LocalProcess)) {
    let folder = format!("/proc/{pid}");
    let Ok(entries) = fs::read_dir(format!("{folder}/fd")) else { return };
    let mut process = None;
    for entry in entries.flatten().take(MOST_FILES) {
        if let Some(inode) = socket_inode(&entry.path())
            && open.remove(&inode)
        {
            let process = process.get_or_insert_with(|| describe(pid, Path::new(&folder)));
            found(inode, process.clone());
        }
    }
}

/// The inode of a link to `socket:[1234]`.
fn socket_inode(link: &Path) -> Option<u32> {
    let target = fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn describe(pid: u32, folder: &Path) -> LocalProcess {
    let text = |name: &str| read(&folder.join(name)).unwrap_or_default();
    let name = clean(text("comm").trim_end_matches('\n'), LONGEST_NAME).unwrap_or_else(|| "?".into());
    LocalProcess { pid, name, container: containers::container(&text("cgroup")) }
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
