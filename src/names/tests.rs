//! All sources together, and the databases of places.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::places::{PlaceDatabase, PlaceRecord, Places};
use super::*;
use crate::packet::Protocol;

/// Writes small databases in MaxMind's format (maxmind.github.io/MaxMind-DB), for IPv4, with records of 24 bits.
mod database {
    use std::net::Ipv4Addr;

    /// A value of a record.
    pub(super) enum Value {
        Text(&'static str),
        Number(u32),
        Short(u16),
        Long(u64),
        NoArray,
        Map(Vec<(&'static str, Value)>),
    }

    fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
        assert!(size < 285);
        match size {
            0..29 => out.push(kind << 5 | size as u8),
            _ => out.extend([kind << 5 | 29, (size - 29) as u8]),
        }
    }

    fn write(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Text(text) => {
                control(2, text.len(), out);
                out.extend(text.as_bytes());
            }
            Value::Number(number) => {
                control(6, 4, out);
                out.extend(number.to_be_bytes());
            }
            Value::Short(number) => {
                control(5, 2, out);
                out.extend(number.to_be_bytes());
            }
            // Types past 7 follow in a byte of their own, less 7.
            Value::Long(number) => {
                out.extend([8, 9 - 7]);
                out.extend(number.to_be_bytes());
            }
            Value::NoArray => out.extend([0, 11 - 7]),
            Value::Map(entries) => {
                control(7, entries.len(), out);
                for (key, value) in entries {
                    write(&Value::Text(key), out);
                    write(value, out);
                }
            }
        }
    }

    /// A database with one record for each address.
    pub(super) fn of(records: &[(Ipv4Addr, Value)]) -> Vec<u8> {
        const EMPTY: usize = usize::MAX;
        // Each node has a child for 0 and for 1: a node, or the offset of data past all nodes.
        let (mut nodes, mut data) = (vec![[EMPTY; 2]], Vec::new());
        let mut leaves = Vec::new();
        for (address, value) in records {
            let (bits, mut node) = (u32::from(*address), 0);
            for bit in (1..32).rev() {
                let side = (bits >> bit & 1) as usize;
                if nodes[node][side] == EMPTY {
                    nodes[node][side] = nodes.len();
                    nodes.push([EMPTY; 2]);
                }
                node = nodes[node][side];
            }
            leaves.push((node, (bits & 1) as usize, data.len()));
            write(value, &mut data);
        }
        let count = nodes.len();
        leaves.iter().for_each(|&(node, side, offset)| nodes[node][side] = count + 16 + offset);
        let mut file = Vec::new();
        for child in nodes.iter().flatten() {
            let child = if *child == EMPTY { count } else { *child };
            file.extend(&(child as u32).to_be_bytes()[1..]);
        }
        file.extend([0; 16]);
        file.extend(data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        write(
            &Value::Map(vec![
                ("binary_format_major_version", Value::Short(2)),
                ("binary_format_minor_version", Value::Short(0)),
                ("build_epoch", Value::Long(1)),
                ("database_type", Value::Text("Test")),
                ("description", Value::Map(Vec::new())),
                ("languages", Value::NoArray),
                ("ip_version", Value::Short(4)),
                ("node_count", Value::Number(count as u32)),
                ("record_size", Value::Short(24)),
            ]),
            &mut file,
        );
        file
    }
}
use database::Value;

fn country(code: &'static str) -> Value {
    Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text(code))]))])
}

fn system(number: u32, name: &'static str) -> Value {
    let fields = vec![
        ("autonomous_system_number", Value::Number(number)),
        ("autonomous_system_organization", Value::Text(name)),
    ];
    Value::Map(fields)
}

fn place(country: Option<&str>, asn: Option<u32>, organisation: Option<&str>) -> PlaceRecord {
    PlaceRecord { country: country.map(Into::into), asn, organisation: organisation.map(Into::into) }
}

