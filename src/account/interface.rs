//! The sources of frames, as the ledger numbers them.

/// A source of frames in the ledger, by the order of registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceId(usize);

impl InterfaceId {
    /// The source that was registered after so many others.
    pub(super) const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its place among the interfaces of a snapshot.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}
