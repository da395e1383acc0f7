//! Why entries leave bounded tables.
//!
//! Takes nothing; gives the two reasons and their label values. Must not know the policy by which a table chooses the
//! entries: docs/admission-and-eviction.md lists the policies of all tables.

/// The reason why an entry left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eviction {
    /// Nothing was counted for the idle timeout, or in any value of its series.
    Idle,
    /// Room was needed, and the policy of the table chose this entry.
    Full,
}

impl Eviction {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Idle, Self::Full];

    /// The value of the label `reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Full => "full",
        }
    }
}
