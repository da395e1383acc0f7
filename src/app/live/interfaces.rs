//! A capture of interfaces: makes the pipeline, lets reloads change it, and runs it until a signal. Takes the configuration
//! and what was compiled and loaded for it; gives the closing line. Must not know the threads of the pipeline.

use std::sync::Arc;
use std::time::Instant;

use super::reload::{self, LiveParts, ReloadPhase, Reloader};
use super::{Exporter, ExporterEnd, explain, manager, with_own_routers};
use crate::account::ledger::Ledger;
use crate::account::snapshot::Snapshot;
use crate::account::snapshot_builder::SnapshotBuilder;
use crate::app::alerting::AlertOutputs;
use crate::app::sandbox::Sandbox;
use crate::app::{DONE, FAILED, LAST_LINES, random_seed};
use crate::capture::filter::UserFilter;
use crate::config::Config;
use crate::detect::Detectors;
use crate::export::vitals::Vitals;
use crate::history::History;
use crate::http::{ReloadRequester, ReloadRequests, ScrapeReports};
use crate::kernel::Kernel;
use crate::pipeline::alarms::Alarms;
use crate::pipeline::settings::tick;
use crate::pipeline::supervisor::{self, Setup};
use crate::pipeline::violations::Violations;

/// The parts of a capture besides its configuration.
pub(super) struct CaptureParts {
    pub(super) filter: Option<Arc<UserFilter>>,
    /// The program of the kernel path, loaded and attached nowhere.
    pub(super) kernel: Option<Kernel>,
    pub(super) scraped: ScrapeReports,
    pub(super) vitals: Vitals,
    pub(super) requester: ReloadRequester,
    pub(super) requests: ReloadRequests,
}

/// Captures until a signal, and takes reloads meanwhile.
pub(super) fn capture(
    config: Config,
    parts: CaptureParts,
    exporter: &Exporter,
    sandbox: &mut Sandbox,
) -> anyhow::Result<ExporterEnd> {
    let CaptureParts { filter, kernel, scraped, vitals, requester, requests } = parts;
    let drops_packets = config.kernel.drops_packets;
    let hooks = vec![reload::shown_in(vitals.clone())];
    // Before the program is ready, so that a scrape has the hash of its configuration.
    reload::announce(&hooks, ReloadPhase::Started(&config));
    let setup = pipeline_setup(config.clone(), filter.clone(), kernel, scraped, vitals, exporter);
    let site = Arc::clone(&exporter.site);
    let running = supervisor::start(setup, move || site.set_ready(), end_dead)
        .map_err(|error| explain(error.with_filter_place(config.filter_place.as_deref())))?;
    let parts = LiveParts {
        pipeline: running.settings_input(),
        site: Arc::clone(&exporter.site),
        filter,
        receivers: exporter.alerting.receivers(),
        detection: exporter.alerting.detection(),
        quota: exporter.alerting.quota(),
        manager: exporter.manager.clone(),
    };
    let (authorities, memory_limit) = (config.notify.authorities_digest(), exporter.memory_limit.clone());
    Reloader { running: config, authorities, memory_limit, parts, hooks }.start(requester, requests)?;
    let ready = sandbox.close().and_then(|()| Ok(manager::ready_to_capture(exporter, &running)?));
    if ready.is_ok() {
        exporter.wait_for_a_signal();
    }
    running.stop();
    let accounts = running.join()?;
    ready?;
    Ok(ExporterEnd { status: DONE, summary: closing_line(&accounts, drops_packets) })
}

/// The parts of the pipeline, with empty tables.
fn pipeline_setup(
    config: Config,
    filter: Option<Arc<UserFilter>>,
    kernel: Option<Kernel>,
    scraped: ScrapeReports,
    vitals: Vitals,
    exporter: &Exporter,
) -> Setup<AlertOutputs> {
    let seed = random_seed();
    let detectors = Detectors::new(&with_own_routers(config.detect), seed, Some(tick(&config.pipeline)));
    let policy = config.policy.networks().map(Arc::new);
    let mut ledger = Ledger::new(&config.account, seed);
    if policy.is_some() {
        ledger.count_verdicts();
    }
    let outputs = || exporter.alerting.outputs();
    let violations = policy.as_ref().map(|_| Violations::new(config.policy.events, seed, Box::new(outputs())));
    let of_kernel = |violations: Violations| violations.of_kernel(config.kernel.drops_packets);
    let violations = if kernel.is_some() { violations.map(of_kernel) } else { violations };
    let alarms = Alarms::new(detectors, &config.alert, outputs()).with_violations(violations);
    let history = History::sized(config.account.flow_keying, seed, &config.history);
    Setup {
        capture: config.capture,
        filter,
        kernel,
        locality: config.locality,
        policy,
        pipeline: config.pipeline,
        ledger,
        alarms: alarms.with_history(Some(history)),
        recording: exporter.alerting.recording(),
        snapshot_builder: SnapshotBuilder::new(&config.account),
        scraped,
        published: Arc::clone(&exporter.published),
        vitals,
        stop: exporter.stop.flag(),
        seed,
    }
}

/// Ends the program because one of its threads is dead. A service manager then starts it again.
fn end_dead() {
    crate::app::log::finish(Instant::now() + LAST_LINES);
    std::process::exit(i32::from(FAILED));
}

/// The closing line, as tcpdump has it. Where packets are dropped by the policy, it says how many were.
fn closing_line(accounts: &Snapshot, drops_packets: bool) -> String {
    let captures = accounts.interfaces.iter().filter_map(|interface| interface.capture);
    let (received, dropped) = captures.fold((0, 0), |(received, dropped), capture| {
        (received + capture.received, dropped + capture.dropped_by_kernel)
    });
    let captured = accounts.totals.frames.frames + accounts.totals.copies.frames;
    let line = format!("{captured} captured, {received} received by filter, {dropped} dropped by kernel");
    if !drops_packets {
        return line;
    }
    let by_policy = accounts.totals.kernel.map_or(0, |sums| sums.dropped.packets);
    format!("{line}, {by_policy} dropped by policy")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::flow::Counters;
    use crate::account::interval::KernelSums;

    #[test]
    fn closing_line_names_packets_that_the_policy_dropped_where_it_drops() {
        let mut accounts = Snapshot::default();
        accounts.totals.frames.frames = 7;
        assert_eq!(closing_line(&accounts, false), "7 captured, 0 received by filter, 0 dropped by kernel");
        let nothing = "7 captured, 0 received by filter, 0 dropped by kernel, 0 dropped by policy";
        assert_eq!(closing_line(&accounts, true), nothing);
        let dropped = Counters { packets: 5, bytes: 300 };
        accounts.totals.kernel = Some(KernelSums { dropped, ..KernelSums::default() });
        assert!(closing_line(&accounts, true).ends_with("0 dropped by kernel, 5 dropped by policy"));
    }
}
