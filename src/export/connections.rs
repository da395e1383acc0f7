//! Counters of the server's connections: those that were refused, and those that the server closed. Takes reasons;
//! gives counters with one value for each. Must not know why a client was refused.

use prometheus::{IntCounterVec, Opts, Registry};

use super::family::{self, Family};

/// The reason why a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRefusal {
    /// All places are taken.
    Full,
    /// The client holds as many places as are free.
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

/// The kernel would not hand over a connection that a client asked for: a reason besides [`ClientRefusal`].
const ACCEPT: &str = "accept";

/// The reason why the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// No further request came.
    Idle,
    /// No whole request came.
    Silent,
    /// An exposition took too long.
    Slow,
    /// The client read nothing of an answer for too long.
    Stalled,
    /// It had sent no whole request, and others needed its place.
    Crowded,
    /// The head of its request is not HTTP, or larger than the limit.
    Invalid,
}

impl Cut {
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

/// Counters of connections and scrapes that were refused, and of connections that were cut.
pub struct ConnectionCounters {
    cut: IntCounterVec,
    refused: IntCounterVec,
    refused_scrapes: IntCounterVec,
}

impl ConnectionCounters {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refusals = ClientRefusal::ALL.map(ClientRefusal::label);
        let [full, share] = refusals;
        Ok(Self {
            cut: counters(registry, &family::HTTP_CONNECTIONS_CUT, &Cut::ALL.map(Cut::label))?,
            refused: counters(registry, &family::HTTP_CONNECTIONS_REFUSED, &[ACCEPT, full, share])?,
            refused_scrapes: counters(registry, &family::HTTP_SCRAPES_REFUSED, &refusals)?,
        })
    }

    /// Counts a connection that the server closed.
    pub fn count_cut(&self, cut: Cut) {
        self.cut.with_label_values(&[cut.label()]).inc();
    }

    /// Counts a connection that was answered 503 or closed at once.
    pub fn count_refused(&self, refusal: ClientRefusal) {
        self.refused.with_label_values(&[refusal.label()]).inc();
    }

    /// Counts a failure to accept a connection.
    pub fn count_failed_accept(&self) {
        self.refused.with_label_values(&[ACCEPT]).inc();
    }

    /// Counts a scrape that was answered 503.
    pub fn count_refused_scrape(&self, refusal: ClientRefusal) {
        self.refused_scrapes.with_label_values(&[refusal.label()]).inc();
    }
}

/// The counters of `family`, which has one label: those of `values`, all there from the start.
fn counters(registry: &Registry, family: &Family, values: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(family.name, family.help), family.labels)?;
    for value in values {
        counters.with_label_values(&[*value]);
    }
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}
