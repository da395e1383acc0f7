//! The traces that the benchmarks read: generated, the same bytes every time.

use std::io::{self, BufWriter, Write};
use std::path::Path;

#[path = "trace/hostile.rs"]
mod hostile;

/// A trace as the benchmarks need it.
#[derive(Debug, Clone, Copy)]
pub struct Trace {
    pub packets: u32,
    pub content: Content,
    /// Bytes kept of a frame.
    pub snap_length: usize,
}

/// The kind of traffic.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// So many flows, Zipf, 20 % IPv6, 5 % VLAN.
    Mix { flows: u32 },
    /// SYNs from random sources, 10 % IPv6, to sixteen local servers.
    Spoof,
    /// SYNs from one source to so many destinations, port after port.
    Scan { destinations: u32 },
}

impl Trace {
    /// 2 million packets of 50,000 flows, Zipf, 20 % IPv6, 5 % VLAN, 100,000 packets per second of packet time.
    pub const FULL: Self = Self { packets: 2_000_000, content: Content::Mix { flows: 50_000 }, snap_length: 65_535 };
    /// The same, cut at 128 bytes.
    pub const CUT: Self = Self { snap_length: 128, ..Self::FULL };
    /// 1 million sources with a packet each.
    pub const SPOOF: Self = Self { packets: 1_000_000, content: Content::Spoof, ..Self::FULL };
    /// 200,000 destinations, five ports of each.
    pub const SCAN: Self = Self { packets: 1_000_000, content: Content::Scan { destinations: 200_000 }, ..Self::FULL };
}

/// xorshift64*: enough for a trace, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

/// One conversation: the frame headers of each way, without lengths.
struct Conversation {
    ways: [Vec<u8>; 2],
    ip_at: usize,
    is_v6: bool,
    tcp_flags_at: Option<usize>,
    is_open: bool,
}

impl Conversation {
    fn new(number: u32, random: &mut Random) -> Self {
        let is_v6 = random.chance(20);
        let has_tag = random.chance(5);
        let client = random.below(2_000) as u16;
        let server = random.below(20_000).min(random.below(20_000)) as u16;
        let (protocol, service) = match random.below(100) {
            0..80 => (6, [443, 443, 443, 80, 22, 8080, 3306, 5432][random.below(8) as usize]),
            80..98 => (17, [53, 443, 123, 4500, 51_820][random.below(5) as usize]),
            _ => (if is_v6 { 58 } else { 1 }, 0),
        };
        let ephemeral = 32_768 + (number % 28_000) as u16;
        let there = Self::header(is_v6, has_tag, protocol, false, client, server, [ephemeral, service]);
        let back = Self::header(is_v6, has_tag, protocol, true, client, server, [service, ephemeral]);
        let ip_at = if has_tag { 18 } else { 14 };
        let transport_at = ip_at + if is_v6 { 40 } else { 20 };
        let tcp_flags_at = (protocol == 6).then_some(transport_at + 13);
        Self { ways: [there, back], ip_at, is_v6, tcp_flags_at, is_open: false }
    }

    fn header(v6: bool, tag: bool, protocol: u8, back: bool, client: u16, server: u16, ports: [u16; 2]) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        if tag {
            frame.extend([0x81, 0x00, 0x00, 0x0a]);
        }
        let ([c1, c0], [s1, s0]) = (client.to_be_bytes(), server.to_be_bytes());
        if v6 {
            let client = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, c1, c0];
            let server = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, s1, s0];
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, protocol, 64]);
            let order = if back { [server, client] } else { [client, server] };
            order.iter().for_each(|address| frame.extend(address));
        } else {
            let (client, server) = ([10, 0, c1, c0], [198, 18, s1, s0]);
            frame.extend([0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
            let order = if back { [server, client] } else { [client, server] };
            order.iter().for_each(|address| frame.extend(address));
        }
        match protocol {
            6 => {
                ports.iter().for_each(|port| frame.extend(port.to_be_bytes()));
                frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
            }
            17 => {
                ports.iter().for_each(|port| frame.extend(port.to_be_bytes()));
                frame.extend([0, 0, 0, 0]);
            }
            _ => frame.extend([8, 0, 0, 0, 0, 1, 0, 1]),
        }
        frame
    }

    /// Writes the next frame into `frame`; gives its length on the wire.
    fn next_frame(&mut self, random: &mut Random, frame: &mut [u8]) -> usize {
        let way = if self.is_open { random.below(2) as usize } else { 0 };
        let header = &self.ways[way];
        let ip_bytes = match random.below(100) {
            _ if !self.is_open => 60,
            0..45 => 52 + random.below(30) as usize,
            45..65 => 300 + random.below(500) as usize,
            _ => 1300 + random.below(200) as usize,
        }
        .max(header.len() - self.ip_at);
        let length = self.ip_at + ip_bytes;
        frame[..header.len()].copy_from_slice(header);
        if let Some(at) = self.tcp_flags_at {
            frame[at] = if self.is_open { 0x10 } else { 0x02 };
        }
        let (length_at, value) = if self.is_v6 { (4, ip_bytes - 40) } else { (2, ip_bytes) };
        frame[self.ip_at + length_at..][..2].copy_from_slice(&(value as u16).to_be_bytes());
        self.is_open = true;
        length
    }
}

/// The conversation of each packet, Zipf with exponent 1 over their ranks.
fn zipf(flows: u32) -> Vec<f64> {
    let mut sum = 0.0;
    (1..=flows)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect()
}

/// Makes the next frame: writes it into the buffer and gives its length on the wire.
type NextFrame = Box<dyn FnMut(&mut Random, &mut [u8]) -> usize>;

fn mix(flows: u32, random: &mut Random) -> NextFrame {
    let mut conversations: Vec<Conversation> = (0..flows).map(|number| Conversation::new(number, random)).collect();
    let ranks = zipf(flows);
    let total = ranks[ranks.len() - 1];
    Box::new(move |random, frame| {
        let draw = (random.next() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        let rank = ranks.partition_point(|&sum| sum < draw);
        conversations[rank].next_frame(random, frame)
    })
}

/// Writes `trace` to `path`, unless it is there already.
pub fn write(trace: &Trace, path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension("part");
    let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(&unfinished)?);
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, trace.snap_length as u32, 1] {
        file.write_all(&word.to_le_bytes())?;
    }
    let mut random = Random(0x5eed_0f7a_ff1c);
    let mut next_frame = match trace.content {
        Content::Mix { flows } => mix(flows, &mut random),
        Content::Spoof => hostile::spoof(),
        Content::Scan { destinations } => hostile::scan(destinations),
    };
    let mut frame = [0_u8; 2_048];
    for number in 0..trace.packets {
        let length = next_frame(&mut random, &mut frame);
        let kept = length.min(trace.snap_length);
        let microseconds = number % 100_000 * 10;
        for word in [1_700_000_000 + number / 100_000, microseconds, kept as u32, length as u32] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&frame[..kept])?;
    }
    file.into_inner()?.sync_all()?;
    std::fs::rename(unfinished, path)
}
