//! The interfaces that show answers. On the others an unanswered contact is unknown, not failed.
//!
//! Takes TCP conversations and answers as they are seen, and the losses of captures; gives a verdict on each interface at the
//! end of a cell. An interface is blind while it shows one way only ([`InterfaceVisibility::is_one_way`]), and while it drops
//! more than one in a hundred of the packets that it receives. Must not know the contacts.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use super::contacts::feed;
use super::interface_positions::InterfacePositions;
use super::sample::{self, BLOCKS, ConversationSample, SampledConversation, SeenPackets};
use crate::account::InterfaceId;
use crate::tables::sampling::Sampling;
use crate::time_grid::Cell;

/// Conversations that are seen one way only; fewer could be chance.
const FEWEST_ONE_WAY: usize = 10;
/// Hosts on each side of conversations of several packets: one host that lost its network tries dozens of servers.
const FEWEST_HOSTS: usize = 3;
/// This part of the window passes before a conversation of one packet counts: its source may try again.
const SEEN_ONCE_FOR: i64 = 64;
/// One in so many packets may be dropped.
const ONE_IN: u64 = 100;

pub(super) type SocketAddress = (IpAddr, u16);

#[derive(Debug)]
struct InterfaceVisibility {
    /// None once it does not exist any more.
    id: Option<InterfaceId>,
    sample: ConversationSample,
    /// The block in which anything was answered last.
    answered: Option<i64>,
    /// Packets received and dropped, by block modulo their number.
    packets: [(i64, u64, u64); BLOCKS as usize],
    is_dirty: bool,
    is_blind: bool,
}

#[derive(Debug)]
pub(super) struct Visibility {
    sampling: Sampling,
    cells_in_window: i64,
    cells_in_block: i64,
    /// The block that was judged last, and its first cell: nearly all cells are of it.
    block: i64,
    first: i64,
    positions: InterfacePositions,
    /// By position.
    interfaces: Vec<InterfaceVisibility>,
}

impl Visibility {
    pub(super) fn new(cells_in_window: u32, sampling: Sampling) -> Self {
        Self {
            sampling,
            cells_in_window: cells_in_window.into(),
            cells_in_block: (i64::from(cells_in_window) / BLOCKS).max(1),
            block: 0,
            first: 0,
            positions: InterfacePositions::default(),
            interfaces: Vec::new(),
        }
    }

    /// The number of the block, a part of a window, in which a cell lies.
    #[inline]
    pub(super) fn block(&self, cell: Cell) -> i64 {
        let behind = cell.0.wrapping_sub(self.first);
        if (0..self.cells_in_block).contains(&behind) { self.block } else { cell.0.div_euclid(self.cells_in_block) }
    }

    /// The first cell of the block in which `cell` lies.
    pub(super) fn block_start(&self, cell: Cell) -> Cell {
        Cell(self.block(cell) * self.cells_in_block)
    }

    #[inline(always)]
    pub(super) fn position(&mut self, id: InterfaceId) -> u16 {
        self.positions.of(id).unwrap_or_else(|| self.take_position(id))
    }

    #[cold]
    fn take_position(&mut self, id: InterfaceId) -> u16 {
        // After two windows, no contact refers to an interface that is gone.
        let position = self.positions.take(id, self.block - 2 * BLOCKS);
        match self.interfaces.get_mut(usize::from(position)) {
            Some(slot) => *slot = InterfaceVisibility::new(id),
            None => self.interfaces.push(InterfaceVisibility::new(id)),
        }
        position
    }

    /// Frees the sample of an interface that no longer exists. Its contacts are judged by whether it was blind at its end.
    pub(super) fn forget(&mut self, id: InterfaceId) {
        if let Some(position) = self.positions.give_back(id, self.block) {
            let interface = &mut self.interfaces[usize::from(position)];
            (interface.id, interface.sample, interface.is_dirty) = (None, ConversationSample::default(), false);
        }
    }

    /// True if noting a TCP conversation would change nothing.
    #[inline]
    pub(super) fn knows(&self, position: u16, ends: [SocketAddress; 2], seen: SeenPackets, cell: Cell) -> bool {
        self.interfaces[usize::from(position)].sample.knows(self.hash(ends), seen, self.block(cell))
    }

    /// Notes how a TCP conversation was seen that is not [known](Self::knows): sender and receiver, or client and server.
    pub(super) fn note(&mut self, position: u16, ends: [SocketAddress; 2], seen: SeenPackets, cell: Cell) {
        let (hash, block) = (self.hash(ends), self.block(cell));
        let hosts = ends.map(|(address, _)| (self.hash_of(|hasher| feed(address, hasher)) >> 32) as u32);
        let sender = hosts[0] ^ u32::from(ends[0].1).wrapping_mul(0x9e37_79b1);
        let interface = &mut self.interfaces[usize::from(position)];
        if interface.id.is_none() {
            // A deferred event came after the interface had gone.
            return;
        }
        interface.sample.note(hash, (hosts, sender), seen, cell, block);
        interface.is_dirty = true;
        if seen == SeenPackets::BothWays {
            interface.answered = Some(block);
        }
    }

