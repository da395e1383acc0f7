//! The features of the kernel that the run uses. Takes the configuration; gives findings. Must not know interfaces.

use std::fs;
use std::io;
use std::path::Path;

use super::finding::CheckFinding;
use crate::app::live;
use crate::config::Config;
use crate::kernel::{Daq, TcHook, check_rights, lockout};
use crate::os::socket::has_block_rings;

const RINGS: &str = "rings";
const JIT: &str = "bpf jit";
const KERNEL_PATH: &str = "kernel path";

/// The file that says whether BPF programs are compiled (networking/filter.rst of the kernel). Only root may read it.
const JIT_ENABLED: &str = "/proc/sys/net/core/bpf_jit_enable";
/// The kernel's types, by which programs are checked.
const TYPES: &str = "/sys/kernel/btf/vmlinux";
/// The first release of Linux with TCX.
const TCX_SINCE: (u32, u32) = (6, 6);

/// The features that capturing needs.
pub(super) fn check(config: &Config) -> Vec<CheckFinding> {
    let jit = jit(fs::read_to_string(JIT_ENABLED));
    if config.kernel.daq == Daq::Libpcap {
        return block_rings().into_iter().chain(jit).collect();
    }
    let mut findings: Vec<_> = kernel_path(config).into_iter().chain(jit).collect();
    findings.extend(types(Path::new(TYPES).exists()));
    findings.extend(tcx(config, &rustix::system::uname().release().to_string_lossy()));
    if let Err(refused) = lockout::check(&config.kernel, config.policy.networks().as_ref()) {
        findings.push(CheckFinding::failure(KERNEL_PATH, refused));
    }
    findings
}

/// Rings of blocks (TPACKET_V3). A process that may not capture cannot ask, and is told so elsewhere.
fn block_rings() -> Option<CheckFinding> {
    match has_block_rings() {
        Ok(true) => Some(CheckFinding::ok(RINGS, "the kernel has rings of blocks (TPACKET_V3)")),
        Ok(false) => Some(CheckFinding::warning(
            RINGS,
            "the kernel has no rings of blocks (TPACKET_V3), so capturing costs more processor time; take Linux 3.2 or later",
        )),
        Err(_) => None,
    }
}

fn jit(enabled: io::Result<String>) -> Option<CheckFinding> {
    match enabled.ok()?.trim() {
        "0" => Some(CheckFinding::warning(
            JIT,
            "the kernel interprets filters and programs, which costs processor time for each packet; sysctl \
             net.core.bpf_jit_enable=1",
        )),
        _ => Some(CheckFinding::ok(JIT, "the kernel compiles filters and programs")),
    }
}

/// Loads the kernel's program as a start does, and lets it go. A process without the rights is told so elsewhere.
fn kernel_path(config: &Config) -> Option<CheckFinding> {
    check_rights().ok()?;
    Some(match live::load_kernel_program(config) {
        Ok(()) => {
            CheckFinding::ok(KERNEL_PATH, format!("the kernel takes the program of -daq {}", config.kernel.daq.word()))
        }
        Err(error) => CheckFinding::failure(KERNEL_PATH, error),
    })
}

fn types(is_there: bool) -> Option<CheckFinding> {
    (!is_there).then(|| {
        CheckFinding::warning(
            KERNEL_PATH,
            format!("the kernel does not show its types (BTF, {TYPES}); the program does not need them"),
        )
    })
}

fn tcx(config: &Config, release: &str) -> Option<CheckFinding> {
    if config.kernel.daq != Daq::Tc || config.kernel.tc_hook == TcHook::Clsact {
        return None;
    }
    let has_tcx = version(release)? >= TCX_SINCE;
    Some(match (has_tcx, config.kernel.tc_hook) {
        (true, _) => CheckFinding::ok(KERNEL_PATH, format!("Linux {release} has TCX")),
        (false, TcHook::Tcx) => CheckFinding::failure(
            KERNEL_PATH,
            format!("Linux {release} has no TCX, which came with 6.6; take --tc.hook auto or clsact"),
        ),
        (false, _) => CheckFinding::ok(KERNEL_PATH, format!("Linux {release} has no TCX; a clsact qdisc is used")),
    })
}

/// `6.1.0-18-amd64` → (6, 1).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::finding::CheckOutcome;

    #[test]
    fn interpreted_filters_are_a_warning_and_an_unreadable_setting_says_nothing() {
        assert_eq!(jit(Ok("0\n".to_owned())).unwrap().outcome, CheckOutcome::Warning);
        assert_eq!(jit(Ok("1\n".to_owned())).unwrap().outcome, CheckOutcome::Ok);
        assert_eq!(jit(Err(io::ErrorKind::PermissionDenied.into())), None);
    }

    #[test]
    fn tcx_that_the_kernel_lacks_fails_only_where_it_is_asked_for() {
        let mut config = Config::default();
        assert_eq!(tcx(&config, "5.10.0"), None);
        config.kernel.daq = Daq::Tc;
        let outcome = |config: &Config, release| tcx(config, release).unwrap().outcome;
        assert_eq!([outcome(&config, "6.1.0-18-amd64"), outcome(&config, "6.6.1")], [CheckOutcome::Ok; 2]);
        config.kernel.tc_hook = TcHook::Tcx;
        assert_eq!(outcome(&config, "6.1.0-18-amd64"), CheckOutcome::Failure);
        assert_eq!(outcome(&config, "7.0"), CheckOutcome::Ok);
    }
}
