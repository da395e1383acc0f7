//! The program as a whole: whichever way a capture goes through it, the same flows come out, to the byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs::File;
use std::process::{Command, Stdio};

use common::client::get;
use common::exporter::{Exporter, program};
use common::exposition::parse;
use common::flows::{Flows, of_exposition, of_json_lines};
use common::mix;

/// The output of a run.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The flows that an exporter serves once it has read its file.
fn served(command: &mut Command) -> Flows {
    let exporter = Exporter::spawn(command, 1);
    exporter.is_ready();
    of_exposition(&parse(&get(exporter.address(), "/metrics")))
}

#[test]
fn every_way_through_the_program_shows_the_same_flows() {
    let folder = tempfile::tempdir().unwrap();
    let file = mix::write(folder.path(), "mix.pcap");
    let path = file.to_str().unwrap();
    let input = || Stdio::from(File::open(&file).unwrap());

    let flows = of_json_lines(&printed(&mut program(["replay", path, "--output", "jsonl"])));
    assert!(flows.len() > 10, "{flows:?}");
    let exposition = printed(&mut program(["replay", path, "--output", "prometheus"]));
    assert_eq!(of_exposition(&parse(&exposition)), flows);
    let exposition = printed(program(["replay", "-", "--output", "prometheus"]).stdin(input()));
    assert_eq!(of_exposition(&parse(&exposition)), flows);
    assert_eq!(served(&mut program(["-r", path, "-promHTTP", "127.0.0.1:0"])), flows);
    assert_eq!(served(program(["-r", "-", "-promHTTP", "127.0.0.1:0"]).stdin(input())), flows);
}
