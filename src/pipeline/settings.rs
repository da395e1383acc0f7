//! New settings for the running pipeline, and the time until they are in force. Takes the settings of a reload; gives
//! them to the supervisor and the accountant. Must not know where settings come from.
//!
//! The supervisor makes a plan of its part, which capture threads follow between two polls. The accountant takes the
//! other part between two intervals. So no packet and no count is lost.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::alarms::grids_of;
use super::control::{AccountSettings, ControlBlock, PlanSettings};
use super::{Config, Error};
use crate::capture::filter::UserFilter;
use crate::policy::Networks;
use crate::{account, alert, capture, detect, locality};

/// The longest tick. A tick is the time between two hand-overs.
const LONGEST_TICK: Duration = Duration::from_secs(1);
/// Longest time until all threads follow new settings. A thread looks at its plan within the read timeout.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks at the threads.
const LOOK: Duration = Duration::from_millis(5);

/// The settings that a running pipeline takes.
pub struct NewSettings {
    /// The local networks.
    pub locality: locality::Config,
    /// The permitted networks; none without a policy.
    pub policy: Option<Networks>,
    /// The user's filter, compiled.
    pub filter: Option<Arc<UserFilter>>,
    /// The limits of the tables and of the exposition.
    pub account: account::Config,
    /// The detectors.
    pub detect: detect::Config,
    /// The life of alerts.
    pub alert: alert::Config,
    /// Settings of the pipeline.
    pub pipeline: Config,
}

/// The time between two hand-overs of a capture thread, unless a shorter time cell ends before.
pub fn tick(config: &Config) -> Duration {
    config.refresh.min(LONGEST_TICK)
}

/// Takes new settings for the running pipeline.
pub struct SettingsInput(pub(super) Arc<ControlBlock>);

impl SettingsInput {
    /// Checks that the filter compiles for the handles that are open now. One that depends on an open handle is checked
    /// when it is put into force, because few threads may open one.
    ///
    /// # Errors
    /// When it does not compile for the link type of one of them.
    pub fn check_filter(&self, filter: &UserFilter) -> Result<(), capture::Error> {
        if filter.depends_on_the_handle() { Ok(()) } else { self.0.check_filter(filter) }
    }

    /// Puts the settings into force; returns when all threads follow them.
    ///
    /// # Errors
    /// When libpcap or the kernel does not take the filter or the permitted networks: then the former ones stay, and all other
    /// settings are in force. When a thread does not follow in time: then some threads may follow.
    pub fn replace(&self, settings: NewSettings) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let (taken, all_taken) = channel();
        drop(self.0.take_refusal());
        let NewSettings { locality, policy, filter, account, detect, alert, pipeline } = settings;
        let (tick, refresh) = (tick(&pipeline), pipeline.refresh);
        let (grids, policy) = (grids_of(&detect, policy.is_some()), policy.map(Arc::new));
        let plan = PlanSettings { locality, policy, filter, grids, tick, taken: taken.clone() };
        self.0.offer(plan, Box::new(AccountSettings { account, detect, alert, refresh, tick, taken }));
        let patience = deadline.saturating_duration_since(Instant::now());
        if all_taken.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            return Err(Error::Late);
        }
        while !self.0.is_settled() {
            if Instant::now() > deadline {
                return Err(Error::Late);
            }
            thread::sleep(LOOK);
        }
        self.0.take_refusal().map_or(Ok(()), Err)
    }
}
