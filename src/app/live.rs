//! The exporter: captures, or reads one file, and serves until a signal.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{DONE, FAILED, random_seed, say, say_error, self_metrics};
use crate::account::ledger::Ledger;
use crate::account::snapshot::{Published, Snapshot};
use crate::config::Config;
use crate::http::{self, Listeners, Site};
use crate::pipeline::supervisor::{self, Running, Setup};
use crate::{capture, cli, pipeline};

/// Threads that answer clients; answers are made elsewhere.
const ANSWERING_THREADS: usize = 1;

/// Runs until INT or TERM; a second one ends the program at once.
pub(super) fn run(config: Config) -> anyhow::Result<u8> {
    super::log::start(config.log);
    config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let listeners = Listeners::bind(&config.http)?;
    let runtime = Builder::new_multi_thread().worker_threads(ANSWERING_THREADS).enable_all().build()?;
    let published = Arc::new(Published::default());
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("TRAFFICMONITOR_COMMIT"));
    let site = Arc::new(Site::new(Arc::clone(&published), config.export.clone(), self_metrics()?, version));
    let signals = runtime.block_on(async { Signals::new() })?;
    match &config.source {
        Some(file) => serve_file(file, &config, &published, &runtime, listeners, site, signals),
        None => serve_interfaces(config, published, &runtime, listeners, site, signals),
    }
}

/// Reads the file, then serves its final accounts.
fn serve_file(
    file: &Path,
    config: &Config,
    published: &Published,
    runtime: &Runtime,
    listeners: Listeners,
    site: Arc<Site>,
    signals: Signals,
) -> anyhow::Result<u8> {
    let (accounts, outcome) = super::replay::read(&[file], config);
    let frames = accounts.totals.frames.frames;
    published.publish(accounts);
    if let Err(error) = outcome {
        // What came before a fault is worth serving; a file of which nothing could be read is not.
        if frames == 0 {
            return Err(error.into());
        }
        tracing::error!(%error, "serving what came before the fault");
    }
    site.set_ready();
    serve(runtime, listeners, site, signals, || ())?;
    say(&format!("{frames} read from {}", crate::capture::file_name(file)));
    Ok(DONE)
}

/// Captures and serves.
fn serve_interfaces(
    config: Config,
    published: Arc<Published>,
    runtime: &Runtime,
    listeners: Listeners,
    site: Arc<Site>,
    signals: Signals,
) -> anyhow::Result<u8> {
    let seed = random_seed();
    let setup = Setup {
        capture: config.capture,
        locality: config.locality,
        pipeline: config.pipeline,
        ledger: Ledger::new(&config.account, seed),
        published,
        seed,
    };
    let running = supervisor::start(setup).map_err(explain)?;
    site.set_ready();
    let served = serve(runtime, listeners, site, signals, || running.stop());
    let accounts = finish(running)?;
    say(&closing_line(&accounts));
    Ok(served.map_or_else(|error| say_error(&error), |()| DONE))
}

fn finish(running: Running) -> anyhow::Result<Snapshot> {
    running.stop();
    Ok(running.join()?)
}

/// A filter that does not compile may be a subcommand that was mistyped.
fn explain(error: pipeline::Error) -> anyhow::Error {
    let hint = match &error {
        pipeline::Error::Capture(capture::Error::Filter { filter, .. }) => {
            filter.split_whitespace().next().and_then(cli::nearest_subcommand)
        }
        _ => None,
    };
    match hint {
        Some(subcommand) => anyhow::Error::from(error).context(format!("did you mean the subcommand `{subcommand}`?")),
        None => error.into(),
    }
}

/// Serves until a signal comes, then calls `on_signal`.
fn serve(
    runtime: &Runtime,
    listeners: Listeners,
    site: Arc<Site>,
    signals: Signals,
    on_signal: impl FnOnce(),
) -> anyhow::Result<()> {
    for address in listeners.addresses() {
        tracing::info!(%address, "serving /metrics");
    }
    let stop = async move {
        on_signal_received(signals).await;
        on_signal();
    };
    runtime.block_on(http::serve(listeners, site, stop)).context("cannot serve")
}

/// Waits for the first signal; from then on the next one ends the program at once.
async fn on_signal_received(mut signals: Signals) {
    signals.next().await;
    tracing::info!("stopping");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(i32::from(FAILED));
    });
}

/// INT and TERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// As tcpdump ends.
fn closing_line(accounts: &Snapshot) -> String {
    let captures = accounts.interfaces.iter().filter_map(|interface| interface.capture);
    let (received, dropped) = captures.fold((0, 0), |(received, dropped), capture| {
        (received + capture.received, dropped + capture.dropped_by_kernel)
    });
    let captured = accounts.totals.frames.frames + accounts.totals.copies.frames;
    format!("{captured} captured, {received} received by filter, {dropped} dropped by kernel")
}
