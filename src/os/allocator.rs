//! The allocator of the program: small blocks are the C library's, in few sizes, and each large block is a mapping of its
//! own. Takes requests for memory; gives memory. Must not know what it holds.
//!
//! The C library places large blocks between small ones where a gap is large enough. Once a large block is freed, small
//! ones fill a part of the gap, and the next large block needs a new place: resident memory grows for hours. A mapping
//! goes back to the kernel when it is freed, and leaves no gap.
//!
//! glibc keeps up to seven freed blocks of each size up to 1,032 bytes for each thread, in steps of 16 bytes: up to 230 KiB
//! a thread, which texts of all lengths fill within hours. With few sizes it keeps less, and a gap fits the next block.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// Blocks from this size on have mappings of their own. A smaller limit would cost time: a page fault for each page.
const OWN_MAPPING_BYTES: usize = 128 << 10;
/// Small blocks up to this size have it exactly. Above, there are so many sizes for each doubling.
const EXACT_BYTES: usize = 128;
const SIZES_A_DOUBLING: usize = 4;
/// The smallest page of the kernel: every mapping begins at a multiple of it.
const SMALLEST_PAGE: usize = 4 << 10;
/// The most arenas of glibc; the default is eight for each processor. Each keeps memory that its threads have freed, and
/// takes some hours until it has its most.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

#[global_allocator]
static ALLOCATOR: SeparateMappings = SeparateMappings;

/// Lets the C library keep little memory that was freed, before further threads start. Only glibc has these settings; other
/// C libraries keep little anyway.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` takes two numbers. A refusal changes nothing and is harmless.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        // For libraries in C. It also keeps glibc from raising its limits by itself.
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES as libc::c_int);
    }
}

/// An allocator with a mapping for each large block.
struct SeparateMappings;

/// True for a block with a mapping of its own. The same for the same layout, so that a block is freed as it was made.
const fn is_large(layout: Layout) -> bool {
    layout.size() >= OWN_MAPPING_BYTES && layout.align() <= SMALLEST_PAGE
}

/// The layout of the block for a request: the next size that the allocator has. Large blocks have whole pages anyway.
const fn fitted(layout: Layout) -> Layout {
    let size = layout.size();
    if size <= EXACT_BYTES || size >= OWN_MAPPING_BYTES {
        return layout;
    }
    let size = size.next_multiple_of((1 << size.ilog2()) / SIZES_A_DOUBLING);
    // SAFETY: the size is at most OWN_MAPPING_BYTES, and the alignment stays as it was.
    unsafe { Layout::from_size_align_unchecked(size, layout.align()) }
}

