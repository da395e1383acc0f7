//! The sandbox as the kernel shows it: capabilities, seccomp, Landlock, and every feature that still works under them.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::spawn;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use tempfile::TempDir;

use super::common::ip::{Ipv4, udp};
use super::common::link::Link;
use super::common::metrics::Packets;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{End, connect, wait_for};
use super::common::savefile::Savefile;
use super::common::webhook::Webhook;
use super::rights::Copy;
use super::traffic::{Pair, send};

const USER: u32 = 65_534;
pub const NET_RAW: u64 = 1 << 13;
const NET_ADMIN: u64 = 1 << 12;
const DAC_OVERRIDE: u64 = 1 << 1;
const SYS_PTRACE: u64 = 1 << 19;
const BPF: u64 = 1 << 39;
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
const PARTS: [&str; 4] = ["capabilities", "no_new_privs", "seccomp", "landlock"];
const CLOSED: &str = "the sandbox is in force";

/// The lines of `/proc/PID/task/*/status`, by the names of the threads.
fn threads(monitor: &Monitor<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", monitor.pid())).unwrap();
    let read = |task: PathBuf| {
        let status = fs::read_to_string(task.join("status")).ok()?;
        let pair = |line: &str| line.split_once(':').map(|(key, value)| (key.to_owned(), value.trim().to_owned()));
        let lines: BTreeMap<_, _> = status.lines().filter_map(pair).collect();
        Some((lines["Name"].clone(), lines))
    };
    tasks.filter_map(|task| read(task.unwrap().path())).collect()
}

fn bits(thread: &BTreeMap<String, String>, set: &str) -> u64 {
    u64::from_str_radix(&thread[set], 16).unwrap()
}

/// Every thread has the filter and no more capabilities than `kept` says; those that are named have these.
pub fn have_only(monitor: &Monitor<'_>, kept: &[(&str, u64)], bounding: u64) {
    let threads = threads(monitor);
    assert!(threads.len() > 8, "{:?}", threads.keys());
    for (name, _) in kept {
        assert!(threads.contains_key(*name), "{name} is not among {:?}", threads.keys());
    }
    for (name, thread) in &threads {
        let capabilities = kept.iter().find(|(known, _)| known == name).map_or(0, |(_, kept)| *kept);
        let found = SETS.map(|set| bits(thread, set));
        assert_eq!(found, [0, capabilities, capabilities, bounding, 0], "{name}");
        let keys = ["NoNewPrivs", "Seccomp", "Seccomp_filters"];
        assert_eq!(keys.map(|key| thread[key].as_str()), ["1", "2", "1"], "{name}");
    }
}

/// The threads of a process that answer clients have a niceness of 10, or that of its main thread if it is higher.
pub fn answering_threads_yield(process: u32) {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let own = niceness(&fs::read_to_string(format!("/proc/{process}/stat")).unwrap());
    let stats = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("stat")).ok());
    let found: Vec<i32> = stats.filter(|stat| stat.contains("(tokio-")).map(|stat| niceness(&stat)).collect();
    assert!(!found.is_empty() && found.iter().all(|niceness| *niceness == own.max(10)), "{own}: {found:?}");
}

/// Field 19 of proc_pid_stat(5); the name of the thread before it may contain blanks.
fn niceness(stat: &str) -> i32 {
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(16).unwrap().parse().unwrap()
}

/// The values of the metric, in the order of [`PARTS`].
fn parts(monitor: &Monitor<'_>) -> [u64; 4] {
    let metrics = monitor.metrics();
    PARTS.map(|part| metrics.value("trafficmonitor_sandbox", &[("part", part)]).unwrap())
}

fn wait_for_line(monitor: &Monitor<'_>, words: &str) {
    let deadline = format!("a line with {words}");
    wait_for(&deadline, || monitor.messages().contains(words).then_some(()));
}

/// A folder that the unprivileged user owns.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        folder.own(folder.path());
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn own(&self, path: &Path) {
        chown(path, Some(USER), Some(USER)).unwrap();
    }

    fn directory(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir(&path).unwrap();
        self.own(&path);
        path
    }

    /// Puts a new file in the place of one, as editors do.
    fn replace(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.path().join(name), self.path().join(format!("{name}.new")));
        fs::write(&new, text).unwrap();
        self.own(&new);
        fs::rename(new, &path).unwrap();
        path
    }
}

/// Answers every question with the name `phone.example`.
fn answer_questions(socket: UdpSocket) {
    spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let mut answer = question[..length].to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            answer.extend_from_slice(b"\xc0\x0c\0\x0c\0\x01\0\0\x01\x2c\0\x0f\x05phone\x07example\0");
            socket.send_to(&answer, from).unwrap();
        }
    });
}

