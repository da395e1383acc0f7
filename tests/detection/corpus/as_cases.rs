//! The corpus as a file of cases for `trafficmonitor test`: each case with a capture of its own, and its labels as the
//! expected alerts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::super::common::exporter::program;
use super::super::dice::Dice;
use super::super::labels::Kind;
use super::super::traffic::Traffic;
use super::cases::{Case, Cases, Selection};
use super::scanners;
use super::scene::Actor;

/// Seconds from the deciding packet, by full knowledge, to the latest moment of an alert.
const PATIENCE: f64 = 10.0;

/// Times that each class is tested, in other traffic each time.
const ROUNDS: usize = 3;

/// Classes whose scanners the rule does not find: stated limits.
const LIMITS: [&str; 2] = ["UDP from port 53", "pages of a whole network"];

/// One case in so many may fail: the rule finds nearly all of the other scanners.
const MAY_FAIL: usize = 33;

/// Writes the capture of each case, and the cases as `corpus-ROUND.yml`; gives the name of that file.
fn write(mut cases: Cases, folder: &Path, round: usize) -> String {
    let mut text = String::from("cases:\n");
    for (number, case) in cases.cases.iter().enumerate() {
        let frames: Vec<_> = cases.traffic.frames.drain(..case.frames).collect();
        let first = frames.first().expect("frames").0;
        let capture = format!("{round}-{number:03}.pcap");
        Traffic { frames, ..Traffic::default() }.write(folder, &capture);
        let Case { class, actors, offset, .. } = case;
        writeln!(text, "  - name: {class:?}\n    capture: {capture}\n    alerts:").unwrap();
        let expected = actors.iter().flat_map(|actor| actor.kinds.iter().map(move |kind| (actor, *kind)));
        expected.for_each(|(actor, kind)| text += &expectation(actor, kind, first - offset));
    }
    let name = format!("corpus-{round}.yml");
    std::fs::write(folder.join(&name), text).unwrap();
    name
}

/// An expected alert; `first` is the time of the first packet in the times of the host.
fn expectation(actor: &Actor, kind: Kind, first: i64) -> String {
    let before = actor.deciding(kind).map(|deciding| (deciding - first) as f64 / 1e9 + PATIENCE);
    let before = before.map(|before| format!(", before: {before:.3}")).unwrap_or_default();
    format!("      - {{kind: {}, source: \"{}\"{before}}}\n", kind.word(), actor.host.address)
}

/// The classes that failed in any round, with their differences.
fn failed(output: &str) -> BTreeMap<String, String> {
    let mut failed: BTreeMap<String, String> = BTreeMap::new();
    let mut class = None;
    for line in output.lines() {
        if line.starts_with("  ok    ") {
            class = None;
        } else if let Some(case) = line.strip_prefix("  FAIL  ") {
            class = Some(case.rsplit_once(" (").expect("counts").0.to_owned());
        } else if let (Some(class), true) = (&class, line.starts_with("        ")) {
            *failed.entry(class.clone()).or_default() += &format!("{line}\n");
        }
    }
    failed
}

#[test]
fn scanners_of_the_corpus_pass_as_test_cases() {
    let (seed, kept) = (Dice::seed(), std::env::var_os("CORPUS_FOLDER").map(PathBuf::from));
    let own = tempfile::tempdir().unwrap();
    let folder = kept.as_deref().unwrap_or(own.path());
    let mut dice = Dice::seeded(seed);
    let files = (0..ROUNDS).map(|round| write(Cases::new(dice.next(), Selection::Small, None), folder, round));
    let output = program(["test".to_owned()].into_iter().chain(files)).current_dir(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    let failed = failed(&text);
    let found = || scanners().filter(|class| !LIMITS.contains(&class.name));
    let mut failures = Vec::new();
    for class in found() {
        let ok = text.lines().filter(|line| line.starts_with(&format!("  ok    {} (", class.name))).count();
        let differences = failed.get(class.name).cloned().unwrap_or_default();
        assert!(ok > 0, "{}: none passed, DETECTION_SEED={seed}\n{differences}", class.name);
        failures.extend((ok..ROUNDS).map(|_| format!("{}\n{differences}", class.name)));
    }
    let most = found().count() * ROUNDS / MAY_FAIL;
    assert!(failures.len() <= most, "DETECTION_SEED={seed}: {failures:#?}");
    let unknown = LIMITS.into_iter().find(|name| !scanners().any(|class| class.name == *name));
    assert_eq!(unknown, None, "there is no such class");
}
