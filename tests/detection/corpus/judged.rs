//! The program run over the corpus, the days and the damaged captures, each once for all tests.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::super::alerts;
use super::super::dice::Dice;
use super::cases::{Case, Cases, Selection};
use super::damage::Damage;
use super::scene::Actor;
use super::tally::{FoundInCase, Tally};

/// The number of times that each class is in the corpus in each size. Four give it twelve cases.
fn rounds() -> usize {
    std::env::var("CORPUS_ROUNDS").map_or(2, |rounds| rounds.parse().expect("CORPUS_ROUNDS is a number"))
}

/// Cases with what fired in each of them.
pub struct Judged {
    pub seed: u64,
    pub cases: Cases,
    found: Vec<FoundInCase>,
}

impl Judged {
    fn new(seed: u64, selection: Selection, damage: Option<Damage>) -> Self {
        let mut cases = Cases::new(seed, selection, damage);
        let folder = tempfile::tempdir().unwrap();
        let kept = std::env::var_os("CORPUS_FOLDER").map(PathBuf::from);
        let name = damage.map_or_else(|| format!("{selection:?}.pcap"), |damage| format!("{damage:?}.pcap"));
        let file = cases.traffic.write(kept.as_deref().unwrap_or(folder.path()), &name);
        std::fs::write(file.with_extension("labels"), labels(&cases.cases)).unwrap();
        cases.traffic.frames = Vec::new();
        let found = cases.by_case(&alerts::fired(&alerts::lines(&file, &[])));
        Self { seed, cases, found }
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&Case, &FoundInCase)> {
        self.cases.cases.iter().zip(&self.found)
    }

    pub fn frames(&self) -> usize {
        self.cases.cases.iter().map(|case| case.frames).sum()
    }
}

/// The corpus with an empty memory, and the cases with hosts that asked before.
pub struct Run {
    pub empty: Judged,
    pub known: Judged,
}

impl Run {
    pub fn shared() -> &'static Self {
        static RUN: OnceLock<Run> = OnceLock::new();
        RUN.get_or_init(|| {
            let (seed, rounds) = (Dice::seed(), rounds());
            let empty = Judged::new(seed, Selection::All(rounds), None);
            Self { empty, known: Judged::new(seed, Selection::Known(rounds), None) }
        })
    }

    pub fn with_empty_memory(&self) -> Tally {
        Tally::of(self.empty.pairs())
    }

    pub fn with_pollers_known(&self) -> Tally {
        Tally::of(self.empty.pairs().filter(|(case, _)| !case.has_past).chain(self.known.pairs()))
    }
}

/// The days, judged once.
pub fn judged_days() -> &'static Judged {
    static DAYS: OnceLock<Judged> = OnceLock::new();
    DAYS.get_or_init(|| Judged::new(Dice::seed(), Selection::Days, None))
}

/// The small cases of all classes, as they are and damaged.
pub struct Damaged {
    pub whole: Tally,
    pub by_damage: Vec<(Damage, Tally)>,
}

impl Damaged {
    /// Judged once, in each way of damage.
    pub fn shared() -> &'static Self {
        static DAMAGED: OnceLock<Damaged> = OnceLock::new();
        DAMAGED.get_or_init(|| {
            let seed = Dice::seed();
            let tally = |damage| Tally::of(Judged::new(seed, Selection::Small, damage).pairs());
            let by_damage = Damage::ALL.into_iter().map(|damage| (damage, tally(Some(damage)))).collect();
            Self { whole: tally(None), by_damage }
        })
    }
}

/// The labels of a capture, one host per line: when its case begins, class, size, role, address and expected alerts.
fn labels(cases: &[Case]) -> String {
    let line = |case: &Case, actor: &Actor| {
        let kinds: Vec<&str> = actor.kinds.iter().map(|kind| kind.word()).collect();
        let (begin, address, kinds) = (case.begin / 1_000_000_000, actor.host.address, kinds.join(" "));
        let Case { class, standing, size, .. } = case;
        format!("{begin}\t{class}\t{standing:?}\t{size:?}\t{}\t{address}\t{kinds}\n", actor.role)
    };
    cases.iter().flat_map(|case| case.actors.iter().map(move |actor| line(case, actor))).collect()
}
