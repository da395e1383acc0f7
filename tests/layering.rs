//! Reads the source for the two rules that never bend: imports go down only, and each outside crate has one door
//! (ARCHITECTURE.md).
//!
//! Every path in code counts, not only those in `use` lines, and test code counts as well. ARCHITECTURE.md puts `packet`
//! and `services` on one step; here `packet` comes first, because the names are those of its protocols.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use source::{is_word, tokens};

/// The rooms, step by step. A room imports those of earlier steps.
const STEPS: &[&[&str]] = &[
    &["packet"],
    &["os", "tables", "time_grid"],
    &["services"],
    &["capture", "decode", "locality", "policy"],
    &["account", "names"],
    &["detect"],
    &["alert"],
    &["events"],
    &["evidence", "history", "kernel", "notify"],
    &["export"],
    &["http"],
    &["pipeline"],
    &["config"],
    &["cli"],
    &["app"],
];

/// Outside crates, as they are written in code, and the rooms that they may be used in.
const DOORS: &[(&str, &[&str])] = &[
    ("pcap", &["capture"]),
    ("libc", &["os", "capture"]),
    ("landlock", &["os"]),
    ("seccompiler", &["os"]),
    ("lzma_rust2", &["capture"]),
    ("ruzstd", &["capture"]),
    ("netlink_sys", &["capture"]),
    ("netlink_packet_core", &["capture"]),
    ("netlink_packet_route", &["capture"]),
    ("etherparse", &["decode"]),
    ("maxminddb", &["names"]),
    ("simple_dns", &["names"]),
    ("prometheus", &["export"]),
    ("jiff", &["export"]),
    ("hyper", &["notify", "http"]),
    ("hyper_util", &["notify", "http"]),
    ("hyper_rustls", &["notify"]),
    ("rustls", &["notify", "http"]),
    ("tokio_rustls", &["notify", "http"]),
    ("bcrypt", &["http"]),
    ("base64", &["http"]),
    ("x509_parser", &["http"]),
    ("http_body_util", &["notify", "http"]),
    ("crc32fast", &["notify"]),
    ("sha2", &["evidence", "http"]),
    ("aya", &["kernel"]),
    ("csv", &["events"]),
    ("flate2", &["capture", "events", "http"]),
    ("rustix", &["os", "app"]),
    ("sd_notify", &["app"]),
    ("socket2", &["http"]),
    ("tokio", &["notify", "http", "app"]),
    ("serde_saphyr", &["config"]),
    ("strsim", &["config"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("anyhow", &["app"]),
    ("indicatif", &["app"]),
    ("tracing_subscriber", &["app"]),
];

/// Outside crates that give words and tables rather than do something, and may be used anywhere.
const FREE: &[&str] =
    &["arc_swap", "foldhash", "hashbrown", "humantime", "ipnet", "itoa", "serde", "serde_json", "thiserror", "tracing"];

// ---- The source, as it is ------------------------------------------------------------------------------------------------

#[test]
fn imports_go_down_only_and_each_outside_crate_has_one_door() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = source_files(&root);
    assert!(files.len() > 10, "only {} files below {}", files.len(), root.display());
    let violations: Vec<String> = files
        .iter()
        .flat_map(|file| violations(file.strip_prefix(&root).unwrap(), &std::fs::read_to_string(file).unwrap()))
        .collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn the_library_names_its_rooms_in_this_order() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rooms: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let steps: Vec<Option<usize>> = rooms.iter().map(|room| step(room)).collect();
    assert!(steps.iter().all(Option::is_some), "a room without a step: {rooms:?}");
    assert!(steps.is_sorted(), "{rooms:?}");
}

#[test]
fn every_dependency_has_a_door_or_is_free() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let dependencies = dependencies.take_while(|line| !line.starts_with('['));
    for line in dependencies.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split([' ', '=', '.']).next().unwrap().replace('-', "_");
        let known = FREE.contains(&name.as_str()) || DOORS.iter().any(|(door, _)| *door == name);
        assert!(known, "{name}: which room is its door?");
    }
}

