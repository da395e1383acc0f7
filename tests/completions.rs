//! Completion in real shells: keys are sent to bash and zsh on a terminal, fish is asked for its completions.

#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// Keys before the tab, and the last word of the line behind it.
const COMPLETED: [(&str, &str); 26] = [
    ("trafficmonitor -ifac", "-iface"),
    ("trafficmonitor --ifac", "--iface"),
    ("trafficmonitor --interf", "--interface"),
    ("trafficmonitor -promis", "-promisc"),
    ("trafficmonitor -iface l", "lo"),
    ("trafficmonitor -i l", "lo"),
    ("trafficmonitor -iface=l", "-iface=lo"),
    ("trafficmonitor -i lo,an", "lo,any"),
    ("trafficmonitor -flow-key d", "dst-port"),
    ("trafficmonitor --flow-key=d", "--flow-key=dst-port"),
    ("trafficmonitor -anom_methods diff,fe", "diff,fence"),
    ("trafficmonitor -c set", "settings.yml"),
    ("trafficmonitor --config.file=set", "--config.file=settings.yml"),
    ("trafficmonitor rep", "replay"),
    ("trafficmonitor -i lo rep", "replay"),
    ("trafficmonitor replay off", "office.pcap"),
    ("trafficmonitor replay -outp", "-output"),
    ("trafficmonitor replay office.pcap -output j", "jsonl"),
    ("trafficmonitor te", "test"),
    ("trafficmonitor test set", "settings.yml"),
    ("trafficmonitor test settings.yml -jun", "-junit"),
    ("trafficmonitor an", "analyze"),
    ("trafficmonitor analyze settings.yml -format c", "csv"),
    ("trafficmonitor interfaces -Excl", "-ExcludedInterfaces"),
    ("trafficmonitor -promHTTP localhost:88 -ifac", "-iface"),
    ("trafficmonitor tcp port 80 -ifac", "-iface"),
];

/// Options that a subcommand does not use.
const NOT_COMPLETED: [&str; 3] =
    ["trafficmonitor interfaces -promH", "trafficmonitor man -ifac", "trafficmonitor replay a -promisc"];

/// A folder with the files that are completed, and the shell's script in `completion`.
fn folder(shell: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["office.pcap", "settings.yml"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let script = Command::new(env!("CARGO_BIN_EXE_trafficmonitor")).args(["completions", shell]).output().unwrap();
    assert!(script.status.success(), "{script:?}");
    fs::write(folder.path().join("completion"), script.stdout).unwrap();
    folder
}

/// A shell of that name without any configuration.
fn shell(name: &str, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(folder).env_clear();
    command.envs([("PATH", "/usr/bin:/bin"), ("TERM", "dumb"), ("PS1", "> ")]).env("HOME", folder);
    command
}

// ---- A shell on a terminal -----------------------------------------------------------------------------------------------

/// A shell on a terminal of its own; killed when it is dropped.
struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shell: Child,
}

