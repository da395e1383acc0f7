//! A packet to a closed port is refused by a real kernel's ICMP error, and the conversation is marked.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use trafficmonitor::account::conversation::Endpoint;
use trafficmonitor::account::interval::Interval;
use trafficmonitor::capture::Config;
use trafficmonitor::capture::live::Live;
use trafficmonitor::decode::Decoder;
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::Protocol;
use trafficmonitor::pipeline::capture_loop::count_frame;

use super::common::namespace::{End, Namespace, connect, wait_for};
use super::traffic::Pair;

/// The interval of the host's eth0 once `is_there` holds, while `client` sends again and again: packets may be sent
/// before the capture has begun, and the kernel limits the errors that it sends.
fn observed(host: &Namespace, client: &UdpSocket, closed: &str, is_there: impl Fn(&Interval) -> bool) -> Interval {
    let mut live = host.enter(|| Live::open("eth0", &Config::default())).unwrap();
    live.attach(None, None).unwrap();
    let decoder = Decoder::new(live.link_type()).unwrap();
    let mut interval = Interval::new(Arc::new(Classifier::default()), 0);
    wait_for("the error", || {
        // A socket reports an error at its next call.
        client.send_to(b"anybody?", closed).or_else(|_| client.send_to(b"anybody?", closed)).unwrap();
        live.poll(Duration::from_millis(100), |frame| count_frame(&decoder, None, &frame, &mut interval)).unwrap();
        interval.settle();
        is_there(&interval).then_some(())
    });
    interval
}

#[test]
fn a_datagram_to_a_closed_port_marks_its_conversation() {
    let pair = Pair::new();
    let client = pair.host.udp("10.1.0.1:40001");
    let interval = observed(&pair.host, &client, "10.1.0.2:9", |interval| !interval.refused_v4().is_empty());

    let [refused] = interval.refused_v4() else { panic!("{:?}", interval.refused_v4()) };
    let host = Endpoint { address: Ipv4Addr::new(10, 1, 0, 1), port: 40_001 };
    let other = Endpoint { address: Ipv4Addr::new(10, 1, 0, 2), port: 9 };
    assert_eq!((refused.key.endpoints(refused.way), refused.key.protocol()), ((host, other), Protocol::UDP));
    let row = interval.rows_v4().iter().find(|row| row.key == refused.key).unwrap();
    let (there, back) = (&row.ways[refused.way as usize], &row.ways[refused.way.reversed() as usize]);
    assert!(there.is_refused() && there.packets > 0 && refused.time >= there.first);
    assert!(!back.is_refused() && back.packets == 0);
    // The error counts where it stands: between the two hosts, as ICMP.
    let errors = interval.rows_v4().iter().find(|row| row.key.protocol() == Protocol::ICMP).unwrap();
    assert!(errors.ways.iter().any(|way| way.icmp_type() == Some(3) && way.packets > 0 && !way.is_refused()));
}

#[test]
fn in_ipv6_too() {
    let (host, other) = (Namespace::with_ipv6(), Namespace::with_ipv6());
    connect(&End::new(&host, "eth0", "fd00:1::1/64"), &End::new(&other, "eth0", "fd00:1::2/64"));
    let client = host.udp("[fd00:1::1]:40001");
    let interval = observed(&host, &client, "[fd00:1::2]:9", |interval| !interval.refused_v6().is_empty());

    let [refused] = interval.refused_v6() else { panic!("{:?}", interval.refused_v6()) };
    let (from, to) = refused.key.endpoints(refused.way);
    assert_eq!((from.address, from.port), ("fd00:1::1".parse::<Ipv6Addr>().unwrap(), 40_001));
    assert_eq!((to.port, refused.key.protocol()), (9, Protocol::UDP));
    let row = interval.rows_v6().iter().find(|row| row.key == refused.key).unwrap();
    assert!(row.ways[refused.way as usize].is_refused() && !row.ways[refused.way.reversed() as usize].is_refused());
}
