//! Attachments of the kernel path to interfaces: they are gone after a stop, and after a kill at the latest with the next
//! start. Two instances, and other programs, stand beside each other.

#![allow(unsafe_code)]

use std::fs;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Command;

use super::common::metrics::{Counted, Packets};
use super::common::monitor::Monitor;
use super::common::namespace::{Namespace, wait_for};
use super::kernel::{ANSWERS, CLSACT, GENERIC, MODES, NATIVE, QUERIES, TCX, start};
use super::rights::Copy;
use super::traffic::{Pair, send};

const REATTACHED: &str = "trafficmonitor_kernel_reattached_total";
const LIBPCAP: &[&str] = &["-iface", "eth0"];

const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_LINK_DETACH: libc::c_long = 34;
/// XDP has its own way to be asked: `ip link`.
const TCX_HOOKS: [u32; 2] = [46, 47]; // BPF_TCX_INGRESS, BPF_TCX_EGRESS

/// Programs at the TCX hooks of an interface.
fn tcx_programs(namespace: &Namespace, interface: &str) -> u32 {
    #[repr(C)]
    #[derive(Default)]
    struct Query {
        interface: u32,
        hook: u32,
        flags: [u32; 2],
        programs: u64,
        count: u32,
        rest: [u32; 11],
    }
    let name = std::ffi::CString::new(interface).unwrap();
    namespace.enter(|| {
        // SAFETY: the name is a string with its end.
        let interface = unsafe { libc::if_nametoindex(name.as_ptr()) };
        let count = |hook| {
            let mut query = Query { interface, hook, ..Query::default() };
            // SAFETY: the attributes outlive the call, in which the kernel writes the count; no programs are asked for.
            let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, &raw mut query, size_of::<Query>()) };
            if result == 0 { query.count } else { 0 }
        };
        TCX_HOOKS.into_iter().map(count).sum()
    })
}

pub fn has_xdp(namespace: &Namespace, interface: &str) -> bool {
    namespace.ip(&format!("-details link show dev {interface}")).contains("prog/xdp")
}

/// `tc` with these arguments; gives its output.
fn tc(namespace: &Namespace, arguments: &[&str]) -> String {
    let output = namespace.enter(|| Command::new("tc").args(arguments).output()).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn has_clsact(namespace: &Namespace) -> bool {
    tc(namespace, &["qdisc", "show", "dev", "eth0"]).contains("clsact")
}

/// The filters of eth0, as `tc` shows them.
fn filters(namespace: &Namespace) -> String {
    ["ingress", "egress"].map(|hook| tc(namespace, &["filter", "show", "dev", "eth0", hook])).concat()
}

/// Adds a filter of another program at eth0: it lets everything pass on to the next filter.
fn add_foreign_filter(namespace: &Namespace, hook: &str) {
    tc(namespace, &["filter", "add", "dev", "eth0", hook, "pref", "7", "bpf", "da", "bytecode", "1,6 0 0 4294967295"]);
}

fn has_foreign_filter(namespace: &Namespace) -> bool {
    filters(namespace).contains("pref 7")
}

fn is_attached(pair: &Pair) -> bool {
    has_xdp(&pair.host, "eth0") || tcx_programs(&pair.host, "eth0") > 0 || has_clsact(&pair.host)
}

fn kill(monitor: Monitor<'_>) {
    monitor.signal(libc::SIGKILL);
    monitor.wait();
}

fn wait_until_nothing_is_attached(pair: &Pair, arguments: &[&str]) {
    wait_for(&format!("{arguments:?}: nothing is attached"), || (!is_attached(pair)).then_some(()));
}

/// Sends queries and answers; gives how they count by `arguments`.
fn lookups(pair: &Pair, arguments: &[&str]) -> Counted {
    let (client, server) = pair.resolver();
    let (there, back) = (Packets::udp(37, 31), Packets::udp(21, 80));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = Counted::default().and(QUERIES, "eth0", there);
    // XDP sees what comes in alone.
    if arguments.contains(&"xdp") { counted } else { counted.and(ANSWERS, "eth0", back) }
}

// ---- The end -----------------------------------------------------------------------------------------------------------

#[test]
fn nothing_stays_attached_after_a_stop() {
    for arguments in MODES {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, arguments) else { continue };
        assert!(is_attached(&pair), "{arguments:?}: {}", monitor.messages());
        monitor.stop();
        wait_until_nothing_is_attached(&pair, arguments);
    }
}

