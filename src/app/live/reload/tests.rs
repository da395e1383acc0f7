use std::path::Path;

use super::*;
use crate::account::ledger::Ledger;
use crate::account::snapshot_builder::SnapshotBuilder;
use crate::alert::Alerts;
use crate::config::tests::{OneChange, changes_of_one_setting};
use crate::config::{Reload, file};
use crate::detect::Detectors;
use crate::pipeline::settings::tick;
use crate::{kernel, policy};

fn with(permitted: Option<&[&str]>, drops_packets: bool) -> Config {
    let permitted = permitted.map(|networks| networks.iter().map(|network| network.parse().unwrap()).collect());
    Config {
        policy: policy::Config { permitted, ..policy::Config::default() },
        kernel: kernel::Config { drops_packets, ..kernel::Config::default() },
        ..Config::default()
    }
}

fn checked(running: &Config, read: &Config) -> Result<(), String> {
    check(running, read, &Settings::default()).map_err(|error| error.to_string())
}

#[test]
fn policy_neither_begins_nor_ends_with_a_reload() {
    let [without, with] = [with(None, false), with(Some(&["10.0.0.0/8"]), false)];
    checked(&without, &without).unwrap();
    checked(&with, &with).unwrap();
    assert!(checked(&without, &with).unwrap_err().contains("is new; restart the program"));
    assert!(checked(&with, &without).unwrap_err().contains("the list is gone; restart the program"));
}

#[test]
fn empty_list_is_refused_while_the_running_program_drops() {
    let [all, none] = [["0.0.0.0/0"].as_slice(), &[]].map(|networks| with(Some(networks), true));
    let refused = checked(&all, &none).unwrap_err();
    assert!(refused.contains("every packet would be dropped"), "{refused}");
    let [all, none] = [["0.0.0.0/0"].as_slice(), &[]].map(|networks| with(Some(networks), false));
    checked(&all, &none).unwrap();
}

#[test]
fn size_of_the_kernels_maps_is_refused_by_name() {
    let of = |daq, max_flows| {
        let text = format!("account: {{max_flows: {max_flows}}}");
        let mut config = file::parse(&text, Path::new("t.yml")).and_then(Settings::validate).unwrap();
        config.kernel.daq = daq;
        config
    };
    checked(&of(Daq::Libpcap, 1_024), &of(Daq::Libpcap, 2_048)).unwrap();
    let refused = checked(&of(Daq::Tc, 1_024), &of(Daq::Tc, 2_048)).unwrap_err();
    assert!(refused.contains("account.max_flows needs a restart"), "{refused}");
}

/// All that the running parts take of a configuration, as text.
fn parts(config: &Config) -> Vec<String> {
    let NewSettings { locality, policy, filter: _, account, detect, alert, pipeline } = new_settings(config, None);
    let debug: [&dyn std::fmt::Debug; 12] = [
        &locality,
        &policy,
        &config.capture.filter,
        &account,
        &detect,
        &alert,
        &pipeline,
        &page_settings(config),
        &api_settings(config),
        &config.notify,
        &config.evidence.quota_bytes,
        &config.log.level,
    ];
    debug.map(|part| format!("{part:?}")).to_vec()
}

#[test]
fn every_live_setting_reaches_a_running_part() {
    for OneChange { setting, before, after: (after, _) } in changes_of_one_setting() {
        if setting.reload == Reload::Live {
            assert_ne!(parts(&before), parts(&after), "{}", setting.key());
        }
    }
}

/// The parts that go on with new settings, empty.
fn empty_parts(config: &Config) -> (Detectors, Ledger, SnapshotBuilder, Alerts) {
    let tick = Some(tick(&config.pipeline));
    (
        Detectors::new(&config.detect, 1, tick),
        Ledger::new(&config.account, 1),
        SnapshotBuilder::new(&config.account),
        Alerts::new(&config.alert),
    )
}

/// The state as text. A search for scans that starts over has another era, each table its own seed of hashes, and an index
/// stays as wide as it was.
fn state(parts: &(Detectors, Ledger, SnapshotBuilder, Alerts)) -> String {
    let text = format!("{parts:#?}");
    let is_own = |line: &&str| {
        !["era: ", "per_hasher_seed: ", "positions: "].iter().any(|own| line.trim_start().starts_with(own))
    };
    text.lines().filter(is_own).collect::<Vec<_>>().join("\n")
}

/// The parts are empty, so going on and starting are the same.
#[test]
fn parts_that_go_on_have_all_the_settings_of_parts_that_start() {
    for OneChange { setting, before, after: (after, _) } in changes_of_one_setting() {
        if setting.reload == Reload::Restart {
            continue;
        }
        for (before, after) in [(&before, &after), (&after, &before)] {
            let mut parts = empty_parts(before);
            parts.0.configure(&after.detect, Some(tick(&after.pipeline)));
            parts.1.set_limits(&after.account);
            parts.2.configure(&after.account);
            parts.3.configure(&after.alert);
            let (going_on, started) = (state(&parts), state(&empty_parts(after)));
            let difference = going_on.lines().zip(started.lines()).find(|(one, other)| one != other);
            assert_eq!(difference, None, "{}", setting.key());
            assert_eq!(going_on.len(), started.len(), "{}", setting.key());
        }
    }
}
