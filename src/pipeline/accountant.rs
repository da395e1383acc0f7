//! The accountant: merges the intervals of capture threads, and publishes a snapshot every refresh. Takes intervals,
//! plans and reports of scrapes; gives snapshots. Must not know packets, nor the readers of snapshots.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::alarms::Alarms;
use super::clock::ClockObserver as _;
use super::control::{ControlBlock, Plan};
use super::handover::{FullInterval, WorkerMessage};
use super::watchdog::Heartbeat;
use super::watermarks::Watermarks;
use crate::account::InterfaceId;
use crate::account::delivery::{Deliveries, Delivery};
use crate::account::ledger::Ledger;
use crate::account::observer::RowObserver as _;
use crate::account::snapshot::Snapshot;
use crate::account::snapshot_builder::SnapshotBuilder;
use crate::alert::AlertSink;
use crate::detect::Notes;
use crate::evidence::EvidenceSender;
use crate::export::{Published, Report};
use crate::http::ScrapeReports;
use crate::packet::Timestamp;

/// The least time between a snapshot and the next one that is published before its refresh.
const EARLY_INTERVAL: Duration = Duration::from_secs(1);

/// The interval at which the accountant reads the plan. So an interface that is gone loses its gauges before the
/// refresh.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The only writer of the ledger.
pub(super) struct Accountant<T> {
    pub ledger: Ledger<Notes>,
    pub alarms: Alarms<T>,
    /// Learns of lost packets, where packets are kept as evidence.
    pub evidence: Option<EvidenceSender>,
    pub watermarks: Watermarks,
    pub snapshot_builder: SnapshotBuilder,
    pub deliveries: Deliveries,
    pub scraped: ScrapeReports,
    pub messages: Receiver<WorkerMessage>,
    /// The capture threads that have not left yet, by interface and worker: as many as there are at most.
    pub reporting: BTreeSet<(String, usize)>,
    pub control: Arc<ControlBlock>,
    pub published: Arc<Published>,
    pub refresh: Duration,
    /// The plan that was read last.
    pub plan: Arc<Plan>,
    /// The last snapshot that all scrapers had read when pending rows were last examined.
    pub counted_to: Option<u64>,
    pub heartbeat: Arc<Heartbeat>,
}

