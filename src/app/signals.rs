//! Signals: the first INT or TERM stops the program, a second one ends it at once. Takes nothing; gives a flag that
//! everything else may wait for. Must not know the work that it ends.
//!
//! A thread of its own waits for signals and does nothing else, so that no client and no reader of the log can delay
//! it. HUP reopens the event log and has the configuration reread; it does not end the exporter, whose terminal may
//! be closed. XFSZ is ignored: a file that may not grow is an error of a write, like a full disk.

use std::io;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{FAILED, log};
use crate::os::threads::{self, Needs};

/// A repetition within this time counts as the same signal: timeout(1) signals a process and then its group.
const SAME_SIGNAL: Duration = Duration::from_millis(20);
/// After the first signal the program has ended after this time, whatever it still waits for.
pub(super) const ENDS_WITHIN: Duration = Duration::from_millis(1_900);
/// The same with the kernel path: the last read of full maps takes a second or two on a busy machine, and an end without
/// it would leave filters at clsact.
pub(super) const ENDS_WITHIN_OF_KERNEL: Duration = Duration::from_millis(4_900);
/// The time of these that is left for what comes after the outputs: the pages and the log.
const AFTER_OUTPUTS: Duration = Duration::from_millis(250);
/// The last line of the log may take this long then.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The work at a HUP.
struct Hangup {
    actions: Vec<Box<dyn Fn() + Send>>,
    has_come: bool,
}

static HANGUP: Mutex<Hangup> = Mutex::new(Hangup { actions: Vec::new(), has_come: false });

fn hangup() -> MutexGuard<'static, Hangup> {
    HANGUP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `action` at each HUP, and now if one has come already: it may have come while the program started. The action
/// has to return within half a second, because other signals wait.
pub(super) fn on_hangup(action: impl Fn() + Send + 'static) {
    let mut hangup = hangup();
    if hangup.has_come {
        action();
    }
    hangup.actions.push(Box::new(action));
}

fn note_hangup() {
    let mut hangup = hangup();
    hangup.has_come = true;
    hangup.actions.iter().for_each(|action| action());
}

/// Has the moment of the first INT or TERM.
#[derive(Clone)]
pub(super) struct Stop {
    received: watch::Receiver<Option<Instant>>,
    flag: Arc<AtomicBool>,
    ends_within: Duration,
}

impl Stop {
    /// Starts the thread `signals`. After the first signal the program has `ends_within` to end by itself.
    pub(super) fn on_signal(ends_within: Duration) -> io::Result<Self> {
        let (sender, receiver) = watch::channel(None);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { Signals::new() })?;
        let flag = Arc::<AtomicBool>::default();
        let stop = Self { received: receiver, flag: Arc::clone(&flag), ends_within };
        let end = move || end_on_signal(&runtime, signals, (&sender, &flag), ends_within);
        threads::spawn("signals", Needs::Nothing, end)?;
        Ok(stop)
    }

    pub(super) fn is_received(&self) -> bool {
        self.received.borrow().is_some()
    }

    /// True from the first signal on.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// The moment by which the outputs have to end. Without a signal it is counted from now.
    pub(super) fn outputs_end(&self) -> Instant {
        let received = self.received.borrow().unwrap_or_else(Instant::now);
        received + self.ends_within.saturating_sub(AFTER_OUTPUTS)
    }

    /// Waits for the first signal.
    pub(super) async fn received(mut self) {
        if self.received.wait_for(Option::is_some).await.is_err() {
            tracing::error!("signal handler stopped");
        }
    }
}

/// The body of the thread. It acts before it logs.
fn end_on_signal(
    runtime: &Runtime,
    mut signals: Signals,
    (stop, flag): (&watch::Sender<Option<Instant>>, &AtomicBool),
    ends_within: Duration,
) {
    let first = runtime.block_on(signals.next());
    let received = Instant::now();
    flag.store(true, Ordering::Release);
    stop.send_replace(Some(received));
    tracing::info!("stopping");
    let again = async { while signals.next().await == first && received.elapsed() < SAME_SIGNAL {} };
    let is_late = runtime.block_on(async {
        tokio::select! {
            () = again => false,
            () = sleep(ends_within) => true,
        }
    });
    if is_late {
        tracing::error!("the program did not stop in time; it ends without the last counts");
        log::finish(Instant::now() + LAST_WORDS);
    }
    exit(i32::from(FAILED));
}

/// INT and TERM end the program, HUP rereads what may change. XFSZ is caught and ignored.
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
                _ = self.hangup.recv() => note_hangup(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn hangup_of_the_start_reaches_actions_that_come_later() {
        let counters = [Arc::<AtomicUsize>::default(), Arc::default()];
        let [first, later] = counters.clone();
        let count = |counter: Arc<AtomicUsize>| {
            move || {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        };
        on_hangup(count(first));
        note_hangup();
        on_hangup(count(later));
        note_hangup();
        assert_eq!(counters.map(|counter| counter.load(Ordering::Relaxed)), [2, 2]);
    }
}