#[test]
fn every_guarded_room_and_crate_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for room in STEPS.iter().copied().flatten() {
        let file = root.join(format!("src/{room}.rs"));
        assert!(file.exists() || root.join(format!("src/{room}/mod.rs")).exists(), "there is no room {room}");
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (name, _) in DOORS {
        let is_it = |line: &str| line.split([' ', '=', '.']).next().unwrap().replace('-', "_") == *name;
        assert!(manifest.lines().any(is_it), "there is no dependency {name}");
    }
}

/// A thread gives up its rights where it starts, so that there is one place for that. The trial of the sandbox gives up more
/// and ends.
#[test]
fn threads_start_at_one_place() {
    const PLACES: [&str; 2] = ["app/sandbox/trial.rs", "os/threads.rs"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let starts_thread = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let program = text.split("#[cfg(test)]").next().unwrap().split_whitespace().collect::<String>();
        ["thread::spawn(", "Builder::new().name(", "spawn_scoped("].iter().any(|start| program.contains(start))
    };
    let is_test = |path: &&PathBuf| {
        path.components().any(|part| ["tests", "tests.rs"].map(AsRef::as_ref).contains(&part.as_os_str()))
    };
    let files = source_files(&root);
    let found = files.iter().filter(|path| !is_test(path)).filter(starts_thread);
    let found: Vec<_> = found.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
    assert_eq!(found, PLACES);
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let files = entries.into_iter().flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

// ---- The rules -----------------------------------------------------------------------------------------------------------

/// The place of a room in the order.
fn step(room: &str) -> Option<usize> {
    STEPS.iter().position(|rooms| rooms.contains(&room))
}

/// The rules that the file `path` (below `src/`) breaks.
fn violations(path: &Path, text: &str) -> BTreeSet<String> {
    let module = module_of(path);
    let room = module.first().cloned().unwrap_or_default();
    let complaint = |import: Vec<String>| {
        let broken = match import.first().map(String::as_str) {
            Some("crate") => breaks_order(&room, import.get(1).map_or("", String::as_str)),
            Some(name) => breaks_door(&room, name),
            None => None,
        };
        broken.map(|why| format!("src/{}: {}: {why}", path.display(), import.join("::")))
    };
    paths(&tokens(text), &module).into_iter().filter_map(complaint).collect()
}

/// `main.rs` and `lib.rs` stand above all rooms.
fn breaks_order(room: &str, imported: &str) -> Option<String> {
    let Some(imported_step) = step(imported) else { return Some(format!("`{imported}` is no room")) };
    match step(room) {
        _ if room.is_empty() || room == imported => None,
        Some(step) if imported_step < step => None,
        Some(_) => Some(format!("`{room}` may not import `{imported}`, which is not below it")),
        None => Some(format!("`{room}` is no room")),
    }
}

fn breaks_door(room: &str, name: &str) -> Option<String> {
    let (_, doors) = DOORS.iter().find(|(door, _)| *door == name)?;
    (!doors.contains(&room)).then(|| format!("`{name}` is used behind {}, not in `{room}`", doors.join(", ")))
}

/// `cli/mod.rs` → `[cli]`, `cli/argv.rs` → `[cli, argv]`, `main.rs` → `[]`.
fn module_of(path: &Path) -> Vec<String> {
    let names = path.with_extension("");
    let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| !matches!(name.as_str(), "mod" | "lib" | "main")).collect()
}

// ---- Inside a room -------------------------------------------------------------------------------------------------------

/// An import between two files or folders that stand side by side: the folder, the importer, the imported.
type SiblingImport = (Vec<String>, String, String);

