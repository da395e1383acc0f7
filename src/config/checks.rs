//! The checks of the whole configuration: contradictions between settings, and values that follow from several
//! settings.
//!
//! Takes the given values and the configuration with them; completes the configuration, or refuses it. Must not know
//! how a single value is parsed.

use tracing::Level;

use super::declaration::FileKey;
use super::kinds::ValueKind as _;
use super::kinds::keywords::{BOOLEAN, EVENT_FORMAT};
use super::kinds::numbers::BOUND;
use super::{Config, Error, Settings, delivery, kernel_path, memory, policy, trafficalerted};
use crate::alert::Exclusion;
use crate::capture::{Selection, file_name};
use crate::detect::anomaly::{self, Fence, Method};
use crate::detect::{bandwidth, scan};
use crate::events::log::EventFormat;
use crate::http::ListenAddress;

/// Refuses contradictions, and completes the values that follow from several settings.
pub(super) fn complete(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    check_interfaces(settings, config)?;
    if config.http.listen.is_empty() {
        return Err(refused(settings, ("http", "listen"), "no address to listen on; give one, such as :8888"));
    }
    if config.locality.networks.is_empty() {
        let place = settings.place(("locality", "networks"));
        config.notices.push(format!("{place}: the list is empty, so private networks are not local"));
    }
    policy::complete(settings, config)?;
    complete_detection(settings, config)?;
    delivery::complete(settings, config)?;
    complete_events(settings, config)?;
    config.alert.validate().map_err(|error| refused(settings, ("alert", "exclusions"), error))?;
    let account = &mut config.account;
    fit_exported(settings, "max_series", &mut account.max_series, account.max_flows, "flows")?;
    fit_exported(settings, "max_host_series", &mut account.max_host_series, account.max_hosts, "hosts")?;
    kernel_path::complete(settings, config)?;
    if settings.serves_trafficalerted {
        serve_port_of_trafficalerted(&mut config.http.listen);
    }
    memory::complete(settings, config)
}

/// Adds TrafficAlerted's port to each host that is served, unless that port is served anyway.
fn serve_port_of_trafficalerted(listen: &mut Vec<ListenAddress>) {
    if listen.iter().any(|address| address.port == trafficalerted::PORT) {
        return;
    }
    // A host that stands for others has the port for them.
    let every = listen.iter().find(|address| address.is_every_address());
    let is_local = listen.iter().any(|address| address.host.as_deref() == Some("localhost"));
    let is_covered = |host: &Option<String>| is_local && matches!(host.as_deref(), Some("127.0.0.1" | "::1"));
    let mut hosts: Vec<Option<String>> = match every {
        Some(every) => vec![every.host.clone()],
        None => listen.iter().map(|address| address.host.clone()).filter(|host| !is_covered(host)).collect(),
    };
    hosts.sort();
    hosts.dedup();
    listen.extend(hosts.into_iter().map(|host| ListenAddress { host, port: trafficalerted::PORT }));
}

fn refused(settings: &Settings, key: FileKey, problem: impl ToString) -> Error {
    Error::invalid(settings.place(key), problem.to_string())
}

/// Every format but that of the console needs a file. Verbose means the debug level, unless a level is given.
fn complete_events(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    let (format, file) = (("events", "format"), ("events", "file"));
    let name = EVENT_FORMAT.word(config.events.format);
    if config.events.is_verbose && !settings.gives(("log", "level")) {
        config.log.level = Level::DEBUG;
    }
    let Some(path) = &config.events.file else {
        let is_console = config.events.format == EventFormat::Console;
        let problem = format!("the format {name} needs a file; add --log-file FILE");
        return if is_console { Ok(()) } else { Err(refused(settings, format, problem)) };
    };
    let by_name = path.extension().and_then(|end| EVENT_FORMAT.parse(end.to_str()?).ok());
    if let (Some(by_name), false) = (by_name, settings.gives(format)) {
        let (place, word) = (settings.place(file), EVENT_FORMAT.word(by_name));
        config.notices.push(format!(
            "{place}: {} is written in the format {name}; add --log-format {word} if the name is meant",
            file_name(path)
        ));
    }
    Ok(())
}

