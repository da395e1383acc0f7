//! A trial of the sandbox on a thread that ends. Takes the parts; gives those that the kernel refuses, and the files that
//! would be out of reach. So nothing is given up before it is known whether the program can start.

use std::io;
use std::path::PathBuf;
use std::thread::{Builder, scope};

use super::paths::NamedFiles;
use crate::os::calls::{CallFilter, CallFilterError};
use crate::os::confinement::{CapabilitySet, FileRules, FileRulesError, LandlockVersion, keep_capabilities};
use crate::os::files::{PathUse, check_access};

/// The outcome of a trial.
pub(super) struct Trial {
    pub(super) capabilities: io::Result<()>,
    pub(super) calls: Result<(), CallFilterError>,
    pub(super) files: Result<LandlockVersion, FileRulesError>,
    /// Files that this user may use only by a capability, with that capability.
    pub(super) out_of_reach: Vec<(PathBuf, CapabilitySet)>,
}

/// Tries the parts on a thread.
///
/// # Errors
/// When there is no thread.
pub(super) fn try_out(
    named: &NamedFiles,
    files: Result<&FileRules, FileRulesError>,
    calls: Result<&CallFilter, CallFilterError>,
) -> io::Result<Trial> {
    let used = uses(named);
    let usable: Vec<_> = used.into_iter().filter(|(path, usage)| check_access(path, *usage).is_ok()).collect();
    scope(|scope| {
        let trial = Builder::new().name("sandbox".to_owned()).spawn_scoped(scope, || {
            let capabilities = keep_capabilities(CapabilitySet::empty());
            let lost = usable.iter().filter(|(path, usage)| check_access(path, *usage).is_err());
            let out_of_reach = lost.map(|(path, usage)| (path.clone(), capability(*usage))).collect();
            let files = files.and_then(FileRules::apply);
            Trial { capabilities, files, calls: calls.and_then(CallFilter::apply), out_of_reach }
        })?;
        trial.join().map_err(|_| io::Error::other("the trial of the sandbox panicked"))
    })
}

fn uses(named: &NamedFiles) -> Vec<(PathBuf, PathUse)> {
    let read = named.read.iter().map(|path| (path.clone(), PathUse::Read));
    let directories = named.directories.iter().map(|path| (path.clone(), PathUse::CreateIn));
    let log = named.log.iter().map(|path| (path.clone(), PathUse::Write));
    // A log that is rotated or reopened is a new file.
    let of_log = named.directories_of_log().into_iter().map(|path| (path, PathUse::CreateIn));
    read.chain(directories).chain(log).chain(of_log).collect()
}

/// The capability by which a file can be used without the right.
const fn capability(usage: PathUse) -> CapabilitySet {
    match usage {
        PathUse::Read => CapabilitySet::DAC_READ_SEARCH,
        PathUse::Write | PathUse::CreateIn => CapabilitySet::DAC_OVERRIDE,
    }
}
