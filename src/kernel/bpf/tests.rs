//! The program in the kernel, run on frames that the tests make: no interface takes part. Needs root; without it, each
//! test says that it is skipped.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aya::programs::{TestRun as _, TestRunOptions};
use ipnet::Ipv4Net;

use super::*;
use crate::account::conversation::{Address, OneWay, Way};
use crate::account::flow::Counters;
use crate::account::interval::{Interval, Row};
use crate::decode::{Decoder, NotIp};
use crate::kernel::Daq;
use crate::locality::{self, Classifier, Direction};
use crate::packet::{Frame, LinkType, Protocol, Timestamp};

/// The interface of frames that the kernel runs for a test: loopback.
const INTERFACE: u32 = 1;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// The program, if this process may load it and the kernel takes it.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn kernel(daq: Daq, max_conversations: u32, drops_packets: bool) -> Option<Kernel> {
    if let Err(error) = attach::check_rights() {
        // Visible with --show-output, and in the log of a failed run.
        eprintln!("skipped: {error}");
        return None;
    }
    let config = Config { daq, max_conversations, drops_packets, ..Config::default() };
    let mut kernel = match Kernel::load(&config, EventPace::default()) {
        Err(error @ Error::Load { .. }) => {
            eprintln!("skipped: {daq:?}: {error}");
            return None;
        }
        loaded => loaded.unwrap(),
    };
    kernel.make_counters(INTERFACE).unwrap();
    kernel.set_local(&locality::local_networks(&locality::Config::default(), [])).unwrap();
    Some(kernel)
}

impl Kernel {
    /// Runs the program on a frame so many times; gives what it returned. `context` may be empty.
    fn run(&mut self, frame: &[u8], repeat: u32, context: &[u8]) -> u32 {
        self.try_run(frame, repeat, context).unwrap()
    }

    /// The same; none if the kernel makes no packet of the frame, as for TC of one that is too short for IP.
    fn try_run(&mut self, frame: &[u8], repeat: u32, context: &[u8]) -> Option<u32> {
        let mut options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::new() };
        let ran = match self.config.daq {
            Daq::Xdp => attach::xdp(&mut self.ebpf).unwrap().test_run(options),
            _ => {
                options.ctx_in = (!context.is_empty()).then_some(context);
                attach::classifier(&mut self.ebpf, "tm_ingress").unwrap().test_run(options)
            }
        };
        match ran {
            Err(_) if self.config.daq == Daq::Tc => None,
            ran => Some(ran.unwrap().return_value),
        }
    }
}

fn empty() -> Interval {
    Interval::new(Arc::new(Classifier::new(&locality::Config::default(), [])), 7)
}

fn decoder() -> Decoder {
    Decoder::new(LinkType(1)).unwrap()
}

/// The interval as the kernel counted it.
fn counted(kernel: &mut Kernel) -> Interval {
    let taken = kernel.take_interval().unwrap();
    let mut interval = empty();
    taken.messages.iter().for_each(|message| message.add_to(&decoder(), &mut interval));
    taken.totals.iter().for_each(|totals| totals.add_to(&mut interval));
    taken.overflow.iter().for_each(|sum| sum.add_to(&mut interval));
    taken.rows_v4.iter().for_each(|row| interval.add_v4(&row.conversation));
    taken.rows_v6.iter().for_each(|row| interval.add_v6(&row.conversation));
    interval.settle();
    interval
}

/// The interval as the decoder of user space counts the same frames.
fn decoded(frames: &[Vec<u8>]) -> Interval {
    let mut interval = empty();
    for (number, bytes) in frames.iter().enumerate() {
        let time = Timestamp::from_nanoseconds(number as i64);
        let frame = Frame { time, captured: bytes, wire_bytes: bytes.len() as u32 };
        match decoder().decode(&frame) {
            Ok(packet) => {
                decoder().refusal(&frame, &packet).iter().for_each(|refusal| interval.refuse(refusal));
                interval.observe(&packet, frame.wire_bytes);
            }
            Err(reason) => interval.observe_not_ip(reason, frame.wire_bytes),
        }
    }
    interval.settle();
    interval
}

