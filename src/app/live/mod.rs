//! The exporter: captures, or reads one file, and serves until a signal. Takes a configuration; gives an exit status.
//! Must not know the threads of the pipeline, nor the contents of pages.

mod file;
mod interfaces;
mod kernel_path;
mod manager;
mod reload;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::alerting::Alerting;
use super::memory::LimitInForce;
use super::sandbox::Sandbox;
use super::service_manager::ServiceManager;
use super::signals::{ENDS_WITHIN, ENDS_WITHIN_OF_KERNEL, Stop};
use super::{DONE, memory, say, start};
use crate::capture::filter::UserFilter;
use crate::capture::network::Network;
use crate::config::Config;
use crate::export::Published;
use crate::export::api::ApiSettings;
use crate::export::chart::Capabilities;
use crate::export::process::{Queue, SelfMetrics};
use crate::export::vitals::Vitals;
use crate::http::access::WebAccess;
use crate::http::{Capacity, Listeners, PageSettings, Server, Site, reloads, reports};
use crate::kernel::{Daq, Kernel};
use crate::names::Names;
use crate::os::allocator;
use crate::os::priority::lower_priority;
use crate::os::threads::{self, Needs};
use crate::{capture, cli, detect, pipeline};
use interfaces::CaptureParts;
use kernel_path::load_kernel;
pub(super) use kernel_path::load_kernel_program;

/// Threads that answer clients; expositions are rendered elsewhere.
const ANSWERING_THREADS: usize = 1;
/// Idle threads that render stay for longer than the time between two scrapes, so that not every scrape starts one.
const RENDERING_THREADS_STAY: Duration = Duration::from_secs(300);
/// The niceness of both: under load such a thread gets about a tenth of the time of one that captures.
const ANSWERING_NICENESS: i32 = 10;
/// Interval between two calls of [`allocator::give_back`].
const GIVE_BACK_EVERY: Duration = Duration::from_secs(15);
/// The fewest file descriptors that the program starts with: about 20 are open with one interface captured, and
/// connections take half.
pub(super) const FEWEST_DESCRIPTORS: u64 = 40;

/// Runs until INT or TERM; a second one ends the program at once.
pub(super) fn run(mut config: Config) -> anyhow::Result<u8> {
    let capacity = Capacity::within(raise_descriptor_limit()?);
    allocator::keep_little();
    // Before the first thread, because threads inherit. A refusal is said once the log can be written without waiting.
    let sandbox = Sandbox::prepare(&config);
    let lost_log_lines = super::log::start_queued(config.log)?;
    let mut sandbox = sandbox?;
    let memory_limit = memory::settle(&mut config);
    let capacity = capacity.limited(config.http.most_connections);
    // First, because compiling a filter may take seconds.
    let is_libpcap = config.kernel.daq == Daq::Libpcap;
    let stop = Stop::on_signal(if is_libpcap { ENDS_WITHIN } else { ENDS_WITHIN_OF_KERNEL })?;
    config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let filter = user_filter(&config)?;
    start::check_source(&config)?;
    start::check_files(&config)?;
    let access = start::web_access(&config)?;
    let kernel = load_kernel(&config)?;
    if stop.is_received() {
        return Ok(DONE);
    }
    let prepared = Prepared { capacity, stop, filter, kernel, access, memory_limit, lost_log_lines };
    export(config, prepared, &mut sandbox)
}

/// All that is opened and checked before anything runs.
struct Prepared {
    capacity: Capacity,
    stop: Stop,
    filter: Option<Arc<UserFilter>>,
    kernel: Option<Kernel>,
    access: WebAccess,
    memory_limit: Option<LimitInForce>,
    lost_log_lines: Arc<AtomicU64>,
}

