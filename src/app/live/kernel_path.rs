//! The program of the kernel path before a capture. Takes the configuration; gives the loaded program. Must not attach it.

use crate::config::Config;
use crate::kernel::{Daq, Kernel, lockout};
use crate::pipeline;

/// Loads the program as a start does, and lets it go again.
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