/// The imports between siblings. A folder counts as one, with all files below it; its `mod.rs` stands above them and is no
/// sibling of theirs.
fn sibling_imports(files: &[(Vec<String>, String)]) -> BTreeSet<SiblingImport> {
    let modules: BTreeSet<&Vec<String>> = files.iter().map(|(module, _)| module).collect();
    let is_file = |path: &[String]| modules.contains(&path.to_vec());
    let mut found = BTreeSet::new();
    for (module, text) in files {
        for import in paths(&tokens(text), module) {
            let Some(("crate", path)) = import.split_first().map(|(first, path)| (first.as_str(), path)) else {
                continue;
            };
            let shared = path.iter().zip(module).take_while(|(one, other)| one == other).count();
            if shared > 0 && shared < module.len() && shared < path.len() && is_file(&path[..=shared]) {
                found.insert((module[..shared].to_vec(), module[shared].clone(), path[shared].clone()));
            }
        }
    }
    found
}

/// A circle of siblings, as `folder: one → other → one`, and its last import.
fn circle(imports: &BTreeSet<SiblingImport>) -> Option<(String, SiblingImport)> {
    let mut left = imports.clone();
    // What imports nothing that is left is in no circle.
    loop {
        let importers: BTreeSet<_> = left.iter().map(|(folder, from, _)| (folder.clone(), from.clone())).collect();
        let before = left.len();
        left.retain(|(folder, _, to)| importers.contains(&(folder.clone(), to.clone())));
        if left.len() == before {
            break;
        }
    }
    let (folder, first, _) = left.first()?.clone();
    let mut walk = vec![first];
    loop {
        let last = walk.last()?.clone();
        let import = left.iter().find(|(of, from, _)| *of == folder && *from == last)?;
        let begin = walk.iter().position(|walked| *walked == import.2);
        walk.push(import.2.clone());
        if let Some(begin) = begin {
            return Some((format!("{}: {}", folder.join("/"), walk[begin..].join(" → ")), import.clone()));
        }
    }
}

/// A circle for each import that would have to go.
fn circles(mut imports: BTreeSet<SiblingImport>) -> Vec<String> {
    let mut circles = Vec::new();
    while let Some((text, last)) = circle(&imports) {
        circles.push(text);
        imports.remove(&last);
    }
    circles
}

/// The files without their tests: module and code.
fn production_files() -> Vec<(Vec<String>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        (module_of(path.strip_prefix(&root).unwrap()), code)
    };
    let files = source_files(&root).into_iter().map(read);
    files.filter(|(module, _)| !module.iter().any(|name| name == "tests")).collect()
}

#[test]
fn files_of_a_room_import_each_other_without_circles() {
    let imports = sibling_imports(&production_files());
    assert!(imports.len() > 50, "only {} imports inside rooms", imports.len());
    let circles = circles(imports);
    assert!(circles.is_empty(), "\n{}\n", circles.join("\n"));
}

#[test]
fn circle_of_siblings_is_found() {
    let file = |path: &str, text: &str| (module_of(Path::new(path)), text.to_owned());
    let two = [
        file("http/mod.rs", "mod body; mod slots; use slots::Slots;"),
        file("http/slots.rs", "use super::body::Body; use crate::packet::Frame;"),
        file("http/body/mod.rs", "use super::Config;"),
        file("http/body/chunks.rs", "use crate::http::slots::Slots; use super::Body;"),
    ];
    assert_eq!(circles(sibling_imports(&two)), ["http: body → slots → body"]);
    assert!(circles(sibling_imports(&two[..3])).is_empty());
}

// ---- Tokens → paths ------------------------------------------------------------------------------------------------------

