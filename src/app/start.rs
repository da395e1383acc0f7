//! The start message: version, interfaces, filter, local networks, limits and the output of alerts; and a warning if
//! the metrics are open to other networks. Takes the configuration and the network; gives two log lines and a warning.
//! Must not start or change anything.

use std::fmt::Display;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use crate::capture::network::{Link, Network};
use crate::capture::{self, Selection, file_name, selection, shortened};
use crate::config::{Config, web_file};
use crate::detect;
use crate::events::log::EventLog;
use crate::export::units;
use crate::http::access::{WebAccess, WebFile};
use crate::kernel::{Daq, lockout};
use crate::notify::Notifier;
use crate::os::files::{PathUse, check_access};
use crate::pipeline;

/// Names and networks that a line holds at most; the others are counted.
const MOST_LISTED: usize = 8;

/// Checks that the source of packets exists, before any line about the start. Other errors show when it is opened.
pub(super) fn check_source(config: &Config) -> Result<(), pipeline::Error> {
    if config.source.is_some() {
        return check_source_file(config);
    }
    let network = Network::read().map_err(capture::Error::from)?;
    let capture = selection::as_they_stand(&network, &config.capture);
    Ok(selection::check_names(&network, &capture).map_err(capture::Error::from)?)
}

/// Checks that the file to read exists, if there is one.
pub(super) fn check_source_file(config: &Config) -> Result<(), pipeline::Error> {
    // Not opened: a named pipe is read from its beginning, once.
    match &config.source {
        Some(file) if file != Path::new("-") => {
            let metadata = file.metadata().map_err(|source| capture::Error::OpenFile { path: file.clone(), source });
            Ok(metadata.map(drop)?)
        }
        Some(_) | None => Ok(()),
    }
}

/// A file or a directory that the configuration names and that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UnusableFile(String);

/// Checks the files and directories that the configuration names, before any line about the start. Creates the event
/// log.
pub(super) fn check_files(config: &Config) -> anyhow::Result<()> {
    inspect_files(config)?;
    Ok(EventLog::check(&config.events)?)
}

/// As [`check_files`], without creating or changing anything.
pub(super) fn inspect_files(config: &Config) -> Result<(), UnusableFile> {
    all_faults(config).into_iter().next().map_or(Ok(()), |fault| Err(UnusableFile(fault)))
}

/// All faults of the files and directories that the configuration names. Nothing is created or changed.
pub(super) fn all_faults(config: &Config) -> Vec<String> {
    let of_log = EventLog::inspect(&config.events).err().map(|error| error.to_string());
    let of_access = web_access(config).err().map(|UnusableFile(fault)| fault);
    faults_of_files(config).chain(of_access).chain(of_log).collect()
}

/// The access to the server, by the web configuration file if there is one.
pub(super) fn web_access(config: &Config) -> Result<WebAccess, UnusableFile> {
    let file = config.http.web_config_file.clone().map(|path| WebFile { path, parse: web_file::parse });
    WebAccess::new(file).map_err(UnusableFile)
}

/// The files and directories that another process keeps locked, in sentences. A start would be refused now. They are no
/// fault of the configuration: that process may be the one that is to be restarted.
pub(super) fn locked_files(config: &Config) -> anyhow::Result<Vec<String>> {
    let of_log = EventLog::locked_file(&config.events);
    let of_journal = Notifier::used_elsewhere(&config.notify)?;
    let sentence = |path: &Path| format!("{}: another process uses it; a start would be refused now", path.display());
    Ok(of_log.into_iter().chain(of_journal).map(sentence).collect())
}

/// The reason why a start would be refused now, because dropping would cut this host off. It is no fault of the
/// configuration: routes and sessions are of the moment.
pub(super) fn lockout(config: &Config) -> Option<String> {
    let refused = lockout::check(&config.kernel, config.policy.networks().as_ref()).err()?;
    Some(format!("{refused} (a start would be refused now)"))
}

/// The faults of secrets, certificates and directories to write in.
fn faults_of_files(config: &Config) -> impl Iterator<Item = String> + '_ {
    let evidence = &config.evidence;
    let of_log = evidence.packet_log.dir.as_ref().filter(|_| evidence.packet_log.is_on);
    let directories = [config.notify.state_dir.as_ref(), evidence.archive_dir.as_ref(), of_log];
    let of_directories = directories.into_iter().flatten().filter_map(|directory| fault_of_directory(directory));
    let receivers = config.notify.receivers.iter();
    let of_receivers = receivers
        .flat_map(|receiver| receiver.faults().into_iter().map(|fault| format!("receiver {}: {fault}", receiver.name)));
    of_receivers.chain(of_directories)
}