/// All of an interval but times, as text in a fixed order.
fn shown(interval: &Interval) -> Vec<String> {
    let mut lines = vec![format!("{:?} {:?}", interval.frames(), interval.not_ip())];
    lines.extend(interval.overflow().iter().map(|entry| format!("{entry:?}")));
    let mut rows: Vec<String> = interval.rows_v4().iter().map(shown_row).collect();
    rows.extend(interval.rows_v6().iter().map(shown_row));
    rows.extend(interval.refused_v4().iter().map(|refused| format!("{:?} {:?}", refused.key, refused.way)));
    rows.extend(interval.refused_v6().iter().map(|refused| format!("{:?} {:?}", refused.key, refused.way)));
    rows.sort();
    lines.extend(rows);
    lines
}

fn shown_row<A: Address>(row: &Row<A>) -> String {
    let way = |way: &OneWay| {
        let first = (way.first_flags(), way.icmp_type(), way.is_refused());
        (way.packets, way.bytes, way.flags, way.has_payload(), way.direction, first)
    };
    let ends = row.key.endpoints(Way::Forward);
    format!("{ends:?} {:?} {:?} {:?}", row.key.protocol(), row.opener(), row.ways.each_ref().map(way))
}

// ---- Frames --------------------------------------------------------------------------------------------------------

const V4: u16 = 0x0800;
const V6: u16 = 0x86dd;

fn ethernet(types: &[u16], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for (at, ether_type) in types.iter().enumerate() {
        if at > 0 {
            frame.extend([0, 5]);
        }
        frame.extend(ether_type.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// An IPv4 packet from 10.0.0.`source` to 8.8.8.`destination` with options and a fragment field.
fn v4(source: u8, destination: u8, protocol: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_bytes = 20 + options.len();
    let mut packet = vec![0x40 | (header_bytes / 4) as u8, 0];
    packet.extend(((header_bytes + payload.len()) as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, source, 8, 8, 8, destination]);
    packet.extend(options);
    packet.extend(payload);
    packet
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend(payload);
    packet
}

fn tcp(ports: [u16; 2], flags: u8, data: &[u8]) -> Vec<u8> {
    let mut segment: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0, 9, 0, 0, 0, 0]);
    segment.extend(data);
    segment
}

fn udp(ports: [u16; 2], data: &[u8]) -> Vec<u8> {
    let mut datagram: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
    datagram.extend([0, 8 + data.len() as u8, 0, 0]);
    datagram.extend(data);
    datagram
}

/// Extension headers, each with the number of the next one.
fn extended(headers: &[(u8, &[u8])], last: u8, payload: &[u8]) -> Vec<u8> {
    let mut chain = Vec::new();
    for (at, (_, body)) in headers.iter().enumerate() {
        chain.push(headers.get(at + 1).map_or(last, |(next, _)| *next));
        chain.extend(*body);
    }
    chain.extend(payload);
    v6(headers.first().map_or(last, |(first, _)| *first), &chain)
}

type NamedFrame = (&'static str, Vec<u8>);

/// Frames of every form that the program tells apart, with their names.
fn frames() -> Vec<NamedFrame> {
    [frames_of_packets(), frames_of_links(), frames_with_faults(), frames_of_v6()].concat()
}

fn query() -> Vec<u8> {
    udp([40_000, 53], b"query")
}

/// A query over IPv4.
fn plain() -> Vec<u8> {
    v4(1, 8, 17, 0, &[], &query())
}

fn frames_of_packets() -> Vec<NamedFrame> {
    let query = query();
    let mut backward = v4(1, 8, 6, 0, &[], &tcp([443, 50_000], 0x12, &[]));
    backward[12..20].copy_from_slice(&[8, 8, 8, 8, 10, 0, 0, 1]);
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    let mut quoted = plain();
    quoted[12..20].copy_from_slice(&[10, 0, 0, 9, 8, 8, 8, 8]);
    error.extend(quoted);
    let mut refusal = v4(3, 1, 1, 0, &[], &error);
    refusal[16..20].copy_from_slice(&[10, 0, 0, 9]);
    vec![
        ("udp", ethernet(&[V4], &plain())),
        ("tcp syn", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x02, &[])))),
        ("tcp answer", ethernet(&[V4], &backward)),
        ("tcp data", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x18, b"data")))),
        ("tcp cut", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x18, &[])[..8]))),
        ("tcp cut before its ports", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &[1, 2, 3]))),
        ("padding", [ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([1, 2], 0x10, &[]))), vec![0; 20]].concat()),
        ("echo", ethernet(&[V4], &v4(1, 8, 1, 0, &[], &[8, 0, 0, 0, 0, 1, 0, 1]))),
        ("refusal", ethernet(&[V4], &refusal)),
        ("gre", ethernet(&[V4], &v4(1, 8, 47, 0, &[], &[0; 8]))),
        ("options", ethernet(&[V4], &v4(1, 8, 17, 0, &[1; 12], &query))),
        ("first fragment", ethernet(&[V4], &v4(1, 8, 17, 0x2000, &[], &query))),
        ("later fragment", ethernet(&[V4], &v4(1, 8, 17, 0x2001, &[], &query))),
        ("last fragment", ethernet(&[V4], &v4(1, 8, 6, 0x0100, &[], &query))),
        ("empty", ethernet(&[V4], &v4(1, 8, 17, 0, &[], &[]))),
    ]
}

