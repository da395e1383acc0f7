use serde_json::json;

use super::*;
use crate::alert::Alert;
use crate::detect::{Figures, Kind, Subject};
use crate::export::tests::firing;

/// Ends of the edges as names, with their bytes.
fn edges(answer: &Value) -> Vec<(String, String, u64)> {
    let name = |id: &Value| {
        let node = &answer["nodes"][usize::try_from(id.as_u64().unwrap()).unwrap()];
        node["address"].as_str().or(node["name"].as_str()).unwrap().to_owned()
    };
    let edges = answer["edges"].as_array().unwrap().iter();
    edges.map(|edge| (name(&edge["source"]), name(&edge["target"]), edge["bytes"].as_u64().unwrap())).collect()
}

#[test]
fn hosts_are_nodes_and_edges_are_directed() {
    let answer = office().json(Resource::Graph, "range=all&min_bytes=0");
    assert_eq!(answer["nodes"].as_array().unwrap().len(), 5);
    assert_eq!(
        edges(&answer)[..3],
        [
            ("198.51.100.9".to_owned(), "10.0.0.5".to_owned(), 5_000),
            ("10.0.0.5".to_owned(), "10.0.0.6".to_owned(), 1_000),
            ("10.0.0.5".to_owned(), "198.51.100.9".to_owned(), 300),
        ]
    );
    assert_eq!(answer["edges"][1]["top"], json!([{"protocol": "tcp", "port": 22, "service": "ssh", "bytes": 1_000}]));
    assert_eq!(answer["left_out"], json!({"edges": 0, "bytes": 0, "packets": 0}));
}

#[test]
fn light_hosts_fold_into_others_and_no_byte_is_lost() {
    for query in
        ["min_bytes=1000&nodes=2", "min_bytes=0&nodes=1", "min_bytes=100000", "min_bytes=0&edges=1", "min_bytes=0"]
    {
        let answer = office().json(Resource::Graph, &format!("range=all&{query}"));
        let sum: u64 = edges(&answer).iter().map(|(_, _, bytes)| bytes).sum();
        assert_eq!(sum + answer["left_out"]["bytes"].as_u64().unwrap(), 6_570, "{query}: {answer}");
        assert!(edges(&answer).iter().all(|(source, target, _)| source != target));
    }
    let answer = office().json(Resource::Graph, "range=all&nodes=2&min_bytes=0");
    let others: Vec<_> = answer["nodes"].as_array().unwrap().iter().filter(|node| node["is_other"] == true).collect();
    assert_eq!(others.len(), 2);
    // 10.0.0.6 and fd00::5; the server of the latter.
    assert_eq!([&others[0]["bytes"], &others[0]["is_local"]], [&json!(1_270), &json!(true)]);
    assert_eq!([&others[1]["bytes"], &others[1]["name"]], [&json!(70), &json!("other remote hosts")]);
}

#[test]
fn hosts_below_chart_min_bytes_fold_in_every_range_unless_the_request_says_otherwise() {
    let mut office = office();
    office.settings.chart_min_bytes = 5_400;
    for range in ["live", "5m", "1h", "all"] {
        let answer = |more: &str| office.json(Resource::Graph, &format!("range={range}{more}"));
        assert_eq!(answer("")["min_bytes"], json!(5_400), "{range}");
        assert_eq!(answer("&min_bytes=7")["min_bytes"], json!(7), "{range}");
    }
}

/// The hosts that each other node stands for, by its name.
fn others(answer: &Value) -> Vec<(&str, u64)> {
    let nodes = answer["nodes"].as_array().unwrap().iter().filter(|node| node["is_other"] == true);
    let mut others: Vec<_> =
        nodes.map(|node| (node["name"].as_str().unwrap(), node["hosts"].as_u64().unwrap())).collect();
    others.sort_unstable();
    others
}

#[test]
fn other_nodes_say_how_many_hosts_they_stand_for_and_why() {
    // 10.0.0.5 has 6,300 bytes, 198.51.100.9 has 5,500, 10.0.0.6 has 1,200, and the others have 70 each.
    let cases = [
        ("min_bytes=0", 0, 0, vec![]),
        ("min_bytes=5500", 3, 0, vec![("other local hosts", 2), ("other remote hosts", 1)]),
        ("min_bytes=5501&nodes=1", 4, 0, vec![("other local hosts", 2), ("other remote hosts", 2)]),
        ("min_bytes=1000&nodes=1", 2, 2, vec![("other local hosts", 2), ("other remote hosts", 2)]),
    ];
    for (query, below, past, expected) in cases {
        let answer = office().json(Resource::Graph, &format!("range=all&{query}"));
        assert_eq!(answer["folded"], json!({"below_min_bytes": below, "past_nodes": past}), "{query}");
        assert_eq!(others(&answer), expected, "{query}");
        let charted = answer["nodes"].as_array().unwrap().iter().filter(|node| node["is_other"] == false);
        assert!(charted.clone().all(|node| node["hosts"] == 1), "{query}");
        assert_eq!(charted.count() as u64 + below + past, 5, "{query}");
    }
}