/// Serves the pages, and captures or reads a file, until a signal.
fn export(config: Config, prepared: Prepared, sandbox: &mut Sandbox) -> anyhow::Result<u8> {
    let Prepared { capacity, stop, filter, kernel, access, memory_limit, lost_log_lines } = prepared;
    let listeners = Listeners::bind(&config.http)?;
    let published = Arc::new(Published::default());
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("TRAFFICMONITOR_COMMIT"));
    start::say(&config, &version, &access);
    sandbox.log_gaps();
    let (scrapes, scraped) = reports();
    let reports = config.source.is_none().then_some(scrapes);
    let vitals = Vitals::new()?;
    vitals.set_memory_limit(memory_limit.as_ref().map(LimitInForce::bytes));
    let names = super::naming::start(&config, &published)?;
    let known_names = names.as_ref().map(Names::reader).unwrap_or_default();
    let alerting = Alerting::start(&config, &version, known_names.clone(), &published)?;
    let mut program = self_metrics(&config, &vitals)?;
    program.count_lost_of(Queue::Log, lost_log_lines);
    show_figures(&mut program, sandbox, &alerting, &access, names.as_ref());
    let PageSettings { export, capabilities } = page_settings(&config);
    let site = Site::new(Arc::clone(&published), export, capabilities, program, version, reports);
    let (requester, requests) = reloads();
    let lifecycle = config.http.enables_lifecycle.then(|| requester.clone());
    let site = site.with_api(api_settings(&config), alerting.files(), known_names, capacity.streams());
    let site = Arc::new(site.with_lifecycle(lifecycle));
    let runtime = start_answering()?;
    let serving = start_serving(&runtime, listeners, &site, (access, capacity), &stop)?;
    let manager = ServiceManager::from_environment();
    let exporter = Exporter { published, site, alerting, stop, runtime, manager, memory_limit };
    sandbox.filter_calls()?;
    let end = match &config.source {
        Some(file) => {
            drop(requests);
            file::read(file, &config, &exporter, sandbox)
        }
        None => {
            let parts = CaptureParts { filter, kernel, scraped, vitals, requester, requests };
            interfaces::capture(config, parts, &exporter, sandbox)
        }
    };
    exporter.manager.stopping();
    drop(names);
    let Exporter { alerting, stop, runtime, .. } = exporter;
    alerting.finish(stop.outputs_end());
    let ExporterEnd { status, summary } = end?;
    say(&summary);
    runtime.block_on(serving)?;
    Ok(status)
}

fn show_figures(
    program: &mut SelfMetrics,
    sandbox: &Sandbox,
    alerting: &Alerting,
    access: &WebAccess,
    names: Option<&Names>,
) {
    program.show_sandbox(sandbox.figures());
    alerting.show_figures(program);
    access.figures().into_iter().for_each(|figures| program.show_access(figures));
    names.into_iter().for_each(|names| program.show_names(names.figures()));
}

/// Serves the pages from now on, until a signal.
fn start_serving(
    runtime: &Runtime,
    listeners: Listeners,
    site: &Arc<Site>,
    (access, capacity): (WebAccess, Capacity),
    stop: &Stop,
) -> std::io::Result<JoinHandle<()>> {
    let addresses = listeners.addresses();
    let server = {
        let _in_runtime = runtime.enter();
        Server::new(listeners, Arc::clone(site), access, capacity)?
    };
    let serving = runtime.spawn(server.run(stop.clone().received()));
    for address in addresses {
        tracing::info!(%address, "serving /metrics");
    }
    Ok(serving)
}

/// Lets this thread, and those that it starts, wait for those that capture and count where processors are short.
fn yield_to_capture() {
    if let Err(error) = lower_priority(ANSWERING_NICENESS) {
        tracing::debug!(%error, "the priority of the threads that answer clients stays as it is");
    }
}

/// The parts of the exporter that capturing and reading a file have in common.
struct Exporter {
    published: Arc<Published>,
    site: Arc<Site>,
    alerting: Alerting,
    stop: Stop,
    runtime: Runtime,
    manager: ServiceManager,
    memory_limit: Option<LimitInForce>,
}

impl Exporter {
    /// Waits for a signal, and gives free memory to the kernel meanwhile. This thread answers no client, so it may block.
    fn wait_for_a_signal(&self) {
        let give_back = async {
            let mut ticks = interval(GIVE_BACK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                allocator::give_back();
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                () = self.stop.clone().received() => {}
                () = give_back => {}
            }
        });
        self.manager.stopping();
    }
}

