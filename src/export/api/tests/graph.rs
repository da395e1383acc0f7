use serde_json::json;

use super::*;

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
fn least_bytes_are_those_of_the_chart_since_the_start() {
    let mut office = office();
    office.settings.chart_min_bytes = 5_400;
    assert_eq!(office.json(Resource::Graph, "range=all")["min_bytes"], json!(5_400));
    assert_eq!(office.json(Resource::Graph, "range=live")["min_bytes"], json!(0));
    assert_eq!(office.json(Resource::Graph, "range=all&min_bytes=7")["min_bytes"], json!(7));
}
