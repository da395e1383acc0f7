//! Settings of the C library's allocator. Takes nothing; gives nothing. Must not know what is allocated.

/// The most arenas; the default is eight for each processor. Each keeps memory that its threads have freed, and takes some
/// hours until it has its most.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;
/// Blocks from this size on have mappings of their own, and are given back to the kernel as soon as they are freed. Among
/// small blocks, their places would fill with others, and resident memory would grow.
#[cfg(target_env = "gnu")]
const OWN_MAPPING_BYTES: libc::c_int = 128 << 10;

/// Lets the allocator keep little memory that was freed, before further threads start. Only glibc has these settings; other
/// C libraries keep little anyway.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` takes two numbers. A refusal changes nothing and is harmless.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
    }
}