fn frames_of_links() -> Vec<NamedFrame> {
    let plain = plain();
    let pppoe = [&[0x11, 0, 0, 1, 0, (plain.len() + 2) as u8, 0, 0x21][..], &plain].concat();
    let mpls = [&[0, 1, 0, 0xff][..], &[0, 1, 1, 0xff][..], &plain].concat();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &plain].concat();
    vec![
        ("vlan", ethernet(&[0x8100, V4], &plain)),
        ("qinq", ethernet(&[0x88a8, 0x8100, V4], &plain)),
        ("old qinq", ethernet(&[0x9100, 0x8100, V6], &v6(17, &query()))),
        ("four tags", ethernet(&[0x8100, 0x8100, 0x8100, 0x8100, V4], &plain)),
        ("five tags", ethernet(&[0x8100, 0x8100, 0x8100, 0x8100, 0x8100, V4], &plain)),
        ("cut tag", ethernet(&[0x8100], &[0, 5])),
        ("pppoe", ethernet(&[0x8864], &pppoe)),
        ("pppoe discovery", ethernet(&[0x8863], &[0; 40])),
        ("mpls", ethernet(&[0x8847], &mpls)),
        ("snap", ethernet(&[(plain.len() + 8) as u16], &snap)),
        ("spanning tree", ethernet(&[38], &[0x42, 0x42, 3, 0, 0, 0])),
        ("lldp", ethernet(&[0x88cc], &[0; 40])),
        (
            "arp",
            ethernet(
                &[0x0806],
                &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
            ),
        ),
        ("rarp", ethernet(&[0x8035], &[0; 28])),
    ]
}

fn frames_with_faults() -> Vec<NamedFrame> {
    let plain = plain();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = ethernet(&[V4], &plain);
        change(&mut frame);
        frame
    };
    vec![
        ("header cut", ethernet(&[V4], &plain[..19])),
        ("options cut", ethernet(&[V4], &v4(1, 8, 17, 0, &[1; 12], &query())[..30])),
        ("wrong version", with(&|frame| frame[14] = 0x65)),
        ("short header", with(&|frame| frame[14] = 0x44)),
        ("total length 0", with(&|frame| frame[16..18].copy_from_slice(&[0, 0]))),
        ("total length in the header", with(&|frame| frame[16..18].copy_from_slice(&[0, 19]))),
        ("total length past the end", with(&|frame| frame[16..18].copy_from_slice(&[9, 0]))),
    ]
}

