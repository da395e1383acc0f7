//! The figures that the rule must reach on the corpus, the days and the damaged captures.

use super::super::{cases, page};
use super::Standing;
use super::damage::Damage;
use super::judged::{Damaged, Run, judged_days};
use super::tally::Tally;

/// With an empty memory: each new poller may alert once.
const PRECISION: f64 = 0.92;
const PRECISION_KNOWN: f64 = 0.98;
const RECALL: f64 = 0.97;
/// The least recall of each class with enough scanners.
const RECALL_OF_A_CLASS: f64 = 0.9;
const SOURCES_OF_A_CLASS: usize = 10;
/// The share of benign hosts that may be found because of the damage.
const WRONG_BY_DAMAGE: f64 = 0.03;
/// Seconds from the deciding packet.
const MEDIAN_DELAY: f64 = 1.5;
const MOST_DELAYS: f64 = 6.0;

#[test]
fn corpus_is_judged_as_well_as_it_must_be() {
    let run = Run::shared();
    let (empty, known) = (run.with_empty_memory(), run.with_pollers_known());
    let figures = format!(
        "{}\nWith pollers known: precision {:.3}, recall {:.3}.\n{} frames, DETECTION_SEED={}.\n",
        empty.table(),
        known.pooled.precision(),
        known.pooled.recall(),
        run.empty.frames(),
        run.empty.seed
    );
    page::show("corpus", &figures);
    println!("{}\n{}", empty.differences.join("\n"), known.differences.join("\n"));
    for (tally, precision) in [(&empty, PRECISION), (&known, PRECISION_KNOWN)] {
        let pooled = &tally.pooled;
        assert!(pooled.precision() >= precision, "precision {:.3}", pooled.precision());
        assert!(pooled.recall() >= RECALL, "recall {:.3}", pooled.recall());
        assert!(pooled.delay(0.5).expect("delays") <= MEDIAN_DELAY, "median delay {:?}", pooled.delay(0.5));
        assert!(pooled.delay(0.95).expect("delays") <= MOST_DELAYS, "delay, 95 %: {:?}", pooled.delay(0.95));
        for ((standing, _, class), score) in &tally.classes {
            if *standing == Standing::Pooled && score.scanners >= SOURCES_OF_A_CLASS {
                assert!(score.recall() >= RECALL_OF_A_CLASS, "{class}: recall {:.3}", score.recall());
            }
        }
    }
}

#[test]
fn days_raise_no_alert() {
    let judged = judged_days();
    let differences = Tally::of(judged.pairs()).differences;
    assert!(differences.is_empty(), "DETECTION_SEED={}: {differences:#?}", judged.seed);
}

#[test]
fn damaged_captures_raise_no_more_wrong_alerts() {
    let Damaged { whole, by_damage } = Damaged::shared();
    let most_wrong = whole.pooled.wrong as f64 + WRONG_BY_DAMAGE * whole.pooled.benign as f64;
    for (damage, tally) in by_damage {
        let (pooled, differences) = (&tally.pooled, tally.differences.join("\n"));
        assert!(pooled.wrong as f64 <= most_wrong, "{damage:?}: {} wrong\n{differences}", pooled.wrong);
        if *damage == Damage::Loss {
            assert!(pooled.recall() >= RECALL_OF_A_CLASS, "{damage:?}: recall {:.3}\n{differences}", pooled.recall());
        }
    }
}

#[test]
fn overlay_of_the_public_reports_raises_no_alert() {
    cases::raises_no_alert("d11-vxlan-mesh.pcap");
}

#[test]
fn scanners_of_the_public_reports_are_found() {
    cases::raises_one_host_scan("s03-ack-scan.pcap");
    cases::raises_one_host_scan("s11-worm-on-own-lan.pcap");
}
