//! The service manager, such as systemd: it is told when the program is ready, reloads and stops, what it captures, and
//! that the pipeline makes progress (sd_notify(3)). Takes the variables that the manager sets; gives datagrams. Must
//! not know what the pipeline does.
//!
//! Without a manager nothing is sent. With an address that cannot be used nothing is sent, and a warning says so: a
//! manager that set it waits for a message. The words are those of the crate `sd_notify`. The socket is the program's
//! own: abstract addresses work, and a manager that does not read delays a message by [`SEND_TIMEOUT`] only.

mod environment;

use std::ffi::OsString;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::capture::printable;
use crate::os::threads::{self, Needs};
use environment::{address, shown, watchdog};

/// Longest time that a manager that does not read delays a message.
const SEND_TIMEOUT: Duration = Duration::from_millis(250);
/// The message that the program is ready is tried this often: the manager waits for it.
const READY_TRIES: u32 = 8;
/// Feeds of the watchdog in its time. Half of that would do, if no feed ever came late.
const FEEDS: u32 = 4;
/// The shortest time between two feeds, whatever the manager asks for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// A thread is stuck when it makes no progress for half the watchdog's time, but not before this time: reading the maps
/// of the kernel path and a large snapshot may take a second or two.
const LEAST_PATIENCE: Duration = Duration::from_secs(3);
/// The time between two checks of the status. The first one comes earlier, when the first accounts are published.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
const FIRST_STATUS: Duration = Duration::from_secs(1);

/// The socket of the service manager; none without one.
#[derive(Clone)]
pub(super) struct ServiceManager(Option<Arc<ManagerSocket>>);

struct ManagerSocket {
    socket: UnixDatagram,
    address: SocketAddr,
    /// The watchdog's time, if the manager watches this process.
    watchdog: Option<Duration>,
    is_stopping: AtomicBool,
    /// True if the status is to be sent again: a refused reload may stand in its place.
    is_outdated: AtomicBool,
}

impl ServiceManager {
    /// The manager that started this process, if one did and wants to be notified.
    pub(super) fn from_environment() -> Self {
        Self::of(|name| std::env::var_os(name), std::process::id())
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>, process: u32) -> Self {
        let connect = || {
            let address = address(&variable("NOTIFY_SOCKET").filter(|given| !given.is_empty())?)?;
            let watchdog = watchdog(variable("WATCHDOG_USEC").as_deref(), variable("WATCHDOG_PID").as_deref(), process);
            let socket = unbound_socket()
                .inspect_err(|error| tracing::warn!(%error, "there is no socket to notify the service manager"));
            Some(ManagerSocket {
                socket: socket.ok()?,
                address,
                watchdog,
                is_stopping: AtomicBool::default(),
                is_outdated: AtomicBool::default(),
            })
        };
        Self(connect().map(Arc::new))
    }

    /// True if a manager started this process and wants to be notified.
    pub(super) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Says that the program is ready. From now on a thread sends `status` when it changes, and feeds the watchdog while
    /// no thread is stuck. `stuck_thread` checks that once more at each call, and gives a thread that made no progress in
    /// its last so many checks.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn ready(
        &self,
        status: impl Fn() -> String + Send + 'static,
        stuck_thread: impl FnMut(u32) -> Option<String> + Send + 'static,
    ) -> io::Result<()> {
        let Some(socket) = self.0.clone() else { return Ok(()) };
        if let Err(error) = socket.send_ready() {
            tracing::warn!(
                %error,
                address = shown(&socket.address),
                "the service manager was not told that the program is ready, and may end it"
            );
        }
        let pauses = Pauses::of(socket.watchdog);
        let mut reporter = Reporter { socket, pauses, status, stuck_thread, sent: String::new() };
        // Never joined: the thread works until the process ends.
        threads::spawn("manager", Needs::Nothing, move || reporter.run()).map(drop)
    }

    /// Says that the program reloads its configuration, until the guard is dropped.
    pub(super) fn reloading(&self) -> Reloading<'_> {
        if let (Some(socket), Ok(now)) = (&self.0, NotifyState::monotonic_usec_now()) {
            socket.tell(&[NotifyState::Reloading, now]);
        }
        Reloading(self)
    }

    /// Says why a reload is refused. The status stays until one is accepted, or there is news of the capture.
    pub(super) fn refused(&self, reason: &str) {
        if let Some(socket) = &self.0 {
            let text = format!("reload refused: {}", printable(reason));
            socket.tell(&[NotifyState::Status(&text)]);
        }
    }

    /// Has the status of the capture sent again: it takes the place of a reload that was refused.
    pub(super) fn accepted(&self) {
        if let Some(socket) = &self.0 {
            socket.is_outdated.store(true, Ordering::Release);
        }
    }

    /// Says that the program stops; only the first call has an effect.
    pub(super) fn stopping(&self) {
        if let Some(socket) = &self.0
            && !socket.is_stopping.swap(true, Ordering::AcqRel)
        {
            socket.tell(&[NotifyState::Stopping]);
        }
    }
}

