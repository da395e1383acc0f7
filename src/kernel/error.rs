//! Errors of the kernel path. Takes names and the kernel's errors; gives messages for users. Must not know their causes.

use std::io;

use crate::capture::printable;

/// An error of the kernel path; the message says what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program was built without the feature `xdp`.
    #[error(
        "this trafficmonitor was built without the kernel path (cargo feature xdp); let libpcap capture: -daq libpcap"
    )]
    NotBuilt,
    /// Capabilities are missing.
    #[error(
        "cannot load the kernel's program: {missing} missing; run as root or: setcap cap_bpf,cap_net_admin,cap_perfmon=ep {program}"
    )]
    Permission {
        /// The capabilities that are missing, with a verb.
        missing: String,
        /// The path of this program.
        program: String,
    },
    /// The kernel refuses the program or a map.
    #[error("the kernel does not take the program: {reason}; {needs}")]
    Load {
        /// The kernel's words.
        reason: String,
        /// The kernel that is needed.
        needs: &'static str,
    },
    /// The interface is not Ethernet.
    #[error(
        "{}: not an Ethernet interface; the kernel path reads Ethernet alone; let libpcap capture it: -daq libpcap",
        printable(name)
    )]
    NotEthernet {
        /// The interface.
        name: String,
    },
    /// Another XDP program is attached.
    #[error(
        "{}: another XDP program is attached; detach it (ip link set dev {} {place} off), or take -daq tc",
        printable(name),
        printable(name)
    )]
    Occupied {
        /// The interface.
        name: String,
        /// The word of ip-link(8) for the place of that program.
        place: &'static str,
    },
    /// Another process of this program is attached.
    #[error(
        "{}: another trafficmonitor ({process}) is attached by {way}; stop that one, or take -daq {other}",
        printable(name)
    )]
    InUse {
        /// The interface.
        name: String,
        /// The other process, in words.
        process: String,
        /// The way in which it is attached.
        way: &'static str,
        /// A source of packets that stands beside it.
        other: &'static str,
    },
    /// The driver has no XDP.
    #[error(
        "{}: its driver has no native XDP as it is set up ({reason}); take --xdp.mode generic, or -daq tc",
        printable(name)
    )]
    NoNativeXdp {
        /// The interface.
        name: String,
        /// The kernel's words.
        reason: String,
    },
    /// The program cannot be attached for another reason.
    #[error("{}: cannot attach the kernel's program: {reason}", printable(name))]
    Attach {
        /// The interface.
        name: String,
        /// The kernel's words.
        reason: String,
    },
    /// A map cannot be read or written.
    #[error("cannot {what}: {source}")]
    Map {
        /// The action.
        what: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// The list of networks is too long for the kernel's tables.
    #[error(
        "too many permitted and denied networks: the kernel path holds 131072 of IPv4 and as many of IPv6; join adjacent \
         ones, or let libpcap capture: -daq libpcap"
    )]
    TooManyNetworks,
    /// The list of permitted networks is empty.
    #[error("no network is permitted, so every packet would be dropped; name the permitted ones, or add --force")]
    DropsAll,
    /// Dropping would cut this host off.
    #[error("--drop-packets would cut this host off: {cut}; permit {object}, or add --force")]
    Lockout {
        /// The addresses that would be cut off, in sentences.
        cut: String,
        /// `it` or `them`.
        object: &'static str,
    },
    /// It is not known whether dropping would cut this host off.
    #[error(
        "cannot check that --drop-packets leaves this host within reach: {0}; add --force to drop packets without the check"
    )]
    LockoutUnknown(String),
}
