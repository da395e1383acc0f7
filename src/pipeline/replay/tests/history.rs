//! The history of a capture is that of its file, to the byte.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::account::FlowKeying;
use crate::alert;
use crate::decode::Decoder;
use crate::detect::{self, Detectors};
use crate::history::{History, HistoryRange, HistoryView};
use crate::packet::{Frame, LinkType};
use crate::pipeline::alarms::Alarms;
use crate::pipeline::capture_loop::count_frame;
use crate::pipeline::handover::{Exchange, WorkerMessage};
use crate::pipeline::watermarks::Watermarks;

/// A history without detectors.
fn alarms() -> Alarms<()> {
    let detectors = Detectors::new(&detect::Config::nothing(), 1, None);
    let history = History::new(FlowKeying::Service, 1);
    Alarms::new(detectors, &alert::Config::default(), ()).with_history(Some(history))
}

/// A live capture by several threads, whose packets are given.
struct Capture {
    ledger: Ledger<detect::Notes>,
    alarms: Alarms<()>,
    watermarks: Watermarks,
    threads: Vec<Exchange>,
    messages: Receiver<WorkerMessage>,
}

impl Capture {
    /// `name` is that of the interface.
    fn of(name: &str, threads: usize) -> Self {
        let (full, messages) = channel();
        let alarms = alarms();
        let exchange =
            |worker| Exchange::new((name.to_owned(), worker), full.clone(), &Arc::default(), alarms.grids(), 1);
        let threads = (0..threads).map(exchange).collect();
        let ledger = Ledger::new(&Config::default(), 1);
        Self { ledger, alarms, watermarks: Watermarks::default(), threads, messages }
    }

    fn merge_all(&mut self) {
        while let Ok(WorkerMessage::Interval(full)) = self.messages.try_recv() {
            let interface = self.ledger.interface(&full.interface);
            self.ledger.merge(interface, &full.interval, self.alarms.rows());
            if let Some(advance) = self.watermarks.report((full.interface.clone(), full.worker), full.time) {
                advance.notify(&mut self.alarms);
            }
            full.give_back();
        }
    }

    /// The history of `frames`, which reach the threads by their destinations. Each thread hands over after so many
    /// frames.
    fn run(mut self, frames: &[(i64, Vec<u8>)], tick: usize) -> HistoryView {
        let decoder = Decoder::new(LinkType(1)).unwrap();
        // All threads capture from the start.
        for thread in &mut self.threads {
            thread.filling_at(Timestamp::from_nanoseconds(frames[0].0));
            thread.hand_over();
        }
        self.merge_all();
        let mut latest = i64::MIN;
        for (number, (time, frame)) in frames.iter().enumerate() {
            latest = latest.max(*time);
            let at = usize::from(frame[29] ^ frame[33]) % self.threads.len();
            let frame = Frame::new(Timestamp::from_nanoseconds(*time), frame, frame.len() as u32);
            let (interval, _) = self.threads[at].filling_at(frame.time);
            count_frame(&decoder, None, &frame, interval);
            if number % tick == 0 {
                self.threads[at].hand_over();
            }
            self.merge_all();
        }
        self.threads.iter_mut().for_each(Exchange::hand_over_last);
        self.merge_all();
        let last = Timestamp::from_nanoseconds(latest);
        self.alarms.finish(second().end(second().cell(last)), last);
        self.alarms.history().unwrap().view()
    }
}

fn of_file(files: &Files, workers: usize) -> HistoryView {
    files.run(alarms(), workers).1.history().unwrap().view()
}

/// Fails with the first difference.
fn compare(view: &HistoryView, expected: &HistoryView, context: &str) {
    let span = |view: &HistoryView| (view.totals(HistoryRange::FiveMinutes)[0].start, view.end());
    assert_eq!(span(view), span(expected), "{context}");
    for range in HistoryRange::ALL {
        for (cell, expected) in view.totals(range).iter().zip(expected.totals(range)) {
            assert_eq!(cell, expected, "{context}");
        }
        for (cell, expected) in view.rows(range).iter().zip(expected.rows(range)) {
            assert_eq!((cell.start, cell.unlisted), (expected.start, expected.unlisted), "{context}");
            for (row, expected) in cell.rows.iter().zip(&expected.rows) {
                assert_eq!(row, expected, "{context}, {:?}", cell.start);
            }
        }
    }
    assert_eq!((view.number, view.memory_bytes), (expected.number, expected.memory_bytes), "{context}");
    assert!(view == expected, "{context}");
}

#[test]
fn history_of_a_file_does_not_depend_on_workers() {
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let files = Files::of("history", &[traffic(seed, 10_000)]);
    let expected = of_file(&files, 1);
    assert!(expected.rows_of(HistoryRange::Hour).rows.len() > 100);
    assert!(expected.totals(HistoryRange::FiveMinutes).len() > 50);
    for workers in [2, 3] {
        compare(&of_file(&files, workers), &expected, &format!("{workers} workers"));
    }
}

/// A late packet counts in the oldest open second. With another tick that may be another one, so here none is late.
#[test]
fn history_of_a_capture_is_that_of_its_file_for_any_number_of_threads_and_any_tick() {
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let mut frames = traffic(seed, 10_000);
    frames.sort_by_key(|(time, _)| *time);
    let files = Files::of("history-live", std::slice::from_ref(&frames));
    let expected = of_file(&files, 1);
    for (threads, tick) in [(1, 1), (1, 37), (1, 5_000), (2, 100), (3, 7)] {
        let view = Capture::of(&file_name(&files.paths[0]), threads).run(&frames, tick);
        compare(&view, &expected, &format!("{threads} threads, tick {tick}"));
    }
}
