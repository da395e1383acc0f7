//! File descriptors: as many as the process may have, and enough to begin with.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The fewest that the program starts with: about 20 are open with one interface captured, and connections take half.
const FEWEST: u64 = 40;

/// Raises the soft limit to the hard one; gives the number of descriptors that the process may have.
///
/// # Errors
/// When that is not enough to begin with.
pub(super) fn raise() -> anyhow::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // No limit at all is none here either.
    let (current, maximum) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let allowed = if raised.is_ok() { maximum } else { current };
    if allowed < FEWEST {
        anyhow::bail!("too few file descriptors: {allowed} are allowed, {FEWEST} are needed (see `ulimit -n`)");
    }
    Ok(allowed)
}
