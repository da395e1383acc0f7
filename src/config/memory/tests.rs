//! Budgets fit into each limit, never fall when the limit grows, and are refused with the sum by part.

use proptest::prelude::*;

use super::*;
use crate::capture::Selection;
use crate::config::Config;
use crate::config::given::{Given, SettingOrigin};

const LEAST: u64 = if cfg!(debug_assertions) { 65 << 20 } else { 43 << 20 };

fn resident(bytes: u64) -> BudgetLimit<'static> {
    BudgetLimit { bytes, measure: Measure::Resident, running: None }
}

fn with_limit(limit: u64) -> Result<Config, Oversized> {
    let mut config = Config::default();
    resident(limit).fit(&mut config).map(|()| config)
}

/// The configuration with these settings.
fn given(settings: &[(FileKey, &str)]) -> Result<Config, Error> {
    let mut layer = Settings::default();
    for (key, value) in settings {
        layer.give_key(*key, Given::argument(*value, SettingOrigin::Option("--test".to_owned()))).unwrap();
    }
    layer.validate()
}

/// Every budget that a limit derives.
fn budgets(config: &Config) -> Vec<u64> {
    let bandwidth = config.detect.bandwidth.clone().unwrap();
    let (scan, anomaly) = (config.detect.scan.clone().unwrap(), config.detect.anomaly.unwrap());
    [
        config.account.max_flows,
        config.account.max_series,
        config.account.max_hosts,
        config.account.max_host_series,
        config.pipeline.interval_rows,
        config.capture.buffer_bytes as usize,
        config.capture.all_rings_bytes as usize,
        config.capture.most_handles,
        config.kernel.map_bytes as usize,
        bandwidth.max_addresses,
        bandwidth.max_cells,
        bandwidth.max_pairs,
        bandwidth.max_pair_cells,
        scan.max_sources,
        scan.max_contacts,
        scan.max_waiting,
        anomaly.max_pairs,
        config.policy.max_sources,
        config.policy.events.max_sources,
        config.alert.max_alerts,
        4 / config.history.divisor,
        config.events.queue_bytes,
        config.evidence.queue_bytes,
        config.names.max_hosts,
        config.http.most_connections,
    ]
    .map(|budget| budget as u64)
    .to_vec()
}

#[test]
fn smallest_limit_is_the_documented_one() {
    let refused = with_limit(1 << 20).unwrap_err();
    assert!(with_limit(refused.least_bytes).is_ok());
    assert!(with_limit(refused.least_bytes - (1 << 20)).is_err());
    assert_eq!(refused.least_bytes >> 20, LEAST >> 20, "docs/operating.md names it");
}

#[test]
fn large_limit_leaves_the_defaults() {
    let config = with_limit(16 << 30).unwrap();
    let expected = Config { capture: config.capture.clone(), ..Config::default() };
    assert_eq!(config.capture.buffer_bytes, Config::default().capture.buffer_bytes);
    assert_eq!(Config { kernel: expected.kernel.clone(), ..config }, expected);
}

#[test]
fn base_is_within_the_target() {
    let config = with_limit(16 << 30).unwrap();
    let base = parts(&config, Measure::Resident).into_iter().find(|part| part.name == "program").unwrap();
    assert!(base.bytes <= 48 << 20);
}

#[test]
fn given_budgets_stay_and_those_that_cannot_fit_are_refused_by_part() {
    let limit = (("memory", "limit"), "256MiB");
    let config = given(&[limit, (("account", "max_series"), "9000"), (("capture", "interfaces"), "eth0")]).unwrap();
    assert_eq!(config.account.max_series, 9_000);
    assert!((9_000..65_536).contains(&config.account.max_flows));
    let refused = given(&[limit, (("account", "max_flows"), "4000000")]).unwrap_err().to_string();
    assert!(refused.starts_with("--test: too little memory: with the smallest budgets"), "{refused}");
    assert!(refused.contains("(conversations 1312.0 MiB by --max-flows 4000000, "), "{refused}");
    assert!(refused.contains("flows 448.0 MiB by --max-flows 4000000"), "{refused}");
}

