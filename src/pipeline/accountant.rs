//! The accountant: merges the intervals of capture threads, and publishes a snapshot every refresh and the history every
//! second. Takes intervals, plans and reports of scrapes; gives snapshots and views of the history. Must not know
//! packets, nor readers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::alarms::Alarms;
use super::clock::ClockObserver as _;
use super::control::{AccountSettings, ControlBlock, Plan};
use super::handover::{FullInterval, WorkerMessage};
use super::heartbeat::Heartbeat;
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

/// The least time between two published views of the history. A little less than the second in which one is closed, so
/// that a late one delays no other.
const HISTORY_INTERVAL: Duration = Duration::from_millis(950);

/// The interval at which the accountant reads the plan. So an interface that is gone loses its gauges before the
/// refresh.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The time after a change of the local networks in which intervals come that counted by the earlier ones.
const LATE_INTERVALS: Duration = Duration::from_secs(10);

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
    /// True if interfaces that are gone by that plan were not looked for yet.
    pub has_new_plan: bool,
    /// The last snapshot that all scrapers had read when pending rows were last examined.
    pub counted_to: Option<u64>,
    /// The number of the history that was published last.
    pub history: u64,
    /// Until then, an interval may still have counted by the local networks of an earlier plan.
    pub reclassifies_until: Option<Instant>,
    pub heartbeat: Arc<Heartbeat>,
}

