//! The reload: at HUP or `POST /-/reload` the whole configuration is reread, checked beside the running one, and put
//! into force as a whole. Takes requests and the running parts; gives them their new settings. Must not know what a part
//! does with its settings.
//!
//! A thread of its own reads, because a file may be slow. Requests that come meanwhile share the next reload. A fault, or
//! a setting that only a start can take, refuses the reload: then nothing has changed. Only what libpcap or the kernel
//! refuses last, such as a filter, is known after the other settings are in force; these are taken back.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;

use super::{api_settings, page_settings, user_filter, with_own_routers};
use crate::app::alerting::detection_facts;
use crate::app::memory::LimitInForce;
use crate::app::receivers::RunningReceivers;
use crate::app::service_manager::ServiceManager;
use crate::app::{log, signals, start};
use crate::capture::filter::UserFilter;
use crate::capture::library_version;
use crate::cli;
use crate::config::{Config, Settings};
use crate::evidence::{DetectionFacts, RunningDetection, RunningQuota};
use crate::export::vitals::Vitals;
use crate::http::{ReloadOutcome, ReloadRequester, ReloadRequests, Site};
use crate::kernel::{Daq, lockout};
use crate::notify::ReadyReceivers;
use crate::os::threads::{self, Needs};
use crate::pipeline;
use crate::pipeline::settings::{NewSettings, SettingsInput};

/// A moment of a reload.
#[derive(Debug, Clone, Copy)]
pub(super) enum ReloadPhase<'a> {
    /// It begins: nothing is read yet.
    Begins,
    /// The program starts with this configuration.
    Started(&'a Config),
    /// It has ended: with this configuration in force, or with the reason of its refusal.
    Ended(Result<&'a Config, &'a anyhow::Error>),
}