/// The reason why files cannot be made in a directory; none if they can.
fn fault_of_directory(directory: &Path) -> Option<String> {
    let name = directory.display();
    match directory.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some(format!("{name}: no such directory; create it with `mkdir -p -m 700 {name}`"))
        }
        Err(error) => Some(format!("{name}: cannot use the directory: {error}")),
        Ok(metadata) if !metadata.is_dir() => Some(format!("{name}: not a directory; name a directory")),
        Ok(_) => check_access(directory, PathUse::CreateIn).err().map(|error| {
            format!(
                "{name}: cannot write in this directory: {error}; name another one, or make it writable for this user"
            )
        }),
    }
}

/// Logs the start in two lines, and warns if the metrics are open to networks that they are about.
pub(super) fn say(config: &Config, version: &str, access: &WebAccess) {
    // A host whose network cannot be read captures nothing; the supervisor logs that.
    let network = Network::read().unwrap_or_default();
    let is_live = config.source.is_none();
    tracing::info!(
        version,
        daq = is_live.then(|| config.kernel.daq.word()),
        interfaces = origin(config, &network),
        filter = filter(config),
        local_networks = list(config.locality.networks.iter()),
        "trafficmonitor starts"
    );
    tracing::info!(
        flows = shown_of(config.account.max_series, config.account.max_flows),
        hosts = shown_of(config.account.max_host_series, config.account.max_hosts),
        bandwidth = bandwidth(&config.detect),
        scans = scans(&config.detect),
        alerts = alerts(config),
        "limits"
    );
    say_policy(config);
    for warning in warnings_of(config, &network, access) {
        tracing::warn!("{warning}");
    }
}

/// The warnings of a start about what is served to whom. A web configuration file that cannot be used has none.
pub(super) fn serving_warnings(config: &Config) -> Vec<String> {
    let network = Network::read().unwrap_or_default();
    web_access(config).map(|access| warnings_of(config, &network, &access)).unwrap_or_default()
}

fn warnings_of(config: &Config, network: &Network, access: &WebAccess) -> Vec<String> {
    let exposed = exposure(config, network).into_iter().chain(exposed_packets(config));
    let exposed = exposed.filter(|_| !access.is_authenticated());
    exposed.chain(access.warnings()).collect()
}

/// Logs the lists of permitted and denied networks, and warns of an IP version without any permitted network.
fn say_policy(config: &Config) {
    let Some(networks) = config.policy.networks() else { return };
    let (permitted, denied) = (networks.permitted(), networks.denied());
    let dropped = config.kernel.drops_packets;
    let others = if dropped { "dropped" } else { "logged" };
    let listed = |networks: &[IpNet]| if networks.is_empty() { "none".to_owned() } else { list(networks.iter()) };
    tracing::info!(permitted = listed(permitted), denied = listed(denied), others, "permitted networks");
    let has = |is_of_version: fn(&IpNet) -> bool| permitted.iter().any(is_of_version);
    let missing = match (has(|network| network.addr().is_ipv4()), has(|network| network.addr().is_ipv6())) {
        (true, false) => "IPv6",
        (false, true) => "IPv4",
        _ => return,
    };
    tracing::warn!("no {missing} network is permitted: packets of every {missing} source but this host are {others}");
}

/// The BPF filter in words. The kernel path has none.
fn filter(config: &Config) -> Option<String> {
    match config.capture.filter.as_deref() {
        Some(filter) => Some(shortened(filter)),
        None if config.kernel.daq == Daq::Libpcap => Some("none".to_owned()),
        None => None,
    }
}

fn origin(config: &Config, network: &Network) -> String {
    if let Some(file) = &config.source {
        return format!("none, reads {}", file_name(file));
    }
    let capture = selection::as_they_stand(network, &config.capture);
    let captured = || selection::captured(network, &capture).into_iter().filter_map(|index| network.link(index));
    match &capture.selection {
        Selection::Any => "any".to_owned(),
        Selection::Named(names) => list(names.iter()),
        Selection::All => match captured().count() {
            0 => "all (none is up)".to_owned(),
            _ => format!("all ({})", list(captured().map(|link| &link.name))),
        },
    }
}

