mod alarms;
mod history;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::account::InterfaceId;
use crate::account::conversation::{Address, Way};
use crate::account::observer::{MergedRow, RowBatch, RowObserver};
use crate::account::refusals::Refused;
use crate::account::snapshot::Snapshot;
use crate::account::snapshot_builder::plain;
use crate::account::{Config, conversation::OneWay};
use crate::packet::Timestamp;
use crate::policy::Networks;
use crate::time_grid::{Cell, TimeGrid};

const SECOND: i64 = 1_000_000_000;

/// One way of a conversation in a cell of a second: source, destination, ports, protocol; bytes, packets.
type Seen = (Cell, [(IpAddr, u16); 2], u8);

/// Records all that it observes.
#[derive(Default)]
struct Record {
    tick: Option<Duration>,
    seen: BTreeMap<Seen, (u64, u64)>,
    refused: Vec<(Seen, Timestamp)>,
    /// Rows that span two ticks.
    torn: usize,
    rows: u64,
    /// Advances as such, steps with a mark.
    advances: Vec<(bool, Timestamp)>,
    /// The end of the last cell, and the time of the last frame.
    finished: Vec<[Timestamp; 2]>,
    watermark: Timestamp,
}

impl Record {
    fn with_tick(milliseconds: u64) -> Self {
        Self { tick: Some(Duration::from_millis(milliseconds)), ..Self::default() }
    }

    fn place<A: Address>(
        &self,
        key: &crate::account::conversation::ConversationKey<A>,
        way: Way,
        time: Timestamp,
    ) -> Seen {
        let ends = <[_; 2]>::from(key.endpoints(way)).map(|end| (end.address.into(), end.port));
        // A late packet counts in the first cell that is not over.
        (second().cell(time.max(self.watermark)), ends, key.protocol().0)
    }

    fn see_row<A: Address>(&mut self, merged: &MergedRow<'_, A>) {
        self.rows += 1;
        let tick = TimeGrid::of(self.tick.unwrap_or(Duration::MAX));
        for way in Way::BOTH {
            let OneWay { packets, bytes, first, last, .. } = merged.row.ways[way as usize];
            if packets > 0 {
                assert!(merged.seen[way as usize]);
                let [first, last] = [first, last].map(|time| tick.cell(time.max(self.watermark)));
                self.torn += usize::from(first != last);
                let place = self.place(&merged.row.key, way, merged.row.ways[way as usize].last);
                let sum = self.seen.entry(place).or_default();
                *sum = (sum.0 + bytes, sum.1 + u64::from(packets));
            }
        }
    }
}

fn second() -> TimeGrid {
    TimeGrid::of(Duration::from_secs(1))
}

impl RowObserver for Record {
    type Notes = ();

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, ()>) {
        rows.merged().0.iter().for_each(|merged| self.see_row(merged));
    }

    fn refuse<A: Address>(&mut self, _: InterfaceId, refused: &Refused<A>) {
        let place = self.place(&refused.key, refused.way, refused.time);
        self.refused.push((place, refused.time));
    }
}

impl ClockObserver for Record {
    type Notes = ();

    fn rows(&mut self) -> &mut impl RowObserver<Notes = ()> {
        self
    }

    fn grids(&self) -> Vec<TimeGrid> {
        self.tick.map(TimeGrid::of).into_iter().collect()
    }

    fn advance(&mut self, watermark: Timestamp) {
        self.watermark = watermark;
        self.advances.push((false, watermark));
    }

    fn step(&mut self, to: Timestamp) {
        self.watermark = to;
        self.advances.push((true, to));
    }

    fn finish(&mut self, end: Timestamp, last: Timestamp) {
        self.finished.push([end, last]);
    }
}

/// Files that are removed when it is dropped.
struct Files {
    directory: PathBuf,
    paths: Vec<PathBuf>,
}

