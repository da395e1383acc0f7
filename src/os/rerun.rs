//! Tests that run again, each in a process of its own: to be killed, measured, or put into namespaces of its own. Takes
//! the path of a test and a parameter; gives the process or its output. Must not know what the test does.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The variable with the parameter of such a process.
const PARAMETER: &str = "TRAFFICMONITOR_TEST_PARAMETER";
/// The line by which a test that is to be killed says that its work begins.
pub(crate) const BEGINS: &str = "begins";

/// The parameter of this process; none if it runs all tests.
pub(crate) fn parameter() -> Option<String> {
    std::env::var(PARAMETER).ok()
}

/// The same for a directory.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os(PARAMETER).map(PathBuf::from)
}

/// The path of the test `name` in the module that `module_path!` names.
pub(crate) fn path(module: &str, name: &str) -> String {
    let (_crate, module) = module.split_once("::").unwrap();
    format!("{module}::{name}")
}

/// This program with the one test, behind the words of another program that runs it.
pub(crate) fn behind(words: &[&str], test: &str, parameter: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(words[0]);
    let arguments = ["--exact", test, "--ignored", "--nocapture", "--test-threads=1"];
    command.args(&words[1..]).arg(std::env::current_exe().unwrap()).args(arguments).env(PARAMETER, parameter);
    command
}

/// Starts the test alone.
pub(crate) fn start(test: &str, parameter: impl AsRef<OsStr>) -> Child {
    piped(behind(&["env"], test, parameter))
}

fn piped(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end of the test, which must succeed; gives its output.
#[track_caller]
pub(crate) fn output(test: Child) -> String {
    let output = test.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    text
}

/// Runs the test in namespaces of its own (unshare(1)), after the lines of a shell script. Needs root.
#[track_caller]
pub(crate) fn unshared(namespace: &str, script: &str, test: &str, parameter: impl AsRef<OsStr>) -> String {
    let script: String = script.lines().map(|line| format!("{line} || exit 3\n")).collect();
    let script = format!("{script}exec \"$0\" \"$@\"");
    output(piped(behind(&["unshare", namespace, "sh", "-c", &script], test, parameter)))
}

/// Runs the test with a directory on a disk of so many kilobytes. Needs root.
#[track_caller]
pub(crate) fn on_disk(kilobytes: u32, test: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={kilobytes}k tmpfs \"${PARAMETER}\"");
    unshared("--mount", &mount, test, folder.path())
}

/// Runs the test with a directory until it has said that it [`BEGINS`], and some time more; then kills it.
pub(crate) fn kill_after(time: Duration, test: &str, directory: &Path) {
    struct Killed(Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }
    let mut command = behind(&["env"], test, directory);
    let mut test = Killed(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(test.0.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains(BEGINS)), "the test has begun");
    std::thread::sleep(time);
}