    /// Notes that a contact was answered or refused, over whatever protocol.
    #[inline]
    pub(super) fn note_answer(&mut self, position: u16, cell: Cell) {
        let block = self.block(cell);
        let interface = &mut self.interfaces[usize::from(position)];
        interface.is_dirty |= interface.answered != Some(block);
        interface.answered = Some(block);
    }

    /// The hash of a conversation; the order of its ends does not matter.
    #[inline]
    fn hash(&self, [first, second]: [SocketAddress; 2]) -> u64 {
        let (low, high) = if first <= second { (first, second) } else { (second, first) };
        self.hash_of(|hasher| {
            feed(low.0, hasher);
            feed(high.0, hasher);
            hasher.write_u32(u32::from(low.1) << 16 | u32::from(high.1));
        })
    }

    fn hash_of(&self, write: impl FnOnce(&mut <Sampling as BuildHasher>::Hasher)) -> u64 {
        let mut hasher = self.sampling.build_hasher();
        write(&mut hasher);
        hasher.finish()
    }

    /// Adds the packets that the capture of an interface received and dropped until `cell`.
    pub(super) fn note_capture(&mut self, id: InterfaceId, received: u64, dropped: u64, cell: Cell) {
        let block = self.block(cell);
        let position = self.position(id);
        let interface = &mut self.interfaces[usize::from(position)];
        let packets = &mut interface.packets[block.rem_euclid(BLOCKS) as usize];
        if packets.0 != block {
            *packets = (block, 0, 0);
        }
        packets.1 += received;
        packets.2 += dropped;
        interface.is_dirty = true;
    }

    pub(super) fn judge(&mut self, cell: Cell) {
        let block = self.block(cell);
        let is_new_block = std::mem::replace(&mut self.block, block) != block;
        self.first = block * self.cells_in_block;
        let long_ago = Cell(cell.0.saturating_sub((self.cells_in_window / SEEN_ONCE_FOR).max(1)));
        let living = self.interfaces.iter_mut().filter(|interface| interface.id.is_some());
        for interface in living.filter(|interface| interface.is_dirty || interface.is_blind || is_new_block) {
            interface.is_dirty = false;
            interface.is_blind = interface.is_one_way(block, long_ago) || interface.drops(block);
        }
    }

    #[inline]
    pub(super) fn is_blind(&self, position: u16) -> bool {
        self.interfaces[usize::from(position)].is_blind
    }

    /// Each interface with true if it shows answers, in the order of positions.
    pub(super) fn answers_visible(&self) -> Vec<(InterfaceId, bool)> {
        self.interfaces.iter().filter_map(|interface| Some((interface.id?, !interface.is_blind))).collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.interfaces.iter().map(|interface| size_of::<InterfaceVisibility>() + interface.sample.memory_bytes()).sum()
    }

    pub(super) fn clear(&mut self) {
        for interface in &mut self.interfaces {
            interface.sample.clear();
            interface.answered = None;
            interface.packets = Default::default();
            interface.is_dirty = true;
        }
    }
}

impl InterfaceVisibility {
    fn new(id: InterfaceId) -> Self {
        Self {
            id: Some(id),
            sample: ConversationSample::default(),
            answered: None,
            packets: Default::default(),
            is_dirty: false,
            is_blind: false,
        }
    }

    /// True if it shows one way of conversations only. Where anything was answered in the window, one-way conversations must
    /// outnumber those seen both ways. The same must hold, with at least ten of them, if each host counts for at most two a
    /// side: neither one host nor a flood to one makes an interface blind.
    fn is_one_way(&self, block: i64, long_ago: Cell) -> bool {
        let one_way = self.sample.one_way(block);
        if one_way.len() < FEWEST_ONE_WAY {
            return false;
        }
        if !self.shows_answers(block) {
            return shows_no_answers(&one_way, long_ago);
        }
        let both_ways = self.sample.both_ways(block);
        let by_host = sample::counted_by_host(&one_way);
        one_way.len() > both_ways.len() && by_host >= FEWEST_ONE_WAY && by_host > sample::counted_by_host(&both_ways)
    }

    fn shows_answers(&self, block: i64) -> bool {
        self.answered.is_some_and(|answered| (0..=BLOCKS).contains(&(block - answered)))
    }

    fn drops(&self, block: i64) -> bool {
        let recent = self.packets.iter().filter(|(at, ..)| (0..BLOCKS).contains(&(block - at)));
        let (received, dropped) = recent.fold((0, 0), |sum: (u64, u64), part| (sum.0 + part.1, sum.1 + part.2));
        dropped.saturating_mul(ONE_IN) > received
    }
}

/// True if one-way conversations prove that answers are not seen, where nothing at all is answered: several hosts on both
/// sides, or many receivers of a single packet, as in a sample of the packets.
fn shows_no_answers(one_way: &[SampledConversation], long_ago: Cell) -> bool {
    let [senders, receivers] = sample::hosts(one_way);
    let are_several = senders.min(receivers) >= FEWEST_HOSTS && senders.max(receivers) >= FEWEST_ONE_WAY;
    are_several || sample::hosts(&sample::seen_once(one_way, long_ago))[1] >= FEWEST_ONE_WAY
}
