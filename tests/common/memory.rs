//! The memory of a process, as the kernel reports it (proc_pid_status(5)).

use std::fs;

/// The KiB of one field, such as `VmRSS`. None after the process has ended.
pub fn kibibytes(process: u32, field: &str) -> Option<u64> {
    field_of(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, field)
}

/// The most KiB of memory that were resident so far and belong to no file. None after the process has ended.
///
/// Files are the rings, which are shared with the kernel, and the program's code. A test runs three times as much code
/// as a release, and how much of it is resident depends on how the file came into the page cache: 31 MiB, and 36 MiB
/// just after the file was written.
pub fn most_besides_files(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    field_of(&status, "VmHWM")?.checked_sub(field_of(&status, "RssFile")?)
}

fn field_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