#[test]
fn links_end_with_a_killed_process() {
    for arguments in [NATIVE, GENERIC, TCX] {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, arguments) else { continue };
        assert!(is_attached(&pair), "{arguments:?}: {}", monitor.messages());
        kill(monitor);
        wait_until_nothing_is_attached(&pair, arguments);
    }
}

#[test]
fn next_start_in_any_mode_removes_the_filters_and_the_qdisc_of_a_killed_process() {
    for next in MODES.into_iter().chain([LIBPCAP, &["-iface", "any"], &[], &["-daq", "tc"]]) {
        let pair = Pair::new();
        let Some(first) = start(&pair, CLSACT) else { return };
        kill(first);
        assert!(has_clsact(&pair.host) && filters(&pair.host).contains("tm_egress"), "{}", filters(&pair.host));
        let monitor = Monitor::start(&pair.host, next);
        assert!(
            monitor.messages().contains("removed the filters that an earlier process left behind"),
            "{next:?}: {}",
            monitor.messages()
        );
        assert_eq!(has_clsact(&pair.host), next == CLSACT, "{next:?}");
        if next.contains(&"eth0") {
            monitor.finish(&lookups(&pair, next));
        } else {
            monitor.stop();
        }
        wait_until_nothing_is_attached(&pair, next);
    }
}

#[test]
fn filters_stay_without_the_right_to_remove_them_and_the_start_succeeds() {
    let (pair, copy) = (Pair::new(), Copy::new());
    let Some(first) = start(&pair, CLSACT) else { return };
    kill(first);
    let monitor = Monitor::spawn(&pair.host, copy.unprivileged("-all,+net_raw"), LIBPCAP).wait_until_ready();
    let ended = monitor.finish(&lookups(&pair, LIBPCAP));
    assert!(!ended.messages.contains("filters"), "{}", ended.messages);
    assert!(filters(&pair.host).contains("tm_ingress"));
}

// ---- Other programs ----------------------------------------------------------------------------------------------------

#[test]
fn foreign_clsact_qdisc_stays() {
    let pair = Pair::new();
    tc(&pair.host, &["qdisc", "add", "dev", "eth0", "clsact"]);
    let Some(monitor) = start(&pair, CLSACT) else { return };
    monitor.finish(&lookups(&pair, CLSACT));
    assert!(has_clsact(&pair.host));
    // Also after a kill.
    kill(Monitor::start(&pair.host, CLSACT));
    Monitor::start(&pair.host, LIBPCAP).stop();
    assert!(has_clsact(&pair.host) && filters(&pair.host).is_empty(), "{}", filters(&pair.host));
}

#[test]
fn foreign_filter_on_the_same_qdisc_survives_a_stop_and_a_kill() {
    for hook in ["ingress", "egress"] {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, CLSACT) else { return };
        add_foreign_filter(&pair.host, hook);
        monitor.finish(&lookups(&pair, CLSACT));
        assert!(has_foreign_filter(&pair.host) && !filters(&pair.host).contains("tm_"), "{}", filters(&pair.host));
        kill(Monitor::start(&pair.host, CLSACT));
        Monitor::start(&pair.host, LIBPCAP).stop();
        assert!(has_foreign_filter(&pair.host) && !filters(&pair.host).contains("tm_"), "{}", filters(&pair.host));
    }
}

#[test]
fn own_qdisc_is_still_known_as_own_after_a_kill_under_a_foreign_filter() {
    let pair = Pair::new();
    let Some(first) = start(&pair, CLSACT) else { return };
    add_foreign_filter(&pair.host, "egress");
    kill(first);
    let second = Monitor::start(&pair.host, CLSACT);
    tc(&pair.host, &["filter", "del", "dev", "eth0", "egress", "pref", "7"]);
    second.stop();
    wait_until_nothing_is_attached(&pair, CLSACT);
}

