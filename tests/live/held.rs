//! A thread of the program that is stopped, as a debugger does it: the others go on.

#![allow(unsafe_code)]

use std::fs;

/// The stopped thread. Only the thread of the test that stopped it may let it go.
pub struct Held {
    pub thread: libc::pid_t,
}

impl Held {
    /// Stops the thread of that name of a process.
    pub fn hold(process: u32, name: &str) -> Self {
        let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
        let is_named = |thread: &fs::DirEntry| {
            fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let thread = threads.into_iter().find(is_named).unwrap_or_else(|| panic!("no thread {name}"));
        let held = Self { thread: thread.file_name().to_str().unwrap().parse().unwrap() };
        held.request(libc::PTRACE_SEIZE);
        held.request(libc::PTRACE_INTERRUPT);
        held
    }

    fn request(&self, request: libc::c_uint) {
        // SAFETY: these requests take no memory; the thread is another process's.
        let done = unsafe { libc::ptrace(request, self.thread, 0, 0) };
        assert_eq!(done, 0, "the tests need ptrace: {}", std::io::Error::last_os_error());
    }

    /// Takes note of its end, without which its process stays.
    pub fn reap(&self) {
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(self.thread, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) };
    }

    /// Lets the thread go on.
    pub fn release(self) {
        // SAFETY: no status is asked for; the thread stops, or has stopped already.
        let stopped = unsafe { libc::waitpid(self.thread, std::ptr::null_mut(), libc::__WALL) };
        assert_eq!(stopped, self.thread, "{}", std::io::Error::last_os_error());
        self.request(libc::PTRACE_DETACH);
    }
}
