//! The second evidence rule by brute force: it keeps the packets of every conversation and all outcomes of every target.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use super::harness::*;
use super::model::{Over, Windows, cut, over, run, until};
use crate::detect::Kind;
use crate::detect::scan::config::Factors;
use crate::detect::scan::{Config, Rule};
use crate::packet::Protocol;
use crate::time_grid::Cell as GridCell;

mod comparisons;
mod outcomes;
mod scripts;
mod targets;

use comparisons::{comparisons, counting};
use outcomes::Outcomes;
use scripts::{Conversation, Draft, Step, Story, conversations, draft, script_of};
use targets::{History, Name, Targets};

fn model(config: &Config, conversations: &[Conversation], last: i64) -> Over {
    let (known, waited) = Outcomes::all(config, conversations);
    let windows = Windows::of(config);
    let Some(first) = known.first().map(|known| known.cell) else { return Over::new() };
    let [mut hosts, mut ports] = [(Kind::HostScan, 0), (Kind::PortScan, 1)].map(|(kind, place)| Targets {
        kind,
        config,
        cells: windows.cells[place].into(),
        histories: BTreeMap::new(),
        answered: BTreeMap::new(),
    });
    let sources: BTreeSet<IpAddr> = known.iter().map(|known| known.source).collect();
    let (mut over, mut reported) = (Over::new(), BTreeSet::new());
    for cell in first..last {
        for known in known.iter().filter(|known| known.cell == cell) {
            hosts.add(known);
            if known.port != 0 {
                ports.add(known);
            }
        }
        for all in [&hosts, &ports] {
            let limit =
                u64::from(if all.kind == Kind::HostScan { config.contacted_ips } else { config.contacted_ports });
            for source in &sources {
                let is_peer = |peer: IpAddr| {
                    let history = hosts.histories.get(&(peer, (Some(*source), 0, 0)));
                    history.is_some_and(|history| history.state(hosts.first(cell)).is_some())
                        || waited.contains(&(peer, *source, cell))
                };
                judge(all, *source, limit, cell, is_peer, &mut reported, &mut over, &windows);
            }
        }
    }
    over
}

#[allow(clippy::too_many_arguments, reason = "all of a verdict")]
fn judge(
    all: &Targets<'_>,
    source: IpAddr,
    limit: u64,
    cell: i64,
    is_peer: impl Fn(IpAddr) -> bool,
    reported: &mut BTreeSet<(Kind, IpAddr)>,
    over: &mut Over,
    windows: &Windows,
) {
    let is_of_source =
        |((of, _), history): &(&(IpAddr, Name), &History)| *of == source && history.is_evidence(all.first(cell));
    let evidence = all.histories.iter().filter(is_of_source).count() as u64;
    let subject = (all.kind, source);
    let clearest = if evidence * 10 < limit * 9 {
        None
    } else {
        let targets = counting(all, source, limit, cell, is_peer);
        let mut compared = comparisons(all.kind, limit, &all.config.factors, &targets, cell);
        compared.retain(|compared| compared.value > 0);
        let is_near = compared.iter().any(|compared| compared.value * 10 >= compared.threshold * 9);
        compared.retain(|compared| compared.value > compared.threshold);
        // The largest value; of equal ones that with the lowest threshold, then the first.
        compared.reverse();
        let best = compared.into_iter().max_by_key(|compared| (compared.value, std::cmp::Reverse(compared.threshold)));
        is_near.then_some(best)
    };
    let Some(clearest) = clearest else {
        reported.remove(&subject);
        return;
    };
    if let Some(best) = clearest.filter(|best| best.is_fresh || reported.contains(&subject)) {
        reported.insert(subject);
        over.insert((windows.grid.end(GridCell(cell)).nanoseconds(), all.kind, source), best.value);
    }
}