impl Files {
    /// A file of each of `files`, which are frames with their times.
    fn of(name: &str, files: &[Vec<(i64, Vec<u8>)>]) -> Self {
        let directory = std::env::temp_dir().join(format!("cells-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let paths = (0..).zip(files).map(|(number, frames)| {
            let path = directory.join(format!("{number}.pcap"));
            let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
            // Nanoseconds, Ethernet. Seconds are written in 32 bits, and read without a sign.
            let head: [u32; 6] = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 65_535, 1];
            head.iter().for_each(|word| file.write_all(&word.to_le_bytes()).unwrap());
            for (time, frame) in frames {
                let length = frame.len() as u32;
                let header = [(time / SECOND) as u32, (time % SECOND) as u32, length, length];
                header.iter().for_each(|word| file.write_all(&word.to_le_bytes()).unwrap());
                file.write_all(frame).unwrap();
            }
            path
        });
        let paths = paths.collect();
        Self { directory, paths }
    }

    fn replay(&self, record: Record, workers: usize) -> (Snapshot, Record) {
        self.run(record, workers)
    }

    fn run<F: ClockObserver + Send + 'static>(&self, observer: F, workers: usize) -> (Snapshot, F) {
        let config = Config::default();
        let policy = Arc::new(Networks::new(
            &["10.0.0.0/8".parse().unwrap()],
            &["10.0.0.16/30", "10.0.0.77/32"].map(|network| network.parse().unwrap()),
        ));
        let interval = || {
            let mut interval = Interval::new(Arc::default(), 1);
            interval.judge_by(Some(Arc::clone(&policy)));
            interval
        };
        let mut ledger = Ledger::new(&config, 1);
        ledger.count_verdicts();
        let mut replay = Replay::new(ledger, observer, interval, workers).unwrap();
        for path in &self.paths {
            replay.read(path, None, |_| ControlFlow::Continue(())).unwrap();
        }
        let (ledger, observer) = replay.finish().unwrap();
        (plain(&ledger, usize::MAX, usize::MAX), observer)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap_or_default();
    }
}

/// A UDP packet of `bytes` bytes in an Ethernet frame.
fn frame(source: u8, destination: u8, port: u16, bytes: usize) -> Vec<u8> {
    let mut frame = vec![0; 14 + bytes];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..24].copy_from_slice(&[0x45, 0, (bytes >> 8) as u8, bytes as u8, 0, 0, 0, 0, 64, 17]);
    frame[26..34].copy_from_slice(&[10, 0, 0, source, 10, 0, 0, destination]);
    frame[34..36].copy_from_slice(&port.to_be_bytes());
    frame[36..38].copy_from_slice(&[0, 53]);
    frame[38..40].copy_from_slice(&(bytes as u16 - 20).to_be_bytes());
    frame
}

/// ICMP port unreachable from `destination` to `source`, for what `source` sent from `port`.
fn unreachable(source: u8, destination: u8, port: u16) -> Vec<u8> {
    let refused = frame(source, destination, port, 28);
    let mut error = vec![0; 14 + 56];
    error[12..14].copy_from_slice(&[0x08, 0x00]);
    error[14..24].copy_from_slice(&[0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1]);
    error[26..34].copy_from_slice(&[10, 0, 0, destination, 10, 0, 0, source]);
    error[34..36].copy_from_slice(&[3, 3]);
    error[42..70].copy_from_slice(&refused[14..42]);
    error
}

/// Xorshift: deals out numbers below a bound.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// So many frames over about a minute, one in a hundred of them a little late.
fn traffic(seed: u64, count: usize) -> Vec<(i64, Vec<u8>)> {
    let mut dice = Dice(seed);
    let mut time = 1_000 * SECOND;
    let mut frame = |_| {
        time += dice.roll(120 * SECOND as u64 / count as u64) as i64;
        let late = if dice.roll(100) == 0 { dice.roll(2 * SECOND as u64 - 1) as i64 } else { 0 };
        let (source, destination, port) = (dice.roll(20) as u8, 100 + dice.roll(5) as u8, dice.roll(9) as u16 + 1);
        let frame = match dice.roll(20) {
            0 => unreachable(source, destination, port),
            _ => frame(source, destination, port, 28 + dice.roll(1_000) as usize),
        };
        (time - late, frame)
    };
    (0..count).map(&mut frame).collect()
}

