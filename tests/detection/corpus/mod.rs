//! The labelled corpus: benign hosts and scanners by class and size, each case alone in its part of a capture.
//!
//! `cargo test --test detection -- corpus --show-output` prints what is found by class. A new seed is drawn for each run
//! and printed. Environment variables change a run: `DETECTION_SEED` repeats it, `CORPUS_ROUNDS` makes it longer,
//! `CORPUS_CLASS` takes only classes whose names contain its text, and `CORPUS_FOLDER` keeps the captures
//! and their labels, and one capture per case with files of cases for `trafficmonitor test`.

mod as_cases;
mod blinded;
mod cases;
mod clients;
mod damage;
mod days;
mod goals;
mod hidden;
mod judged;
mod lan;
mod overlays;
mod peers;
mod pollers;
mod probes;
mod scene;
mod servers;
mod sweeps;
mod tally;
mod tests;
mod wire;

use scene::Scene;

/// The way in which the sources of a class count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// In the sums.
    Pooled,
    /// Apart: what they are can be argued about.
    Debatable,
}

/// A class of cases.
#[derive(Debug, Clone, Copy)]
struct Class {
    name: &'static str,
    act: fn(&mut Scene),
    standing: Standing,
    /// The version of IP, if only one will do.
    version: Option<u8>,
}

const fn pooled(name: &'static str, act: fn(&mut Scene)) -> Class {
    Class { name, act, standing: Standing::Pooled, version: None }
}

const fn pooled_v4(name: &'static str, act: fn(&mut Scene)) -> Class {
    Class { version: Some(4), ..pooled(name, act) }
}

const fn pooled_v6(name: &'static str, act: fn(&mut Scene)) -> Class {
    Class { version: Some(6), ..pooled(name, act) }
}

const fn debatable(name: &'static str, act: fn(&mut Scene)) -> Class {
    Class { standing: Standing::Debatable, ..pooled(name, act) }
}

/// Classes whose hosts must stay silent.
fn benign() -> impl Iterator<Item = Class> {
    pollers::CLASSES
        .into_iter()
        .chain(lan::CLASSES)
        .chain(clients::CLASSES)
        .chain(servers::CLASSES)
        .chain(peers::CLASSES)
        .chain(overlays::CLASSES)
        .chain(hidden::DISTRIBUTED)
}

/// Classes with hosts that must be found.
fn scanners() -> impl Iterator<Item = Class> {
    sweeps::CLASSES.into_iter().chain(hidden::CLASSES)
}
