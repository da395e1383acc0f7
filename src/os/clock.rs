//! The state of the system's clock (adjtimex(2)). Takes nothing; gives whether it is kept right. Must not set it.

use std::io;

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

#[cfg(test)]
mod tests {
    #[test]
    fn kernel_answers_without_rights() {
        // The answer depends on the host; the call needs no right.
        assert!(super::is_synchronised().is_ok());
    }
}
