//! Compares the sources that were found with those that should have been.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::net::IpAddr;

use super::labels::{Kind, Labelled};
use super::traffic::{Seen, Time};

/// The first time at which each source was found, by source and kind.
pub type Found = BTreeMap<(IpAddr, Kind), Time>;

/// The result of a class, or of all of them.
#[derive(Debug, Clone, Default)]
pub struct Score {
    pub scanners: usize,
    pub benign: usize,
    pub right: usize,
    pub missed: usize,
    pub wrong: usize,
    /// Seconds from the deciding packet, known exactly by its source, to the moment that the alert names.
    pub delays: Vec<f64>,
    /// Alerts that name a moment at which no contact of their source failed or touched its target.
    pub momentless: usize,
}

impl Score {
    fn add(&mut self, source: &Labelled, found: &Found) {
        if source.kinds.is_empty() {
            self.benign += 1
        } else {
            self.scanners += 1
        }
        for kind in Kind::ALL {
            match (source.kinds.contains(&kind), found.get(&(source.host.address, kind))) {
                (true, Some(&time)) => {
                    self.right += 1;
                    self.momentless += usize::from(!source.proves_at(time));
                    self.delays.extend(source.crossing(kind).map(|(began, _)| (time - began) as f64 / 1e9));
                }
                (true, None) => self.missed += 1,
                (false, Some(_)) => self.wrong += 1,
                (false, None) => {}
            }
        }
    }

    pub fn join(&mut self, other: &Self) {
        self.scanners += other.scanners;
        self.benign += other.benign;
        self.right += other.right;
        self.missed += other.missed;
        self.wrong += other.wrong;
        self.delays.extend(&other.delays);
        self.momentless += other.momentless;
    }

    /// The share of findings that are right; 1 without any.
    pub fn precision(&self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    /// The share of expected findings that were found.
    pub fn recall(&self) -> f64 {
        share(self.right, self.right + self.missed)
    }

    /// The delay that this part of all delays does not exceed.
    pub fn delay(&self, part: f64) -> Option<f64> {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        delays.get(((delays.len().saturating_sub(1)) as f64 * part).round() as usize).copied()
    }

    /// The longest.
    pub fn longest_delay(&self) -> Option<f64> {
        self.delay(1.0)
    }

    /// The share of delays of so many seconds at most.
    pub fn within(&self, seconds: f64) -> f64 {
        share(self.delays.iter().filter(|delay| **delay <= seconds).count(), self.delays.len())
    }

    fn row(&self, name: &str) -> String {
        let seconds = |delay: Option<f64>| delay.map_or_else(|| "–".to_owned(), |delay| format!("{delay:.3} s"));
        let when = |is_there: bool, share: f64| if is_there { format!("{share:.3}") } else { "–".to_owned() };
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            self.scanners,
            self.benign,
            self.right,
            self.missed,
            self.wrong,
            when(self.right + self.wrong > 0, self.precision()),
            when(self.scanners > 0, self.recall()),
            seconds(self.delay(0.5)),
            seconds(self.longest_delay()),
        )
    }
}

fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 1.0 } else { part as f64 / of as f64 }
}

/// Scores by class, and of all that are pooled.
#[derive(Debug, Default)]
pub struct Scores {
    pub classes: BTreeMap<(bool, bool, &'static str), Score>,
    pub pooled: Score,
}

impl Scores {
    pub fn of(sources: &[Labelled], found: &Found) -> Self {
        let mut scores = Self::default();
        let scanning: BTreeSet<&str> =
            sources.iter().filter(|source| !source.kinds.is_empty()).map(|source| source.class).collect();
        for source in sources {
            let class = (!source.is_pooled, !scanning.contains(source.class), source.class);
            scores.classes.entry(class).or_default().add(source, found);
        }
        let pooled = scores.classes.iter().filter(|((is_apart, ..), _)| !is_apart);
        let mut sum = Score::default();
        pooled.for_each(|(_, score)| sum.join(score));
        scores.pooled = sum;
        scores
    }