/// A reload that is under way. Its end, even by a panic, is reported to the manager.
pub(super) struct Reloading<'a>(&'a ServiceManager);

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        if let Some(socket) = &self.0.0 {
            socket.tell(&[NotifyState::Ready]);
        }
    }
}

impl ManagerSocket {
    fn send_ready(&self) -> io::Result<()> {
        let ready = || self.send(&[NotifyState::Ready]);
        (1..READY_TRIES).fold(ready(), |outcome, _| outcome.or_else(|_| ready()))
    }

    /// Sends these words as one message.
    fn send(&self, words: &[NotifyState<'_>]) -> io::Result<()> {
        let message: String = words.iter().map(|word| format!("{word}\n")).collect();
        self.socket.send_to_addr(message.as_bytes(), &self.address).map(drop)
    }

    /// Sends these words; the program works without the manager's knowledge of them.
    fn tell(&self, words: &[NotifyState<'_>]) {
        if let Err(error) = self.send(words) {
            tracing::debug!(%error, ?words, "the service manager was not notified");
        }
    }
}

fn unbound_socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok(socket)
}

/// The pace of the reporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pauses {
    /// The time between two checks.
    pause: Duration,
    /// A thread without progress in this number of checks is stuck.
    patience: u32,
    /// The status is looked at once in this number of checks.
    checks_a_status: u32,
}

impl Pauses {
    fn of(watchdog: Option<Duration>) -> Self {
        let fed = watchdog.map_or(STATUS_INTERVAL, |time| (time / FEEDS).clamp(SHORTEST_PAUSE, STATUS_INTERVAL));
        let patience = watchdog.map_or(LEAST_PATIENCE, |time| (time / 2).max(LEAST_PATIENCE));
        let checks = |time: Duration| time.as_millis().div_ceil(fed.as_millis()).try_into().unwrap_or(u32::MAX);
        Self { pause: fed, patience: checks(patience).max(2), checks_a_status: checks(STATUS_INTERVAL) }
    }
}

/// Reports the status and the progress to the manager.
struct Reporter<S, P> {
    socket: Arc<ManagerSocket>,
    pauses: Pauses,
    status: S,
    stuck_thread: P,
    /// The status that was sent last.
    sent: String,
}

impl<S: Fn() -> String, P: FnMut(u32) -> Option<String>> Reporter<S, P> {
    /// The body of the thread.
    fn run(&mut self) {
        let mut stuck = None;
        for check in 0_u64.. {
            thread::sleep(if check == 0 { self.pauses.pause.min(FIRST_STATUS) } else { self.pauses.pause });
            let now = (self.stuck_thread)(self.pauses.patience);
            if self.socket.is_stopping.load(Ordering::Acquire) {
                return;
            }
            let is_news = now != stuck;
            if is_news {
                self.log(now.as_deref());
            }
            if is_news || check % u64::from(self.pauses.checks_a_status) == 0 {
                self.send_status(now.as_deref());
            }
            if now.is_none() && self.socket.watchdog.is_some() {
                self.socket.tell(&[NotifyState::Watchdog]);
            }
            stuck = now;
        }
    }

