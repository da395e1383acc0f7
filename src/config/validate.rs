//! [`Settings`] → [`Config`]: the defaults of the rooms under what was given, and what only shows between settings.

mod detection;

use std::time::Duration;

use ipnet::IpNet;

use super::quantities::{Entries, IdleTimeout, ReadTimeout, Refresh, RingBytes, SnapLength, Workers};
use super::settings::{CaptureSettings, ExportSettings, LocalitySettings, LogSettings, Setting};
use super::value::List;
use super::values::InterfaceName;
use super::{Config, ConfigError, Log, Settings, trafficalerted};
use crate::capture::Selection;
use crate::{account, capture, export, http, locality, pipeline};

/// Packets held back longer would come later than the idle clock allows for.
const LONGEST_READ_TIMEOUT: Duration = Duration::from_millis(500);

impl Settings {
    /// Checks the settings against each other and fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for settings that contradict each other.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let selection = self.selection()?;
        self.refuse_promiscuous_any(&selection)?;
        self.refuse_listening_nowhere()?;
        let detect = detection::detect_config(&self)?;
        let alert = detection::alert_config(&self)?;
        let of_anomalies = detect.anomaly.iter().flat_map(|anomaly| detection::remarks(&self, anomaly));
        let notices = self.notices.iter().cloned().chain(self.remarks()).chain(of_anomalies).collect();
        let http = http_config(&self);
        let pipeline = pipeline::Config::default();
        let account = account_config(&self)?;
        Ok(Config {
            source: self.capture.pcap_file.value().cloned(),
            capture: capture_config(self.capture, selection),
            locality: locality_config(self.locality),
            account,
            detect,
            alert,
            explain: self.alert.explain.value().copied().unwrap_or_default(),
            export: export_config(self.export),
            http,
            pipeline: pipeline::Config {
                refresh: self.pipeline.refresh.into_value().map_or(pipeline.refresh, |Refresh(refresh)| refresh),
            },
            log: log_config(&self.log),
            notices,
        })
    }

    /// `all` and `any` stand alone; a name given twice counts once.
    fn selection(&self) -> Result<Selection, ConfigError> {
        let given = &self.capture.interfaces;
        let refused = |problem: &str| Err(ConfigError::invalid(self.place(given), problem));
        let Some(List(interfaces)) = given.value() else { return Ok(capture::Config::default().selection) };
        let names: Vec<_> = interfaces.iter().map(|InterfaceName(name)| name.clone()).collect();
        match without_repeats(&names).as_slice() {
            [] => refused("no interface given; name interfaces, or use all or any"),
            [one] if one == "all" => Ok(Selection::All),
            [one] if one == "any" => Ok(Selection::Any),
            names if names.iter().any(|name| name == "all") => {
                refused("all already includes every interface; remove either all or the names")
            }
            names if names.iter().any(|name| name == "any") => refused(
                "any already includes every interface and cannot be combined with others; remove either any or the names",
            ),
            names => Ok(Selection::Named(names.to_vec())),
        }
    }

    fn refuse_promiscuous_any(&self, selection: &Selection) -> Result<(), ConfigError> {
        let CaptureSettings { interfaces, promiscuous, .. } = &self.capture;
        if *selection != Selection::Any || promiscuous.value() != Some(&true) {
            return Ok(());
        }
        Err(ConfigError::invalid(
            self.place(promiscuous),
            format!(
                "the interface any ({}) has no promiscuous mode; name the interfaces to capture, or turn promiscuous mode off",
                self.place(interfaces)
            ),
        ))
    }

    fn refuse_listening_nowhere(&self) -> Result<(), ConfigError> {
        let listen = &self.http.listen;
        match listen.value() {
            Some(List(addresses)) if addresses.is_empty() => {
                Err(ConfigError::invalid(self.place(listen), "no address to listen on; give one, such as :8888"))
            }
            _ => Ok(()),
        }
    }

    /// What is taken otherwise than it was written.
    fn remarks(&self) -> impl Iterator<Item = String> {
        let timeout = self.capture.read_timeout.value().filter(|timeout| timeout.0 > LONGEST_READ_TIMEOUT);
        let timeout = timeout.map(|ReadTimeout(timeout)| {
            let (given, longest) =
                (humantime::format_duration(*timeout), humantime::format_duration(LONGEST_READ_TIMEOUT));
            format!("{}: a read timeout of {given} is capped at {longest}", self.place(&self.capture.read_timeout))
        });
        let networks = self.locality.networks.value().into_iter().flat_map(|List(networks)| networks);
        let host_bits = networks.filter(|network| network.trunc() != **network).map(|network| {
            format!("{}: {network} has host bits set; using {}", self.place(&self.locality.networks), network.trunc())
        });
        let snap_length = self.capture.snap_length.value().filter(|length| length.kept() < length.0);
        let snap_length = snap_length.map(|length| {
            let place = self.place(&self.capture.snap_length);
            format!("{place}: a snap length of {} is taken as {}", length.0, length.kept())
        });
        timeout.into_iter().chain(snap_length).chain(host_bits.collect::<Vec<_>>())
    }
}

