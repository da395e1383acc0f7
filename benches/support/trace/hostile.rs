//! Frames of the smallest size that fill every table: a flood from invented sources, and a scan.

use super::{NextFrame, Random};

/// The smallest Ethernet frame, without its check sum.
const SMALLEST: usize = 60;

/// A SYN over IPv4, padded to the smallest frame.
fn syn_v4(frame: &mut [u8], source: [u8; 4], destination: [u8; 4], ports: [u16; 2]) -> usize {
    frame[..SMALLEST].fill(0);
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..24].copy_from_slice(&[0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    frame[26..30].copy_from_slice(&source);
    frame[30..34].copy_from_slice(&destination);
    tcp_syn(&mut frame[34..54], ports);
    SMALLEST
}

/// A SYN over IPv6, which is longer than that.
fn syn_v6(frame: &mut [u8], source: [u8; 16], destination: [u8; 16], ports: [u16; 2]) -> usize {
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..22].copy_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
    frame[22..38].copy_from_slice(&source);
    frame[38..54].copy_from_slice(&destination);
    tcp_syn(&mut frame[54..74], ports);
    74
}

fn tcp_syn(header: &mut [u8], [source, destination]: [u16; 2]) {
    header[..2].copy_from_slice(&source.to_be_bytes());
    header[2..4].copy_from_slice(&destination.to_be_bytes());
    header[4..].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
}

/// From random sources to sixteen local servers; every tenth over IPv6.
pub(super) fn spoof() -> NextFrame {
    Box::new(|random: &mut Random, frame| {
        let server = random.below(16) as u8;
        let ports = [1_024 + random.below(60_000) as u16, 80];
        let source = random.next().to_be_bytes();
        if random.chance(10) {
            let mut address = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            address[8..].copy_from_slice(&source);
            return syn_v6(frame, address, [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, server], ports);
        }
        // A public address, whatever the draw: 11.0.0.0 to 138.255.255.255.
        let source = [11 + source[0] % 116, source[1], source[2], source[3]];
        syn_v4(frame, source, [10, 0, 0, server], ports)
    })
}

/// From one source to `destinations` in turn, then the same again at the next port.
pub(super) fn scan(destinations: u32) -> NextFrame {
    const PORTS: [u16; 5] = [22, 80, 443, 3_389, 8_080];
    let mut number = 0;
    Box::new(move |random: &mut Random, frame| {
        let port = PORTS[(number / destinations) as usize % PORTS.len()];
        let [_, high, middle, low] = (number % destinations).to_be_bytes();
        number += 1;
        syn_v4(frame, [10, 0, 0, 9], [198, 18 + high, middle, low], [32_768 + random.below(28_000) as u16, port])
    })
}
