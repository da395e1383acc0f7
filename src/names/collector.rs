//! The thread that brings all sources together. Takes the shown traffic and the sources; gives the known names, again and
//! again. Must not know readers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::dns::{ReverseDns, has_no_name};
use super::figures::{LookupResult, NameSource, NamesFigures};
use super::files;
use super::hosts_file;
use super::known::{HostName, HostNames, LocalProcess, LocalProcesses, ProcessEnds};
use super::leases::{self, Lease, Leases};
use super::places::{PlaceDatabase, Places};
use super::processes::{ProcessPass, Processes};
use super::shown::{ShownFlow, ShownTraffic};
use super::stop::StopSignal;
use super::text::mac_text;
use super::vendors::{self, Vendors};
use super::watched::WatchedFile;
use super::{Config, NamesReader};
use crate::capture::network::{Neighbours, own_addresses};

/// Time between two passes over all sources.
const PASS_INTERVAL: Duration = Duration::from_secs(2);
/// Time between two searches for processes.
const PROCESS_INTERVAL: Duration = Duration::from_secs(4);

/// All sources, as they were last read.
pub(super) struct NameCollector {
    config: Config,
    figures: Arc<NamesFigures>,
    leases: Vec<(WatchedFile, Leases)>,
    hosts_file: Option<WatchedFile>,
    hosts: HashMap<IpAddr, Box<str>>,
    neighbours: HashMap<IpAddr, [u8; 6]>,
    broadcasts: HashSet<IpAddr>,
    vendor_files: Vec<WatchedFile>,
    vendors: Vendors,
    country_file: Option<WatchedFile>,
    asn_file: Option<WatchedFile>,
    places: Places,
    dns: Option<Arc<ReverseDns>>,
    processes: Processes,
    processes_due: Instant,
    /// Flows whose result is counted, true if a process was found.
    counted_flows: HashSet<(ShownFlow, bool)>,
    last: HostNames,
}

impl NameCollector {
    pub(super) fn new(config: &Config, dns: Option<Arc<ReverseDns>>, figures: Arc<NamesFigures>) -> Self {
        let vendors = if config.neighbours || !config.lease_files.is_empty() {
            vendors::files(config.oui_file.as_deref())
        } else {
            Vec::new()
        };
        Self {
            config: config.clone(),
            figures,
            leases: config.lease_files.iter().map(|path| (files::leases(path), Leases::default())).collect(),
            hosts_file: config.hosts_file.as_ref().map(|path| files::hosts(path)),
            hosts: HashMap::new(),
            neighbours: HashMap::new(),
            broadcasts: HashSet::new(),
            vendor_files: vendors.iter().map(|path| files::vendors(path)).collect(),
            vendors: Vendors::default(),
            country_file: config.country_file.as_ref().map(|path| files::database(path)),
            asn_file: config.asn_file.as_ref().map(|path| files::database(path)),
            places: Places::default(),
            dns,
            processes: Processes::default(),
            processes_due: Instant::now(),
            counted_flows: HashSet::new(),
            last: HostNames::default(),
        }
    }

    /// Finds names until `stop` is raised.
    pub(super) fn run(&mut self, shown: impl Fn() -> ShownTraffic, reader: &NamesReader, stop: &StopSignal) {
        while !stop.is_raised() {
            if let Some(names) = self.pass(&shown()) {
                reader.publish(names);
            }
            stop.wait(PASS_INTERVAL);
        }
    }