fn frames_of_v6() -> Vec<NamedFrame> {
    let query = query();
    let options = [0_u8, 0, 1, 4, 0, 0, 0];
    let hop_by_hop: (u8, &[u8]) = (0, &options);
    let authentication: (u8, &[u8]) = (51, &[2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9]);
    let mut solicitation = vec![135, 0, 0, 0, 0, 0, 0, 0];
    solicitation.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    vec![
        ("v6 udp", ethernet(&[V6], &v6(17, &query))),
        ("v6 tcp", ethernet(&[V6], &v6(6, &tcp([50_000, 443], 0x18, b"data")))),
        ("v6 solicitation", ethernet(&[V6], &v6(58, &solicitation))),
        ("v6 hop by hop", ethernet(&[V6], &extended(&[hop_by_hop], 17, &query))),
        (
            "v6 chain",
            ethernet(
                &[V6],
                &extended(&[hop_by_hop, (60, &options), (43, &options), authentication], 6, &tcp([5, 6], 2, b"x")),
            ),
        ),
        ("v6 eight headers", ethernet(&[V6], &extended(&[(60, &options[..]); 8], 17, &query))),
        ("v6 nine headers", ethernet(&[V6], &extended(&[(60, &options[..]); 9], 17, &query))),
        ("v6 first fragment", ethernet(&[V6], &extended(&[(44, &[0, 0, 1, 0, 0, 0, 1])], 17, &query))),
        ("v6 later fragment", ethernet(&[V6], &extended(&[(44, &[0, 0, 8, 0, 0, 0, 1])], 17, &query))),
        ("v6 header cut", ethernet(&[V6], &extended(&[hop_by_hop], 17, &query)[..45])),
        ("v6 no next header", ethernet(&[V6], &v6(59, &[]))),
        ("v6 jumbo", ethernet(&[V6], &[&v6(17, &[])[..], &query].concat())),
        ("v6 cut", ethernet(&[V6], &v6(17, &query)[..39])),
        ("v6 wrong version", ethernet(&[V6], &plain())),
        ("v6 mobility", ethernet(&[V6], &v6(135, &query))),
    ]
}

/// A number from another, spread over all bits (xorshift64*).
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

