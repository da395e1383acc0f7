//! The numbers of interfaces in the ledger.
//!
//! Takes the count of registered interfaces; gives the next number. Must not know names.

/// An interface in the ledger. A number is never used again, so frames of one interface are not credited to another
/// that comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct InterfaceId(u64);

impl InterfaceId {
    /// The number of the interface that was registered after so many others.
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }
}
