//! Counters of the server's connections: those that it refused, and those that it closed. Takes reasons; counts each
//! under its own label value. Must not know the limits of the server.

use prometheus::{IntCounterVec, Opts, Registry};

use super::family::{self, Family};

/// The reason why a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRefusal {
    /// All slots are taken.
    Full,
    /// The client holds as many slots as are free.
    Share,
}

impl ClientRefusal {
    const ALL: [Self; 2] = [Self::Full, Self::Share];

    const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Share => "share",
        }
    }
}

/// The reason, besides those of [`ClientRefusal`], that the kernel did not hand a connection over.
const ACCEPT: &str = "accept";

/// The reason why the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// After an answer, no further request came.
    Idle,
    /// No whole request came.
    Silent,
    /// The client read an exposition too slowly.
    Slow,
    /// The client read nothing of an answer for too long.
    Stalled,
    /// It was idle, and a new connection needed its place.
    Crowded,
    /// The head of its request is not HTTP, or larger than the limit.
    Invalid,
}

impl CloseReason {
    const ALL: [Self; 6] = [Self::Idle, Self::Silent, Self::Slow, Self::Stalled, Self::Crowded, Self::Invalid];

    const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Crowded => "crowded",
            Self::Invalid => "invalid",
        }
    }
}

/// Counters of refused connections and scrapes, and of connections that the server closed.
pub struct ConnectionCounters {
    cut: IntCounterVec,
    refused: IntCounterVec,
    refused_scrapes: IntCounterVec,
    refused_api: IntCounterVec,
}

impl ConnectionCounters {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refusals = ClientRefusal::ALL.map(ClientRefusal::label);
        let [full, share] = refusals;
        Ok(Self {
            cut: counters(registry, &family::HTTP_CONNECTIONS_CUT, &CloseReason::ALL.map(CloseReason::label))?,
            refused: counters(registry, &family::HTTP_CONNECTIONS_REFUSED, &[ACCEPT, full, share])?,
            refused_scrapes: counters(registry, &family::HTTP_SCRAPES_REFUSED, &refusals)?,
            refused_api: counters(registry, &family::HTTP_API_REFUSED, &refusals)?,
        })
    }

    /// Counts a connection that the server closed.
    pub fn count_closed(&self, reason: CloseReason) {
        self.cut.with_label_values(&[reason.label()]).inc();
    }

    /// Counts a connection that was answered 503 or closed at once.
    pub fn count_refused(&self, refusal: ClientRefusal) {
        self.refused.with_label_values(&[refusal.label()]).inc();
    }

    /// Counts a failure to accept a connection.
    pub fn count_failed_accept(&self) {
        self.refused.with_label_values(&[ACCEPT]).inc();
    }

    /// Counts a request to the API, or for a stream of events, that was answered 503.
    pub fn count_refused_api(&self, refusal: ClientRefusal) {
        self.refused_api.with_label_values(&[refusal.label()]).inc();
    }

    /// Counts a scrape that was answered 503.
    pub fn count_refused_scrape(&self, refusal: ClientRefusal) {
        self.refused_scrapes.with_label_values(&[refusal.label()]).inc();
    }
}

/// The counters of `family`, which has one label. All `values` of the label exist from the start, with 0.
fn counters(registry: &Registry, family: &Family, values: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(family.name, family.help), family.labels)?;
    for value in values {
        counters.with_label_values(&[*value]);
    }
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}
