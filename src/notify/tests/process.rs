//! Tests that run as a process of their own, to be killed or measured.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The variable that tells such a test its parameter; without it the test does nothing.
const PARAMETER: &str = "TRAFFICMONITOR_TEST_PARAMETER";

/// Starts a test of this program alone.
pub(super) fn start(test: &str, parameter: &str) -> Child {
    start_by(Command::new(std::env::current_exe().unwrap()), test, parameter)
}

/// Starts a test on a file system of its own of so many kilobytes, in this folder. Needs root.
pub(super) fn start_on_disk(kilobytes: u32, folder: &Path, test: &str) -> Child {
    let folder = folder.display();
    let mount = format!("mount -t tmpfs -o size={kilobytes}k tmpfs '{folder}' && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &mount]).arg(std::env::current_exe().unwrap());
    start_by(command, test, &folder.to_string())
}

fn start_by(mut command: Command, test: &str, parameter: &str) -> Child {
    let arguments = ["--exact", test, "--ignored", "--nocapture", "--test-threads=1"];
    command.args(arguments).env(PARAMETER, parameter).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The parameter that this process was started with.
pub(super) fn parameter() -> Option<String> {
    std::env::var(PARAMETER).ok()
}

/// Waits for the end of a test, which must succeed; gives its output.
#[track_caller]
pub(super) fn output(test: Child) -> String {
    let output = test.wait_with_output().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    text
}
