//! The words that users read: no private word of this project, no data that is called "who", and one form for all
//! help texts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/grafana.rs"]
mod grafana;

use std::path::{Path, PathBuf};

use grafana::{Dashboard, dashboards, list, text};
use serde_json::Value;
use trafficmonitor::cli::command::SUBCOMMANDS;
use trafficmonitor::cli::options;
use trafficmonitor::export::family::{ALL, HOSTS_SRC_DST, TOTAL_INCOMING, TOTAL_OUTGOING};

/// Words of the code's own vocabulary, and words for people that data are not.
const PRIVATE: &[&str] = &[
    "accountant",
    "accountants",
    "anybody",
    "everybody",
    "heard",
    "heeded",
    "held",
    "ledger",
    "nobody",
    "rested",
    "rests",
    "sieve",
    "shown",
    "somebody",
    "unlike",
    "who",
    "whoever",
    "whom",
];

/// "a" or "an" where English says "per".
const WITHOUT_PER: &[&str] = &[
    "alert an episode",
    "bytes a ",
    "four a core",
    "line a ",
    "one a ",
    "one an ",
    "packets a ",
    "threads an ",
    "values a pair",
    "workers an ",
];

/// The documents for people who run the program.
const FOR_USERS: &[&str] = &[
    "README.md",
    "docs/configuration.md",
    "docs/configuring.md",
    "docs/counting.md",
    "docs/detection.md",
    "docs/event-logs.md",
    "docs/grafana.md",
    "docs/install.md",
    "docs/kubernetes.md",
    "docs/metrics.md",
    "docs/migrating.md",
    "docs/migrating/traffic-monitor-xdp.md",
    "docs/migrating/trafficalerted.md",
    "docs/migrating/trafficmonitor.md",
    "docs/migrating/wherefore.md",
    "docs/notifications.md",
    "docs/operating.md",
    "docs/replay.md",
    "docs/runbooks.md",
    "docs/scaling.md",
    "docs/testing-rules.md",
    "docs/troubleshooting.md",
];

/// Families whose help texts stay as dashboards and other programs know them.
const KEPT: [&str; 3] = [HOSTS_SRC_DST.name, TOTAL_INCOMING.name, TOTAL_OUTGOING.name];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `text` says nothing in private words.
#[track_caller]
fn is_plain(place: &str, text: &str) {
    let lower = text.to_lowercase();
    for word in lower.split(|letter: char| !letter.is_alphabetic()) {
        assert!(!PRIVATE.contains(&word), "{place} says {word:?}: {text}");
    }
    for phrase in WITHOUT_PER {
        assert!(!lower.contains(phrase), "{place} says {phrase:?} where English says per: {text}");
    }
}

#[track_caller]
fn starts_a_sentence(place: &str, text: &str) {
    let first = text.chars().next();
    let starts = first.is_some_and(|first| first.is_uppercase() || first.is_ascii_digit() || first == '{');
    assert!(starts, "{place} does not start with a capital letter: {text}");
}

#[test]
fn private_words_and_missing_pers_are_noticed() {
    for text in ["Flows that are held.", "The ledger.", "Nobody's", "one an episode", "Capture threads an interface"] {
        assert!(std::panic::catch_unwind(|| is_plain("a text", text)).is_err(), "{text}");
    }
    for text in ["The whole threshold.", "Flows currently in the flow table.", "one per episode"] {
        is_plain("a text", text);
    }
}

#[test]
fn metric_help_is_plain_sentences() {
    for family in ALL.iter().filter(|family| !KEPT.contains(&family.name)) {
        is_plain(family.name, family.help);
        starts_a_sentence(family.name, family.help);
        assert!(family.help.ends_with('.'), "{} does not end with a full stop: {}", family.name, family.help);
    }
}

#[test]
fn option_help_is_plain_phrases() {
    let options = options::all().map(|definition| (definition.id(), definition.help));
    let subcommands = SUBCOMMANDS.iter().map(|(name, about)| ((*name).to_owned(), *about));
    for (name, help) in options.chain(subcommands) {
        is_plain(&name, help);
        starts_a_sentence(&name, help);
        assert!(!help.ends_with('.'), "{name} ends with a full stop: {help}");
    }
}

#[test]
fn comments_of_the_example_configuration_are_plain() {
    let example = read(root().join("examples/trafficmonitor.yml"));
    let comments =
        example.lines().enumerate().filter_map(|(line, text)| Some((line + 1, text.trim().strip_prefix('#')?)));
    for (line, comment) in comments {
        is_plain(&format!("examples/trafficmonitor.yml:{line}"), comment);
    }
}

#[test]
fn alert_rules_are_plain_sentences() {
    let rules = read(root().join("alerts.rules.yml"));
    for (line, text) in rules.lines().enumerate() {
        let place = format!("alerts.rules.yml:{}", line + 1);
        is_plain(&place, text);
        if let Some(summary) = text.trim().strip_prefix("summary: ") {
            let summary = summary.trim_matches('\'');
            starts_a_sentence(&place, summary);
            assert!(!summary.ends_with('.'), "{place}: a summary is a headline, without a full stop: {summary}");
        }
    }
}

/// The values of the keys that people read, of all objects in `value`.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member
                    .as_str()
                    .filter(|_| ["title", "description", "displayName", "label"].contains(&key.as_str()))
                {
                    Some(text) => found.push(text.to_owned()),
                    None => texts(member, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn dashboards_are_plain_sentences() {
    for Dashboard { name, json } in dashboards() {
        let mut found = Vec::new();
        texts(&json, &mut found);
        assert!(found.len() > 40, "{name}: {}", found.len());
        found.iter().for_each(|text| is_plain(&name, text));
        for panel in list(&json["panels"]) {
            starts_a_sentence(&name, text(panel, "title"));
        }
    }
}

/// The source files without the files of tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match () {
            () if name.contains("tests") => {}
            () if path.is_dir() => sources(&path, found),
            () if name.ends_with(".rs") => found.push(path),
            () => {}
        }
    }
}

/// The string literals of several words in a source file, up to its tests; a literal that goes on in the next line in pieces.
fn messages(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| text.trim().contains(' ')).collect()
}

#[test]
fn log_lines_errors_and_pages_are_plain() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut count = 0;
    for file in files {
        let place = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        for message in messages(&read(&file)) {
            // The sentence with which the program introduces itself.
            let message = message.replace("who talks to whom", "").replace("Who talks to whom", "");
            // Names of values within a message are the code's.
            let message: String =
                message.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
            is_plain(&place, &message);
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

/// The prose of a document: no code blocks, no tables, nothing in backticks.
fn prose(document: &str) -> impl Iterator<Item = (usize, String)> {
    let mut is_fenced = false;
    let lines = document.lines().enumerate().filter(move |(_, line)| {
        is_fenced ^= line.starts_with("```");
        !is_fenced && !line.starts_with("    ") && !line.starts_with('|')
    });
    lines.map(|(line, text)| (line + 1, text.split('`').step_by(2).collect()))
}

#[test]
fn documents_for_users_are_plain() {
    for name in FOR_USERS {
        for (line, text) in prose(&read(root().join(name))) {
            is_plain(&format!("{name}:{line}"), &text.replace("**who talks to whom", ""));
        }
    }
}
