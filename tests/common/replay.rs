//! The program run over captures, and its JSON lines read back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Source, destination, protocol and destination port, as the lines have them.
pub type SeriesKey = (String, String, u64, u64);

/// Packets and IP bytes of a series.
pub type PacketsAndBytes = (u64, u64);

/// The output of a run of the program.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub output: String,
    pub messages: String,
}

/// `trafficmonitor replay` with `arguments`.
pub fn replay<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    finished(program(arguments).stdin(Stdio::null()).output().expect("the program runs"))
}

/// `trafficmonitor replay` with `arguments` and `input` on its standard input.
pub fn replay_reading<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: &[u8]) -> Run {
    let mut command = program(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut standard_input = child.stdin.take().expect("it has a standard input");
    // A program that refuses its input may have gone before it is all written.
    standard_input.write_all(input).ok();
    drop(standard_input);
    finished(child.wait_with_output().expect("the program ends"))
}

fn program<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
    command.arg("replay").args(arguments).env_clear();
    command
}

fn finished(output: Output) -> Run {
    Run {
        status: output.status.code(),
        output: String::from_utf8(output.stdout).expect("the output is UTF-8"),
        messages: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// The JSON lines; fails with the messages when the program did.
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, Some(0), "the program failed: {}", self.messages);
        self.lines_before_the_fault()
    }

    /// The JSON lines of a run that may have failed.
    pub fn lines_before_the_fault(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {line}: {error}"));
        self.output.lines().map(parse).collect()
    }

    /// The last line: frames that are not IP, and the sums by direction.
    pub fn sums(&self) -> Value {
        let last = self.lines_before_the_fault().pop().expect("there is a last line");
        assert!(last.get("non_ip_packets").is_some(), "the last line has no sums: {last}");
        last
    }

    /// Packets and bytes by destination-port key; a series that comes twice fails.
    pub fn series(&self) -> BTreeMap<SeriesKey, PacketsAndBytes> {
        let mut lines = self.lines_before_the_fault();
        lines.pop();
        let mut series = BTreeMap::new();
        for line in lines {
            let twice = series.insert(key(&line), (number(&line, "packets"), number(&line, "bytes")));
            assert!(twice.is_none(), "a series twice: {line}");
        }
        series
    }
}

fn key(line: &Value) -> SeriesKey {
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
    (text("src"), text("dst"), number(line, "proto"), number(line, "dst_port"))
}

/// The number called `name` in a line.
pub fn number(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {line}"))
}
