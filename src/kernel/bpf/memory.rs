//! The sizes of the maps. Takes a limit of memory, the number of processors and the wanted number of conversations; gives
//! numbers of entries. Must not know the program.

use super::layout::{Conversation, GENERATIONS, InterfaceSlot, Key4, Key6, Overflow, OverflowKey, Totals};

/// Bytes of an entry beside its key and values: `struct htab_elem`, and a pointer to the values.
const ENTRY_BYTES: u64 = 56;
/// Bytes of the head of a list of entries. There are as many as entries, rounded up to a power of two.
const HEAD_BYTES: u64 = 16;
/// Bytes of a pointer to the values of an array's entry.
const POINTER_BYTES: u64 = 8;
/// The most interfaces.
const MOST_INTERFACES: u32 = 1_024;
/// The most counters of packets without a conversation.
const MOST_OVERFLOW: u32 = 32_768;

/// Entries of the maps that have values for each processor. The kernel takes their memory at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MapSizes {
    /// Entries of each of the four maps of conversations.
    pub conversations: u32,
    pub interfaces: u32,
    pub overflow: u32,
    /// Memory of all of them.
    pub bytes: u64,
}

impl MapSizes {
    /// The largest sizes up to `conversations` that `limit_bytes` has space for. Three quarters are for conversations.
    pub(super) fn within(limit_bytes: u64, processors: usize, conversations: u32) -> Self {
        let [v4, v6] = [entry::<Key4, Conversation>(processors), entry::<Key6, Conversation>(processors)];
        let [interface, overflow] = [interface(processors), entry::<OverflowKey, Overflow>(processors)];
        let sizes = Self {
            conversations: fitting(limit_bytes / 4 * 3, conversations, |entries| {
                2 * (map_bytes(entries, v4) + map_bytes(entries, v6))
            }),
            interfaces: fitting(limit_bytes / 8, MOST_INTERFACES, |entries| map_bytes(entries, interface)),
            overflow: fitting(limit_bytes / 8, MOST_OVERFLOW, |entries| map_bytes(entries, overflow)),
            bytes: 0,
        };
        let conversations = map_bytes(sizes.conversations, v4) + map_bytes(sizes.conversations, v6);
        let bytes = 2 * conversations + map_bytes(sizes.interfaces, interface) + map_bytes(sizes.overflow, overflow);
        Self { bytes, ..sizes }
    }

    /// Logs how much memory the maps take, and warns if they have less space than `wanted`.
    pub(super) fn say(self, wanted: u32) {
        let Self { conversations, bytes, .. } = self;
        tracing::info!(mebibytes = bytes.div_ceil(1 << 20), conversations, "memory of the kernel's maps");
        if conversations < wanted {
            tracing::warn!(
                "the kernel's maps have space for {conversations} conversations of each IP version in an interval, not \
                 for {wanted}: each takes memory for every processor; further ones count as `other`; raise --xdp.map-memory"
            );
        }
    }
}

/// Bytes of the totals of an interface, and of the entry by which its slot is found.
fn interface(processors: usize) -> u64 {
    let totals = POINTER_BYTES + (size_of::<Totals>() * processors) as u64;
    GENERATIONS as u64 * totals + ENTRY_BYTES + size_of::<InterfaceSlot>() as u64
}

/// Bytes of an entry with a value for each processor.
fn entry<K, V>(processors: usize) -> u64 {
    let of = |bytes: usize| bytes.next_multiple_of(8) as u64;
    ENTRY_BYTES + of(size_of::<K>()) + of(size_of::<V>()) * processors as u64
}

fn map_bytes(entries: u32, entry_bytes: u64) -> u64 {
    u64::from(entries) * entry_bytes + u64::from(entries).next_power_of_two() * HEAD_BYTES
}

/// The largest number up to `most` whose memory is at most `limit_bytes`; at least 1.
fn fitting(limit_bytes: u64, most: u32, bytes: impl Fn(u32) -> u64) -> u32 {
    let (mut fits, mut above) = (1, most.max(1).saturating_add(1));
    while above - fits > 1 {
        let middle = fits + (above - fits) / 2;
        if bytes(middle) <= limit_bytes { fits = middle } else { above = middle }
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_within_its_limit_on_any_number_of_processors() {
        for limit in [16 << 20, 64 << 20, 256 << 20, 4 << 30] {
            for processors in [1, 2, 7, 64, 256, 1_024] {
                let sizes = MapSizes::within(limit, processors, 1 << 20);
                assert!(sizes.bytes <= limit && sizes.bytes > limit / 8, "{limit}, {processors}: {sizes:?}");
                assert!(sizes.conversations > 30 && sizes.interfaces > 5 && sizes.overflow > 80, "{sizes:?}");
                let more = MapSizes { conversations: sizes.conversations + 1, ..sizes };
                assert!(more.conversations > 1 << 20 || bytes_of(more, processors) > limit / 4 * 3, "{sizes:?}");
            }
        }
    }

    /// Memory of the maps of conversations.
    fn bytes_of(sizes: MapSizes, processors: usize) -> u64 {
        let one = map_bytes(sizes.conversations, entry::<Key4, Conversation>(processors));
        2 * (one + map_bytes(sizes.conversations, entry::<Key6, Conversation>(processors)))
    }

    #[test]
    fn default_has_all_conversations_on_eight_processors_and_fewer_on_more() {
        let conversations = |processors| MapSizes::within(256 << 20, processors, 65_536).conversations;
        assert_eq!([1, 2, 4, 8].map(conversations), [65_536; 4]);
        assert!((11_000..13_000).contains(&conversations(64)), "{}", conversations(64));
        assert_eq!(MapSizes::within(256 << 20, 2, 1_024).conversations, 1_024, "no more than wanted");
    }
}