#[test]
fn program_that_another_one_removes_is_attached_again_and_counted() {
    let filter = |pair: &Pair| drop(tc(&pair.host, &["filter", "del", "dev", "eth0", "egress"]));
    let qdisc = |pair: &Pair| drop(tc(&pair.host, &["qdisc", "del", "dev", "eth0", "clsact"]));
    for removed in [filter, qdisc] {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, CLSACT) else { break };
        removed(&pair);
        is_attached_again(&pair, monitor, CLSACT);
    }
    for arguments in [NATIVE, GENERIC, TCX] {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, arguments) else { continue };
        detach_links(&monitor);
        is_attached_again(&pair, monitor, arguments);
    }
}

fn is_attached_again(pair: &Pair, monitor: Monitor<'_>, arguments: &[&str]) {
    monitor.wait_for("it is attached again", |metrics| metrics.value(REATTACHED, &[]) == Some(1));
    assert!(is_attached(pair), "{arguments:?}");
    let ended = monitor.finish(&lookups(pair, arguments));
    let said = ended.messages.matches("another program has removed the kernel's program").count();
    assert_eq!(said, 1, "{arguments:?}: {}", ended.messages);
    wait_until_nothing_is_attached(pair, arguments);
}

/// Detaches the links of the program, as `bpftool link detach` does.
fn detach_links(monitor: &Monitor<'_>) {
    let process = libc::pid_t::try_from(monitor.pid()).unwrap();
    // SAFETY: the calls take no pointers; descriptors that they give have no other owner.
    let owned = |fd: libc::c_long| unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) };
    // SAFETY: as above.
    let pidfd = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) });
    let mut detached = 0;
    for entry in fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
        let path = entry.unwrap().path();
        let is_link = |target: PathBuf| matches!(target.to_str(), Some("anon_inode:bpf_link" | "anon_inode:bpf-link"));
        if !fs::read_link(&path).is_ok_and(is_link) {
            continue;
        }
        let number: i32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        // SAFETY: as above.
        let link = owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) });
        let attributes = [link.as_raw_fd()];
        // SAFETY: the attributes outlive the call, which only reads them.
        let result =
            unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_DETACH, attributes.as_ptr(), size_of_val(&attributes)) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        detached += 1;
    }
    assert!(detached > 0);
}

// ---- Two instances -----------------------------------------------------------------------------------------------------

#[test]
fn second_instance_in_the_same_mode_is_refused_with_the_process_and_disturbs_nothing() {
    for (arguments, way, other) in [(CLSACT, "clsact", "libpcap"), (NATIVE, "XDP", "tc"), (GENERIC, "XDP", "tc")] {
        let pair = Pair::new();
        let Some(first) = start(&pair, arguments) else { continue };
        let before = filters(&pair.host);
        let second = Monitor::spawn_beside(&pair.host, arguments).wait();
        assert_eq!(second.status.code(), Some(1), "{}", second.messages);
        let process = first.pid();
        let reason = format!(
            "eth0: another trafficmonitor (process {process}) is attached by {way}; stop that one, or take -daq {other}"
        );
        assert!(second.messages.contains(&reason), "{}", second.messages);
        assert_eq!(filters(&pair.host), before);
        first.finish(&lookups(&pair, arguments));
        wait_until_nothing_is_attached(&pair, arguments);
    }
}

#[test]
fn start_in_another_mode_leaves_the_filters_of_a_running_instance() {
    let pair = Pair::new();
    let Some(first) = start(&pair, CLSACT) else { return };
    let before = filters(&pair.host);
    for arguments in [LIBPCAP, NATIVE, TCX] {
        let second = Monitor::spawn_beside(&pair.host, arguments).wait_until_ready();
        assert_eq!(filters(&pair.host), before, "{arguments:?}");
        second.stop();
    }
    first.finish(&lookups(&pair, CLSACT));
    wait_until_nothing_is_attached(&pair, CLSACT);
}

#[test]
fn two_instances_with_tcx_count_the_same_packets() {
    let pair = Pair::new();
    let Some(first) = start(&pair, TCX) else { return };
    let second = Monitor::spawn_beside(&pair.host, TCX).wait_until_ready();
    let counted = lookups(&pair, TCX);
    first.finish(&counted);
    second.finish(&counted);
    wait_until_nothing_is_attached(&pair, TCX);
}
