//! BPF programs as the kernel runs them (Linux `filter.h`). Takes programs; gives joined, negated and shifted ones.
//! Must not know the meaning of filters.

use libc::sock_filter;
use pcap::Linktype;

/// The link type of cooked frames, second version (`LINKTYPE_LINUX_SLL2`).
pub(super) const COOKED_2: Linktype = Linktype(276);

pub(super) const REJECT_ALL: [sock_filter; 1] = [sock_filter { code: RETURN_CONSTANT, jt: 0, jf: 0, k: 0 }];

/// The return value with which a negated program accepts: more bytes than any packet has.
const ACCEPT: u32 = 262_144;

const RETURN_CONSTANT: u16 = 0x06; // BPF_RET | BPF_K
const JUMP_ALWAYS: u16 = 0x05; // BPF_JMP | BPF_JA
const CLASS: u16 = 0x07;
const LOAD: u16 = 0x00;
const LOAD_INDEX: u16 = 0x01;
const MODE: u16 = 0xe0;
const ABSOLUTE: u16 = 0x20;
const INDIRECT: u16 = 0x40;
const HEADER_LENGTH: u16 = 0xa0;

/// From this offset on (`SKF_AD_OFF`), a load gives data about the packet that the kernel has.
const ANCILLARY: u32 = 0xffff_f000;

/// The offsets at which libpcap puts fields in front of a packet (`LINKTYPE_LINUX_SLL2`), and the kernel's ancillary
/// word for each: `SKF_AD_PROTOCOL`, `SKF_AD_IFINDEX`, `SKF_AD_HATYPE`, `SKF_AD_PKTTYPE`.
const COOKED_FIELDS: [(u32, u32); 4] = [(0, 0), (4, 8), (8, 28), (10, 4)];
const COOKED_HEADER: u32 = 20;

/// Rewrites a program for cooked frames, so that it reads packets from their network header on, as the kernel shows
/// them. False if it loads a field of the cooked header that the kernel does not have.
pub(super) fn without_cooked_header(program: &mut [sock_filter]) -> bool {
    program.iter_mut().filter(|instruction| reads_packet(instruction.code)).all(|instruction| {
        match instruction.k {
            ANCILLARY.. => {}
            COOKED_HEADER.. => instruction.k -= COOKED_HEADER,
            offset => match COOKED_FIELDS.iter().find(|(field, _)| *field == offset) {
                Some((_, word)) => instruction.k = ANCILLARY + word,
                None => return false,
            },
        }
        true
    })
}

/// A program that accepts the packets that both programs accept.
pub(super) fn both(first: &[sock_filter], second: &[sock_filter]) -> Vec<sock_filter> {
    chained(first, second, |verdict| verdict != 0)
}

/// A program that accepts the packets that at least one of the programs accepts.
pub(super) fn either(first: &[sock_filter], second: &[sock_filter]) -> Vec<sock_filter> {
    chained(first, second, |verdict| verdict == 0)
}

/// A program that accepts the packets that `program` rejects. But a packet that is too short for a load is rejected by
/// both, as by libpcap's programs.
pub(super) fn negation(mut program: Vec<sock_filter>) -> Vec<sock_filter> {
    for instruction in program.iter_mut().filter(|instruction| instruction.code == RETURN_CONSTANT) {
        instruction.k = if instruction.k == 0 { ACCEPT } else { 0 };
    }
    program
}

/// A program that runs `first`, and then `second` if `goes_on` holds for the return value of `first`. Returns of
/// `first` become jumps to `second`. A jump takes one instruction as well, so no other jump changes; its offset has 32
/// bits.
fn chained(first: &[sock_filter], second: &[sock_filter], goes_on: impl Fn(u32) -> bool) -> Vec<sock_filter> {
    let mut chained = first.to_vec();
    for (at, instruction) in chained.iter_mut().enumerate() {
        if instruction.code == RETURN_CONSTANT && goes_on(instruction.k) {
            let over = (first.len() - at - 1) as u32;
            *instruction = sock_filter { code: JUMP_ALWAYS, jt: 0, jf: 0, k: over };
        }
    }
    chained.extend_from_slice(second);
    chained
}

fn reads_packet(code: u16) -> bool {
    matches!(code & CLASS, LOAD | LOAD_INDEX) && matches!(code & MODE, ABSOLUTE | INDIRECT | HEADER_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(offset: u32) -> sock_filter {
        sock_filter { code: 0x28, jt: 0, jf: 0, k: offset } // ldh [offset]
    }

    #[test]
    fn offsets_behind_the_cooked_header_move_to_the_front() {
        let mut program = [load(20), load(32), load(0), load(10), load(0xffff_f004)];
        assert!(without_cooked_header(&mut program));
        assert_eq!(program.map(|instruction| instruction.k), [0, 12, 0xffff_f000, 0xffff_f004, 0xffff_f004]);
    }

    #[test]
    fn fields_without_a_word_are_refused() {
        assert!(!without_cooked_header(&mut [load(12)]));
    }

    #[test]
    fn program_that_reads_no_packet_is_unchanged() {
        let compare = sock_filter { code: 0x15, jt: 0, jf: 1, k: 12 };
        let mut program = [compare, REJECT_ALL[0]];
        assert!(without_cooked_header(&mut program));
        assert_eq!(program.map(|instruction| instruction.k), [12, 0]);
    }
}