fn configuration(folder: &Folder, permitted: &str) -> String {
    let [events, archive, state] = ["log/events.jsonl", "archive", "state"].map(|name| folder.path().join(name));
    format!(
        "process:\n  sandbox: strict\npolicy:\n  permitted: [{permitted}]\n  events_burst: 100\n  events_per_second: 100\n\
         events:\n  file: {}\n  format: jsonl\n  buffer_size: 0\nevidence:\n  archive_dir: {}\nstate:\n  dir: {}\n\
         names:\n  reverse_dns: true\n  resolver: 10.1.0.2\n\
         notify:\n  receivers:\n  - {{name: hook, type: webhook, url: 'http://localhost:9099/'}}\n",
        events.display(),
        archive.display(),
        state.display()
    )
}

fn send_query(pair: &Pair) {
    let (client, server) = pair.resolver();
    send(&client, &server, Packets::udp(1, 31));
}

/// The text of the files of a folder with this ending.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(end)).collect()
}

#[test]
fn unprivileged_user_has_every_feature_and_keeps_one_capability() {
    let (pair, copy, folder) = (Pair::new(), Copy::new(), Folder::new());
    let (log, archive) = (folder.directory("log"), folder.directory("archive"));
    folder.directory("state");
    let webhook = Webhook::listen(&pair.host, "127.0.0.1:9099");
    answer_questions(pair.other.udp("10.1.0.2:53"));
    let file = folder.replace("monitor.yml", &configuration(&folder, "10.1.0.1"));
    let web = folder.replace("web.yml", "{}\n");
    let [file, web] = [&file, &web].map(|path| path.to_str().unwrap());
    let options = ["-c", file, "--web.config.file", web];
    let monitor = Monitor::spawn(&pair.host, copy.unprivileged("-all,+net_raw"), &options).wait_until_ready();
    wait_for_line(&monitor, CLOSED);
    let kept = [("capture-eth0", NET_RAW), ("supervisor", NET_RAW)];
    have_only(&monitor, &kept, NET_RAW);
    assert_eq!(parts(&monitor), [1; 4]);

    // Events, alerts, evidence, notifications and names.
    let events = log.join("events.jsonl");
    wait_for("an event", || {
        send_query(&pair);
        fs::read_to_string(&events).is_ok_and(|text| text.contains("10.1.0.2")).then_some(())
    });
    wait_for("a notification", || webhook.taken().iter().any(|taken| taken["status"] == "firing").then_some(()));
    wait_for("evidence", || {
        (!files(&archive, ".pcapng.part").is_empty() || !files(&archive, ".pcapng").is_empty()).then_some(())
    });
    wait_for("a name", || {
        let answer = monitor.ask("GET", "/api/v1/hosts?range=5m&limit=1000")?.body;
        answer.contains("phone.example").then_some(())
    });

    // A log that is moved away and reopened at HUP.
    fs::rename(&events, log.join("events.1")).unwrap();
    monitor.signal(libc::SIGHUP);
    wait_for("the log is there again", || {
        send_query(&pair);
        fs::read_to_string(&events).is_ok_and(|text| text.contains("10.1.0.2")).then_some(())
    });

    // Files that are replaced by new ones.
    folder.replace("monitor.yml", &configuration(&folder, "10.1.0.1, 10.1.0.9"));
    monitor.signal(libc::SIGHUP);
    wait_for_line(&monitor, "the configuration was reread and is in force");
    folder.replace("web.yml", "http_server_config:\n  headers:\n    X-Frame-Options: deny\n");
    wait_for_line(&monitor, "the web configuration has changed and is in force");

    // An interface that comes later.
    let (ours, theirs) = (End::new(&pair.host, "eth1", "10.2.0.1/24"), End::new(&pair.other, "eth1", "10.2.0.2/24"));
    connect(&ours, &theirs);
    monitor.wait_until_up("eth1", true);
    let (client, server) = (pair.other.udp("10.2.0.2:40053"), pair.host.udp("10.2.0.1:53"));
    send(&client, &server, Packets::udp(5, 31));
    let frames = [("interface", "eth1")];
    monitor
        .wait_for("its packets", |metrics| metrics.value("trafficmonitor_interface_frames_total", &frames) >= Some(5));
    have_only(&monitor, &[&kept[..], &[("capture-eth1", NET_RAW)]].concat(), NET_RAW);
    assert_eq!(parts(&monitor), [1; 4]);
    let ended = monitor.stop();
    assert!(!files(&archive, ".pcapng").is_empty(), "{}", ended.messages);
}

