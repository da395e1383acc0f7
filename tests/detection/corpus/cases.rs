//! The cases of a corpus one after the other in one capture, with pauses in which all windows empty.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::dice::Dice;
use super::super::labels::Kind;
use super::super::traffic::{Time, Traffic, at, later};
use super::blinded::Blinding;
use super::damage::Damage;
use super::scene::{Actor, Scene, Size};
use super::{Class, Standing, benign, days, scanners};

/// Seconds between two cases: longer than the longest window and the shortest alert together.
const PAUSE: f64 = 900.0;
/// Seconds before a case, for an earlier period.
const LEAD: f64 = 1_200.0;
/// Seconds before a case in which its alerts count: its clock may have been set back.
const GRACE: f64 = 60.0;
/// The share of cases over IPv6.
const VERSION_6: f64 = 0.25;

/// One case: its hosts with their labels, and when it takes place.
#[derive(Debug)]
pub struct Case {
    pub class: &'static str,
    pub standing: Standing,
    pub size: Size,
    /// True if its hosts may have spoken with each other before.
    pub has_past: bool,
    pub actors: Vec<Actor>,
    /// The moment in the capture from which its alerts count.
    pub begin: Time,
    /// Nanoseconds by which the times of its hosts are moved.
    pub offset: i64,
    pub frames: usize,
}

impl Case {
    /// True if any of its hosts must be found.
    pub fn scans(&self) -> bool {
        self.actors.iter().any(|actor| !actor.kinds.is_empty())
    }
}

/// The cases that a corpus has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Every class in every size so many times, and classes of scanners while the interface is being blinded.
    All(usize),
    /// Cases with hosts that asked before, and were known from an earlier period.
    Known(usize),
    /// Every class in its small size.
    Small,
    /// The modelled days.
    Days,
}

/// The classes of a selection with their numbers. `CORPUS_CLASS` takes some of them only.
fn classes(selection: Selection) -> Vec<(usize, Class)> {
    let wanted = std::env::var("CORPUS_CLASS").unwrap_or_default();
    match selection {
        Selection::Days => days::CLASSES.into_iter().enumerate().collect(),
        Selection::Small => benign().chain(scanners()).enumerate().collect(),
        Selection::Known(_) => benign().enumerate().filter(|(_, class)| class.name.contains(&wanted)).collect(),
        Selection::All(_) => {
            let all = benign().chain(scanners()).enumerate();
            all.filter(|(_, class)| class.name.contains(&wanted)).collect()
        }
    }
}

/// Dice for a case, which its round, size and class decide.
fn dice_of(seed: u64, parts: [usize; 3]) -> Dice {
    parts.into_iter().fold(Dice::seeded(seed), |mut dice, part| Dice::seeded(dice.next() ^ part as u64))
}

/// An empty scene of a class.
fn scene_of(class: Class, mut dice: Dice, size: Size) -> Scene {
    let is_version_6 = class.version.map_or_else(|| dice.chance(VERSION_6), |version| version == 6);
    Scene::new(dice, size, is_version_6)
}

/// Cases and their traffic.
#[derive(Debug, Default)]
pub struct Cases {
    pub cases: Vec<Case>,
    pub traffic: Traffic,
}

impl Cases {
    /// The same seed gives the same cases and frames, whatever other classes there are.
    pub fn new(seed: u64, selection: Selection, damage: Option<Damage>) -> Self {
        let mut cases = Self::default();
        let (rounds, sizes) = match selection {
            Selection::All(rounds) | Selection::Known(rounds) => (rounds, &Size::ALL[..]),
            Selection::Small | Selection::Days => (1, &Size::ALL[..1]),
        };
        let classes = classes(selection);
        for round in 0..rounds {
            for &size in sizes {
                for &(number, class) in &classes {
                    let mut scene = scene_of(class, dice_of(seed, [round, size as usize, number]), size);
                    scene.is_known = matches!(selection, Selection::Known(_));
                    (class.act)(&mut scene);
                    if !scene.is_known || scene.has_past {
                        cases.push(class.name, class.standing, scene, damage);
                    }
                }
                if matches!(selection, Selection::All(_)) {
                    cases.push_blinded(&classes, seed, size, round);
                }
            }
        }
        cases
    }

    /// Half of the classes of scanners, each under one of the ways to blind an interface. Two rounds of three sizes have
    /// each class under each way.
    fn push_blinded(&mut self, classes: &[(usize, Class)], seed: u64, size: Size, round: usize) {
        let is_blinded = |number: usize, class: Class| {
            let is_scanner = scanners().any(|scanner| scanner.name == class.name);
            is_scanner && class.standing == Standing::Pooled && number % 2 == round % 2
        };
        for &(number, class) in classes.iter().filter(|(number, class)| is_blinded(*number, *class)) {
            let blinding = Blinding::ALL[(number / 2 + round + size as usize) % Blinding::ALL.len()];
            let mut scene = scene_of(class, dice_of(!seed, [round, size as usize, number]), size);
            (class.act)(&mut scene);
            blinding.add(&mut scene);
            self.push(blinding.class(), class.standing, scene, None);
        }
    }

    fn push(&mut self, class: &'static str, standing: Standing, mut scene: Scene, damage: Option<Damage>) {
        let mut traffic = scene.take_traffic();
        if let Some(damage) = damage {
            let senders = scene.actors.iter().map(|actor| actor.host.address).collect();
            damage.apply(&mut traffic, &senders, &mut scene.dice);
        }
        let end = self.traffic.frames.last().map_or(at(0.0), |(time, _)| *time);
        let begin = later(end, PAUSE);
        let offset = begin - at(-LEAD);
        traffic.frames.iter_mut().for_each(|(time, _)| *time += offset);
        let frames = traffic.frames.len();
        self.traffic.frames.append(&mut traffic.frames);
        // What was alerted in the earlier period is not of this case.
        let begin = at(-GRACE) + offset;
        let (size, has_past) = (scene.size, scene.has_past);
        self.cases.push(Case { class, standing, size, has_past, actors: scene.actors, begin, offset, frames });
    }

    /// The alerts of each case: address and kind with the first moment, in the times of its hosts.
    pub fn by_case(&self, fired: &[(IpAddr, Kind, f64)]) -> Vec<BTreeMap<(IpAddr, Kind), Time>> {
        let mut found = vec![BTreeMap::new(); self.cases.len()];
        for &(address, kind, seconds) in fired {
            let time = (seconds * 1e9).round() as i64;
            let after = self.cases.partition_point(|case| case.begin <= time);
            // In the lead of the next case: an alert of its earlier period.
            let Some(number) = after.checked_sub(1) else { continue };
            if self.cases.get(after).is_some_and(|next| time >= later(next.begin, GRACE - LEAD)) {
                continue;
            }
            found[number].entry((address, kind)).or_insert(time - self.cases[number].offset);
        }
        found
    }
}
