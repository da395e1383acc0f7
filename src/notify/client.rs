//! The HTTP client: one POST, with a deadline for all of it.
//!
//! Takes requests; gives outcomes. Must not know receivers. Redirects are not followed, and no proxy is used.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::attempt::{self, AttemptOutcome};
use super::figures::FailureReason;
use crate::packet::Timestamp;

/// The most bytes of an answer that are read. A longer answer costs the connection, not the memory.
const MOST_ANSWER: usize = 64 * 1024;

/// Time that an unused connection stays open.
const IDLE: Duration = Duration::from_secs(30);

/// A client with its own connections.
#[derive(Debug, Clone)]
pub(super) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    pub(super) fn new(tls: ClientConfig) -> Self {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let mut builder = Client::builder(Silent);
        builder.pool_max_idle_per_host(1).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        Self(builder.build(connector))
    }

    /// Sends a request; gives its outcome, and the cause of a failure in words. The deadline is that of everything from
    /// the look-up of the name to the status line.
    pub(super) async fn post(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> (AttemptOutcome, Option<String>) {
        // The client's own log lines contain hosts, which can be secret.
        self.attempt(request, deadline).with_subscriber(NoSubscriber::new()).await
    }

    async fn attempt(&self, request: Request<Full<Bytes>>, deadline: Instant) -> (AttemptOutcome, Option<String>) {
        match timeout_at(deadline, self.0.request(request)).await {
            Err(_) => (AttemptOutcome::Retry(FailureReason::Timeout, None), None),
            Ok(Err(error)) => {
                let cause = attempt::cause_of(&error).map(str::to_owned);
                (AttemptOutcome::Retry(attempt::reason_of(&error), None), cause)
            }
            Ok(Ok(answer)) => {
                let now = Timestamp::from(std::time::SystemTime::now());
                let outcome = attempt::of_answer(answer.status(), answer.headers(), now);
                let cause = attempt::cause_of_answer(answer.status());
                // The status decides. The rest is read only so that the connection can be used again.
                drop(timeout_at(deadline, read(answer.into_body())).await);
                (outcome, cause)
            }
        }
    }
}

async fn read(mut body: Incoming) {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > MOST_ANSWER {
            return;
        }
    }
}

/// Runs the tasks of connections without log lines.
#[derive(Debug, Clone, Copy)]
struct Silent;

impl<F> hyper::rt::Executor<F> for Silent
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(tokio::spawn(future.with_subscriber(NoSubscriber::new())));
    }
}

/// The settings of TLS with the roots of the system; without any roots if it has none, which is logged.
pub(super) fn system_roots() -> Result<ClientConfig, rustls::Error> {
    match builder()?.with_native_roots() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(_) => {
            tracing::warn!("the system has no certificates to check servers with; install them or give ca_file");
            no_roots()
        }
    }
}

/// The settings of TLS for a receiver without it.
pub(super) fn no_roots() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The settings of TLS with the roots of a PEM file.
///
/// # Errors
/// The reason for which the file gives no roots, as the end of a sentence.
pub(super) fn roots_of(ca_file: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    let builder = builder().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}
