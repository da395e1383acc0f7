use serde_json::json;

use super::*;

#[test]
fn hosts_count_each_packet_once_at_either_end() {
    let office = office();
    let row = |address: &str| {
        let answer = office.json(Resource::Hosts, "range=all");
        let rows = answer["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["address"] == address).unwrap()
    };
    let (five, server) = (row("10.0.0.5"), row("198.51.100.9"));
    let figures = |row: &Value| {
        ["is_local", "sent_bytes", "received_bytes", "bytes", "packets", "peers"].map(|key| row[key].clone())
    };
    assert_eq!(figures(&five), [json!(true), json!(1_300), json!(5_000), json!(6_300), json!(3), json!(2)]);
    assert_eq!(figures(&server), [json!(false), json!(5_000), json!(500), json!(5_500), json!(3), json!(2)]);
    assert_eq!(five["bytes_per_second"], json!(630.0), "since the start, 10 s before");
    assert_eq!(
        (&five["first_seen"], &five["last_seen"]),
        (&json!("1970-01-01T00:00:01.000Z"), &json!("1970-01-01T00:00:05.000Z"))
    );
}

#[test]
fn host_that_talks_to_itself_counts_once() {
    let served = Served::with_flows(vec![flow("127.0.0.1", "127.0.0.1", 80, Direction::Local, 100)]);
    let row = &served.json(Resource::Hosts, "range=all")["rows"][0];
    let figures = ["sent_bytes", "received_bytes", "bytes", "packets", "peers"].map(|key| row[key].clone());
    assert_eq!(figures, [json!(100), json!(100), json!(100), json!(1), json!(1)]);
    let pair = &served.json(Resource::Pairs, "range=all")["rows"][0];
    assert_eq!([&pair["a_to_b_bytes"], &pair["b_to_a_bytes"], &pair["bytes"]], [&json!(100), &json!(0), &json!(100)]);
}

#[test]
fn addresses_of_one_interface_are_one_device() {
    let mut office = office();
    for address in ["10.0.0.5", "10.0.0.6"] {
        let names =
            HostName { mac: Some("02:00:00:00:00:05".into()), vendor: Some("Acme".into()), ..HostName::default() };
        office.name(address, names);
    }
    let answer = office.json(Resource::Devices, "range=all");
    let device = &answer["rows"][0];
    assert_eq!(answer["total_rows"], json!(2), "the third local address has a device of its own");
    assert_eq!(device["addresses"], json!(["10.0.0.5", "10.0.0.6"]));
    assert_eq!((&device["mac"], &device["vendor"]), (&json!("02:00:00:00:00:05"), &json!("Acme")));
    // Traffic between its own addresses counts once, and is both sent and received.
    let figures = ["sent_bytes", "received_bytes", "bytes", "peers"].map(|key| device[key].clone());
    assert_eq!(figures, [json!(1_500), json!(6_000), json!(6_500), json!(3)]);
}

#[test]
fn services_and_protocols_sum_flows() {
    let office = office();
    let services = office.json(Resource::Services, "range=all");
    let https = &services["rows"][0];
    assert_eq!(
        [&https["port"], &https["service"], &https["bytes"], &https["hosts"]],
        [&json!(443), &json!("https"), &json!(5_370), &json!(4)]
    );
    assert_eq!(office.column(Resource::Protocols, "", "bytes"), [json!(6_570)]);
}

#[test]
fn rows_and_other_are_all_traffic_whatever_the_filter() {
    let mut office = office();
    office.report.accounts.totals.traffic[Direction::Transit as usize][1].add(Counters { packets: 2, bytes: 30 });
    for query in ["range=all", "range=all&filter=port:22", "range=all&limit=1&offset=3"] {
        assert_eq!(office.json(Resource::Flows, query)["other"], json!({"bytes": 30, "packets": 2}), "{query}");
    }
}

#[test]
fn rows_are_sorted_by_any_column_and_cut_into_pages() {
    let mut office = office();
    office.name("10.0.0.6", HostName { dhcp: Some("printer".into()), ..HostName::default() });
    let addresses = |query: &str| {
        let addresses = office.column(Resource::Hosts, query, "address").into_iter();
        addresses.map(|address| address.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let by_bytes = ["10.0.0.5", "198.51.100.9", "10.0.0.6", "2001:db8::9", "fd00::5"];
    assert_eq!(addresses(""), by_bytes, "equal ones by address");
    assert_eq!(addresses("limit=2&offset=1"), by_bytes[1..3]);
    assert!(addresses("offset=5").is_empty());
    assert_eq!(addresses("sort=address&order=asc")[..2], ["10.0.0.5", "10.0.0.6"]);
    assert_eq!(addresses("sort=name")[0], "10.0.0.6");
    assert_eq!(addresses("sort=name&order=asc")[0], "10.0.0.6", "those without a name come last");
    let sums = office.json(Resource::Hosts, "range=all&limit=2");
    assert_eq!(sums["total_rows"], json!(5));
    for resource in
        [Resource::Flows, Resource::Hosts, Resource::Devices, Resource::Pairs, Resource::Services, Resource::Protocols]
    {
        let answer = office.json(resource, "range=all");
        for column in answer["rows"][0].as_object().unwrap().keys() {
            let query = format!("range=all&sort={column}&order=asc");
            let is_sortable = !matches!(column.as_str(), "names" | "process");
            assert_eq!(ApiRequest::parse(resource, &query).is_ok(), is_sortable, "{resource:?} {column}");
            if is_sortable {
                assert_eq!(office.json(resource, &query)["total_rows"], answer["total_rows"]);
            }
        }
    }
    assert!(refusal(Resource::Hosts, "sort=names").starts_with("sort: ‘names’ is not one of address, is_local"));
}

#[test]
fn comma_separated_values_have_the_columns_of_json_and_inert_cells() {
    let mut office = office();
    office.name(
        "10.0.0.5",
        HostName { dns: Some("=HYPERLINK(\"http://x\",\"y\")".into()), asn: Some(1), ..HostName::default() },
    );
    let text = office.text(Resource::Hosts, "range=all&format=csv&limit=1");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "address,is_local,name,name_dns,name_dhcp,name_vendor,name_mac,name_country,name_asn,name_organisation,\
         sent_bytes,received_bytes,bytes,packets,bytes_per_second,peers,peers_is_lower_bound,first_seen,\
         last_seen,alerts"
    );
    let name = "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"";
    let begin = format!("10.0.0.5,true,{name},{name},,,,,1,,1300,5000,6300,3,630,2,false,1970-01-01T00:00:01.000Z,");
    assert!(lines[1].starts_with(&begin), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
    let request = ApiRequest::parse(Resource::Hosts, "format=csv&range=5m").unwrap();
    assert_eq!(request.file_name().unwrap(), "trafficmonitor-hosts-5m.csv");
}

#[test]
fn process_of_a_flow_is_named_at_either_end() {
    let mut office = office();
    let ends = (ip("10.0.0.5"), ip("198.51.100.9"), Protocol::TCP, 443);
    office.process(ends, LocalProcess { pid: 7, name: "curl".into(), container: None });
    let processes = office.column(Resource::Flows, "filter=curl", "process");
    assert_eq!(processes, vec![json!({"pid": 7, "name": "curl", "container": null}); 2]);
}

/// A host that talks to groups, to broadcast addresses and to two hosts whose addresses end in 255, and a host without
/// an address.
fn groups() -> Served {
    let to = |destination: &str| flow("10.0.0.5", destination, 5353, Direction::Local, 100);
    let mut rows: Vec<_> =
        ["224.0.0.251", "255.255.255.255", "10.0.0.255", "10.0.3.63", "10.0.1.255", "10.0.2.255"].map(to).into();
    rows.push(flow("10.0.1.255", "10.0.0.5", 5353, Direction::Local, 100));
    rows.push(flow("0.0.0.0", "255.255.255.255", 67, Direction::Local, 100));
    rows.push(flow("fd00::5", "ff02::fb", 5353, Direction::Local, 100));
    let mut served = Served::with_flows(rows);
    served.name("10.0.2.255", HostName { mac: Some("02:00:00:00:00:07".into()), ..HostName::default() });
    served.names.broadcasts.insert(ip("10.0.3.63"));
    served
}

#[test]
fn groups_and_broadcast_addresses_are_neither_hosts_nor_devices() {
    let groups = groups();
    let hosts = ["10.0.0.5", "10.0.1.255", "10.0.2.255", "fd00::5"];
    assert_eq!(groups.column(Resource::Hosts, "sort=address&order=asc", "address"), hosts);
    let devices = groups.column(Resource::Devices, "sort=addresses&order=asc", "addresses");
    assert_eq!(devices, hosts.map(|host| json!([host])));
    assert_eq!(groups.column(Resource::Pairs, "", "bytes").len(), 8, "pairs have all traffic");
    let sent = &groups.column(Resource::Hosts, "filter=10.0.0.5", "sent_bytes")[0];
    assert_eq!(*sent, json!(600), "what a host sends to groups is its traffic");
}

#[test]
fn groups_are_marked_in_the_graph() {
    let nodes = groups().json(Resource::Graph, "range=all&min_bytes=0")["nodes"].clone();
    let nodes = nodes.as_array().unwrap().iter();
    let mut groups: Vec<_> = nodes
        .filter(|node| node["is_group"] == true)
        .map(|node| [&node["address"], &node["name"]].map(|text| text.as_str().unwrap().to_owned()))
        .collect();
    groups.sort_unstable();
    let expected = [
        ["0.0.0.0", "no address yet"],
        ["10.0.0.255", "broadcast"],
        ["10.0.3.63", "broadcast"],
        ["224.0.0.251", "multicast group"],
        ["255.255.255.255", "broadcast"],
        ["ff02::fb", "multicast group"],
    ];
    assert_eq!(groups, expected);
}