fn alerts(config: &Config) -> String {
    if !config.detect.looks_for_something() {
        return "none (--detect.enabled=false)".to_owned();
    }
    let mut places = "on standard output, /metrics and /active".to_owned();
    if let Some(log) = &config.events.file {
        places += &format!("; in {}", file_name(log));
    }
    if !config.notify.receivers.is_empty() {
        places += &format!("; to {}", list(config.notify.receivers.iter().map(|receiver| &receiver.name)));
    }
    let evidence = &config.evidence;
    let of_log = evidence.packet_log.dir.as_ref().filter(|_| evidence.packet_log.is_on);
    let directories: Vec<_> = evidence.archive_dir.iter().chain(of_log).map(|directory| directory.display()).collect();
    if config.source.is_none() && !directories.is_empty() {
        places += &format!("; packets in {}", list(directories.iter()));
    }
    places
}

fn shown_of(shown: usize, held: usize) -> String {
    format!("{held}, {} as series", shown.min(held))
}

fn bandwidth(detect: &detect::Config) -> String {
    detect.bandwidth.as_ref().map_or_else(
        || "off".to_owned(),
        |bandwidth| format!("{} in {}", units::Units::Human.bytes(bandwidth.limit_bytes), seconds(bandwidth.interval)),
    )
}

/// Seconds as in the sentences of alerts.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn scans(detect: &detect::Config) -> String {
    let Some(scan) = &detect.scan else { return "off".to_owned() };
    let hosts = format!("{} hosts in {}", scan.contacted_ips, seconds(scan.interval));
    let ports = format!("{} ports in {}", scan.contacted_ports, seconds(scan.port_interval));
    match (scan.analyze_hosts, scan.analyze_ports) {
        (true, true) => format!("{hosts}, {ports}"),
        (true, false) => hosts,
        (false, true) => ports,
        (false, false) => "off".to_owned(),
    }
}

/// Comma-separated, the first few.
pub(super) fn list(items: impl Iterator<Item = impl Display>) -> String {
    let mut items: Vec<String> = items.map(|item| item.to_string()).collect();
    let more = items.len().saturating_sub(MOST_LISTED);
    items.truncate(MOST_LISTED);
    let listed = items.join(", ");
    if more > 0 { format!("{listed} and {more} more") } else { listed }
}

/// The warning where a gateway serves at all its addresses without authentication.
fn exposure(config: &Config, network: &Network) -> Option<String> {
    let address = config.http.listen.iter().find(|address| address.is_every_address())?;
    let links: Vec<&Link> = network.links.iter().filter(|link| link.up && !link.loopback && has_routes(link)).collect();
    if !network.forwarding || links.len() < 2 {
        return None;
    }
    let suggestion =
        inner_address(network, &links).map_or_else(|| "127.0.0.1".to_owned(), |address| address.to_string());
    Some(format!(
        "this host forwards packets between {}, and serves /metrics at all its addresses ({address}) without authentication: \
         every network that reaches it can read which addresses talk to each other; serve one address instead: \
         --web.listen-address {suggestion}:{}, or authenticate clients with --web.config.file",
        list(links.iter().map(|link| &link.name)),
        address.port
    ))
}

/// The warning where captured packets are served at all addresses.
fn exposed_packets(config: &Config) -> Option<String> {
    let is_kept = config.evidence.archive_dir.is_some() && config.source.is_none();
    let address = config.http.listen.iter().find(|address| address.is_every_address()).filter(|_| is_kept)?;
    Some(format!(
        "evidence files are served at all addresses of this host ({address}) without authentication, and they contain \
         packets; serve one address instead: --web.listen-address 127.0.0.1:{}, or authenticate clients with --web.config.file",
        address.port
    ))
}

/// True if other networks can reach the host by the link: it has an address that is not link-local.
fn has_routes(link: &Link) -> bool {
    link.addresses.iter().any(|network| match network.addr() {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    })
}

