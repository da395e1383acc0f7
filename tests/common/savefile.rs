//! Writes pcap savefiles: both magic numbers, both byte orders, any link type. Nothing is checked: a broken file is
//! a file too.

use std::path::{Path, PathBuf};

use super::link::Sample;

/// The byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// A savefile in the making.
#[derive(Debug, Clone)]
pub struct Savefile {
    order: ByteOrder,
    nanoseconds: bool,
    clock_seconds: u32,
    bytes: Vec<u8>,
}

impl Savefile {
    /// Little endian, microseconds, a snap length of 65535.
    pub fn new(link_type: i32) -> Self {
        Self::with(link_type, ByteOrder::Little, false, 65_535)
    }

    /// Every choice of the file header.
    pub fn with(link_type: i32, order: ByteOrder, nanoseconds: bool, snap_length: u32) -> Self {
        let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut bytes = order.u32(magic).to_vec();
        bytes.extend([order.u16(2), order.u16(4)].concat());
        bytes.extend([order.u32(0), order.u32(0), order.u32(snap_length), order.u32(link_type as u32)].concat());
        Self { order, nanoseconds, clock_seconds: 1_700_000_000, bytes }
    }

    /// A frame, one second after the one before.
    pub fn frame(self, sample: &Sample) -> Self {
        let seconds = self.clock_seconds;
        self.frame_at(seconds, 0, sample)
    }

    /// A frame at a moment; the fraction is in microseconds, or in nanoseconds if the file's are.
    pub fn frame_at(mut self, seconds: u32, fraction: u32, sample: &Sample) -> Self {
        let captured = sample.bytes.len() as u32;
        for field in [seconds, fraction, captured, sample.wire_bytes] {
            self.bytes.extend(self.order.u32(field));
        }
        self.bytes.extend(&sample.bytes);
        self.clock_seconds = seconds + 1;
        self
    }

    /// Many frames.
    pub fn frames<'a>(self, samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        samples.into_iter().fold(self, Self::frame)
    }

    /// The file.
    pub fn build(self) -> Vec<u8> {
        self.bytes
    }

    /// The file, written as `name` in `folder`.
    pub fn write(self, folder: &Path, name: &str) -> PathBuf {
        write_capture(folder, name, &self.bytes)
    }
}

/// A capture of any form, written as `name` in `folder`.
pub fn write_capture(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a capture is written");
    path
}
