//! The program in the kernel, run on frames that the tests make: no interface takes part. Needs root; without it, each
//! test says that it is skipped.

mod frames;
mod object;
mod policy;

use std::sync::Arc;

use aya::maps::IterableMap as _;
use aya::programs::{TestRun as _, TestRunOptions};

use super::*;
use crate::account::conversation::{Address, OneWay, Way};
use crate::account::flow::Counters;
use crate::account::interval::{Interval, Row};
use crate::decode::Decoder;
use crate::kernel::Daq;
use crate::locality::{self, Classifier, Direction};
use crate::packet::{Frame, LinkType, Protocol, Timestamp};
use frames::{V4, ethernet, frames, tcp, udp, v4};

/// The interface of frames that the kernel runs for a test: loopback.
const INTERFACE: u32 = 1;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// The program with these settings, if this process may load it and the kernel takes it.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn loaded(config: &Config) -> Option<Kernel> {
    if let Err(error) = attach::check_rights() {
        // Visible with --show-output, and in the log of a failed run.
        eprintln!("skipped: {error}");
        return None;
    }
    match Kernel::load(config, EventPace::default()) {
        Err(error @ Error::Load { .. }) => {
            eprintln!("skipped: {:?}: {error}", config.daq);
            None
        }
        loaded => Some(loaded.unwrap()),
    }
}

/// The same, with the counters of [`INTERFACE`] and the usual local networks.
fn kernel(daq: Daq, max_conversations: u32, drops_packets: bool) -> Option<Kernel> {
    let mut kernel = loaded(&Config { daq, max_conversations, drops_packets, ..Config::default() })?;
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
    interval_of(&kernel.take_interval().unwrap())
}

fn interval_of(taken: &KernelInterval) -> Interval {
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

/// A number from another, spread over all bits (xorshift64*).
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

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

/// The context of a packet that was so many on the wire.
fn joined(segments: u8) -> [u8; 192] {
    /// The place of `gso_segs` in `struct __sk_buff`.
    const SEGMENTS: usize = 164;
    let mut context = [0; 192];
    context[SEGMENTS] = segments;
    context
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn super_packet_is_one_packet_and_several_on_the_wire() {
    let Some(mut kernel) = kernel(Daq::Tc, 1_024, false) else { return };
    let context = joined(7);
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
fn frames_that_are_read_in_user_space_count_on_the_wire_like_others() {
    for daq in [Daq::Xdp, Daq::Tc] {
        let Some(mut kernel) = kernel(daq, 1_024, false) else { return };
        let mut unread = 0;
        for (name, frame) in frames() {
            if kernel.try_run(&frame, 1, &joined(7)[..if daq == Daq::Tc { 192 } else { 0 }]).is_none() {
                continue;
            }
            let taken = kernel.take_interval().unwrap();
            unread += taken.messages.iter().filter(|message| message.is_uncounted).count();
            let interval = interval_of(&taken);
            let packets = interval.frames().frames - interval.not_ip().iter().sum::<u64>();
            let wire: u64 = interval.kernel_sums().map_or(0, |sums| sums.wire_packets.iter().sum());
            assert_eq!(wire, packets * if daq == Daq::Tc { 7 } else { 1 }, "{daq:?}: {name}");
        }
        assert!(unread >= 5, "{daq:?}: {unread}");
    }
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn reader_is_woken_when_half_of_the_ring_of_messages_is_in_use() {
    /// Less than a record has with its header, so that as many fill the ring at least.
    const RECORD: u32 = 280;
    let Some(mut kernel) = kernel(Daq::Xdp, 1_024, false) else { return };
    let frames = frames();
    let mpls = &frames.iter().find(|(name, _)| *name == "mpls").unwrap().1;
    let half = kernel.config.ring_bytes / 2 / RECORD;
    let waits = |kernel: &Kernel, most| {
        let begin = std::time::Instant::now();
        kernel.wait_for_records(most);
        begin.elapsed()
    };
    kernel.run(mpls, half / 2, &[]);
    let short = Duration::from_millis(50);
    assert!(waits(&kernel, short) >= short, "a quarter of the ring wakes the reader");
    kernel.run(mpls, half - half / 2, &[]);
    assert!(waits(&kernel, Duration::from_secs(60)) < Duration::from_secs(30), "the reader was not woken");
    let interval = counted(&mut kernel);
    assert_eq!((interval.frames().frames, interval.not_ip().iter().sum::<u64>()), (u64::from(half), 0));
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
        let Some(kernel) = loaded(&config) else { return };
        let readers = kernel.v4.iter().chain(&kernel.v6).chain([&kernel.read_overflow]).map(MapReader::as_fd);
        let bytes: u64 = readers.chain([kernel.totals.map().fd().as_fd()]).map(locked_bytes).sum();
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

/// Frames of [`INTERFACE`] in the totals of an interval, after so many more.
fn frames_counted(kernel: &mut Kernel, sent: u32) -> u64 {
    kernel.run(&frames()[0].1, sent, &[]);
    let taken = kernel.take_interval().unwrap();
    assert!(taken.rows_v4.iter().all(|row| row.interface == INTERFACE), "{:?}", taken.rows_v4);
    taken.totals.iter().filter(|totals| totals.interface == INTERFACE).map(|totals| totals.frames.frames).sum()
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn interfaces_whose_numbers_end_alike_are_told_apart() {
    let other = INTERFACE + layout::INTERFACE_ENTRIES;
    for daq in [Daq::Xdp, Daq::Tc] {
        let Some(mut kernel) = kernel(daq, 64, false) else { return };
        kernel.make_counters(other).unwrap();
        assert_eq!(frames_counted(&mut kernel, 3), 3, "it is the first");
        kernel.forget(INTERFACE);
        assert_eq!(frames_counted(&mut kernel, 3), 0, "the other one alone has counters");
        kernel.make_counters(INTERFACE + 1).unwrap();
        kernel.make_counters(INTERFACE).unwrap();
        assert_eq!(frames_counted(&mut kernel, 4), 4, "it is the second");
        kernel.forget(other);
        kernel.make_counters(other).unwrap();
        assert_eq!(frames_counted(&mut kernel, 5), 5, "the other one has gone and come again");
        kernel.forget(INTERFACE);
        assert_eq!(frames_counted(&mut kernel, 5), 0);
    }
}

#[test]
#[ignore = "needs root: it loads a program into the kernel"]
fn interface_beyond_the_limit_is_refused_until_another_has_gone() {
    let Some(mut kernel) = kernel(Daq::Xdp, 64, false) else { return };
    (2..=1_024).for_each(|interface| kernel.make_counters(interface).unwrap());
    let refused = kernel.make_counters(5_000);
    assert!(matches!(&refused, Err(Error::Map { .. })), "{refused:?}");
    kernel.make_counters(INTERFACE).unwrap();
    kernel.forget(700);
    kernel.make_counters(5_000).unwrap();
    assert_eq!(frames_counted(&mut kernel, 2), 2);
}