#[test]
fn evidence_ring_of_an_archive_is_derived() {
    let limit = (("memory", "limit"), "256MiB");
    let with = |more: &[(FileKey, &str)]| {
        given(&[&[limit, (("capture", "interfaces"), "eth0"), (("evidence", "archive_dir"), "/a")], more].concat())
    };
    let derived = with(&[]).unwrap().evidence.ring_bytes.unwrap();
    assert!((4 << 20..64 << 20).contains(&derived), "{derived}");
    assert_eq!(with(&[(("evidence", "ring"), "16MiB")]).unwrap().evidence.ring_bytes, Some(16 << 20));
    assert!(with(&[(("evidence", "ring"), "300MiB")]).unwrap_err().to_string().contains("evidence 3"));
}

#[test]
fn table_names_each_part_with_its_budget() {
    let config = given(&[(("memory", "limit"), "128MiB"), (("capture", "interfaces"), "eth0")]).unwrap();
    let table = table(&config, 128 << 20);
    assert!(table.starts_with("memory limit 128.0 MiB: the parts take at most 1"), "{table}");
    assert!(table.contains(&format!("--max-flows {}\n", config.account.max_flows)), "{table}");
}

#[test]
fn with_all_the_handles_are_bounded_with_their_rings() {
    let config = with_limit(128 << 20).unwrap();
    assert_eq!(config.capture.selection, Selection::All);
    let capture = &config.capture;
    assert!(capture.all_rings_bytes >= (capture.most_handles as u64 + 1) << 20);
    assert!((2..64).contains(&capture.most_handles));
}

/// As a reload that brings other settings: the budgets of the start stay, and the others fit beside them.
#[test]
fn budgets_of_a_reload_fit_beside_those_of_the_start() {
    let limit = (("memory", "limit"), "256MiB");
    let with =
        |more: &[(FileKey, &str)]| given(&[&[limit, (("capture", "interfaces"), "eth0")], more].concat()).unwrap();
    let running = with(&[]);
    for (rows, is_larger) in [("20000", false), ("1000", true)] {
        let mut read = with(&[(("account", "max_series"), rows)]);
        assert_ne!(read.http.most_connections, running.http.most_connections);
        let limit = BudgetLimit { running: Some(&running), ..resident(256 << 20) };
        limit.fit(&mut read).unwrap();
        assert!(needed(&read, Measure::Resident) <= limit.bytes, "{rows}");
        assert_eq!(read.http, running.http);
        assert_eq!(read.capture, running.capture);
        assert_eq!(read.account.max_series.to_string(), rows);
        assert_eq!(read.account.max_hosts > running.account.max_hosts, is_larger, "{rows}");
    }
    let mut same = with(&[]);
    BudgetLimit { running: Some(&running), ..resident(256 << 20) }.fit(&mut same).unwrap();
    assert_eq!(same, running);
}

#[test]
fn limit_of_flows_is_that_of_the_start_if_the_kernel_has_maps_for_it() {
    let limit = (("memory", "limit"), "256MiB");
    let with = |more: &[(FileKey, &str)]| {
        given(&[&[limit, (("capture", "interfaces"), "eth0"), (("kernel", "daq"), "xdp")], more].concat()).unwrap()
    };
    let running = with(&[]);
    let limit = BudgetLimit { running: Some(&running), ..resident(256 << 20) };
    let with_alerts = |most| with(&[(("alert", "max_alerts"), most)]);
    let (mut derived, mut given) = (with_alerts("7000"), with(&[(("account", "max_flows"), "2000")]));
    assert!(derived.account.max_flows < running.account.max_flows, "alerts need memory");
    limit.fit(&mut derived).unwrap();
    limit.fit(&mut given).unwrap();
    assert!(limit.fit(&mut with_alerts("20000")).is_err(), "the maps leave too little for so many alerts");
    assert_eq!((derived.account.max_flows, given.account.max_flows), (running.account.max_flows, 2_000));
    assert_eq!(derived.kernel, running.kernel);
}

proptest! {
    #[test]
    fn budgets_fit_and_never_fall_when_the_limit_grows(limit in LEAST..4 << 30, more in 0_u64..256 << 20) {
        let (config, larger) = (with_limit(limit).unwrap(), with_limit(limit + more).unwrap());
        prop_assert!(needed(&config, Measure::Resident) <= limit);
        let pairs = budgets(&config).into_iter().zip(budgets(&larger));
        for (index, (budget, larger)) in pairs.enumerate() {
            prop_assert!(budget <= larger, "budget {index}: {budget} at {limit}, {larger} at {}", limit + more);
        }
    }
}