/// Each value once, in the order of its first appearance.
fn without_repeats<T: PartialEq + Clone>(values: &[T]) -> Vec<T> {
    let first = |(place, value): &(usize, &T)| !values[..*place].contains(*value);
    values.iter().enumerate().filter(first).map(|(_, value)| value.clone()).collect()
}

fn capture_config(settings: CaptureSettings, selection: Selection) -> capture::Config {
    let default = capture::Config::default();
    capture::Config {
        selection,
        excluded: settings.excluded_interfaces.into_value().map_or(default.excluded, texts),
        filter: settings.filter.into_value().or(default.filter),
        promiscuous: settings.promiscuous.into_value().unwrap_or(default.promiscuous),
        snap_length: settings.snap_length.into_value().map_or(default.snap_length, SnapLength::kept),
        workers: settings.workers.into_value().map_or(default.workers, |Workers(workers)| workers),
        buffer_bytes: settings.buffer_size.into_value().map_or(default.buffer_bytes, |RingBytes(bytes)| bytes),
        read_timeout: settings
            .read_timeout
            .into_value()
            .map_or(default.read_timeout, |ReadTimeout(timeout)| timeout.min(LONGEST_READ_TIMEOUT)),
    }
}

fn texts(List(names): List<InterfaceName>) -> Vec<String> {
    names.into_iter().map(|InterfaceName(name)| name).collect()
}

fn locality_config(settings: LocalitySettings) -> locality::Config {
    let default = locality::Config::default();
    let networks = |List(networks): List<IpNet>| networks.iter().map(IpNet::trunc).collect();
    locality::Config {
        networks: settings.networks.into_value().map_or(default.networks, networks),
        own_addresses: settings.own_addresses.into_value().map_or(default.own_addresses, |List(addresses)| addresses),
    }
}

fn account_config(all: &Settings) -> Result<account::Config, ConfigError> {
    let settings = &all.account;
    let default = account::Config::default();
    let entries = |setting: &Setting<Entries>, default| setting.value().map_or(default, |&Entries(entries)| entries);
    let max_flows = entries(&settings.max_flows, default.max_flows);
    let max_hosts = entries(&settings.max_hosts, default.max_hosts);
    Ok(account::Config {
        flow_keying: settings.flow_key.value().copied().unwrap_or(default.flow_keying),
        max_flows,
        max_series: shown(all, &settings.max_series, default.max_series, max_flows, "flows")?,
        max_hosts,
        max_host_series: shown(all, &settings.max_host_series, default.max_host_series, max_hosts, "hosts")?,
        idle_timeout: settings.idle_timeout.value().map_or(default.idle_timeout, |IdleTimeout(timeout)| *timeout),
    })
}

/// How many are shown: those held at most. A number that was given must fit, the default is taken as it fits.
fn shown(
    all: &Settings,
    setting: &Setting<Entries>,
    default: usize,
    held: usize,
    what: &str,
) -> Result<usize, ConfigError> {
    match setting.value() {
        Some(&Entries(shown)) if shown > held => Err(ConfigError::invalid(
            all.place(setting),
            format!("cannot export {shown} {what} from a table of {held}; lower this or raise --max-{what}"),
        )),
        Some(&Entries(shown)) => Ok(shown),
        None => Ok(default.min(held)),
    }
}

fn export_config(settings: ExportSettings) -> export::Config {
    let default = export::Config::default();
    export::Config {
        seed_families: settings.seed_families.into_value().unwrap_or(default.seed_families),
        flow_packets: settings.flow_packets.into_value().unwrap_or(default.flow_packets),
        created: settings.created.into_value().unwrap_or(default.created),
    }
}

/// Where to serve; with TrafficAlerted's configuration also where it did, unless that port is served anyway.
fn http_config(settings: &Settings) -> http::Config {
    let default = http::Config::default().listen;
    let mut listen = settings.http.listen.value().map_or(default, |List(given)| without_repeats(given));
    if settings.serves_trafficalerted && listen.iter().all(|address| address.port != trafficalerted::PORT) {
        listen.push(http::ListenAddress { host: None, port: trafficalerted::PORT });
    }
    http::Config { listen }
}

fn log_config(settings: &LogSettings) -> Log {
    let default = Log::default();
    Log {
        level: settings.level.value().copied().unwrap_or(default.level),
        format: settings.format.value().copied().unwrap_or(default.format),
    }
}
