//! Reads pcapng files (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>). Takes bytes; gives frames
//! with the link type of their interface. Must not know what the frames contain.
//!
//! libpcap refuses files whose interfaces differ in link type or snap length, so the blocks are read here. Blocks
//! without a packet are skipped, and of the options only the clock of an interface is read.

mod interface;

use super::input::{Filled, Input};
use crate::packet::{Frame, LinkType, Timestamp};
pub(super) use interface::Fault;
use interface::{DescribedInterface, Order};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete, but still in old files.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The bytes before the body of a block: type and total length.
const BLOCK_START: usize = 8;
/// The bytes before and behind the body: the total length stands once more behind it.
const BLOCK_ENDS: usize = 12;
/// The largest block that is read; libpcap has the same limit.
const LARGEST_BLOCK: u32 = 16 << 20;
/// Interfaces that one section may describe.
const MOST_INTERFACES: usize = 65_536;

/// The next item of a file.
pub(super) enum NextPacket<'a> {
    /// A frame, and the link type of its interface.
    Frame(LinkType, Frame<'a>),
    Waiting,
    /// The file ends here, between two blocks.
    End,
}

/// The blocks of a pcapng file from the first on.
pub(super) struct Blocks {
    input: Input,
    order: Order,
    interfaces: Vec<DescribedInterface>,
}

/// The next block of the input, all of which is there.
#[derive(Debug, Clone, Copy)]
struct Block {
    kind: u32,
    length: usize,
}

/// The place of a packet in the body of its block.
#[derive(Debug, Clone, Copy)]
struct PacketPlace {
    link_type: LinkType,
    time: Timestamp,
    start: usize,
    captured: usize,
    wire_bytes: u32,
}

impl Blocks {
    /// The blocks of `input`, which is at its beginning. Gives the input back if it is no pcapng file.
    pub(super) fn of(mut input: Input) -> Result<Self, Input> {
        input.wait_for(BLOCK_ENDS);
        let is_section = input.unused().starts_with(&SECTION_HEADER.to_be_bytes());
        let order = input.unused().get(BLOCK_START..BLOCK_ENDS).and_then(Order::of_magic);
        match order {
            Some(order) if is_section => Ok(Self { input, order, interfaces: Vec::new() }),
            _ => Err(input),
        }
    }

    /// Reads up to the first packet, or to the end. Gives the link types of the interfaces that are described before
    /// it.
    pub(super) fn link_types(&mut self) -> Result<Vec<LinkType>, Fault> {
        loop {
            match self.block()? {
                Ok(block) if block.is_packet() => break,
                Ok(block) => self.read_other(block)?,
                Err(Filled::Waiting) => {}
                Err(_) => break,
            }
        }
        Ok(self.interfaces.iter().map(|interface| interface.link_type).collect())
    }

    /// The next packet. Fails when the file is broken at this place.
    pub(super) fn next(&mut self) -> Result<NextPacket<'_>, Fault> {
        loop {
            match self.block()? {
                Ok(block) if block.is_packet() => {
                    let body = &self.input.unused()[BLOCK_START..block.length - 4];
                    let packet = self.packet(block.kind, body)?;
                    let bytes = &self.input.take(block.length)[BLOCK_START + packet.start..][..packet.captured];
                    return Ok(NextPacket::Frame(packet.link_type, Frame::new(packet.time, bytes, packet.wire_bytes)));
                }
                Ok(block) => self.read_other(block)?,
                Err(Filled::Waiting) => return Ok(NextPacket::Waiting),
                Err(_) => return Ok(NextPacket::End),
            }
        }
    }

    /// The next block; or the outcome of the reading if there is none.
    fn block(&mut self) -> Result<Result<Block, Filled>, Fault> {
        if let Err(filled) = self.want(BLOCK_ENDS)? {
            return Ok(Err(filled));
        }
        let start = self.input.unused();
        let kind = self.order.word(start, 0);
        let order = match kind {
            SECTION_HEADER => Order::of_magic(&start[BLOCK_START..BLOCK_ENDS]).ok_or(Fault::ByteOrder)?,
            _ => self.order,
        };
        let length = order.word(start, 4);
        if length % 4 != 0 || !(BLOCK_ENDS as u32..=LARGEST_BLOCK).contains(&length) {
            return Err(Fault::BlockLength(length));
        }
        let length = length as usize;
        if let Err(filled) = self.want(length)? {
            return Ok(Err(filled));
        }
        let again = order.word(self.input.unused(), length - 4);
        // libpcap does not check the length behind the header of a section either.
        if again as usize != length && kind != SECTION_HEADER {
            return Err(Fault::Trailer(again, length));
        }
        Ok(Ok(Block { kind, length }))
    }

    /// Reads on until `wanted` bytes are there.
    fn want(&mut self, wanted: usize) -> Result<Result<(), Filled>, Fault> {
        if self.input.available() >= wanted {
            return Ok(Ok(()));
        }
        match self.input.fill(wanted) {
            Filled::Whole => Ok(Ok(())),
            Filled::Waiting => Ok(Err(Filled::Waiting)),
            Filled::Ended => match (self.input.failure(), self.input.available()) {
                (Some(error), _) => Err(Fault::Input(error)),
                (None, 0) => Ok(Err(Filled::Ended)),
                (None, got) => Err(Fault::Truncated(wanted, got)),
            },
        }
    }

    /// Reads a block without a packet.
    fn read_other(&mut self, Block { kind, length }: Block) -> Result<(), Fault> {
        let block = self.input.take(length);
        let body = &block[BLOCK_START..length - 4];
        match kind {
            SECTION_HEADER => {
                self.order = Order::of_magic(body).ok_or(Fault::ByteOrder)?;
                self.interfaces.clear();
                self.order.check_version(body)
            }
            INTERFACE_DESCRIPTION if self.interfaces.len() >= MOST_INTERFACES => Err(Fault::TooManyInterfaces),
            INTERFACE_DESCRIPTION => {
                self.interfaces.push(DescribedInterface::of(self.order, body)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The packet in the body of a block of this kind.
    fn packet(&self, kind: u32, body: &[u8]) -> Result<PacketPlace, Fault> {
        let word = |at: usize| body.get(at..at + 4).map(|_| self.order.word(body, at)).ok_or(Fault::ShortBlock(kind));
        if kind == SIMPLE_PACKET {
            let wire_bytes = word(0)?;
            let interface = self.interface(0)?;
            return interface.packet(0, wire_bytes.min(interface.largest), wire_bytes, 4, body);
        }
        let number = match kind {
            PACKET => u32::from(self.order.half(body.get(..2).ok_or(Fault::ShortBlock(kind))?, 0)),
            _ => word(0)?,
        };
        let units = u64::from(word(4)?) << 32 | u64::from(word(8)?);
        self.interface(number)?.packet(units, word(12)?, word(16)?, 20, body)
    }

    fn interface(&self, number: u32) -> Result<&DescribedInterface, Fault> {
        self.interfaces.get(number as usize).ok_or(Fault::NoInterface(number))
    }
}

impl Block {
    fn is_packet(self) -> bool {
        matches!(self.kind, PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
    }
}

#[cfg(test)]
mod tests;