    /// For people, in Markdown.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| class | scanners | benign | right | missed | wrong | precision | recall | delay, median | longest |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for ((is_apart, _, name), score) in &self.classes {
            let name = if *is_apart { format!("{name} (a stated limit, not in the sum)") } else { (*name).to_owned() };
            table.write_str(&score.row(&name)).unwrap();
        }
        table + &self.pooled.row("**all**")
    }

    /// The sources with another result than expected, to find the reason.
    pub fn differences(sources: &[Labelled], found: &Found) -> Vec<String> {
        let all = sources.iter().flat_map(|source| Kind::ALL.map(|kind| (source, kind)));
        all.filter_map(|(source, kind)| {
            let is_found = found.contains_key(&(source.host.address, kind));
            let word = match (source.kinds.contains(&kind), is_found) {
                (true, false) => "missed",
                (false, true) => "wrong",
                _ => return None,
            };
            let contacts = source.host.contacts.len();
            let failed = source.host.contacts.iter().filter(|contact| contact.failed.is_some()).count();
            let crossing = source.crossing(kind).map(|(began, _)| began);
            let Labelled { class, host, .. } = source;
            let named = format!("{word}: {class}, {} {}", host.address, kind.word());
            Some(format!("{named}: {failed} of {contacts} contacts failed, by the rule from {crossing:?}"))
        })
        .collect()
    }
}

/// The alerts that name a moment later than so many seconds after the deciding packet.
pub fn late(sources: &[Labelled], found: &Found, seconds: f64) -> Vec<String> {
    let all = sources.iter().flat_map(|source| Kind::ALL.map(|kind| (source, kind)));
    all.filter_map(|(source, kind)| {
        let (began, failed) = source.crossing(kind).filter(|_| source.kinds.contains(&kind))?;
        let delay = (found.get(&(source.host.address, kind))? - began) as f64 / 1e9;
        let Labelled { class, host, .. } = source;
        (delay > seconds).then(|| {
            format!(
                "late: {class}, {} {}: {delay:.6} s after {began}, which failed at {failed}",
                host.address,
                kind.word()
            )
        })
    })
    .collect()
}

// ---- The rule of contacts ------------------------------------------------------------------------------------------------

/// TrafficAlerted's rule over every packet, in cells of a second: the sources with more than the limit of distinct
/// destinations, or of distinct ports, in the cells of a window, and the end of the first such cell.
pub fn by_contacts(seen: &[Seen]) -> Found {
    let mut by_source: BTreeMap<IpAddr, Vec<&Seen>> = BTreeMap::new();
    for packet in seen {
        by_source.entry(packet.source).or_default().push(packet);
    }
    let mut found = Found::new();
    for (source, mut packets) in by_source {
        packets.sort_by_key(|packet| packet.time);
        let hosts = packets.iter().map(|packet| (cell(packet.time), packet.destination));
        let ports = packets.iter().filter_map(|packet| Some((cell(packet.time), packet.port?)));
        if let Some(cell) = first_over(hosts, 170, 15) {
            found.insert((source, Kind::HostScan), (cell + 1) * 1_000_000_000);
        }
        if let Some(cell) = first_over(ports, 600, 100) {
            found.insert((source, Kind::PortScan), (cell + 1) * 1_000_000_000);
        }
    }
    found
}

fn cell(time: Time) -> i64 {
    time.div_euclid(1_000_000_000)
}

/// The first cell at whose end there are more than `limit` distinct names in the last `window` cells. The cells
/// ascend.
fn first_over<T: Ord + Copy>(names: impl Iterator<Item = (i64, T)>, window: i64, limit: usize) -> Option<i64> {
    let mut kept: VecDeque<(i64, T)> = VecDeque::new();
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for (cell, name) in names {
        while let Some(&(_, old)) = kept.front().filter(|(then, _)| *then <= cell - window) {
            kept.pop_front();
            let count = counts.get_mut(&old).unwrap();
            *count -= 1;
            if *count == 0 {
                counts.remove(&old);
            }
        }
        kept.push_back((cell, name));
        *counts.entry(name).or_default() += 1;
        if counts.len() > limit {
            return Some(cell);
        }
    }
    None
}