#[test]
fn event_log_in_a_replaced_directory_is_out_of_reach_and_the_log_says_so() {
    let (pair, folder) = (Pair::new(), Folder::new());
    // They belong to the user of the program.
    let (log, events) = (folder.path().join("log"), folder.path().join("log/events.jsonl"));
    fs::create_dir(&log).unwrap();
    let file = folder.replace("monitor.yml", "policy:\n  permitted: [10.1.0.1]\nevents:\n  format: jsonl\n");
    let options =
        ["-iface", "eth0", "-c", file.to_str().unwrap(), "--sandbox", "strict", "--log-file", events.to_str().unwrap()];
    let monitor = Monitor::spawn(&pair.host, Command::new(PROGRAM), &options).wait_until_ready();
    wait_for_line(&monitor, CLOSED);
    fs::rename(&log, folder.path().join("former")).unwrap();
    fs::create_dir(&log).unwrap();
    wait_for("the failure", || {
        send_query(&pair);
        monitor.messages().contains("the sandbox has only directories in reach").then_some(())
    });
    let former = fs::metadata(folder.path().join("former/events.jsonl")).unwrap().len();
    wait_for("events in the former file", || {
        send_query(&pair);
        (fs::metadata(folder.path().join("former/events.jsonl")).unwrap().len() > former).then_some(())
    });
    let ended = monitor.stop();
    assert!(!ended.messages.contains("events are written to their log again"), "{}", ended.messages);
    assert!(!ended.messages.contains("the event log was reopened"), "{}", ended.messages);
}

#[test]
fn file_outside_of_the_directories_of_the_start_stays_out_of_reach() {
    let (pair, copy, folder, elsewhere) = (Pair::new(), Copy::new(), Folder::new(), Folder::new());
    let text = "policy:\n  permitted: [10.1.0.1]\n";
    let file = folder.replace("monitor.yml", text);
    let options = ["-iface", "eth0", "--sandbox", "strict", "-c", file.to_str().unwrap()];
    let monitor = Monitor::spawn(&pair.host, copy.unprivileged("-all,+net_raw"), &options).wait_until_ready();
    wait_for_line(&monitor, CLOSED);
    let other = elsewhere.replace("monitor.yml", text);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&other, &file).unwrap();
    monitor.signal(libc::SIGHUP);
    wait_for_line(&monitor, "cannot read the configuration: Permission denied");
    fs::remove_file(&file).unwrap();
    folder.replace("monitor.yml", text);
    monitor.signal(libc::SIGHUP);
    wait_for_line(&monitor, "the configuration was reread; it is unchanged");
    monitor.stop();
}

#[test]
fn root_keeps_what_its_way_of_capturing_needs_and_all_with_the_sandbox_off() {
    let pair = Pair::new();
    let start = |options: &[&str]| Monitor::start(&pair.host, &[&["-iface", "eth0"], options].concat());
    let monitor = start(&["--sandbox", "strict"]);
    wait_for_line(&monitor, CLOSED);
    have_only(&monitor, &[("capture-eth0", NET_RAW), ("supervisor", NET_RAW)], NET_RAW);
    // A thread that renders a page starts after the calls are filtered.
    monitor.metrics();
    answering_threads_yield(monitor.pid());
    monitor.stop();

    let monitor = start(&["--sandbox", "off"]);
    wait_for_line(&monitor, "the sandbox is off");
    assert_eq!(parts(&monitor), [0; 4]);
    let own = fs::read_to_string("/proc/self/status").unwrap();
    for (name, thread) in threads(&monitor) {
        assert!(own.contains(&format!("CapEff:\t{}\n", thread["CapEff"])), "{name}");
        assert_eq!((thread["NoNewPrivs"].as_str(), thread["Seccomp"].as_str()), ("0", "0"), "{name}");
    }
    monitor.stop();

    let monitor = start(&["-daq", "tc", "--sandbox", "strict"]);
    wait_for_line(&monitor, CLOSED);
    have_only(&monitor, &[("kernel", NET_ADMIN | BPF)], NET_ADMIN | BPF);
    send_query(&pair);
    monitor.wait_for("its packet", |metrics| metrics.sum("trafficmonitor_traffic_packets_total") > 0);
    monitor.stop();
}

