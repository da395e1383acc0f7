//! The notes that an observer takes of conversations, and sees again.

use super::*;

/// Notes a name for each conversation, which is the number of its bytes, and compares it with what was noted before.
#[derive(Default)]
struct Noting {
    /// Rows without notes, and rows with the notes of their own conversation.
    rows: [usize; 2],
}

impl RowObserver for Noting {
    type Notes = u32;

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, u32>) {
        let (merged, notes) = rows.merged();
        for (merged, notes) in merged.iter().zip(notes) {
            let name = merged.row.ways.iter().map(|way| way.bytes as u32).sum();
            self.rows[0] += usize::from(*notes == 0);
            self.rows[1] += usize::from(*notes == name);
            *notes = name;
        }
    }
}

fn named(numbers: std::ops::Range<u16>) -> Interval {
    let mut interval = Interval::new(Arc::default(), SEED);
    for number in numbers {
        let bytes = 100 + 2 * u32::from(number);
        interval.observe(&packet(1, 2, 3, Protocol::UDP, [50_000 + number, 40_000], 0, bytes), 100);
        interval.observe(&packet(1, 3, 2, Protocol::UDP, [40_000, 50_000 + number], 0, bytes + 1), 100);
    }
    interval.settle();
    interval
}

#[test]
fn notes_are_kept_with_their_conversation_or_forgotten() {
    for (max_flows, count, must_be_kept) in [(65_536, 1_000, true), (100, 1_000, false), (1, 5, false)] {
        let mut ledger = Ledger::new(&Config { max_flows, ..Config::default() }, SEED);
        let interface = ledger.interface("eth0");
        let mut noting = Noting::default();
        for _ in 0..4 {
            ledger.merge(interface, &named(0..count), &mut noting);
        }
        let count = usize::from(count);
        assert_eq!(noting.rows[0] + noting.rows[1], 4 * count, "no row has the notes of another conversation");
        if must_be_kept {
            assert_eq!(noting.rows[1], 3 * count);
        }
    }
}

/// Notes in turn a value, its absence, and which values are still there.
#[derive(Default)]
struct Erasing {
    turn: usize,
    found: usize,
}

impl RowObserver for Erasing {
    type Notes = u32;

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, u32>) {
        for notes in rows.merged().1 {
            match self.turn {
                0 => *notes = 7,
                1 => *notes = 0,
                _ => self.found += usize::from(*notes != 0),
            }
        }
    }
}

#[test]
fn erased_notes_do_not_come_back_though_the_generations_change_meanwhile() {
    // In the second interval so many are new that the younger generation is full.
    for new in [0, 50, 70, 100, 150, 250] {
        let mut ledger = Ledger::new(&Config { max_flows: 100, ..Config::default() }, SEED);
        let interface = ledger.interface("eth0");
        let mut erasing = Erasing::default();
        for count in [30, 30 + new, 30] {
            ledger.merge(interface, &named(0..count), &mut erasing);
            erasing.turn += 1;
        }
        assert_eq!(erasing.found, 0, "beside {new}");
    }
}
