//! Memory that is resident from the start. Takes a value and a number; gives a vector. Must not know what it is for.
//!
//! The kernel gives a page when it is first written. A table that fills slowly would grow for hours, which looks like a
//! leak, and its limit would be met long after the start.

use std::hint::black_box;

/// So many values, whose memory is written.
pub(crate) fn resident<T: Clone>(value: T, count: usize) -> Vec<T> {
    let mut memory = Vec::with_capacity(count);
    // `vec!` asks for zeroed memory if the value is zero, and so would a compiler that knows it. Neither writes then.
    memory.resize(count, black_box(value));
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resident bytes of the mapping of an address.
    fn resident_bytes(address: usize) -> usize {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_in_mapping = false;
        for line in text.lines() {
            let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
            if let Some([Ok(start), Ok(end)]) =
                range.map(|(start, end)| [start, end].map(|number| usize::from_str_radix(number, 16)))
            {
                is_in_mapping = (start..end).contains(&address);
            } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| is_in_mapping) {
                return size.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10;
            }
        }
        panic!("no mapping of {address:x}")
    }

    #[test]
    fn zeros_are_resident() {
        const COUNT: usize = 8 << 20;
        let memory = resident(0_u64, COUNT);
        assert_eq!(memory.iter().sum::<u64>(), 0);
        let middle = &raw const memory[COUNT / 2];
        assert!(resident_bytes(middle as usize) >= COUNT * size_of::<u64>());
    }
}