/// Small limits and factors, so that each comparison can decide.
fn config() -> impl Strategy<Value = Config> {
    let factors = (1_u32..3, 1_u32..3, 1_u32..3, 1_u32..4, 0_u32..3, 0_u32..3, 1_u32..5);
    (factors, 1_u32..5, 1_u32..5).prop_map(|(factors, contacted_ips, contacted_ports)| {
        let (touched, any_port, site, everywhere, answered, answered_everywhere, port_share) = factors;
        Config {
            contacted_ips,
            contacted_ports,
            // Grouped scanners are judged elsewhere.
            group_factor: 10_000,
            factors: Factors { touched, any_port, site, everywhere, answered, answered_everywhere, port_share },
            ..super::model::config(Rule::Evidence)
        }
    })
}

/// As many scripts as `PROPTEST_CASES` says, or 128.
fn many() -> ProptestConfig {
    let asked_for = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked_for.unwrap_or(128), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn evidence_finds_what_every_packet_says(drafts in prop::collection::vec(draft(), 1..90), config in config(), cut in cut()) {
        let conversations = conversations(&drafts);
        let script = script_of(&conversations);
        let last = Windows::of(&config).grid.cell(until(&script)).0;
        let (found, expected) = (over(&run(&config, &script, cut)), model(&config, &conversations, last));
        let differs = |from: &Over, to: &Over| from.iter().find(|(key, value)| to.get(key) != Some(value)).map(|(key, value)| (*key, *value));
        let first = differs(&found, &expected).into_iter().chain(differs(&expected, &found)).min();
        prop_assert_eq!(first, None, "of {} and {}", found.len(), expected.len());
    }
}

/// By each plan, the program finds in these conversations what the model does, which is something.
#[track_caller]
fn agree(drafts: &[Draft], config: &Config, plans: impl IntoIterator<Item = TickPlan>) {
    let conversations = conversations(drafts);
    let script = script_of(&conversations);
    let expected = model(config, &conversations, Windows::of(config).grid.cell(until(&script)).0);
    assert!(!expected.is_empty());
    for plan in plans {
        assert_eq!(over(&run(config, &script, plan)), expected, "{plan:?}");
    }
}

/// The third request of a ping makes its host used. Its reply comes in one row with the fourth request, which nothing
/// answers: the host is known, and is not used once more.
#[test]
fn reply_to_one_request_does_not_answer_the_next_one_in_the_same_row() {
    let draft = |host, port, tenths, story| Draft { source: 0, host, port, tenths, is_split: false, story };
    let tcp = |reply, after| Story::Tcp { retry: None, reply, after };
    let pings = vec![(0, Some(1)), (1_231, None), (2_233, Some(867)), (3_100, None)];
    let drafts = [
        draft((0, 1), 1, 152, tcp(Some((false, 600)), Vec::new())),
        draft((0, 5), 1, 92, Story::Ping { requests: pings }),
        draft((0, 2), 1, 148, tcp(Some((false, 1_000)), Vec::new())),
        draft((1, 1), 2, 148, tcp(Some((false, 1_000)), Vec::new())),
        draft((0, 3), 1, 104, tcp(Some((true, 869)), vec![(0, Step::Continue), (231, Step::Send)])),
    ];
    let (touched, any_port, site, everywhere) = (1, 1, 1, 1);
    let factors = Factors { touched, any_port, site, everywhere, answered: 2, answered_everywhere: 2, port_share: 1 };
    let limits = Config { contacted_ips: 1, contacted_ports: 1, ..super::model::config(Rule::Evidence) };
    let config = Config { group_factor: 10_000, factors, ..limits };
    agree(&drafts, &config, [20, 50, 100].map(TickPlan::tick_ms));
}

