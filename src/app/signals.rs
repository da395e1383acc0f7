//! Signals: the first INT or TERM stops the program, a second one ends it at once. Takes nothing; gives a flag that
//! everything else may wait for. Must not know the work that it ends.
//!
//! A thread of its own waits for signals and does nothing else, so that no client and no reader of the log can delay
//! it. HUP opens the event log anew; it does not end the exporter, whose terminal may be closed. XFSZ is ignored: a file
//! that may not grow is an error of a write, like a full disk.

use std::io;
use std::process::exit;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{FAILED, log};
use crate::events::log::LogReopener;

/// A repetition within this time counts as the same signal: timeout(1) signals a process and then its group.
const SAME_SIGNAL: Duration = Duration::from_millis(20);
/// After the first signal the program has ended after this time, whatever it still waits for.
const ENDS_WITHIN: Duration = Duration::from_millis(1_900);
/// The time of these that is left for what comes after the outputs: the pages and the log.
const AFTER_OUTPUTS: Duration = Duration::from_millis(250);
/// The last line of the log may take this long then.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The event log that HUP opens anew, once it has started.
static ON_HANGUP: OnceLock<LogReopener> = OnceLock::new();

/// Opens this event log anew at each HUP from now on.
pub(super) fn reopen_on_hangup(log: LogReopener) {
    ON_HANGUP.get_or_init(|| log);
}

/// Has the moment of the first INT or TERM.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    /// Starts the thread `signals`.
    pub(super) fn on_signal() -> io::Result<Self> {
        let (sender, receiver) = watch::channel(None);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { Signals::new() })?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || end_on_signal(&runtime, signals, &sender))?;
        Ok(Self(receiver))
    }

    pub(super) fn is_received(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The moment by which the outputs have to end. Without a signal it is counted from now.
    pub(super) fn outputs_end(&self) -> Instant {
        let received = self.0.borrow().unwrap_or_else(Instant::now);
        received + (ENDS_WITHIN - AFTER_OUTPUTS)
    }

    /// Waits for the first signal.
    pub(super) async fn received(mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            tracing::error!("signal handler stopped");
        }
    }
}

/// The body of the thread. It acts before it logs.
fn end_on_signal(runtime: &Runtime, mut signals: Signals, stop: &watch::Sender<Option<Instant>>) {
    let first = runtime.block_on(signals.next());
    let received = Instant::now();
    stop.send_replace(Some(received));
    tracing::info!("stopping");
    let again = async { while signals.next().await == first && received.elapsed() < SAME_SIGNAL {} };
    let is_late = runtime.block_on(async {
        tokio::select! {
            () = again => false,
            () = sleep(ENDS_WITHIN) => true,
        }
    });
    if is_late {
        tracing::error!("the program did not stop in time; it ends without the last counts");
        log::finish(Instant::now() + LAST_WORDS);
    }
    exit(i32::from(FAILED));
}

/// INT and TERM end the program, HUP opens the event log anew. XFSZ is caught and ignored.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    _ignored: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let file_size = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            _ignored: signal(file_size)?,
        })
    }

    /// The next signal that ends the program.
    async fn next(&mut self) -> SignalKind {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return SignalKind::interrupt(),
                _ = self.terminate.recv() => return SignalKind::terminate(),
                _ = self.hangup.recv() => ON_HANGUP.get().into_iter().for_each(LogReopener::reopen),
            }
        }
    }
}
