//! The pages of the server. Takes requests and the latest report; gives answers. Must not know connections, nor the
//! accountant.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::sleep;

use super::answer::{Answer, HTML, JSON, PLAIN, page, unavailable};
use super::api::Api;
use super::body::Body;
use super::lifecycle::ReloadRequester;
use super::negotiate::{self, Coding};
use super::scrape::{Client, Reports};
use super::slots::{ClientSlot, Slots};
use super::transfer::Transfer;
use super::{dashboard, evidence, landing, lifecycle, runbooks};
use crate::alert::{EvidenceIndex, Fingerprint};
use crate::export::Format;
use crate::export::api::{ApiSettings, Resource, error_json};
use crate::export::chart::{self, Capabilities, Listed};
use crate::export::connections::ConnectionCounters;
use crate::export::process::SelfMetrics;
use crate::export::{self, Program};
use crate::export::{Published, Report};
use crate::names::NamesReader;
use crate::packet::Timestamp;

/// The most expositions that are rendered at once, so that slow clients keep few threads, chunks and old snapshots. One
/// client gets no more of these slots than stay free; further requests wait.
const MAXIMUM_RENDERINGS: usize = 8;
/// Longest time to wait for such a slot; then the answer has status 503.
const RENDERING_WAIT: Duration = Duration::from_secs(5);
/// Longest time for a client to read an exposition; then the connection is closed.
const RENDERING_TIMEOUT: Duration = Duration::from_secs(30);

/// The most evidence files that are sent at once, beside the expositions.
const MAXIMUM_DOWNLOADS: usize = 2;
/// Longest time for a client to read an evidence file; then the connection is closed.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// The beginning of the paths of the API.
const API: &str = "/api/";

/// The settings of the pages that a reload can change.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// The families of metrics that are written.
    pub export: export::Config,
    /// The configured limits, for `/capabilities`.
    pub capabilities: Capabilities,
}

/// The inputs of the pages.
pub struct Site {
    published: Arc<Published>,
    settings: ArcSwap<PageSettings>,
    lifecycle: Option<ReloadRequester>,
    program: Arc<SelfMetrics>,
    version: String,
    reports: Option<Reports>,
    api: Arc<Api>,
    started: Timestamp,
    renderings: Arc<Slots>,
    downloads: Arc<Slots>,
}

impl Site {
    /// Pages of the published snapshots; not ready yet. Scrapes are reported if there are `reports`, as in a live
    /// capture.
    pub fn new(
        published: Arc<Published>,
        export: export::Config,
        capabilities: Capabilities,
        program: SelfMetrics,
        version: String,
        reports: Option<Reports>,
    ) -> Self {
        let (program, started) = (Arc::new(program), Timestamp::from(SystemTime::now()));
        let settings = ApiSettings { is_live: reports.is_some(), started, ..ApiSettings::default() };
        let api = Api::new(Arc::clone(&published), Arc::clone(&program), Default::default(), settings, 1);
        Self {
            published,
            settings: ArcSwap::from_pointee(PageSettings { export, capabilities }),
            lifecycle: None,
            program,
            version,
            reports,
            api: Arc::new(api),
            started,
            renderings: Slots::new(MAXIMUM_RENDERINGS),
            downloads: Slots::new(MAXIMUM_DOWNLOADS),
        }
    }

    /// The same with an API of these settings, the evidence files of alerts, the names of hosts, and so many streams of
    /// events at most.
    #[must_use]
    pub fn with_api(self, settings: ApiSettings, files: EvidenceIndex, names: NamesReader, streams: usize) -> Self {
        let settings = ApiSettings { is_live: self.reports.is_some(), started: self.started, ..settings };
        let api = Api::new(Arc::clone(&self.published), Arc::clone(&self.program), (files, names), settings, streams);
        Self { api: Arc::new(api), ..self }
    }

    /// The same with reloads over HTTP, which `requester` asks for; none if they are not enabled.
    #[must_use]
    pub fn with_lifecycle(self, requester: Option<ReloadRequester>) -> Self {
        Self { lifecycle: requester, ..self }
    }

