//! The work of the thread that delivers.
//!
//! Takes the intake and the deliveries; gives them time until the program ends. Must not know settings.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::delivery::{Lane, Phase, ReceiverDelivery};
use super::figures::FailureReason;
use super::intake::Intake;
use crate::os::threads::{self, Needs};

/// Idle threads that read secrets and write the journal stay for so long, so that not every delivery starts one.
const IDLE_THREADS_STAY: Duration = Duration::from_secs(300);

/// The end of the work.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// Deliveries end by then.
    pub deadline: Instant,
    pub reason: EndReason,
}

/// The reason why the work ends, which decides about the notices that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The program ends. A journal keeps them.
    Stop,
    /// Others deliver them: nothing is lost.
    HandedOver,
    /// A reload has removed all receivers. A journal keeps them.
    Removed,
}

/// The work of the thread.
pub(super) struct Engine {
    pub intake: Intake,
    pub deliveries: Vec<ReceiverDelivery>,
    pub lanes: Vec<Arc<Lane>>,
    pub phase: watch::Sender<Phase>,
    /// The inbox or the settlements have something.
    pub work: Arc<Notify>,
    /// True if a journal keeps what is not delivered.
    pub is_kept: bool,
}

/// The thread `notify`, which waits for its work. It ends if this is dropped.
pub(super) struct IdleThread {
    work: oneshot::Sender<Engine>,
    stop: oneshot::Sender<End>,
    /// Disconnected at the end of the thread.
    ended: mpsc::Receiver<()>,
}

impl IdleThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no space for a thread or a runtime.
    pub(super) fn start() -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.thread_keep_alive(IDLE_THREADS_STAY).enable_io().enable_time().build()?;
        let ((work, given), (stop, stopped)) = (oneshot::channel::<Engine>(), oneshot::channel());
        let (end, ended) = mpsc::sync_channel(0);
        threads::spawn("notify", Needs::Nothing, move || {
            if let Ok(engine) = runtime.block_on(given) {
                runtime.block_on(engine.run(stopped));
            }
            // A name server or a disk that does not answer must not hold the end of the program.
            runtime.shutdown_background();
            drop(end);
        })?;
        Ok(Self { work, stop, ended })
    }

    /// Gives the thread its work. The first of both ends it, at a deadline; the other is disconnected when it has ended.
    pub(super) fn work(self, engine: Engine) -> (oneshot::Sender<End>, mpsc::Receiver<()>) {
        // A thread that is gone takes no work: then the receiver is disconnected.
        drop(self.work.send(engine));
        (self.stop, self.ended)
    }
}

impl Engine {
    async fn run(mut self, mut stopped: oneshot::Receiver<End>) {
        let mut running = JoinSet::new();
        self.deliveries.drain(..).for_each(|delivery| drop(running.spawn(delivery.run())));
        self.intake.step().await;
        let end = loop {
            tokio::select! {
                end = &mut stopped => break end.unwrap_or_else(|_| End { deadline: Instant::now(), reason: EndReason::Stop }),
                () = self.work.notified() => {}
                () = self.intake.wait() => {}
                Some(Err(_)) = running.join_next() => report_stopped(),
            }
            self.intake.step().await;
        };
        self.drain(running, end).await;
    }

    async fn drain(mut self, mut running: JoinSet<()>, End { deadline, reason }: End) {
        self.intake.step().await;
        self.phase.send_replace(Phase::Draining { is_kept: self.is_kept || reason == EndReason::HandedOver });
        let drained = async {
            loop {
                tokio::select! {
                    ended = running.join_next() => match ended {
                        None => break,
                        Some(Err(_)) => report_stopped(),
                        Some(Ok(())) => {}
                    },
                    () = self.work.notified() => self.intake.step().await,
                }
            }
        };
        drop(timeout_at(deadline.into(), drained).await);
        running.shutdown().await;
        self.intake.step().await;
        self.lanes.iter().for_each(|lane| match reason {
            EndReason::HandedOver => {}
            EndReason::Removed if !self.is_kept => report_removed(lane),
            EndReason::Removed | EndReason::Stop => report_rest(lane, self.is_kept),
        });
    }
}

fn report_stopped() {
    tracing::error!("a receiver stopped after an internal error");
}

/// Logs and counts the notices that were not delivered at the end.
fn report_rest(lane: &Lane, is_kept: bool) {
    let (name, rest) = (&lane.name, lane.figures.waiting());
    match rest {
        0 => {}
        _ if is_kept => tracing::info!(receiver = name, alerts = rest, "alerts are left for the next start"),
        _ => {
            lane.figures.count_lost(FailureReason::Stopped, rest);
            tracing::warn!(receiver = name, alerts = rest, "alerts were not delivered; give --state.dir to keep them");
        }
    }
}

/// Logs and counts the notices of a receiver that does not exist any more.
pub(super) fn report_removed(lane: &Lane) {
    let (name, rest) = (&lane.name, lane.figures.waiting());
    if rest > 0 {
        lane.figures.count_lost(FailureReason::Stopped, rest);
        tracing::warn!(
            receiver = name,
            alerts = rest,
            "alerts were not delivered: a reload has removed their receiver"
        );
    }
}
