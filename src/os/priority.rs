//! The priority of threads (setpriority(2)). Takes a niceness; gives nothing. Must not know what a thread does.

use std::io;

/// Sets the niceness of the calling thread to `niceness`, from 0 to 19: the higher it is, the less processor time the
/// thread gets where processors are short. Linux has a niceness for each thread.
///
/// # Errors
/// When the kernel refuses it, as it does for a niceness below the present one without the capability.
pub fn lower_priority(niceness: i32) -> io::Result<()> {
    // SAFETY: the call takes three numbers. Of processes, 0 is the calling thread.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 19 of stat(5): the niceness. The name of the thread before it may contain blanks.
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn only_the_calling_thread_gets_nicer() {
        let before = niceness();
        let of_thread = std::thread::spawn(|| {
            lower_priority(19).unwrap();
            niceness()
        });
        assert_eq!(of_thread.join().unwrap(), 19);
        assert_eq!(niceness(), before);
    }
}
