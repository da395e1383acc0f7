//! `--drop-packets` does not cut the host off: its gateways in every table, and SSH sessions on every port, with a real
//! server.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::common::monitor::{Monitor, PROGRAM, refused};
use super::common::namespace::{Namespace, wait_for};
use super::kernel::start;
use super::traffic::Pair;

const DROPPING: &[&str] = &["-iface", "eth0", "-daq", "xdp", "--xdp.mode", "generic", "--drop-packets"];

/// The host refuses to drop by this list, with this reason.
#[track_caller]
fn is_refused(host: &Namespace, permitted: &str, reason: &str) {
    let (status, messages) = refused(host, &[DROPPING, &["--policy.permitted", permitted]].concat());
    assert_eq!(status, Some(2), "{messages}");
    assert!(messages.contains(&format!("--drop-packets would cut this host off: {reason}")), "{messages}");
}

#[test]
fn gateways_of_every_hop_and_every_table_have_to_be_permitted() {
    let pair = Pair::new();
    pair.host.ip("route add default nexthop via 10.1.0.2 nexthop via 10.1.0.3");
    is_refused(&pair.host, "10.1.0.2", "the default gateway 10.1.0.3 is not permitted");
    pair.host.ip("route add default via 10.1.0.4 table 100");
    is_refused(&pair.host, "10.1.0.2,10.1.0.3", "the default gateway 10.1.0.4 is not permitted");
    pair.host.ip("nexthop add id 7 via 10.1.0.5 dev eth0");
    pair.host.ip("route add default nhid 7 table 101");
    is_refused(&pair.host, "10.1.0.2,10.1.0.3,10.1.0.4", "the default gateway 10.1.0.5 is not permitted");
    let check = [DROPPING, &["--policy.permitted", "10.1.0.2", "--config.check"]].concat();
    let (status, messages) = refused(&pair.host, &check);
    assert_eq!(status, Some(0), "routes are no fault of the configuration: {messages}");
    for gateway in ["10.1.0.3", "10.1.0.4", "10.1.0.5"] {
        assert!(messages.contains(&format!("the default gateway {gateway} is not permitted; ")), "{messages}");
    }
    assert!(messages.contains("; permit them, or add --force"), "{messages}");
    assert!(messages.contains("(a start would be refused now)"), "{messages}");
    let permitted = ["--policy.permitted", "10.1.0.2/31,10.1.0.4/31"];
    let Some(monitor) = start(&pair, &[DROPPING, &permitted].concat()) else { return };
    assert_eq!(monitor.stop().closing().by_policy, Some(0));
}

#[test]
fn session_in_the_environment_of_a_parent_has_to_be_permitted() {
    let pair = Pair::new();
    let mut command = Command::new("env");
    // The second command keeps the shell from becoming the program.
    let script = "env -i \"$0\" \"$@\"; exit $?";
    command.args(["SSH_CONNECTION=10.1.0.77 50000 10.1.0.1 22", "sh", "-c", script, PROGRAM]);
    let arguments = [DROPPING, &["--policy.permitted", "10.1.0.2"]].concat();
    // The environment of `Monitor` is empty, that of `env` is not.
    let ended = Monitor::spawn(&pair.host, command, &arguments).wait();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.messages);
    let reason = "10.1.0.77, which started this session (SSH_CONNECTION), is not permitted";
    assert!(ended.messages.contains(reason), "{}", ended.messages);
}

#[test]
fn session_from_this_host_cuts_nothing_off() {
    let pair = Pair::new();
    let server = SshServer::start(&pair.host, "10.1.0.1", 2222);
    let session = server.session(&pair.host, "10.1.0.1", 2222);
    let arguments = [DROPPING, &["--policy.permitted", "10.9.0.0/16"]].concat();
    let Some(monitor) = start(&pair, &arguments) else { return };
    monitor.stop();
    drop(session);
    drop(server.stop());
}

