//! A host, a server, a service and a protocol with thousands of small flows are in the tables of each range with all of
//! their bytes, beside the flows that the history has no room for.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::*;

/// The crawler asks so many web servers a second; so many clients ask the server; so many hosts ask name servers.
const FLOWS: u32 = 700;
const SECONDS: u32 = 50;
const CRAWLER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
/// IP bytes of a packet without payload over TCP, and of a question over UDP.
const TCP_BYTES: u64 = 40;
const UDP_BYTES: u64 = 28;

fn serving_small_flows() -> Exporter {
    let of = |first: u32, number: u32| Ipv4Addr::from_bits(first + number);
    let mut file = Savefile::new(1);
    for second in 0..SECONDS {
        let time = END - SECONDS + second;
        file = file.frame_at(time, 0, &request_frame());
        for number in second * FLOWS..(second + 1) * FLOWS {
            let page = Ipv4::carrying(tcp(50_000, 443, ACK, b"")).between(CRAWLER, of(0xc612_0000, number));
            let login = Ipv4::carrying(tcp(50_000, 22, ACK, b"")).between(of(0xcb00_0000, number), HOST);
            let question =
                Ipv4::carrying(udp(50_000, 53, b"")).between(of(0x0a10_0000, number), of(0xc614_0000, number));
            for packet in [page, login, question] {
                file = file.frame_at(time, 1, &v4(packet));
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    file.frame_at(END, 0, &request_frame()).write(folder.path(), "small.pcap");
    serving_file(folder.path(), "small.pcap")
}

/// The row of a table in which `key` is `value`.
fn row<'a>(table: &'a Value, key: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    let mut rows = table["rows"].as_array().unwrap().iter().filter(|row| row[key] == value);
    let row = rows.next().unwrap_or_else(|| panic!("no {key} {value} in {table}"));
    assert_eq!(rows.next(), None, "{key} {value}");
    row
}

#[test]
fn hosts_services_and_protocols_with_thousands_of_small_flows_have_all_of_their_bytes() {
    let exporter = serving_small_flows();
    let flows = u64::from(FLOWS * SECONDS);
    let big = u64::from(SECONDS + 1) * PACKET_BYTES;
    let whole = flows * (2 * TCP_BYTES + UDP_BYTES) + big;
    for range in ["live", "5m", "1h"] {
        let table =
            |name: &str, filter: &str| json(&exporter, &format!("{name}?range={range}&limit=10000&filter={filter}"));
        let hosts = table("hosts", "");
        assert_eq!(row(&hosts, "address", CRAWLER.to_string())["sent_bytes"], flows * TCP_BYTES, "{range}");
        let server = row(&hosts, "address", HOST.to_string());
        assert_eq!(
            (&server["received_bytes"], &server["sent_bytes"]),
            (&(flows * TCP_BYTES).into(), &big.into()),
            "{range}"
        );
        let services = table("services", "");
        for (port, bytes) in [(22, flows * TCP_BYTES), (443, flows * TCP_BYTES + big), (53, flows * UDP_BYTES)] {
            assert_eq!(row(&services, "port", port)["bytes"], bytes, "port {port}, {range}");
        }
        let protocols = table("protocols", "");
        assert_eq!(row(&protocols, "protocol", "udp")["bytes"], flows * UDP_BYTES, "{range}");
        for name in ["flows", "pairs", "services", "protocols"] {
            let page = |offset: u32| table(name, &format!("&offset={offset}"));
            let rows: u64 = [0, 10_000, 20_000].map(|offset| sum(&page(offset)["rows"], "bytes")).iter().sum();
            assert_eq!(rows + page(0)["other"]["bytes"].as_u64().unwrap(), whole, "{name}, {range}");
        }
        // The flow with many bytes has its own row.
        let filter = format!("src:{HOST}");
        let own = table("flows", &filter);
        assert_eq!(row(&own, "destination", SERVER.to_string())["bytes"], big, "{range}");
        // What a filter cannot tell from a sum of flows is not in the rows, but in the rest.
        let asked = table("flows", "dst:198.18.0.5%20port:443");
        assert_eq!(
            (sum(&asked["rows"], "bytes") % TCP_BYTES, asked["other"]["bytes"].as_u64() > Some(0)),
            (0, true),
            "{range}"
        );
        // A sum of flows with remote hosts has no local address that no row has.
        assert_eq!(table("flows", "10.9.9.9%20port:443")["other"]["bytes"], 0, "{range}");
        let crawler = row(&hosts, "address", CRAWLER.to_string());
        assert_eq!(crawler["peers_is_lower_bound"], true, "{range}");
        let graph = json(&exporter, &format!("graph?range={range}&min_bytes=0"));
        let node = graph["nodes"].as_array().unwrap().iter().find(|node| node["address"] == CRAWLER.to_string());
        assert_eq!(node.map(|node| node["bytes"].as_u64()), Some(Some(flows * TCP_BYTES)), "{range}: {graph}");
        let history = json(&exporter, &format!("history?range={range}&filter=host:{CRAWLER}"));
        let rates = history["bytes_per_second"]["outgoing"].as_array().unwrap();
        assert!(
            rates.iter().any(|rate| rate.as_f64() >= Some((u64::from(FLOWS) * TCP_BYTES) as f64)),
            "{range}: {history}"
        );
    }
}
