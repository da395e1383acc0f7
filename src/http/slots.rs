//! A limited number of slots that clients share. Takes clients; gives slots, or the reason of a refusal. Must not know
//! the use of a slot.
//!
//! A client may hold no more slots than are still free: the first client takes half of them at most, the next half of
//! the rest, and so on. So no client starves another, and the number of clients need not be configured.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::export::connections::ClientRefusal;

/// The bits of an IPv6 address that its network assigns; a client chooses the others as it likes.
const GIVEN_BITS: u32 = 64;

/// One client: an IPv4 address, or the IPv6 addresses of one /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientId(IpAddr);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<IpAddr> for ClientId {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << GIVEN_BITS)).into(),
            address => address,
        })
    }
}

/// A limited number of slots, and the clients that hold some of them.
#[derive(Debug)]
pub(super) struct Slots {
    limit: usize,
    /// The number of slots of each client. A client without a slot has no entry, so there are at most `limit` entries.
    holders: Mutex<BTreeMap<ClientId, usize>>,
    freed: Notify,
}

/// A slot; it is free again once this is dropped.
#[derive(Debug)]
pub(super) struct ClientSlot {
    slots: Arc<Slots>,
    origin: ClientId,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, holders: Mutex::default(), freed: Notify::new() })
    }

    /// A slot, if one is free for this client.
    pub(super) fn take(self: &Arc<Self>, origin: ClientId) -> Result<ClientSlot, ClientRefusal> {
        let mut holders = self.holders();
        let free = self.limit - holders.values().sum::<usize>();
        let own = holders.get(&origin).copied().unwrap_or_default();
        match free {
            0 => Err(ClientRefusal::Full),
            _ if own >= free => Err(ClientRefusal::Share),
            _ => {
                holders.insert(origin, own + 1);
                Ok(ClientSlot { slots: Arc::clone(self), origin })
            }
        }
    }

    /// Waits for a slot until `patience` resolves.
    pub(super) async fn wait(
        self: &Arc<Self>,
        origin: ClientId,
        patience: impl Future,
    ) -> Result<ClientSlot, ClientRefusal> {
        let mut patience = std::pin::pin!(patience);
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // Registered before the attempt below, so that no release is missed.
            freed.as_mut().enable();
            let refusal = match self.take(origin) {
                Ok(slot) => return Ok(slot),
                Err(refusal) => refusal,
            };
            tokio::select! {
                () = freed => {}
                _ = &mut patience => return Err(refusal),
            }
        }
    }

    fn holders(&self) -> MutexGuard<'_, BTreeMap<ClientId, usize>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        let mut holders = self.slots.holders();
        match holders.get_mut(&self.origin) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(holders.remove(&self.origin)),
        }
        drop(holders);
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn origin(address: &str) -> ClientId {
        address.parse::<IpAddr>().unwrap().into()
    }

    /// As many as the client is given.
    fn taken(slots: &Arc<Slots>, address: &str) -> Vec<ClientSlot> {
        std::iter::from_fn(|| slots.take(origin(address)).ok()).collect()
    }

    #[test]
    fn a_client_alone_takes_half() {
        let slots = Slots::new(8);
        let held = taken(&slots, "192.0.2.1");
        assert_eq!(held.len(), 4);
        assert_eq!(slots.take(origin("192.0.2.1")).unwrap_err(), ClientRefusal::Share);
    }

    #[test]
    fn each_greedy_client_takes_half_of_what_the_others_left() {
        let slots = Slots::new(16);
        let greedy: Vec<Vec<ClientSlot>> = (1..=6).map(|host| taken(&slots, &format!("192.0.2.{host}"))).collect();
        assert_eq!(greedy.iter().map(Vec::len).collect::<Vec<_>>(), [8, 4, 2, 1, 1, 0]);
        assert_eq!(slots.take(origin("192.0.2.7")).unwrap_err(), ClientRefusal::Full);
        assert_eq!(slots.take(origin("192.0.2.1")).unwrap_err(), ClientRefusal::Full);
    }

    #[test]
    fn released_slots_are_free_again_and_no_state_is_kept_of_clients_that_left() {
        let slots = Slots::new(4);
        for _ in 0..3 {
            assert_eq!(taken(&slots, "192.0.2.1").len(), 2);
        }
        assert!(slots.holders().is_empty());
    }

    #[test]
    fn of_ipv6_a_64_is_one_client_and_ipv4_is_ipv4_however_it_is_written() {
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
    }

    #[tokio::test]
    async fn waiting_client_gets_a_slot_that_becomes_free() {
        let slots = Slots::new(2);
        let first = slots.take(origin("192.0.2.1")).unwrap();
        let _second = slots.take(origin("192.0.2.2")).unwrap();
        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.wait(origin("192.0.2.3"), std::future::pending::<()>()).await.is_ok() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn client_that_waited_too_long_is_refused_with_the_reason() {
        let slots = Slots::new(2);
        let _held = slots.take(origin("192.0.2.1")).unwrap();
        let refused = |address| slots.wait(origin(address), std::future::ready(()));
        assert_eq!(refused("192.0.2.1").await.unwrap_err(), ClientRefusal::Share);
        let _other = slots.take(origin("192.0.2.2")).unwrap();
        assert_eq!(refused("192.0.2.3").await.unwrap_err(), ClientRefusal::Full);
    }
}
