//! The options of the kernel path: what they imply, and what it cannot feed.

use super::{done, is_refused, run};

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
