//! The reports of the exporter to the service manager. Takes the published accounts and the progress of the threads; gives
//! the status as a sentence, and the thread that is stuck. Must not know how the manager is told.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Exporter;
use crate::account::snapshot::Snapshot;
use crate::app::service_manager::ServiceManager;
use crate::app::start::list;
use crate::capture::{file_name, printable};
use crate::pipeline::supervisor::Running;

/// Says that interfaces are captured, and from now on how it goes.
///
/// # Errors
/// When the thread that reports cannot be started.
pub(super) fn ready_to_capture(exporter: &Exporter, running: &Running) -> io::Result<()> {
    let published = Arc::clone(&exporter.published);
    let (stop, mut progress) = (exporter.stop.flag(), running.thread_progress());
    // The flag is read after the check: a thread that ends because the program stops is not stuck.
    let stuck_thread = move |patience| progress.stuck_thread(patience).filter(|_| !stop.load(Ordering::Acquire));
    exporter.manager.ready(move || status(&published.latest().accounts), stuck_thread)
}

/// Says that a file is read and served. Its input may be slow, so nothing is taken as stuck.
///
/// # Errors
/// When the thread that reports cannot be started.
pub(super) fn ready_to_read(manager: &ServiceManager, file: &Path) -> io::Result<()> {
    let status = format!("serving the accounts of {}", file_name(file));
    manager.ready(move || status.clone(), |_| None)
}

/// The captured interfaces and the packets that the kernel dropped, in one line.
fn status(accounts: &Snapshot) -> String {
    let captures = || accounts.interfaces.iter().filter_map(|interface| Some((&interface.name, interface.capture?)));
    let dropped: u64 = captures().map(|(_, capture)| capture.dropped_by_kernel).sum();
    let mut up = captures().filter(|(_, capture)| capture.up).map(|(name, _)| printable(name)).peekable();
    let capturing = match up.peek() {
        Some(_) => format!("capturing {}", list(up)),
        None => "waiting for an interface to capture".to_owned(),
    };
    format!("{capturing}; {dropped} packets dropped by the kernel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::snapshot::{Capture, InterfaceEntry};

    fn accounts(interfaces: &[(&str, bool, u64)]) -> Snapshot {
        let entry = |&(name, up, dropped_by_kernel): &(&str, bool, u64)| InterfaceEntry {
            name: name.to_owned(),
            capture: Some(Capture { up, dropped_by_kernel, ..Capture::default() }),
            ..InterfaceEntry::default()
        };
        Snapshot { interfaces: interfaces.iter().map(entry).collect(), ..Snapshot::default() }
    }

    #[test]
    fn status_names_captured_interfaces_and_counts_drops_of_all() {
        let waiting = "waiting for an interface to capture; 0 packets dropped by the kernel";
        assert_eq!(status(&Snapshot::default()), waiting);
        let one = accounts(&[("eth0", true, 5), ("eth1", false, 2)]);
        assert_eq!(status(&one), "capturing eth0; 7 packets dropped by the kernel");
        let many: Vec<(String, bool, u64)> = (0..10).map(|number| (format!("eth{number}"), true, 0)).collect();
        let many: Vec<(&str, bool, u64)> =
            many.iter().map(|(name, up, dropped)| (name.as_str(), *up, *dropped)).collect();
        let named =
            "capturing eth0, eth1, eth2, eth3, eth4, eth5, eth6, eth7 and 2 more; 0 packets dropped by the kernel";
        assert_eq!(status(&accounts(&many)), named);
    }

    /// A new line would end the status, and begin another message to the manager.
    #[test]
    fn name_of_an_interface_stays_within_the_status() {
        let status = status(&accounts(&[("a\nMAINPID=1", true, 0)]));
        assert!(!status.contains('\n'), "{status}");
    }
}
