//! The anomaly detector: feeds [`Pairs`] with rows, and makes detections of its verdicts.
//!
//! Takes rows and the watermark; gives detections and the highest probabilities. Must not know how a test works.
//!
//! The bytes of a row count in the transfer interval of its last packet. A row of a later interval than packet time is
//! kept until then. If too many are kept, its bytes count in the open interval.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Config, Pair, PairVerdict, Pairs};
use crate::account::conversation::Address;
use crate::account::observer::{DirectedRow, RowBatch};
use crate::detect::ends::Between;
use crate::detect::{Detection, DetectionTable, Figures, Kind, Level, Notes, Span, Subject, TableUse};
use crate::packet::Timestamp;
use crate::tables::Eviction;
use crate::tables::index::NOWHERE;
use crate::tables::lookup::Lookup as _;
use crate::time_grid::{Cell, TimeGrid};

/// The most rows that are kept for a later interval.
const MAXIMUM_AHEAD: usize = 16_384;
/// The most pairs that readers see, those with the highest probabilities.
const MAXIMUM_SHOWN: usize = 1_000;

/// Finds pairs whose traffic differs from their earlier traffic.
#[derive(Debug)]
pub struct Anomalies {
    config: Config,
    grid: TimeGrid,
    pairs: Pairs,
    /// The interval of packet time; none before it is known.
    open: Option<i64>,
    /// The end of that interval; before all time if there is none.
    open_end: Timestamp,
    ahead: Vec<(i64, Pair, u64)>,
    verdicts: Verdicts,
    /// The time between two advances over which evaluation is spread; none to evaluate at once.
    tick: Option<Duration>,
}

impl Anomalies {
    /// No pair yet. `tick` is the time between two advances over which evaluation is spread; none to evaluate at once.
    pub(crate) fn new(config: &Config, rule: &str, tick: Option<Duration>) -> Self {
        Self {
            config: *config,
            grid: TimeGrid::of(config.transfer_interval),
            pairs: Pairs::new(*config),
            open: None,
            open_end: Timestamp::BEFORE_ALL,
            ahead: Vec::new(),
            verdicts: Verdicts::new(config, rule),
            tick,
        }
    }

    /// Goes on with other tests and thresholds; false, and nothing is changed, if the series are others too.
    pub(crate) fn configure(&mut self, config: &Config) -> bool {
        let shape = |config: &Config| {
            let Config { capacity, max_pairs, transfer_interval, criteria, .. } = *config;
            (capacity, max_pairs, transfer_interval, criteria.active_size, criteria.seasons)
        };
        if shape(&self.config) != shape(config) {
            return false;
        }
        self.pairs.set_config(*config);
        (self.config, self.verdicts.config) = (*config, *config);
        true
    }

