//! Hands the commit that is built to `--version`, and its date to the man page.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-env-changed=TRAFFICMONITOR_COMMIT");
    let commit = std::env::var("TRAFFICMONITOR_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    println!("cargo:rustc-env=TRAFFICMONITOR_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    let date = git(&["show", "-s", "--format=%cs", "HEAD"]);
    println!("cargo:rustc-env=TRAFFICMONITOR_DATE={}", date.unwrap_or_default());
}

/// Git's output without the line break; `None` outside a git checkout.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| text.trim().to_owned())
}
