//! The slots of the interfaces, by which the program finds their totals. Takes interfaces; gives slots, and the interface
//! of a slot. Must not know what is counted.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use aya::maps::{Array, HashMap, Map, MapData, MapError};

use super::layout::{INTERFACE_ENTRIES, InterfaceSlot};

/// The maps by which the program finds slots, and the slots themselves.
pub(super) struct InterfaceSlots {
    /// The entry of an interface is free or taken by one with the same last bits; then the program looks into `all`.
    entries: Array<MapData, InterfaceSlot>,
    all: HashMap<MapData, u32, u32>,
    taken: BTreeMap<u32, u32>,
    /// The slot that was given back longest ago is first.
    free: VecDeque<u32>,
    /// The interface that has a slot, or had it last.
    interfaces: Vec<u32>,
}

impl InterfaceSlots {
    /// So many slots, all of them free.
    pub(super) fn new(entries: Map, all: Map, count: u32) -> Result<Self, MapError> {
        Ok(Self {
            entries: Array::try_from(entries)?,
            all: HashMap::try_from(all)?,
            taken: BTreeMap::new(),
            free: (0..count).collect(),
            interfaces: vec![0; count as usize],
        })
    }

    /// The interfaces that have a slot, with it.
    pub(super) fn taken(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.taken.iter().map(|(&interface, &slot)| (interface, slot))
    }

    /// The interface that has this slot, or had it last.
    pub(super) fn interface(&self, slot: u16) -> Option<u32> {
        self.interfaces.get(usize::from(slot)).copied()
    }

    /// The slot that [`InterfaceSlots::publish`] gives this interface.
    pub(super) fn next(&self, interface: u32) -> Result<u32, MapError> {
        let slot = self.taken.get(&interface).or_else(|| self.free.front());
        slot.copied().ok_or_else(|| MapError::IoError(io::ErrorKind::StorageFull.into()))
    }

    /// Lets the program find the slot of an interface: it counts from now on.
    pub(super) fn publish(&mut self, interface: u32) -> Result<(), MapError> {
        let slot = self.next(interface)?;
        self.all.insert(interface, slot, 0)?;
        self.taken.insert(interface, slot);
        self.free.retain(|free| *free != slot);
        if let Some(owner) = self.interfaces.get_mut(slot as usize) {
            *owner = interface;
        }
        let at = interface % INTERFACE_ENTRIES;
        let is_free = self.entries.get(&at, 0)? == InterfaceSlot::default();
        if is_free { self.entries.set(at, InterfaceSlot { interface, slot }, 0) } else { Ok(()) }
    }

    /// Gives the slot of an interface back: the program counts nothing there any more.
    pub(super) fn remove(&mut self, interface: u32) -> Result<(), MapError> {
        let at = interface % INTERFACE_ENTRIES;
        if self.entries.get(&at, 0)?.interface == interface {
            self.entries.set(at, InterfaceSlot::default(), 0)?;
        }
        if let Some(slot) = self.taken.remove(&interface) {
            self.free.push_back(slot);
        }
        self.all.remove(&interface)
    }
}
