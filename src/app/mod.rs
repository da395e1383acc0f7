//! The program: reads the command line and runs the task. Takes the arguments and the environment; gives an exit
//! status. Must not know how a task works: each has a file of its own.

mod alerting;
mod analyze;
mod check;
mod live;
mod log;
mod memory;
mod naming;
mod output;
mod receivers;
mod replay;
mod sandbox;
mod service_manager;
mod signals;
mod start;
mod test;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::capture::library_version;
use crate::capture::network::Network;
use crate::capture::selection;
use crate::cli::{self, Invocation};
use crate::events::log::Error as EventLogError;
use crate::{capture, pipeline};
use log::say;
use output::Blocking;
use service_manager::ServiceManager;

const DONE: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// Longest time at the end to write the lines that are queued for standard error.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Runs the program with the arguments and the environment of this process; gives its exit status: 0 done, 1 failed
/// while running, 2 usage or configuration.
pub fn main() -> ExitCode {
    let status = match cli::parse(std::env::args_os(), std::env::vars_os(), &library_version()) {
        Ok(invocation) => run(invocation).unwrap_or_else(|error| say_error(&error)),
        Err(usage) if usage.exit_code == DONE => {
            print(&format!("{}\n", usage.message)).map_or_else(|error| say_error(&error), |()| DONE)
        }
        Err(usage) => {
            log::say_refusal(&format!("trafficmonitor: {}", usage.message), Instant::now() + LAST_LINES);
            usage.exit_code
        }
    };
    log::finish(Instant::now() + LAST_LINES);
    ExitCode::from(status)
}

fn run(invocation: Invocation) -> anyhow::Result<u8> {
    match invocation {
        Invocation::Run(config) => live::run(config),
        Invocation::Replay(replay) => replay::run(replay),
        Invocation::Test(test) => test::run(test),
        Invocation::Analyze(analysis) => analyze::run(analysis),
        Invocation::Check(check) => check::run(check),
        Invocation::Interfaces(config) => {
            let network = Network::read()?;
            let capture = selection::as_they_stand(&network, &config.capture);
            selection::check_names(&network, &capture).map_err(capture::Error::from).map_err(pipeline::Error::from)?;
            print(&selection::table(&network, &capture)).map(|()| DONE)
        }
        Invocation::CheckConfig(config) => {
            config.notices.iter().for_each(|notice| say(notice));
            print(&memory::derived(&config))?;
            live::user_filter(&config)?;
            start::check_source_file(&config)?;
            start::inspect_files(&config)?;
            config.names.faults_of_files().iter().for_each(|fault| say(fault));
            start::locked_files(&config)?.iter().for_each(|locked| say(locked));
            start::web_access(&config)?.warnings().iter().for_each(|warning| say(warning));
            start::lockout(&config).iter().for_each(|lockout| say(lockout));
            print("configuration OK\n").map(|()| DONE)
        }
        Invocation::PrintConfig(config) => print(&config.to_yaml()?).map(|()| DONE),
        Invocation::Print(text) => print(&text).map(|()| DONE),
    }
}

/// Errors of usage that are found only when the network or libpcap is asked end with status 2 as well. A service manager
/// starts the program again: an interface that is not there yet may come, such as that of a tunnel while a host boots.
fn say_error(error: &anyhow::Error) -> u8 {
    say(&format!("trafficmonitor: {error}"));
    let of_pipeline = error.downcast_ref::<pipeline::Error>();
    let may_come = of_pipeline.is_some_and(pipeline::Error::is_absent_interface);
    if may_come && ServiceManager::from_environment().is_there() {
        return FAILED;
    }
    // A disk that is full now may have space later.
    let of_log = error.downcast_ref::<EventLogError>().is_some_and(|error| !error.is_full_disk());
    let is_usage = of_pipeline.is_some_and(pipeline::Error::is_usage)
        || error.is::<start::UnusableFile>()
        || error.is::<sandbox::StrictRefusal>()
        || of_log;
    if is_usage { USAGE } else { FAILED }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = Blocking(io::stdout().lock());
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// The outcome of writing to standard output. A reader that wants only the first lines, as head does, closes the
/// pipe.
fn written(outcome: io::Result<()>) -> anyhow::Result<()> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// A seed that prevents attackers from choosing hash collisions by their addresses; the counts do not depend on it.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one((now, std::process::id()))
}