impl<T: AlertSink> Accountant<T> {
    /// The body of the thread: until every capture thread has ended. Gives the final accounts.
    pub(super) fn run(mut self) -> Snapshot {
        let _guard = self.heartbeat.running_guard();
        let mut next_refresh = Instant::now();
        let mut next_early = next_refresh;
        loop {
            self.heartbeat.beat();
            let now = Instant::now();
            self.record_scrapes();
            if now >= next_refresh || now >= next_early && self.should_count_pending() || self.is_interface_gone() {
                self.publish();
                next_refresh = now + self.refresh;
                next_early = now + EARLY_INTERVAL;
            }
            match self.messages.recv_timeout(next_refresh.saturating_duration_since(now).min(CHECK_INTERVAL)) {
                Ok(message) => {
                    if self.receive(message) {
                        next_refresh = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.alarms.report_rest();
        self.publish();
        self.published.latest().accounts.clone()
    }

    fn record_scrapes(&mut self) {
        let now = Timestamp::from(SystemTime::now());
        while let Some(report) = self.scraped.try_next() {
            self.deliveries.record(report, now);
        }
    }

    /// True if every scraper has now read the 0 of a pending row, so that its bytes may count. This should not wait for
    /// the refresh: the next scrape may come sooner.
    fn should_count_pending(&mut self) -> bool {
        let delivery = self.deliveries.delivery(Timestamp::from(SystemTime::now()));
        let is_later = delivery.to_all > self.counted_to;
        self.counted_to = delivery.to_all;
        is_later && self.snapshot_builder.would_count(delivery)
    }

    fn is_interface_gone(&mut self) -> bool {
        let plan = self.control.plan();
        let is_new = !Arc::ptr_eq(&plan, &self.plan);
        self.plan = plan;
        is_new && self.would_end_interfaces()
    }

    fn would_end_interfaces(&self) -> bool {
        self.ledger.would_end_interfaces(|name| is_kept(&self.plan, &self.reporting, name))
    }

    /// Ends the interfaces that are gone, and retires those whose last values every scraper has read. Without a scraper
    /// they are retired at once.
    fn end_interfaces(&mut self, delivery: Delivery) {
        self.plan = self.control.plan();
        let is_kept = |name: &str| is_kept(&self.plan, &self.reporting, name);
        for interface in self.ledger.end_interfaces(is_kept, self.snapshot_builder.next_number()) {
            self.alarms.rows().forget_interface(interface);
        }
        let is_waiting = self.deliveries.is_waiting();
        self.ledger.retire_interfaces(|since| match delivery.to_all {
            Some(delivered) => since <= delivered,
            None => !is_waiting,
        });
        if let Some(advance) = self.watermarks.keep(is_kept) {
            advance.notify(&mut self.alarms);
        }
    }

    fn publish(&mut self) {
        self.record_scrapes();
        let now = Timestamp::from(SystemTime::now());
        let (delivery, scrapes) = (self.deliveries.delivery(now), self.deliveries.ended());
        self.end_interfaces(delivery);
        let (detection, alerts) = self.alarms.view();
        let events = self.alarms.event_counts();
        let latest = self.published.latest();
        let is_news = latest.accounts.scrapes != scrapes || latest.detection != detection || latest.alerts != alerts;
        if is_news || !self.snapshot_builder.is_unchanged(&self.ledger, delivery, now) {
            let accounts = Snapshot { scrapes, ..self.snapshot_builder.next(&mut self.ledger, delivery, now) };
            self.published.publish(Report { accounts, detection, alerts, events });
        }
    }

    /// Takes a message of a capture thread. True if a snapshot should be published before the refresh, because an
    /// interface came up, went down or is gone.
    fn receive(&mut self, message: WorkerMessage) -> bool {
        match message {
            WorkerMessage::Interval(full) => self.merge(full),
            WorkerMessage::Left { interface, worker } => {
                self.reporting.remove(&(interface, worker));
                self.plan = self.control.plan();
                self.would_end_interfaces()
            }
        }
    }

    fn merge(&mut self, mut full: FullInterval) -> bool {
        let plan = self.control.plan();
        self.alarms.set_classifier(&plan.classifier);
        let interface = self.ledger.interface(&full.interface);
        let was_up = self.ledger.is_up(interface);
        self.ledger.merge(interface, &full.interval, self.alarms.rows());
        self.alarms.take_reports(std::mem::take(&mut full.reports));
        self.ledger.record_interval(interface, full.worker, full.interval.memory_bytes());
        self.ledger.record_capture(interface, &full.interface, full.capture);
        self.ledger.record_handover_delays(full.delays);
        self.note_lost(interface, &full);
        let thread = (full.interface.clone(), full.worker);
        if !self.reporting.contains(&thread) {
            self.reporting.insert(thread.clone());
        }
        if let Some(advance) = self.watermarks.report(thread, full.time) {
            advance.notify(&mut self.alarms);
        }
        full.give_back(&plan.classifier);
        self.ledger.is_up(interface) != was_up
    }

    /// Counts the losses of an interval: dropped frames, and packets without a row.
    fn note_lost(&mut self, interface: InterfaceId, full: &FullInterval) {
        let FullInterval { capture, interval, time: Some(time), .. } = full else { return };
        let overflow: u64 = interval.overflow().iter().map(|(_, counters)| counters.packets).sum();
        let lost = capture.dropped_by_kernel + overflow;
        let packets = capture.received.max(lost);
        if capture.dropped_by_kernel > 0
            && let Some(evidence) = &self.evidence
        {
            evidence.note_lost(capture.dropped_by_kernel, *time);
        }
        if packets > 0 {
            self.alarms.rows().note_lost(interface, packets, lost, *time);
        }
    }
}

/// True if the metrics of an interface stay: the plan keeps it, or a capture thread may still hand over its counts.
fn is_kept(plan: &Plan, reporting: &BTreeSet<(String, usize)>, name: &str) -> bool {
    plan.kept.contains(name) || reporting.iter().any(|(interface, _)| interface == name)
}
