//! Maps and links of the kernel's BPF machine: the calls that `aya` lacks. Takes descriptors; gives entries of maps in
//! batches, links, and a wait until no program uses a map. Must not know the contents of entries.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

// linux/bpf.h and linux/membarrier.h.
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;
const BPF_MAP_DELETE_BATCH: libc::c_long = 27;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_XDP: u32 = 37;
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
// linux/if_link.h.
const XDP_FLAGS_SKB_MODE: u32 = 2;
const XDP_FLAGS_DRV_MODE: u32 = 4;

/// Entries that are read together: as many as have space in [`BATCH_BYTES`], between these two.
const BATCH: std::ops::RangeInclusive<usize> = 64..=4_096;
const BATCH_BYTES: usize = 1 << 20;

/// As much of `struct bpf_map_info` as is read here.
#[repr(C)]
#[derive(Default)]
struct MapInfo {
    kind: u32,
    id: u32,
    key_bytes: u32,
    value_bytes: u32,
}

/// As much of `struct bpf_link_info` as is read here, for links of XDP and TCX.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    unused: u32,
    interface: u32,
    attach_type: u32,
}

/// The place at which a program is attached to an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPlace {
    /// XDP in the driver.
    XdpDriver,
    /// XDP in the network stack.
    XdpStack,
    /// TCX, packets that come in.
    TcxIngress,
    /// TCX, packets that go out.
    TcxEgress,
}

/// The part of `union bpf_attr` for links.
#[repr(C)]
struct CreateLink {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
struct AskInfo {
    fd: u32,
    length: u32,
    info: u64,
}

/// The part of `union bpf_attr` for batches.
#[repr(C)]
struct BatchCall {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    fd: u32,
    entry_flags: u64,
    flags: u64,
}

/// Reads a hash map that has a value for each processor, and changes entries together.
#[derive(Debug)]
pub struct MapReader {
    map: OwnedFd,
    key_bytes: usize,
    /// Bytes of the values of all processors.
    values_bytes: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
    /// The position in the map; none at its beginning.
    position: Option<u32>,
    has_ended: bool,
}

/// Entries that were read together.
#[derive(Debug)]
pub struct EntryBatch<'a> {
    keys: &'a [u8],
    values: &'a [u8],
    key_bytes: usize,
    values_bytes: usize,
}

impl<'a> EntryBatch<'a> {
    /// The bytes of each key, with those of its values, one of each processor.
    pub fn entries(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.keys.chunks_exact(self.key_bytes).zip(self.values.chunks_exact(self.values_bytes))
    }
}

impl AsFd for MapReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

impl MapReader {
    /// A reader of this map.
    ///
    /// # Errors
    /// When the descriptor is no map.
    pub fn new(map: BorrowedFd<'_>) -> io::Result<Self> {
        let map = map.try_clone_to_owned()?;
        let mut info = MapInfo::default();
        ask_info(map.as_fd(), &mut info)?;
        let key_bytes = info.key_bytes as usize;
        let values_bytes = (info.value_bytes as usize).next_multiple_of(8) * processors()?;
        let batch = batch_entries(key_bytes + values_bytes);
        Ok(Self {
            map,
            key_bytes,
            values_bytes,
            keys: vec![0; key_bytes * batch],
            values: vec![0; values_bytes * batch],
            position: None,
            has_ended: false,
        })
    }

    /// Takes the next entries out of the map; none when it is empty. Nothing may be added meanwhile.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take(&mut self) -> io::Result<Option<EntryBatch<'_>>> {
        self.next_batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH)
    }

    /// Reads the next entries and leaves them there; none at the end. Entries that are added or removed meanwhile may be
    /// among them or not; each other entry is read once.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn read(&mut self) -> io::Result<Option<EntryBatch<'_>>> {
        self.next_batch(BPF_MAP_LOOKUP_BATCH)
    }

    /// Sets the values of these keys to zeros.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn clear(&self, keys: &[u8]) -> io::Result<()> {
        let batch = batch_entries(self.values_bytes);
        let zeros = vec![0; self.values_bytes * batch.min(keys.len() / self.key_bytes)];
        keys.chunks(self.key_bytes * batch).try_for_each(|keys| self.change(BPF_MAP_UPDATE_BATCH, keys, &zeros))
    }

    /// Removes these keys, which the map has.
    ///
    /// # Errors
    /// When the kernel refuses, or the map lacks one; those after it stay.
    pub fn remove(&self, keys: &[u8]) -> io::Result<()> {
        if keys.is_empty() { Ok(()) } else { self.change(BPF_MAP_DELETE_BATCH, keys, &[]) }
    }

    fn change(&self, command: libc::c_long, keys: &[u8], values: &[u8]) -> io::Result<()> {
        let mut attributes = BatchCall {
            from: 0,
            to: 0,
            keys: keys.as_ptr() as u64,
            values: values.as_ptr() as u64,
            count: (keys.len() / self.key_bytes) as u32,
            fd: self.map.as_raw_fd().cast_unsigned(),
            entry_flags: 0,
            flags: 0,
        };
        // SAFETY: the kernel reads `count` keys and, for an update, as many values, which outlive the call.
        unsafe { call(command, &raw mut attributes) }.map(drop)
    }

    fn next_batch(&mut self, command: libc::c_long) -> io::Result<Option<EntryBatch<'_>>> {
        if std::mem::take(&mut self.has_ended) {
            self.position = None;
            return Ok(None);
        }
        let count = match self.fill(command) {
            Ok(count) => count,
            Err(error) => {
                // The next reading begins at the beginning.
                self.position = None;
                return Err(error);
            }
        };
        let (keys, values) = (&self.keys[..count * self.key_bytes], &self.values[..count * self.values_bytes]);
        Ok(Some(EntryBatch { keys, values, key_bytes: self.key_bytes, values_bytes: self.values_bytes }))
    }

    fn fill(&mut self, command: libc::c_long) -> io::Result<usize> {
        let mut next = 0_u32;
        loop {
            let mut attributes = BatchCall {
                from: self.position.as_ref().map_or(0, |position| std::ptr::from_ref(position) as u64),
                to: std::ptr::from_mut(&mut next) as u64,
                keys: self.keys.as_mut_ptr() as u64,
                values: self.values.as_mut_ptr() as u64,
                count: (self.keys.len() / self.key_bytes) as u32,
                fd: self.map.as_raw_fd().cast_unsigned(),
                entry_flags: 0,
                flags: 0,
            };
            // SAFETY: the kernel writes at most `count` keys and values, for which there is space, and the position of
            // a hash map, which has four bytes. All memory outlives the call.
            let filled = unsafe { call(command, &raw mut attributes) };
            match filled {
                Ok(_) => self.position = Some(next),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => self.has_ended = true,
                // A bucket of the hash map has more entries than there is space for.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    self.keys.resize(self.keys.len() * 2, 0);
                    self.values.resize(self.values.len() * 2, 0);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(attributes.count as usize);
        }
    }
}

