//! Asks servers over UDP, a batch of questions at once. Takes addresses; gives a reply for each. Must not know the cache.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::wire::{self, Reply};

/// Longest time for the answers of a server to a batch.
const ANSWER_WAIT: Duration = Duration::from_millis(1_500);
/// Longest time between two looks at the signal to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The fewest attempts for a question; with several servers each gets one.
const FEWEST_ATTEMPTS: usize = 2;
/// The largest datagram without EDNS is 512 bytes (RFC 1035, section 2.3.4). A server may send more.
const DATAGRAM_BYTES: usize = 4_096;

/// The servers, and the one that answered last.
#[derive(Debug)]
pub(super) struct Resolver {
    servers: Vec<SocketAddr>,
    first: usize,
    /// The key of the numbers of questions, which no other host can guess.
    key: RandomState,
    asked: u64,
}

impl Resolver {
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, first: 0, key: RandomState::new(), asked: 0 }
    }

    /// A reply for each address. Questions that one server does not answer go to the next one.
    pub(super) fn look_up(&mut self, addresses: &[IpAddr], is_stopped: &dyn Fn() -> bool) -> Vec<(IpAddr, Reply)> {
        let mut replies: HashMap<IpAddr, Reply> = HashMap::new();
        for attempt in 0..self.servers.len().max(FEWEST_ATTEMPTS) {
            let is_open = |address: &&IpAddr| replies.get(address).is_none_or(|reply| *reply == Reply::Failed);
            let open: Vec<IpAddr> = addresses.iter().filter(is_open).copied().collect();
            if open.is_empty() || is_stopped() {
                break;
            }
            let server = (self.first + attempt) % self.servers.len();
            // A server that cannot be reached is one that does not answer.
            let answered = self.ask(server, &open, is_stopped).unwrap_or_default();
            if answered.iter().any(|(_, reply)| *reply != Reply::Failed) {
                self.first = server;
            }
            replies.extend(answered);
        }
        let reply = |address: &IpAddr| (*address, replies.remove(address).unwrap_or(Reply::Failed));
        addresses.iter().map(reply).collect()
    }

    /// The answers of one server, until all have come or the time is over. Each batch has a socket, and so a port, of its
    /// own.
    fn ask(
        &mut self,
        server: usize,
        addresses: &[IpAddr],
        is_stopped: &dyn Fn() -> bool,
    ) -> io::Result<Vec<(IpAddr, Reply)>> {
        let socket = connected(self.servers[server])?;
        let mut open = HashMap::new();
        for &address in addresses {
            let id = self.next_id();
            if !open.contains_key(&id)
                && let Ok(question) = wire::question(id, address)
            {
                socket.send(&question)?;
                open.insert(id, address);
            }
        }
        let (mut answered, mut datagram, deadline) = (Vec::new(), [0; DATAGRAM_BYTES], Instant::now() + ANSWER_WAIT);
        while !open.is_empty() && Instant::now() < deadline && !is_stopped() {
            let length = match socket.recv(&mut datagram) {
                Ok(length) => length,
                Err(error) if is_patient(&error) => continue,
                // The host of the server says that there is no server.
                Err(_) => break,
            };
            let datagram = &datagram[..length];
            let Some(id) = wire::id(datagram) else { continue };
            let Some(reply) = open.get(&id).and_then(|address| wire::reply(datagram, *address)) else { continue };
            answered.extend(open.remove(&id).map(|address| (address, reply)));
        }
        Ok(answered)
    }

    fn next_id(&mut self) -> u16 {
        self.asked += 1;
        self.key.hash_one(self.asked) as u16
    }
}

/// A socket on a port that the kernel chooses at random. It takes datagrams of this server alone.
fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    Ok(socket)
}

fn is_patient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
