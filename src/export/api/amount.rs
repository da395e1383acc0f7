//! Bytes and packets in answers. Takes counters; gives JSON. Must not know their use.

use serde::Serialize;

use crate::account::flow::Counters;

/// IP bytes and packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Amount {
    pub bytes: u64,
    pub packets: u64,
}

impl From<Counters> for Amount {
    fn from(Counters { packets, bytes }: Counters) -> Self {
        Self { bytes, packets }
    }
}