/// Every path in the code of `module`: from the crate's root, as `crate::…`, or from an outside crate.
fn paths(tokens: &[String], module: &[String]) -> Vec<Vec<String>> {
    let mut reader = Reader { tokens, at: 0, module: module.to_vec(), found: Vec::new() };
    let mut blocks = Vec::new();
    while let Some(token) = reader.token(0) {
        let opens_module = token == "mod" && reader.token(2) == Some("{");
        match token {
            "mod" if opens_module => reader.module.push(tokens[reader.at + 1].clone()),
            "}" if blocks.pop() == Some(true) => drop(reader.module.pop()),
            _ if reader.starts_path() => {
                reader.tree(&[]);
                continue;
            }
            _ => {}
        }
        if opens_module || token == "{" {
            blocks.push(opens_module);
        }
        reader.at += if opens_module { 3 } else { 1 };
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
    /// The module at this place.
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl<'a> Reader<'a> {
    /// The token so far ahead.
    fn token(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).map(String::as_str)
    }

    fn before(&self, distance: usize) -> &'a str {
        self.at.checked_sub(distance).map_or("", |at| &self.tokens[at])
    }

    /// True before the name that `use` or `extern crate` names, and before a word that `::` follows; fields and
    /// methods are none.
    fn starts_path(&self) -> bool {
        let Some(token) = self.token(0) else { return false };
        match self.before(1) {
            "use" => is_word(token) || matches!(token, "{" | "::"),
            "crate" if self.before(2) == "extern" => is_word(token),
            "." => false,
            _ => is_word(token) && self.token(1) == Some("::"),
        }
    }

    /// Reads one path, or those of a group, behind `prefix`.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        while let Some(token) = self.token(0) {
            match token {
                "::" => {}
                "{" => return self.group(&path),
                "*" => path.push("*".to_owned()),
                word if is_word(word) => path.push(word.to_owned()),
                _ => break,
            }
            self.at += 1;
            if token != "::" && self.token(0) != Some("::") {
                break;
            }
        }
        self.found.push(resolved(path, &self.module));
        if self.token(0) == Some("as") {
            self.at += 2;
        }
    }

    fn group(&mut self, prefix: &[String]) {
        self.at += 1;
        while let Some(token) = self.token(0).filter(|token| *token != "}") {
            match token {
                "{" | "::" | "*" => self.tree(prefix),
                word if is_word(word) => self.tree(prefix),
                _ => self.at += 1,
            }
        }
        self.at += 1;
    }
}

/// The path from the crate's root; `self` and `super` lead there by way of `module`.
fn resolved(mut path: Vec<String>, module: &[String]) -> Vec<String> {
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let climbs = path.iter().take_while(|word| matches!(word.as_str(), "super" | "self")).count();
    if climbs == 0 {
        return path;
    }
    let levels = path[..climbs].iter().filter(|word| *word == "super").count();
    let above = &module[..module.len().saturating_sub(levels)];
    [&["crate".to_owned()], above, &path[climbs..]].concat()
}

// ---- The rules are held --------------------------------------------------------------------------------------------------

fn complaints(path: &str, text: &str) -> Vec<String> {
    violations(Path::new(path), text).into_iter().collect()
}

#[track_caller]
fn is_refused(path: &str, text: &str, import: &str) {
    let complaints = complaints(path, text);
    assert!(complaints.iter().any(|complaint| complaint.contains(&format!(": {import}: "))), "{text}: {complaints:?}");
    assert_eq!(complaints.len(), 1, "{text}: {complaints:?}");
}

#[test]
fn an_import_from_above_or_beside_is_refused() {
    is_refused("decode/mod.rs", "use crate::account::Ledger;", "crate::account::Ledger");
    is_refused("decode/mod.rs", "use crate::capture::Error;", "crate::capture::Error");
    is_refused("packet.rs", "use crate::services::service_name;", "crate::services::service_name");
    is_refused("export/text.rs", "fn f() { let x = crate::http::Config::default(); }", "crate::http::Config::default");
    is_refused("export/text.rs", "pub(crate) fn f(a: crate::cli::Usage) {}", "crate::cli::Usage");
    is_refused("export/text.rs", "macro_rules! m { () => { $crate::app::main() } }", "crate::app::main");
    is_refused("export/text.rs", "/// See [`crate::app`].\nuse crate::app as x;", "crate::app");
    is_refused("export/text.rs", "const C: char = '\"'; use crate::app::main; // \"", "crate::app::main");
    is_refused("export/text.rs", "#[cfg(test)] mod tests { use crate::app::main; }", "crate::app::main");
}

