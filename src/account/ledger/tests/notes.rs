//! What who watches notes of conversations, and hears again.

use super::*;
use crate::account::observer::{ObserverNote, SlotHints};

/// Notes of each conversation its name, which is what its packets have bytes, and looks whether what was noted before is
/// its own.
#[derive(Default)]
struct Noting {
    /// Ways of which nothing was noted, and of which their own was; and conversations.
    ways: [usize; 2],
    conversations: [usize; 2],
}

impl RowObserver for Noting {
    fn observe<A: Address>(&mut self, batch: &mut RowBatch<'_, A>) {
        for directed in batch.directed() {
            let name = directed.bytes as u32;
            let own = SlotHints { source: name, pair: name + 1 };
            self.ways[0] += usize::from(directed.hints == SlotHints::default());
            self.ways[1] += usize::from(directed.hints == own);
            directed.hints = own;
        }
        for merged in batch.merged() {
            let name = merged.row.ways.iter().map(|way| way.bytes as u32).sum();
            self.conversations[0] += usize::from(merged.note == ObserverNote::default());
            self.conversations[1] += usize::from(merged.note == ObserverNote(name));
            merged.note = ObserverNote(name);
        }
    }
}

fn named(numbers: std::ops::Range<u16>) -> Interval {
    let mut interval = Interval::new(Arc::default(), SEED);
    for number in numbers {
        // Each way has a name of its own.
        let bytes = 100 + 2 * u32::from(number);
        interval.observe(&packet(1, 2, 3, Protocol::UDP, [50_000 + number, 40_000], 0, bytes), 100);
        interval.observe(&packet(1, 3, 2, Protocol::UDP, [40_000, 50_000 + number], 0, bytes + 1), 100);
    }
    interval.settle();
    interval
}

#[test]
fn what_who_watches_notes_is_kept_with_its_conversation_or_forgotten() {
    for (max_flows, count, must_be_kept) in [(65_536, 1_000, true), (100, 1_000, false), (1, 5, false)] {
        let mut ledger = Ledger::new(&Config { max_flows, ..Config::default() }, SEED);
        let interface = ledger.interface("eth0");
        let mut noting = Noting::default();
        for _ in 0..4 {
            ledger.merge(interface, &named(0..count), &mut noting);
        }
        let count = usize::from(count);
        let Noting { ways, conversations } = noting;
        let sums = (ways[0] + ways[1], conversations[0] + conversations[1]);
        assert_eq!(sums, (8 * count, 4 * count), "nobody hears what was noted of another");
        if must_be_kept {
            assert_eq!((ways[1], conversations[1]), (6 * count, 3 * count));
        }
    }
}

/// Heeds in turn that both sides go on, that each conversation begins anew, and what is still heard.
#[derive(Default)]
struct Beginning {
    turn: usize,
    heard: usize,
}

impl RowObserver for Beginning {
    fn observe<A: Address>(&mut self, batch: &mut RowBatch<'_, A>) {
        for merged in batch.merged() {
            match self.turn {
                0 => merged.note = ObserverNote(7),
                1 => merged.note = ObserverNote::default(),
                _ => self.heard += usize::from(merged.note != ObserverNote::default()),
            }
        }
    }
}

#[test]
fn what_was_forgotten_is_not_heard_again_though_the_generations_turn_meanwhile() {
    // In the second interval so many are new that the younger generation is full.
    for new in [0, 50, 70, 100, 150, 250] {
        let mut ledger = Ledger::new(&Config { max_flows: 100, ..Config::default() }, SEED);
        let interface = ledger.interface("eth0");
        let mut beginning = Beginning::default();
        for count in [30, 30 + new, 30] {
            ledger.merge(interface, &named(0..count), &mut beginning);
            beginning.turn += 1;
        }
        assert_eq!(beginning.heard, 0, "beside {new}");
    }
}
