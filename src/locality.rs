//! Addresses → [`Direction`]: who is local, and what goes to and comes from the Internet.

/// Where a packet goes, seen from the local networks (CONTRACT rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Its destination is local, its source is not.
    Incoming,
    /// Its source is local, its destination is not.
    Outgoing,
    /// Both are local.
    Local,
    /// Neither is local.
    Transit,
}

impl Direction {
    /// All four, in order.
    pub const ALL: [Self; 4] = [Self::Incoming, Self::Outgoing, Self::Local, Self::Transit];

    /// The value of the label `direction`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Local => "local",
            Self::Transit => "transit",
        }
    }

    /// The direction of the packets that go the other way.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Incoming => Self::Outgoing,
            Self::Outgoing => Self::Incoming,
            same => same,
        }
    }
}
