//! The maps. Takes nothing; gives the tables that the program fills and user space reads. Must not know packets.
//!
//! User space sets the sizes of the conversations and rings when it loads the program.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_RING_SIZE};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf};

use crate::layout::{
    Bucket, Conversation, INTERFACE_ENTRIES, InterfaceSlot, Key4, Key6, Overflow, OverflowKey, Settings, Totals,
};
use crate::packet::Packet;

const CONVERSATIONS: u32 = 65_536;
const RING_BYTES: u32 = 256 * 1024;
const NETWORKS: u32 = 131_072;

#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);

#[map]
pub static V4_EVEN: PerCpuHashMap<Key4, Conversation> = PerCpuHashMap::with_max_entries(CONVERSATIONS, 0);
#[map]
pub static V4_ODD: PerCpuHashMap<Key4, Conversation> = PerCpuHashMap::with_max_entries(CONVERSATIONS, 0);
#[map]
pub static V6_EVEN: PerCpuHashMap<Key6, Conversation> = PerCpuHashMap::with_max_entries(CONVERSATIONS, 0);
#[map]
pub static V6_ODD: PerCpuHashMap<Key6, Conversation> = PerCpuHashMap::with_max_entries(CONVERSATIONS, 0);

/// The IPv6 packet between its reading and its counting: the stack has 512 bytes.
#[map]
pub static WORK_V6: PerCpuArray<Packet<[u32; 4]>> = PerCpuArray::with_max_entries(1, 0);

/// The slots of most interfaces that are captured. To look here costs no call of the kernel.
#[map]
pub static INTERFACES: Array<InterfaceSlot> = Array::with_max_entries(INTERFACE_ENTRIES, 0);
/// The slots of all of them.
#[map]
pub static SLOTS: HashMap<u32, u32> = HashMap::with_max_entries(1_024, 0);

/// Each slot has an entry for each generation (`totals_position`).
#[map]
pub static TOTALS: PerCpuArray<Totals> = PerCpuArray::with_max_entries(2_048, 0);
#[map]
pub static OVERFLOW: PerCpuHashMap<OverflowKey, Overflow> = PerCpuHashMap::with_max_entries(32_768, 0);

#[map]
pub static LOCAL_V4: LpmTrie<[u8; 4], u8> = LpmTrie::with_max_entries(NETWORKS, 0);
#[map]
pub static LOCAL_V6: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(NETWORKS, 0);
#[map]
pub static POLICY_V4: LpmTrie<[u8; 4], u8> = LpmTrie::with_max_entries(NETWORKS, 0);
#[map]
pub static POLICY_V6: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(NETWORKS, 0);

/// The sources that were not permitted lately. The one that was seen longest ago makes space.
#[map]
pub static SOURCES: LruHashMap<[u32; 4], Bucket> = LruHashMap::with_max_entries(65_536, 0);

/// User space reads the rings by the clock; to wake it for each record would cost more.
pub const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;

#[map]
pub static MESSAGES: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);
#[map]
pub static REPORTS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// The flag of a message that is submitted: user space is woken before its time once half of the ring is in use.
#[inline(always)]
pub fn wakeup() -> u64 {
    let used = MESSAGES.query(u64::from(BPF_RB_AVAIL_DATA));
    let size = MESSAGES.query(u64::from(BPF_RB_RING_SIZE));
    if used >= size / 2 { u64::from(BPF_RB_FORCE_WAKEUP) } else { NO_WAKEUP }
}
