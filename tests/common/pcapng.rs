//! Writes pcapng files: section header, interface descriptions, enhanced packets, and no options.

use std::path::{Path, PathBuf};

use super::link::Sample;
use super::savefile::{ByteOrder, write_capture};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

/// A pcapng file in the making.
#[derive(Debug, Clone)]
pub struct Pcapng {
    order: ByteOrder,
    clock_microseconds: u64,
    bytes: Vec<u8>,
}

impl Pcapng {
    /// A section without interfaces.
    pub fn new(order: ByteOrder) -> Self {
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend([order.u16(1), order.u16(0)].concat());
        body.extend([0xff; 8]);
        Self { order, clock_microseconds: 1_700_000_000_000_000, bytes: Vec::new() }.block(SECTION_HEADER, &body)
    }

    /// One more interface; the first is number 0.
    pub fn interface(self, link_type: u16, snap_length: u32) -> Self {
        let order = self.order;
        let body = [&order.u16(link_type)[..], &order.u16(0), &order.u32(snap_length)].concat();
        self.block(INTERFACE_DESCRIPTION, &body)
    }

    /// A frame on `interface`, one second after the one before.
    pub fn frame(mut self, interface: u32, sample: &Sample) -> Self {
        let order = self.order;
        let time = self.clock_microseconds;
        let fields = [interface, (time >> 32) as u32, time as u32, sample.bytes.len() as u32, sample.wire_bytes];
        let mut body = fields.map(|field| order.u32(field)).concat();
        body.extend(&sample.bytes);
        self.clock_microseconds += 1_000_000;
        self.block(ENHANCED_PACKET, &body)
    }

    fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = self.order.u32((12 + body.len() + padding) as u32);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(vec![0; padding]);
        self.bytes.extend(length);
        self
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