#[test]
fn peer_of_a_real_ssh_session_has_to_be_permitted_whatever_its_port() {
    let pair = Pair::new();
    let server = SshServer::start(&pair.host, "10.1.0.1", 2222);
    let permitted = ["--policy.permitted", "10.9.0.0/16"];
    let arguments = [DROPPING, &permitted].concat();
    // A server without a session.
    let Some(monitor) = start(&pair, &arguments) else { return };
    monitor.stop();
    let session = server.session(&pair.other, "10.1.0.1", 2222);
    is_refused(&pair.host, "10.9.0.0/16", "10.1.0.2, which has an SSH session with this host, is not permitted");
    // The session outlives its server: it is found by its own process.
    drop(server.stop());
    is_refused(&pair.host, "10.9.0.0/16", "10.1.0.2, which has an SSH session with this host, is not permitted");
    drop(session);
    let connections = || std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    // 10.1.0.1:2222, established.
    wait_for("the session ends", || {
        (!pair.host.enter(connections).lines().any(|line| line.contains("0100010A:08AE 0200010A:"))).then_some(())
    });
    Monitor::start(&pair.host, &arguments).stop();
}

// ---- A real server -----------------------------------------------------------------------------------------------------

/// A process that ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `sshd`, which root may enter by a key.
struct SshServer {
    process: Process,
    folder: TempDir,
}

/// A file of the packages that `scripts/unpack.sh openssh-server libwrap0` unpacks; they are not installed.
fn unpacked(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(path)
}

impl SshServer {
    /// A server of the host, ready. It needs a user and a directory of its own, which its mount namespace has.
    fn start(host: &Namespace, address: &str, port: u16) -> Self {
        const SCRIPT: &str = "
            cp /etc/passwd passwd && echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >> passwd &&
            mount --bind passwd /etc/passwd && mount -t tmpfs none /run && mkdir /run/sshd && exec \"$0\" \"$@\"";
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let key = folder.path().join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.expect("the tests need ssh-keygen (openssh-client)").success());
        let program = unpacked("usr/sbin/sshd");
        assert!(program.exists(), "run scripts/unpack.sh openssh-server libwrap0");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT]).arg(program);
        command.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string(), "-h"]).arg(&key);
        for setting in [
            &format!("ListenAddress={address}"),
            &format!("AuthorizedKeysFile={}", key.with_extension("pub").display()),
            "PidFile=none",
            "StrictModes=no",
            "PermitRootLogin=yes",
        ] {
            command.args(["-o", setting]);
        }
        // Newer servers have a program for each session, whose place is compiled in.
        for (setting, name) in [("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")] {
            let path = unpacked("usr/lib/openssh").join(name);
            if path.exists() {
                command.args(["-o", &format!("{setting}={}", path.display())]);
            }
        }
        command.current_dir(folder.path()).env("LD_LIBRARY_PATH", unpacked("usr/lib/x86_64-linux-gnu"));
        let mut process = host.enter(|| command.stderr(Stdio::piped()).spawn()).unwrap();
        let mut messages = BufReader::new(process.stderr.take().unwrap());
        let (mut line, mut all) = (String::new(), String::new());
        while !line.contains("Server listening on") {
            line.clear();
            assert!(messages.read_line(&mut line).unwrap() > 0, "sshd has ended: {all}");
            all.push_str(&line);
        }
        // It goes on writing.
        std::thread::spawn(move || std::io::copy(&mut messages, &mut std::io::sink()));
        Self { process: Process(process), folder }
    }

    /// A session from another host: a process that waits there.
    fn session(&self, from: &Namespace, address: &str, port: u16) -> Process {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"]);
        command.arg(self.folder.path().join("key")).args(["-p", &port.to_string(), &format!("root@{address}")]);
        command.arg("echo entered; exec sleep 600").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = from.enter(|| command.spawn()).unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let process = Process(process);
        assert_eq!(line, "entered\n");
        process
    }

    /// Ends the server, not its sessions; gives the folder of its files.
    fn stop(self) -> TempDir {
        drop(self.process);
        self.folder
    }
}
