//! Clocks of the kernel (adjtimex(2), clock_gettime(2)). Takes nothing; gives whether the clock of the system is kept
//! right, and the processor time of a thread. Must not set a clock.

use std::io;
use std::time::Duration;

/// True if a time service keeps the clock of the system right.
///
/// # Errors
/// When the kernel refuses to answer.
pub fn is_synchronised() -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid `timex`; with the mode 0 the call only fills it.
    let (state, status) = unsafe {
        let mut clock: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut clock), clock.status)
    };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0)
}

/// The processor time that this thread has used since its start (CLOCK_THREAD_CPUTIME_ID).
pub fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a time, which outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::from_secs(time.tv_sec.cast_unsigned()) + Duration::from_nanos(time.tv_nsec.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    #[test]
    fn thread_time_is_that_of_work_and_not_of_waiting() {
        let (before, start) = (super::thread_time(), Instant::now());
        std::thread::sleep(Duration::from_millis(200));
        let waited = super::thread_time() - before;
        while super::thread_time() - before - waited < Duration::from_millis(20) {}
        assert!(waited < Duration::from_millis(100), "{waited:?}");
        assert!(start.elapsed() >= Duration::from_millis(220));
    }

    #[test]
    fn kernel_answers_without_rights() {
        // The answer depends on the host; the call needs no right.
        assert!(super::is_synchronised().is_ok());
    }
}
