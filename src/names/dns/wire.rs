//! Questions and answers of DNS (RFC 1035). Takes addresses and datagrams; gives questions and names. Must not know
//! sockets.

use std::net::IpAddr;
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, SimpleDnsError, TYPE};

use super::super::text::dns_name;

/// The most aliases that are followed from an address to its name (RFC 2317 needs one).
const MOST_ALIASES: usize = 8;

/// The statement of a server about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Its name, and the time for which it holds.
    Name { name: Box<str>, ttl: Duration },
    /// It has no name.
    NoName,
    /// The server failed, or did not answer.
    Failed,
}

/// The name that stands for an address in a reverse look-up (RFC 1035, section 3.5; RFC 3596, section 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            digits.map(|digit| format!("{digit:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

/// The datagram that asks for the name of an address.
pub(super) fn question(id: u16, address: IpAddr) -> Result<Vec<u8>, SimpleDnsError> {
    let name = reverse_name(address);
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(&name)?, QTYPE::TYPE(TYPE::PTR), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec()
}

/// The number of a datagram that looks like an answer.
pub(super) fn id(datagram: &[u8]) -> Option<u16> {
    datagram.first_chunk().map(|id| u16::from_be_bytes(*id))
}

/// The reply in a datagram; none if it does not answer the question about `address`.
pub(super) fn reply(datagram: &[u8], address: IpAddr) -> Option<Reply> {
    let packet = Packet::parse(datagram).ok()?;
    let [question] = packet.questions.as_slice() else { return None };
    let asked = folded(&Name::new(&reverse_name(address)).ok()?);
    let is_answer = packet.has_flags(PacketFlag::RESPONSE)
        && folded(&question.qname) == asked
        && question.qtype == QTYPE::TYPE(TYPE::PTR)
        && question.qclass == QCLASS::CLASS(CLASS::IN);
    is_answer.then(|| match packet.rcode() {
        RCODE::NoError => named(&packet, asked),
        RCODE::NameError => Reply::NoName,
        _ => Reply::Failed,
    })
}

/// The name that the answers have for `asked`, also by way of aliases.
fn named(packet: &Packet<'_>, mut asked: Vec<Vec<u8>>) -> Reply {
    let mut least_ttl = u32::MAX;
    for _ in 0..=MOST_ALIASES {
        let about = |record: &&simple_dns::ResourceRecord<'_>| folded(&record.name) == asked;
        let mut alias = None;
        for record in packet.answers.iter().filter(about) {
            match &record.rdata {
                RData::PTR(target) => {
                    let ttl = Duration::from_secs(record.ttl.min(least_ttl).into());
                    let name = dns_name(target.0.iter().map(|label| label.as_ref()));
                    return name.map_or(Reply::NoName, |name| Reply::Name { name, ttl });
                }
                RData::CNAME(target) => alias = Some((folded(&target.0), record.ttl)),
                _ => {}
            }
        }
        let Some((target, ttl)) = alias else { break };
        (asked, least_ttl) = (target, least_ttl.min(ttl));
    }
    Reply::NoName
}

/// The labels of a name in lower case, since names are compared without case (RFC 4343).
fn folded(name: &Name<'_>) -> Vec<Vec<u8>> {
    name.iter().map(|label| label.as_ref().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_reverse_names() {
        assert_eq!(reverse_name([192, 0, 2, 5].into()), "5.2.0.192.in-addr.arpa");
        let nibbles = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(reverse_name("2001:db8::5".parse().unwrap()), nibbles);
    }

    #[test]
    fn question_is_no_answer_to_itself() {
        let address = [192, 0, 2, 5].into();
        let bytes = question(7, address).unwrap();
        assert_eq!(id(&bytes), Some(7));
        assert_eq!(reply(&bytes, address), None);
        for end in 0..bytes.len() {
            assert_eq!(reply(&bytes[..end], address), None);
        }
    }
}
