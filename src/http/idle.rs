//! Idle connections: those without a request that is being answered. Takes connections and their clients; tells a
//! connection when it has to close. Must not know requests.
//!
//! Idle connections have a limit of their own, so that silent clients take no slot from clients with a request. At the
//! limit one is closed: if possible one that has never sent a whole request. Of these it is the oldest of the client
//! with the most. So a client with few connections keeps them, however many other clients come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::slots::{ClientId, ClientSlot};

/// The idle connections, at most a given number.
#[derive(Debug)]
pub(super) struct IdleConnections {
    limit: usize,
    table: Mutex<IdleTable>,
}

#[derive(Debug, Default)]
struct IdleTable {
    /// The number of the next connection that becomes idle. A lower number has been idle for longer.
    next: u64,
    /// Connections that have never sent a whole request.
    silent: IdleClass,
    /// Connections that have sent one, which was answered.
    answered: IdleClass,
}

impl IdleTable {
    fn count(&self) -> usize {
        self.silent.count + self.answered.count
    }

    fn class(&mut self, has_asked: bool) -> &mut IdleClass {
        if has_asked { &mut self.answered } else { &mut self.silent }
    }

    fn evict_one(&mut self) {
        if let Some(evicted) = self.silent.take_oldest().or_else(|| self.answered.take_oldest()) {
            evicted.notify_one();
        }
    }
}

/// Idle connections by client and number. Each client has at least one connection.
#[derive(Debug, Default)]
struct IdleClass {
    count: usize,
    clients: BTreeMap<ClientId, BTreeMap<u64, Arc<Notify>>>,
}

impl IdleClass {
    fn insert(&mut self, origin: ClientId, number: u64, evicted: Arc<Notify>) {
        self.count += 1;
        self.clients.entry(origin).or_default().insert(number, evicted);
    }

    fn remove(&mut self, origin: ClientId, number: u64) -> Option<Arc<Notify>> {
        let connections = self.clients.get_mut(&origin)?;
        let evicted = connections.remove(&number)?;
        if connections.is_empty() {
            self.clients.remove(&origin);
        }
        self.count -= 1;
        Some(evicted)
    }

    /// Removes the oldest connection of the client that has the most.
    fn take_oldest(&mut self) -> Option<Arc<Notify>> {
        let (&origin, connections) = self.clients.iter().max_by_key(|(_, connections)| connections.len())?;
        let oldest = *connections.keys().next()?;
        self.remove(origin, oldest)
    }
}

impl IdleConnections {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, table: Mutex::default() })
    }

    pub(super) fn admit(self: &Arc<Self>, origin: ClientId) -> Arc<Connection> {
        let connection = Connection {
            all: Arc::clone(self),
            origin,
            evicted: Arc::default(),
            has_asked: AtomicBool::new(false),
            number: Mutex::default(),
        };
        connection.set_idle();
        Arc::new(connection)
    }

    fn table(&self) -> MutexGuard<'_, IdleTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection: idle, or with a request that is being answered.
#[derive(Debug)]
pub(super) struct Connection {
    all: Arc<IdleConnections>,
    origin: ClientId,
    evicted: Arc<Notify>,
    has_asked: AtomicBool,
    /// Its number among the idle connections; none while a request is being answered, and after an eviction.
    number: Mutex<Option<u64>>,
}

impl Connection {
    pub(super) fn origin(&self) -> ClientId {
        self.origin
    }

    /// Notes that a whole request has come. The connection is not idle, and keeps `slot`, until the guard is dropped.
    pub(super) fn answer(self: &Arc<Self>, slot: ClientSlot) -> Answering {
        self.end_idle();
        self.has_asked.store(true, Ordering::Release);
        Answering { connection: Arc::clone(self), slot: Some(slot) }
    }

    /// Waits until the connection has to be closed to make room for a new one.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the connection to the idle ones, and evicts others at the limit.
    fn set_idle(&self) {
        let mut table = self.all.table();
        while table.count() >= self.all.limit.max(1) {
            table.evict_one();
        }
        let number = table.next;
        table.next += 1;
        table.class(self.has_asked.load(Ordering::Acquire)).insert(self.origin, number, Arc::clone(&self.evicted));
        *self.number() = Some(number);
    }

    /// Removes the connection from the idle ones. Call it before `has_asked` changes, which decides on the class.
    fn end_idle(&self) {
        let mut table = self.all.table();
        if let Some(number) = self.number().take() {
            drop(table.class(self.has_asked.load(Ordering::Acquire)).remove(self.origin, number));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end_idle();
    }
}

/// A guard: a request is being answered until this is dropped.
#[derive(Debug)]
pub(super) struct Answering {
    connection: Arc<Connection>,
    slot: Option<ClientSlot>,
}

impl Answering {
    /// Frees the slot for answers of a stream, which has a slot of its own. The connection does not become idle.
    pub(super) fn free_slot(&mut self) {
        self.slot = None;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.connection.set_idle();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::{Duration, timeout};

    use super::*;
    use crate::http::slots::Slots;

    fn origin(host: u8) -> ClientId {
        IpAddr::from([192, 0, 2, host]).into()
    }

    async fn is_evicted(connection: &Connection) -> bool {
        timeout(Duration::ZERO, connection.evicted()).await.is_ok()
    }

    #[tokio::test]
    async fn oldest_connection_of_the_client_with_the_most_makes_room() {
        let idle = IdleConnections::new(4);
        let one = idle.admit(origin(1));
        let many: Vec<_> = (0..3).map(|_| idle.admit(origin(2))).collect();
        let newcomer = idle.admit(origin(3));
        assert!(is_evicted(&many[0]).await);
        for stays in [&one, &many[1], &many[2], &newcomer] {
            assert!(!is_evicted(stays).await);
        }
    }

    #[tokio::test]
    async fn connection_that_is_being_answered_is_not_evicted() {
        let (idle, slots) = (IdleConnections::new(1), Slots::new(2));
        let first = idle.admit(origin(1));
        let answering = first.answer(slots.take(origin(1)).unwrap());
        let second = idle.admit(origin(1));
        assert!(!is_evicted(&first).await && !is_evicted(&second).await);
        drop(answering);
        assert!(is_evicted(&second).await, "the first one is idle again");
        assert!(!is_evicted(&first).await);
    }

    #[tokio::test]
    async fn silent_connections_go_before_those_that_have_asked() {
        let (idle, slots) = (IdleConnections::new(3), Slots::new(2));
        let asked: Vec<_> = (0..2).map(|_| idle.admit(origin(1))).collect();
        asked.iter().for_each(|connection| drop(connection.answer(slots.take(origin(1)).unwrap())));
        let silent = idle.admit(origin(2));
        let newcomer = idle.admit(origin(3));
        assert!(is_evicted(&silent).await);
        for stays in [&asked[0], &asked[1], &newcomer] {
            assert!(!is_evicted(stays).await);
        }
    }

    #[test]
    fn connections_that_have_gone_leave_nothing_behind() {
        let idle = IdleConnections::new(4);
        for _ in 0..100 {
            drop((idle.admit(origin(1)), idle.admit(origin(2))));
        }
        let table = idle.table();
        assert_eq!((table.count(), table.silent.clients.len()), (0, 0));
    }
}
