//! The keys and values of the kernel's maps: the file that the program in the kernel includes too. Takes bytes; gives
//! these types. Must not know what they mean.

use aya::Pod;

#[allow(dead_code, reason = "some parts are for the kernel alone")]
#[path = "../../../ebpf/src/layout.rs"]
mod shared;

pub use shared::*;

macro_rules! pod {
    ($($kind:ty),* $(,)?) => {
        $(
            // SAFETY: the type has no padding, and any bytes are a value of it.
            unsafe impl Pod for $kind {}
        )*
    };
}

pod!(Key4, Key6, Conversation, OverflowKey, Overflow, InterfaceSlot, Totals, Settings, Bucket, Message, Report);

/// The value at the beginning of `bytes`; none if they are too few.
pub fn read<T: Pod>(bytes: &[u8]) -> Option<T> {
    // SAFETY: there are enough bytes, and any bytes are a value.
    (bytes.len() >= size_of::<T>()).then(|| unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The values of all processors, each padded to a multiple of eight bytes.
pub fn per_processor<T: Pod>(bytes: &[u8]) -> impl Iterator<Item = T> + '_ {
    bytes.chunks_exact(size_of::<T>().next_multiple_of(8)).filter_map(read)
}
