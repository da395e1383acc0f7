//! The permitted networks: which sources may send. Takes networks; gives a [`Verdict`] for each source, and describes
//! [`Violation`]s. Must not know the accounting, nor event logs.

mod bucket;
mod config;
mod networks;
mod violation;

pub use bucket::EventBuckets;
pub use config::{Config, EventPace};
pub use networks::Networks;
pub use violation::{Action, EventCounts, SuppressedPackets, Violation};

/// The judgement of a packet by its source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A permitted network has the source, and no denied network inside it does.
    Permitted,
    /// No permitted network has the source, or a denied one does.
    NotPermitted,
}

impl Verdict {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Permitted, Self::NotPermitted];

    /// The value of the label `verdict`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::NotPermitted => "not_permitted",
        }
    }
}

/// Receives violations, and the packets that none of them tells of.
pub trait ViolationSink {
    /// Receives a violation, in the order in which they are found.
    fn report(&mut self, violation: &Violation);

    /// Receives packets that no violation tells of, nor will.
    fn report_suppressed(&mut self, suppressed: &SuppressedPackets);
}

/// Discards all violations.
impl ViolationSink for () {
    fn report(&mut self, _: &Violation) {}

    fn report_suppressed(&mut self, _: &SuppressedPackets) {}
}
