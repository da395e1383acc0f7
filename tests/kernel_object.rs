//! The committed object of the kernel's program is as new as its sources.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

const HASHES: &str = "ebpf/trafficmonitor.sha256";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of sha256sum: hash by path.
fn committed() -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository().join(HASHES)).unwrap();
    let lines = text.lines().map(|line| line.split_once("  ").unwrap_or_else(|| panic!("no hash and path: {line}")));
    lines.map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect()
}

/// All that the object is made of, and the object.
fn paths() -> Vec<String> {
    let fixed = ["ebpf/Cargo.lock", "ebpf/Cargo.toml", "ebpf/trafficmonitor.o", "scripts/ebpf.sh"];
    let sources = fs::read_dir(repository().join("ebpf/src")).unwrap().map(|entry| {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file(), "scripts/ebpf.sh hashes no folder: {entry:?}");
        format!("ebpf/src/{}", entry.file_name().into_string().unwrap())
    });
    fixed.map(str::to_owned).into_iter().chain(sources).collect()
}

fn hash(path: &str) -> String {
    let bytes = fs::read(repository().join(path)).unwrap();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn object_was_built_from_the_sources_as_they_are() {
    let found: BTreeMap<String, String> = paths().into_iter().map(|path| (path.clone(), hash(&path))).collect();
    let committed = committed();
    let paths: BTreeSet<&String> = found.keys().chain(committed.keys()).collect();
    let changed: Vec<&String> = paths.into_iter().filter(|path| found.get(*path) != committed.get(*path)).collect();
    assert!(changed.is_empty(), "changed since the object was built: {changed:?}; run: make ebpf ARGS=--replace");
}
