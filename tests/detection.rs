//! Detection over labelled traffic: scanners are found, other sources are not, by either rule, and the packets alone
//! decide. New traffic is made each time, from a seed that is printed; `DETECTION_SEED` repeats a run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, reason = "seeds and tables are for people that run the tests")]

mod common;

#[path = "detection/alerts.rs"]
mod alerts;
#[path = "detection/benign.rs"]
mod benign;
#[path = "detection/blinding.rs"]
mod blinding;
#[path = "detection/cases.rs"]
mod cases;
#[path = "detection/clocks.rs"]
mod clocks;
#[path = "detection/corpus/mod.rs"]
mod corpus;
#[path = "detection/dice.rs"]
mod dice;
#[path = "detection/evidence.rs"]
mod evidence;
#[path = "detection/groups.rs"]
mod groups;
#[path = "detection/host.rs"]
mod host;
#[path = "detection/judge.rs"]
mod judge;
#[path = "detection/labels.rs"]
mod labels;
#[path = "detection/local.rs"]
mod local;
#[path = "detection/million.rs"]
mod million;
#[path = "detection/page.rs"]
mod page;
#[path = "detection/scanners.rs"]
mod scanners;
#[path = "detection/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use dice::Dice;
use judge::{Found, Score, Scores};
use labels::{Corpus, Kind};

/// Number of scanners of each class on each side of the limits: more than 200 scanners, and as many other sources.
const ROUNDS: usize = 7;
/// Least precision and recall of the rule of evidence.
const PRECISION: f64 = 0.99;
const RECALL: f64 = 0.97;
/// Seconds from the deciding packet to its deadline. (A moment is written in seconds, good to a microsecond.)
const DEADLINE: f64 = 1.000_001;
/// Least share of alerts that name that moment. Where answers came in the rest of the cell, a later packet decides,
/// and names a moment up to a cell later. How often that happens is left to chance: a capture may have three standard
/// errors fewer.
const AT_DEADLINE: f64 = 0.98;
const STANDARD_ERRORS: f64 = 3.0;
const LONGEST_DELAY: f64 = 2.0;

/// A corpus and its capture.
struct Capture {
    seed: u64,
    corpus: Corpus,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Capture {
    fn new(rounds: usize) -> Self {
        let (seed, folder) = (Dice::seed(), tempfile::tempdir().unwrap());
        let corpus = Corpus::new(seed, rounds);
        let file = corpus.traffic.write(folder.path(), "corpus.pcap");
        Self { seed, corpus, file, _folder: folder }
    }

    /// The one that the rules are judged by.
    fn of_all() -> &'static Self {
        static CAPTURE: OnceLock<Capture> = OnceLock::new();
        CAPTURE.get_or_init(|| Self::new(ROUNDS))
    }

    fn says(&self) -> String {
        format!("{} frames, DETECTION_SEED={}", self.corpus.traffic.frames.len(), self.seed)
    }
}

