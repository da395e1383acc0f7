//! Names of hosts and processes, for people. Takes the hosts and flows that are shown, and local files, tables of the
//! kernel and DNS; gives the known names, which readers load without a lock. Must not know packets, nor the pages.
//!
//! Names never reach labels of metrics, nor the detection. All sources are read on threads of this room. Only
//! [`dns`] sends packets, and only if it is switched on.

mod collector;
mod dns;
mod figures;
mod files;
mod hosts_file;
mod known;
mod leases;
mod places;
mod processes;
mod shown;
mod stop;
mod text;
mod vendors;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;

use collector::NameCollector;
use dns::ReverseDns;
pub use figures::{LookupResult, NameSource, NamesFigures};
pub use known::{HostName, HostNames, LocalProcess, LocalProcesses, ProcessEnds};
pub use shown::{ShownFlow, ShownTraffic};
use stop::StopSignal;

use crate::os::threads::{self, Needs};

/// The file with the servers of this host.
const RESOLVER_FILE: &str = "/etc/resolv.conf";
/// The file that says which rights this process has, and the bits in it that open files of other users' processes take
/// (capabilities(7)): CAP_DAC_READ_SEARCH to list them, CAP_SYS_PTRACE to see which they are.
const OWN_STATUS: &str = "/proc/self/status";
const SEE_ALL: u64 = 1 << 2 | 1 << 19;

/// Settings of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// True to ask DNS for the names of the shown hosts, which sends their addresses to the resolver.
    pub reverse_dns: bool,
    /// The server to ask; without it those of this host.
    pub resolver: Option<SocketAddr>,
    /// Files with leases of dnsmasq, ISC dhcpd or Kea.
    pub lease_files: Vec<PathBuf>,
    /// A file as `/etc/hosts`.
    pub hosts_file: Option<PathBuf>,
    /// True to read the Ethernet addresses of local devices from the kernel.
    pub neighbours: bool,
    /// A list of vendors; without it the one that the system has, if any.
    pub oui_file: Option<PathBuf>,
    /// A database of countries in MaxMind's format.
    pub country_file: Option<PathBuf>,
    /// A database of autonomous systems in MaxMind's format.
    pub asn_file: Option<PathBuf>,
    /// True to look for the processes of local sockets.
    pub processes: bool,
    /// The most hosts with names. At the limit the hosts with the most bytes have names.
    pub max_hosts: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reverse_dns: false,
            resolver: None,
            lease_files: Vec::new(),
            hosts_file: None,
            neighbours: true,
            oui_file: None,
            country_file: None,
            asn_file: None,
            processes: false,
            max_hosts: 8_192,
        }
    }
}

impl Config {
    /// The settings for the packets of a file. The neighbours and processes of this host say nothing about them.
    #[must_use]
    pub fn of_file(self) -> Self {
        Self { neighbours: false, processes: false, ..self }
    }

    /// True if no source is configured.
    pub fn is_off(&self) -> bool {
        let has_file = !self.lease_files.is_empty()
            || [&self.hosts_file, &self.country_file, &self.asn_file].into_iter().any(Option::is_some);
        !(self.reverse_dns || self.neighbours || self.processes || has_file)
    }

    /// The configured files that cannot be used now, in sentences. They are no fault of the configuration: a server may
    /// write them later, and names are found without them until then.
    pub fn faults_of_files(&self) -> Vec<String> {
        files::faults(self)
    }

    fn servers(&self) -> Vec<SocketAddr> {
        let of_host = || dns::servers(&std::fs::read_to_string(RESOLVER_FILE).unwrap_or_default());
        self.resolver.map_or_else(of_host, |server| vec![server])
    }
}

/// Reads the names that are known now. Clones share them; reading takes no lock.
#[derive(Debug, Clone, Default)]
pub struct NamesReader(Arc<ArcSwap<HostNames>>);

impl NamesReader {
    /// The names known now.
    pub fn current(&self) -> Arc<HostNames> {
        self.0.load_full()
    }

    /// The number of the names known now.
    pub fn number(&self) -> u64 {
        self.0.load().number
    }

    fn publish(&self, names: HostNames) {
        self.0.store(Arc::new(names));
    }
}

/// The threads that find names. They end when this is finished or dropped.
#[derive(Debug)]
pub struct Names {
    reader: NamesReader,
    figures: Arc<NamesFigures>,
    stop: Arc<StopSignal>,
    threads: Vec<JoinHandle<()>>,
}

impl Names {
    /// Starts to find names of the traffic that `shown` gives.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(config: &Config, shown: impl Fn() -> ShownTraffic + Send + 'static) -> io::Result<Self> {
        let mut names =
            Self { reader: NamesReader::default(), figures: Arc::default(), stop: Arc::default(), threads: Vec::new() };
        let dns = config.reverse_dns.then(|| Arc::new(ReverseDns::new(config.max_hosts)));
        if let Some(dns) = dns.clone() {
            let (servers, figures, stop) = (config.servers(), Arc::clone(&names.figures), Arc::clone(&names.stop));
            names.spawn("names-dns", Needs::Nothing, move || dns.run(servers, &figures, &stop))?;
        }
        let needs = if config.processes { Needs::OtherProcesses } else { Needs::Nothing };
        let mut collector = NameCollector::new(config, dns, Arc::clone(&names.figures));
        let (reader, stop) = (names.reader.clone(), Arc::clone(&names.stop));
        names.spawn("names", needs, move || collector.run(shown, &reader, &stop))?;
        Ok(names)
    }

    fn spawn(&mut self, name: &str, needs: Needs, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(threads::spawn(name, needs, body)?);
        Ok(())
    }

    /// The reader of the known names.
    pub fn reader(&self) -> NamesReader {
        self.reader.clone()
    }

    /// The figures.
    pub fn figures(&self) -> Arc<NamesFigures> {
        Arc::clone(&self.figures)
    }
}

/// Ends the threads and waits for them. None works for longer than a fraction of a second at a time.
impl Drop for Names {
    fn drop(&mut self) {
        self.stop.raise();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread for names panicked");
            }
        }
    }
}

/// True if this process may see the open files of other users' processes.
pub fn sees_all_processes() -> bool {
    let status = std::fs::read_to_string(OWN_STATUS).unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let rights = effective.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok());
    rights.is_some_and(|rights| rights & SEE_ALL == SEE_ALL)
}

#[cfg(test)]
mod tests;
