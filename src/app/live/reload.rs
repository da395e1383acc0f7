//! The reload: at HUP the configuration is read anew, and the lists of the policy are taken from it. Takes the running
//! configuration; gives new networks to the pipeline. Must not know how networks are judged.
//!
//! Other settings keep their values until the program is restarted. A thread of its own reads, because a file may be slow.

use std::io;
use std::sync::mpsc::sync_channel;
use std::time::SystemTime;

use crate::app::service_manager::ServiceManager;
use crate::app::{memory, signals};
use crate::capture::library_version;
use crate::cli::{self, Invocation};
use crate::config::Config;
use crate::export::vitals::Vitals;
use crate::kernel::lockout;
use crate::os::threads::{self, Needs};
use crate::pipeline::supervisor::PolicyInput;
use crate::policy;

pub(super) struct Reload {
    /// The configuration with which the program runs.
    pub(super) running: Config,
    pub(super) input: PolicyInput,
    pub(super) vitals: Vitals,
    /// Learns of each reload.
    pub(super) manager: ServiceManager,
}

impl Reload {
    /// Starts the thread `reload`, which works at each HUP.
    pub(super) fn start(mut self) -> io::Result<()> {
        self.vitals.note_reload(SystemTime::now());
        let (requests, requested) = sync_channel(1);
        // To find the SSH sessions of this host that dropping packets would cut off.
        let needs = if self.running.kernel.drops_packets { Needs::OtherProcesses } else { Needs::Nothing };
        // Never joined: the thread waits for HUP until the process ends.
        threads::spawn("reload", needs, move || {
            for () in requested {
                let manager = self.manager.clone();
                let _reloading = manager.reloading();
                self.reload();
            }
        })?;
        signals::on_hangup(move || {
            if requests.try_send(()).is_err() {
                tracing::trace!("a reload is waiting already");
            }
        });
        Ok(())
    }

    fn reload(&mut self) {
        if let Err(reason) = read().and_then(|read| self.take(read)) {
            self.vitals.note_refused_reload();
            tracing::error!("the reload is refused, and the former lists of the policy stay in force: {reason:#}");
        }
    }

    /// Takes the lists of a configuration.
    fn take(&mut self, read: Config) -> anyhow::Result<()> {
        check(&self.running, &read)?;
        let new_notices = read.notices.iter().filter(|notice| !self.running.notices.contains(notice));
        new_notices.for_each(|notice| tracing::warn!("{notice}"));
        self.vitals.note_reload(SystemTime::now());
        let is_changed = lists(&self.running.policy) != lists(&read.policy);
        if let Some(networks) = read.policy.networks().filter(|_| is_changed) {
            let (permitted, denied) = (networks.permitted().len(), networks.denied().len());
            self.input.replace(networks);
            tracing::info!(permitted, denied, "the lists of the policy were reread and are in force");
        } else {
            tracing::info!("the lists of the policy were reread; they are unchanged");
        }
        if others(&self.running) != others(&read) {
            tracing::warn!("other settings have changed too; restart the program for these");
        }
        let policy = policy::Config {
            permitted: read.policy.permitted,
            denied: read.policy.denied,
            ..self.running.policy.clone()
        };
        self.running = Config { policy, notices: read.notices, ..self.running.clone() };
        Ok(())
    }
}

/// The configuration as it is given now: the same command line and environment, and the present files.
fn read() -> anyhow::Result<Config> {
    match cli::parse(std::env::args_os(), std::env::vars_os(), &library_version())? {
        Invocation::Run(mut config) => {
            // As at the start, so that derived budgets are no changed settings.
            memory::settle_again(&mut config);
            Ok(config)
        }
        _ => anyhow::bail!("the configuration asks for another task than to capture"),
    }
}

/// Refuses lists that the running program cannot take.
fn check(running: &Config, read: &Config) -> anyhow::Result<()> {
    match (&running.policy.permitted, &read.policy.permitted) {
        (None, Some(_)) => anyhow::bail!("policy.permitted: a policy begins only with the program; restart it"),
        (Some(_), None) => anyhow::bail!("policy.permitted: the list is gone, and a policy ends only with the program"),
        _ => {}
    }
    Ok(lockout::check(&running.kernel, read.policy.networks().as_ref())?)
}

/// The settings that a reload takes.
fn lists(policy: &policy::Config) -> impl PartialEq {
    (policy.permitted.clone(), policy.denied.clone())
}

/// The settings that a reload does not take.
fn others(config: &Config) -> Config {
    let policy = policy::Config { permitted: None, denied: Vec::new(), ..config.policy.clone() };
    Config { policy, notices: Vec::new(), ..config.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel;

    fn with(permitted: Option<&[&str]>, drops_packets: bool) -> Config {
        let permitted = permitted.map(|networks| networks.iter().map(|network| network.parse().unwrap()).collect());
        Config {
            policy: policy::Config { permitted, ..policy::Config::default() },
            kernel: kernel::Config { drops_packets, ..kernel::Config::default() },
            ..Config::default()
        }
    }

    #[test]
    fn policy_neither_begins_nor_ends_with_a_reload() {
        let [without, with] = [with(None, false), with(Some(&["10.0.0.0/8"]), false)];
        check(&without, &without).unwrap();
        check(&with, &with).unwrap();
        assert!(check(&without, &with).unwrap_err().to_string().contains("begins only with the program"));
        assert!(check(&with, &without).unwrap_err().to_string().contains("ends only with the program"));
    }

    #[test]
    fn lists_alone_are_no_other_setting() {
        let [one, two] = [["10.0.0.0/8"], ["10.1.0.0/16"]].map(|networks| with(Some(&networks), false));
        assert!(others(&one) == others(&two));
        assert!(others(&one) != others(&with(Some(&["10.0.0.0/8"]), true)));
    }

    /// The file may say meanwhile that nothing is dropped; the running program drops all the same.
    #[test]
    fn empty_list_is_refused_while_the_running_program_drops() {
        let empty = with(Some(&[]), false);
        let refused = check(&with(Some(&["0.0.0.0/0"]), true), &empty).unwrap_err().to_string();
        assert!(refused.contains("every packet would be dropped"), "{refused}");
        check(&empty, &empty).unwrap();
    }
}