#[test]
fn file_is_read_without_any_capability() {
    let (pair, copy, folder) = (Pair::new(), Copy::new(), Folder::new());
    let frame = Link::ethernet().carrying(&Ipv4::carrying(udp(40_000, 53, &[0; 20])).build());
    let capture = Savefile::new(1).frame(&frame).write(folder.path(), "a.pcap");
    folder.own(&capture);
    let options = ["-r", capture.to_str().unwrap(), "--sandbox", "strict"];
    let monitor = Monitor::spawn(&pair.host, copy.unprivileged("-all"), &options).wait_until_ready();
    wait_for_line(&monitor, CLOSED);
    monitor.wait_for("its packet", |metrics| metrics.sum("trafficmonitor_traffic_packets_total") == 1);
    for (name, thread) in threads(&monitor) {
        assert_eq!(SETS.map(|set| bits(&thread, set)), [0; 5], "{name}");
        assert_eq!(thread["Seccomp"], "2", "{name}");
    }
    monitor.stop();
}

/// A filter around the program that refuses calls with an error, as an older kernel or a container does.
fn refusing(calls: &[i64], error: i32) -> BpfProgram {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(error.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, std::env::consts::ARCH.try_into().unwrap());
    filter.unwrap().try_into().unwrap()
}

#[allow(unsafe_code)]
fn inside(filter: BpfProgram) -> Command {
    let mut command = Command::new(PROGRAM);
    // SAFETY: the filter is made already; to apply it is two system calls.
    unsafe { command.pre_exec(move || seccompiler::apply_filter(&filter).map_err(std::io::Error::other)) };
    command
}

#[test]
fn part_that_the_kernel_refuses_is_named_and_strict_does_not_start_without_it() {
    let pair = Pair::new();
    for (calls, error, index, message) in [
        (&[libc::SYS_landlock_create_ruleset][..], libc::ENOSYS, 3, "this kernel has no Landlock"),
        (&[libc::SYS_landlock_create_ruleset], libc::EOPNOTSUPP, 3, "Landlock is switched off"),
        (&[libc::SYS_landlock_restrict_self], libc::EPERM, 3, "files stay in reach (Landlock)"),
        (&[libc::SYS_seccomp], libc::EPERM, 2, "the kernel takes no filter of system calls"),
        (&[libc::SYS_capset], libc::EPERM, 0, "capabilities are not all given up"),
    ] {
        let filter = refusing(calls, error);
        let monitor = Monitor::spawn(&pair.host, inside(filter.clone()), &["-iface", "eth0"]).wait_until_ready();
        wait_for_line(&monitor, CLOSED);
        assert_eq!(monitor.messages().matches(message).count(), 1, "{}", monitor.messages());
        let mut expected = [1; 4];
        expected[index] = 0;
        assert_eq!(parts(&monitor), expected, "{message}");
        send_query(&pair);
        monitor.wait_for("its packet", |metrics| metrics.sum("trafficmonitor_traffic_packets_total") > 0);
        monitor.stop();

        let strict = ["-iface", "eth0", "--sandbox", "strict"];
        let ended = Monitor::spawn(&pair.host, inside(filter), &strict).wait();
        assert_eq!(ended.status.code(), Some(2), "{}", ended.messages);
        assert!(
            ended.messages.contains("--sandbox=strict: ") && ended.messages.contains(message),
            "{}",
            ended.messages
        );
    }
}

#[test]
fn strict_names_all_parts_that_the_kernel_refuses() {
    let pair = Pair::new();
    let filter = refusing(&[libc::SYS_landlock_create_ruleset, libc::SYS_seccomp], libc::ENOSYS);
    let ended = Monitor::spawn(&pair.host, inside(filter), &["-iface", "eth0", "--sandbox", "strict"]).wait();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.messages);
    let line = ended.messages.lines().find(|line| line.contains("--sandbox=strict: ")).unwrap();
    for part in ["this kernel has no Landlock", "the kernel takes no filter of system calls"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn directory_of_another_user_costs_a_capability_that_is_named() {
    let (pair, folder) = (Pair::new(), Folder::new());
    let archive = folder.directory("archive");
    fs::set_permissions(&archive, PermissionsExt::from_mode(0o700)).unwrap();
    let options = ["-iface", "eth0", "-archive_dir", archive.to_str().unwrap()];
    let monitor = Monitor::start(&pair.host, &options);
    wait_for_line(&monitor, CLOSED);
    let message = format!("CAP_DAC_OVERRIDE stays, because without it this user may not use {}", archive.display());
    assert!(monitor.messages().contains(&message), "{}", monitor.messages());
    let with = NET_RAW | DAC_OVERRIDE;
    let threads = threads(&monitor);
    assert_eq!(bits(&threads["supervisor"], "CapEff"), with);
    assert_eq!(bits(&threads["evidence-writer"], "CapEff"), DAC_OVERRIDE);
    assert_eq!(parts(&monitor), [0, 1, 1, 1]);
    monitor.stop();

    let ended =
        Monitor::spawn(&pair.host, Command::new(PROGRAM), &[&options[..], &["--sandbox", "strict"]].concat()).wait();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.messages);
    assert!(ended.messages.contains(&message), "{}", ended.messages);
}

