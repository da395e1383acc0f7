//! The interfaces in the ledger, from the first frame until their last values have been read.
//!
//! Takes names, captures and the delivery of snapshots; gives entries. Must not know how interfaces are found.
//!
//! An entry is *living* while its interface exists. When the interface is *gone*, the entry is frozen until every
//! scraper has read its last values. Then it is *retired*: its values move to the entry `retired` of the same families,
//! so that sums never fall, and its place is free. An interface that comes back before that continues from its last
//! values. One that comes back later starts at 0.

use std::collections::BTreeMap;

use super::snapshot::{Capture, Coverage, InterfaceEntry};
use super::{InterfaceId, NEVER};

/// The most living entries, including `other`. Hosts with containers keep making new interfaces.
const MAXIMUM_LIVING: usize = 1_024;

/// The most entries of interfaces that are gone. At the limit the oldest of them is retired unread.
const MAXIMUM_GONE: usize = 1_024;

/// The entry of the interfaces without an entry of their own.
const OTHER: &str = "other";
/// The entry with the values of interfaces that are gone.
const RETIRED: &str = "retired";

#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// In the order of their numbers.
    entries: Vec<InterfaceEntry>,
    registered: u64,
    /// The interfaces that share the entry `other`; true for those that are being captured.
    sharing: BTreeMap<String, bool>,
    /// Memory of the last interval of each worker of an interface, in bytes.
    interval_bytes: BTreeMap<(InterfaceId, usize), usize>,
    retired_unread: u64,
}

impl Interfaces {
    pub(super) fn entries(&self) -> &[InterfaceEntry] {
        &self.entries
    }

    /// Entries that were retired before their last values were read, because of [`MAXIMUM_GONE`].
    pub(super) fn retired_unread(&self) -> u64 {
        self.retired_unread
    }

    /// The entry of the interface called `name`, made if there is none. One that is gone is living again.
    pub(super) fn find_or_register(&mut self, name: &str) -> InterfaceId {
        let is_own = |entry: &&mut InterfaceEntry| entry.name == name && name != RETIRED;
        if let Some(entry) = self.entries.iter_mut().find(is_own) {
            entry.gone_since = None;
            return entry.id;
        }
        if name == RETIRED || name != OTHER && self.living() >= MAXIMUM_LIVING - 1 {
            self.sharing.entry(name.to_owned()).or_default();
            return self.find_or_register(OTHER);
        }
        self.sharing.remove(name);
        self.register(name)
    }

    fn register(&mut self, name: &str) -> InterfaceId {
        let id = InterfaceId(self.registered);
        self.registered += 1;
        self.entries.push(InterfaceEntry { id, name: name.to_owned(), ..InterfaceEntry::default() });
        id
    }

    /// Living interfaces with an entry of their own.
    fn living(&self) -> usize {
        self.entries.iter().filter(|entry| entry.gone_since.is_none() && entry.name != OTHER).count()
    }

    pub(super) fn get(&self, id: InterfaceId) -> Option<&InterfaceEntry> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.entries.get(at)
    }

    pub(super) fn get_mut(&mut self, id: InterfaceId) -> Option<&mut InterfaceEntry> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.entries.get_mut(at)
    }

    /// Adds the statistics of the capture of the interface called `name`, which counts in entry `id`.
    pub(super) fn record_capture(&mut self, id: InterfaceId, name: &str, since: Capture) {
        let up = match self.sharing.get_mut(name) {
            Some(up) => {
                *up = since.up;
                self.sharing.values().any(|&up| up)
            }
            None => since.up,
        };
        if let Some(entry) = self.get_mut(id) {
            let capture = entry.capture.get_or_insert_default();
            capture.add(since);
            capture.up = up;
        }
    }

    pub(super) fn record_interval(&mut self, id: InterfaceId, worker: usize, bytes: usize) {
        self.interval_bytes.insert((id, worker), bytes);
    }

    /// Memory of intervals in bytes: twice the last interval of each worker, because another one is being filled.
    pub(super) fn interval_memory_bytes(&self) -> usize {
        2 * self.interval_bytes.values().sum::<usize>()
    }

    /// True if [`Interfaces::end`] would end an entry.
    pub(super) fn would_end(&self, exists: impl Fn(&str) -> bool) -> bool {
        self.entries.iter().any(|entry| entry.gone_since.is_none() && entry.name != OTHER && !exists(&entry.name))
    }

    /// Ends the entries of interfaces that no longer exist. They are frozen from the snapshot `next` on.
    pub(super) fn end(&mut self, exists: impl Fn(&str) -> bool, next: u64) -> Vec<InterfaceId> {
        self.sharing.retain(|name, _| exists(name));
        let is_shared = !self.sharing.is_empty();
        let is_over = |entry: &&mut InterfaceEntry| {
            entry.gone_since.is_none() && !exists(&entry.name) && !(entry.name == OTHER && is_shared)
        };
        let mut ended = Vec::new();
        for entry in self.entries.iter_mut().filter(is_over) {
            entry.gone_since = Some(next);
            if let Some(capture) = &mut entry.capture {
                (capture.up, capture.coverage) = (false, Coverage::default());
            }
            ended.push(entry.id);
        }
        self.interval_bytes.retain(|(id, _), _| !ended.contains(id));
        ended
    }

    /// Retires entries of interfaces that are gone: those whose last values every scraper has read (`is_read`), those
    /// without counts, and past the limit the oldest ones.
    pub(super) fn retire(&mut self, is_read: impl Fn(u64) -> bool) {
        let is_over = |entry: &InterfaceEntry| match entry.gone_since {
            None | Some(NEVER) => false,
            Some(since) => is_read(since) || entry.counts_nothing(),
        };
        let mut over: Vec<InterfaceId> = self.entries.iter().filter(|entry| is_over(entry)).map(|e| e.id).collect();
        let mut pending: Vec<(u64, InterfaceId)> = self
            .entries
            .iter()
            .filter(|entry| !is_over(entry))
            .filter_map(|entry| Some((entry.gone_since.filter(|&since| since != NEVER)?, entry.id)))
            .collect();
        pending.sort_unstable();
        let unread = pending.len().saturating_sub(MAXIMUM_GONE);
        self.retired_unread += unread as u64;
        over.extend(pending.iter().take(unread).map(|(_, id)| id));
        over.into_iter().for_each(|id| self.retire_one(id));
    }

    fn retire_one(&mut self, id: InterfaceId) {
        let Ok(at) = self.entries.binary_search_by_key(&id, |entry| entry.id) else { return };
        let entry = self.entries.remove(at);
        self.interval_bytes.retain(|(of, _), _| *of != id);
        if entry.counts_nothing() {
            return;
        }
        let retired = self.retired();
        if let Some(retired) = self.get_mut(retired) {
            retired.frames.add(entry.frames);
            retired.capture.get_or_insert_default().add(entry.capture.unwrap_or_default());
        }
    }

    /// The entry `retired`, made when it is first needed. It has counters and no gauges.
    fn retired(&mut self) -> InterfaceId {
        let known = self.entries.iter().find(|entry| entry.gone_since == Some(NEVER)).map(|entry| entry.id);
        known.unwrap_or_else(|| {
            let id = self.register(RETIRED);
            if let Some(entry) = self.get_mut(id) {
                entry.gone_since = Some(NEVER);
            }
            id
        })
    }
}

#[cfg(test)]
mod tests;