/// `all` and `any` stand alone, and `any` has no promiscuous mode.
fn check_interfaces(settings: &Settings, config: &Config) -> Result<(), Error> {
    let interfaces = ("capture", "interfaces");
    let problem = match &config.capture.selection {
        Selection::Named(names) if names.is_empty() => "no interface given; name interfaces, or use all or any",
        Selection::Named(names) if names.iter().any(|name| name == "all") => {
            "all already includes every interface; remove either all or the names"
        }
        Selection::Named(names) if names.iter().any(|name| name == "any") => {
            "any already includes every interface and cannot be combined with others; remove either any or the names"
        }
        Selection::Any if config.capture.promiscuous => {
            let any = settings.place(interfaces);
            let problem = format!(
                "the interface any ({any}) has no promiscuous mode; name the interfaces to capture, or turn promiscuous mode off"
            );
            return Err(refused(settings, ("capture", "promiscuous"), problem));
        }
        _ => return Ok(()),
    };
    Err(refused(settings, interfaces, problem))
}

/// The number of entries that are exported cannot exceed the table. A number that was given must fit; the default is
/// lowered.
fn fit_exported(
    settings: &Settings,
    key: &'static str,
    exported: &mut usize,
    capacity: usize,
    what: &str,
) -> Result<(), Error> {
    let key = ("account", key);
    if *exported > capacity && settings.gives(key) {
        let problem =
            format!("cannot export {exported} {what} from a table of {capacity}; lower this or raise --max-{what}");
        return Err(refused(settings, key, problem));
    }
    *exported = capacity.min(*exported);
    Ok(())
}

/// Completes the detectors, and removes them if detection is switched off.
fn complete_detection(settings: &Settings, config: &mut Config) -> Result<(), Error> {
    let (no_destinations, chart_min_bytes) = (config.detect.no_destinations, config.detect.chart_min_bytes);
    if let Some(bandwidth) = &mut config.detect.bandwidth {
        *bandwidth = bandwidth::Config { chart_min_bytes, no_destinations, ..bandwidth.clone() };
        bandwidth.validate().map_err(|error| refused(settings, ("bandwidth", "networks"), error))?;
    }
    if let Some(scan) = &mut config.detect.scan {
        // A port that is excluded alone does not count as a contact.
        let exclusions = &config.alert.exclusions;
        let is_port_alone = |one: &&Exclusion| **one == Exclusion { port: one.port, ..Exclusion::default() };
        let excluded_ports = exclusions.iter().filter(is_port_alone).filter_map(|exclusion| exclusion.port).collect();
        let excluded_contacts = exclusions.iter().filter_map(Exclusion::contacts).collect();
        let analyze_hosts = scan.analyze_hosts && !no_destinations;
        *scan = scan::Config { analyze_hosts, excluded_ports, excluded_contacts, ..scan.clone() };
        fit_times(settings, scan)?;
    }
    if let Some(anomaly) = &mut config.detect.anomaly {
        let bound = |key| settings.value(("anomaly", key)).and_then(|given| BOUND.parse_given(given).ok());
        anomaly.criteria.fence = Fence::from_bounds(bound("lower_bound"), bound("upper_bound"))
            .map_err(|error| refused_anomaly(settings, &error))?;
        anomaly.validate().map_err(|error| refused_anomaly(settings, &error))?;
    }
    let is_off = settings.value(("detect", "enabled")).is_some_and(|given| BOOLEAN.parse_given(given) == Ok(false));
    if is_off {
        (config.detect.bandwidth, config.detect.scan, config.detect.anomaly) = (None, None, None);
        config.detect.policy = None;
    }
    if let Some(anomaly) = &config.detect.anomaly {
        config.notices.extend(notices(settings, anomaly));
    }
    Ok(())
}

