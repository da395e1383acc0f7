//! Whether an interface shows both ways of conversations: where it does not, nothing is said of unanswered contacts.
//!
//! A sample of the established TCP conversations in the window is held of each interface. An interface is blind while
//! more of them are seen one way only than both ways, [`FEWEST_LONELY`] at least; and while it drops more than one in
//! a hundred of the packets that it receives.

use super::positions::Positions;
use crate::account::grid::Cell;
use crate::account::interface::InterfaceId;

/// Conversations in the sample of an interface, a power of two.
const SAMPLE: usize = 256;
/// Conversations that are seen one way only, of which one could be chance.
const FEWEST_LONELY: usize = 10;
/// Parts of the window: the grain of its age.
const BLOCKS: i64 = 8;
/// One in so many packets may be dropped.
const ONE_IN: u64 = 100;

/// A conversation in the sample: whose, when last seen, and whether both ways.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    tag: u32,
    /// The number of the block; 0 for none. Wraps around after years, which only ages a conversation.
    block: u32,
}

#[derive(Debug)]
struct Interface {
    /// None once it does not exist any more.
    id: Option<InterfaceId>,
    sample: Vec<Slot>,
    /// Packets received and dropped, by block modulo their number.
    packets: [(i64, u64, u64); BLOCKS as usize],
    is_dirty: bool,
    is_blind: bool,
}

/// What each interface shows.
#[derive(Debug)]
pub(super) struct Sight {
    cells_in_block: i64,
    /// The part of the window that was judged last, and its first cell: nearly all cells are of it.
    block: i64,
    first: i64,
    positions: Positions,
    /// By position.
    interfaces: Vec<Interface>,
}

impl Sight {
    pub(super) fn new(cells_in_window: u32) -> Self {
        Self {
            cells_in_block: (i64::from(cells_in_window) / BLOCKS).max(1),
            block: 0,
            first: 0,
            positions: Positions::default(),
            interfaces: Vec::new(),
        }
    }

    /// The part of a window in which a cell lies.
    #[inline]
    pub(super) fn block(&self, cell: Cell) -> i64 {
        let behind = cell.0.wrapping_sub(self.first);
        if (0..self.cells_in_block).contains(&behind) { self.block } else { cell.0.div_euclid(self.cells_in_block) }
    }

    /// The first cell of the part of the window in which `cell` lies.
    pub(super) fn block_start(&self, cell: Cell) -> Cell {
        Cell(self.block(cell) * self.cells_in_block)
    }

    /// The position of an interface here.
    #[inline(always)]
    pub(super) fn position(&mut self, id: InterfaceId) -> u16 {
        self.positions.of(id).unwrap_or_else(|| self.take_position(id))
    }

    #[cold]
    fn take_position(&mut self, id: InterfaceId) -> u16 {
        // What an interface that is gone showed is in no window any more after two.
        let position = self.positions.take(id, self.block - 2 * BLOCKS);
        let interface = Interface {
            id: Some(id),
            sample: Vec::new(),
            packets: Default::default(),
            is_dirty: false,
            is_blind: false,
        };
        match self.interfaces.get_mut(usize::from(position)) {
            Some(place) => *place = interface,
            None => self.interfaces.push(interface),
        }
        position
    }

    /// Frees what is held of an interface that does not exist any more. Contacts that it showed are still judged by whether
    /// it was blind at its end.
    pub(super) fn forget(&mut self, id: InterfaceId) {
        if let Some(position) = self.positions.give_back(id, self.block) {
            let interface = &mut self.interfaces[usize::from(position)];
            (interface.id, interface.sample, interface.is_dirty) = (None, Vec::new(), false);
        }
    }

    /// Notes an established conversation, known by its hash: seen both ways, or one way only so far.
    pub(super) fn note(&mut self, position: u16, hash: u64, is_seen_both_ways: bool, cell: Cell) {
        let block = self.block(cell);
        let interface = &mut self.interfaces[usize::from(position)];
        if interface.sample.is_empty() {
            interface.sample.resize(SAMPLE, Slot::default());
        }
        let slot = &mut interface.sample[(hash >> 32) as usize % SAMPLE];
        let tag = (hash as u32) << 1;
        let is_same = slot.tag & !1 == tag && slot.block != 0;
        if is_same || !is_recent(slot, block) {
            let was_seen_both_ways = is_same && slot.tag & 1 == 1;
            *slot = Slot { tag: tag | u32::from(is_seen_both_ways || was_seen_both_ways), block: block as u32 };
            interface.is_dirty = true;
        }
    }

    /// Adds what the capture of an interface said of itself for the time until `cell`.
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

    /// Judges what was noted, at the end of `cell`.
    pub(super) fn judge(&mut self, cell: Cell) {
        let block = self.block(cell);
        let is_new_block = std::mem::replace(&mut self.block, block) != block;
        self.first = block * self.cells_in_block;
        let living = self.interfaces.iter_mut().filter(|interface| interface.id.is_some());
        for interface in living.filter(|interface| interface.is_dirty || interface.is_blind || is_new_block) {
            interface.is_dirty = false;
            interface.is_blind = interface.is_lonely(block) || interface.drops(block);
        }
    }

    #[inline]
    pub(super) fn is_blind(&self, position: u16) -> bool {
        self.interfaces[usize::from(position)].is_blind
    }

    /// Whether answers are visible, by interface by position.
    pub(super) fn answers_visible(&self) -> Vec<(InterfaceId, bool)> {
        self.interfaces.iter().filter_map(|interface| Some((interface.id?, !interface.is_blind))).collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.interfaces
            .iter()
            .map(|interface| size_of::<Interface>() + interface.sample.capacity() * size_of::<Slot>())
            .sum()
    }

    /// Forgets what was noted.
    pub(super) fn clear(&mut self) {
        for interface in &mut self.interfaces {
            interface.sample.fill(Slot::default());
            interface.packets = Default::default();
            interface.is_dirty = true;
        }
    }
}

impl Interface {
    fn is_lonely(&self, block: i64) -> bool {
        let recent = self.sample.iter().filter(|slot| is_recent(slot, block));
        let (paired, lonely): (Vec<&Slot>, Vec<&Slot>) = recent.partition(|slot| slot.tag & 1 == 1);
        lonely.len() >= FEWEST_LONELY && lonely.len() > paired.len()
    }

    fn drops(&self, block: i64) -> bool {
        let recent = self.packets.iter().filter(|(at, ..)| (0..BLOCKS).contains(&(block - at)));
        let (received, dropped) = recent.fold((0, 0), |sum: (u64, u64), part| (sum.0 + part.1, sum.1 + part.2));
        dropped.saturating_mul(ONE_IN) > received
    }
}

fn is_recent(slot: &Slot, block: i64) -> bool {
    slot.block != 0 && i64::from((block as u32).wrapping_sub(slot.block)) <= BLOCKS
}
