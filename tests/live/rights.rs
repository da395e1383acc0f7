//! The program's rights: without CAP_NET_RAW it can do nothing, with it alone everything.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::common::metrics::{Counted, Packets};
use super::common::monitor::{Monitor, PROGRAM};
use super::traffic::{Pair, send};

const UNPRIVILEGED: &str = "65534";
/// `CAP_NET_RAW` is number 13.
const NET_RAW_ALONE: &str = "0000000000002000";

/// A copy of the program in a folder that every user may read.
pub struct Copy {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Copy {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = folder.path().join("trafficmonitor");
        std::fs::copy(PROGRAM, &path).unwrap();
        Self { _folder: folder, path }
    }

    /// The program as an unprivileged user, with these capabilities.
    pub fn unprivileged(&self, capabilities: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups", "--no-new-privs"]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.arg(format!("{set}={capabilities}"));
        }
        command.arg(&self.path);
        command
    }
}

#[test]
fn without_permission_it_says_which_capability_it_wants() {
    let (pair, copy) = (Pair::new(), Copy::new());
    for arguments in [&["-iface", "eth0"][..], &["-iface", "any"], &[]] {
        let ended = Monitor::spawn(&pair.host, copy.unprivileged("-all"), arguments).wait();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
        let advice = format!("permission denied; run as root or: setcap cap_net_raw=ep {}", copy.path.display());
        assert!(ended.messages.contains(&advice), "{}", ended.messages);
    }
}

/// The status of a thread of a process.
fn status_of(process: u32, thread: &str) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut statuses = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok());
    statuses.find(|status| status.starts_with(&format!("Name:\t{thread}\n"))).unwrap()
}

#[test]
fn the_capability_net_raw_alone_suffices() {
    let (pair, copy) = (Pair::new(), Copy::new());
    for (promiscuous, times) in [("-promisc=false", "promiscuity 0"), ("-promisc", "promiscuity 1")] {
        let monitor = Monitor::spawn(&pair.host, copy.unprivileged("-all,+net_raw"), &["-iface", "eth0", promiscuous])
            .wait_until_ready();
        // The thread that captures; others have given it up.
        let status = status_of(monitor.pid(), "capture-eth0");
        assert!(status.contains(&format!("CapEff:\t{NET_RAW_ALONE}\n")), "{status}");
        assert!(pair.host.ip("-details link show dev eth0").contains(times));
        let (client, server) = pair.resolver();
        let there = Packets::udp(37, 31);
        send(&client, &server, there);
        let counted = Counted::default().and("10.1.0.2->10.1.0.1 udp/53(domain)", "eth0", there);
        monitor.finish(&counted);
    }
}
