//! A filter for frames of files: libpcap compiles it for each link type, and it runs here. Takes a text of
//! pcap-filter(7) and frames; tells which frames pass. Must not know where the frames come from.
//!
//! libpcap itself runs filters only on files that it reads.

use libc::sock_filter;

use super::libpcap;
use crate::capture::Error;
use crate::capture::filter::compile_in_time;
use crate::packet::{Frame, LinkType};

pub(super) struct SavefileFilter {
    text: String,
    /// A program for each link type so far, the one that was used last first.
    programs: Vec<(LinkType, Box<[sock_filter]>)>,
}

impl SavefileFilter {
    /// A filter that compiles for `link_type`. Frames of other link types may follow.
    pub(super) fn new(text: &str, link_type: LinkType) -> Result<Self, Error> {
        let mut filter = Self { text: text.to_owned(), programs: Vec::new() };
        filter.compile(link_type)?;
        Ok(filter)
    }

    /// True if `frame` passes. Fails if the filter does not compile for a link type that comes for the first time.
    #[inline]
    pub(super) fn passes(&mut self, link_type: LinkType, frame: &Frame<'_>) -> Result<bool, Error> {
        if self.programs.first().is_none_or(|(of, _)| *of != link_type) {
            self.change_to(link_type)?;
        }
        Ok(self.programs.first().is_some_and(|(_, program)| run(program, frame.captured, frame.wire_bytes)))
    }

    #[cold]
    fn change_to(&mut self, link_type: LinkType) -> Result<(), Error> {
        match self.programs.iter().position(|(of, _)| *of == link_type) {
            Some(at) => self.programs.swap(0, at),
            None => self.compile(link_type)?,
        }
        Ok(())
    }

    /// Link types have 16 bits, and their programs are bounded by libpcap.
    fn compile(&mut self, link_type: LinkType) -> Result<(), Error> {
        let compiled = compile_in_time(&self.text, move || libpcap::empty(link_type));
        let program = compiled.map_err(|failure| self.refused(link_type, &failure.reason()))?;
        self.programs.insert(0, (link_type, program.into()));
        Ok(())
    }

    /// The message names the link type if it is not the first of the file.
    fn refused(&self, link_type: LinkType, reason: &str) -> Error {
        let reason = match self.programs.is_empty() {
            true => reason.to_owned(),
            false => format!("{reason} (for an interface of link type {})", libpcap::shown(link_type)),
        };
        Error::Filter { place: None, filter: self.text.clone(), reason }
    }
}

const CLASS: u16 = 0x07;
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;

/// The state of the machine that runs filters (bpf(4)).
struct Machine<'a> {
    packet: &'a [u8],
    wire_bytes: u32,
    accumulator: u32,
    index: u32,
    memory: [u32; 16],
}

/// Runs the program; true if it accepts the packet. As in the kernel, a load past the captured bytes and a division by
/// zero reject the packet. The program ends, because jumps only go forward.
fn run(program: &[sock_filter], packet: &[u8], wire_bytes: u32) -> bool {
    let mut machine = Machine { packet, wire_bytes, accumulator: 0, index: 0, memory: [0; 16] };
    let mut at = 0_usize;
    while let Some(&instruction) = program.get(at) {
        at += 1;
        match instruction.code & CLASS {
            RET => return machine.returned(instruction) != 0,
            JMP => at = at.saturating_add(machine.jump(instruction)),
            _ => match machine.step(instruction) {
                Some(()) => {}
                None => return false,
            },
        }
    }
    false
}

impl Machine<'_> {
    fn returned(&self, instruction: sock_filter) -> u32 {
        const ACCUMULATOR: u16 = 0x10;
        const INDEX: u16 = 0x08;
        match instruction.code & 0x18 {
            ACCUMULATOR => self.accumulator,
            INDEX => self.index,
            _ => instruction.k,
        }
    }

    /// Number of instructions to jump over.
    fn jump(&self, instruction: sock_filter) -> usize {
        let operand = self.operand(instruction);
        let holds = match instruction.code & 0xf0 {
            0x00 => return instruction.k as usize,
            0x10 => self.accumulator == operand,
            0x20 => self.accumulator > operand,
            0x30 => self.accumulator >= operand,
            _ => self.accumulator & operand != 0,
        };
        usize::from(if holds { instruction.jt } else { instruction.jf })
    }

    /// The index register or the constant, as the code says.
    fn operand(&self, instruction: sock_filter) -> u32 {
        if instruction.code & 0x08 != 0 { self.index } else { instruction.k }
    }

    /// Executes an instruction other than a jump or a return. None ends the program.
    fn step(&mut self, instruction: sock_filter) -> Option<()> {
        let memory = instruction.k as usize;
        match instruction.code & CLASS {
            LD => self.accumulator = self.load(instruction)?,
            LDX => self.index = self.load(instruction)?,
            ST => *self.memory.get_mut(memory)? = self.accumulator,
            STX => *self.memory.get_mut(memory)? = self.index,
            ALU => self.accumulator = self.computed(instruction)?,
            // Transfers between the registers.
            _ if instruction.code & 0x80 != 0 => self.accumulator = self.index,
            _ => self.index = self.accumulator,
        }
        Some(())
    }

    fn load(&self, instruction: sock_filter) -> Option<u32> {
        let sock_filter { code, k, .. } = instruction;
        match code & 0xe0 {
            0x00 => Some(k),
            0x20 => self.bytes(code, k as usize),
            0x40 => self.bytes(code, (self.index as usize).checked_add(k as usize)?),
            0x60 => self.memory.get(k as usize).copied(),
            0x80 => Some(self.wire_bytes),
            // Four times the lower half of a byte: the length of an IPv4 header.
            0xa0 => self.packet.get(k as usize).map(|byte| u32::from(byte & 0x0f) * 4),
            _ => None,
        }
    }

    /// Four bytes, two or one.
    fn bytes(&self, code: u16, at: usize) -> Option<u32> {
        let rest = self.packet.get(at..)?;
        match code & 0x18 {
            0x00 => rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
            0x08 => rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes).into()),
            _ => rest.first().map(|byte| u32::from(*byte)),
        }
    }

    fn computed(&self, instruction: sock_filter) -> Option<u32> {
        let (accumulator, operand) = (self.accumulator, self.operand(instruction));
        match instruction.code & 0xf0 {
            0x00 => Some(accumulator.wrapping_add(operand)),
            0x10 => Some(accumulator.wrapping_sub(operand)),
            0x20 => Some(accumulator.wrapping_mul(operand)),
            0x30 => accumulator.checked_div(operand),
            0x40 => Some(accumulator | operand),
            0x50 => Some(accumulator & operand),
            0x60 => Some(accumulator.checked_shl(operand).unwrap_or(0)),
            0x70 => Some(accumulator.checked_shr(operand).unwrap_or(0)),
            0x80 => Some(accumulator.wrapping_neg()),
            0x90 => accumulator.checked_rem(operand),
            0xa0 => Some(accumulator ^ operand),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