#[test]
fn other_hosts_are_in_the_graph_if_no_host_is_above_the_limit() {
    let answer = office().json(Resource::Graph, "range=all&min_bytes=1000000");
    assert_eq!(others(&answer), [("other local hosts", 3), ("other remote hosts", 2)]);
    let (local, remote) = ("other local hosts".to_owned(), "other remote hosts".to_owned());
    assert_eq!(edges(&answer), [(remote.clone(), local.clone(), 5_000), (local, remote, 570)]);
    // The local traffic is within one node.
    assert_eq!(answer["left_out"]["bytes"], json!(1_000));
    let bytes: Vec<u64> =
        answer["nodes"].as_array().unwrap().iter().map(|node| node["bytes"].as_u64().unwrap()).collect();
    assert_eq!(bytes.iter().max(), Some(&6_570));
}

#[test]
fn host_that_changed_sides_counts_for_both_other_nodes() {
    use Direction::{Outgoing, Transit};
    let served = Served::with_flows(vec![
        flow("10.0.0.5", "198.51.100.9", 443, Outgoing, 300),
        flow("10.0.0.5", "198.51.100.7", 443, Transit, 300),
    ]);
    let answer = served.json(Resource::Graph, "range=all&min_bytes=1000");
    assert_eq!(others(&answer), [("other local hosts", 1), ("other remote hosts", 3)]);
}

/// A host of the local network with so many bytes to a server.
fn sender(number: u8, bytes: u64) -> ShownRow<FlowKey> {
    flow(&format!("10.0.0.{number}"), "198.51.100.9", 443, Direction::Outgoing, bytes)
}

fn firing_about(number: u8) -> Alert {
    firing(Kind::HostScan, Subject::Source(ip(&format!("10.0.0.{number}"))), Figures::default())
}

fn addresses(answer: &Value) -> Vec<&str> {
    answer["nodes"].as_array().unwrap().iter().filter_map(|node| node["address"].as_str()).collect()
}

#[test]
fn heaviest_hosts_have_nodes_whatever_chart_min_bytes_says() {
    let mut served = Served::with_flows((1..=40).map(|number| sender(number, 100 + u64::from(number))).collect());
    served.settings.chart_min_bytes = 5_000_000;
    let answer = served.json(Resource::Graph, "range=all");
    let heaviest: Vec<String> = (27..=40).rev().map(|number| format!("10.0.0.{number}")).collect();
    assert_eq!(addresses(&answer)[0], "198.51.100.9");
    assert_eq!(addresses(&answer)[1..], heaviest);
    assert_eq!(answer["folded"], json!({"below_min_bytes": 26, "past_nodes": 0}));
    assert_eq!(others(&answer), [("other local hosts", 26)]);
    // Heavier hosts than the limit do not take the nodes of the lighter ones away, and the number of nodes bounds both.
    served.settings.chart_min_bytes = 121;
    assert_eq!(addresses(&served.json(Resource::Graph, "range=all")).len(), 21);
    assert_eq!(addresses(&served.json(Resource::Graph, "range=all&nodes=9")).len(), 9);
    // A limit of the request is exact.
    assert_eq!(addresses(&served.json(Resource::Graph, "range=all&min_bytes=136")).len(), 6);
}

#[test]
fn hosts_with_firing_alerts_and_those_that_the_filter_names_do_not_fold() {
    let mut served = Served::with_flows((1..=40).map(|number| sender(number, 100 + u64::from(number))).collect());
    served.report.alerts.firing = [3, 5, 5].map(firing_about).to_vec();
    let charted = |query: &str| served.json(Resource::Graph, &format!("range=all&{query}"));
    let answer = charted("min_bytes=1000000");
    assert_eq!(addresses(&answer), ["10.0.0.5", "10.0.0.3"]);
    assert_eq!(answer["folded"], json!({"below_min_bytes": 39, "past_nodes": 0}));
    assert_eq!(addresses(&charted("min_bytes=0&nodes=3")), ["198.51.100.9", "10.0.0.5", "10.0.0.3"]);
    let named = charted("min_bytes=1000000&nodes=1&filter=src:10.0.0.3");
    assert_eq!(addresses(&named), ["10.0.0.3"]);
    let filter = "filter=198.51.100.9%20-host:10.0.0.3%20-host:10.0.0.5";
    assert_eq!(addresses(&charted(&format!("min_bytes=1000000&{filter}"))), ["198.51.100.9"]);
    let network = charted("min_bytes=1000000&filter=10.0.0.0/24%20-host:10.0.0.3%20-host:10.0.0.5");
    assert!(addresses(&network).is_empty(), "a network is not a host");
}

#[test]
fn other_nodes_have_the_alerts_of_their_hosts() {
    let mut served = Served::with_flows((1..=9).map(|number| sender(number, 100 + u64::from(number))).collect());
    served.report.alerts.firing = [3, 5, 5, 9].map(firing_about).to_vec();
    let answer = served.json(Resource::Graph, "range=all&nodes=1");
    let alerts = |answer: &Value, is_other: bool| {
        let nodes = answer["nodes"].as_array().unwrap().iter().filter(|node| node["is_other"] == is_other);
        nodes.map(|node| node["alerts"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(addresses(&answer), ["10.0.0.9"]);
    assert_eq!([alerts(&answer, false), alerts(&answer, true)], [1, 3]);
}