#[test]
fn places_come_from_the_databases_of_each_vendor() {
    let [one, two, three] = [[192, 0, 2, 1], [192, 0, 2, 2], [198, 51, 100, 3]].map(Ipv4Addr::from);
    let of_ipinfo = || {
        Value::Map(vec![("country", Value::Text("FR")), ("asn", Value::Text("AS64500")), ("name", Value::Text("Éx"))])
    };
    let registered = Value::Map(vec![("registered_country", Value::Map(vec![("iso_code", Value::Text("JP"))]))]);
    let parse = |records: &[(Ipv4Addr, Value)]| PlaceDatabase::parse(database::of(records)).unwrap();
    let mut places = Places::default();
    places.countries = Some(parse(&[(one, country("DE")), (two, of_ipinfo()), (three, registered)]));
    places.systems = Some(parse(&[(one, system(64_496, "Example\u{1b}[31m")), (two, of_ipinfo())]));
    assert_eq!(places.of(one.into()), (place(Some("DE"), Some(64_496), Some("Example\u{fffd}[31m")), true));
    assert!(!places.of(one.into()).1, "kept");
    assert_eq!(places.of(two.into()).0, place(Some("FR"), Some(64_500), Some("Éx")));
    assert_eq!(places.of(three.into()).0, place(Some("JP"), None, None));
    assert_eq!(places.of([203, 0, 113, 1].into()).0, PlaceRecord::default());
    assert_eq!(places.of("2001:db8::1".parse().unwrap()).0, PlaceRecord::default(), "a database of IPv4");
}

#[test]
fn broken_databases_are_refused_or_give_nothing() {
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let whole = database::of(&[(address, country("DE"))]);
    for file in
        [Vec::new(), b"\xab\xcd\xefMaxMind.com".to_vec(), vec![0xff; 100_000], whole[..whole.len() - 9].to_vec()]
    {
        assert!(PlaceDatabase::parse(file).is_err());
    }
    // No changed byte is worth more than a missing record.
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        if let Ok(database) = PlaceDatabase::parse(changed) {
            let mut places = Places::default();
            places.countries = Some(database);
            places.of(address.into());
        }
    }
}

// ---- All sources together ------------------------------------------------------------------------------------------------

use std::net::Ipv4Addr;

fn quiet() -> Config {
    Config { neighbours: false, ..Config::default() }
}

fn shown(hosts: &[&str]) -> ShownTraffic {
    ShownTraffic { hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(), flows: Vec::new() }
}

fn collector(config: &Config) -> (NameCollector, Arc<NamesFigures>) {
    let figures = Arc::new(NamesFigures::default());
    (NameCollector::new(config, None, Arc::clone(&figures)), figures)
}

fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    // Another file each time, as a server that replaces its file does.
    let other = folder.join("new");
    std::fs::write(&other, bytes).unwrap();
    std::fs::rename(other, &path).unwrap();
    path
}

#[test]
fn all_local_sources_name_a_host_and_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| written(folder.path(), name, text);
    let leases = file("leases", b"0 00:1b:c5:00:00:01 192.0.2.1 nas *\n0 06:00:00:00:00:01 192.0.2.2 phone *\n");
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let config = Config {
        lease_files: vec![leases],
        hosts_file: Some(file("hosts", b"192.0.2.1 nas.example\n")),
        oui_file: Some(file("manuf", b"00:1B:C5\tIEEE\tIEEE Inc\n")),
        country_file: Some(file("country", &database::of(&[(address, country("DE"))]))),
        asn_file: Some(file("asn", &database::of(&[(address, system(64_496, "Example"))]))),
        ..quiet()
    };
    assert!(!config.is_off() && config.faults_of_files().is_empty());
    let (mut collector, figures) = collector(&config);
    let traffic = shown(&["192.0.2.1", "198.51.100.1"]);
    let names = collector.pass(&traffic).unwrap();
    let text = |text: &str| Some(text.into());
    let expected = HostName {
        dns: text("nas.example"),
        dhcp: text("nas"),
        vendor: text("IEEE Inc"),
        mac: text("00:1b:c5:00:00:01"),
        country: text("DE"),
        asn: Some(64_496),
        organisation: text("Example"),
    };
    assert_eq!(names.host(address.into()), Some(&expected));
    assert_eq!(names.best(address.into()), Some("nas"));
    let phone = names.host([192, 0, 2, 2].into()).unwrap();
    assert_eq!((phone.dhcp.as_deref(), phone.vendor.as_deref()), (Some("phone"), Some(vendors::RANDOM)));
    assert_eq!(names.host([198, 51, 100, 1].into()), None);
    assert_eq!(figures.lookups(NameSource::Country, LookupResult::Found), 1);
    assert!(figures.memory_bytes() > 0 && figures.entries(NameSource::Leases) == 2);

    assert!(collector.pass(&traffic).is_none(), "nothing has changed");
    file("leases", b"0 00:1b:c5:00:00:01 192.0.2.1 box *\n");
    file("country", &database::of(&[(address, country("FR"))]));
    let renewed = collector.pass(&traffic).unwrap();
    assert!(renewed.number > names.number);
    let host = renewed.host(address.into()).unwrap();
    assert_eq!((host.dhcp.as_deref(), host.country.as_deref()), (Some("box"), Some("FR")));
    assert_eq!(renewed.host([192, 0, 2, 2].into()), None, "its lease is gone");

    file("country", b"no database");
    std::fs::remove_file(folder.path().join("leases")).unwrap();
    assert!(collector.pass(&traffic).is_none(), "the last contents stay");
    assert!(figures.lookups(NameSource::Country, LookupResult::Failed) > 0);
    assert!(figures.lookups(NameSource::Leases, LookupResult::Failed) > 0);
}

