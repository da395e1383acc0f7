//! The rights of this process. Takes the configuration; gives findings. Must not know interfaces.

use super::finding::CheckFinding;
use crate::config::Config;
use crate::kernel::{Daq, check_rights};
use crate::names::sees_all_processes;
use crate::os::socket::may_capture;

const CAPTURE: &str = "capture";

/// The rights to capture, by libpcap or by the kernel path.
pub(super) fn capture(config: &Config) -> CheckFinding {
    if config.kernel.daq != Daq::Libpcap {
        return match check_rights() {
            Ok(()) => CheckFinding::ok(CAPTURE, "this process has the capabilities that load the kernel's program"),
            Err(error) => CheckFinding::failure(CAPTURE, error),
        };
    }
    match may_capture() {
        Ok(()) => CheckFinding::ok(CAPTURE, "this process may open packet sockets (CAP_NET_RAW)"),
        Err(error) => CheckFinding::failure(
            CAPTURE,
            format!(
                "this process may not open packet sockets: {error}; run as root, or give the program the capability: setcap \
                 cap_net_raw=ep {}",
                program()
            ),
        ),
    }
}

/// The right to see the processes of other users, where they are looked for.
pub(super) fn processes(config: &Config) -> Option<CheckFinding> {
    (config.names.processes && !sees_all_processes()).then(|| {
        CheckFinding::warning(
            "processes",
            "only the processes of this user are found, because those of others need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; \
             grant both, or leave out --names.processes",
        )
    })
}

fn program() -> String {
    std::env::current_exe().map_or_else(|_| "trafficmonitor".to_owned(), |path| path.display().to_string())
}