#[test]
fn rows_do_not_depend_on_workers_or_ticks_and_none_spans_two_cells() {
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let files = Files::of("same", &[traffic(seed, 20_000)]);
    let (accounts, record) = files.replay(Record::with_tick(1_000), 1);
    assert!(record.seen.len() > 1_000 && record.refused.len() > 100 && record.advances.len() > 50);
    for (tick, workers) in [(1_000, 2), (1_000, 3), (100, 1), (100, 3), (500, 2)] {
        let (other_accounts, other) = files.replay(Record::with_tick(tick), workers);
        assert_eq!((record.torn, other.torn), (0, 0));
        assert!(record.seen == other.seen, "tick {tick}, {workers} workers");
        let places =
            |record: &Record| record.refused.iter().map(|(place, _)| *place).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(places(&record), places(&other));
        assert_eq!((&accounts.flows, &accounts.totals), (&other_accounts.flows, &other_accounts.totals));
    }
    // The same tick gives the same in the same order.
    let (_, other) = files.replay(Record::with_tick(1_000), 2);
    assert_eq!((record.rows, &record.advances, &record.refused), (other.rows, &other.advances, &other.refused));
}

#[test]
fn the_accounts_are_those_that_there_are_without_cells() {
    let files = Files::of("accounts", &[traffic(7, 5_000)]);
    let (plain, _) = files.replay(Record::default(), 1);
    for workers in [1, 2] {
        let (celled, record) = files.replay(Record::with_tick(100), workers);
        assert_eq!((&plain.flows, &plain.hosts, &plain.totals), (&celled.flows, &celled.hosts, &celled.totals));
        let observed: u64 = record.seen.values().map(|(bytes, _)| bytes).sum();
        assert_eq!(observed, plain.totals.ip().bytes);
    }
}

#[test]
fn without_cells_packet_time_is_not_observed() {
    let (_, record) = Files::of("untold", &[traffic(7, 3_000)]).replay(Record::default(), 1);
    assert!(record.advances.is_empty() && record.finished.is_empty() && record.rows > 0);
}

#[test]
fn late_frame_ends_no_cell() {
    let times = [10 * SECOND, 9 * SECOND, 10 * SECOND + 1, 8 * SECOND, 11 * SECOND, 10 * SECOND, 11 * SECOND + 5];
    let frames = times.map(|time| (time, frame(1, 2, 3, 28))).to_vec();
    let files = Files::of("late", &[frames]);
    let (_, record) = files.replay(Record::with_tick(1_000), 1);
    assert_eq!(record.advances, [10, 11].map(|seconds| (false, Timestamp::from_nanoseconds(seconds * SECOND))));
    assert_eq!(record.rows, 2);
    let finished = [[12 * SECOND, 11 * SECOND + 5].map(Timestamp::from_nanoseconds)];
    for workers in [1, 2] {
        assert_eq!(files.replay(Record::with_tick(1_000), workers).1.finished, finished, "{workers} workers");
    }
}

#[test]
fn clock_that_is_set_loses_no_frame_and_is_one_step_each_time() {
    const START: i64 = 1_700_000_000 * SECOND;
    let jumps = [START, START - 3_600 * SECOND, START + 315_360_000 * SECOND, 0, START];
    let frames = |start: i64| (0..3_000).map(move |at| (start + at * SECOND / 1_000, frame(1, 2, at as u16 + 1, 28)));
    let all: Vec<_> = jumps.into_iter().flat_map(frames).collect();
    let one_each: Vec<Vec<_>> = jumps.into_iter().map(|start| frames(start).collect()).collect();
    for files in [vec![all], one_each] {
        for workers in [1, 3] {
            let (accounts, record) = Files::of("clock", &files).replay(Record::with_tick(1_000), workers);
            assert_eq!(accounts.totals.frames.frames, 15_000);
            assert_eq!(record.seen.values().map(|(_, packets)| packets).sum::<u64>(), 15_000);
            let steps: Vec<Timestamp> =
                record.advances.iter().filter(|(is_step, _)| *is_step).map(|(_, to)| *to).collect();
            assert_eq!(steps, jumps[1..].iter().map(|&to| Timestamp::from_nanoseconds(to)).collect::<Vec<_>>());
            // The latest time since the clock was set last.
            let finished = [START + 3 * SECOND, START + 2_999 * SECOND / 1_000].map(Timestamp::from_nanoseconds);
            assert_eq!(record.finished, [finished]);
            // Three cells each, and one that ended before the clock was set.
            assert_eq!(record.advances.len(), 15 + 4);
        }
    }
}