/// A private IPv4 address (RFC 1918) away from the default route.
fn inner_address(network: &Network, links: &[&Link]) -> Option<IpAddr> {
    let defaults = network.routes.iter().filter(|route| route.destination.prefix_len() == 0);
    let outer: Vec<u32> = defaults.flat_map(|route| route.interfaces.iter().copied()).collect();
    let inner = links.iter().filter(|link| !outer.contains(&link.index));
    inner
        .flat_map(|link| &link.addresses)
        .map(IpNet::addr)
        .find(|address| matches!(address, IpAddr::V4(v4) if v4.is_private()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::network::made::{link, network};

    fn gateway() -> Network {
        let links = vec![link(2, "wan0", &["198.51.100.2/24"]), link(3, "lan0", &["10.1.0.1/24"])];
        Network { forwarding: true, ..network(links, &[("0.0.0.0/0", &[2])]) }
    }

    fn served_at(addresses: &[&str]) -> Config {
        let mut config = Config::default();
        config.http.listen = addresses.iter().map(|address| address.parse().unwrap()).collect();
        config
    }

    #[test]
    fn address_of_the_internet_is_not_suggested() {
        let links = vec![link(2, "lan0", &["10.1.0.1/24"]), link(3, "wan0", &["198.51.100.2/24"])];
        let network = Network { forwarding: true, ..network(links, &[("0.0.0.0/0", &[2])]) };
        let warning = exposure(&served_at(&[":8888"]), &network).unwrap();
        assert!(warning.contains("--web.listen-address 127.0.0.1:8888, or authenticate"), "{warning}");
    }

    #[test]
    fn a_gateway_that_serves_all_its_addresses_is_warned_with_the_inner_one() {
        for address in [":8888", "0.0.0.0:8888", "[::]:8888"] {
            let warning = exposure(&served_at(&["127.0.0.1:1", address]), &gateway()).expect(address);
            assert!(warning.contains("between wan0, lan0"), "{warning}");
            assert!(warning.contains("--web.listen-address 10.1.0.1:8888, or authenticate"), "{warning}");
        }
    }

    #[test]
    fn one_address_or_a_host_that_forwards_nothing_is_no_reason_to_warn() {
        assert_eq!(exposure(&served_at(&["10.1.0.1:8888", "127.0.0.1:8888"]), &gateway()), None);
        let host = Network { forwarding: false, ..gateway() };
        assert_eq!(exposure(&served_at(&[":8888"]), &host), None);
        let [wan, _] = gateway().links.try_into().unwrap();
        let one = Network { links: vec![wan], ..gateway() };
        assert_eq!(exposure(&served_at(&[":8888"]), &one), None);
    }

    #[test]
    fn packets_served_at_all_addresses_are_warned_of() {
        let with = |addresses: &[&str], archive: Option<&str>| {
            let mut config = served_at(addresses);
            config.evidence.archive_dir = archive.map(Into::into);
            exposed_packets(&config)
        };
        let warning = with(&["127.0.0.1:1", ":8888"], Some("/archive")).unwrap();
        assert!(warning.contains("--web.listen-address 127.0.0.1:8888, or authenticate"), "{warning}");
        assert_eq!(with(&["127.0.0.1:8888"], Some("/archive")), None);
        assert_eq!(with(&[":8888"], None), None);
    }

    #[test]
    fn both_directories_with_packets_are_named() {
        let mut config = Config::default();
        config.evidence.packet_log.dir = Some("/log".into());
        assert_eq!(alerts(&config), "on standard output, /metrics and /active", "packets are not logged");
        config.evidence.archive_dir = Some("/archive".into());
        assert!(alerts(&config).ends_with("; packets in /archive"));
        config.evidence.packet_log.is_on = true;
        assert!(alerts(&config).ends_with("; packets in /archive, /log"));
        config.source = Some("a.pcap".into());
        assert!(alerts(&config).ends_with("/active"), "the file has them already");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(["a", "b"].iter()), "a, b");
        assert_eq!(list((0..10).map(|number| number.to_string())), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }

    #[test]
    fn filter_is_named_only_where_there_can_be_one() {
        let mut config = Config::default();
        assert_eq!(filter(&config).as_deref(), Some("none"));
        config.kernel.daq = Daq::Tc;
        assert_eq!(filter(&config), None);
        config.kernel.daq = Daq::Libpcap;
        config.capture.filter = Some("udp".to_owned());
        assert_eq!(filter(&config).as_deref(), Some("udp"));
    }

    #[test]
    fn captured_interfaces_are_named() {
        let mut config = Config::default();
        assert_eq!(origin(&config, &gateway()), "all (wan0, lan0)");
        assert_eq!(origin(&config, &Network::default()), "all (none is up)");
        config.capture.selection = Selection::Named(vec!["eth0".to_owned(), "eth1".to_owned()]);
        assert_eq!(origin(&config, &gateway()), "eth0, eth1");
        let mut with_comma = gateway();
        "eth0,eth1".clone_into(&mut with_comma.links[0].name);
        assert_eq!(origin(&config, &with_comma), "eth0,eth1");
        config.source = Some("a.pcap".into());
        assert_eq!(origin(&config, &gateway()), "none, reads a.pcap");
    }
}