// ---- Tests ---------------------------------------------------------------------------------------------------------

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn kernel_counts_each_form_of_frame_as_the_decoder_does() {
    for daq in [Daq::Xdp, Daq::Tc] {
        let Some(mut kernel) = kernel(daq, 1_024, false) else { return };
        for (name, frame) in frames() {
            if kernel.try_run(&frame, 1, &[]).is_none() {
                continue;
            }
            let interval = counted(&mut kernel);
            let expected = decoded(&[frame]);
            assert_eq!(shown(&interval), shown(&expected), "{daq:?}: {name}");
            assert_eq!(interval.resolutions().len(), usize::from(name == "arp" || name == "v6 solicitation"), "{name}");
        }
    }
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn kernel_counts_damaged_frames_as_the_decoder_does() {
    let mut state = 42;
    for daq in [Daq::Xdp, Daq::Tc] {
        let Some(mut kernel) = kernel(daq, 4_096, false) else { return };
        for round in 0..60 {
            let mut damaged: Vec<Vec<u8>> = Vec::new();
            for (_, mut frame) in frames() {
                for _ in 0..next(&mut state) % 4 {
                    let at = 12 + next(&mut state) as usize % (frame.len() - 12).min(60);
                    frame[at] = next(&mut state) as u8;
                }
                frame.truncate(14 + next(&mut state) as usize % 120);
                damaged.push(frame);
            }
            damaged.retain(|frame| kernel.try_run(frame, 1, &[]).is_some());
            assert!(damaged.len() > 30, "{daq:?}: most frames are too short");
            assert_eq!(
                shown(&counted(&mut kernel)),
                shown(&decoded(&damaged)),
                "{daq:?}: round {round}: {damaged:02x?}"
            );
        }
    }
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn conversation_has_the_times_of_its_packets_and_the_side_that_opened_it() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, false) else { return };
    let before = Timestamp::from(std::time::SystemTime::now());
    let frames: Vec<Vec<u8>> = frames().into_iter().skip(1).take(3).map(|(_, frame)| frame).collect();
    for frame in &frames {
        kernel.run(frame, 5, &[]);
    }
    let interval = counted(&mut kernel);
    let after = Timestamp::from(std::time::SystemTime::now());
    let [row] = interval.rows_v4() else { panic!("{:?}", interval.rows_v4()) };
    let opener = row.ways[row.opener() as usize];
    assert_eq!((opener.packets, opener.first_flags().0, opener.flags.0), (10, 0x02, 0x1a));
    let slack = Duration::from_millis(100);
    assert!(
        row.ways.iter().all(|way| way.first <= way.last && way.first + slack >= before && way.last <= after + slack)
    );
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn packets_without_space_in_the_map_are_overflow_by_direction_and_protocol() {
    let Some(mut kernel) = kernel(Daq::Tc, 64, false) else { return };
    let flows = 500;
    for flow in 0..flows {
        kernel.run(&ethernet(&[V4], &v4(1, 8, 17, 0, &[], &udp([flow, 53], b"query"))), 2, &[]);
    }
    let interval = counted(&mut kernel);
    assert_eq!(interval.rows_v4().len(), 64);
    let in_rows: u64 = interval.rows_v4().iter().flat_map(|row| &row.ways).map(|way| u64::from(way.packets)).sum();
    let overflow: Vec<_> = interval.overflow().iter().collect();
    let [((direction, protocol, _), counters)] = overflow[..] else { panic!("{overflow:?}") };
    assert_eq!((direction, protocol), (Direction::Outgoing, Protocol::UDP));
    let expected = u64::from(flows) * 2 - in_rows;
    assert_eq!(counters, Counters { packets: expected, bytes: expected * 33 });
    assert_eq!(interval.frames().frames, u64::from(flows) * 2);
    assert_eq!(counted(&mut kernel).frames().frames, 0, "an interval is taken once");
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn super_packet_is_one_packet_and_several_on_the_wire() {
    /// The place of `gso_segs` in `struct __sk_buff`, and its size.
    const SEGMENTS: usize = 164;
    const CONTEXT_BYTES: usize = 192;
    let Some(mut kernel) = kernel(Daq::Tc, 1_024, false) else { return };
    let mut context = [0; CONTEXT_BYTES];
    context[SEGMENTS] = 7;
    let frame = ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x18, &[1; 200])));
    kernel.run(&frame, 3, &context);
    let interval = counted(&mut kernel);
    let way = interval.rows_v4()[0].ways[interval.rows_v4()[0].opener() as usize];
    assert_eq!((way.packets, way.bytes), (3, 3 * 240));
    let mut expected = [0; 4];
    expected[Direction::Outgoing as usize] = 21;
    assert_eq!(interval.kernel_sums().unwrap().wire_packets, expected);
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn most_specific_network_decides_and_others_are_dropped() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    let [permitted, denied] = ["10.0.0.0/8", "10.0.0.2/32"].map(|network| network.parse().unwrap());
    kernel.set_policy(Some(&Networks::new(&[permitted], &[denied]))).unwrap();
    let from = |source| ethernet(&[V4], &v4(source, 8, 17, 0, &[], &udp([40_000, 53], b"query")));
    assert_eq!(kernel.run(&from(1), 5, &[]), XDP_PASS);
    assert_eq!(kernel.run(&from(2), 100, &[]), XDP_DROP);
    let frames = frames();
    let named = |name| &frames.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!(kernel.run(named("v6 udp"), 1, &[]), XDP_DROP);
    assert_eq!(kernel.run(named("v6 solicitation"), 1, &[]), XDP_PASS, "neighbour discovery passes");
    assert_eq!(kernel.run(named("v6 nine headers"), 1, &[]), XDP_DROP, "no way around the policy");
    assert_eq!(kernel.run(named("arp"), 1, &[]), XDP_PASS);
    let taken = kernel.take_interval().unwrap();
    let [totals] = &taken.totals[..] else { panic!("{:?}", taken.totals) };
    assert_eq!(totals.verdicts.map(|counters| counters.packets), [5, 103]);
    assert_eq!((totals.dropped.packets, totals.events_lost), (102, 0));
    assert_eq!(taken.violations.len() as u64 + totals.suppressed, 103);
    let of_second: Vec<_> =
        taken.violations.iter().filter(|one| one.addresses.source().to_string() == "10.0.0.2").collect();
    assert!((10..=12).contains(&of_second.len()), "{} events", of_second.len());
    assert!(of_second.iter().all(|violation| violation.is_dropped && violation.bytes == 33));
    let packets: u32 =
        taken.rows_v4.iter().flat_map(|row| row.conversation.sums.iter().flatten()).map(|sum| sum.packets).sum();
    assert_eq!(packets, 105, "dropped packets count too");
    kernel.set_policy(None).unwrap();
    assert_eq!(kernel.run(&from(2), 1, &[]), XDP_PASS);
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn list_of_networks_that_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    let network = |number: u32| IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits((10 << 24) + (number << 8)), 24));
    let networks: Vec<IpNet> = (0..131_073).map(network).collect();
    let refused = kernel.set_policy(Some(&Networks::new(&networks, &[])));
    assert!(matches!(refused, Err(Error::TooManyNetworks)), "{refused:?}");
    kernel.set_policy(Some(&Networks::new(&networks[1..2], &[]))).unwrap();
    let frame = ethernet(&[V4], &v4(1, 8, 17, 0, &[], &udp([40_000, 53], b"query")));
    assert_eq!(kernel.run(&frame, 1, &[]), XDP_DROP, "10.0.0.1 was in the first list");
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn refused_list_leaves_the_former_one_in_force() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    let from = |source| ethernet(&[V4], &v4(source, 8, 17, 0, &[], &udp([40_000, 53], b"query")));
    let [all, first, second] = ["10.0.0.0/8", "10.0.0.1/32", "10.0.0.2/32"].map(|network| network.parse().unwrap());
    kernel.set_policy(Some(&Networks::new(&[all], &[first]))).unwrap();
    let network = |number: u32| IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits((11 << 24) + (number << 8)), 24));
    let too_many: Vec<IpNet> = [first].into_iter().chain((0..131_073).map(network)).collect();
    let refused = kernel.set_policy(Some(&Networks::new(&too_many, &[all, second])));
    assert!(matches!(refused, Err(Error::TooManyNetworks)), "{refused:?}");
    assert_eq!([1, 2, 3].map(|source| kernel.run(&from(source), 1, &[])), [XDP_DROP, XDP_PASS, XDP_PASS]);
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn policy_that_comes_amid_an_interval_judges_the_conversations_that_are_there() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, true) else { return };
    // Each processor has counters of its own: those of one that sees no packet under the policy stay without a verdict.
    let is_on_one_processor = |round: u8| judges_what_is_there(&mut kernel, round * 3) == [5, 5];
    assert!((0..20).any(is_on_one_processor), "this thread goes to another processor each time");
}