    /// Counts directed rows.
    pub(crate) fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        let (directed, notes) = rows.directed();
        for DirectedRow { source, destination, bytes, last, row, way } in directed {
            let hint = &mut notes[*row as usize].hints[*way as usize].pair;
            self.count(hint, [*source, *destination], *bytes, *last);
        }
    }

    /// Always inlined: then a pair stays in registers, and the code for the other IP version is left out.
    #[inline(always)]
    fn count<A: Address>(&mut self, hint: &mut u32, [source, destination]: [A; 2], bytes: u64, time: Timestamp) {
        let pair = Between(source, destination);
        let filter = &self.config.filter;
        if filter.excludes_some() && !filter.passes(source.into(), destination.into()) {
            return;
        }
        let interval = match self.open {
            Some(open) if time < self.open_end => open,
            _ => match self.defer(pair.key(), bytes, time) {
                Some(interval) => interval,
                None => return,
            },
        };
        self.pairs.observe(hint, pair, bytes, interval, &mut |verdict| self.verdicts.take(&verdict));
    }

    /// Keeps bytes of a later interval, and gives none. Otherwise gives the interval in which they count now.
    #[cold]
    fn defer(&mut self, pair: Pair, bytes: u64, time: Timestamp) -> Option<i64> {
        let interval = self.grid.cell(time).0;
        if self.ahead.len() < MAXIMUM_AHEAD {
            self.ahead.push((interval, pair, bytes));
            return None;
        }
        Some(self.open.unwrap_or(interval))
    }

    fn set_open(&mut self, interval: i64) {
        self.open = Some(interval);
        self.open_end = self.grid.end(Cell(interval));
    }

    /// Judges the intervals that are over at `watermark`, or this tick's part of them.
    pub(crate) fn advance(&mut self, watermark: Timestamp) -> Vec<Detection> {
        let now = self.grid.cell(watermark).0;
        if self.open.is_none_or(|open| open < now) {
            self.open_interval(now);
        }
        self.evaluate(self.ticks_left(watermark))
    }

    fn open_interval(&mut self, now: i64) {
        let Self { pairs, ahead, verdicts, .. } = self;
        let mut due: Vec<_> = ahead.extract_if(.., |(interval, ..)| *interval <= now).collect();
        due.sort_unstable_by_key(|(interval, ..)| *interval);
        for (interval, pair, bytes) in due {
            let interval = interval.max(self.open.unwrap_or(interval));
            pairs.observe(&mut { NOWHERE }, pair, bytes, interval, &mut |verdict| verdicts.take(&verdict));
        }
        pairs.advance(now, &mut |verdict| verdicts.take(&verdict));
        self.set_open(now);
    }

    fn ticks_left(&self, watermark: Timestamp) -> u32 {
        let Some(tick) = self.tick else { return 1 };
        let left = self.grid.end(self.grid.cell(watermark)).since(watermark);
        u32::try_from(left.as_nanos().div_ceil(tick.as_nanos().max(1))).unwrap_or(u32::MAX)
    }

    fn evaluate(&mut self, ticks: u32) -> Vec<Detection> {
        let verdicts = &mut self.verdicts;
        self.pairs.evaluate(ticks, &mut |verdict| verdicts.take(&verdict));
        std::mem::take(&mut verdicts.found)
    }

    /// Judges all pairs that are due at the end of a file. The open interval is not complete and not judged.
    pub(crate) fn finish(&mut self) -> Vec<Detection> {
        self.evaluate(1)
    }

    /// Forgets the pairs, because the clock was set: their series are of another time.
    pub(crate) fn restart(&mut self, to: Timestamp) {
        self.pairs.clear();
        self.ahead.clear();
        self.verdicts.clear();
        self.set_open(self.grid.cell(to).0);
    }

    /// The `top` pairs with the highest probabilities at the end of the last interval that was judged as a whole.
    pub(crate) fn probabilities(&self, top: usize) -> Vec<((IpAddr, IpAddr), f64)> {
        let shown = self.verdicts.complete.iter().take(top);
        shown.map(|(probability, pair)| ((pair.source, pair.destination), *probability)).collect()
    }

    /// The use of the table.
    pub(crate) fn tables(&self) -> Vec<TableUse> {
        let (table, evicted) = (DetectionTable::AnomalyPairs, self.pairs.left()[Eviction::Full as usize]);
        vec![TableUse { table, entries: self.pairs.len(), limit: self.config.max_pairs, evicted }]
    }

    /// Memory in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes() + self.ahead.capacity() * size_of::<(i64, Pair, u64)>()
    }
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    since: Timestamp,
    interval: i64,
}

#[derive(Debug)]
struct Verdicts {
    config: Config,
    grid: TimeGrid,
    rule: Arc<str>,
    /// Detections that are not returned yet: of one round at most.
    found: Vec<Detection>,
    /// The pairs that were reported over the threshold: as many as there are pairs at most.
    over: BTreeMap<Pair, Episode>,
    interval: i64,
    /// The highest probabilities of the interval that is being judged, and of the one before.
    current: Vec<(f64, Pair)>,
    complete: Vec<(f64, Pair)>,
}

impl Verdicts {
    fn new(config: &Config, rule: &str) -> Self {
        Self {
            config: *config,
            grid: TimeGrid::of(config.transfer_interval),
            rule: rule.into(),
            found: Vec::new(),
            over: BTreeMap::new(),
            interval: 0,
            current: Vec::new(),
            complete: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.found.clear();
        self.over.clear();
        self.current.clear();
        self.complete.clear();
    }

    fn take(&mut self, verdict: &PairVerdict) {
        if verdict.interval != self.interval {
            self.next_interval(verdict.interval);
        }
        if verdict.probability > 0.0 {
            self.current.push((verdict.probability, verdict.pair));
            if self.current.len() >= 2 * MAXIMUM_SHOWN {
                shorten(&mut self.current);
            }
        }
        if self.config.alerts {
            let found = self.detection(verdict);
            self.found.extend(found);
        }
    }

    fn next_interval(&mut self, interval: i64) {
        shorten(&mut self.current);
        self.complete = std::mem::take(&mut self.current);
        // A pair that left the table is not judged any more.
        self.over.retain(|_, episode| episode.interval.saturating_add(2) >= interval);
        self.interval = interval;
    }

    /// The detection of a pair while it is over the threshold, and then until it was reported clearly below once.
    fn detection(&mut self, verdict: &PairVerdict) -> Option<Detection> {
        let PairVerdict { pair, interval, probability, active_bytes, is_anomaly, .. } = *verdict;
        let at = self.grid.end(Cell(interval));
        let level = Level::of_score(is_anomaly, probability, self.config.threshold);
        if is_anomaly {
            self.over.entry(pair).or_insert(Episode { since: at, interval });
        }
        let episode = self.over.get_mut(&pair)?;
        episode.interval = interval;
        let since = episode.since;
        if level == Level::Under {
            self.over.remove(&pair);
        }
        let active = u32::try_from(self.config.criteria.active_size).unwrap_or(u32::MAX);
        let figures = Figures {
            value: probability,
            limit: self.config.threshold,
            window: self.config.transfer_interval.saturating_mul(active),
            bytes: active_bytes,
            span: Some(self.span(interval)),
            ..Figures::default()
        };
        let subject = Subject::Pair { source: pair.source, destination: pair.destination };
        Some(Detection { kind: Kind::Anomaly, rule: Arc::clone(&self.rule), subject, level, since, at, figures })
    }

    /// The span of a judged interval. Both ends are its start, so an episode of n intervals lasts n - 1 intervals.
    fn span(&self, interval: i64) -> Span {
        let start = self.grid.start(Cell(interval));
        Span { first: start, last: start, precision: self.config.transfer_interval }
    }
}

fn shorten(probabilities: &mut Vec<(f64, Pair)>) {
    probabilities.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    probabilities.truncate(MAXIMUM_SHOWN);
}

#[cfg(test)]
mod tests {
    use super::super::PairFilter;
    use std::net::Ipv4Addr;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds_and_nanoseconds(seconds, 0)
    }

