//! The resolver against servers on loopback that speak DNS, rightly and wrongly.

use std::net::UdpSocket;
use std::thread::{self, JoinHandle};

use simple_dns::rdata::{CNAME, PTR, RData};
use simple_dns::{CLASS, Label, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

use super::*;
use crate::capture::printable::is_unsafe;
use crate::names::text::LONGEST_NAME;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 5));

/// A server that answers each question with the datagrams that `answer` makes of it, until it is dropped.
struct FakeServer {
    address: SocketAddr,
    stop: Arc<StopSignal>,
    thread: Option<JoinHandle<usize>>,
}

impl FakeServer {
    fn new(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (address, stop) = (socket.local_addr().unwrap(), Arc::new(StopSignal::default()));
        let signal = Arc::clone(&stop);
        let serve = move || {
            let (mut datagram, mut asked) = ([0; 4_096], 0);
            while !signal.is_raised() {
                let Ok((length, client)) = socket.recv_from(&mut datagram) else { continue };
                asked += 1;
                for bytes in answer(&datagram[..length]) {
                    socket.send_to(&bytes, client).unwrap();
                }
            }
            asked
        };
        Self { address, stop, thread: Some(thread::spawn(serve)) }
    }

    /// The number of questions that came.
    fn finish(mut self) -> usize {
        self.stop.raise();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stop.raise();
    }
}

/// An answer to `question` with these records and this code.
fn answer(question: &[u8], records: Vec<ResourceRecord<'_>>, code: RCODE) -> Vec<u8> {
    let asked = Packet::parse(question).unwrap();
    let mut packet = Packet::new_reply(asked.id());
    packet.questions = asked.questions.clone();
    packet.answers = records;
    *packet.rcode_mut() = code;
    packet.build_bytes_vec().unwrap()
}

fn asked_name(question: &[u8]) -> Name<'static> {
    Packet::parse(question).unwrap().questions[0].qname.clone().into_owned()
}

fn pointer<'a>(name: Name<'a>, target: Name<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(name, CLASS::IN, 300, RData::PTR(PTR(target)))
}

fn alias<'a>(name: Name<'a>, target: Name<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(name, CLASS::IN, 120, RData::CNAME(CNAME(target)))
}

