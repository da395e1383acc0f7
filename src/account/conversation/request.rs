//! The side of a conversation that serves. Takes the ends and the first packet; gives the direction of requests. Must not
//! know counters.

use super::{Address, ConversationKey, Way};
use crate::packet::{Protocol, TcpFlags};

/// The direction of requests: towards the server. The first packet that was ever seen of the conversation decides: it
/// went in the direction `opener` with the TCP flags `first_flags`.
///
/// The server is the endpoint that receives or answers a SYN; else the receiver of the first packet. The ports decide
/// if the conversation was first seen in its middle (TCP without SYN; UDP from a system port to another). The server
/// then has the only system port (RFC 6335, below 1024), else the lower port.
pub fn request_way<A: Address>(key: &ConversationKey<A>, opener: Way, first_flags: TcpFlags) -> Way {
    let (source, destination) = key.endpoints(opener);
    let source_serves = if key.protocol() == Protocol::TCP {
        match (first_flags.contains(TcpFlags::SYN), first_flags.contains(TcpFlags::ACK)) {
            (true, answers) => answers,
            (false, _) => ports_favour_source(source.port, destination.port),
        }
    } else {
        is_system(source.port) && !is_system(destination.port)
    };
    if source_serves { opener.reversed() } else { opener }
}

/// The direction of requests if every packet of the conversation decides alike; then the first one need not be
/// remembered.
///
/// None if the first packet matters. A SYN and its answer always decide by themselves. For all other packets the ports
/// decide if only one is a system port, and in TCP also if they differ.
pub(crate) fn request_way_by_ports<A: Address>(key: &ConversationKey<A>) -> Option<Way> {
    let decided = Way::BOTH.map(|opener| request_way(key, opener, TcpFlags::default()));
    (decided[0] == decided[1]).then_some(decided[0])
}

fn ports_favour_source(source: u16, destination: u16) -> bool {
    match (is_system(source), is_system(destination)) {
        (true, false) => true,
        (false, true) => false,
        _ => source < destination,
    }
}

fn is_system(port: u16) -> bool {
    (1..1024).contains(&port)
}