/// The reply to the third request comes by another interface, in the same row as the fourth request, which nothing
/// answers. The thread of that interface may be the later one.
#[test]
fn reply_by_another_interface_does_not_answer_the_request_behind_it() {
    let draft = |host, tenths, is_split, requests: &[(u16, Option<u16>)]| {
        let story = Story::Ping { requests: requests.to_vec() };
        Draft { source: 1, host, port: 1, tenths, is_split, story }
    };
    let drafts = [
        draft((0, 1), 232, true, &[(0, None), (300, Some(1)), (600, Some(800)), (1_400, None)]),
        draft((0, 2), 345, false, &[(0, None), (914, None), (2_100, None)]),
        draft((1, 1), 215, false, &[(0, None), (1_334, None), (2_000, None)]),
    ];
    let limits = Config { contacted_ips: 1, contacted_ports: 1, ..super::model::config(Rule::Evidence) };
    let factors = Factors { touched: 1, any_port: 1, site: 1, everywhere: 1, port_share: 1, ..Factors::default() };
    let config = Config { group_factor: 10_000, factors, ..limits };
    agree(&drafts, &config, [20, 50, 100].map(TickPlan::tick_ms));
}

/// The fourth request of a ping begins a contact, because the third one made its host used. Its reply comes by another
/// interface, whose row may be the first of the two.
#[test]
fn reply_by_another_interface_answers_a_request_whose_row_comes_later() {
    let draft = |host, port, tenths, is_split, story| Draft { source: 2, host, port, tenths, is_split, story };
    let tcp = |reply| Story::Tcp { retry: None, reply, after: Vec::new() };
    let ping = |requests: &[(u16, Option<u16>)]| Story::Ping { requests: requests.to_vec() };
    let drafts = [
        draft((0, 4), 1, 58, true, ping(&[(0, Some(1)), (919, Some(1)), (2_400, Some(200)), (2_750, Some(1))])),
        draft((0, 1), 1, 66, false, ping(&[(0, Some(150)), (1_300, None), (1_700, None)])),
        draft((2, 2), 1, 49, false, Story::Udp { requests: vec![(0, None), (2_500, None)], refusal: None }),
        draft((2, 2), 2, 72, false, Story::Probe { from_one_port: false, reply: None }),
        draft((1, 1), 4, 173, false, tcp(None)),
        draft((0, 3), 2, 173, false, tcp(Some((false, 1)))),
    ];
    let limits = Config { contacted_ips: 1, contacted_ports: 1, ..super::model::config(Rule::Evidence) };
    let (answered, answered_everywhere) = (1, 1);
    let factors =
        Factors { touched: 1, any_port: 1, site: 1, everywhere: 1, answered, answered_everywhere, port_share: 1 };
    let config = Config { group_factor: 10_000, factors, ..limits };
    agree(&drafts, &config, (1..64).map(|shuffle| TickPlan { shuffle, ..TickPlan::tick_ms(20) }));
}

/// A SYN is repeated, and a millisecond later refused by another interface, whose row may come first.
#[test]
fn refusal_by_another_interface_counts_after_the_packets_before_it() {
    let draft = |host, tenths, is_split: bool, reply| {
        let story = Story::Tcp { retry: is_split.then_some(500), reply, after: Vec::new() };
        Draft { source: 0, host, port: 1, tenths, is_split, story }
    };
    let drafts =
        [draft((0, 1), 54, true, Some((false, 501))), draft((0, 2), 2, false, None), draft((0, 2), 59, false, None)];
    let factors = Factors { answered: 0, answered_everywhere: 0, ..Factors::default() };
    let limits = Config { contacted_ips: 1, contacted_ports: 1, ..super::model::config(Rule::Evidence) };
    let config = Config { group_factor: 10_000, factors, ..limits };
    let conversations = conversations(&drafts);
    let script = script_of(&conversations);
    let expected = model(&config, &conversations, Windows::of(&config).grid.cell(until(&script)).0);
    for shuffle in 0..8 {
        let found = over(&run(&config, &script, TickPlan { shuffle, ..TickPlan::tick_ms(20) }));
        assert_eq!(found, expected, "shuffle {shuffle}");
    }
    assert!(!expected.is_empty());
}
