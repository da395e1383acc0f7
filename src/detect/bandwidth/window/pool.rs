//! The cells of all subjects of a window: lists, the oldest cell first, in one bounded pool.

/// The low bits of a cell's number. Cells in one pool are never so far apart that these would not tell which is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Low(pub(super) u32);

impl Low {
    /// Whether it is later than `other`.
    #[inline]
    pub(super) const fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) as i32 > 0
    }
}

/// Where no node is.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    bytes: u64,
    cell: Low,
    next: u32,
}

/// The cells of one subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    pub(super) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    nodes: Vec<Node>,
    free: u32,
    used: usize,
    limit: usize,
    /// No cell is before this one.
    oldest: Low,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Self {
        Self { nodes: Vec::new(), free: NONE, used: 0, limit: limit.min(NONE as usize), oldest: Low(0) }
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }

    /// Forgets all lists.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.free = NONE;
        self.used = 0;
    }

    /// Adds a cell to a list whose cells are all before it; false when there is no room for one. Reads none of them.
    pub(super) fn push(&mut self, list: &mut List, cell: Low, bytes: u64) -> bool {
        let Some(at) = self.allocate(Node { bytes, cell, next: NONE }) else { return false };
        match list.tail {
            NONE => list.head = at,
            tail => self.nodes[tail as usize].next = at,
        }
        list.tail = at;
        true
    }

    /// Adds bytes to the cell of a list, wherever it stands; false when there is no room for another cell.
    pub(super) fn add(&mut self, list: &mut List, cell: Low, bytes: u64) -> bool {
        let before = self.last_not_after(*list, cell);
        if before != NONE && self.nodes[before as usize].cell == cell {
            let node = &mut self.nodes[before as usize];
            node.bytes = node.bytes.saturating_add(bytes);
            return true;
        }
        let next = if before == NONE { list.head } else { self.nodes[before as usize].next };
        let Some(at) = self.allocate(Node { bytes, cell, next }) else { return false };
        match before {
            NONE => list.head = at,
            before => self.nodes[before as usize].next = at,
        }
        if next == NONE {
            list.tail = at;
        }
        true
    }

    /// The last node of a list whose cell is not after `cell`; the end is where it nearly always is.
    fn last_not_after(&self, list: List, cell: Low) -> u32 {
        if list.is_empty() || !self.nodes[list.tail as usize].cell.is_after(cell) {
            return list.tail;
        }
        let (mut before, mut at) = (NONE, list.head);
        while at != NONE && !self.nodes[at as usize].cell.is_after(cell) {
            (before, at) = (at, self.nodes[at as usize].next);
        }
        before
    }

    fn allocate(&mut self, node: Node) -> Option<u32> {
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

    /// Every list was expired up to `last`.
    pub(super) fn set_expired(&mut self, last: Low) {
        if !self.oldest.is_after(last) {
            self.oldest = Low(last.0.wrapping_add(1));
        }
    }

    /// Lets the cells of a list go that are not after `last`; gives their bytes.
    pub(super) fn expire(&mut self, list: &mut List, last: Low) -> u64 {
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

    /// Lets all cells of a list go.
    pub(super) fn release(&mut self, list: &mut List) {
        if !list.is_empty() {
            let last = self.nodes[list.tail as usize].cell;
            self.expire(list, last);
        }
    }

    /// Whether the last cell of a list is after `cell`.
    pub(super) fn reaches_past(&self, list: List, cell: Low) -> bool {
        !list.is_empty() && self.nodes[list.tail as usize].cell.is_after(cell)
    }

    /// The cells of a list with their bytes, the oldest first.
    pub(super) fn cells(&self, list: List) -> impl Iterator<Item = (Low, u64)> + '_ {
        let node = |at: u32| (at != NONE).then(|| &self.nodes[at as usize]);
        std::iter::successors(node(list.head), move |last| node(last.next)).map(|node| (node.cell, node.bytes))
    }
}