impl<T: AlertSink> Accountant<T> {
    /// The body of the thread: until every capture thread has ended. Gives the final accounts.
    pub(super) fn run(mut self) -> Snapshot {
        let _guard = self.heartbeat.running_guard();
        let mut next_refresh = Instant::now();
        let mut next_early = next_refresh;
        let mut next_history = next_refresh;
        loop {
            self.heartbeat.beat();
            if self.follow_settings() {
                next_refresh = Instant::now();
            }
            let now = Instant::now();
            self.record_scrapes();
            if now >= next_refresh || now >= next_early && self.should_count_pending() || self.is_interface_gone() {
                self.publish();
                next_refresh = now + self.refresh;
                next_early = now + EARLY_INTERVAL;
            }
            if now >= next_history && self.publish_history() {
                next_history = now + HISTORY_INTERVAL;
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
        self.publish_history();
        self.published.latest().accounts.clone()
    }

    /// Takes new settings, between two intervals; true if there were some.
    fn follow_settings(&mut self) -> bool {
        let Some(settings) = self.control.take_account_settings() else { return false };
        let AccountSettings { account, detect, alert, refresh, tick, taken } = *settings;
        self.refresh = refresh;
        self.ledger.set_limits(&account);
        self.snapshot_builder.configure(&account);
        self.alarms.configure(&detect, &alert, tick);
        // Readers see the new limits before the reload ends.
        self.publish();
        drop(taken);
        true
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
        self.adopt_plan();
        std::mem::take(&mut self.has_new_plan) && self.would_end_interfaces()
    }

    fn would_end_interfaces(&self) -> bool {
        self.ledger.would_end_interfaces(|name| is_kept(&self.plan, &self.reporting, name))
    }

    /// Ends the interfaces that are gone, and retires those whose last values every scraper has read. Without a scraper
    /// they are retired at once.
    fn end_interfaces(&mut self, delivery: Delivery) {
        self.adopt_plan();
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
        if self.reclassifies_until.is_some() {
            self.snapshot_builder.retire_reclassified(&mut self.ledger, &self.plan.classifier);
            self.reclassifies_until = self.reclassifies_until.filter(|until| Instant::now() < *until);
        }
        let (detection, alerts) = self.alarms.view();
        let (events, history_bytes) = (self.alarms.event_counts(), self.alarms.history_bytes());
        let latest = self.published.latest();
        let is_news = latest.accounts.scrapes != scrapes || latest.detection != detection || latest.alerts != alerts;
        if is_news || !self.snapshot_builder.is_unchanged(&self.ledger, delivery, now) {
            let accounts = Snapshot { scrapes, ..self.snapshot_builder.next(&mut self.ledger, delivery, now) };
            self.published.publish(Report { accounts, detection, alerts, events, history_bytes });
        }
    }

    /// Publishes the history if it has changed; false if it has not.
    fn publish_history(&mut self) -> bool {
        let Some(history) = self.alarms.history().filter(|history| history.number() > self.history) else {
            return false;
        };
        self.history = history.number();
        self.published.publish_history(history.view());
        true
    }

    /// Takes a message of a capture thread. True if a snapshot should be published before the refresh, because an
    /// interface came up, went down or is gone.
    fn receive(&mut self, message: WorkerMessage) -> bool {
        match message {
            WorkerMessage::Interval(full) => self.merge(full),
            WorkerMessage::Left { interface, worker } => {
                self.reporting.remove(&(interface, worker));
                self.adopt_plan();
                self.would_end_interfaces()
            }
        }
    }

    /// Goes on with the latest plan. For a while after the local networks have changed, rows of another direction than
    /// before leave.
    fn adopt_plan(&mut self) {
        let plan = self.control.plan();
        if Arc::ptr_eq(&plan, &self.plan) {
            return;
        }
        if plan.classifier != self.plan.classifier {
            self.reclassifies_until = Some(Instant::now() + LATE_INTERVALS);
        }
        self.plan = plan;
        self.has_new_plan = true;
    }

    fn merge(&mut self, mut full: FullInterval) -> bool {
        self.adopt_plan();
        self.alarms.set_classifier(&self.plan.classifier);
        let interface = self.ledger.interface(&full.interface);
        let was_up = self.ledger.is_up(interface);
        self.ledger.merge(interface, &full.interval, self.alarms.rows());
        self.alarms.count_dropped(&full.capture);
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
        full.give_back();
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;
    use crate::account::snapshot::Coverage;
    use crate::account::{self, FlowKeying};
    use crate::alert;
    use crate::capture::live::Statistics;
    use crate::decode::NotIp;
    use crate::detect::{self, Detectors};
    use crate::history::{History, HistoryRange};
    use crate::http::reports;
    use crate::pipeline::handover::Exchange;

    fn accountant(messages: Receiver<WorkerMessage>, published: &Arc<Published>) -> Accountant<()> {
        let detectors = Detectors::new(&detect::Config::nothing(), 1, None);
        let alarms = Alarms::new(detectors, &alert::Config::default(), ());
        let control = Arc::new(ControlBlock::new(Plan::default(), Arc::default()));
        Accountant {
            ledger: Ledger::new(&account::Config::default(), 1),
            alarms: alarms.with_history(Some(History::new(FlowKeying::Service, 1))),
            evidence: None,
            watermarks: Watermarks::default(),
            snapshot_builder: SnapshotBuilder::new(&account::Config::default()),
            deliveries: Deliveries::default(),
            scraped: reports().1,
            messages,
            reporting: BTreeSet::new(),
            plan: control.plan(),
            has_new_plan: false,
            control,
            published: Arc::clone(published),
            refresh: Duration::from_secs(5),
            counted_to: None,
            history: 0,
            reclassifies_until: None,
            heartbeat: Arc::default(),
        }
    }

    #[test]
    fn history_is_published_with_the_drops_and_with_frames_that_are_not_ip() {
        let at = |second| Timestamp::from_seconds_and_nanoseconds(second, 0);
        let (full, messages) = channel();
        let published = Arc::default();
        let accountant = accountant(messages, &published);
        let name = ("eth0".to_owned(), 0);
        let mut exchange = Exchange::new(name, full, &Arc::default(), accountant.alarms.grids(), 1);
        let accountant = thread::spawn(move || accountant.run());
        for second in 10..20 {
            exchange.filling_at(at(second)).0.observe_not_ip(NotIp::Arp, 60);
            let dropped = Statistics { dropped_by_kernel: 3, dropped_by_interface: 1, ..Statistics::default() };
            exchange.record(dropped, Coverage::default());
            exchange.hand_over_patiently();
        }
        exchange.filling_at(at(30));
        exchange.hand_over_patiently();
        drop(exchange);
        let accounts = accountant.join().unwrap();
        let history = published.history();
        let sum = history.totals_sum(HistoryRange::Hour).unwrap();
        assert_eq!((sum.not_ip, sum.dropped_by_kernel, sum.dropped_by_interface), (10, 30, 10));
        assert_eq!((history.end(), sum.seconds), (Some(at(30)), 20));
        assert_eq!(accounts.totals.not_ip(), 10);
        assert_eq!(published.latest().history_bytes, Some(history.memory_bytes));
    }
}