/// Some times of scans cannot be shorter than others. A time that was given must fit; the default is raised.
fn fit_times(settings: &Settings, scan: &mut scan::Config) -> Result<(), Error> {
    let (timeout, window) = (scan.timeout, scan.interval.max(scan.port_interval));
    let to_timeout = ("the time in which a contact is answered", timeout, "--scan.timeout");
    let to_window = ("the longest window of scans", window, "--scan.interval and -PortInterval");
    for (key, time, (what, least, option)) in [
        ("use_timeout", &mut scan.use_timeout, to_timeout),
        ("echo_window", &mut scan.echo_window, to_timeout),
        ("memory", &mut scan.memory, to_window),
    ] {
        if *time < least && settings.gives(("scan", key)) {
            let [time, least] = [*time, least].map(humantime::format_duration);
            let problem = format!("{time} is shorter than {what} ({least}); raise this or lower {option}");
            return Err(refused(settings, ("scan", key), problem));
        }
        *time = least.max(*time);
    }
    Ok(())
}

/// The refusal of the setting that causes an error of the anomaly detector. If several could be the cause, it is the
/// first one that was given.
fn refused_anomaly(settings: &Settings, error: &anomaly::Error) -> Error {
    use anomaly::Error as Fault;
    let keys: &[&str] = match error {
        Fault::NoMethod | Fault::FenceWithoutBound => &["methods"],
        Fault::BoundNoNumber(_) | Fault::BoundsCross { .. } => {
            let given = ["lower_bound", "upper_bound"].map(|key| ("anomaly", key));
            let given = given.into_iter().filter(|key| settings.gives(*key)).map(|key| settings.place(key));
            return Error::invalid(given.collect::<Vec<_>>().join(", "), error.to_string());
        }
        Fault::UpperBoundNotPositive(_) => &["upper_bound"],
        Fault::NoActiveValue => &["active_size"],
        Fault::NoSeason => &["seasons"],
        Fault::CapacityTooSmall { .. } | Fault::CapacityTooLarge(_) => &["capacity", "active_size", "seasons"],
        Fault::Sensitivity(_) => &["sensitivity"],
        Fault::Threshold(_) => &["threshold"],
        Fault::TransferInterval(_) => &["transfer_interval"],
        Fault::Pairs(_) => &["max_pairs"],
        Fault::Permutations(_) => &[],
    };
    let mut keys = keys.iter().map(|key| ("anomaly", *key));
    refused(settings, keys.find(|key| settings.gives(*key)).unwrap_or_default(), error)
}

/// The notices about settings that have no effect.
fn notices(settings: &Settings, config: &anomaly::Config) -> Vec<String> {
    let (sensitivity, methods, network) =
        (("anomaly", "sensitivity"), ("anomaly", "methods"), ("anomaly", "filter_network"));
    let anomaly::Config { criteria, filter, alerts, .. } = config;
    let mut notices = Vec::new();
    if *alerts && criteria.methods.contains(Method::Magnitude) && !criteria.has_veto() {
        let sensitivity = if settings.gives(sensitivity) {
            format!("{}: a sensitivity of {}", settings.place(sensitivity), criteria.sensitivity)
        } else {
            format!("-anom_sensitivity {} (the default)", criteria.sensitivity)
        };
        notices.push(format!(
            "{sensitivity} is above any possible magnitude; the magnitude test will not suppress the others"
        ));
    }
    if *alerts && settings.gives(methods) && criteria.methods.contains(Method::Fence) && criteria.fence.is_none() {
        let place = settings.place(methods);
        notices.push(format!("{place}: the fence test has no bound and is skipped; give an upper bound"));
    }
    if settings.gives(network) && filter.network.prefix_len() > 0 && !filter.by_source && !filter.by_destination {
        notices.push(format!("{}: no effect without -filter_src or -filter_dst", settings.place(network)));
    }
    notices
}
