//! Compressed captures, and pcapng files with interfaces that differ.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::common::compress::Form;
use super::common::exporter::program;
use super::common::ip::{Ipv4, icmp, udp};
use super::common::link::Link;
use super::common::memory::most_besides_files;
use super::common::pcapng::Pcapng;
use super::common::replay::{number, replay, replay_reading};
use super::common::savefile::{ByteOrder, Savefile, write_capture};
use super::{by_destination_port, failed_saying, folder, is_little_of_everything, little_of_everything, query};

const JSON_LINES: [&str; 5] = ["-", "--flow-key", "dst-port", "--output", "jsonl"];

// ---- Compressed captures -----------------------------------------------------------------------------------------------

#[test]
fn compressed_captures_are_recognised_by_their_content() {
    let folder = folder();
    let capture = Savefile::new(1).frames(&little_of_everything()).build();
    for form in Form::ALL {
        let file = write_capture(folder.path(), &format!("{form:?}.pcap"), &form.of(&capture));
        is_little_of_everything(&by_destination_port(&[file], &[]));
        is_little_of_everything(&replay_reading(JSON_LINES, &form.of(&capture)));
    }
}

#[test]
fn a_compressed_pcapng_is_read() {
    let folder = folder();
    for form in Form::ALL {
        let start = Pcapng::new(ByteOrder::Big).interface(1, 65_535);
        let capture = little_of_everything().iter().fold(start, |file, sample| file.frame(0, sample)).build();
        let file = write_capture(folder.path(), &format!("{form:?}.pcapng"), &form.of(&capture));
        is_little_of_everything(&by_destination_port(&[file], &[]));
    }
}

#[test]
fn several_files_may_be_compressed_in_several_ways() {
    let folder = folder();
    let capture = |port| Savefile::new(1).frame(&query(port)).build();
    let mut files: Vec<PathBuf> = Form::ALL
        .iter()
        .map(|form| write_capture(folder.path(), &format!("{form:?}"), &form.of(&capture(53))))
        .collect();
    files.push(write_capture(folder.path(), "plain", &capture(53)));
    let run = by_destination_port(&files, &[]);
    assert_eq!(run.lines().len(), 2);
    assert_eq!(number(&run.lines()[0], "packets"), 4);
}

#[test]
fn members_of_a_compressed_file_are_read_one_after_the_other() {
    let folder = folder();
    let capture = Savefile::new(1).frames(&little_of_everything()).build();
    let (one, other) = capture.split_at(70);
    for form in Form::ALL {
        // A frame of Zstandard that is to be skipped.
        let skipped: &[u8] = if form == Form::Zstandard { &[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3] } else { &[] };
        let bytes = [skipped, &form.of(one), skipped, &form.of(other)].concat();
        is_little_of_everything(&by_destination_port(&[write_capture(folder.path(), "members", &bytes)], &[]));
    }
}

#[test]
fn compressed_captures_give_the_same_bytes_whatever_the_workers() {
    let folder = folder();
    let frames: Vec<_> = (0..20_000_u16).map(|number| query(number % 997)).collect();
    let capture = Savefile::new(1).frames(&frames).build();
    let plain = write_capture(folder.path(), "plain", &capture);
    let expected = by_destination_port(&[plain], &["--max-flows", "100"]);
    for form in Form::ALL {
        let file = write_capture(folder.path(), "compressed", &form.of(&capture));
        for workers in ["1", "2"] {
            let run = by_destination_port(&[&file], &["--max-flows", "100", "--workers", workers]);
            assert!(run.output == expected.output, "{form:?}, {workers} workers");
        }
    }
}

#[test]
fn cut_off_compressed_capture_is_reported_after_the_frames_before_the_fault() {
    let folder = folder();
    // Payloads without a pattern, so that the file has many blocks.
    let mut number = 1_u32;
    let mut noise = |_| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 24) as u8
    };
    let mut frame = |_| {
        let payload: Vec<u8> = (0..1_000).map(&mut noise).collect();
        Link::ethernet().carrying(&Ipv4::carrying(udp(40_000, 53, &payload)).build())
    };
    let frames: Vec<_> = (0..2_000).map(&mut frame).collect();
    let capture = Savefile::new(1).frames(&frames).build();
    for form in Form::ALL {
        let whole = form.of(&capture);
        let file = write_capture(folder.path(), "cut", &whole[..whole.len() * 3 / 4]);
        let run = by_destination_port(&[file], &[]);
        failed_saying(&run, &["cut: file is broken after", "data ends early"]);
        let packets: u64 = run.series().into_values().map(|(packets, _)| packets).sum();
        assert!((500..1_600).contains(&packets), "{form:?}: {packets}");
        let damaged = [&whole[..whole.len() / 2], &[0x55; 64], &whole[whole.len() / 2 + 64..]].concat();
        let run = by_destination_port(&[write_capture(folder.path(), "damaged", &damaged)], &[]);
        failed_saying(&run, &["damaged: file is broken after"]);
    }
}

#[test]
fn a_compressed_capture_is_refused_in_words_when_nothing_of_it_can_be_read() {
    let folder = folder();
    for form in Form::ALL {
        let nothing = write_capture(folder.path(), "nothing", &form.of(b"no capture at all, though it is compressed"));
        failed_saying(&by_destination_port(&[nothing], &[]), &["nothing: not a capture", "unknown file format"]);
        let start = &form.of(&Savefile::new(1).build())[..8];
        let start = write_capture(folder.path(), "start", start);
        failed_saying(
            &by_destination_port(&[start], &[]),
            &["start: file is broken after 0 frames", "data ends early"],
        );
    }
    let other = write_capture(folder.path(), "other", b"BZh91AY&SY");
    failed_saying(
        &by_destination_port(&[other], &[]),
        &["other: not a capture", "bzip2 -dc FILE | trafficmonitor replay -"],
    );
}

