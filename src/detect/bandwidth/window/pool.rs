//! The cells of all subjects of a window: lists, the oldest cell first, in one bounded pool.
//!
//! Takes lists, cells and bytes; gives sums. Must not know the subjects.

/// The low bits of the number of a cell. The cells of one pool are so near to each other that these bits give their
/// order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LowCell(pub(super) u32);

impl LowCell {
    /// True if it is later than `other`.
    #[inline]
    pub(super) const fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) as i32 > 0
    }
}

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct CellNode {
    bytes: u64,
    cell: LowCell,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CellList {
    head: u32,
    tail: u32,
}

impl CellList {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    pub(super) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    nodes: Vec<CellNode>,
    free: u32,
    used: usize,
    limit: usize,
    /// No cell is before this one.
    oldest: LowCell,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Self {
        Self { nodes: Vec::new(), free: NONE, used: 0, limit: limit.min(NONE as usize), oldest: LowCell(0) }
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<CellNode>()
    }

    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.free = NONE;
        self.used = 0;
    }

    /// Appends a cell to a list whose cells are all earlier; false if the pool is full. Reads no other cell.
    pub(super) fn push(&mut self, list: &mut CellList, cell: LowCell, bytes: u64) -> bool {
        let Some(at) = self.allocate(CellNode { bytes, cell, next: NONE }) else { return false };
        match list.tail {
            NONE => list.head = at,
            tail => self.nodes[tail as usize].next = at,
        }
        list.tail = at;
        true
    }

    /// Adds bytes to a cell anywhere in a list; false if the cell is new and the pool is full.
    pub(super) fn add(&mut self, list: &mut CellList, cell: LowCell, bytes: u64) -> bool {
        let before = self.last_not_after(*list, cell);
        if before != NONE && self.nodes[before as usize].cell == cell {
            let node = &mut self.nodes[before as usize];
            node.bytes = node.bytes.saturating_add(bytes);
            return true;
        }
        let next = if before == NONE { list.head } else { self.nodes[before as usize].next };
        let Some(at) = self.allocate(CellNode { bytes, cell, next }) else { return false };
        match before {
            NONE => list.head = at,
            before => self.nodes[before as usize].next = at,
        }
        if next == NONE {
            list.tail = at;
        }
        true
    }

    /// The last node of a list whose cell is not after `cell`; nearly always the tail.
    fn last_not_after(&self, list: CellList, cell: LowCell) -> u32 {
        if list.is_empty() || !self.nodes[list.tail as usize].cell.is_after(cell) {
            return list.tail;
        }
        let (mut before, mut at) = (NONE, list.head);
        while at != NONE && !self.nodes[at as usize].cell.is_after(cell) {
            (before, at) = (at, self.nodes[at as usize].next);
        }
        before
    }

    fn allocate(&mut self, node: CellNode) -> Option<u32> {
        let at = if self.free != NONE {
            let at = self.free;
            self.free = self.nodes[at as usize].next;
            self.nodes[at as usize] = node;
            at
        } else if self.nodes.len() < self.limit {
            if self.nodes.len() == self.nodes.capacity() {
                // Twice as many, but never more than the limit.
                self.nodes.reserve_exact(self.nodes.len().max(64).min(self.limit - self.nodes.len()));
            }
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            return None;
        };
        if self.used == 0 || self.oldest.is_after(node.cell) {
            self.oldest = node.cell;
        }
        self.used += 1;
        Some(at)
    }

    /// Notes that all lists have no cell up to `last` any more.
    pub(super) fn set_expired(&mut self, last: LowCell) {
        if !self.oldest.is_after(last) {
            self.oldest = LowCell(last.0.wrapping_add(1));
        }
    }

    /// Removes the cells of a list that are not after `last`; gives their bytes.
    pub(super) fn expire(&mut self, list: &mut CellList, last: LowCell) -> u64 {
        let mut bytes: u64 = 0;
        if self.oldest.is_after(last) {
            return bytes;
        }
        while list.head != NONE && !self.nodes[list.head as usize].cell.is_after(last) {
            let at = list.head as usize;
            bytes = bytes.saturating_add(self.nodes[at].bytes);
            let next = self.nodes[at].next;
            self.nodes[at].next = self.free;
            self.free = list.head;
            self.used -= 1;
            list.head = next;
        }
        if list.head == NONE {
            list.tail = NONE;
        }
        bytes
    }

    pub(super) fn release(&mut self, list: &mut CellList) {
        if !list.is_empty() {
            let last = self.nodes[list.tail as usize].cell;
            self.expire(list, last);
        }
    }

    pub(super) fn reaches_past(&self, list: CellList, cell: LowCell) -> bool {
        !list.is_empty() && self.nodes[list.tail as usize].cell.is_after(cell)
    }

    /// The cells of a list with their bytes, the oldest first.
    pub(super) fn cells(&self, list: CellList) -> impl Iterator<Item = (LowCell, u64)> + '_ {
        let node = |at: u32| (at != NONE).then(|| &self.nodes[at as usize]);
        std::iter::successors(node(list.head), move |last| node(last.next)).map(|node| (node.cell, node.bytes))
    }
}
