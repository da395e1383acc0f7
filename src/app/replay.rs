//! `replay`: files in, what was found out.

use std::io::{self, BufWriter, IsTerminal as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::{DONE, random_seed, say_error};
use crate::account::book::plain;
use crate::account::ledger::Ledger;
use crate::account::snapshot::Snapshot;
use crate::cli::{Output, Replay};
use crate::config::Config;
use crate::export::{self, format::Format};
use crate::locality::Classifier;
use crate::pipeline;

/// Reads the files in order and writes the accounts; those of what came before a fault, too, if anything did.
pub(super) fn run(replay: Replay) -> anyhow::Result<u8> {
    super::log::start(replay.config.log);
    replay.config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let (accounts, outcome) = read(&replay.files, &replay.config, max_rows(&replay), replay.workers, || false);
    if outcome.is_ok() || accounts.totals.frames.frames > 0 {
        write(&replay, &accounts)?;
    }
    Ok(outcome.err().map_or(DONE, |error| say_error(&error.into())))
}

/// Prometheus is shown a part of the flows that are held, people and scripts all.
fn max_rows(replay: &Replay) -> usize {
    match replay.output {
        Output::Table | Output::JsonLines => replay.config.account.max_flows,
        Output::Prometheus | Output::None => replay.config.account.max_series,
    }
}

/// The accounts of `files` with at most `max_rows` flows, counted by so many `workers`, and whether all could be read. Breaks off once `is_stopping` says so.
pub(super) fn read(
    files: &[impl AsRef<Path>],
    config: &Config,
    max_rows: usize,
    workers: usize,
    is_stopping: impl Fn() -> bool,
) -> (Snapshot, Result<(), pipeline::Error>) {
    let nothing = |error| (Snapshot::default(), Err(error));
    let seed = random_seed();
    let classifier = Arc::new(Classifier::new(&config.locality, []));
    let ledger = Ledger::new(&config.account, seed);
    let mut replay = match pipeline::replay::Replay::new(ledger, (), &classifier, seed, workers) {
        Ok(replay) => replay,
        Err(error) => return nothing(error),
    };
    let bar = progress_bar(files);
    let outcome = files.iter().try_for_each(|file| {
        let filter = config.capture.filter.as_deref();
        replay.read(file.as_ref(), filter, |bytes| {
            bar.inc(bytes);
            if is_stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    bar.finish_and_clear();
    match replay.finish() {
        Ok((ledger, ())) => (plain(&ledger, max_rows, config.account.max_host_series), outcome),
        Err(error) => nothing(error),
    }
}

/// Captured bytes over the size of the files, which is a little more; hidden where nobody looks.
fn progress_bar(files: &[impl AsRef<Path>]) -> ProgressBar {
    let size = files.iter().map(|file| file.as_ref().metadata().map_or(0, |metadata| metadata.len())).sum();
    if !io::stderr().is_terminal() || size == 0 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    style.map_or_else(|_| ProgressBar::hidden(), |style| ProgressBar::new(size).with_style(style))
}

fn write(replay: &Replay, accounts: &Snapshot) -> anyhow::Result<()> {
    let out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let written = match replay.output {
        Output::Table => export::table::write(accounts, out),
        Output::JsonLines => export::jsonl::write(accounts, out),
        Output::Prometheus => export::write(&replay.config.export, Format::Text, accounts, None, out),
        Output::None => export::write(&replay.config.export, Format::Text, accounts, None, io::sink()),
    };
    super::written(written)
}