/// Runs packets of three sources from this number on, three each; then two each of the first, which a policy permits
/// now, and of the second, which it does not. Gives the packets by verdict: permitted, not permitted.
fn judges_what_is_there(kernel: &mut Kernel, first: u8) -> [u64; 2] {
    let from = |source| ethernet(&[V4], &v4(first + source, 8, 17, 0, &[], &udp([40_000, 53], b"query")));
    for source in [0, 1, 2] {
        assert_eq!(kernel.run(&from(source), 3, &[]), XDP_PASS);
    }
    let permitted = IpNet::from(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, first), 32));
    kernel.set_policy(Some(&Networks::new(&[permitted], &[]))).unwrap();
    assert_eq!([0, 1].map(|source| kernel.run(&from(source), 2, &[])), [XDP_PASS, XDP_DROP]);
    let taken = kernel.take_interval().unwrap();
    kernel.set_policy(None).unwrap();
    let [totals] = &taken.totals[..] else { panic!("{:?}", taken.totals) };
    let packets = totals.verdicts.map(|counters| counters.packets);
    assert_eq!(totals.verdicts.map(|counters| counters.bytes), packets.map(|packets| packets * 33));
    assert_eq!(totals.overflow_verdicts, [Counters::default(); 2], "all packets have a conversation");
    assert_eq!((totals.dropped.packets, totals.frames.frames), (2, 13));
    assert_eq!((taken.violations.len(), totals.suppressed), (2, packets[1] - 2), "what came before has no event");
    let mut of_rows: Vec<[u64; 2]> =
        taken.rows_v4.iter().map(|row| row.verdicts.map(|counters| counters.packets)).collect();
    of_rows.sort_unstable();
    assert_eq!(of_rows, [[0, 0], [0, packets[1]], [packets[0], 0]], "the third source has sent nothing since");
    packets
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn counters_of_many_interfaces_are_each_taken_once() {
    const INTERFACES: u32 = 600;
    let Some(mut kernel) = kernel(Daq::Xdp, 64, false) else { return };
    (2..=INTERFACES).for_each(|interface| kernel.make_counters(interface).unwrap());
    let frames = frames();
    for round in 1..4 {
        frames.iter().for_each(|(_, frame)| assert_eq!(kernel.run(frame, round, &[]), XDP_PASS));
        let taken = kernel.take_interval().unwrap();
        let [totals] = &taken.totals[..] else { panic!("{:?}", taken.totals) };
        let uncounted = taken.messages.iter().filter(|message| message.is_uncounted).count() as u64;
        assert_eq!(totals.frames.frames + uncounted, frames.len() as u64 * u64::from(round));
        let empty = kernel.take_interval().unwrap();
        assert!(empty.totals.is_empty() && empty.overflow.is_empty() && empty.rows_v4.is_empty());
    }
    (2..=INTERFACES).for_each(|interface| kernel.forget(interface));
    let left = kernel.overflow.keys().count();
    assert_eq!(left, overflow_keys(INTERFACE).count());
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn memory_of_the_maps_is_what_the_limit_allows() {
    for map_bytes in [16 << 20, 64 << 20] {
        let config = Config { map_bytes, max_conversations: 1 << 20, ..Config::default() };
        if attach::check_rights().is_err() {
            return;
        }
        let kernel = Kernel::load(&config, EventPace::default()).unwrap();
        let readers = kernel.v4.iter().chain(&kernel.v6).chain([&kernel.read_totals, &kernel.read_overflow]);
        let bytes: u64 = readers.map(|reader| locked_bytes(reader.as_fd())).sum();
        // The kernel's own account, which has some words a map besides (exact since Linux 6.4).
        assert!(bytes <= map_bytes + map_bytes / 50 && bytes > map_bytes / 4, "{bytes} of {map_bytes}");
    }
}

/// The memory of a map, as the kernel accounts for it.
fn locked_bytes(map: std::os::fd::BorrowedFd<'_>) -> u64 {
    use std::os::fd::AsRawFd as _;
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn frames_of_other_interfaces_do_not_count() {
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, false) else { return };
    kernel.forget(INTERFACE);
    kernel.run(&frames()[0].1, 3, &[]);
    let taken = kernel.take_interval().unwrap();
    assert!(taken.rows_v4.is_empty() && taken.totals.is_empty() && taken.overflow.is_empty());
}

#[test]
fn object_has_the_programs_and_maps_that_user_space_expects() {
    use layout::*;
    let object = aya_obj::Object::parse(OBJECT).unwrap();
    let mut programs: Vec<&str> = object.programs.keys().map(String::as_str).collect();
    programs.sort_unstable();
    assert_eq!(programs, ["tm_egress", "tm_ingress", "tm_xdp"]);
    let sizes = |name: &str| {
        let map = object.maps.get(name).unwrap_or_else(|| panic!("no map {name}"));
        (map.key_size() as usize, map.value_size() as usize)
    };
    fn of<K, V>() -> (usize, usize) {
        (size_of::<K>(), size_of::<V>())
    }
    for (name, expected) in [
        ("SETTINGS", of::<u32, Settings>()),
        ("V4_EVEN", of::<Key4, Conversation>()),
        ("V4_ODD", of::<Key4, Conversation>()),
        ("V6_EVEN", of::<Key6, Conversation>()),
        ("V6_ODD", of::<Key6, Conversation>()),
        ("TOTALS", of::<TotalsKey, Totals>()),
        ("OVERFLOW", of::<OverflowKey, Overflow>()),
        ("SOURCES", of::<[u32; 4], Bucket>()),
        ("LOCAL_V4", (8, 1)),
        ("LOCAL_V6", (20, 1)),
        ("POLICY_V4", (8, 1)),
        ("POLICY_V6", (20, 1)),
        ("MESSAGES", (0, 0)),
        ("REPORTS", (0, 0)),
    ] {
        assert_eq!(sizes(name), expected, "{name}");
    }
    assert_eq!((size_of::<Key4>(), size_of::<Key6>(), size_of::<Conversation>()), (20, 44, 80));
    assert_eq!(not_ip_reasons(), NotIp::ALL.len() - 3, "LLC, PPP and MPLS are read in user space");
}

fn not_ip_reasons() -> usize {
    layout::not_ip::COUNT
}
