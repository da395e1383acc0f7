//! A bounded sample of the TCP conversations of an interface, with how each was seen.
//!
//! Takes hashes of conversations and hosts; gives the conversations of the window that were seen one way or both ways. Each
//! slot keeps the conversation with the lowest tag, so the sample depends neither on the order of rows nor on the tick, and
//! both kinds are thinned out alike. Must not know addresses.

use std::collections::{BTreeMap, BTreeSet};

use crate::time_grid::Cell;

/// Conversations in the sample, a power of two.
const SLOTS: usize = 256;
/// Parts of the window: the grain of a conversation's age.
pub(super) const BLOCKS: i64 = 8;
/// The most conversations of one sender, and of one receiver, that count: one host alone must not decide.
const MOST_OF_A_HOST: u8 = 2;

/// The packets of a conversation that were seen, from few to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SeenPackets {
    /// One packet of it.
    Once,
    /// Several packets, all of one way.
    OneWay,
    /// Packets of both ways.
    BothWays,
}

/// A conversation of the sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampledConversation {
    tag: u32,
    /// The number of the block in which it was seen last; 0 for an empty slot.
    block: u32,
    seen: SeenPackets,
    /// Hashes of the sender and of the receiver; of the client and of the server where it was seen both ways.
    hosts: [u32; 2],
    /// The hash of the sender with its port.
    sender: u32,
    /// The cell in which it was seen first.
    since: Cell,
}

impl SampledConversation {
    const EMPTY: Self = Self { tag: 0, block: 0, seen: SeenPackets::Once, hosts: [0; 2], sender: 0, since: Cell(0) };

    /// True if it was seen in the window that ends with a block. Block numbers wrap around after years.
    fn is_recent(&self, block: i64) -> bool {
        self.block != 0 && i64::from((block as u32).wrapping_sub(self.block)) <= BLOCKS
    }
}

/// The sample of one interface. It takes its memory with the first conversation.
#[derive(Debug, Default)]
pub(super) struct ConversationSample {
    slots: Vec<SampledConversation>,
}

impl ConversationSample {
    /// True if noting a conversation would change nothing: the slot keeps another one, or knows as much.
    #[inline]
    pub(super) fn knows(&self, hash: u64, seen: SeenPackets, block: i64) -> bool {
        let Some(slot) = self.slots.get(position(hash)) else { return false };
        let tag = hash as u32;
        slot.is_recent(block) && (slot.tag < tag || slot.tag == tag && slot.seen >= seen && slot.block == block as u32)
    }

    /// Notes a conversation, known by its hash, those of its hosts, and that of the sender with its port.
    pub(super) fn note(
        &mut self,
        hash: u64,
        (hosts, sender): ([u32; 2], u32),
        seen: SeenPackets,
        cell: Cell,
        block: i64,
    ) {
        if self.knows(hash, seen, block) {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, SampledConversation::EMPTY);
        }
        let slot = &mut self.slots[position(hash)];
        let newcomer = SampledConversation { tag: hash as u32, block: block as u32, seen, hosts, sender, since: cell };
        let is_same = slot.tag == newcomer.tag && slot.is_recent(block);
        *slot = match is_same {
            true if slot.seen > seen => SampledConversation { block: newcomer.block, ..*slot },
            true => SampledConversation { since: slot.since.min(cell), ..newcomer },
            false => newcomer,
        };
    }

    /// The conversations of the window that were seen one way only.
    pub(super) fn one_way(&self, block: i64) -> Vec<SampledConversation> {
        self.slots.iter().filter(|slot| slot.is_recent(block) && slot.seen != SeenPackets::BothWays).copied().collect()
    }

    /// The conversations of the window that were seen both ways.
    pub(super) fn both_ways(&self, block: i64) -> Vec<SampledConversation> {
        self.slots.iter().filter(|slot| slot.is_recent(block) && slot.seen == SeenPackets::BothWays).copied().collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<SampledConversation>()
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(SampledConversation::EMPTY);
    }
}

