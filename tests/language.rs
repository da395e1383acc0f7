//! The rules of the project's language: doc comments begin with their subject, names of tests are sentences, a type name is
//! unique in the crate, and Markdown is wrapped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use source::{is_word, tokens};

/// The folders with code.
const CODE: [&str; 4] = ["src", "tests", "benches", "examples"];
/// First words of doc comments without a subject.
const HEADLESS: [&str; 6] = ["Who", "What", "Whether", "Nobody", "Those", "Of"];
/// First words of names of functions that are no sentences.
const HEADLESS_NAMES: [&str; 2] = ["who_", "what_"];
/// Each room has settings and errors of its own.
const SHARED: [&str; 2] = ["Config", "Error"];
/// The most characters of a line.
const COLUMNS: usize = 100;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` whose names end in `end`, without hidden folders and those of builds.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.retain(|path| !name(path).starts_with('.') && name(path) != "target" && name(path) != "node_modules");
    let files = entries.into_iter().flat_map(|path| if path.is_dir() { files(&path, end) } else { vec![path] });
    files.filter(|path| name(path).ends_with(end)).collect()
}

/// Checks the text of each file; `check` gives complaints. Fails with all of them.
fn check_all(files: Vec<PathBuf>, least: usize, check: impl Fn(&str) -> Vec<String>) {
    assert!(files.len() >= least, "only {} files", files.len());
    let complaints = files.iter().flat_map(|file| {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        check(&std::fs::read_to_string(file).unwrap()).into_iter().map(move |complaint| format!("{name}: {complaint}"))
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

// ---- The rules -----------------------------------------------------------------------------------------------------------

/// The first lines of doc comments that begin with a headless word.
fn headless_comments(text: &str) -> Vec<String> {
    let mark = |line: &str| ["///", "//!"].into_iter().find(|mark| line.trim_start().starts_with(mark));
    let mut before = None;
    let firsts = text.lines().filter(|line| {
        let present = mark(line);
        std::mem::replace(&mut before, present) != present && present.is_some()
    });
    let is_headless = |line: &&str| {
        let words = line.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        HEADLESS.contains(&words.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default())
    };
    firsts.filter(is_headless).map(|line| line.trim().to_owned()).collect()
}

/// The names of functions that begin with a headless word.
fn headless_names(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let names = tokens.windows(2).filter(|pair| pair[0] == "fn").map(|pair| pair[1].clone());
    names.filter(|name| HEADLESS_NAMES.iter().any(|word| name.starts_with(word))).collect()
}

/// The names of the types that a file defines outside of its tests. Associated types are none.
fn type_names(text: &str) -> Vec<String> {
    let tokens = tokens(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
    let (mut names, mut blocks, mut opens_members) = (Vec::new(), Vec::new(), false);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].as_str());
        let begins_item = matches!(before, "" | ";" | "{" | "}" | "]" | ")" | "pub" | "unsafe");
        let name = tokens.get(at + 1).filter(|name| is_word(name));
        match token.as_str() {
            "{" => blocks.push(std::mem::take(&mut opens_members)),
            "}" => drop(blocks.pop()),
            "impl" if begins_item => opens_members = true,
            "trait" if begins_item => {
                opens_members = true;
                names.extend(name.cloned());
            }
            "struct" | "enum" if begins_item => names.extend(name.cloned()),
            "type" if begins_item && blocks.last() != Some(&true) => names.extend(name.cloned()),
            _ => {}
        }
    }
    names
}

/// Names that several definitions have, with the files.
fn doubled<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (file, text) in files {
        type_names(text).into_iter().for_each(|name| places.entry(name).or_default().push(file));
    }
    let doubled = places.iter().filter(|(name, files)| files.len() > 1 && !SHARED.contains(&name.as_str()));
    doubled.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect()
}

/// The numbers of the lines of Markdown that are too long. Tables, code and lines that begin with a link may be.
fn long_lines(text: &str) -> Vec<String> {
    let is_link = |line: &str| line.trim_start_matches(['-', '*', ' ', '!']).starts_with('[') && line.contains("](");
    let mut is_fenced = false;
    let prose = (1..).zip(text.lines()).filter(|(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !line.starts_with("    ") && !line.starts_with('|') && !is_link(line)
    });
    prose.filter(|(_, line)| line.chars().count() > COLUMNS).map(|(number, _)| format!("line {number}")).collect()
}

// ---- The source, as it is ------------------------------------------------------------------------------------------------

fn code() -> Vec<PathBuf> {
    CODE.iter().flat_map(|folder| files(&root().join(folder), ".rs")).collect()
}

#[test]
fn doc_comments_begin_with_their_subject() {
    check_all(code(), 100, headless_comments);
}

#[test]
fn names_of_tests_are_sentences() {
    check_all(code(), 100, headless_names);
}

#[test]
fn type_names_are_unique_in_the_crate() {
    let texts = files(&root().join("src"), ".rs").into_iter().filter_map(|file| {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        (!name.contains("tests")).then(|| (name, std::fs::read_to_string(&file).unwrap()))
    });
    let texts: Vec<(String, String)> = texts.collect();
    assert!(texts.len() > 100, "{}", texts.len());
    let doubled = doubled(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    assert!(doubled.is_empty(), "\n{}\n", doubled.join("\n"));
}

#[test]
fn markdown_is_wrapped() {
    check_all(files(root(), ".md"), 5, long_lines);
}

// ---- The rules are held --------------------------------------------------------------------------------------------------

#[test]
fn headless_comments_are_refused() {
    for text in [
        "/// Who asks.",
        "//! What it takes.",
        "fn f() {}\n\n    /// Whether it is.\n",
        "/// *Those* of it.",
        "/// Of all.",
    ] {
        assert_eq!(headless_comments(text).len(), 1, "{text}");
    }
    for text in
        ["/// The table.\n/// What comes next.", "// What now?", "/// Whose.", "/// Often.", "let x = \"/// What\";"]
    {
        assert_eq!(headless_comments(text), [""; 0], "{text}");
    }
    assert_eq!(headless_comments("//! The file.\n/// Nobody's.\nstruct S;\n/// Who.\n").len(), 2);
}

#[test]
fn headless_names_are_refused() {
    assert_eq!(
        headless_names("fn who_asks() {} #[test]\nasync fn what_is() {} fn whole() {} // fn what_not()"),
        ["who_asks", "what_is"]
    );
}

#[test]
fn doubled_types_are_refused() {
    let one = "pub struct Row<T>(T); enum Kind { A } impl Iterator for Row<u8> { type Item = u8; fn f() {} } type Error = u8;";
    let other = "trait Kind { type Item; } pub(super) type Row = u8; struct Error; // enum Item {}\n#[cfg(test)]\nmod tests { struct Of; }";
    assert_eq!(type_names(one), ["Row", "Kind", "Error"]);
    assert_eq!(doubled([("a", one), ("b", other), ("c", "struct Of;")]), ["Kind: a, b", "Row: a, b"]);
    assert_eq!(doubled([("a", "struct A; enum A {}")]), ["A: a, a"]);
}

#[test]
fn long_lines_are_refused() {
    let long = "a ".repeat(60);
    let text =
        format!("short\n{long}\n| {long} |\n[{long}](x)\n- [{long}](x)\n\n    {long}\n\n```\n{long}\n```\n{long}\n");
    assert_eq!(long_lines(&text), ["line 2", "line 12"]);
}