/// The number of entries of this size that are read together.
fn batch_entries(bytes: usize) -> usize {
    (BATCH_BYTES / bytes.max(1)).clamp(*BATCH.start(), *BATCH.end())
}

/// Asks the kernel about an object: `info` is the beginning of the structure for its kind.
fn ask_info<T>(of: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut ask = AskInfo {
        fd: of.as_raw_fd().cast_unsigned(),
        length: size_of::<T>() as u32,
        info: std::ptr::from_mut(info) as u64,
    };
    // SAFETY: the kernel writes at most as many bytes as `length` says to `info`, which outlives the call.
    unsafe { call(BPF_OBJ_GET_INFO_BY_FD, &raw mut ask) }.map(drop)
}

/// # Safety
/// The memory that the attributes point to is valid for what the command reads and writes.
unsafe fn call<T>(command: libc::c_long, attributes: *mut T) -> io::Result<i32> {
    // SAFETY: the attributes outlive the call; the caller answers for the rest.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// The number of processors that the kernel may have: as many values an entry has.
///
/// # Errors
/// When the kernel does not tell.
pub fn processors() -> io::Result<usize> {
    let possible = fs::read_to_string("/sys/devices/system/cpu/possible")?;
    possible_processors(&possible).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The number of processors in a list such as `0-3,8`.
fn possible_processors(list: &str) -> Option<usize> {
    let mut processors = 0;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        processors += last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)? + 1;
    }
    Some(processors)
}

/// Waits until every program that runs now has ended: the kernel's own wait for its readers (membarrier(2)).
///
/// # Errors
/// When the kernel has no such wait, as with `nohz_full`.
pub fn wait_for_programs() -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Attaches a program to an interface by a link, which ends with its descriptor.
///
/// # Errors
/// When the kernel refuses.
pub fn create_link(program: BorrowedFd<'_>, interface: u32, place: LinkPlace) -> io::Result<OwnedFd> {
    let (attach_type, flags) = match place {
        LinkPlace::XdpDriver => (BPF_XDP, XDP_FLAGS_DRV_MODE),
        LinkPlace::XdpStack => (BPF_XDP, XDP_FLAGS_SKB_MODE),
        LinkPlace::TcxIngress => (BPF_TCX_INGRESS, 0),
        LinkPlace::TcxEgress => (BPF_TCX_EGRESS, 0),
    };
    let program = program.as_raw_fd().cast_unsigned();
    let mut create = CreateLink { program, interface, attach_type, flags };
    // SAFETY: the attributes outlive the call, which only reads them; a descriptor that it gives has no other owner.
    unsafe { call(BPF_LINK_CREATE, &raw mut create).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

/// True if a link of XDP or TCX is still attached: another process may have detached it, or its interface is gone.
///
/// # Errors
/// When the descriptor is no link.
pub fn is_link_attached(link: BorrowedFd<'_>) -> io::Result<bool> {
    let mut info = LinkInfo::default();
    ask_info(link, &mut info)?;
    Ok(info.interface != 0)
}

/// The monotonic clock, which programs read, in nanoseconds.
pub fn monotonic_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a time, which outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(possible_processors("0-3,8\n"), Some(5));
        assert_eq!(possible_processors("0"), Some(1));
        assert_eq!(possible_processors("3-0"), None);
        assert_eq!(possible_processors(""), None);
    }

    #[test]
    fn clock_goes_on_and_programs_are_waited_for() {
        let before = monotonic_nanoseconds();
        if let Err(error) = wait_for_programs() {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        }
        assert!(monotonic_nanoseconds() > before);
    }
}