#[test]
fn hosts_with_names_are_bounded_and_shown_ones_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let line = |number: u32| format!("10.{}.{}.1 h{number}\n", number >> 8, number & 255);
    let hosts: String = (0..20_000).map(line).collect();
    let config = Config { hosts_file: Some(written(folder.path(), "hosts", hosts)), max_hosts: 100, ..quiet() };
    let (mut collector, _) = collector(&config);
    let names = collector.pass(&shown(&["10.78.31.1", "10.0.0.1", "10.0.0.1"])).unwrap();
    assert_eq!(names.hosts.len(), 100);
    assert_eq!(names.best([10, 78, 31, 1].into()), Some("h19999"));
    assert_eq!(names.best([10, 0, 0, 1].into()), Some("h0"));
}

#[test]
fn huge_and_hostile_files_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = |name: &str| written(folder.path(), name, &noise);
    let config = Config {
        lease_files: vec![file("leases")],
        hosts_file: Some(file("hosts")),
        oui_file: Some(file("manuf")),
        country_file: Some(file("country")),
        asn_file: Some(file("asn")),
        ..quiet()
    };
    let (mut collector, figures) = collector(&config);
    drop(collector.pass(&shown(&["10.0.0.1"])));
    assert!(figures.memory_bytes() < 64 << 20, "{}", figures.memory_bytes());
}

#[test]
fn threads_publish_names_and_end_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = written(folder.path(), "hosts", "192.0.2.1 nas.example\n");
    let config = Config { hosts_file: Some(hosts), ..quiet() };
    let names = Names::start(&config, || shown(&["192.0.2.1"])).unwrap();
    let (reader, deadline) = (names.reader(), Instant::now() + Duration::from_secs(60));
    while reader.current().best([192, 0, 2, 1].into()).is_none() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(reader.number(), 1);
    let (asked, hung) = (Arc::clone(&names.stop), names.threads.len());
    drop(names);
    assert!(asked.is_raised() && hung == 1);
    assert_eq!(reader.current().best([192, 0, 2, 1].into()), Some("nas.example"), "the last names stay");
}

#[test]
fn nothing_is_on_for_a_file_by_default() {
    assert!(!Config::default().is_off(), "neighbours");
    assert!(Config::default().of_file().is_off());
    assert!(Config { processes: true, ..Config::default() }.of_file().is_off());
    assert!(!Config { reverse_dns: true, ..Config::default() }.of_file().is_off());
}

#[test]
fn flow_of_this_host_without_a_process_counts_as_missing_once() {
    let (mut collector, figures) = collector(&Config { processes: true, ..quiet() });
    let localhost = IpAddr::from([127, 0, 0, 1]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let flow = ShownFlow { client: localhost, server: localhost, protocol: Protocol::TCP, port };
    let shown = ShownTraffic { flows: vec![flow], ..ShownTraffic::default() };
    let missing = || figures.lookups(NameSource::Processes, LookupResult::Missing);
    assert_eq!(missing(), 0);
    for _ in 0..2 {
        collector.look_for_processes_now();
        drop(collector.pass(&shown));
        assert_eq!(missing(), 1);
    }
    assert_eq!(figures.lookups(NameSource::Processes, LookupResult::Found), 0);
    // It counts again once it was out of sight.
    for shown in [&ShownTraffic::default(), &shown] {
        collector.look_for_processes_now();
        drop(collector.pass(shown));
    }
    assert_eq!(missing(), 2);
}
