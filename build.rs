//! Hands the commit that is built to `--version`, and its date to the man page; compresses the files of the dashboard.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

/// The files that the dashboard's page loads.
const LOADED: [&str; 3] = ["app.js", "app.css", "icon.svg"];

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-env-changed=TRAFFICMONITOR_COMMIT");
    let commit = std::env::var("TRAFFICMONITOR_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    println!("cargo:rustc-env=TRAFFICMONITOR_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    let date = git(&["show", "-s", "--format=%cs", "HEAD"]);
    println!("cargo:rustc-env=TRAFFICMONITOR_DATE={}", date.unwrap_or_default());
    for name in LOADED {
        let path = format!("web/dist/{name}");
        println!("cargo:rerun-if-changed={path}");
        compress(Path::new(&path), name)?;
    }
    Ok(())
}

/// Writes `name.gz` for `include_bytes!`. It has no time, so that equal files give equal bytes.
fn compress(path: &Path, name: &str) -> std::io::Result<()> {
    let folder = env::var_os("OUT_DIR").ok_or(std::io::ErrorKind::NotFound)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read(path)?)?;
    fs::write(Path::new(&folder).join(format!("{name}.gz")), encoder.finish()?)
}

/// Git's output without the line break; `None` outside a git checkout.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| text.trim().to_owned())
}