// SAFETY: a block comes from a mapping or from `System` by its layout alone, and goes back to where it came from. Both give
// memory of the size and the alignment that are asked for, or null; neither panics.
unsafe impl GlobalAlloc for SeparateMappings {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return map(layout.size());
        }
        // SAFETY: as the caller promises; a larger block does as well.
        unsafe { System.alloc(fitted(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            // The kernel gives zeroed pages.
            return map(layout.size());
        }
        // SAFETY: as the caller promises; a larger block does as well.
        unsafe { System.alloc_zeroed(fitted(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout) {
            // SAFETY: the block is a mapping of this size.
            unsafe { libc::munmap(block.cast(), layout.size()) };
            return;
        }
        // SAFETY: as the caller promises; `System` gave the block for this layout.
        unsafe { System.dealloc(block, fitted(layout)) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size is not zero and fits the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (is_large(layout), is_large(new)) {
            // SAFETY: the block is a mapping of this size.
            (true, true) => unsafe { remap(block, layout.size(), new_size) },
            (false, false) if fitted(layout).size() == fitted(new).size() => block,
            // SAFETY: as the caller promises; `System` gave the block for this layout.
            (false, false) => unsafe { System.realloc(block, fitted(layout), fitted(new).size()) },
            // SAFETY: as the caller promises.
            _ => unsafe { self.move_to(block, layout, new) },
        }
    }
}

impl SeparateMappings {
    /// A new block with the content of `block`, which is freed.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    unsafe fn move_to(&self, block: *mut u8, layout: Layout, new: Layout) -> *mut u8 {
        // SAFETY: the size is not zero. Both blocks have the bytes that are copied, and are different.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// A mapping of zeroed memory; null if there is none.
fn map(size: usize) -> *mut u8 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping touches no other memory.
    or_null(unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) })
}

/// The mapping with another size, maybe at another address; null if there is none, and then it stays as it is.
///
/// # Safety
/// `block` is a mapping of `size` bytes.
unsafe fn remap(block: *mut u8, size: usize, new_size: usize) -> *mut u8 {
    // SAFETY: as the caller promises.
    or_null(unsafe { libc::mremap(block.cast(), size, new_size, libc::MREMAP_MAYMOVE) })
}

fn or_null(mapping: *mut libc::c_void) -> *mut u8 {
    if mapping == libc::MAP_FAILED { ptr::null_mut() } else { mapping.cast() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = OWN_MAPPING_BYTES;

    /// The sizes of the blocks that it has one after the other, with its content kept.
    fn resized(sizes: &[usize], align: usize) {
        let of = |size| Layout::from_size_align(size, align).unwrap();
        let allocator = SeparateMappings;
        let byte = |at: usize| (at % 251) as u8;
        // SAFETY: the sizes are not zero, and each layout is that of the block.
        unsafe {
            let mut size = sizes[0];
            let mut block = allocator.alloc_zeroed(of(size));
            assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == 0));
            (0..size).for_each(|at| block.add(at).write(byte(at)));
            for next in &sizes[1..] {
                block = allocator.realloc(block, of(size), *next);
                assert!(block.addr().is_multiple_of(align));
                let kept = std::slice::from_raw_parts(block, size.min(*next));
                assert!(kept.iter().enumerate().all(|(at, value)| *value == byte(at)), "{size} to {next}");
                (0..*next).for_each(|at| block.add(at).write(byte(at)));
                size = *next;
            }
            allocator.dealloc(block, of(size));
        }
    }

    #[test]
    fn blocks_keep_their_content_while_they_grow_and_shrink() {
        for align in [1, 8, 64, 4_096, 8_192, 1 << 21] {
            resized(
                &[1, 100, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE, 20 * LARGE, 2 * LARGE, LARGE, LARGE - 1, 5],
                align,
            );
            resized(&[30 * LARGE, 7, 30 * LARGE + 5, LARGE], align);
        }
    }

    #[test]
    fn small_blocks_have_few_sizes_and_waste_less_than_a_fifth() {
        let of = |size| fitted(Layout::from_size_align(size, 8).unwrap()).size();
        for (size, fitted) in
            [(1, 1), (128, 128), (129, 160), (160, 160), (1_000, 1_024), (1_025, 1_280), (LARGE, LARGE)]
        {
            assert_eq!(of(size), fitted, "{size}");
        }
        let sizes: std::collections::BTreeSet<usize> = (EXACT_BYTES + 1..1_033).map(of).collect();
        assert!(sizes.len() <= 13, "{sizes:?}");
        for size in 1..=2 * LARGE {
            assert!((size..=size * 5 / 4).contains(&of(size)) && of(of(size)) == of(size), "{size}: {}", of(size));
        }
    }

    #[test]
    fn block_that_no_memory_has_space_for_is_refused() {
        let all = Layout::from_size_align(isize::MAX as usize - SMALLEST_PAGE, 1).unwrap();
        // SAFETY: the sizes are not zero. A refused block is not used; the other one stays what it was.
        unsafe {
            assert!(SeparateMappings.alloc(all).is_null());
            let layout = Layout::from_size_align(LARGE, 1).unwrap();
            let block = SeparateMappings.alloc(layout);
            block.write(7);
            assert!(SeparateMappings.realloc(block, layout, all.size()).is_null());
            assert_eq!(block.read(), 7);
            SeparateMappings.dealloc(block, layout);
        }
    }

    #[test]
    fn large_block_does_not_lie_in_a_gap_between_small_ones() {
        let mut small: Vec<Box<[u8]>> = (0..1_000).map(|_| vec![1; 1_000].into()).collect();
        let addresses: Vec<usize> = small.iter().map(|block| block.as_ptr().addr()).collect();
        // The gap has space for three large blocks. The last block keeps it from going back to the kernel.
        drop(small.drain(1..999));
        let large: Vec<Vec<u8>> = (0..3).map(|_| vec![1; 2 * LARGE]).collect();
        let between = addresses.iter().min().unwrap()..addresses.iter().max().unwrap();
        for block in large {
            assert!(block.as_ptr().addr().is_multiple_of(SMALLEST_PAGE));
            assert!(!between.contains(&&block.as_ptr().addr()));
        }
    }
}
