use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::account::interval::Interval;
use crate::locality::Classifier;
use crate::packet::{Addresses, Packet, Protocol, TcpFlags};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds_and_nanoseconds(seconds, 0)
}

/// Accounts and their snapshots, the last of which stands where it may, or never.
struct Accounts {
    ledger: Ledger,
    snapshot_builder: SnapshotBuilder,
    interval: Interval,
    delivery: Delivery,
    latest: Snapshot,
    is_frugal: bool,
}

impl Accounts {
    fn new(config: &Config, is_frugal: bool) -> Self {
        Self {
            ledger: Ledger::new(config, 1),
            snapshot_builder: SnapshotBuilder::new(config),
            interval: Interval::new(Arc::new(Classifier::new(&crate::locality::Config::default(), [])), 1),
            delivery: Delivery::default(),
            latest: Snapshot::default(),
            is_frugal,
        }
    }

    fn count(&mut self, host: u8, bytes: u32, now: Timestamp) {
        let packet = Packet {
            time: now,
            addresses: Addresses::V4 {
                source: Ipv4Addr::new(10, 0, 0, host),
                destination: Ipv4Addr::new(198, 51, 100, host),
            },
            protocol: if host.is_multiple_of(3) { Protocol(47) } else { Protocol::UDP },
            source_port: 0,
            destination_port: 0,
            tcp_flags: TcpFlags(0),
            has_payload: false,
            icmp_type: None,
            outgoing: false,
            bytes,
        };
        self.interval.observe(&packet, bytes + 14);
    }

    fn publish(&mut self, now: Timestamp) {
        let interface = self.ledger.interface("eth0");
        self.interval.settle();
        self.ledger.merge(interface, &self.interval, &mut ());
        self.interval.reset();
        if !self.is_frugal || !self.snapshot_builder.is_unchanged(&self.ledger, self.delivery, now) {
            self.latest = self.snapshot_builder.next(&mut self.ledger, self.delivery, now);
        }
    }

    /// The only scraper completely receives the latest snapshot.
    fn deliver(&mut self) {
        self.delivery = Delivery { to_all: Some(self.latest.number), to_any: self.latest.number };
    }
}

fn config() -> Config {
    Config {
        max_flows: 20,
        max_series: 4,
        max_hosts: 20,
        max_host_series: 3,
        idle_timeout: Duration::from_secs(60),
        ..Config::default()
    }
}

#[test]
fn flows_and_hosts_of_another_direction_leave_and_their_rows_retire() {
    let mut accounts = Accounts::new(&Config::default(), false);
    let networks = |networks: &[&str]| {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        Classifier::new(&crate::locality::Config { networks, own_addresses: Vec::new() }, [])
    };
    accounts.count(1, 100, at(0));
    accounts.count(2, 100, at(0));
    for second in 0..2 {
        accounts.publish(at(second));
        accounts.deliver();
    }
    assert_eq!(accounts.latest.flows.rows.len(), 2);
    // The first flow goes out as before, the second is in transit now.
    let classifier = networks(&["10.0.0.1/32"]);
    accounts.snapshot_builder.retire_reclassified(&mut accounts.ledger, &classifier);
    for second in 2..4 {
        accounts.publish(at(second));
        accounts.deliver();
    }
    let rows: Vec<_> = accounts.latest.flows.rows.iter().map(|row| row.key.source).collect();
    assert_eq!(rows, [IpAddr::from([10, 0, 0, 1])]);
    let retired = |sums: &BTreeMap<_, Counters>| sums.values().map(|sum| sum.bytes).sum::<u64>();
    assert_eq!(retired(&accounts.latest.flows.retired.by_group), 100);
    assert_eq!((accounts.ledger.flows().len(), accounts.ledger.hosts().len()), (1, 1));
}

#[test]
fn a_snapshot_stands_until_something_is_counted_delivered_or_leaves() {
    let mut accounts = Accounts::new(&config(), true);
    let publishes = |accounts: &mut Accounts, seconds| {
        let before = accounts.latest.number;
        accounts.publish(at(seconds));
        accounts.latest.number > before
    };
    accounts.count(1, 100, at(1));
    let twice = [true, true, false, false];
    assert_eq!([1, 2, 3, 4].map(|seconds| publishes(&mut accounts, seconds)), twice, "the first, and once more");
    accounts.deliver();
    assert_eq!([5, 6, 7, 60].map(|seconds| publishes(&mut accounts, seconds)), twice, "the row may count");
    // It stays for the fewest scrapes all the same.
    assert_eq!([61, 62, 63, 999].map(|seconds| publishes(&mut accounts, seconds)), twice, "it has rested");
    accounts.count(1, 1, at(1_000));
    assert!(publishes(&mut accounts, 1_000));
    assert_eq!(accounts.latest.flows.rows[0].value.bytes, 101);
}

#[derive(Debug, Clone)]
enum Step {
    Count(u8, u32),
    /// Seconds pass, with a refresh in each.
    Rest(i64),
    /// A scrape, and the refresh after it.
    Scrape,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..40, 1_u32..5_000).prop_map(|(host, bytes)| Step::Count(host, bytes)),
        2 => (1_i64..5).prop_map(Step::Rest),
        1 => (25_i64..65).prop_map(Step::Rest),
        6 => Just(Step::Scrape),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_snapshot_that_stands_is_what_the_next_would_have_been(steps in prop::collection::vec(step(), 1..150)) {
        let mut both = [Accounts::new(&config(), true), Accounts::new(&config(), false)];
        let mut now = at(0);
        for step in steps {
            let refreshes = match step {
                Step::Count(..) => 0,
                Step::Rest(seconds) => seconds,
                Step::Scrape => 1,
            };
            for accounts in &mut both {
                match step {
                    Step::Count(host, bytes) => accounts.count(host, bytes, now),
                    Step::Rest(_) => {}
                    Step::Scrape => accounts.deliver(),
                }
            }
            for _ in 0..refreshes {
                now = Timestamp::from_nanoseconds(now.nanoseconds() + 1_000_000_000);
                both.iter_mut().for_each(|accounts| accounts.publish(now));
                let [frugal, eager] = &both;
                prop_assert_eq!(&frugal.latest.flows, &eager.latest.flows);
                prop_assert_eq!(&frugal.latest.hosts, &eager.latest.hosts);
                prop_assert_eq!(&frugal.latest.totals, &eager.latest.totals);
            }
        }
    }
}