/// The most memory that a run took besides its code, in KiB.
fn peak_memory(file: &std::path::Path) -> u64 {
    let mut command = Command::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_trafficmonitor");
    // The limit is of address space, which is more than memory.
    command.args(["-c", "ulimit -v 1500000; exec \"$0\" replay --output none \"$1\""]).arg(program).arg(file);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    loop {
        peak = most_besides_files(child.id()).unwrap_or(0).max(peak);
        if child.try_wait().unwrap().is_some() {
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn decompressed_file_is_never_in_memory_as_a_whole() {
    let folder = folder();
    // 80 MB of one frame over and over: a member of a megabyte, many times.
    let empty = Savefile::new(1).build();
    let frame = Savefile::new(1).frame(&query(53).padded(1_000)).build()[empty.len()..].to_vec();
    let part = frame.repeat(1_000);
    for form in Form::ALL {
        let parts = form.of(&part).repeat(80 * 1_000_000 / part.len());
        let file = write_capture(folder.path(), "large", &[form.of(&empty), parts].concat());
        let peak = peak_memory(&file);
        assert!((1_000..28_000).contains(&peak), "{form:?}: {peak} KiB");
    }
}

#[test]
fn a_window_that_is_too_large_is_refused_in_words() {
    let folder = folder();
    // A Zstandard frame whose header asks for a window of 2 GiB.
    let zstandard = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0, 0];
    let file = write_capture(folder.path(), "window", &zstandard);
    failed_saying(&by_destination_port(&[file], &[]), &["window: not a capture", "more than 128 MiB"]);
}

// ---- pcapng files with several interfaces ---------------------------------------------------------------------------------

/// One lookup on Ethernet, its answer on raw IP, a frame on Linux's cooked link layer.
fn three_interfaces() -> Pcapng {
    let start = Pcapng::new(ByteOrder::Little).interface(1, 65_535).interface(101, 262_144);
    let echo = Ipv4::carrying(icmp(8)).build();
    let file = start.frame(0, &query(53)).frame(1, &Link::none(101).carrying(&echo)).frame(0, &query(53));
    file.interface(276, 0).frame(2, &Link::cooked_v2(0).carrying(&echo)).frame(1, &Link::none(101).carrying(&echo))
}

#[test]
fn interfaces_of_several_link_types_and_snap_lengths_are_read_each_by_its_own() {
    let folder = folder();
    let file = three_interfaces().write(folder.path(), "three.pcapng");
    for workers in ["1", "2"] {
        let run = by_destination_port(&[&file], &["--workers", workers]);
        assert_eq!(run.lines().len(), 3);
        let sums: Vec<_> = run.series().into_iter().map(|((.., protocol, _), sum)| (protocol, sum)).collect();
        assert_eq!(sums, [(1, (3, 84)), (17, (2, 64))]);
    }
}

#[test]
fn a_filter_is_compiled_for_the_link_type_of_each_interface() {
    let folder = folder();
    let file = three_interfaces().write(folder.path(), "three.pcapng");
    let run = by_destination_port(&[&file], &["-filter", "icmp"]);
    assert_eq!(run.lines().len(), 2);
    assert_eq!(run.series().into_values().collect::<Vec<_>>(), [(3, 84)]);
    let run = by_destination_port(&[&file], &["-filter", "ether host 02:00:00:00:00:01"]);
    assert_eq!(run.status, Some(2), "{}", run.messages);
    assert!(run.messages.contains("an interface of link type 101"), "{}", run.messages);
}

#[test]
fn an_interface_of_an_unsupported_link_type_counts_as_not_ip_and_is_reported_once() {
    let folder = folder();
    let file = Pcapng::new(ByteOrder::Little).interface(249, 65_535).interface(1, 65_535);
    let file = file.frame(0, &query(53)).frame(1, &query(53)).frame(0, &query(53)).write(folder.path(), "usb.pcapng");
    let run = by_destination_port(&[file], &[]);
    assert_eq!(run.series().into_values().collect::<Vec<_>>(), [(1, 32)]);
    assert_eq!(number(&run.sums(), "non_ip_packets"), 2);
    assert_eq!(run.messages.matches("link type 249 (USBPCAP), which is not supported").count(), 1, "{}", run.messages);
    let alone = Pcapng::new(ByteOrder::Little).interface(249, 65_535).frame(0, &query(53));
    let run = by_destination_port(&[alone.write(folder.path(), "alone.pcapng")], &[]);
    failed_saying(&run, &["alone.pcapng: link type 249 (USBPCAP) is not supported"]);
}

#[test]
fn a_shared_capture_of_two_link_types_is_read() {
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases/f02-two-linktypes.pcapng");
    if std::path::Path::new(case).exists() {
        let run = replay([case, "--flow-key", "dst-port", "--output", "jsonl"]);
        let sums: Vec<_> = run.series().into_iter().map(|((source, ..), sum)| (source, sum)).collect();
        assert_eq!(sums, [("10.0.0.1".to_owned(), (1, 58)), ("192.0.2.1".to_owned(), (1, 88))]);
    }
}

#[test]
fn words_of_a_filter_behind_the_file_are_refused_with_their_right_place() {
    let folder = folder();
    let file = write_capture(folder.path(), "office.pcap", &Savefile::new(1).build());
    let ended = program(["replay", file.to_str().unwrap(), "tcp", "port", "80"]).output().unwrap();
    let message = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{message}");
    assert_eq!(message, "trafficmonitor: tcp: no such file; a filter is given as -filter 'tcp port 80'\n");
}
