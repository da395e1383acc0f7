//! The figures of a receiver: what was delivered, what failed and why, and how long it took.
//!
//! Takes counts from the delivery; gives them to readers without a lock. Must not know metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Why an attempt failed, or why a notice was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// No answer within the timeout.
    Timeout,
    /// No connection, no address for the name, or the connection ended before the answer.
    Connection,
    /// The certificate or the handshake was refused.
    Tls,
    /// The answer was no HTTP.
    Protocol,
    /// A status from 400 to 499 other than 429.
    ClientError,
    /// A status from 500 to 599.
    ServerError,
    /// Status 429.
    RateLimited,
    /// A redirect, or another status that is no success; redirects are not followed.
    Redirect,
    /// The file with the URL or the key could not be read, or held no usable value.
    Secret,
    /// The queue had no room.
    QueueFull,
    /// It waited for too long.
    TooOld,
    /// The program ended before the delivery, and no state directory keeps the notice.
    Stopped,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::Connection,
        Self::Tls,
        Self::Protocol,
        Self::ClientError,
        Self::ServerError,
        Self::RateLimited,
        Self::Redirect,
        Self::Secret,
        Self::QueueFull,
        Self::TooOld,
        Self::Stopped,
    ];

    /// The reasons for which a notice can be lost; after the others the delivery is tried again.
    pub const OF_LOSS: [Self; 5] = [Self::ClientError, Self::Redirect, Self::QueueFull, Self::TooOld, Self::Stopped];

    /// The reasons for which an attempt can fail.
    pub const OF_ATTEMPTS: [Self; 9] = [
        Self::Timeout,
        Self::Connection,
        Self::Tls,
        Self::Protocol,
        Self::ClientError,
        Self::ServerError,
        Self::RateLimited,
        Self::Redirect,
        Self::Secret,
    ];

    /// The value of the label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::ClientError => "http_4xx",
            Self::ServerError => "http_5xx",
            Self::RateLimited => "rate_limited",
            Self::Redirect => "redirect",
            Self::Secret => "secret",
            Self::QueueFull => "queue_full",
            Self::TooOld => "too_old",
            Self::Stopped => "stopped",
        }
    }

    /// The reason in words, for the log.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Timeout => "no answer in time",
            Self::Connection => "no connection",
            Self::Tls => "the TLS handshake failed",
            Self::Protocol => "the answer is not HTTP",
            Self::ClientError => "the receiver refused them",
            Self::ServerError => "the receiver has an error of its own",
            Self::RateLimited => "the receiver takes no more for now (status 429)",
            Self::Redirect => "the receiver answered with a redirect",
            Self::Secret => "the URL, the key or a header cannot be read",
            Self::QueueFull => "the queue is full",
            Self::TooOld => "they waited for too long",
            Self::Stopped => "the program ended",
        }
    }
}

/// Upper ends of the latency's buckets, in seconds.
pub const LATENCY_BUCKETS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];

/// The figures of one receiver.
#[derive(Debug, Default)]
pub struct ReceiverFigures {
    delivered: AtomicU64,
    lost: [AtomicU64; FailureReason::ALL.len()],
    failed_attempts: [AtomicU64; FailureReason::ALL.len()],
    waiting: AtomicU64,
    untracked: AtomicU64,
    /// The last one is for latencies above all buckets.
    latencies: [AtomicU64; LATENCY_BUCKETS.len() + 1],
    latency_sum_nanoseconds: AtomicU64,
}

/// Times from changes of alerts to their delivery.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latency {
    /// Number of deliveries up to each of [`LATENCY_BUCKETS`], each with those of the buckets before it.
    pub buckets: [u64; LATENCY_BUCKETS.len()],
    /// Number of all deliveries.
    pub count: u64,
    /// In seconds.
    pub sum: f64,
}

impl ReceiverFigures {
    /// Notices that the receiver accepted since the start.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Notices that were given up or lost since the start.
    pub fn lost(&self, reason: FailureReason) -> u64 {
        self.lost[reason as usize].load(Relaxed)
    }

    /// Requests that failed since the start. A request that is tried again counts each time.
    pub fn failed_attempts(&self, reason: FailureReason) -> u64 {
        self.failed_attempts[reason as usize].load(Relaxed)
    }

    /// Notices that wait for their delivery now.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// Firing alerts that were delivered and are not remembered, because too many fire: a restart does not resolve them.
    pub fn untracked(&self) -> u64 {
        self.untracked.load(Relaxed)
    }

    /// Times from changes of alerts to their delivery.
    pub fn latency(&self) -> Latency {
        let mut count = 0;
        let buckets = std::array::from_fn(|at| {
            count += self.latencies[at].load(Relaxed);
            count
        });
        let count = count + self.latencies[LATENCY_BUCKETS.len()].load(Relaxed);
        let sum = Duration::from_nanos(self.latency_sum_nanoseconds.load(Relaxed)).as_secs_f64();
        Latency { buckets, count, sum }
    }

    pub(super) fn count_delivered(&self, latency: Duration) {
        self.delivered.fetch_add(1, Relaxed);
        let seconds = latency.as_secs_f64();
        let bucket = LATENCY_BUCKETS.iter().position(|end| seconds <= *end).unwrap_or(LATENCY_BUCKETS.len());
        self.latencies[bucket].fetch_add(1, Relaxed);
        self.latency_sum_nanoseconds.fetch_add(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn count_lost(&self, reason: FailureReason, notices: u64) {
        self.lost[reason as usize].fetch_add(notices, Relaxed);
    }

    pub(super) fn count_failed_attempt(&self, reason: FailureReason) {
        self.failed_attempts[reason as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn count_untracked(&self, alerts: u64) {
        self.untracked.fetch_add(alerts, Relaxed);
    }

    pub(super) fn set_waiting(&self, notices: usize) {
        self.waiting.store(notices as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_all_latencies_up_to_their_ends() {
        let figures = ReceiverFigures::default();
        for milliseconds in [10, 100, 101, 4_000_000] {
            figures.count_delivered(Duration::from_millis(milliseconds));
        }
        let latency = figures.latency();
        assert_eq!(latency.buckets, [1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!((latency.count, latency.sum, figures.delivered()), (4, 4000.211, 4));
    }

    #[test]
    fn each_reason_has_its_own_counter_and_word() {
        let figures = ReceiverFigures::default();
        for (number, reason) in (1..).zip(FailureReason::ALL) {
            figures.count_lost(reason, number);
            assert_eq!(figures.lost(reason), number);
        }
        let words: std::collections::BTreeSet<_> = FailureReason::ALL.map(FailureReason::label).into();
        assert_eq!(words.len(), FailureReason::ALL.len());
    }
}
