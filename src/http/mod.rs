//! The HTTP server: `/metrics`, the dashboard and its API, the list of sources, a landing page, health. Takes snapshots
//! and requests; gives answers. Must not know capture or accounting: no client can delay them.

pub mod access;
mod address;
mod answer;
mod api;
mod body;
mod cache;
mod conditional;
mod connection;
mod dashboard;
mod evidence;
mod idle;
mod landing;
mod lifecycle;
mod negotiate;
mod pages;
mod quota;
mod runbooks;
mod scrape;
mod slots;
mod stream;
mod tls;
mod transfer;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use access::WebAccess;
pub use address::{InvalidListenAddress, ListenAddress};
pub use connection::Capacity;
pub use lifecycle::{ReloadClients, ReloadOutcome, ReloadRequester, ReloadRequests, reloads};
pub use pages::{PageSettings, Site};
pub use scrape::{Reports, ScrapeReports, reports};

/// Settings of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The addresses; at least one.
    pub listen: Vec<ListenAddress>,
    /// The address of the Prometheus that reads the metrics, for links of the dashboard.
    pub prometheus_url: Option<String>,
    /// The web configuration file: TLS, users, headers.
    pub web_config_file: Option<PathBuf>,
    /// The most connections at once; fewer if file descriptors are few.
    pub most_connections: usize,
    /// True if `POST /-/reload` reloads.
    pub enables_lifecycle: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![ListenAddress { host: None, port: 8888 }],
            prometheus_url: None,
            web_config_file: None,
            most_connections: 768,
            enables_lifecycle: false,
        }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", advice(source))]
pub struct CannotListen {
    /// As it was given.
    pub address: ListenAddress,
    /// The system's error.
    pub source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; the port is in use, choose another with -promHTTP",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need root or the capability cap_net_bind_service",
        _ => "",
    }
}

/// The sockets that are listened on; clients wait in their queues until a [`Server`] takes them.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Binds every address of `config`.
    ///
    /// # Errors
    /// At the first address that cannot be bound.
    pub fn bind(config: &Config) -> Result<Self, CannotListen> {
        let mut listeners = Vec::new();
        for address in &config.listen {
            let bound = address.bind().map_err(|source| CannotListen { address: address.clone(), source })?;
            listeners.extend(bound);
        }
        Ok(Self(listeners))
    }

    /// The addresses that were bound, with the ports that the kernel chose for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }
}

/// The server, ready to answer.
pub struct Server {
    listeners: Vec<tokio::net::TcpListener>,
    site: Arc<Site>,
    access: Arc<WebAccess>,
    capacity: Capacity,
}

impl Server {
    /// Hands the sockets to the runtime of the calling context. `access` says which clients get in. At most `capacity`
    /// connections are open.
    ///
    /// # Errors
    /// When the runtime refuses them.
    pub fn new(listeners: Listeners, site: Arc<Site>, access: WebAccess, capacity: Capacity) -> io::Result<Self> {
        let into_runtime = |listener: TcpListener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        };
        let listeners = listeners.0.into_iter().map(into_runtime).collect::<io::Result<_>>()?;
        Ok(Self { listeners, site, access: Arc::new(access), capacity })
    }

    /// Answers clients until `stop` resolves, then finishes the answers under way, for a moment.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        connection::accept_all(self.listeners, (self.site, self.access), self.capacity, stop).await;
    }
}
