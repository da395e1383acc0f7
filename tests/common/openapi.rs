//! Answers of the API against `docs/openapi.yaml`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::client::Answer;

/// The complaints of `scripts/openapi.py` about answers, each with `path`, `status` and `body`, and perhaps `type`.
pub fn complaints(answers: &[Value]) -> String {
    let mut checker = Command::new("python3");
    checker.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/openapi.py"));
    checker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checker = checker.spawn().expect("python3 runs");
    let lines: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
    checker.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = checker.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.is_empty(), "python3-jsonschema and python3-yaml are needed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// An error at a path of the description, as [`complaints`] takes it.
pub fn error(path: &str, answer: &Answer) -> Value {
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body.clone()));
    json!({"path": path, "status": answer.status, "type": answer.header("content-type"), "body": body})
}