    /// Reads what has changed; gives the names if they have changed.
    pub(super) fn pass(&mut self, shown: &ShownTraffic) -> Option<HostNames> {
        self.read_files();
        self.read_neighbours();
        if self.asks_for_vendors() {
            self.read_vendors();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let addresses = self.addresses(shown, now);
        let names = self.dns_names(&addresses);
        let hosts = self.hosts(&addresses, &names, now);
        let processes = self.find_processes(shown).map(LocalProcesses::from);
        let has_changed = hosts != self.last.hosts
            || self.broadcasts != self.last.broadcasts
            || processes.as_ref().is_some_and(|found| *found != self.last.processes);
        self.last.hosts = hosts;
        self.last.broadcasts.clone_from(&self.broadcasts);
        self.last.processes = processes.unwrap_or_else(|| std::mem::take(&mut self.last.processes));
        self.last.number += u64::from(has_changed);
        self.show_sizes();
        has_changed.then(|| self.last.clone())
    }

    /// The addresses to name: the shown ones, then those that sources know, each once and at most as many as configured.
    fn addresses(&self, shown: &ShownTraffic, now: u64) -> Vec<IpAddr> {
        let leased = self.leases.iter().flat_map(|(_, leases)| &leases.by_address);
        let leased = leased.filter(|(_, lease)| lease.is_valid(now)).map(|(address, _)| address);
        let known = leased.chain(self.neighbours.keys()).chain(self.hosts.keys());
        let (mut seen, most) = (HashSet::new(), self.config.max_hosts);
        shown.hosts.iter().chain(known).filter(|address| seen.insert(**address)).take(most).copied().collect()
    }

    // ---- Files -----------------------------------------------------------------------------------------------------------

    fn read_files(&mut self) {
        for (file, leases) in &mut self.leases {
            if let Some(bytes) = changed(file, NameSource::Leases, &self.figures) {
                *leases = leases::parse(&bytes);
                self.figures.count_refused(leases.refused);
            }
        }
        if let Some(bytes) = self.hosts_file.as_mut().and_then(|file| changed(file, NameSource::Hosts, &self.figures)) {
            let (hosts, refused) = hosts_file::parse(&bytes);
            self.hosts = hosts;
            self.figures.count_refused(refused);
        }
        let [country, asn] = [&mut self.country_file, &mut self.asn_file];
        let country = country.as_mut().and_then(|file| database(file, NameSource::Country, &self.figures));
        let asn = asn.as_mut().and_then(|file| database(file, NameSource::Asn, &self.figures));
        if country.is_some() || asn.is_some() {
            self.places.forget();
        }
        self.places.countries = country.or_else(|| self.places.countries.take());
        self.places.systems = asn.or_else(|| self.places.systems.take());
    }

    /// True if the lists of vendors are of use: one is configured, or there is an address that a vendor has assigned. A
    /// list takes some MiB.
    fn asks_for_vendors(&self) -> bool {
        let leased = self.leases.iter().flat_map(|(_, leases)| leases.by_address.values());
        let mut macs = leased.filter_map(|lease| lease.mac).chain(self.neighbours.values().copied());
        self.config.oui_file.is_some() || macs.any(vendors::is_assigned)
    }

    /// Reads all lists of vendors if one has changed.
    fn read_vendors(&mut self) {
        let figures = &self.figures;
        let mut contents: Vec<Option<Vec<u8>>> =
            self.vendor_files.iter_mut().map(|file| changed(file, NameSource::Vendors, figures)).collect();
        if contents.iter().all(Option::is_none) {
            return;
        }
        for (file, content) in self.vendor_files.iter_mut().zip(&mut contents) {
            if content.is_none() {
                *file = files::vendors(file.path());
                *content = changed(file, NameSource::Vendors, figures);
            }
        }
        self.vendors = Vendors::parse(contents.iter().flatten().map(Vec::as_slice));
        self.figures.count_refused(self.vendors.refused());
    }

    // ---- This host -------------------------------------------------------------------------------------------------------

    fn read_neighbours(&mut self) {
        if !self.config.neighbours {
            return;
        }
        match Neighbours::read() {
            Ok(neighbours) => {
                self.figures.count_refused(neighbours.refused);
                self.broadcasts = neighbours.broadcasts.into_iter().map(IpAddr::from).collect();
                let pairs = neighbours.entries.into_iter().map(|neighbour| (neighbour.address, neighbour.mac));
                self.neighbours = pairs.collect();
            }
            Err(error) => {
                self.figures.count(NameSource::Neighbours, LookupResult::Failed);
                tracing::debug!(%error, "the neighbours cannot be read");
            }
        }
    }

    /// Lets the next pass look for processes, however early it comes.
    #[cfg(test)]
    pub(super) fn look_for_processes_now(&mut self) {
        self.processes_due = Instant::now();
    }

    /// The processes of the shown flows; none if it is too early for another search.
    fn find_processes(&mut self, shown: &ShownTraffic) -> Option<HashMap<ProcessEnds, LocalProcess>> {
        if !self.config.processes || Instant::now() < self.processes_due {
            return None;
        }
        self.processes_due = Instant::now() + PROCESS_INTERVAL;
        let own = own_addresses().map(|addresses| addresses.into_iter().collect());
        match own.and_then(|own| self.processes.find(&shown.flows, &own)) {
            Ok(pass) => {
                self.figures.count_refused(pass.refused);
                self.count_flows(shown, &pass);
                Some(pass.processes)
            }
            Err(error) => {
                self.figures.count(NameSource::Processes, LookupResult::Failed);
                tracing::debug!(%error, "the sockets cannot be read");
                None
            }
        }
    }

    /// Counts each result of a flow once while it is shown. A flow without a process may get one later, and counts as
    /// found then. Flows of other hosts are not asked for.
    fn count_flows(&mut self, shown: &ShownTraffic, pass: &ProcessPass) {
        let all: HashSet<&ShownFlow> = shown.flows.iter().collect();
        self.counted_flows.retain(|(flow, _)| all.contains(flow));
        for flow in &shown.flows {
            if let Some(is_found) = pass.result(flow)
                && self.counted_flows.insert((*flow, is_found))
            {
                self.figures.count(NameSource::Processes, LookupResult::of(is_found));
            }
        }
    }

    // ---- Hosts -----------------------------------------------------------------------------------------------------------

    /// The names of DNS for `addresses`; asks for those that are missing.
    fn dns_names(&self, addresses: &[IpAddr]) -> HashMap<IpAddr, Box<str>> {
        let Some(dns) = &self.dns else { return HashMap::new() };
        let is_asked = |address: &IpAddr| !has_no_name(*address) && !self.hosts.contains_key(address);
        let wanted: Vec<IpAddr> = addresses.iter().copied().filter(is_asked).collect();
        let names = dns.names(wanted.iter().copied());
        dns.want(wanted);
        names
    }

    /// All that is known about `addresses`. Look-ups count once while an address is shown.
    fn hosts(&mut self, addresses: &[IpAddr], dns: &HashMap<IpAddr, Box<str>>, now: u64) -> HashMap<IpAddr, HostName> {
        let wanted: HashSet<&IpAddr> = addresses.iter().collect();
        self.places.retain(|address| wanted.contains(address));
        // Of most addresses nothing is known.
        let mut hosts = HashMap::new();
        for &address in addresses {
            let host = self.host(address, dns.get(&address).map(AsRef::as_ref), now);
            if host != HostName::default() {
                hosts.insert(address, host);
            }
        }
        hosts
    }

    fn host(&mut self, address: IpAddr, dns: Option<&str>, now: u64) -> HostName {
        let (place, is_new) = self.places.of(address);
        let lease = self.lease(address, now);
        let (leased_name, leased_mac) = (lease.and_then(|lease| lease.name.clone()), lease.and_then(|lease| lease.mac));
        let neighbour = self.neighbours.get(&address).copied();
        // A multicast MAC address is no device.
        let mac = neighbour.or(leased_mac).filter(|mac| mac[0] & 1 == 0);
        let hosts_name = self.hosts.get(&address);
        let vendor = mac.and_then(|mac| self.vendors.of(mac));
        if is_new {
            let has = [
                (NameSource::Leases, !self.leases.is_empty(), lease.is_some()),
                (NameSource::Hosts, self.hosts_file.is_some(), hosts_name.is_some()),
                (NameSource::Neighbours, self.config.neighbours, neighbour.is_some()),
                (NameSource::Vendors, mac.is_some() && !self.vendor_files.is_empty(), vendor.is_some()),
                (NameSource::Country, self.places.countries.is_some(), place.country.is_some()),
                (NameSource::Asn, self.places.systems.is_some(), place.asn.is_some()),
            ];
            let asked = has.into_iter().filter(|(_, is_asked, _)| *is_asked);
            asked.for_each(|(source, _, is_found)| self.figures.count(source, LookupResult::of(is_found)));
        }
        HostName {
            dns: hosts_name.map(AsRef::as_ref).or(dns).map(Into::into),
            dhcp: leased_name,
            vendor: vendor.map(Into::into),
            mac: mac.map(mac_text),
            country: place.country,
            asn: place.asn,
            organisation: place.organisation,
        }
    }

    /// The lease of an address, of the first file that has one.
    fn lease(&self, address: IpAddr, now: u64) -> Option<&Lease> {
        let mut leases = self.leases.iter().filter_map(|(_, leases)| leases.by_address.get(&address));
        leases.find(|lease| lease.is_valid(now))
    }

    fn show_sizes(&self) {
        let figures = &self.figures;
        let leases: usize = self.leases.iter().map(|(_, leases)| leases.by_address.len()).sum();
        let (cached, cache_bytes) = self.dns.as_ref().map_or((0, 0), |dns| dns.size());
        for (source, entries) in [
            (NameSource::Dns, cached),
            (NameSource::Leases, leases),
            (NameSource::Hosts, self.hosts.len()),
            (NameSource::Neighbours, self.neighbours.len()),
            (NameSource::Vendors, self.vendors.len()),
            (NameSource::Country, self.last.hosts.values().filter(|host| host.country.is_some()).count()),
            (NameSource::Asn, self.last.hosts.values().filter(|host| host.asn.is_some()).count()),
            (NameSource::Processes, self.last.processes.len()),
        ] {
            figures.set_entries(source, entries);
        }
        let of_files = leases * (size_of::<(IpAddr, Lease)>() + 16)
            + self.hosts.len() * (size_of::<(IpAddr, Box<str>)>() + 16)
            + self.neighbours.capacity() * size_of::<(IpAddr, [u8; 6])>();
        let of_host = self.vendors.memory_bytes() + self.places.memory_bytes() + self.processes.memory_bytes();
        // The names are here and with the readers.
        figures.set_memory_bytes(of_files + of_host + cache_bytes + 2 * self.last.memory_bytes());
    }
}

/// The bytes of a file that has changed. A file that cannot be read is counted.
fn changed(file: &mut WatchedFile, source: NameSource, figures: &NamesFigures) -> Option<Vec<u8>> {
    let read = file.read_if_changed()?;
    if read.is_err() {
        figures.count(source, LookupResult::Failed);
    }
    read.ok()
}

/// The database in a file that has changed. One that cannot be read leaves the earlier one in use.
fn database(file: &mut WatchedFile, source: NameSource, figures: &NamesFigures) -> Option<PlaceDatabase> {
    let parsed = PlaceDatabase::parse(changed(file, source, figures)?);
    if let Err(error) = &parsed {
        figures.count(source, LookupResult::Failed);
        file.refuse(&error.to_string());
    }
    parsed.ok()
}