    /// Sends the status if the manager shows another one.
    fn send_status(&mut self, stuck: Option<&str>) {
        let text = match stuck {
            Some(thread) => format!("stuck: the thread {thread} makes no progress"),
            None => (self.status)(),
        };
        let is_outdated = self.socket.is_outdated.swap(false, Ordering::AcqRel);
        if !is_outdated && text == self.sent {
            return;
        }
        match self.socket.send(&[NotifyState::Status(&text)]) {
            Ok(()) => self.sent = text,
            // It is tried again.
            Err(_) => _ = self.socket.is_outdated.fetch_or(is_outdated, Ordering::AcqRel),
        }
    }

    fn log(&self, stuck: Option<&str>) {
        match stuck {
            Some(thread) if self.socket.watchdog.is_some() => {
                tracing::error!(thread, "a thread makes no progress; the watchdog of the service manager is not fed");
            }
            Some(thread) => tracing::error!(thread, "a thread makes no progress"),
            None => tracing::info!("all threads make progress again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;

    use super::*;

    #[test]
    fn watchdog_without_a_manager_starts_nothing() {
        let variables = |name: &str| (name == "WATCHDOG_USEC").then(|| "1000".into());
        let manager = ServiceManager::of(variables, 7);
        assert!(manager.0.is_none());
        let asked = || -> String { panic!("the status is not wanted") };
        manager.ready(asked, |_| panic!("no progress is wanted")).unwrap();
        drop(manager.reloading());
        manager.stopping();
    }

    #[test]
    fn feeds_come_twice_as_often_as_they_must() {
        let pauses = |seconds| Pauses::of(Some(Duration::from_secs_f64(seconds)));
        assert_eq!(pauses(16.0), Pauses { pause: Duration::from_secs(4), patience: 2, checks_a_status: 2 });
        assert_eq!(pauses(2.0), Pauses { pause: Duration::from_millis(500), patience: 6, checks_a_status: 10 });
        assert_eq!(pauses(1e-6).pause, SHORTEST_PAUSE);
        assert_eq!(pauses(1e9), Pauses { pause: STATUS_INTERVAL, patience: 100_000_000, checks_a_status: 1 });
        assert_eq!(Pauses::of(None), Pauses { pause: STATUS_INTERVAL, patience: 2, checks_a_status: 1 });
        assert_eq!(Pauses::of(Some(Duration::from_micros(u64::MAX - 1))).patience, u32::MAX);
    }

    /// A manager that listens at an abstract address.
    fn listening() -> (UnixDatagram, ServiceManager) {
        let name = format!("trafficmonitor-{}-{:?}", std::process::id(), thread::current().id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let manager =
            ServiceManager::of(|variable| (variable == "NOTIFY_SOCKET").then(|| format!("@{name}").into()), 7);
        (socket, manager)
    }

    fn next(socket: &UnixDatagram) -> String {
        let mut message = [0; 4_096];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    #[test]
    fn reload_ends_with_ready_even_by_a_panic() {
        let (socket, manager) = listening();
        let reload = std::panic::AssertUnwindSafe(|| {
            let _reloading = manager.reloading();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(std::panic::catch_unwind(reload).is_err());
        let begun = next(&socket);
        let microseconds = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.strip_suffix('\n'));
        assert!(microseconds.is_some_and(|text| text.parse::<u64>().is_ok_and(|time| time > 0)), "{begun}");
        assert_eq!(next(&socket), "READY=1\n");
        manager.stopping();
        manager.stopping();
        assert_eq!(next(&socket), "STOPPING=1\n");
        drop(manager.reloading());
        assert!(next(&socket).starts_with("RELOADING=1"), "the end is said once");
    }

    /// The queue of a datagram socket takes a few hundred messages at most.
    #[test]
    fn manager_that_does_not_read_delays_a_message_and_no_more() {
        let (_socket, manager) = listening();
        let socket = manager.0.unwrap();
        let start = std::time::Instant::now();
        assert!((0..100_000).any(|_| socket.send(&[NotifyState::Watchdog]).is_err()));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
