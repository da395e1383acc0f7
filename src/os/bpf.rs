//! Maps of the kernel's BPF machine: the calls that `aya` lacks. Takes descriptors of maps; gives their entries in
//! batches, waits until no program uses a map, and removes a qdisc. Must not know the contents of entries.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

// linux/bpf.h and linux/membarrier.h.
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
/// Entries that are read together.
const BATCH: usize = 4_096;

/// As much of `struct bpf_map_info` as is read here.
#[repr(C)]
#[derive(Default)]
struct MapInfo {
    kind: u32,
    id: u32,
    key_bytes: u32,
    value_bytes: u32,
}

#[repr(C)]
struct AskInfo {
    fd: u32,
    length: u32,
    info: u64,
}

/// The part of `union bpf_attr` for batches.
#[repr(C)]
struct TakeBatch {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    fd: u32,
    entry_flags: u64,
    flags: u64,
}

/// Reads and empties a hash map that has a value for each processor.
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

/// Entries that were taken out of a map.
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

impl MapReader {
    /// A reader of this map.
    ///
    /// # Errors
    /// When the descriptor is no map.
    pub fn new(map: BorrowedFd<'_>) -> io::Result<Self> {
        let map = map.try_clone_to_owned()?;
        let mut info = MapInfo::default();
        let ask = AskInfo {
            fd: map.as_raw_fd().cast_unsigned(),
            length: size_of::<MapInfo>() as u32,
            info: std::ptr::from_mut(&mut info) as u64,
        };
        // SAFETY: the kernel writes as many bytes as `length` says to `info`, which outlives the call.
        unsafe { call(BPF_OBJ_GET_INFO_BY_FD, std::ptr::from_ref(&ask).cast_mut()) }?;
        let key_bytes = info.key_bytes as usize;
        let values_bytes = (info.value_bytes as usize).next_multiple_of(8) * processors()?;
        Ok(Self {
            map,
            key_bytes,
            values_bytes,
            keys: vec![0; key_bytes * BATCH],
            values: vec![0; values_bytes * BATCH],
            position: None,
            has_ended: false,
        })
    }

    /// Takes the next entries out of the map; none when it is empty. Nothing may be added meanwhile.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take(&mut self) -> io::Result<Option<EntryBatch<'_>>> {
        if std::mem::take(&mut self.has_ended) {
            self.position = None;
            return Ok(None);
        }
        let count = self.take_batch()?;
        let (keys, values) = (&self.keys[..count * self.key_bytes], &self.values[..count * self.values_bytes]);
        Ok(Some(EntryBatch { keys, values, key_bytes: self.key_bytes, values_bytes: self.values_bytes }))
    }

    fn take_batch(&mut self) -> io::Result<usize> {
        let mut next = 0_u32;
        loop {
            let mut attributes = TakeBatch {
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
            let taken = unsafe { call(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &raw mut attributes) };
            match taken {
                Ok(()) => self.position = Some(next),
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

/// # Safety
/// The memory that the attributes point to is valid for what the command reads and writes.
unsafe fn call<T>(command: libc::c_long, attributes: *mut T) -> io::Result<()> {
    // SAFETY: the attributes outlive the call; the caller answers for the rest.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The number of processors that the kernel may have: as many values an entry has.
fn processors() -> io::Result<usize> {
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

/// Removes the clsact qdisc of an interface, with all its filters.
///
/// # Errors
/// When the interface has none, or the kernel refuses.
pub fn remove_clsact(interface: u32) -> io::Result<()> {
    const RTM_DELQDISC: u16 = 37;
    const REQUEST_WITH_ANSWER: u16 = 1 | 4; // NLM_F_REQUEST | NLM_F_ACK
    const MESSAGE_BYTES: u32 = 36;
    const CLSACT_HANDLE: u32 = 0xffff_0000;
    const CLSACT_PARENT: u32 = 0xffff_fff1;
    // `struct nlmsghdr` and `struct tcmsg`: length, type and flags, number, port; family, interface, handle, parent.
    let kind = u32::from(RTM_DELQDISC) | u32::from(REQUEST_WITH_ANSWER) << 16;
    let request: [u32; 9] = [MESSAGE_BYTES, kind, 1, 0, 0, interface, CLSACT_HANDLE, CLSACT_PARENT, 0];
    let mut answer = [0_u32; 16];
    // SAFETY: the pointers are to arrays of the lengths given, which outlive the calls; the descriptor is closed at once.
    unsafe {
        let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let sent = libc::send(fd, request.as_ptr().cast(), size_of_val(&request), 0);
        let received = if sent < 0 {
            -1
        } else {
            libc::recv(fd, answer.as_mut_ptr().cast(), size_of_val(&answer), libc::MSG_TRUNC)
        };
        let error = io::Error::last_os_error();
        libc::close(fd);
        if received < 0 {
            return Err(error);
        }
    }
    // `struct nlmsgerr` behind the header begins with the error, negative, or 0.
    match answer[4].cast_signed() {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
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
