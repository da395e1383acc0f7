//! The options of the kernel path: what they imply, and what it cannot feed.

use super::{done, folder, is_refused, run, run_in};

#[test]
fn dropping_implies_xdp_and_needs_permitted_networks() {
    let permitted = "--drop-packets --policy.permitted 10.0.0.0/8";
    assert!(done(run(&format!("{permitted} config"))).contains("  daq: xdp\n"));
    for daq in ["libpcap", "tc"] {
        let ended = run(&format!("{permitted} -daq {daq} --config.check"));
        is_refused(&ended, &[&format!("-daq: {daq} cannot drop packets (--drop-packets); take -daq xdp")]);
    }
    let ended = run("--drop-packets --config.check");
    is_refused(&ended, &["--drop-packets: no network is permitted, so every packet would be dropped"]);
}

#[test]
fn dropping_by_an_empty_list_is_refused_unless_forced() {
    let folder = folder();
    std::fs::write(folder.path().join("empty.yml"), "policy:\n  permitted: []\n").unwrap();
    let run = |line: &str| run_in(folder.path(), line.split_whitespace());
    let problem = "--drop-packets: no network is permitted (empty.yml:2:14 is empty), so every packet would be dropped";
    is_refused(&run("-c empty.yml --drop-packets --config.check"), &[problem, "or add --force"]);
    let forced = run("-c empty.yml --drop-packets --force --config.check");
    assert_eq!((forced.status, forced.output.as_str()), (Some(0), "configuration OK\n"), "{forced:?}");
    assert!(forced.messages.contains("the list is empty, so no source is permitted"), "{forced:?}");
}

#[test]
fn options_of_the_kernel_path_without_effect_are_said() {
    let said = |line: &str, expected: &[&str]| {
        let ended = run(&format!("{line} --config.check"));
        assert_eq!((ended.status, ended.output.as_str()), (Some(0), "configuration OK\n"), "{ended:?}");
        assert_eq!(ended.messages.lines().collect::<Vec<_>>(), expected, "{line}");
    };
    let options = "--xdp.mode generic --tc.hook tcx --xdp.ring-size 512KiB --xdp.map-memory 64MiB --force";
    let neither = "no effect without -daq xdp or tc";
    said(
        options,
        &[
            "--xdp.mode: no effect without -daq xdp",
            "--tc.hook: no effect without -daq tc",
            &format!("--xdp.ring-size: {neither}"),
            &format!("--xdp.map-memory: {neither}"),
            "--force: no effect without --drop-packets",
        ],
    );
    said(
        &format!("{options} -daq tc"),
        &["--xdp.mode: no effect without -daq xdp", "--force: no effect without --drop-packets"],
    );
}

#[test]
fn replay_refuses_the_kernel_path() {
    let words = "the kernel path reads interfaces, not files; leave this out, or override it";
    for option in ["-daq xdp", "-daq tc", "--drop-packets --policy.permitted 10.0.0.0/8"] {
        let name = option.split(' ').next().unwrap();
        for more in ["", " --config.check"] {
            is_refused(&run(&format!("replay a.pcap {option}{more}")), &[&format!("{name}: {words}")]);
        }
    }
    let overridden = "replay a.pcap --drop-packets -daq libpcap --drop-packets=false --config.check";
    assert_eq!(done(run(overridden)), "configuration OK\n");
}

#[test]
fn settings_that_the_kernel_path_cannot_feed_are_refused() {
    for (option, problem) in [
        ("-filter tcp", "-filter: the kernel path has no BPF filter"),
        ("-iface any", "-iface: the kernel path has no pseudo-device any; name interfaces"),
        ("-r a.pcap", "-r: the kernel path reads interfaces, not files"),
        ("-archive_dir /a", "-archive_dir: the kernel path keeps no packets as evidence"),
    ] {
        let ended = run(&format!("-daq tc {option} --config.check"));
        is_refused(&ended, &[problem, "let libpcap capture instead of -daq"]);
    }
    let ended = run("-daq tc --xdp.ring-size 300KiB --config.check");
    is_refused(&ended, &["expected a power of two from 64KiB to 1GiB"]);
}
