//! The texts as libpcap compiles them, run on frames by an interpreter of classic BPF.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

const OUTGOING: u32 = 4;
const INCOMING: u32 = 0;

struct Instruction {
    code: u16,
    if_true: u32,
    if_false: u32,
    value: u32,
}

/// Compiles for Ethernet by tcpdump. Nothing where there is no tcpdump.
fn compile(text: &str) -> Option<Vec<Instruction>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let words = ["-y", "EN10MB", "-ddd", "-F", file.path().to_str().unwrap()];
    let output = Command::new("tcpdump").args(words).stderr(Stdio::piped()).output().ok()?;
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8(output.stdout).unwrap();
    Some(out.lines().skip(1).map(instruction).collect())
}

fn instruction(line: &str) -> Instruction {
    let numbers: Vec<u32> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [code, if_true, if_false, value] = numbers[..] else { panic!("{line}") };
    Instruction { code: code.try_into().unwrap(), if_true, if_false, value }
}

/// The kernel's verdict (its documentation, networking/filter); a load behind the end refuses the frame.
fn accepts(program: &[Instruction], frame: &[u8], packet_type: u32) -> bool {
    const PACKET_TYPE: u32 = 0xffff_f004;
    let (mut accumulator, mut index, mut at) = (0_u32, 0_u32, 0_usize);
    let mut memory = [0_u32; 16];
    loop {
        let Instruction { code, if_true, if_false, value } = program[at];
        at += 1;
        let load = |offset: u32, bytes: usize| {
            let offset = offset as usize;
            let bytes = frame.get(offset..offset + bytes)?;
            Some(bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
        };
        let mut jump = |condition: bool| at += if condition { if_true } else { if_false } as usize;
        match code {
            0x20 | 0x28 | 0x30 if value == PACKET_TYPE => accumulator = packet_type,
            0x20 | 0x28 | 0x30 => match load(value, [4, 0, 2, 0, 1][usize::from((code - 0x20) / 4)]) {
                Some(loaded) => accumulator = loaded,
                None => return false,
            },
            0x00 => accumulator = value,
            0x01 => index = value,
            0x02 => memory[value as usize] = accumulator,
            0x60 => accumulator = memory[value as usize],
            0x05 => at += value as usize,
            0x15 => jump(accumulator == value),
            0x25 => jump(accumulator > value),
            0x35 => jump(accumulator >= value),
            0x45 => jump(accumulator & value != 0),
            0x1d => jump(accumulator == index),
            0x54 => accumulator &= value,
            0x5c => accumulator &= index,
            0x06 => return value != 0,
            0x07 => index = accumulator,
            0x87 => accumulator = index,
            other => panic!("instruction {other:#x}"),
        }
    }
}

/// An Ethernet frame with an IP header from `source`, behind `tags`.
fn frame(source: IpAddr, tags: &[u16]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 10]);
    }
    match source {
        IpAddr::V4(source) => {
            frame.extend([0x08, 0x00, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0]);
            frame.extend(source.octets());
            frame.extend([10, 1, 0, 9]);
        }
        IpAddr::V6(source) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59, 64]);
            frame.extend(source.octets());
            frame.extend([0xfd; 16]);
        }
    }
    frame
}

fn addresses() -> Vec<IpAddr> {
    let addresses = [
        "0.0.0.0",
        "10.1.0.1",
        "10.1.0.7",
        "10.2.0.1",
        "10.2.0.7",
        "10.10.0.1",
        "10.10.0.9",
        "127.0.0.1",
        "192.0.2.2",
        "192.0.2.9",
        "198.51.100.1",
        "255.255.255.255",
        "::",
        "::1",
        "fd00:1::1",
        "fd00:1::7",
        "fd00:2::1",
        "fd00:2::7",
        "fd00:20::1",
        "fd00:20::7",
        "fd00:21::7",
        "fe80::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db9::1",
    ];
    addresses.map(|address| address.parse().unwrap()).to_vec()
}

/// Compares the compiled filter of `handle` with the origins, on frames in both ways and behind tags.
fn agrees(network: &Network, captured: &[u32], index: u32, deepest: usize) {
    let Some(text) = filter_expression(network, captured, HandleKind::Named(index)).text else { return };
    let Some(program) = compile(&text) else {
        return eprintln!("skipped: there is no tcpdump to compile filters with");
    };
    let origins = Origins::new(network, captured);
    let tags = [vec![], vec![0x8100], vec![0x88a8], vec![0x88a8, 0x8100], vec![0x8100, 0x8100]];
    for (source, tags) in addresses().into_iter().flat_map(|source| tags.iter().map(move |tags| (source, tags))) {
        let frame = frame(source, tags);
        let is_seen = tags.len() <= deepest;
        let counts = !(is_seen && is_copy(true, source, &origins));
        assert_eq!(accepts(&program, &frame, OUTGOING), counts, "{source} {tags:x?} {text}");
        assert!(accepts(&program, &frame, INCOMING), "{source} {tags:x?} {text}");
    }
    let arp = [vec![2; 12], vec![0x08, 0x06], vec![0; 28]].concat();
    assert!(accepts(&program, &arp, OUTGOING));
}

#[test]
fn compiled_filters_agree_with_the_origins() {
    let router = router();
    for captured in [&[2, 3, 4][..], &[2, 3], &[3, 4], &[2, 4]] {
        agrees(&router, captured, captured[0], 0);
    }
    agrees(&trunk(), &[2, 3], 2, 2);
    agrees(&trunk(), &[2, 3], 3, 0);
}

#[test]
fn nested_exceptions_compile_to_the_longest_prefix_match() {
    let mut router = router();
    let routes =
        [("10.0.0.0/8", 4), ("10.10.0.0/16", 2), ("10.10.0.0/28", 4), ("10.10.0.9/32", 3), ("fd00:20::/32", 4)];
    router.routes.extend(
        routes.map(|(network, interface)| Route { destination: network.parse().unwrap(), interfaces: vec![interface] }),
    );
    for captured in [&[2, 3][..], &[3, 4], &[2, 4]] {
        agrees(&router, captured, captured[0], 0);
    }
}

#[test]
fn the_largest_filters_fit_into_the_kernels_limit() {
    let mut v6 = router();
    let own = |n: u128| {
        IpNet::from(IpAddr::from(std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + n * 0x3_0001_0003_0005)))
    };
    v6.links[2].addresses = (1..240).map(own).collect();
    let mut tagged = v6.clone();
    tagged.links[2].addresses.truncate(70);
    tagged.links.push(link(5, "eth1.10", &[]).of(LinkKind::Vlan).on(3));
    tagged.links.push(link(6, "eth1.10.20", &[]).of(LinkKind::Vlan).on(5));
    for (network, index) in [(chequered(MAX_NETWORKS as u32 * 2 - 8, 24), 2), (v6, 3), (tagged, 3)] {
        let captured: Vec<u32> = if index == 2 { vec![2, 3] } else { vec![2, 3, 4] };
        let expression = filter_expression(&network, &captured, HandleKind::Named(index));
        assert_eq!(expression.notices, Vec::<String>::new());
        let Some(program) = compile(&expression.text.unwrap()) else { return };
        assert!(program.len() < 4096, "{}", program.len());
        eprintln!("{} instructions", program.len());
    }
}
