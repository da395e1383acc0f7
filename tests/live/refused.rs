//! Impossible requests are refused in words, with the exit status that says whether the user or the system is at
//! fault.

use std::net::TcpListener;

use super::common::monitor::refused;
use super::traffic::Pair;

/// Checks the status, and that each of `words` is said.
fn is_refused(arguments: &[&str], status: i32, words: &[&str]) {
    let pair = Pair::new();
    let (ended, messages) = refused(&pair.host, arguments);
    assert_eq!(ended, Some(status), "{arguments:?}: {messages}");
    for words in words {
        assert!(messages.contains(words), "{arguments:?}: no `{words}` in: {messages}");
    }
}

#[test]
fn an_unknown_interface_is_refused_with_those_that_there_are() {
    is_refused(&["-iface", "eth9"], 2, &["eth9: no such interface (have: eth0, lo)"]);
    is_refused(&["-iface", "eth0,eth9"], 2, &["eth9: no such interface (have: eth0, lo)"]);
}

#[test]
fn a_filter_that_does_not_compile_is_refused() {
    is_refused(&["-iface", "eth0", "-filter", "udp prot 53"], 2, &["filter `udp prot 53` does not compile"]);
    is_refused(&["-iface", "eth0", "udp", "prot", "53"], 2, &["filter `udp prot 53` does not compile"]);
    is_refused(&["-iface", "eth0", "repaly", "x.pcap"], 2, &["did you mean the subcommand `replay`?"]);
    // On cooked frames alone, behind the terms that leave copies out.
    is_refused(&["-iface", "any", "vlan", "5"], 2, &["filter `vlan 5` does not compile"]);
}

#[test]
fn any_is_not_promiscuous() {
    is_refused(&["-iface", "any", "-promisc"], 2, &["any", "promisc"]);
}

#[test]
fn a_port_in_use_is_refused() {
    let pair = Pair::new();
    let _taken = pair.host.enter(|| TcpListener::bind("127.0.0.1:8888")).unwrap();
    let (status, messages) = refused(&pair.host, &["-iface", "eth0"]);
    assert_eq!(status, Some(1), "{messages}");
    for words in ["cannot listen on 127.0.0.1:8888", "the port is in use, choose another with -promHTTP"] {
        assert!(messages.contains(words), "{messages}");
    }
}