#[test]
fn groups_are_read_to_their_ends() {
    is_refused("decode/ip.rs", "use crate::{packet::{Frame, Packet}, http};", "crate::http");
    is_refused("decode/ip.rs", "use crate::{packet::*, {account::{flow::Key as K}}};", "crate::account::flow::Key");
    is_refused("decode/ip.rs", "use {crate::packet, tokio as t};", "tokio");
    is_refused("decode/ip.rs", "use crate::{packet as p, config as c};", "crate::config");
}

#[test]
fn paths_that_climb_out_of_a_room_are_seen() {
    is_refused("decode/ip.rs", "use super::super::account::Ledger;", "crate::account::Ledger");
    is_refused("decode/mod.rs", "use super::{packet::Frame, http};", "crate::http");
    is_refused("decode/ip.rs", "mod a { mod b { use super::super::super::super::http; } }", "crate::http");
    is_refused("locality.rs", "fn f() { self::super::app::main() }", "crate::app::main");
}

#[test]
fn a_whole_crate_cannot_be_imported() {
    for text in ["use crate::*;", "use crate as x;", "use crate::{self as x};", "use super::*;"] {
        assert_eq!(complaints("packet.rs", text).len(), 1, "{text}");
    }
}

#[test]
fn an_outside_crate_behind_a_second_door_is_refused() {
    is_refused("account/mod.rs", "use tokio::sync::mpsc;", "tokio::sync::mpsc");
    is_refused("account/mod.rs", "fn f() { ::pcap::Capture::from_device(\"lo\"); }", "pcap::Capture::from_device");
    is_refused("account/mod.rs", "extern crate pcap;", "pcap");
    is_refused("account/mod.rs", "use clap as c;", "clap");
    is_refused("account/mod.rs", "#[derive(clap::Parser)] struct S;", "clap::Parser");
    is_refused("main.rs", "#[tokio::main] async fn main() {}", "tokio::main");
    is_refused("http/mod.rs", "use prometheus::{Registry};", "prometheus::Registry");
}

#[test]
fn allowed_imports_pass() {
    for (path, text) in [
        ("decode/ip.rs", "use super::{Cursor, NotIp}; use crate::packet::{self, Frame}; use etherparse::LaxIpv4Slice;"),
        ("decode/ip.rs", "#[cfg(test)] mod tests { use super::super::link; use super::*; use crate::decode::ip; }"),
        (
            "decode/ip.rs",
            "// use crate::http;\n/* use /* crate::app; */ tokio::net; */ const T: &str = \"crate::http::x\";",
        ),
        (
            "decode/ip.rs",
            "const R: &str = r#\"a\" crate::http\"#; const B: &[u8] = b\"tokio::x\"; fn f<'a>(x: &'a u8) {}",
        ),
        ("decode/ip.rs", "fn f(x: X) { x.tokio(); x.pcap.clap; let pcap = 5; r#type::x(); other::tokio::x() }"),
        ("app/mod.rs", "use crate::{capture, cli, http}; fn f() { tokio::select! {} }"),
        ("services/mod.rs", "pub(in crate::services) use crate::packet::Protocol;"),
        ("main.rs", "fn main() { trafficmonitor::app::main() }"),
    ] {
        assert!(complaints(path, text).is_empty(), "{:?}", complaints(path, text));
    }
}

#[test]
fn a_file_of_no_room_is_refused() {
    is_refused("helpers/mod.rs", "use crate::packet::Frame;", "crate::packet::Frame");
    is_refused("app/mod.rs", "use crate::helpers::help;", "crate::helpers::help");
}
