//! The numbers by which the ledger tells interfaces apart.

/// An interface in the ledger. A number is never given again, so that frames of one interface are not credited to
/// another that comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct InterfaceId(u64);

impl InterfaceId {
    /// The number of the interface that was registered after so many others.
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }
}