    /// Answers by other settings from now on.
    pub fn configure(&self, settings: PageSettings, api: ApiSettings) {
        self.settings.store(Arc::new(settings));
        self.api.configure(ApiSettings { is_live: self.reports.is_some(), started: self.started, ..api });
    }

    pub(super) fn client(&self, address: IpAddr) -> Client {
        Client::new(address, self.reports.clone())
    }

    pub(super) fn api(&self) -> &Arc<Api> {
        &self.api
    }

    pub(super) fn connections(&self) -> &ConnectionCounters {
        &self.program.connections
    }

    /// Makes `/-/ready` answer that the program is ready.
    pub fn set_ready(&self) {
        self.api.set_ready();
    }

    /// Healthy as long as no thread of a live capture has died.
    fn health(&self) -> Answer {
        match self.program.dead_thread() {
            None => page(StatusCode::OK, PLAIN, "healthy\n"),
            Some(thread) => {
                let text = format!("not healthy: the thread {thread} does not work any more\n");
                page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, text)
            }
        }
    }

    /// A live capture is ready while an interface is up and being captured; a file once it was read.
    fn readiness(&self) -> Answer {
        let is_live = self.reports.is_some();
        if !self.api.is_ready() {
            page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready: not every interface is being captured yet\n")
        } else if is_live && !self.published.latest().accounts.is_capturing() {
            page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready: no interface is up and being captured\n")
        } else {
            page(StatusCode::OK, PLAIN, "ready\n")
        }
    }

    /// Answers a request of `client`. `transfer` follows the expositions on the same connection.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: &Client,
        transfer: Arc<Transfer>,
    ) -> Answer {
        if transfer.confirms_receipt() {
            client.complete_scrape();
        }
        if request.uri().path() == lifecycle::PATH {
            return lifecycle::reload(request.method(), self.lifecycle.as_ref()).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD are allowed\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/metrics" => self.metrics(client, transfer, &request).await,
            "/active" => {
                let explains = self.settings.load().capabilities.explains;
                self.chart(Listed::Active { explains }, client, &request).await
            }
            "/all" => {
                let least = self.settings.load().capabilities.chart_min_bytes;
                self.chart(Listed::AtLeast(least), client, &request).await
            }
            "/capabilities" => self.capabilities(),
            "/" => landing::answer(&self.version, request.uri().query(), request.headers()),
            runbooks::PATH => page(StatusCode::OK, HTML, runbooks::PAGE.as_str()),
            "/-/healthy" => self.health(),
            "/-/ready" => self.readiness(),
            path => match (Resource::at(path), evidence::fingerprint(path)) {
                (Some(resource), _) => self.api.answer(resource, &request, client).await,
                (_, Some(alert)) => self.evidence(alert, client, &request).await,
                _ if dashboard::is_below(path) => dashboard(&request).await,
                _ => not_found(path),
            },
        }
    }

    /// Renders the exposition on a thread of its own, because a large one takes tens of milliseconds, and sends it
    /// meanwhile. Renders nothing if the request wants no body.
    async fn metrics(self: Arc<Self>, client: &Client, transfer: Arc<Transfer>, request: &Request<Incoming>) -> Answer {
        let (format, coding) = (negotiate::format(request.headers()), negotiate::coding(request.headers()));
        if request.method() == Method::HEAD {
            return exposition(format, coding, Body::Ended);
        }
        let slot = match self.rendering(client).await {
            Ok(slot) => slot,
            Err(refused) => return refused,
        };
        // Reported before the snapshot is read, so that no client gets a snapshot unknown to the accountant.
        let number = self.published.latest().accounts.number;
        if number > 0 && client.begin_scrape(number).is_err() {
            self.program.count_dropped_report();
            return too_many_scrapes();
        }
        let report = self.published.latest();
        let deadline = client.deadline(RENDERING_TIMEOUT);
        let (body, chunks) = Body::rendered(Some(transfer));
        drop(tokio::task::spawn_blocking(move || {
            let chunks = chunks.within(self.api.quota());
            let rendered = chunks.write_all(coding, |out| self.render(format, &report, out));
            drop((report, slot, deadline));
            if let Err(error) = rendered {
                tracing::debug!(%error, "the client disconnected before it read all metrics");
            }
        }));
        exposition(format, coding, body)
    }

    /// A free slot for rendering, or the refusal as an answer.
    async fn rendering(&self, client: &Client) -> Result<ClientSlot, Answer> {
        self.renderings.wait(client.origin(), sleep(RENDERING_WAIT)).await.map_err(|refusal| {
            self.program.connections.count_refused_scrape(refusal);
            too_many_scrapes()
        })
    }

    /// Sources with their destinations, rendered like the metrics.
    async fn chart(&self, listed: Listed, client: &Client, request: &Request<Incoming>) -> Answer {
        let coding = negotiate::coding(request.headers());
        if request.method() == Method::HEAD {
            return rendered(JSON, VARY_BY_CODING, coding, Body::Ended);
        }
        let slot = match self.rendering(client).await {
            Ok(slot) => slot,
            Err(refused) => return refused,
        };
        let report = self.published.latest();
        let deadline = client.deadline(RENDERING_TIMEOUT);
        let (body, chunks) = Body::rendered(None);
        let quota = self.api.quota();
        drop(tokio::task::spawn_blocking(move || {
            let written = chunks.within(quota).write_all(coding, |out| chart::write(&report, listed, out));
            drop((report, slot, deadline));
            if let Err(error) = written {
                tracing::debug!(%error, "the client disconnected before it read the list of sources");
            }
        }));
        rendered(JSON, VARY_BY_CODING, coding, body)
    }

    /// The capture file with the packets of an alert.
    async fn evidence(&self, alert: Fingerprint, client: &Client, request: &Request<Incoming>) -> Answer {
        let Ok(slot) = self.downloads.wait(client.origin(), sleep(RENDERING_WAIT)).await else {
            return unavailable("too many downloads of evidence\n");
        };
        let is_head = request.method() == Method::HEAD;
        let index = self.api.evidence().clone();
        // A file that is being written is read first, as far as its blocks are whole.
        match tokio::task::spawn_blocking(move || evidence::open(&index, alert)).await {
            Ok(Ok(file)) => evidence::answer(file, is_head, (slot, client.deadline(DOWNLOAD_TIMEOUT))),
            Ok(Err(absence)) => absence.answer(),
            Err(_) => unavailable("the evidence file could not be read\n"),
        }
    }

    fn capabilities(&self) -> Answer {
        let mut body = Vec::new();
        match self.settings.load().capabilities.write(&mut body) {
            Ok(()) => page(StatusCode::OK, JSON, body),
            Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
        }
    }

    fn render(&self, format: Format, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let program = Program { metrics: &self.program, started: self.started };
        export::write(&self.settings.load().export, format, report, Some(program), out)
    }
}

