//! The rights that the run will give up. Takes the configuration; gives findings. Must not know the parts of the sandbox.

use super::finding::CheckFinding;
use crate::app::sandbox::Sandbox;
use crate::config::{Config, SandboxMode};
use crate::os::threads::{self, Needs};

const SANDBOX: &str = "sandbox";

/// Tries the sandbox as a start does. What cannot be applied refuses a start with `--sandbox=strict` only.
pub(super) fn check(config: &Config) -> Vec<CheckFinding> {
    let finding = match config.sandbox {
        SandboxMode::Off => return vec![CheckFinding::ok(SANDBOX, "it is off: the program keeps all its rights")],
        SandboxMode::Auto => CheckFinding::warning,
        SandboxMode::Strict => CheckFinding::failure,
    };
    match try_out(config) {
        Ok(gaps) if gaps.is_empty() => vec![CheckFinding::ok(SANDBOX, "the kernel takes all its parts")],
        Ok(gaps) => gaps.into_iter().map(|gap| finding(SANDBOX, gap)).collect(),
        Err(error) => vec![CheckFinding::failure(SANDBOX, format!("it cannot be tried: {error:#}"))],
    }
}

/// On a thread of its own, because the trial sets `no_new_privs`.
fn try_out(config: &Config) -> anyhow::Result<Vec<String>> {
    let config = config.clone();
    let trial = threads::spawn("check", Needs::Nothing, move || Sandbox::gaps(&config))?;
    trial.join().map_err(|_| anyhow::anyhow!("the trial panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::finding::CheckOutcome;
    use crate::os::confinement::thread_states;

    fn outcomes(config: &Config) -> Vec<CheckOutcome> {
        check(config).into_iter().map(|finding| finding.outcome).collect()
    }

    #[test]
    fn gap_is_a_failure_only_where_the_start_would_be_refused() {
        let mut config = Config { sandbox: SandboxMode::Auto, ..Config::default() };
        let before = outcomes(&config).len();
        // A thread that looks at other processes has no rules for files.
        config.names.processes = true;
        let count = |outcomes: &[CheckOutcome], outcome| outcomes.iter().filter(|one| **one == outcome).count();
        assert!(count(&outcomes(&config), CheckOutcome::Warning) > 0 && before > 0);
        assert_eq!(count(&outcomes(&config), CheckOutcome::Failure), 0);
        config.sandbox = SandboxMode::Strict;
        assert!(count(&outcomes(&config), CheckOutcome::Failure) > 0);
        config.sandbox = SandboxMode::Off;
        assert_eq!(outcomes(&config), [CheckOutcome::Ok]);
    }

    #[test]
    fn trial_leaves_its_thread_as_it_is() {
        /// No other thread has it: the kernel cuts the names of tests to the same 15 bytes.
        const NAME: &str = "tries";
        let state = || thread_states().unwrap().into_iter().find(|state| state.name == NAME);
        let tries = std::thread::Builder::new().name(NAME.to_owned()).spawn(move || {
            let before = state();
            outcomes(&Config { sandbox: SandboxMode::Auto, ..Config::default() });
            (before, state())
        });
        let (before, after) = tries.unwrap().join().unwrap();
        assert!(before.is_some());
        assert_eq!(after, before);
    }
}
