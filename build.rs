//! Hands the commit that is built to `--version`.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-env-changed=TRAFFICMONITOR_COMMIT");
    let commit = std::env::var("TRAFFICMONITOR_COMMIT").ok().or_else(head_commit);
    println!("cargo:rustc-env=TRAFFICMONITOR_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

/// The short hash of HEAD; nothing outside a git checkout.
fn head_commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let hash = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| hash.trim().to_owned())
}