/// The runtime that answers clients. It is built on a thread that confines itself and lowers its priority: the threads of
/// the runtime, and those that they start later, inherit both.
fn start_answering() -> anyhow::Result<Runtime> {
    let build = || {
        yield_to_capture();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(ANSWERING_THREADS).thread_keep_alive(RENDERING_THREADS_STAY).enable_all().build()
    };
    let built = threads::spawn("runtime", Needs::Nothing, build)?.join();
    Ok(built.map_err(|_| pipeline::Error::Panicked)??)
}

/// Raises the soft limit of file descriptors to the hard one; gives the number of descriptors that the process may
/// have, if that is enough to begin with.
fn raise_descriptor_limit() -> anyhow::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // Without a limit the number is the largest.
    let (current, maximum) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let allowed = if raised.is_ok() { maximum } else { current };
    if allowed < FEWEST_DESCRIPTORS {
        anyhow::bail!(
            "too few file descriptors: {allowed} are allowed, {FEWEST_DESCRIPTORS} are needed (see `ulimit -n`)"
        );
    }
    Ok(allowed)
}

struct ExporterEnd {
    status: u8,
    /// The last line on standard error.
    summary: String,
}

/// The metrics of the program itself; those of a capture only where interfaces are captured.
fn self_metrics(config: &Config, vitals: &Vitals) -> anyhow::Result<SelfMetrics> {
    let (release, commit) = (env!("CARGO_PKG_VERSION"), env!("TRAFFICMONITOR_COMMIT"));
    let program = SelfMetrics::new(release, commit, &capture::library_version())?;
    Ok(if config.source.is_none() { program.with_vitals(vitals.clone())? } else { program })
}

/// The user's filter, compiled before anything starts. That of a file depends on the file's link type.
pub(super) fn user_filter(config: &Config) -> Result<Option<Arc<UserFilter>>, pipeline::Error> {
    match (&config.source, config.capture.filter.as_deref().map(str::trim)) {
        (None, Some(text)) if !text.is_empty() => match UserFilter::new(text) {
            Ok(filter) => Ok(Some(Arc::new(filter))),
            Err(error) => Err(explain(pipeline::Error::from(error).with_filter_place(config.filter_place.as_deref()))),
        },
        _ => Ok(None),
    }
}

/// A filter that does not compile may be a file, or a subcommand that was mistyped.
fn explain(mut error: pipeline::Error) -> pipeline::Error {
    if let pipeline::Error::Capture(capture::Error::Filter { filter, reason, .. }) = &mut error {
        cli::hints::explain(filter, reason);
    }
    error
}

/// The detectors, which know the addresses of this host as routers where it forwards packets.
fn with_own_routers(mut detect: detect::Config) -> detect::Config {
    if let Some(scan) = &mut detect.scan {
        scan.routers.extend(Network::read().unwrap_or_default().router_addresses());
    }
    detect
}

fn page_settings(config: &Config) -> PageSettings {
    PageSettings { export: config.export.clone(), capabilities: capabilities(config) }
}

/// The facts that answers of the API name.
fn api_settings(config: &Config) -> ApiSettings {
    let defaults = ApiSettings::default();
    ApiSettings {
        detects: config.detect.looks_for_something(),
        refresh: config.pipeline.refresh,
        local_networks: config.locality.networks.clone(),
        chart_min_bytes: config.detect.chart_min_bytes,
        prometheus_url: config.http.prometheus_url.clone(),
        runbooks: config.notify.runbook_url.clone().unwrap_or_else(|| defaults.runbooks.clone()),
        ..defaults
    }
}

/// The configured limits, for `/capabilities`.
fn capabilities(config: &Config) -> Capabilities {
    let detect::Config { bandwidth, scan, chart_min_bytes, no_destinations, .. } = config.detect.clone();
    let limits = Capabilities::of(&bandwidth.unwrap_or_default(), &scan.unwrap_or_default(), &config.capture.excluded);
    // These two hold without a detector too.
    Capabilities { explains: config.explain, chart_min_bytes, no_destinations, ..limits }
}