fn name(text: &'static str) -> Name<'static> {
    Name::new(text).unwrap()
}

fn named(text: &str, seconds: u64) -> Reply {
    Reply::Name { name: text.into(), ttl: Duration::from_secs(seconds) }
}

/// The reply about [`ADDRESS`] from a resolver with these servers.
fn reply_of(servers: &[&FakeServer]) -> Reply {
    let mut resolver = Resolver::new(servers.iter().map(|server| server.address).collect());
    let replies = resolver.look_up(&[ADDRESS], &|| false);
    assert_eq!(replies.len(), 1);
    replies.into_iter().next().unwrap().1
}

fn right(question: &[u8]) -> Vec<Vec<u8>> {
    vec![answer(question, vec![pointer(asked_name(question), name("nas.lan"))], RCODE::NoError)]
}

#[test]
fn names_absences_and_failures_are_told_apart() {
    assert_eq!(reply_of(&[&FakeServer::new(right)]), named("nas.lan", 300));
    for (code, expected) in [
        (RCODE::NoError, Reply::NoName),
        (RCODE::NameError, Reply::NoName),
        (RCODE::ServerFailure, Reply::Failed),
        (RCODE::Refused, Reply::Failed),
    ] {
        assert_eq!(reply_of(&[&FakeServer::new(move |question| vec![answer(question, Vec::new(), code)])]), expected);
    }
}

#[test]
fn hostile_names_are_stored_as_bounded_printable_text() {
    let hostile = |question: &[u8]| {
        let labels = [Label::new(b"<script>".as_slice()), Label::new(b"a\n\x1b[31m\xff.\"".as_slice())];
        let labels = labels.map(Result::unwrap);
        vec![answer(question, vec![pointer(asked_name(question), Name::new_with_labels(&labels))], RCODE::NoError)]
    };
    assert_eq!(reply_of(&[&FakeServer::new(hostile)]), named("<script>.a\\010\\027[31m\\255\\.\"", 300));
    let longest = |question: &[u8]| {
        let labels = vec![Label::new([0xff; 62].as_slice()).unwrap(); 4];
        vec![answer(question, vec![pointer(asked_name(question), Name::new_with_labels(&labels))], RCODE::NoError)]
    };
    let Reply::Name { name, .. } = reply_of(&[&FakeServer::new(longest)]) else { panic!("no name") };
    assert!(name.len() == LONGEST_NAME && !name.contains(is_unsafe));
}

#[test]
fn aliases_are_followed_and_loops_of_them_end() {
    let delegated = |question: &[u8]| {
        let asked = asked_name(question);
        let records = vec![
            pointer(name("5.0/25.2.0.192.in-addr.arpa"), name("nas.lan")),
            alias(asked, name("5.0/25.2.0.192.IN-ADDR.arpa")),
        ];
        vec![answer(question, records, RCODE::NoError)]
    };
    assert_eq!(reply_of(&[&FakeServer::new(delegated)]), named("nas.lan", 120));
    let looped = |question: &[u8]| {
        let asked = asked_name(question);
        let records = vec![alias(asked.clone(), name("b.example")), alias(name("b.example"), asked)];
        vec![answer(question, records, RCODE::NoError)]
    };
    assert_eq!(reply_of(&[&FakeServer::new(looped)]), Reply::NoName);
}

#[test]
fn answers_that_do_not_fit_the_question_are_ignored() {
    let wrong_then_right = |question: &[u8]| {
        let whole = right(question).remove(0);
        let mut wrong_id = whole.clone();
        wrong_id[0] ^= 0xff;
        let forged = vec![pointer(asked_name(question), name("forged.example"))];
        let mut other = Packet::new_reply(Packet::parse(question).unwrap().id());
        other.questions = vec![Question::new(name("example"), QTYPE::TYPE(TYPE::PTR), QCLASS::CLASS(CLASS::IN), false)];
        other.answers = forged.clone();
        let mut no_answer = Packet::parse(question).unwrap();
        no_answer.answers = forged;
        assert!(!no_answer.has_flags(PacketFlag::RESPONSE));
        let mut datagrams = vec![Vec::new(), vec![0], wrong_id, other.build_bytes_vec().unwrap()];
        datagrams.push(no_answer.build_bytes_vec().unwrap());
        datagrams.extend((2..whole.len()).map(|end| whole[..end].to_vec()));
        datagrams.push(whole);
        datagrams
    };
    assert_eq!(reply_of(&[&FakeServer::new(wrong_then_right)]), named("nas.lan", 300));
}

#[test]
fn compression_loops_and_noise_do_no_harm() {
    let noise = |question: &[u8]| {
        let mut looped = question.to_vec();
        (looped[2], looped[7]) = (0x81, 1);
        // The name of the answer points to itself.
        let at = looped.len() as u16;
        looped.extend((0xc000 | at).to_be_bytes());
        looped.extend([0, 12, 0, 1, 0, 0, 0, 9, 0, 2]);
        looped.extend((0xc000 | at).to_be_bytes());
        let mut counts = question.to_vec();
        counts[2..12].fill(0xff);
        vec![looped, counts, vec![0xff; 4_000]]
    };
    assert_eq!(reply_of(&[&FakeServer::new(noise)]), Reply::Failed);
}

#[test]
fn silent_or_absent_server_fails_and_the_next_one_is_asked() {
    let silent = FakeServer::new(|_| Vec::new());
    assert_eq!(reply_of(&[&silent]), Reply::Failed);
    assert_eq!(silent.finish(), 2, "asked twice");
    let (silent, working) = (FakeServer::new(|_| Vec::new()), FakeServer::new(right));
    assert_eq!(reply_of(&[&silent, &working]), named("nas.lan", 300));
    let absent = FakeServer::new(right);
    let address = absent.address;
    absent.finish();
    let mut resolver = Resolver::new(vec![address, working.address]);
    for _ in 0..2 {
        assert_eq!(resolver.look_up(&[ADDRESS], &|| false), [(ADDRESS, named("nas.lan", 300))]);
    }
}

#[test]
fn thread_names_the_wanted_addresses_once_and_ends_at_the_signal() {
    let (server, dns) = (FakeServer::new(right), Arc::new(ReverseDns::new(64)));
    let (stop, figures) = (Arc::new(StopSignal::default()), Arc::new(NamesFigures::default()));
    let wanted: Vec<IpAddr> = (1..=20).map(|host| [192, 0, 2, host].into()).collect();
    dns.want(wanted.clone());
    let thread = {
        let (dns, stop, figures, servers) =
            (Arc::clone(&dns), Arc::clone(&stop), Arc::clone(&figures), vec![server.address]);
        thread::spawn(move || dns.run(servers, &figures, &stop))
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while dns.names(wanted.iter().copied()).len() < wanted.len() {
        assert!(Instant::now() < deadline, "{:?}", dns.size());
        thread::yield_now();
    }
    stop.raise();
    thread.join().unwrap();
    assert_eq!(server.finish(), 20);
    assert_eq!(figures.lookups(NameSource::Dns, LookupResult::Found), 20);
    assert_eq!(dns.size().0, 20);
}

#[test]
fn servers_are_read_from_the_configuration_of_the_host() {
    let server = |text: &str| SocketAddr::new(text.parse().unwrap(), 53);
    let file = "# comment\nsearch lan\nnameserver 192.0.2.53\n nameserver\t2001:db8::53 x\nnameserver fe80::1%eth0\n\
                nameserver no\noptions rotate\nnameserver 192.0.2.54\nnameserver 192.0.2.55\n";
    assert_eq!(servers(file), ["192.0.2.53", "2001:db8::53", "192.0.2.54"].map(server));
    assert_eq!(servers(""), [server("127.0.0.1")]);
}

#[test]
fn addresses_that_no_server_names_are_known() {
    for address in ["127.0.0.1", "::1", "224.0.0.1", "ff02::1", "0.0.0.0", "169.254.1.1", "255.255.255.255", "fe80::1"]
    {
        assert!(has_no_name(address.parse().unwrap()), "{address}");
    }
    for address in ["192.168.1.1", "10.0.0.1", "2001:db8::1", "fd00::1"] {
        assert!(!has_no_name(address.parse().unwrap()), "{address}");
    }
}