#[test]
fn evidence_finds_scanners_and_no_other_sources() {
    let capture = Capture::of_all();
    let sources = &capture.corpus.sources;
    let found = alerts::found(&alerts::lines(&capture.file, &[]));
    let scores = Scores::of(sources, &found);
    page::show("evidence", &format!("{}\n{}.\n", scores.table(), capture.says()));
    let differences = Scores::differences(sources, &found).join("\n");
    println!("{differences}\n{}", judge::late(sources, &found, DEADLINE).join("\n"));
    let pooled = &scores.pooled;
    assert!(pooled.scanners >= 200 && pooled.benign >= 200, "{} and {}", pooled.scanners, pooled.benign);
    let is_known = |found: &std::net::IpAddr| sources.iter().any(|source| source.host.address == *found);
    let strangers: Vec<_> = found.keys().filter(|(found, _)| !is_known(found)).collect();
    assert!(strangers.is_empty(), "the destination of packets does not scan: {strangers:?}");
    assert!(pooled.precision() >= PRECISION, "precision {:.4}: {differences}", pooled.precision());
    assert!(pooled.recall() >= RECALL, "recall {:.4}: {differences}", pooled.recall());
    assert_eq!(pooled.momentless, 0, "alerts that name a moment at which nothing is proved");
    let longest = pooled.longest_delay().expect("delays");
    assert!(longest <= LONGEST_DELAY, "{longest} s from the deciding packet");
    // Of a block in random order an earlier contact may decide, because a later one joined it to its group.
    let mut in_order = Score::default();
    let classes = scores.classes.iter().filter(|((is_apart, _, class), _)| !is_apart && *class != "block");
    classes.for_each(|(_, score)| in_order.join(score));
    let within = in_order.within(DEADLINE);
    println!("{:.4} of {} alerts within a second of the deciding packet", within, in_order.delays.len());
    let standard_error = (AT_DEADLINE * (1.0 - AT_DEADLINE) / in_order.delays.len() as f64).sqrt();
    let least = AT_DEADLINE - STANDARD_ERRORS * standard_error;
    assert!(within >= least, "{within} within a second of the deciding packet, at least {least}");
}

#[test]
fn rule_of_contacts_finds_exactly_the_sources_that_it_names() {
    let capture = Capture::of_all();
    let found = alerts::found(&alerts::lines(&capture.file, &["--scan.rule", "contacts"]));
    let named = judge::by_contacts(&capture.corpus.traffic.seen);
    page::show("contacts", &format!("{}\n{}.\n", contacts_table(capture, &named, &found), capture.says()));
    let differing = |one: &Found, other: &Found| -> Vec<_> {
        one.iter().filter(|(key, time)| other.get(key) != Some(time)).map(|(key, time)| (*key, *time)).collect()
    };
    assert!(named.len() > 200, "{}", named.len());
    assert_eq!(differing(&named, &found), [], "found otherwise or not at all");
    assert_eq!(differing(&found, &named), [], "found otherwise than named");
}

/// Number of sources of each class that the rule of contacts names, and that were found.
fn contacts_table(capture: &Capture, named: &Found, found: &Found) -> String {
    let mut classes: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    for source in &capture.corpus.sources {
        let row = classes.entry(source.class).or_default();
        row[0] += 1;
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            let key = (source.host.address, kind);
            row[1 + 2 * number] += usize::from(named.contains_key(&key));
            row[2 + 2 * number] += usize::from(found.get(&key).is_some_and(|time| named.get(&key) == Some(time)));
        }
    }
    let own: usize = classes.values().map(|row| row[1] + row[3]).sum();
    let right = found.iter().filter(|(key, time)| named.get(key) == Some(time)).count();
    let mut table = String::from(
        "| class | sources | hosts: by the rule | found at its moment | ports: by the rule | found at its moment |\n\
         |---|---|---|---|---|---|\n",
    );
    for (class, [sources, hosts, found_hosts, ports, found_ports]) in classes {
        table += &format!("| {class} | {sources} | {hosts} | {found_hosts} | {ports} | {found_ports} |\n");
    }
    let others = named.len() - own;
    table += &format!("\nThe hosts that they talk to have {others} more findings by the rule.\n");
    table
        + &format!(
            "In total {} by the rule, {} found, {right} of them correct and at the exact moment.",
            named.len(),
            found.len()
        )
}

#[test]
fn the_same_capture_gives_the_same_bytes_whatever_the_workers() {
    let capture = Capture::new(1);
    for (rule, others) in [("evidence", &["1", "2", "4"][..]), ("contacts", &["4"])] {
        let lines = |workers| alerts::lines(&capture.file, &["--scan.rule", rule, "--workers", workers]);
        let first = lines("1");
        assert!(alerts::fired(&first).len() > 20, "{first}");
        for workers in others {
            assert_eq!(lines(workers), first, "{rule}, {workers} workers");
        }
    }
}
