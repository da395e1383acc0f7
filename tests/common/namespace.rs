//! Network namespaces that have no name, and the wires between them.
//!
//! A namespace lives as long as a descriptor of it and the processes in it. When the last of them is gone, on panic
//! and kill too, the kernel removes it with all its interfaces. The host's own namespace is never changed.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Longest time to wait for a condition. Only failures take that long.
pub const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until `look` gives something; after [`DEADLINE`] fails with `what`.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(PAUSE);
    }
}

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// A new one with IPv4 alone, or background frames would spoil exact counts. Loopback is up.
    pub fn new() -> Self {
        let namespace = Self::with_ipv6();
        namespace.set("net/ipv6/conf/all/disable_ipv6", "1");
        namespace.set("net/ipv6/conf/default/disable_ipv6", "1");
        namespace
    }

    /// A new one with IPv6 too, as quiet as can be: no link-local addresses, no search for routers or duplicates.
    pub fn with_ipv6() -> Self {
        let back = Back(current());
        // SAFETY: no pointers; it moves this thread alone, which `back` moves back.
        let unshared = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(unshared, 0, "cannot make a network namespace: {}", io::Error::last_os_error());
        let namespace = Self { file: current() };
        drop(back);
        for (setting, value) in [("addr_gen_mode", "1"), ("router_solicitations", "0"), ("accept_dad", "0")] {
            namespace.set(&format!("net/ipv6/conf/default/{setting}"), value);
        }
        // The host's own settings are taken over otherwise.
        for scope in ["all", "default"] {
            namespace.set(&format!("net/ipv4/conf/{scope}/rp_filter"), "0");
        }
        namespace.ip("link set lo up");
        namespace
    }

    /// A new one that forwards IPv4.
    pub fn router() -> Self {
        let namespace = Self::new();
        namespace.set("net/ipv4/ip_forward", "1");
        namespace
    }

    /// Does `work` with this thread inside. Sockets and processes that it opens or starts stay inside.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _back = Back(current());
        join(&self.file);
        work()
    }

    /// Sets a kernel parameter; one that the kernel does not have needs no setting.
    pub fn set(&self, parameter: &str, value: &str) {
        let path = Path::new("/proc/sys").join(parameter);
        match self.enter(|| std::fs::write(&path, value)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{}: {error}", path.display()),
            _ => {}
        }
    }

    /// `ip` with `arguments`, words with blanks between; gives its output.
    pub fn ip(&self, arguments: &str) -> String {
        self.try_ip(arguments).unwrap_or_else(|message| panic!("ip {arguments}: {message}"))
    }

    /// The same where it may fail; then its error message.
    pub fn try_ip(&self, arguments: &str) -> Result<String, String> {
        let output = self.enter(|| Command::new("ip").args(arguments.split_whitespace()).output());
        let output = output.expect("the tests need ip (iproute2)");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// A UDP socket at `address`. Packets that it does not read are dropped silently.
    pub fn udp(&self, address: &str) -> UdpSocket {
        self.enter(|| UdpSocket::bind(address)).unwrap_or_else(|error| panic!("udp {address}: {error}"))
    }

    /// The path by which other processes of this host find the namespace.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }
}

/// Back to where the thread was.
struct Back(File);

impl Drop for Back {
    fn drop(&mut self) {
        join(&self.0);
    }
}

fn current() -> File {
    File::open("/proc/thread-self/ns/net").expect("/proc has namespaces")
}

fn join(namespace: &File) {
    // SAFETY: the descriptor is open, and this thread alone is moved.
    let joined = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(joined, 0, "cannot enter a network namespace: {}", io::Error::last_os_error());
}

/// One end of a wire.
#[derive(Debug, Clone)]
pub struct End<'a> {
    pub namespace: &'a Namespace,
    pub interface: &'a str,
    /// With its prefix length, `10.0.0.1/24`.
    pub address: &'a str,
    /// Its hardware address.
    pub hardware: String,
}

impl<'a> End<'a> {
    /// An end with a hardware address that no other has.
    pub fn new(namespace: &'a Namespace, interface: &'a str, address: &'a str) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self { namespace, interface, address, hardware: format!("06:00:00:00:{high:02x}:{low:02x}") }
    }

    /// Enters the other end's address, so that neither end has to ask for it.
    pub fn know(&self, other: &Self) {
        let address = other.address.split('/').next().unwrap();
        let Self { namespace, interface, .. } = self;
        namespace.ip(&format!("neigh replace {address} lladdr {} dev {interface} nud permanent", other.hardware));
    }

    /// Up, and frames can leave.
    pub fn up(&self) {
        self.namespace.ip(&format!("link set {} up", self.interface));
    }

    /// Puts a wire between this end, which is not up yet, and a new interface of another namespace.
    pub fn wire_to(&self, other: &Namespace, interface: &str) {
        let Self { namespace, interface: own, hardware, .. } = self;
        let path = other.path();
        namespace.ip(&format!("link add {own} address {hardware} type veth peer name {interface} netns {path}"));
    }

    /// Until frames can leave: with the other end up, the kernel still has to find a way out for them.
    pub fn wait_for_carrier(&self) {
        let show = format!("-oneline link show dev {}", self.interface);
        wait_for(&format!("{} has a carrier", self.interface), || {
            self.namespace.ip(&show).contains(" qdisc noqueue state UP ").then_some(())
        });
    }
}

/// Puts a wire (a veth pair) between two ends.
pub fn connect(one: &End<'_>, other: &End<'_>) {
    one.namespace.ip(&format!(
        "link add {} address {} type veth peer name {} address {} netns {}",
        one.interface,
        one.hardware,
        other.interface,
        other.hardware,
        other.namespace.path()
    ));
    for end in [one, other] {
        end.namespace.ip(&format!("address add {} dev {} nodad", end.address, end.interface));
        end.up();
    }
    one.wait_for_carrier();
    other.wait_for_carrier();
    one.know(other);
    other.know(one);
}
