//! The program on real interfaces, in network namespaces that the tests make: the traffic is known, and the counts
//! must be the same to the byte. Needs root; `scripts/test.sh live` fails with a message without it.
//!
//! Neighbours are known beforehand and IPv6 is off but for its own tests, so that no frame passes but those that a
//! test sends. `LIVE_FOLDER` names a folder that keeps captures of the scans, the benign programs and the masquerading
//! router.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

#[path = "live/alerts.rs"]
mod alerts;
#[path = "live/attachments.rs"]
mod attachments;
#[path = "live/benign.rs"]
mod benign;
#[path = "live/changes.rs"]
mod changes;
#[path = "live/check.rs"]
mod check;
#[path = "live/coverage.rs"]
mod coverage;
#[path = "live/crowd.rs"]
mod crowd;
#[path = "live/delivery.rs"]
mod delivery;
#[path = "live/disk.rs"]
mod disk;
#[path = "live/endurance.rs"]
mod endurance;
#[path = "live/evidence.rs"]
mod evidence;
#[path = "live/exact.rs"]
mod exact;
#[path = "live/filters.rs"]
mod filters;
#[path = "live/flood.rs"]
mod flood;
#[path = "live/held.rs"]
mod held;
#[path = "live/host.rs"]
mod host;
#[path = "live/increase.rs"]
mod increase;
#[path = "live/interfaces.rs"]
mod interfaces;
#[path = "live/kernel.rs"]
mod kernel;
#[path = "live/kernel_counts.rs"]
mod kernel_counts;
#[path = "live/kernel_policy.rs"]
mod kernel_policy;
#[path = "live/labelled.rs"]
mod labelled;
#[path = "live/lan.rs"]
mod lan;
#[path = "live/lockout.rs"]
mod lockout;
#[path = "live/masquerade.rs"]
mod masquerade;
#[path = "live/memory.rs"]
mod memory;
#[path = "live/names.rs"]
mod names;
#[path = "live/output.rs"]
mod output;
#[path = "live/pages.rs"]
mod pages;
#[path = "live/policy.rs"]
mod policy;
#[path = "live/printed.rs"]
mod printed;
#[path = "live/quota.rs"]
mod quota;
#[path = "live/recording.rs"]
mod recording;
#[path = "live/refused.rs"]
mod refused;
#[path = "live/reload.rs"]
mod reload;
#[path = "live/reload_faults.rs"]
mod reload_faults;
#[path = "live/reload_filters.rs"]
mod reload_filters;
#[path = "live/reload_kinds.rs"]
mod reload_kinds;
#[path = "live/rights.rs"]
mod rights;
#[path = "live/router.rs"]
mod router;
#[path = "live/sandbox.rs"]
mod sandbox;
#[path = "live/scanners.rs"]
mod scanners;
#[allow(dead_code)]
#[path = "command_line/seeds.rs"]
mod seeds;
#[path = "live/service_manager.rs"]
mod service_manager;
#[path = "live/start.rs"]
mod start;
#[path = "live/supervision.rs"]
mod supervision;
#[path = "live/systemd/mod.rs"]
mod systemd;
#[path = "../benches/support/tasks.rs"]
mod tasks;
#[path = "../benches/support/trace.rs"]
#[allow(dead_code)]
mod trace;
#[path = "live/traffic.rs"]
mod traffic;
#[path = "live/unreachable.rs"]
mod unreachable;
#[path = "../benches/support/wire.rs"]
mod wire;
#[path = "live/workers.rs"]
mod workers;
