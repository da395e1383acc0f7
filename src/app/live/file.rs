//! The exporter of a capture file: reads it, and serves its accounts meanwhile and afterwards. Takes the file's name and
//! the exporter; gives its end. Must not know the formats of files.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::RecvError};
use tokio::time::timeout;

use super::{Exporter, ExporterEnd, explain, manager};
use crate::alert::AlertSink;
use crate::app::alerting::AlertOutputs;
use crate::app::replay::{ReadOutputs, history_of_files};
use crate::app::sandbox::Sandbox;
use crate::app::signals::Stop;
use crate::app::{DONE, FAILED, signals};
use crate::capture::file_name;
use crate::config::Config;
use crate::export::{Published, Report};
use crate::history::History;
use crate::http::Site;
use crate::os::threads::{self, Needs};
use crate::pipeline;
use crate::pipeline::alarms::Alarms;
use crate::pipeline::replay::Progress;

/// Longest time that a signal waits for the frames that are being read.
const LAST_READ: Duration = Duration::from_millis(500);

/// Reads the file and serves its accounts meanwhile, then the final ones.
pub(super) fn read(
    file: &Path,
    config: &Config,
    exporter: &Exporter,
    sandbox: &mut Sandbox,
) -> anyhow::Result<ExporterEnd> {
    let Exporter { published, site, alerting, stop, runtime, .. } = exporter;
    let meanwhile = Meanwhile::of(file, config, published, site);
    let reading = start_reading(file.to_owned(), config.clone(), alerting.outputs(), meanwhile, stop.clone())?;
    sandbox.close()?;
    manager::ready_to_read(&exporter.manager, file)?;
    let manager = exporter.manager.clone();
    signals::on_hangup(move || {
        // The service manager waits for the end of the reload that it asked for.
        let _reloading = manager.reloading();
        tracing::warn!("a capture file is read, so HUP reloads nothing");
    });
    let Some(read) = runtime.block_on(read_or_stopped(reading, stop.clone())) else {
        let summary = format!("stopped while waiting for input from {}", file_name(file));
        return Ok(ExporterEnd { status: DONE, summary });
    };
    let (report, outcome) = read.map_err(|_| pipeline::Error::Panicked)?;
    let frames = report.accounts.totals.frames.frames;
    let (firing, fired) = (report.alerts.firing.len(), report.alerts.fired_total.values().sum::<u64>());
    published.publish(report);
    let status = match outcome {
        // Frames before a fault are worth serving; a file without any readable frame is not.
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
    exporter.wait_for_a_signal();
    Ok(ExporterEnd { status, summary: format!("{frames} frames read from {}", file_name(file)) })
}

/// The report, and whether all could be read.
type FileReport = (Report, Result<(), pipeline::Error>);

/// The least time between two published views of the history.
const HISTORY_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes the accounts and the history of a file that is still being read.
struct Meanwhile {
    published: Arc<Published>,
    /// The site to make ready with the first accounts, if the input may never end.
    site: Option<Arc<Site>>,
    refresh: Duration,
    due: Instant,
    has_news: bool,
    history_due: Instant,
    /// The number of the history that was published last.
    history: u64,
}

impl Meanwhile {
    fn of(file: &Path, config: &Config, published: &Arc<Published>, site: &Arc<Site>) -> Self {
        // Standard input and named pipes; a regular file is ready when all of it is counted.
        let is_stream = file == Path::new("-") || !file.is_file();
        let (refresh, now) = (config.pipeline.refresh, Instant::now());
        Self {
            published: Arc::clone(published),
            site: is_stream.then(|| Arc::clone(site)),
            refresh,
            due: now + refresh,
            has_news: false,
            history_due: now + HISTORY_INTERVAL,
            history: 0,
        }
    }

    /// Publishes the accounts once a refresh, and the history once a second.
    fn publish_if_due<T: AlertSink + Send + 'static>(
        &mut self,
        progress: &mut Progress<'_, Alarms<T>>,
        config: &Config,
    ) {
        self.has_news |= progress.frames > 0;
        let now = Instant::now();
        if now >= self.history_due {
            self.publish_history(progress.observer().and_then(Alarms::history));
            self.history_due = now + HISTORY_INTERVAL;
        }
        if !self.has_news || now < self.due {
            return;
        }
        if let Some((ledger, alarms)) = progress.accounts() {
            let report = crate::app::replay::report(ledger, alarms, config, config.account.max_series);
            self.published.publish(report);
        }
        if let Some(site) = self.site.take() {
            site.set_ready();
        }
        self.has_news = false;
        self.due = now + self.refresh;
    }

    /// Publishes the history if it has changed.
    fn publish_history(&mut self, history: Option<&History>) {
        if let Some(history) = history.filter(|history| history.number() > self.history) {
            self.history = history.number();
            self.published.publish_history(history.view());
        }
    }
}

/// Reads on a thread of its own: a thread that waits for input cannot react to a signal.
fn start_reading(
    file: PathBuf,
    config: Config,
    alerts: AlertOutputs,
    mut meanwhile: Meanwhile,
    stop: Stop,
) -> Result<oneshot::Receiver<FileReport>, pipeline::Error> {
    let (sender, reading) = oneshot::channel();
    let history = Some(history_of_files(&config));
    let outputs = ReadOutputs { violations: Box::new(alerts.clone()), sink: alerts, history };
    let read = move || {
        let read = crate::app::replay::read(&[file], &config, &config.detect, 1, outputs, |progress| {
            meanwhile.publish_if_due(progress, &config);
            if stop.is_received() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        meanwhile.publish_history(read.history());
        drop(sender.send((read.report(&config, config.account.max_series), read.outcome)));
    };
    threads::spawn("reader", Needs::Nothing, read).map_err(pipeline::Error::Thread)?;
    Ok(reading)
}

/// The outcome of reading; none if the input is silent when a signal comes.
async fn read_or_stopped(
    mut reading: oneshot::Receiver<FileReport>,
    stop: Stop,
) -> Option<Result<FileReport, RecvError>> {
    tokio::select! {
        read = &mut reading => Some(read),
        () = stop.received() => timeout(LAST_READ, reading).await.ok(),
    }
}
