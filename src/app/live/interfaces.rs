//! The captured interfaces: the pipeline is made and runs until a signal. Takes the configuration and what it compiled and
//! loaded beforehand; gives the closing line. Must not know the threads of the pipeline, nor how a reload is done.

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
use crate::kernel::{Daq, Kernel, lockout};
use crate::pipeline;
use crate::pipeline::alarms::Alarms;
use crate::pipeline::settings::tick;
use crate::pipeline::supervisor::{self, Setup};
use crate::pipeline::violations::Violations;

/// Captures until a signal, and takes reloads meanwhile.
pub(super) fn capture(
    config: Config,
    (filter, kernel): (Option<Arc<UserFilter>>, Option<Kernel>),
    (scraped, vitals): (ScrapeReports, Vitals),
    exporter: &Exporter,
    reloads: (ReloadRequester, ReloadRequests),
    sandbox: &mut Sandbox,
) -> anyhow::Result<ExporterEnd> {
    let drops_packets = config.kernel.drops_packets;
    let hooks = vec![reload::shown_in(vitals.clone())];
    // Before the program is ready, so that a scrape has the hash of its configuration.
    reload::announce(&hooks, ReloadPhase::Started(&config));
    let setup = setup(config.clone(), (filter.clone(), kernel), (scraped, vitals), exporter);
    let site = Arc::clone(&exporter.site);
    let running = supervisor::start(setup, move || site.set_ready(), end_dead).map_err(explain)?;
    let parts = LiveParts {
        pipeline: running.settings_input(),
        site: Arc::clone(&exporter.site),
        filter,
        receivers: exporter.alerting.receivers(),
        detection: exporter.alerting.detection(),
        manager: exporter.manager.clone(),
    };
    let memory_limit = exporter.memory_limit.clone();
    Reloader { running: config, memory_limit, parts, hooks }.start(reloads.0, reloads.1)?;
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
fn setup(
    config: Config,
    (filter, kernel): (Option<Arc<UserFilter>>, Option<Kernel>),
    (scraped, vitals): (ScrapeReports, Vitals),
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

/// Loads the kernel path as a start does, and lets it go again.
pub(in crate::app) fn load_kernel_program(config: &Config) -> Result<(), pipeline::Error> {
    Ok(Kernel::load(&config.kernel, config.policy.events).map(drop)?)
}

/// The kernel path, if it is configured: loaded before anything starts.
pub(super) fn load_kernel(config: &Config) -> Result<Option<Kernel>, pipeline::Error> {
    if config.kernel.daq == Daq::Libpcap || config.source.is_some() {
        return Ok(None);
    }
    let networks = config.policy.networks();
    lockout::check(&config.kernel, networks.as_ref())?;
    let mut kernel = Kernel::load(&config.kernel, config.policy.events)?;
    // Before it is attached anywhere, so that no packet passes without a verdict.
    kernel.set_policy(networks.as_ref())?;
    Ok(Some(kernel))
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
