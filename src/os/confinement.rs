//! The means by which the kernel can take rights from a process. Takes nothing; gives whether they are there. Must not
//! take any right.

use std::path::Path;

/// The file that lists the actions of seccomp filters (seccomp(2)).
const SECCOMP_ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";
/// Asks for the version (`LANDLOCK_CREATE_RULESET_VERSION`).
const VERSION: libc::c_uint = 1;

/// The version of Landlock (landlock(7)); none if the kernel lacks it or has it switched off.
pub fn landlock_version() -> Option<u32> {
    // SAFETY: with this flag the call takes no pointer and no size, and makes no descriptor.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// True if the kernel has seccomp filters.
pub fn has_seccomp() -> bool {
    Path::new(SECCOMP_ACTIONS).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_agree_with_what_the_kernel_shows() {
        let modules = std::fs::read_to_string("/sys/kernel/security/lsm");
        if let Ok(modules) = modules {
            assert_eq!(landlock_version().is_some(), modules.split(',').any(|name| name.trim() == "landlock"));
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        assert_eq!(has_seccomp(), status.contains("Seccomp_filters:"));
    }
}
