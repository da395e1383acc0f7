//! The corpus is sound, and what the program finds of it today.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::dice::Dice;
use super::super::host::Host;
use super::super::labels::Kind;
use super::super::traffic::{at, later};
use super::cases::{Case, Cases, Selection};
use super::judged::{Damaged, Run, judged_days};
use super::scene::{Actor, Outcome, Probed, Size};
use super::tally::{FoundInCase, Tally};
use super::{Standing, benign, days, scanners};

// ---- What the program finds ---------------------------------------------------------------------------------------------

#[test]
fn table_of_the_corpus_accounts_for_each_label() {
    let run = Run::shared();
    let (empty, known) = (run.with_empty_memory(), run.with_pollers_known());
    println!("With an empty memory:\n\n{}\nOnce pollers are known:\n\n{}", empty.table(), known.table());
    println!("{} frames, DETECTION_SEED={}.", run.empty.frames(), run.empty.seed);
    println!("{}", empty.differences.join("\n"));
    let pooled = run.empty.cases.cases.iter().filter(|case| case.standing == Standing::Pooled);
    let expected: usize = pooled.flat_map(|case| &case.actors).map(|actor| actor.kinds.len()).sum();
    assert_eq!(empty.pooled.right + empty.pooled.missed, expected);
    assert_eq!(empty.pooled.scanners, known.pooled.scanners);
    assert_eq!(empty.pooled.benign, known.pooled.benign);
    assert!(empty.pooled.right > 0 || expected == 0, "nothing is found");
}

#[test]
fn days_have_realistic_hosts_and_contacts() {
    let judged = judged_days();
    let tally = Tally::of(judged.pairs());
    println!("| day | frames | hosts | wrong alerts |\n|---|---|---|---|");
    for case in &judged.cases.cases {
        let wrong = tally.classes[&(Standing::Pooled, true, case.class)].wrong;
        println!("| {} | {} | {} | {wrong} |", case.class, case.frames, case.actors.len());
        assert!(case.actors.len() >= 15, "{}: {} hosts", case.class, case.actors.len());
        assert!(case.frames >= 5_000, "{}: {} frames", case.class, case.frames);
        assert!(!case.scans(), "{}", case.class);
    }
    println!("DETECTION_SEED={}\n{}", judged.seed, tally.differences.join("\n"));
}

#[test]
fn damaged_captures_are_read_whatever_their_damage() {
    let Damaged { whole, by_damage } = Damaged::shared();
    let print = |name: &str, Tally { pooled, .. }: &Tally| {
        println!("| {name} | {} | {} | {} |", pooled.right, pooled.missed, pooled.wrong);
    };
    println!("| damage | found | missed | wrong |\n|---|---|---|---|");
    print("none", whole);
    for (damage, tally) in by_damage {
        print(damage.name(), tally);
        let pooled = &tally.pooled;
        assert!(pooled.right > 0 || !damage.shows_answers(), "{damage:?}: nothing is found");
    }
}

// ---- The corpus is sound ------------------------------------------------------------------------------------------------

#[test]
fn every_class_has_a_name_of_its_own_and_makes_frames() {
    let names: Vec<&str> = benign().chain(scanners()).chain(days::CLASSES).map(|class| class.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    let cases = Cases::new(Dice::seed(), Selection::Small, None).cases;
    for class in benign().chain(scanners()) {
        let case = cases.iter().find(|case| case.class == class.name).expect(class.name);
        assert!(case.frames > 10, "{}: {} frames", class.name, case.frames);
        assert!(!case.actors.is_empty(), "{}", class.name);
        assert_eq!(case.scans(), scanners().any(|scanner| scanner.name == class.name), "{}", class.name);
    }
}

#[test]
fn labels_agree_with_the_packets() {
    let judged = &Run::shared().empty;
    println!("DETECTION_SEED={}", judged.seed);
    for case in &judged.cases.cases {
        let addresses: BTreeSet<IpAddr> = case.actors.iter().map(|actor| actor.host.address).collect();
        assert_eq!(addresses.len(), case.actors.len(), "{}: two hosts with one address", case.class);
        for actor in &case.actors {
            assert_eq!(actor.kinds.is_empty(), actor.probed.is_empty(), "{}", case.class);
            // A scan that all its targets serve is over no limit.
            let fails = actor.probed.iter().any(|probed| probed.outcome != Outcome::Used);
            for kind in actor.kinds.iter().filter(|_| fails) {
                assert!(
                    actor.deciding(*kind).is_some(),
                    "{}, {:?}: not over the limit of {kind:?}",
                    case.class,
                    case.size
                );
            }
        }
    }
}

#[test]
fn same_seed_gives_the_same_frames() {
    let seed = Dice::seed();
    let frames = |seed| Cases::new(seed, Selection::Small, None).traffic.frames;
    let first = frames(seed);
    assert!(first.is_sorted_by_key(|(time, _)| *time));
    assert_eq!(first, frames(seed));
    assert_ne!(first, frames(seed.wrapping_add(1)));
}

/// A host with a label and so many failed contacts, one a second.
fn actor(address: IpAddr, kinds: &[Kind], failed: u32) -> Actor {
    let mut actor = Actor::scanning(Host::new(address, Dice::seeded(1)), kinds);
    for number in 0..failed {
        let (began, host) = (at(f64::from(number)), [192, 0, 2, number as u8].into());
        actor.probed.push(Probed { began, host, port: Some((6, 22)), outcome: Outcome::Failed });
    }
    actor
}

#[test]
fn tally_counts_a_made_example() {
    let address = |number: u8| IpAddr::from([10, 0, 0, number]);
    let scan = Kind::HostScan;
    let case = Case {
        class: "made",
        standing: Standing::Pooled,
        size: Size::Small,
        has_past: false,
        actors: vec![actor(address(1), &[scan], 20), actor(address(2), &[scan], 20), actor(address(3), &[], 0)],
        begin: at(0.0),
        offset: 0,
        frames: 0,
    };
    // The 16th failed target decides, at second 15.
    let found: FoundInCase = [
        ((address(1), scan), later(at(15.0), 0.5)),
        ((address(1), Kind::PortScan), at(16.0)),
        ((address(3), scan), at(1.0)),
        ((address(4), scan), at(1.0)),
    ]
    .into();
    let tally = Tally::of([(&case, &found)]);
    let pooled = &tally.pooled;
    assert_eq!([pooled.scanners, pooled.benign], [2, 1]);
    assert_eq!([pooled.right, pooled.missed, pooled.wrong], [1, 1, 3]);
    assert_eq!(pooled.delays, [0.5]);
    assert_eq!(tally.differences.len(), 4, "{:#?}", tally.differences);
}

#[test]
fn alert_belongs_to_the_case_in_whose_time_it_fired() {
    let cases = Cases::new(Dice::seed(), Selection::Small, None);
    let address = IpAddr::from([10, 0, 0, 1]);
    let second = &cases.cases[1];
    let seconds = |time: i64| time as f64 / 1e9;
    let before = (address, Kind::HostScan, seconds(second.begin) - 600.0);
    let inside = (address, Kind::HostScan, seconds(second.begin) + 2.0);
    let found = cases.by_case(&[before, inside]);
    assert!(found[0].is_empty(), "an alert of an earlier period counts");
    assert_eq!(found[1].len(), 1);
    assert_eq!(found.iter().map(FoundInCase::len).sum::<usize>(), 1);
}