/// Called in each phase, on the thread that reloads.
pub(super) type PhaseHook = Box<dyn Fn(ReloadPhase<'_>) + Send>;

/// Calls the hooks of all that follow reloads.
pub(super) fn announce(hooks: &[PhaseHook], phase: ReloadPhase<'_>) {
    hooks.iter().for_each(|hook| hook(phase));
}

/// The running parts that take new settings.
pub(super) struct LiveParts {
    pub(super) pipeline: SettingsInput,
    pub(super) site: Arc<Site>,
    pub(super) filter: Option<Arc<UserFilter>>,
    pub(super) receivers: RunningReceivers,
    pub(super) detection: RunningDetection,
    /// The quota of evidence files, if there are such files.
    pub(super) quota: Option<RunningQuota>,
    /// Learns when a reload begins and ends.
    pub(super) manager: ServiceManager,
}

pub(super) struct Reloader {
    /// The configuration that is in force.
    pub(super) running: Config,
    /// The digest of the certificate authorities of the running receivers.
    pub(super) authorities: u64,
    /// The limit of memory, from which budgets are derived as at the start.
    pub(super) memory_limit: Option<LimitInForce>,
    pub(super) parts: LiveParts,
    /// Others that follow reloads, in this order.
    pub(super) hooks: Vec<PhaseHook>,
}

/// A configuration that can be put into force.
struct Accepted {
    config: Config,
    filter: Option<Arc<UserFilter>>,
    /// The receivers, if they are others than before.
    receivers: Option<ReadyReceivers>,
    authorities: u64,
    detection: DetectionFacts,
    /// The place of the filter in the configuration.
    place_of_filter: String,
}

impl Reloader {
    /// Starts the thread `reload`, which works at each HUP and each of the other `requests`.
    pub(super) fn start(mut self, requester: ReloadRequester, mut requests: ReloadRequests) -> io::Result<()> {
        // To find the SSH sessions of this host that dropping packets would cut off.
        let kernel = &self.running.kernel;
        let needs = if kernel.drops_packets && !kernel.force { Needs::OtherProcesses } else { Needs::Nothing };
        // Never joined: the thread waits for requests until the process ends.
        threads::spawn("reload", needs, move || {
            while let Some(clients) = requests.wait() {
                let manager = self.parts.manager.clone();
                let _reloading = manager.reloading();
                clients.answer(&self.reload());
            }
        })?;
        signals::on_hangup(move || requester.request());
        Ok(())
    }

    /// One reload, from its beginning to its outcome. The log tells the outcome last, so that the metrics show it by then.
    fn reload(&mut self) -> ReloadOutcome {
        self.follow(ReloadPhase::Begins);
        let former_level = self.running.log.level;
        let outcome = self.read().and_then(|accepted| self.put_into_force(accepted));
        match &outcome {
            Ok(changed) => {
                self.parts.manager.accepted();
                self.follow(ReloadPhase::Ended(Ok(&self.running)));
                self.log_changes(changed, former_level);
            }
            Err(reason) => {
                self.parts.manager.refused(&format!("{reason:#}"));
                self.follow(ReloadPhase::Ended(Err(reason)));
                tracing::error!("the reload is refused, and the running configuration stays in force: {reason:#}");
            }
        }
        outcome.map(drop).map_err(|reason| format!("the reload is refused: {reason:#}"))
    }

    fn log_changes(&self, changed: &[String], former_level: tracing::Level) {
        if changed.is_empty() {
            tracing::info!("the configuration was reread; it is unchanged");
            return;
        }
        // The line is logged if the former level or the new one has it.
        let level = self.running.log.level;
        log::set_level(former_level.max(level));
        tracing::info!(changed = changed.join(", "), "the configuration was reread and is in force");
        log::set_level(level);
    }

    fn follow(&self, phase: ReloadPhase<'_>) {
        announce(&self.hooks, phase);
    }

    /// Reads the configuration and checks all that can be checked. Nothing is changed.
    fn read(&self) -> anyhow::Result<Accepted> {
        let (mut config, settings) = cli::reread(std::env::args_os(), std::env::vars_os(), &library_version())?;
        let limit = self.memory_limit.as_ref();
        let settled = limit.map_or(Ok(()), |limit| limit.settle_again(&mut config, &self.running));
        check(&self.running, &config, &settings)?;
        let place = settings.place(("memory", "limit"));
        settled
            .with_context(|| format!("{place}: the other budgets do not fit beside those that only a start changes"))?;
        let authorities = config.notify.authorities_digest();
        let is_same = config.notify == self.running.notify && authorities == self.authorities;
        let receivers = (!is_same).then(|| ReadyReceivers::new(config.notify.clone())).transpose();
        let receivers = receivers.with_context(|| settings.place_of_receivers())?;
        start::inspect_files(&config)?;
        let place_of_filter = settings.place(("capture", "filter"));
        let filter = self.filter(&config, &place_of_filter)?;
        let detection = detection_facts(&config)?;
        Ok(Accepted { config, filter, receivers, authorities, detection, place_of_filter })
    }

    /// The filter of a configuration, compiled for all interfaces that are captured now.
    fn filter(&self, config: &Config, place: &str) -> anyhow::Result<Option<Arc<UserFilter>>> {
        if config.capture.filter == self.running.capture.filter {
            return Ok(self.parts.filter.clone());
        }
        let filter = user_filter(config)?;
        let checked = filter.iter().try_for_each(|filter| self.parts.pipeline.check_filter(filter));
        checked.with_context(|| place.to_owned())?;
        Ok(filter)
    }

    /// Gives the settings that changed.
    fn put_into_force(&mut self, accepted: Accepted) -> anyhow::Result<Vec<String>> {
        let Accepted { config, filter, receivers, authorities, detection, place_of_filter } = accepted;
        let mut changed: Vec<String> = self.running.changes(&config).map(|setting| setting.key()).collect();
        if receivers.is_some() && config.notify == self.running.notify {
            changed.push("contents of ca_file".to_owned());
        } else if changed.is_empty() && !config.is_as(&self.running) {
            changed.push("derived budgets".to_owned());
        }
        if changed.is_empty() {
            self.log_new_notices(&config);
            self.running = config;
            return Ok(changed);
        }
        let receivers = receivers.map(|ready| self.parts.receivers.prepare(ready)).transpose()?;
        // First, because readers get the new answers with the snapshot that the pipeline then publishes.
        self.parts.site.configure(page_settings(&config), api_settings(&config));
        if let Err(error) = self.parts.pipeline.replace(new_settings(&config, filter.clone())) {
            self.take_back();
            let is_about_filter = matches!(error, pipeline::Error::Capture(_));
            let error = anyhow::Error::from(error);
            return Err(if is_about_filter { error.context(place_of_filter) } else { error });
        }
        self.log_new_notices(&config);
        self.parts.detection.replace(detection);
        self.parts.filter = filter;
        receivers.into_iter().for_each(|receivers| self.parts.receivers.replace(receivers));
        self.authorities = authorities;
        // Last, because removed files do not come back.
        self.parts.quota.iter().for_each(|quota| quota.replace(config.evidence.quota_bytes));
        self.running = config;
        Ok(changed)
    }

    fn log_new_notices(&self, config: &Config) {
        let new = config.notices.iter().filter(|notice| !self.running.notices.contains(notice));
        new.for_each(|notice| tracing::warn!("{notice}"));
    }

    /// Puts the running configuration into force again: some threads may follow the refused one already.
    fn take_back(&self) {
        self.parts.site.configure(page_settings(&self.running), api_settings(&self.running));
        if let Err(error) = self.parts.pipeline.replace(new_settings(&self.running, self.parts.filter.clone())) {
            tracing::error!(%error, "settings of the refused configuration may be in force; restart the program");
        }
    }
}

/// The hook that shows reloads in the metrics.
pub(super) fn shown_in(vitals: Vitals) -> PhaseHook {
    let note = move |vitals: &Vitals, config: &Config| match config.hash() {
        Ok(hash) => vitals.note_reload(SystemTime::now(), hash),
        Err(error) => tracing::error!(%error, "the configuration has no hash"),
    };
    Box::new(move |phase| match phase {
        ReloadPhase::Begins => {}
        ReloadPhase::Started(config) => note(&vitals, config),
        ReloadPhase::Ended(Ok(config)) => {
            note(&vitals, config);
            vitals.count_reload();
        }
        ReloadPhase::Ended(Err(reason)) => vitals.note_refused_reload(format!("{reason:#}")),
    })
}

/// Refuses a configuration that the running program cannot take.
fn check(running: &Config, read: &Config, settings: &Settings) -> anyhow::Result<()> {
    running.refuse_restart(read, settings)?;
    let place = settings.place(("policy", "permitted"));
    match (&running.policy.permitted, &read.policy.permitted) {
        (None, Some(_)) => {
            anyhow::bail!("{place}: policy.permitted: a list of permitted networks is new; restart the program for it")
        }
        (Some(_), None) => anyhow::bail!("policy.permitted: the list is gone; restart the program without it"),
        _ => {}
    }
    // The kernel's maps have the size of the flow table at the start.
    if running.kernel.daq != Daq::Libpcap && running.account.max_flows != read.account.max_flows {
        let place = settings.place(("account", "max_flows"));
        anyhow::bail!(
            "{place}: with -daq {} a new value of account.max_flows needs a restart",
            running.kernel.daq.word()
        );
    }
    if read.account.max_series > read.account.max_flows {
        let (place, flows) = (settings.place(("account", "max_series")), read.account.max_flows);
        anyhow::bail!("{place}: the kernel's maps have space for {flows} flows since the start; give at most that");
    }
    Ok(lockout::check(&running.kernel, read.policy.networks().as_ref())?)
}

fn new_settings(config: &Config, filter: Option<Arc<UserFilter>>) -> NewSettings {
    NewSettings {
        locality: config.locality.clone(),
        policy: config.policy.networks(),
        filter,
        account: config.account.clone(),
        detect: with_own_routers(config.detect.clone()),
        alert: config.alert.clone(),
        pipeline: config.pipeline.clone(),
    }
}

#[cfg(test)]
mod tests;
