//! The exporter: captures, or reads one file, and serves until a signal.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::replay::Lines;
use super::{DONE, FAILED, random_seed, say, self_metrics, start};
use crate::account::book::Book;
use crate::account::ledger::Ledger;
use crate::account::snapshot::Snapshot;
use crate::alert::Change;
use crate::capture::file_name;
use crate::capture::filter::UserFilter;
use crate::config::Config;
use crate::detect::Detectors;
use crate::events::{self, Tell, console, console::Style};
use crate::export::chart::Capabilities;
use crate::export::report::{Published, Report};
use crate::export::vitals::Vitals;
use crate::http::{Capacity, Listeners, Reported, Server, Site, reports};
use crate::pipeline::alarms::Alarms;
use crate::pipeline::replay::Progress;
use crate::pipeline::supervisor::{self, Setup};
use crate::{capture, cli, pipeline};

/// Threads that answer clients; expositions are rendered elsewhere.
const ANSWERING_THREADS: usize = 1;
/// How long a signal waits for the frames that are being read.
const LAST_READ: Duration = Duration::from_millis(500);

/// Runs until INT or TERM; a second one ends the program at once.
pub(super) fn run(config: Config) -> anyhow::Result<u8> {
    let capacity = Capacity::within(super::descriptors::raise()?);
    super::log::start(config.log);
    config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let filter = user_filter(&config)?;
    start::check_source(&config)?;
    let listeners = Listeners::bind(&config.http)?;
    let published = Arc::new(Published::default());
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("TRAFFICMONITOR_COMMIT"));
    start::say(&config, &version);
    let (scrapes, scraped) = reports();
    let reports = config.source.is_none().then_some(scrapes);
    let (export, capabilities) = (config.export.clone(), capabilities(&config));
    let vitals = Vitals::new()?;
    let program = if config.source.is_none() { self_metrics()?.with_vitals(vitals.clone())? } else { self_metrics()? };
    let site = Arc::new(Site::new(Arc::clone(&published), export, capabilities, program, version, reports));
    let runtime = Builder::new_multi_thread().worker_threads(ANSWERING_THREADS).enable_all().build()?;
    let stop = Stop::on_signal(&runtime)?;
    let addresses = listeners.addresses();
    let server = {
        let _in_runtime = runtime.enter();
        Server::new(listeners, Arc::clone(&site), capacity)?
    };
    let serving = runtime.spawn(server.run(stop.clone().received()));
    for address in addresses {
        tracing::info!(%address, "serving /metrics");
    }
    let status = match &config.source {
        Some(file) => read_file(file, &config, published, site, &stop, &runtime)?,
        None => capture_interfaces(config, filter, (scraped, published, vitals), site, &stop, &runtime)?,
    };
    runtime.block_on(serving)?;
    Ok(status)
}

/// Reads the file and serves its accounts meanwhile, then the final ones.
fn read_file(
    file: &Path,
    config: &Config,
    published: Arc<Published>,
    site: Arc<Site>,
    stop: &Stop,
    runtime: &Runtime,
) -> anyhow::Result<u8> {
    let meanwhile = Meanwhile::of(file, config, &published, &site);
    let reading = start_reading(file.to_owned(), config.clone(), meanwhile, stop.clone())?;
    let Some(read) = runtime.block_on(read_or_stopped(reading, stop.clone())) else {
        say(&format!("stopped while waiting for input from {}", file_name(file)));
        return Ok(DONE);
    };
    let (report, outcome) = read.map_err(|_| pipeline::Error::Panicked)?;
    let frames = report.accounts.totals.frames.frames;
    let (firing, fired) = (report.alerts.firing.len(), report.alerts.fired_total.values().sum::<u64>());
    published.publish(report);
    let status = match outcome {
        // What came before a fault is worth serving; a file of which nothing could be read is not.
        Err(error) if frames == 0 => return Err(explain(error).into()),
        Err(error) => {
            tracing::error!(%error, "capture file is broken; serving the part that could be read");
            FAILED
        }
        Ok(()) => DONE,
    };
    tracing::info!(
        file = file_name(file),
        frames,
        alerts = fired,
        firing,
        "the capture file is read; /metrics serves its final state"
    );
    site.set_ready();
    runtime.block_on(stop.clone().received());
    say(&format!("{frames} frames read from {}", file_name(file)));
    Ok(status)
}

/// The report, and whether all could be read.
type Reading = (Report, Result<(), pipeline::Error>);

/// Publishes the accounts of a file that is still being read.
struct Meanwhile {
    published: Arc<Published>,
    /// The site becomes ready with the first accounts, where the input may go on for ever.
    site: Option<Arc<Site>>,
    refresh: Duration,
    due: Instant,
    /// Something was read since the last time.
    has_news: bool,
}

impl Meanwhile {
    fn of(file: &Path, config: &Config, published: &Arc<Published>, site: &Arc<Site>) -> Self {
        // Standard input and named pipes; a regular file is ready when all of it is counted.
        let is_stream = file == Path::new("-") || !file.is_file();
        let refresh = config.pipeline.refresh;
        Self {
            published: Arc::clone(published),
            site: is_stream.then(|| Arc::clone(site)),
            refresh,
            due: Instant::now() + refresh,
            has_news: false,
        }
    }