/// A file of the dashboard. The files are compressed at the first request.
async fn dashboard(request: &Request<Incoming>) -> Answer {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let answered = tokio::task::spawn_blocking(move || dashboard::answer(&path, &headers)).await;
    answered.ok().flatten().unwrap_or_else(|| not_found(dashboard::PATH))
}

/// True for a path of the API, also for one that does not exist.
pub(super) fn is_of_api(path: &str) -> bool {
    path.starts_with(API)
}

/// Paths of the API are answered in JSON.
fn not_found(path: &str) -> Answer {
    if is_of_api(path) {
        return page(
            StatusCode::NOT_FOUND,
            JSON,
            error_json("no such path of the API; docs/openapi.yaml has the list"),
        );
    }
    page(StatusCode::NOT_FOUND, PLAIN, "page not found; see /?landing for the list\n")
}

fn too_many_scrapes() -> Answer {
    unavailable("too many scrapes\n")
}

/// The request headers that answers depend on.
const VARY_BY_CODING: &str = "accept-encoding";
const VARY_BY_FORMAT: &str = "accept, accept-encoding";

fn exposition(format: Format, coding: Coding, body: Body) -> Answer {
    rendered(format.content_type(), VARY_BY_FORMAT, coding, body)
}

fn rendered(content_type: &'static str, varies_by: &'static str, coding: Coding, body: Body) -> Answer {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(VARY, HeaderValue::from_static(varies_by));
    if coding == Coding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}
