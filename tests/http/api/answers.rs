//! The contents of answers: against the description of the API, and against the traffic of the capture.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use trafficmonitor::export::api::Resource;

use super::super::common::openapi;
use super::*;

const TABLES: [&str; 6] = ["flows", "hosts", "devices", "pairs", "services", "protocols"];
const RANGES: [&str; 4] = ["live", "5m", "1h", "all"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The complaints about answers: each a resource with its status and body.
fn complaints(answers: &[(String, u16, Value)]) -> String {
    let answer = |(resource, status, body): &(String, u16, Value)| {
        let path = path(resource.split('?').next().unwrap());
        json!({"path": path, "status": status, "body": body})
    };
    openapi::complaints(&answers.iter().map(answer).collect::<Vec<_>>())
}

#[test]
fn every_error_of_every_path_is_as_the_description_says() {
    let exporter = serving();
    let mut answers = Vec::new();
    for resource in Resource::ALL {
        let path = resource.path();
        for (method, query, status) in [
            ("GET", "?x=1", 400),
            ("HEAD", "?x=1", 400),
            ("GET", "/x", 404),
            ("POST", "", 405),
            ("DELETE", "", 405),
            ("OPTIONS", "", 405),
        ] {
            let answer = request(exporter.address(), method, &format!("{path}{query}"));
            assert_eq!(answer.status, status, "{method} {path}{query}");
            if method == "HEAD" {
                assert_eq!((answer.header("content-type"), answer.body.as_str()), ("application/json", ""));
            } else {
                answers.push(openapi::error(path, &answer));
            }
        }
    }
    assert_eq!(openapi::complaints(&answers), "");
    // The check is not blind.
    let [path, body] = ["/api/v1/flows", r#"{"error": "x"}"#];
    let wrong = json!({"path": path, "status": 418, "type": "text/plain; charset=utf-8", "body": body});
    assert_eq!(openapi::complaints(&[wrong]).lines().count(), 3);
}

#[test]
fn every_answer_is_as_the_description_says() {
    let exporter = serving();
    let tables = TABLES.iter().flat_map(|table| RANGES.map(|range| format!("{table}?range={range}")));
    let others = [
        "snapshot",
        "history",
        "history?range=5m",
        "history?range=1h",
        "history?range=1h&filter=port:443",
        "graph",
        "graph?range=all&min_bytes=0",
        "graph?range=1h&nodes=1&edges=1",
        "alerts",
        "alerts?state=active",
        "alerts?state=resolved&filter=192.0.2.66",
        "health",
        "search?q=",
        "search?q=port:",
        "flows?limit=0",
        "flows?filter=color:red",
        "history?range=all",
        "health?x=1",
    ];
    let answers: Vec<(String, u16, Value)> = tables
        .chain(others.map(str::to_owned))
        .map(|resource| {
            let answer = ask(&exporter, &resource, &[]);
            let body = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{resource}: {error}"));
            (resource, answer.status, body)
        })
        .collect();
    assert_eq!(complaints(&answers), "");
    // The check is not blind.
    let wrong = [("flows".to_owned(), 200, json!({"rows": []})), ("health".to_owned(), 400, json!({"error": 7}))];
    assert_eq!(complaints(&wrong).lines().filter(|line| line.contains("is not of type 'string'")).count(), 1);
    assert!(complaints(&wrong).contains("'total_rows' is a required property"));
}

#[test]
fn description_has_every_path_with_its_parameters() {
    let text = std::fs::read_to_string(root().join("docs/openapi.yaml")).unwrap();
    let document: Value = serde_saphyr::from_str(&text).unwrap();
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, Resource::ALL.into_iter().map(Resource::path).collect());
    for resource in Resource::ALL {
        let parameters = document["paths"][resource.path()]["get"]["parameters"].as_array();
        let name = |parameter: &Value| match parameter["$ref"].as_str() {
            Some(reference) => document.pointer(&reference[1..]).unwrap()["name"].clone(),
            None => parameter["name"].clone(),
        };
        let names: Vec<Value> = parameters.into_iter().flatten().map(name).collect();
        assert_eq!(json!(names), json!(resource.parameters()), "{}", resource.path());
    }
}

#[test]
fn rows_and_other_of_each_range_are_its_traffic() {
    let exporter = serving();
    // Packets of HOST and SERVER, each of the same length, beside the other ones.
    for (range, requests, answers) in [("live", 11, 10), ("5m", 12, 11), ("1h", 13, 11), ("all", 13, 11)] {
        let flows = json(&exporter, &format!("flows?range={range}&filter=port:443+protocol:tcp"));
        let of = |direction: &str| {
            let rows = flows["rows"].as_array().unwrap().iter().filter(|row| row["direction"] == direction);
            rows.map(|row| row["bytes"].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!([of("outgoing"), of("incoming")], [requests * PACKET_BYTES, answers * PACKET_BYTES], "{range}");
        let all = json(&exporter, &format!("flows?range={range}"));
        for table in TABLES.into_iter().filter(|table| !matches!(*table, "hosts" | "devices")) {
            let of_table = json(&exporter, &format!("{table}?range={range}"));
            assert_eq!(sum(&of_table["rows"], "bytes"), sum(&all["rows"], "bytes"), "{table} {range}");
            assert_eq!((&of_table["other"], &of_table["range"]), (&all["other"], &json!(range)));
        }
    }
    let snapshot = json(&exporter, "snapshot");
    let totals: u64 = snapshot["totals"].as_object().unwrap().values().map(|sum| sum["bytes"].as_u64().unwrap()).sum();
    let all = json(&exporter, "flows?range=all&limit=10000");
    assert_eq!(sum(&all["rows"], "bytes") + all["other"]["bytes"].as_u64().unwrap(), totals);
    assert_eq!((&snapshot["mode"], &snapshot["interfaces"]), (&json!("file"), &json!(["office.pcap"])));
}

/// Bytes of a series: rates times the length of a cell. The last cell has the last second alone.
fn bytes_of(history: &Value, series: &str) -> f64 {
    let step = history["step_seconds"].as_f64().unwrap();
    let rates: Vec<f64> =
        history.pointer(series).unwrap().as_array().unwrap().iter().map(|rate| rate.as_f64().unwrap()).collect();
    let (last, full) = rates.split_last().unwrap();
    assert_eq!(history["times"].as_array().unwrap().last(), Some(&json!(END)));
    full.iter().sum::<f64>() * step + last
}

#[test]
fn history_is_the_traffic_of_its_range_with_and_without_a_filter() {
    let exporter = serving();
    for (range, requests, step, filtered_step) in
        [("live", 11.0, 1.0, 1.0), ("5m", 12.0, 1.0, 10.0), ("1h", 13.0, 10.0, 60.0)]
    {
        let filter = "filter=10.0.0.5+protocol:tcp";
        let (whole, filtered) = (format!("history?range={range}"), format!("history?range={range}&{filter}"));
        let (whole, filtered) = (json(&exporter, &whole), json(&exporter, &filtered));
        assert_eq!((&whole["step_seconds"], &filtered["step_seconds"]), (&json!(step), &json!(filtered_step)));
        let lengths = ["times", "dropped"].map(|key| whole[key].as_array().unwrap().len());
        assert_eq!(lengths[0], lengths[1]);
        assert_eq!(whole["unlisted_bytes_per_second"], Value::Null);
        // The datagram over IPv6 goes out too.
        let (udp_bytes, requested) = (52.0, requests * PACKET_BYTES as f64);
        assert_eq!(bytes_of(&whole, "/bytes_per_second/outgoing").round(), requested + udp_bytes, "{range}");
        if filtered_step < 60.0 {
            assert_eq!(bytes_of(&filtered, "/bytes_per_second/outgoing").round(), requested, "{range}");
            assert_eq!(bytes_of(&filtered, "/bytes_per_second/transit"), 0.0);
        }
    }
    let hour = json(&exporter, "history?range=1h");
    assert_eq!(hour["step_seconds"], json!(10.0));
    assert_eq!(hour["alerts"][0]["source"], json!(SCANNER), "{}", hour["alerts"]);
}

#[test]
fn alert_of_a_scan_is_listed_with_its_life() {
    let exporter = serving();
    let alerts = json(&exporter, "alerts");
    let all: Vec<&Value> = ["active", "resolved"].iter().flat_map(|list| alerts[list].as_array().unwrap()).collect();
    let scan = all.iter().find(|alert| alert["kind"] == "host_scan").unwrap();
    assert_eq!((&scan["source"], &scan["unit"], &scan["limit"]), (&json!(SCANNER), &json!("hosts"), &json!(15.0)));
    let events: Vec<&str> =
        scan["timeline"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert!(events.starts_with(&["pending"]) && events.contains(&"firing") && events.contains(&"peak"), "{events:?}");
    assert_eq!(json(&exporter, "alerts?filter=10.0.0.5")["active"], json!([]));
}

#[test]
fn filters_select_the_flows_that_they_name() {
    let exporter = serving();
    for (filter, rows) in [
        ("10.0.0.6", 1),
        ("protocol:icmp", 1),
        ("fd00::/8", 1),
        ("direction:transit", 1),
        ("interface:office.pcap", 5),
        ("interface:eth0", 0),
        ("service:https", 3),
        ("domain", 1),
        ("-protocol:tcp+-protocol:udp", 1),
    ] {
        let flows = json(&exporter, &format!("flows?filter={filter}"));
        assert_eq!(flows["total_rows"], json!(rows), "{filter}: {flows}");
    }
}

#[test]
fn comma_separated_values_are_a_file_with_inert_cells() {
    let folder = tempfile::tempdir().unwrap();
    // The name of the file is the name of the interface.
    let hostile = "=cmd|' ,\"<script>.pcap";
    capture().write(folder.path(), hostile);
    let exporter = serving_file(folder.path(), hostile);
    let answer = ask(&exporter, "flows?format=csv&limit=3", &[]);
    assert!(answer.header("content-type").starts_with("text/csv"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"trafficmonitor-flows-live.csv\"");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("source,destination,protocol,port,service,reply,direction,interface,bytes,"));
    assert!(lines[1].contains(",\"'=cmd|' ,\"\"<script>.pcap\","), "{}", lines[1]);
    assert_eq!(json(&exporter, "snapshot")["interfaces"], json!([hostile]));
}

#[test]
fn chart_folds_the_hosts_below_chart_min_bytes_in_every_range() {
    let exporter = serving();
    // The default is 5 MB, and the capture has 20 kB.
    for range in RANGES {
        let graph = json(&exporter, &format!("graph?range={range}"));
        let hosts = json(&exporter, &format!("hosts?range={range}&limit=1"));
        assert_eq!(graph["min_bytes"], json!(5_000_000), "{range}");
        let nodes = graph["nodes"].as_array().unwrap();
        let (others, drawn): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node["is_other"] == true);
        let all = hosts["total_rows"].as_u64().unwrap();
        let folded: u64 = others.iter().map(|node| node["hosts"].as_u64().unwrap()).sum();
        // The heaviest few are drawn in any case.
        assert_eq!((drawn.len() as u64, folded), (all.min(15), all.saturating_sub(15)), "{range}: {graph}");
        assert_eq!(graph["folded"]["below_min_bytes"], json!(folded), "{range}");
    }
}

#[test]
fn chart_min_bytes_holds_without_detection_too() {
    let folder = tempfile::tempdir().unwrap();
    capture().write(folder.path(), "office.pcap");
    let options = ["-r", "office.pcap", "-promHTTP", "127.0.0.1:0", "--detect.enabled=false", "-ChartMinBytes", "7K"];
    let exporter = Exporter::spawn(program(options).current_dir(folder.path()), 1);
    exporter.is_ready();
    assert_eq!(json(&exporter, "snapshot")["chart_min_bytes"], json!(7_000));
    assert_eq!(json(&exporter, "graph")["min_bytes"], json!(7_000));
    let limits: Value = serde_json::from_str(&client::get(exporter.address(), "/capabilities")).unwrap();
    assert_eq!(limits["ChartMinBytes"], json!(7_000));
}

#[test]
fn answers_are_the_same_compressed() {
    let exporter = serving();
    for resource in ["flows", "history", "graph", "snapshot"] {
        let (plain, compressed) = (ask(&exporter, resource, &[]), ask(&exporter, resource, &["accept-encoding: gzip"]));
        assert_eq!((compressed.header("content-encoding"), compressed.header("vary")), ("gzip", "accept-encoding"));
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&compressed.bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.body, "{resource}");
    }
}

#[test]
fn known_answer_is_not_sent_again_but_never_after_a_restart() {
    let (one, other) = (serving(), serving());
    for resource in ["flows", "history?range=5m", "snapshot", "alerts"] {
        let answer = ask(&one, resource, &[]);
        let tag = answer.header("etag");
        assert!(tag.starts_with("W/\"") && answer.header("cache-control") == "no-cache", "{answer:?}");
        for known in [tag.to_owned(), format!("\"x\", {tag}"), "*".to_owned()] {
            let again = ask(&one, resource, &[&format!("if-none-match: {known}")]);
            assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", tag), "{resource} {known}");
        }
        assert_eq!(ask(&one, resource, &["if-none-match: \"x\""]).status, 200);
        assert_eq!(ask(&other, resource, &[&format!("if-none-match: {tag}")]).status, 200, "{resource}");
    }
}

#[test]
fn wrong_parameters_are_refused_in_a_sentence_that_names_them() {
    let exporter = serving();
    let long = format!("flows?filter={}", "a".repeat(2_000));
    for (resource, name) in [
        ("flows?limit=0", "limit"),
        ("flows?limit=10001", "limit"),
        ("flows?offset=-1", "offset"),
        ("flows?sort=process", "sort"),
        ("flows?order=up", "order"),
        ("flows?format=xml", "format"),
        ("flows?range=2h", "range"),
        ("flows?range=live&range=live", "range"),
        ("flows?filter=port:99999", "filter"),
        ("flows?filter=%ff%fe", "filter"),
        (long.as_str(), "filter"),
        ("flows?range=all&filter=interface:x", "filter"),
        ("flows?nodes=1", "‘nodes’"),
        ("history?range=all", "range"),
        ("graph?nodes=501", "nodes"),
        ("graph?edges=2001", "edges"),
        ("graph?min_bytes=x", "min_bytes"),
        ("alerts?state=gone", "state"),
        ("alerts?limit=1001", "limit"),
        ("search?limit=51", "limit"),
        ("snapshot?_=1", "‘_’"),
        ("events?x", "‘x’"),
        ("health?%00%1b[31m=1", "‘\\0\\u{1b}[31m’"),
    ] {
        let answer = ask(&exporter, resource, &[]);
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/json"), "{resource}");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(problem["error"].as_str().unwrap().starts_with(&format!("{name}: ")), "{resource}: {problem}");
    }
}

#[test]
fn paths_of_the_api_are_asked_for_as_other_pages_are() {
    let exporter = serving();
    for resource in Resource::ALL {
        let head = request(exporter.address(), "HEAD", resource.path());
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{resource:?}");
        let post = request(exporter.address(), "POST", resource.path());
        assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"), "{resource:?}");
        assert_eq!(head.header("x-content-type-options"), "nosniff");
    }
    for unknown in ["/api/v1/", "/api/v1/flow", "/api/v2/flows", "/api/v1/flows/"] {
        let answer = request(exporter.address(), "GET", unknown);
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"), "{unknown}");
    }
}

#[test]
fn client_of_http_1_0_is_answered() {
    let exporter = serving();
    let mut stream = client::connect(exporter.address());
    stream.write_all(b"GET /api/v1/flows HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK") || head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["total_rows"], json!(5));
}
