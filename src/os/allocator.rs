//! The allocator of the program: small blocks are the C library's, in size classes, and each large block is a mapping of
//! its own. Takes requests for memory; gives memory. Must not know what it holds.
//!
//! The C library places large blocks between small ones where a gap is large enough. Once a large block is freed, small
//! ones fill a part of the gap, and the next large block needs a new place: resident memory grows for hours. A mapping
//! goes back to the kernel when it is freed, and leaves no gap.
//!
//! glibc keeps up to seven freed blocks of each size up to 1,032 bytes for each thread, in steps of 16 bytes: up to 230 KiB
//! a thread, which texts of all lengths fill within hours. With size classes it keeps less, and a gap fits the next block.
//!
//! It also keeps whole pages that are free between blocks. [`give_back`] gives them to the kernel. Each thread has an arena
//! of its own, as is glibc's default: where threads share one, blocks that live long lie between those that live short,
//! and keep their pages.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// Blocks from this size on have mappings of their own. A smaller limit would cost time: a page fault for each page.
const OWN_MAPPING_BYTES: usize = 128 << 10;
/// Blocks up to this size are not rounded. Larger ones are rounded up to one of [`SIZE_CLASSES_PER_DOUBLING`] sizes for
/// each power of two.
const EXACT_BYTES: usize = 128;
const SIZE_CLASSES_PER_DOUBLING: usize = 4;
/// The alignment that every block of the C library has.
const PLAIN_ALIGN: usize = 2 * size_of::<usize>();
/// The smallest page of the kernel: every mapping begins at a multiple of it.
const SMALLEST_PAGE: usize = 4 << 10;

#[global_allocator]
static ALLOCATOR: SeparateMappings = SeparateMappings;

/// Lets the C library keep little memory that was freed, before further threads start. Only glibc has this setting; other
/// C libraries keep little anyway.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    // For libraries in C. It also keeps glibc from raising its limits by itself.
    // SAFETY: `mallopt` takes two numbers. A refusal changes nothing and is harmless.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES as libc::c_int);
    }
}

/// Gives the free pages of the C library to the kernel; only glibc keeps such. It locks each arena in turn, so other threads
/// may wait for memory.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only memory that is free is given back.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// An allocator with a mapping for each large block.
struct SeparateMappings;

/// The source of a block's memory. Equal layouts have equal sources, so `dealloc` finds the source that `alloc` used.
#[derive(Debug, Clone, Copy)]
enum BlockSource {
    /// A mapping of its own.
    Mapping,
    /// A block of the C library.
    CLibrary(Layout),
    /// A part of a larger block of the C library, whose address is stored just before it. glibc's `memalign` would leave
    /// fragments of any size.
    OverAligned(Layout),
    /// None: the size and the alignment together are more than any block can have.
    Nowhere,
}

impl BlockSource {
    fn of(layout: Layout) -> Self {
        let (size, align) = (layout.size(), layout.align());
        if align <= SMALLEST_PAGE && size_class(layout).size() >= OWN_MAPPING_BYTES {
            Self::Mapping
        } else if align <= PLAIN_ALIGN {
            Self::CLibrary(size_class(layout))
        } else {
            let larger = Layout::from_size_align(size.saturating_add(align), PLAIN_ALIGN);
            larger.map_or(Self::Nowhere, |larger| Self::OverAligned(size_class(larger)))
        }
    }
}

/// The layout with the size of its class. Large blocks have none, and other C libraries than glibc have their own classes.
const fn size_class(layout: Layout) -> Layout {
    let size = layout.size();
    if cfg!(not(target_env = "gnu")) || size <= EXACT_BYTES || size >= OWN_MAPPING_BYTES {
        return layout;
    }
    let class = size.next_multiple_of((1 << size.ilog2()) / SIZE_CLASSES_PER_DOUBLING);
    // SAFETY: the size is at most OWN_MAPPING_BYTES, and the alignment stays as it was.
    unsafe { Layout::from_size_align_unchecked(class, layout.align()) }
}