    /// Publishes what was counted, once a refresh.
    fn look<T: Tell + Send + 'static>(&mut self, progress: &mut Progress<'_, Alarms<T>>, config: &Config) {
        self.has_news |= progress.frames > 0;
        let now = Instant::now();
        if !self.has_news || now < self.due {
            return;
        }
        if let Some((ledger, alarms)) = progress.accounts() {
            let report = super::replay::report(ledger, alarms, config, config.account.max_series);
            self.published.publish(report);
        }
        if let Some(site) = self.site.take() {
            site.set_ready();
        }
        self.has_news = false;
        self.due = now + self.refresh;
    }
}

/// Reads on a thread of its own: one that waits for more of its input hears no signal.
fn start_reading(
    file: PathBuf,
    config: Config,
    mut meanwhile: Meanwhile,
    stop: Stop,
) -> Result<oneshot::Receiver<Reading>, pipeline::Error> {
    let (sender, reading) = oneshot::channel();
    let read = move || {
        let style = style(&config);
        // Lines wait for a slow reader here: unlike live, nothing is lost meanwhile.
        let alerts = Lines::new(io::stdout(), move |change, out| console::write(change, style, out));
        let read = super::replay::read(&[file], &config, &config.detect, 1, alerts, |progress| {
            meanwhile.look(progress, &config);
            if stop.is_received() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        drop(sender.send((read.report(&config, config.account.max_series), read.outcome)));
    };
    thread::Builder::new().name("reader".to_owned()).spawn(read).map_err(pipeline::Error::Thread)?;
    Ok(reading)
}

/// What was read; none if the input is silent when a signal comes.
async fn read_or_stopped(mut reading: oneshot::Receiver<Reading>, stop: Stop) -> Option<Result<Reading, RecvError>> {
    tokio::select! {
        read = &mut reading => Some(read),
        () = stop.received() => timeout(LAST_READ, reading).await.ok(),
    }
}

/// Captures and serves.
fn capture_interfaces(
    config: Config,
    filter: Option<Arc<UserFilter>>,
    (scraped, published, vitals): (Reported, Arc<Published>, Vitals),
    site: Arc<Site>,
    stop: &Stop,
    runtime: &Runtime,
) -> anyhow::Result<u8> {
    let seed = random_seed();
    let detectors = Detectors::new(&config.detect, seed, Some(supervisor::tick(&config.pipeline)));
    let style = style(&config);
    let events = events::Queue::start(move |change: &Change| write_event(change, style))?;
    let alarms = Alarms::new(detectors, &config.alert, events);
    let setup = Setup {
        capture: config.capture,
        filter,
        locality: config.locality,
        pipeline: config.pipeline,
        ledger: Ledger::new(&config.account, seed),
        alarms,
        book: Book::new(&config.account),
        scraped,
        published,
        vitals,
        seed,
    };
    // A service manager starts the program anew.
    let on_death = || std::process::exit(i32::from(FAILED));
    let running = supervisor::start(setup, move || site.set_ready(), on_death).map_err(explain)?;
    runtime.block_on(stop.clone().received());
    running.stop();
    say(&closing_line(&running.join()?));
    Ok(DONE)
}

/// The user's filter, compiled before anything starts. That of a file depends on the file's link type.
pub(super) fn user_filter(config: &Config) -> Result<Option<Arc<UserFilter>>, pipeline::Error> {
    match (&config.source, config.capture.filter.as_deref().map(str::trim)) {
        (None, Some(text)) if !text.is_empty() => match UserFilter::new(text) {
            Ok(filter) => Ok(Some(Arc::new(filter))),
            Err(error) => Err(explain(error.into())),
        },
        _ => Ok(None),
    }
}

/// A filter that does not compile may be a file, or a subcommand that was mistyped.
fn explain(mut error: pipeline::Error) -> pipeline::Error {
    if let pipeline::Error::Capture(capture::Error::Filter { filter, reason }) = &mut error {
        cli::hints::explain(filter, reason);
    }
    error
}

/// For so long the signal that was heard is the same one again: who ends a whole group signals a process twice.
const SAME_SIGNAL: Duration = Duration::from_millis(200);

/// Becomes true at the first INT or TERM; from then on the next one ends the program at once.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    fn on_signal(runtime: &Runtime) -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let mut signals = runtime.block_on(async { Signals::new() })?;
        runtime.spawn(async move {
            let first = signals.next().await;
            let received = Instant::now();
            tracing::info!("stopping");
            sender.send_replace(true);
            while signals.next().await == first && received.elapsed() < SAME_SIGNAL {}
            std::process::exit(i32::from(FAILED));
        });
        Ok(Self(receiver))
    }

    fn is_received(&self) -> bool {
        *self.0.borrow()
    }

    async fn received(mut self) {
        if self.0.wait_for(|&received| received).await.is_err() {
            tracing::error!("signal handler stopped");
        }
    }
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

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        }
    }
}

/// The limits, for who asks for them.
fn capabilities(config: &Config) -> Capabilities {
    let (bandwidth, scan) = (config.detect.bandwidth.clone(), config.detect.scan.clone());
    Capabilities::of(&bandwidth.unwrap_or_default(), &scan.unwrap_or_default(), &config.capture.excluded)
}

fn style(config: &Config) -> Style {
    Style { form: super::log::form(config.log.format), explain: config.explain }
}

/// A line of its own on standard output.
fn write_event(change: &Change, style: Style) -> io::Result<()> {
    console::write(change, style, io::stdout().lock())
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
