use super::*;
use crate::export::api::filter::FlowFilter;

/// The number of flows of the office that pass.
fn passing(filter: &str) -> usize {
    let mut office = office();
    office.name("10.0.0.5", HostName { dns: Some("NAS.lan".into()), ..HostName::default() });
    let living = HostName {
        mac: Some("02:00:00:00:00:06".into()),
        dhcp: Some("Living room TV/\"1\"".into()),
        ..HostName::default()
    };
    office.name("10.0.0.6", living);
    let query = format!("filter={}", filter.replace(' ', "+"));
    office.column(Resource::Flows, &query, "bytes").len()
}

#[test]
fn each_word_of_the_filter_language_selects_its_flows() {
    for (filter, count) in [
        ("", 5),
        ("10.0.0.5", 3),
        ("10.0.0.0/24", 4),
        ("10.0.0.77/24", 4),
        ("10.0.0", 4),
        ("-10.0.0.", 1),
        ("host:10.0", 4),
        ("2001:db8:", 1),
        ("host:10.0.0.6", 2),
        ("src:10.0.0.5", 2),
        ("dst:10.0.0.5", 1),
        ("dst:198.51.100.0/24", 2),
        ("fd00::/8", 1),
        ("2001:db8::9", 1),
        ("port:443", 3),
        ("service:HTTPS", 3),
        ("protocol:tcp", 5),
        ("protocol:6", 5),
        ("PROTOCOL:UDP", 0),
        ("direction:local", 1),
        ("mac:02-00-00-00-00-06", 2),
        ("nas", 3),
        ("NAS.l", 3),
        ("ssh", 1),
        ("tcp", 5),
        ("nothing", 0),
        ("-port:443", 2),
        ("!port:443", 2),
        ("--x", 5),
        ("\"nas\"", 3),
        ("\"living%20room\"", 2),
        ("-\"LIVING%20ROOM\"", 3),
        ("\"tv/\\\"1\\\"\"", 2),
        ("room%20living", 2),
        ("\"room%20living\"", 0),
        ("\"10.0.0.5\"", 0),
        ("\"10.0.0.300\"", 0),
        ("\"port:443\"", 0),
        ("host:\"10.0.0.6\"", 2),
        ("!port:\"443\"", 2),
        ("10.0.0.5 port:443", 2),
        ("10.0.0.5 -direction:incoming -port:22", 1),
    ] {
        assert_eq!(passing(filter), count, "{filter:?}");
    }
}

#[test]
fn words_without_meaning_are_refused_in_a_sentence() {
    let many = vec!["a"; 33].join("+");
    for (filter, message) in [
        ("host:nas", "filter: host:nas is not an address or network such as 10.0.0.5 or 10.0.0.0/8"),
        ("src:10.0.0.0/33", "filter: src:10.0.0.0/33 is not an address or network such as 10.0.0.5 or 10.0.0.0/8"),
        ("10.0.0.0/33", "filter: ‘10.0.0.0/33’ is not a network such as 10.0.0.0/8"),
        ("port:0", "filter: port:0 is not a port from 1 to 65535"),
        ("port:65536", "filter: port:65536 is not a port from 1 to 65535"),
        ("port:", "filter: ‘port:’ has no value"),
        ("protocol:256", "filter: protocol:256 is not a protocol such as tcp, udp or 47"),
        ("interface:\"a%20b", "filter: ‘interface:\"a b’ has no closing quote"),
        ("\"a\"b", "filter: ‘\"a\"b’ goes on behind its closing quote; write a blank there"),
        ("port:\"\"", "filter: ‘port:\"\"’ has no value"),
        ("\"\"", "filter: ‘\"\"’ has no value"),
        ("direction:up", "filter: direction:up is not one of incoming, outgoing, local, transit"),
        ("10.0.0.300", "filter: ‘10.0.0.300’ is not an address; write it in double quotes if it is part of a name"),
        ("-1.2.3.4.5", "filter: ‘1.2.3.4.5’ is not an address; write it in double quotes if it is part of a name"),
        ("host:300.1", "filter: host:300.1 is not an address or network such as 10.0.0.5 or 10.0.0.0/8"),
        ("mac:zz", "filter: mac:zz is not a MAC address such as 02:00:00:00:00:05"),
        ("mac:02:00", "filter: mac:02:00 is not a MAC address such as 02:00:00:00:00:05"),
        ("-", "filter: ‘-’ negates nothing; write it before a word"),
        (many.as_str(), "filter: more than 32 words"),
    ] {
        assert_eq!(refusal(Resource::Flows, &format!("filter={filter}")), message);
    }
    let unknown = refusal(Resource::Flows, "filter=color:red");
    assert!(unknown.starts_with("filter: ‘color:red’ is neither an address nor begins with one of host:, src:"));
}

#[test]
fn interfaces_are_known_in_ranges_of_the_history_only() {
    let message = "filter: interface: needs a range; with range=all interfaces are not known";
    assert_eq!(refusal(Resource::Hosts, "range=all&filter=interface:eth0"), message);
    assert!(ApiRequest::parse(Resource::Hosts, "range=live&filter=interface:eth0").is_ok());
}

proptest::proptest! {
    #[test]
    fn any_filter_is_read_or_refused_in_one_printable_line(filter in "\\PC{0,60}|[a-z:/0-9. -]{0,60}") {
        if let Err(error) = FlowFilter::parse(&filter) {
            let message = error.to_string();
            proptest::prop_assert!(message.starts_with("filter: ") && !message.contains(char::is_control));
        }
    }
}