    /// Bytes from one host to another in an interval.
    fn count(anomalies: &mut Anomalies, bytes: u64, interval: i64) {
        let [source, destination] = [1, 200].map(|last| Ipv4Addr::new(192, 0, 2, last));
        anomalies.count(&mut { NOWHERE }, [source, destination], bytes, at(5 * interval));
    }

    fn config() -> Config {
        Config { alerts: true, ..Config::default() }
    }

    /// Adds these bytes in each interval of 5 s; gives the detections at the end of each.
    fn reported(config: &Config, tick: Option<Duration>, series: &[u64]) -> Vec<(i64, Level, i64)> {
        let mut anomalies = Anomalies::new(config, "anomaly", tick);
        let mut reported = anomalies.advance(at(0));
        for (interval, bytes) in (0..).zip(series) {
            for second in 0..5 {
                count(&mut anomalies, bytes / 5, interval);
                reported.extend(anomalies.advance(at(5 * interval + second + 1)));
            }
        }
        reported.extend(anomalies.finish());
        reported.iter().map(|found| (found.at.seconds(), found.level, found.since.seconds())).collect()
    }

    #[test]
    fn a_burst_is_reported_until_it_is_clearly_over_whatever_the_tick() {
        let series = [100, 100, 100, 100, 100, 9_000, 100, 100, 100, 100, 100];
        let at_once = reported(&config(), None, &series);
        assert_eq!(at_once[0], (30, Level::Over, 30), "{at_once:?}");
        assert_eq!(at_once.last().unwrap().1, Level::Under, "{at_once:?}");
        assert_eq!(reported(&config(), Some(Duration::from_secs(1)), &series), at_once);
        assert!(reported(&Config { alerts: false, ..config() }, None, &series).is_empty());
        let others = PairFilter { is_inside: false, by_source: true, ..PairFilter::default() };
        assert!(reported(&Config { filter: others, ..config() }, None, &series).is_empty());
    }

    #[test]
    fn row_ahead_of_packet_time_counts_in_its_interval() {
        let mut ordered = Anomalies::new(&config(), "anomaly", None);
        let mut ahead = Anomalies::new(&config(), "anomaly", None);
        for interval in 0..8 {
            let bytes = if interval == 6 { 9_000 } else { 100 };
            count(&mut ahead, bytes, interval);
        }
        for interval in 0..8 {
            ordered.advance(at(5 * interval));
            count(&mut ordered, if interval == 6 { 9_000 } else { 100 }, interval);
        }
        let found = ahead.advance(at(40));
        assert!(found.iter().any(|found| (found.at, found.level) == (at(35), Level::Over)), "{found:?}");
        ordered.advance(at(40));
        assert_eq!(ordered.probabilities(5), ahead.probabilities(5));
    }

    #[test]
    fn a_clock_that_is_set_leaves_nothing_behind() {
        let mut anomalies = Anomalies::new(&config(), "anomaly", None);
        (0..6).for_each(|interval| count(&mut anomalies, 100, interval));
        anomalies.advance(at(40));
        for to in [-1_000, 315_360_000, 0] {
            anomalies.restart(at(to));
            assert_eq!((anomalies.tables()[0].entries, anomalies.ahead.len()), (0, 0));
            count(&mut anomalies, 100, to.div_euclid(5));
            anomalies.advance(at(to + 5));
            assert_eq!(anomalies.tables()[0].entries, 1);
        }
    }
}