// SAFETY: the source of a block depends on its layout alone, so it goes back to where it came from. Mappings, `System` and
// `aligned_part` give memory of the size and the alignment that are asked for, or null; none of them panics.
unsafe impl GlobalAlloc for SeparateMappings {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not zero, so `class` and `larger` are not empty. `larger` has the size and the alignment
        // together.
        unsafe {
            match BlockSource::of(layout) {
                BlockSource::Mapping => map(layout.size()),
                BlockSource::CLibrary(class) => System.alloc(class),
                BlockSource::OverAligned(larger) => aligned_part(System.alloc(larger), layout.align()),
                BlockSource::Nowhere => ptr::null_mut(),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`. The kernel gives zeroed pages.
        unsafe {
            match BlockSource::of(layout) {
                BlockSource::Mapping => map(layout.size()),
                BlockSource::CLibrary(class) => System.alloc_zeroed(class),
                BlockSource::OverAligned(larger) => aligned_part(System.alloc_zeroed(larger), layout.align()),
                BlockSource::Nowhere => ptr::null_mut(),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is from the source that its layout says.
        unsafe {
            match BlockSource::of(layout) {
                BlockSource::Mapping => drop(libc::munmap(block.cast(), layout.size())),
                BlockSource::CLibrary(class) => System.dealloc(block, class),
                BlockSource::OverAligned(larger) => System.dealloc(larger_block(block), larger),
                BlockSource::Nowhere => {}
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size is not zero and fits the alignment. The block is from the
        // source that its layout says.
        unsafe {
            let new = Layout::from_size_align_unchecked(new_size, layout.align());
            match (BlockSource::of(layout), BlockSource::of(new)) {
                (BlockSource::Mapping, BlockSource::Mapping) => remap(block, layout.size(), new_size),
                (BlockSource::CLibrary(old), BlockSource::CLibrary(new))
                | (BlockSource::OverAligned(old), BlockSource::OverAligned(new))
                    if old.size() == new.size() =>
                {
                    block
                }
                (BlockSource::CLibrary(old), BlockSource::CLibrary(new)) => System.realloc(block, old, new.size()),
                _ => self.move_to(block, layout, new),
            }
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

/// The first aligned address in `larger` that has space for an address before it; null if `larger` is null.
///
/// # Safety
/// `larger` is null, or aligned to [`PLAIN_ALIGN`] and more than `align` bytes long.
unsafe fn aligned_part(larger: *mut u8, align: usize) -> *mut u8 {
    if larger.is_null() {
        return larger;
    }
    let shift = align - larger.addr() % align;
    // SAFETY: both are multiples of PLAIN_ALIGN, so the shift has space for an address; it is at most `align`.
    unsafe {
        let block = larger.add(shift);
        block.cast::<*mut u8>().sub(1).write(larger);
        block
    }
}

/// The block of the C library around a block.
///
/// # Safety
/// `block` comes from [`aligned_part`].
const unsafe fn larger_block(block: *mut u8) -> *mut u8 {
    // SAFETY: the address is before the block.
    unsafe { block.cast::<*mut u8>().sub(1).read() }
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
        for align in [1, 8, 16, 32, 64, 128, 4_096, 8_192, 1 << 21] {
            resized(
                &[1, 100, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE, 20 * LARGE, 2 * LARGE, LARGE, LARGE - 1, 5],
                align,
            );
            resized(&[30 * LARGE, 7, 30 * LARGE + 5, LARGE], align);
        }
    }

    #[test]
    fn memory_that_is_used_again_is_zeroed() {
        for align in [8, 64] {
            let layout = Layout::from_size_align(1_000, align).unwrap();
            // SAFETY: the size is not zero, and each block is freed with its layout.
            unsafe {
                for _ in 0..10 {
                    let block = SeparateMappings.alloc(layout);
                    block.write_bytes(0xff, layout.size());
                    SeparateMappings.dealloc(block, layout);
                    let zeroed = SeparateMappings.alloc_zeroed(layout);
                    assert!(std::slice::from_raw_parts(zeroed, layout.size()).iter().all(|byte| *byte == 0));
                    SeparateMappings.dealloc(zeroed, layout);
                }
            }
        }
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn small_blocks_have_few_sizes_and_waste_less_than_a_fifth() {
        let of = |size| size_class(Layout::from_size_align(size, 8).unwrap()).size();
        for (size, class) in
            [(1, 1), (128, 128), (129, 160), (160, 160), (1_000, 1_024), (1_025, 1_280), (LARGE, LARGE)]
        {
            assert_eq!(of(size), class, "{size}");
        }
        let sizes: std::collections::BTreeSet<usize> = (EXACT_BYTES + 1..1_033).map(of).collect();
        assert!(sizes.len() <= 13, "{sizes:?}");
        for size in 1..=2 * LARGE {
            assert!((size..=size * 5 / 4).contains(&of(size)) && of(of(size)) == of(size), "{size}: {}", of(size));
        }
    }

    #[test]
    fn block_that_no_memory_has_space_for_is_refused() {
        const MOST: usize = isize::MAX as usize;
        let all = Layout::from_size_align(MOST - SMALLEST_PAGE, 1).unwrap();
        // SAFETY: the sizes are not zero. A refused block is not used; the other one stays what it was.
        unsafe {
            assert!(SeparateMappings.alloc(all).is_null());
            for too_large in [MOST - 8_191, MOST - LARGE] {
                let layout = Layout::from_size_align(too_large, 8_192).unwrap();
                assert!(SeparateMappings.alloc(layout).is_null() && SeparateMappings.alloc_zeroed(layout).is_null());
            }
            let layout = Layout::from_size_align(LARGE, 1).unwrap();
            let block = SeparateMappings.alloc(layout);
            block.write(7);
            assert!(SeparateMappings.realloc(block, layout, all.size()).is_null());
            assert_eq!(block.read(), 7);
            SeparateMappings.dealloc(block, layout);
        }
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn aligned_block_lies_in_a_larger_one_of_few_sizes() {
        let of = |size, align| match BlockSource::of(Layout::from_size_align(size, align).unwrap()) {
            BlockSource::OverAligned(larger) => Some((larger.size(), larger.align())),
            _ => None,
        };
        for (size, align, larger) in [(8, 32, 40), (128, 128, 256), (130, 128, 320), (1_000, 64, 1_280)] {
            assert_eq!(of(size, align), Some((larger, PLAIN_ALIGN)), "{size} aligned to {align}");
        }
        assert_eq!((of(100, PLAIN_ALIGN), of(LARGE, SMALLEST_PAGE)), (None, None));
        // Rounded up, it is large.
        assert_eq!(of(LARGE - 1, SMALLEST_PAGE), None);
        assert_eq!(of(LARGE, 2 * SMALLEST_PAGE), Some((LARGE + 2 * SMALLEST_PAGE, PLAIN_ALIGN)));
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn free_pages_between_blocks_go_back_to_the_kernel() {
        // The largest small size, so that there are whole pages in it also where a page has 64 KiB.
        const SIZE: usize = 112 << 10;
        let mut blocks: Vec<Box<[u8]>> = (0..1_000).map(|_| vec![1; SIZE].into()).collect();
        // The last block keeps those before it from going back when they are freed.
        let freed: Vec<usize> = blocks.drain(..999).map(|block| block.as_ptr().addr()).collect();
        let resident = || -> usize { freed.iter().map(|block| resident_pages(*block, SIZE)).sum() };
        let before = resident();
        give_back();
        let after = resident();
        // Other tests take and free memory meanwhile.
        assert!(before > 0 && after < before / 2, "{before} pages, then {after}");
    }

    /// The pages that lie in these bytes as a whole and take memory. The bytes need not be mapped any more.
    #[cfg(target_env = "gnu")]
    fn resident_pages(block: usize, size: usize) -> usize {
        // SAFETY: it takes a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
        let (start, end) = (block.next_multiple_of(page), (block + size) / page * page);
        let mut pages = vec![0; end.saturating_sub(start) / page];
        // SAFETY: there is a byte for each page. Memory that is not mapped is an error.
        let answer =
            unsafe { libc::mincore(ptr::without_provenance_mut(start), pages.len() * page, pages.as_mut_ptr()) };
        if answer == 0 { pages.iter().filter(|page| **page & 1 == 1).count() } else { 0 }
    }

    #[test]
    fn large_block_does_not_lie_in_a_gap_between_small_ones() {
        let mut small: Vec<Box<[u8]>> = (0..1_000).map(|_| vec![1; 1_000].into()).collect();
        // The gap has space for three large blocks. The last block keeps it from going back to the kernel.
        drop(small.drain(1..999));
        let large: Vec<Vec<u8>> = (0..3).map(|_| vec![1; 2 * LARGE]).collect();
        // A block of the C library begins with its size, so only a mapping begins with a page.
        assert!(large.iter().all(|block| block.as_ptr().addr().is_multiple_of(SMALLEST_PAGE)));
    }
}