/// The number of these conversations that count where each host counts for two as a sender and for two as a receiver.
pub(super) fn counted_by_host(slots: &[SampledConversation]) -> usize {
    let mut counts: [BTreeMap<u32, u8>; 2] = Default::default();
    let mut takes = |slot: &&SampledConversation| {
        let [sent, received] = [0, 1].map(|side| counts[side].get(&slot.hosts[side]).copied().unwrap_or_default());
        if sent.max(received) >= MOST_OF_A_HOST {
            return false;
        }
        counts[0].insert(slot.hosts[0], sent + 1);
        counts[1].insert(slot.hosts[1], received + 1);
        true
    };
    slots.iter().filter(|slot| takes(slot)).count()
}

/// The numbers of distinct senders and receivers of these conversations.
pub(super) fn hosts(slots: &[SampledConversation]) -> [usize; 2] {
    [0, 1].map(|side| slots.iter().map(|slot| slot.hosts[side]).collect::<BTreeSet<u32>>().len())
}

/// The conversations of which one packet was seen, in the cell `until` or before; at most two from one port of a host, which
/// may probe with them.
pub(super) fn seen_once(slots: &[SampledConversation], until: Cell) -> Vec<SampledConversation> {
    let mut from: BTreeMap<u32, u8> = BTreeMap::new();
    let is_old = |slot: &&SampledConversation| slot.seen == SeenPackets::Once && slot.since <= until;
    let mut takes = |slot: &&SampledConversation| {
        let count = from.entry(slot.sender).or_default();
        *count = count.saturating_add(1);
        *count <= MOST_OF_A_HOST
    };
    slots.iter().filter(is_old).filter(|slot| takes(slot)).copied().collect()
}

fn position(hash: u64) -> usize {
    (hash >> 32) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::sampling::mixed;

    fn filled(conversations: impl Iterator<Item = (u64, [u32; 2], SeenPackets)>) -> ConversationSample {
        let mut sample = ConversationSample::default();
        conversations
            .for_each(|(number, hosts, seen)| sample.note(mixed(number), (hosts, number as u32), seen, Cell(9), 1));
        sample
    }

    #[test]
    fn sample_does_not_depend_on_the_order_of_rows() {
        let seen = [SeenPackets::Once, SeenPackets::OneWay, SeenPackets::BothWays];
        let all: Vec<_> =
            (0..3_000).map(|number| (number % 1_100, [number as u32, 1], seen[number as usize % 3])).collect();
        let found =
            |sample: &ConversationSample| sample.slots.iter().map(|slot| (slot.tag, slot.seen)).collect::<Vec<_>>();
        assert_eq!(found(&filled(all.iter().copied())), found(&filled(all.iter().rev().copied())));
    }

    #[test]
    fn large_sample_keeps_the_share_of_conversations_that_were_seen_both_ways() {
        let kind = |number: u64| if number.is_multiple_of(4) { SeenPackets::BothWays } else { SeenPackets::OneWay };
        let sample = filled((0..20_000).map(|number| (number, [number as u32, 1], kind(number))));
        let (both_ways, one_way) = (sample.both_ways(1).len(), sample.one_way(1).len());
        assert_eq!(both_ways + one_way, SLOTS);
        assert!((40..=90).contains(&both_ways), "{both_ways} of {SLOTS}, a quarter of all");
    }

    #[test]
    fn conversations_leave_with_the_window() {
        let sample = filled([(1, [1, 2], SeenPackets::OneWay)].into_iter());
        assert_eq!([1, 9, 10].map(|block| sample.one_way(block).len()), [1, 1, 0]);
    }

    #[test]
    fn each_host_counts_for_two_conversations_a_side() {
        let counted = |pairs: &[[u32; 2]]| {
            let conversations =
                pairs.iter().enumerate().map(|(number, hosts)| (number as u64, *hosts, SeenPackets::OneWay));
            counted_by_host(&filled(conversations).one_way(1))
        };
        assert_eq!(counted(&[[1, 10], [1, 11], [1, 12], [1, 13]]), 2);
        assert_eq!(counted(&[[10, 1], [11, 1], [12, 1], [13, 1]]), 2);
        assert_eq!(counted(&[[1, 11], [2, 12], [3, 13], [4, 14]]), 4);
        assert_eq!(counted(&[[1, 11], [2, 12], [11, 1], [12, 2]]), 4);
    }
}