/// A log is rotated and reopened as a new file of its directory.
#[test]
fn directory_of_another_user_with_the_event_log_costs_a_capability_too() {
    let (pair, folder) = (Pair::new(), Folder::new());
    let logs = folder.directory("logs");
    fs::set_permissions(&logs, PermissionsExt::from_mode(0o755)).unwrap();
    let log = logs.join("events.jsonl");
    let options = ["-iface", "eth0", "--log-format", "jsonl", "--log-file", log.to_str().unwrap()];
    let monitor = Monitor::start(&pair.host, &options);
    wait_for_line(&monitor, CLOSED);
    let message = format!("CAP_DAC_OVERRIDE stays, because without it this user may not use {}", logs.display());
    assert!(monitor.messages().contains(&message), "{}", monitor.messages());
    fs::rename(&log, logs.join("events.jsonl.1")).unwrap();
    monitor.signal(libc::SIGHUP);
    wait_for("the log again", || log.exists().then_some(()));
    monitor.stop();
}

/// The rights of a user other than root come from capabilities too.
#[test]
fn secret_that_only_a_capability_opens_keeps_it() {
    let (pair, copy, folder) = (Pair::new(), Copy::new(), Folder::new());
    let webhook = Webhook::listen(&pair.host, "127.0.0.1:9001");
    let secret = folder.0.path().join("url");
    fs::write(&secret, "http://127.0.0.1:9001/").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let file = folder.0.path().join("t.yml");
    let receiver = format!("{{name: team, type: webhook, url_file: {}}}", secret.display());
    fs::write(&file, format!("bandwidth: {{limit: 50}}\nnotify: {{receivers: [{receiver}]}}\n")).unwrap();
    let command = copy.unprivileged("-all,+net_raw,+dac_read_search");
    let options = ["-iface", "eth0", "-c", file.to_str().unwrap()];
    let monitor = Monitor::spawn(&pair.host, command, &options).wait_until_ready();
    wait_for_line(&monitor, CLOSED);
    let message = format!("CAP_DAC_READ_SEARCH stays, because without it this user may not use {}", secret.display());
    assert!(monitor.messages().contains(&message), "{}", monitor.messages());
    send_query(&pair);
    wait_for("the alert", || (!webhook.requests().is_empty()).then_some(()));
    monitor.stop();
}

#[test]
fn thread_that_finds_processes_keeps_its_sight_and_strict_refuses_it() {
    let (pair, copy) = (Pair::new(), Copy::new());
    let options = ["-iface", "eth0", "--names.processes"];
    let command = || copy.unprivileged("-all,+net_raw,+sys_ptrace,+dac_read_search");
    let monitor = Monitor::spawn(&pair.host, command(), &options).wait_until_ready();
    wait_for_line(&monitor, CLOSED);
    assert!(monitor.messages().contains("as names.processes needs"), "{}", monitor.messages());
    assert_eq!(parts(&monitor), [1, 1, 1, 0]);
    let threads = threads(&monitor);
    assert_ne!(bits(&threads["names"], "CapEff") & SYS_PTRACE, 0);
    assert_eq!(bits(&threads["supervisor"], "CapEff"), NET_RAW);
    // The sockets belong to this process, which is another user's.
    let (client, server) = pair.resolver();
    client.connect("10.1.0.1:53").unwrap();
    server.connect("10.1.0.2:40053").unwrap();
    wait_for("the process is found", || {
        send_to_connected(&client);
        let answer = monitor.ask("GET", "/api/v1/flows?range=5m&limit=1000")?.body;
        answer.contains(&format!("\"pid\":{}", std::process::id())).then_some(())
    });
    monitor.stop();

    let ended = Monitor::spawn(&pair.host, command(), &[&options[..], &["--sandbox", "strict"]].concat()).wait();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.messages);
    assert!(ended.messages.contains("as names.processes needs"), "{}", ended.messages);
}

fn send_to_connected(socket: &UdpSocket) {
    assert_eq!(socket.send(&[0x55; 31]).unwrap(), 31);
}
