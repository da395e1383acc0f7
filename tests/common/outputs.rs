//! Outputs that take nothing: a pipe that is full, and a file system that is.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Write, pipe};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;

/// A pipe that is full from its start; the reader may empty it later.
pub fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().expect("a pipe");
    set_blocking(&writer, false);
    let full = loop {
        if let Err(error) = writer.write_all(&[b'.'; 4_096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    set_blocking(&writer, true);
    (reader, Stdio::from(writer))
}

/// A pipe with a writing end that does not wait for its reader.
pub fn non_blocking_pipe() -> (PipeReader, Stdio) {
    let (reader, writer) = pipe().expect("a pipe");
    set_blocking(&writer, false);
    (reader, Stdio::from(writer))
}

/// The bytes that wait in a pipe.
pub fn bytes_in(reader: &PipeReader) -> i32 {
    let mut bytes = 0_i32;
    // SAFETY: the number outlives the call.
    let asked = unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    assert_eq!(asked, 0, "{}", std::io::Error::last_os_error());
    bytes
}

/// Sets how large the files of a process may become, in bytes.
pub fn limit_file_size(process: u32, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    let process = libc::pid_t::try_from(process).expect("a process number");
    // SAFETY: the limit outlives the call; nothing is written to the null pointer.
    let set = unsafe { libc::prlimit(process, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

fn set_blocking(descriptor: &impl AsRawFd, blocking: bool) {
    let flags = if blocking { 0 } else { libc::O_NONBLOCK };
    // SAFETY: no pointers; the descriptor is open.
    assert_eq!(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags) }, 0);
}

/// Calls `work` on a thread of its own with a file system of so many bytes, in memory, at `folder`. No other process sees
/// it, and it ends with the last open file.
pub fn with_small_file_system<T: Send>(folder: &Path, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    let mount = || {
        let path = CString::new(folder.to_str().expect("a path in UTF-8")).expect("a path without NUL");
        let options = CString::new(format!("size={bytes}")).expect("digits");
        let (root, tmpfs) = (c"/", c"tmpfs");
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: the strings outlive the calls; this thread alone is moved to the new mount namespace.
        let results = unsafe {
            [
                libc::unshare(libc::CLONE_NEWNS),
                libc::mount(std::ptr::null(), root.as_ptr(), std::ptr::null(), private, std::ptr::null()),
                libc::mount(tmpfs.as_ptr(), path.as_ptr(), tmpfs.as_ptr(), 0, options.as_ptr().cast()),
            ]
        };
        assert_eq!(results, [0; 3], "cannot mount a file system: {}", std::io::Error::last_os_error());
        work()
    };
    std::thread::scope(|scope| scope.spawn(mount).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Fills the file system at `folder` to the last byte with a file, which is removed to free space again.
pub fn fill(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("filler");
    let mut filler = File::create(&path).expect("a file");
    let error = loop {
        if let Err(error) = filler.write_all(&[b'.'; 1_024]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    path
}