impl Terminal {
    /// Starts the shell and has it run `setup`, which binds `^Xq` to print the line between `<<` and `>>`.
    fn start(mut command: Command, setup: &str) -> Self {
        let (keyboard, inside) = terminal();
        let end = || Stdio::from(inside.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: system calls with no memory of this process, safe between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let name = command.get_program().to_owned();
        let shell =
            command.spawn().unwrap_or_else(|error| panic!("{name:?}: {error}; scripts/install.sh test installs it"));
        let screen = read_all(keyboard.try_clone().unwrap());
        let mut terminal = Self { keyboard, screen, shell };
        // The echo of the command holds quotes where its output has none.
        terminal.type_keys(&format!("{setup}; echo rea''dy\n"));
        terminal.wait_for("the shell is ready", |shown| shown.contains("ready").then_some(()));
        terminal
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// The line as it is after a tab behind `typed`.
    fn completed(&mut self, typed: &str) -> String {
        self.type_keys(&format!("{typed}\t\u{18}q"));
        let line = self.wait_for(typed, |shown| {
            let (_, from) = shown.split_once("<<")?;
            from.split_once(">>").map(|(line, _)| line.to_owned())
        });
        self.type_keys("\u{15}");
        line
    }

    fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&shown).into_owned();
            if let Some(found) = find(&text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            shown.extend(self.screen.recv_timeout(left).unwrap_or_else(|_| panic!("{what}: not in time: {text:?}")));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}

/// Both ends of a terminal that is wide enough to wrap no line.
fn terminal() -> (File, OwnedFd) {
    let (mut outside, mut inside) = (-1, -1);
    let size = libc::winsize { ws_row: 50, ws_col: 400, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointers are to variables of this function; the descriptors are new and owned by nothing else.
    unsafe {
        let made =
            libc::openpty(&raw mut outside, &raw mut inside, std::ptr::null_mut(), std::ptr::null(), &raw const size);
        assert_eq!(made, 0, "no terminal: {}", std::io::Error::last_os_error());
        (File::from_raw_fd(outside), OwnedFd::from_raw_fd(inside))
    }
}

fn read_all(mut screen: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = screen.read(&mut bytes) {
            if sender.send(bytes[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Types each line and compares its last word; an end that the shell takes back by itself (`=`, `,`) aside.
fn completes_on(mut terminal: Terminal) {
    for (typed, expected) in COMPLETED {
        let line = terminal.completed(typed);
        let last = line.trim_end().rsplit(' ').next().unwrap_or_default();
        assert_eq!(last.trim_end_matches(['=', ',']), expected, "{typed}: {line:?}");
    }
    for typed in NOT_COMPLETED {
        assert_eq!(terminal.completed(typed), typed);
    }
}

#[test]
fn bash_completes_options_behind_one_dash_and_values() {
    let folder = folder("bash");
    let setup = "source ./completion; bind -x '\"\\C-xq\": printf \"<<%s>>\\n\" \"$READLINE_LINE\"'";
    completes_on(Terminal::start(shell("bash", &["--norc", "--noprofile", "-i"], folder.path()), setup));
}

/// Many people take `=` out of the characters that part words.
#[test]
fn bash_completes_values_behind_an_equals_sign_that_parts_no_words() {
    let folder = folder("bash");
    let setup = "COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]}; source ./completion; \
                 bind -x '\"\\C-xq\": printf \"<<%s>>\\n\" \"$READLINE_LINE\"'";
    completes_on(Terminal::start(shell("bash", &["--norc", "--noprofile", "-i"], folder.path()), setup));
}

#[test]
fn zsh_completes_options_behind_one_dash_and_values() {
    let folder = folder("zsh");
    let setup = "autoload -U compinit; compinit -u -D; source ./completion; \
                 q() { print -r \"<<$BUFFER>>\" }; zle -N q; bindkey '^Xq' q; bindkey '^U' kill-whole-line";
    completes_on(Terminal::start(shell("zsh", &["-f", "-i"], folder.path()), setup));
}

/// Installed, it is a file of that name in a folder of functions.
#[test]
fn zsh_loads_the_script_from_a_folder_of_functions() {
    let folder = folder("zsh");
    fs::create_dir(folder.path().join("functions")).unwrap();
    fs::rename(folder.path().join("completion"), folder.path().join("functions/_trafficmonitor")).unwrap();
    let setup = "fpath=(./functions $fpath); autoload -U compinit; compinit -u -D; \
                 q() { print -r \"<<$BUFFER>>\" }; zle -N q; bindkey '^Xq' q; bindkey '^U' kill-whole-line";
    let mut terminal = Terminal::start(shell("zsh", &["-f", "-i"], folder.path()), setup);
    for typed in ["trafficmonitor -ifac", "trafficmonitor --scan.rule=e"] {
        assert_ne!(terminal.completed(typed), typed);
        assert_ne!(terminal.completed(typed), typed, "a second time");
    }
}

// ---- fish ----------------------------------------------------------------------------------------------------------------

/// The completions that fish offers for the last word of the line.
fn offered_by_fish(folder: &Path, line: &str) -> Vec<String> {
    let mut fish = shell("fish", &["--no-config", "-c", "source ./completion; complete -C $argv[1]", line], folder);
    let output = fish.output().unwrap_or_else(|error| panic!("fish: {error}; scripts/install.sh test installs it"));
    assert!(output.stderr.is_empty(), "{line}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn fish_completes_options_behind_one_dash_and_values() {
    let folder = folder("fish");
    for (typed, expected) in COMPLETED {
        assert_eq!(offered_by_fish(folder.path(), typed), [expected], "{typed}");
    }
    for typed in NOT_COMPLETED {
        assert_eq!(offered_by_fish(folder.path(), typed), [""; 0], "{typed}");
    }
}

#[test]
fn the_scripts_look_for_interfaces_when_they_complete() {
    for shell in ["bash", "zsh", "fish"] {
        let folder = folder(shell);
        let script = fs::read_to_string(folder.path().join("completion")).unwrap();
        assert!(script.contains("/sys/class/net/*") && script.contains("web.config.file"), "{shell}");
    }
}
