//! systemd as process 1 of its own namespaces, with the unit that is shipped.

#![allow(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::client;
use crate::common::monitor::PROGRAM;
use crate::common::namespace::{Namespace, wait_for};

/// The address that the unit serves.
const ADDRESS: &str = "127.0.0.1:8888";
const INIT: &str = "/lib/systemd/systemd";

/// A file of `examples/`.
pub fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file)
}

/// The system, running.
pub struct Booted<'a> {
    namespace: &'a Namespace,
    unshare: Child,
    /// The number of its process 1 outside of it.
    init: u32,
    cgroup: PathBuf,
    _folders: [TempDir; 2],
}

impl<'a> Booted<'a> {
    /// Boots with the unit, these drop-ins, these settings in `/etc/default` and these further files with their modes, in
    /// the network `namespace`; waits until the service is started. None where the kernel does not allow this.
    pub fn start(
        namespace: &'a Namespace,
        drop_ins: &[(&str, &str)],
        settings: &[&str],
        files: &[(&str, &str, u32)],
    ) -> Option<Self> {
        let Some(hierarchy) = cgroup_hierarchy().filter(|_| fs::exists(INIT).unwrap()) else {
            eprintln!("skipped: this machine has no systemd, or no cgroup of version 2");
            return None;
        };
        let cgroup = hierarchy.join(format!("trafficmonitor-{}-{}", std::process::id(), unique()));
        fs::create_dir(&cgroup).unwrap();
        let [scratch, extra] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        lay_out(extra.path(), drop_ins, settings, files);
        let unshare = unshare(namespace, &cgroup, scratch.path(), extra.path());
        let mut booted = Self { namespace, unshare, init: 0, cgroup, _folders: [scratch, extra] };
        booted.init = booted.wait_for_init();
        wait_for("the service is started", || {
            assert_ne!(booted.show("ActiveState"), "failed", "{}", booted.journal());
            booted.is_active().then_some(())
        });
        Some(booted)
    }

    /// Waits until process 1 is systemd, and answers.
    fn wait_for_init(&mut self) -> u32 {
        let number = self.unshare.id();
        wait_for("systemd answers", || {
            if let Some(status) = self.unshare.try_wait().unwrap() {
                panic!("systemd did not boot: {status}");
            }
            let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).ok()?;
            self.init = children.split_whitespace().next()?.parse().ok()?;
            let name = fs::read_to_string(format!("/proc/{}/comm", self.init)).ok()?;
            (name == "systemd\n" && self.run("systemctl show -P Version").starts_with("2")).then_some(self.init)
        })
    }

    /// A process inside.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init.to_string(), "-m", "-p", "-n", "-i", "-u", "-C", "--"]).args(arguments);
        command.stdin(Stdio::null()).stderr(Stdio::null()).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// The output of a shell command inside; empty if it fails.
    pub fn run(&self, line: &str) -> String {
        let output = self.command(&["sh", "-c", line]).output().expect("the tests need nsenter");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A process inside that runs on, as the administrator's.
    pub fn start_process(&self, arguments: &[&str]) -> Running {
        Running(self.command(arguments).stdout(Stdio::null()).spawn().unwrap())
    }

    /// A property of the service.
    pub fn show(&self, property: &str) -> String {
        self.run(&format!("systemctl show -P {property} trafficmonitor")).trim().to_owned()
    }

    pub fn is_active(&self) -> bool {
        self.show("ActiveState") == "active"
    }

    /// The log of the service, and what systemd says about it.
    pub fn journal(&self) -> String {
        self.run("journalctl --no-pager -u trafficmonitor; systemctl status --no-pager trafficmonitor")
    }

    /// The number of the service's process, outside.
    pub fn main_process(&self) -> u32 {
        let inside = self.show("MainPID");
        wait_for("the process of the service", || {
            let all = fs::read_to_string(self.cgroup.join("system.slice/trafficmonitor.service/cgroup.procs")).ok()?;
            let numbers = all.lines().filter_map(|line| line.parse::<u32>().ok());
            numbers.into_iter().find(|number| {
                let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
                status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with(&format!("\t{inside}")))
            })
        })
    }

    /// Waits until `/metrics` has the sample with at least this value.
    pub fn wait_for_metric(&self, sample: &str, least: u64) {
        let page = || self.namespace.enter(|| client::try_request(ADDRESS.parse().unwrap(), "GET", "/metrics")).ok();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = page().map(|answer| answer.body).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse::<f64>().ok());
            if value.is_some_and(|value| value >= least as f64) {
                return;
            }
            assert!(Instant::now() < deadline, "{sample} is {value:?}: {}", self.journal());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Stops the service, which ends as it should.
    pub fn stop(&self) {
        self.run("systemctl stop trafficmonitor");
        let end = ["ActiveState", "Result", "ExecMainStatus"].map(|property| self.show(property));
        assert_eq!(end, ["inactive", "success", "0"], "{}", self.journal());
    }
}

impl Drop for Booted<'_> {
    fn drop(&mut self) {
        // With `unshare`, process 1 is killed, and with it all others.
        self.unshare.kill().ok();
        self.unshare.wait().ok();
        let deadline = Instant::now() + Duration::from_secs(5);
        while fs::exists(&self.cgroup).unwrap_or(false) && Instant::now() < deadline {
            remove_cgroup(&self.cgroup);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A process that is killed at the end.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Removes an empty cgroup with those in it. One with processes stays.
fn remove_cgroup(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path());
        }
    }
    fs::remove_dir(path).ok();
}

fn unique() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The place where the cgroups of version 2 are.
fn cgroup_hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mut lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines.find(|fields| fields.get(2) == Some(&"cgroup2")).map(|fields| PathBuf::from(fields[1]))
}

/// Writes the files that are laid over the root.
fn lay_out(extra: &Path, drop_ins: &[(&str, &str)], settings: &[&str], files: &[(&str, &str, u32)]) {
    let write = |path: &str, text: &str, mode: u32| {
        let path = extra.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let unit = fs::read_to_string(example("trafficmonitor.service")).unwrap();
    write("etc/systemd/system/trafficmonitor.service", &unit, 0o644);
    for (name, text) in drop_ins {
        write(&format!("etc/systemd/system/trafficmonitor.service.d/{name}"), text, 0o644);
    }
    let settings: String = settings.iter().map(|setting| format!("TRAFFICMONITOR_{setting}\n")).collect();
    write("etc/default/trafficmonitor", &settings, 0o644);
    files.iter().for_each(|(path, text, mode)| write(path, text, *mode));
}

fn unshare(namespace: &Namespace, cgroup: &Path, scratch: &Path, extra: &Path) -> Child {
    let boot = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/systemd/boot.sh");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]);
    command.args(["bash", boot]).args([scratch, Path::new(PROGRAM), extra]).stdin(Stdio::null());
    let members = cgroup.join("cgroup.procs");
    // SAFETY: prctl is a system call without pointers here, and the write is one of a few bytes from the stack.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            fs::write(&members, "0")
        });
    }
    namespace.enter(|| command.spawn()).expect("the tests need unshare")
}
