//! Right, missing and wrong alerts, counted by class.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::judge::Score;
use super::super::labels::Kind;
use super::super::traffic::Time;
use super::Standing;
use super::cases::Case;

/// The alerts of a case: address and kind with the first moment.
pub type FoundInCase = BTreeMap<(IpAddr, Kind), Time>;

/// Scores by class and in sum.
#[derive(Debug, Default)]
pub struct Tally {
    /// By standing, then scanners before benign classes, then by name.
    pub classes: BTreeMap<(Standing, bool, &'static str), Score>,
    pub pooled: Score,
    /// Each alert that is wrong or missing, in words.
    pub differences: Vec<String>,
}

impl Tally {
    pub fn of<'a>(judged: impl IntoIterator<Item = (&'a Case, &'a FoundInCase)>) -> Self {
        let judged: Vec<_> = judged.into_iter().collect();
        let scanning: BTreeSet<&str> =
            judged.iter().filter(|(case, _)| case.scans()).map(|(case, _)| case.class).collect();
        let mut tally = Self::default();
        for (case, found) in judged {
            let mut score = Score::default();
            tally.differences.extend(add(&mut score, case, found));
            tally.classes.entry((case.standing, !scanning.contains(case.class), case.class)).or_default().join(&score);
            if case.standing == Standing::Pooled {
                tally.pooled.join(&score);
            }
        }
        tally
    }

    /// For people, in Markdown.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| class | scanners | benign | found | missed | wrong | recall | delay, median | delay, 95 % |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for ((standing, _, name), score) in &self.classes {
            let note = if *standing == Standing::Debatable { " (debatable, not in the sum)" } else { "" };
            table += &row(&format!("{name}{note}"), score);
        }
        table += &row("**all**", &self.pooled);
        table + &format!("\nPrecision {:.3}, recall {:.3}.\n", self.pooled.precision(), self.pooled.recall())
    }
}

fn row(name: &str, score: &Score) -> String {
    let seconds = |part| score.delay(part).map_or_else(|| "–".to_owned(), |delay| format!("{delay:.2} s"));
    let recall = if score.scanners > 0 { format!("{:.3}", score.recall()) } else { "–".to_owned() };
    format!(
        "| {name} | {} | {} | {} | {} | {} | {recall} | {} | {} |\n",
        score.scanners,
        score.benign,
        score.right,
        score.missed,
        score.wrong,
        seconds(0.5),
        seconds(0.95),
    )
}

/// Counts a case; gives what is wrong or missing. An alert about a host without a label is wrong.
fn add(score: &mut Score, case: &Case, found: &FoundInCase) -> Vec<String> {
    let mut differences = Vec::new();
    let mut note = |word: &str, role: &str, address: IpAddr, kind: Kind| {
        let Case { class, size, .. } = case;
        differences.push(format!("{word}: {class} {role}, {size:?}, {address} {}", kind.word()));
    };
    for actor in &case.actors {
        let address = actor.host.address;
        if actor.kinds.is_empty() {
            score.benign += 1
        } else {
            score.scanners += 1
        }
        for kind in Kind::ALL {
            match (actor.kinds.contains(&kind), found.get(&(address, kind))) {
                (true, Some(&time)) => {
                    score.right += 1;
                    // Work beside a scan can fail too, and so decide earlier.
                    score.delays.extend(actor.deciding(kind).map(|began| (time - began).max(0) as f64 / 1e9));
                }
                (true, None) => {
                    score.missed += 1;
                    note("missed", actor.role, address, kind);
                }
                (false, Some(_)) => {
                    score.wrong += 1;
                    note("wrong", actor.role, address, kind);
                }
                (false, None) => {}
            }
        }
    }
    for &(address, kind) in found.keys() {
        if !case.actors.iter().any(|actor| actor.host.address == address) {
            score.wrong += 1;
            note("wrong", "(a host without a label)", address, kind);
        }
    }
    differences
}
