//! Tests that run as a process of their own, to be killed or measured.

use std::process::{Child, Command, Stdio};

/// The variable that tells such a test its parameter; without it the test does nothing.
const PARAMETER: &str = "TRAFFICMONITOR_TEST_PARAMETER";

/// Starts a test of this program alone.
pub(super) fn start(test: &str, parameter: &str) -> Child {
    let arguments = ["--exact", test, "--ignored", "--nocapture", "--test-threads=1"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env(PARAMETER, parameter).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The parameter that this process was started with.
pub(super) fn parameter() -> Option<String> {
    std::env::var(PARAMETER).ok()
}

/// Runs a test to its end; gives its output.
#[track_caller]
pub(super) fn output(test: &str, parameter: &str) -> String {
    let output = start(test, parameter).wait_with_output().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{test}: {text}");
    text
}
