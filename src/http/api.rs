//! The API over HTTP: parameters, entity tags, compression, limits, and the stream of snapshots. Takes requests; gives
//! answers. Must not know the contents of answers.
//!
//! Answers are rendered on threads of their own, in slots of their own: neither a flood of requests nor slow clients
//! keep scrapes from being answered.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::answer::{Answer, JSON, page, unavailable_json};
use super::body::{Body, GZIP_LEVEL};
use super::cache::{AnswerCache, AnswerKey, DataVersion};
use super::conditional::{add_headers, is_known, not_modified};
use super::negotiate::{self, Coding};
use super::quota::{RenderingMeter, RenderingQuota};
use super::scrape::Client;
use super::slots::{ClientId, Slots};
use super::stream::{self, EventStreams};
use crate::alert::EvidenceIndex;
use crate::export::Published;
use crate::export::api::{ApiInputs, ApiMemory, ApiRequest, ApiSettings, Resource, error_json};
use crate::export::connections::ClientRefusal;
use crate::export::process::SelfMetrics;
use crate::names::NamesReader;
use crate::packet::Timestamp;

/// The most answers that are rendered at once. One client gets half of them.
const MAXIMUM_RENDERINGS: usize = 2;
/// The most large answers that are sent at once.
const MAXIMUM_TRANSFERS: usize = 8;
/// Answers with more bytes are large: while one is sent it takes a slot.
const LARGE_ANSWER: usize = 64 << 10;
/// Longest time to wait for a slot; then the answer has status 503.
const SLOT_WAIT: Duration = Duration::from_secs(5);
/// Longest time to wait for an answer that another request is rendering.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Longest time for a client to read a large answer; then the connection is closed.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(30);
/// Interval at which old answers are forgotten, and streams get a new snapshot if it changed.
const TICK: Duration = Duration::from_secs(1);

/// Browsers ask again each time.
const CACHING: &str = "no-cache";
/// The media type of comma-separated values.
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// The parts of the API that all requests share.
pub(super) struct Api {
    published: Arc<Published>,
    program: Arc<SelfMetrics>,
    evidence: EvidenceIndex,
    settings: ArcSwap<ApiSettings>,
    is_ready: AtomicBool,
    names: NamesReader,
    memory: ApiMemory,
    started: Instant,
    /// Differs from process to process, so that no tag of an earlier one fits.
    identity: u64,
    cache: AnswerCache,
    quota: Option<Arc<RenderingQuota>>,
    renderings: Arc<Slots>,
    transfers: Arc<Slots>,
    streams: EventStreams,
}

/// The reason why there is no answer.
#[derive(Debug)]
enum Unanswered {
    Refused(ClientRefusal),
    Failed(io::Error),
}

impl Api {
    pub(super) fn new(
        published: Arc<Published>,
        program: Arc<SelfMetrics>,
        (evidence, names): (EvidenceIndex, NamesReader),
        settings: ApiSettings,
        streams: usize,
    ) -> Self {
        Self {
            published,
            program,
            evidence,
            settings: ArcSwap::from_pointee(settings),
            is_ready: AtomicBool::new(false),
            names,
            memory: ApiMemory::default(),
            started: Instant::now(),
            identity: RandomState::new().hash_one(SystemTime::now()),
            cache: AnswerCache::default(),
            quota: RenderingQuota::of_this_process(),
            renderings: Slots::new(MAXIMUM_RENDERINGS),
            transfers: Slots::new(MAXIMUM_TRANSFERS),
            streams: EventStreams::new(streams),
        }
    }

    /// Answers by other settings from the next snapshot on.
    pub(super) fn configure(&self, settings: ApiSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// The share of processor time that rendering gets, answers of the API and expositions together.
    pub(super) fn quota(&self) -> Option<Arc<RenderingQuota>> {
        self.quota.clone()
    }

    pub(super) fn evidence(&self) -> &EvidenceIndex {
        &self.evidence
    }

    pub(super) fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Release);
    }

    /// True once every interface is captured, or the file is read.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Answers a request for a resource.
    pub(super) async fn answer(
        self: &Arc<Self>,
        resource: Resource,
        request: &Request<Incoming>,
        client: &Client,
    ) -> Answer {
        let parsed = match ApiRequest::parse(resource, request.uri().query().unwrap_or_default()) {
            Ok(parsed) => parsed,
            Err(error) => return page(StatusCode::BAD_REQUEST, JSON, error_json(&error.to_string())),
        };
        let answered = match (resource, request.method() == Method::HEAD) {
            (Resource::Events, true) => Ok(stream::head()),
            (Resource::Events, false) => self.stream(parsed, client.origin()).await,
            (_, is_head) => self.tagged(parsed, request, (client, is_head)).await,
        };
        answered.unwrap_or_else(|unanswered| self.explain(unanswered))
    }

    /// The answer with its tag, or that the client has it.
    async fn tagged(
        self: &Arc<Self>,
        parsed: ApiRequest,
        request: &Request<Incoming>,
        (client, is_head): (&Client, bool),
    ) -> Result<Answer, Unanswered> {
        let key = self.key(&parsed, request);
        // The numbers alone say whether the answer changed, unless it depends on more.
        let tag = (!parsed.is_volatile()).then(|| self.tag_of_version(key.version));
        if let Some(tag) = tag.as_ref().filter(|tag| is_known(request.headers(), tag)) {
            return Ok(not_modified(tag, CACHING));
        }
        let (coding, file_name) = (key.coding, parsed.file_name());
        let rendered = timeout(ANSWER_WAIT, self.rendered(key, parsed, client.origin())).await;
        let bytes = rendered.unwrap_or(Err(Unanswered::Refused(ClientRefusal::Full)))?;
        let tag = tag.unwrap_or_else(|| self.tag_of_bytes(&bytes));
        if is_known(request.headers(), &tag) {
            return Ok(not_modified(&tag, CACHING));
        }
        let mut answer = head(&tag, coding, file_name.as_deref());
        *answer.body_mut() = self.body(bytes, is_head, client).await.map_err(Unanswered::Refused)?;
        Ok(answer)
    }

    /// Says why there is no answer.
    fn explain(&self, unanswered: Unanswered) -> Answer {
        match unanswered {
            Unanswered::Refused(refusal) => {
                self.program.connections.count_refused_api(refusal);
                unavailable_json(error_json("too many requests to the API; try again in a second"))
            }
            Unanswered::Failed(error) => {
                tracing::error!(%error, "cannot render an answer of the API");
                page(StatusCode::INTERNAL_SERVER_ERROR, JSON, error_json("the answer could not be rendered"))
            }
        }
    }

    /// The data that answers are made of now.
    fn version(&self) -> DataVersion {
        DataVersion {
            report: self.published.number(),
            history: self.published.history().number,
            names: self.names.number(),
        }
    }

    fn key(&self, parsed: &ApiRequest, request: &Request<Incoming>) -> AnswerKey {
        let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        AnswerKey { coding: negotiate::coding(request.headers()), ..self.key_of(parsed, target) }
    }

    fn key_of(&self, parsed: &ApiRequest, target: String) -> AnswerKey {
        let second = parsed.is_volatile().then(|| self.started.elapsed().as_secs());
        AnswerKey { version: self.version(), second, target, coding: Coding::Identity }
    }

    fn tag_of_version(&self, version: DataVersion) -> String {
        let DataVersion { report, history, names } = version;
        format!("W/\"{:x}-{report}-{history}-{names}\"", self.identity)
    }

    fn tag_of_bytes(&self, bytes: &[u8]) -> String {
        let hash = foldhash::fast::FixedState::with_seed(self.identity).hash_one(bytes);
        format!("W/\"{:x}-{hash:x}\"", self.identity)
    }

    /// The bytes of an answer, kept or rendered.
    async fn rendered(
        self: &Arc<Self>,
        key: AnswerKey,
        parsed: ApiRequest,
        origin: ClientId,
    ) -> Result<Bytes, Unanswered> {
        let coding = key.coding;
        let render = async {
            let slot = self.renderings.wait(origin, sleep(SLOT_WAIT)).await.map_err(Unanswered::Refused)?;
            let api = Arc::clone(self);
            let rendered = tokio::task::spawn_blocking(move || {
                let rendered = api.render(&parsed, coding);
                drop(slot);
                rendered
            });
            let rendered = rendered.await.map_err(io::Error::other).and_then(|rendered| rendered);
            rendered.map(Bytes::from).map_err(Unanswered::Failed)
        };
        self.cache.get(key, render).await
    }

    /// Renders an answer of the latest data, on a thread that may wait.
    fn render(&self, parsed: &ApiRequest, coding: Coding) -> io::Result<Vec<u8>> {
        let mut meter = RenderingMeter::begin(self.quota());
        let rendered = self.render_at_once(parsed, coding);
        meter.wait();
        rendered
    }

    fn render_at_once(&self, parsed: &ApiRequest, coding: Coding) -> io::Result<Vec<u8>> {
        let (number, report) = (self.published.number(), self.published.latest());
        let (history, names) = (self.published.history(), self.names.current());
        let inputs = ApiInputs {
            report: &report,
            number,
            history: &history,
            names: &names,
            evidence: &self.evidence,
            program: &self.program,
            memory: &self.memory,
            settings: &self.settings.load(),
            is_ready: self.is_ready(),
            now: Timestamp::from(SystemTime::now()),
            running: self.started.elapsed(),
        };
        let mut bytes = Vec::new();
        parsed.write(&inputs, &mut bytes)?;
        match coding {
            Coding::Identity => Ok(bytes),
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                io::Write::write_all(&mut encoder, &bytes)?;
                encoder.finish()
            }
        }
    }

    /// The body of an answer. A large one is sent from a thread of its own, which keeps a slot and a deadline.
    async fn body(&self, bytes: Bytes, is_head: bool, client: &Client) -> Result<Body, ClientRefusal> {
        if is_head || bytes.len() <= LARGE_ANSWER {
            return Ok(Body::from(bytes));
        }
        let slot = self.transfers.wait(client.origin(), sleep(SLOT_WAIT)).await?;
        let deadline = client.deadline(TRANSFER_TIMEOUT);
        let (body, chunks) = Body::rendered(None);
        drop(tokio::task::spawn_blocking(move || {
            let sent = chunks.write_all(Coding::Identity, |out| {
                bytes.chunks(LARGE_ANSWER).try_for_each(|piece| out.write_all(piece))
            });
            drop((bytes, slot, deadline));
            if let Err(error) = sent {
                tracing::debug!(%error, "the client disconnected before it read an answer of the API");
            }
        }));
        Ok(body)
    }

    /// A stream of snapshots.
    async fn stream(self: &Arc<Self>, parsed: ApiRequest, origin: ClientId) -> Result<Answer, Unanswered> {
        let slot = self.streams.slot(origin).map_err(Unanswered::Refused)?;
        let key = self.key_of(&parsed, Resource::Events.path().to_owned());
        let id = key.version.history;
        let bytes = self.rendered(key, parsed, origin).await?;
        Ok(self.streams.open(stream::event(SNAPSHOT, id, &bytes), slot))
    }

    /// Follows the data, for ever: forgets answers of earlier data, and sends each new snapshot to all streams. A
    /// snapshot is rendered only while there are streams.
    pub(super) async fn follow_data(self: Arc<Self>) {
        let Ok(parsed) = ApiRequest::parse(Resource::Snapshot, "") else { return };
        let (mut ticks, mut last) = (interval(TICK), Vec::new());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.cache.keep_only(self.version());
            if !self.streams.has_readers() {
                last = Vec::new();
                self.streams.forget();
                continue;
            }
            let (api, parsed) = (Arc::clone(&self), parsed.clone());
            let id = self.version().history;
            let rendered = tokio::task::spawn_blocking(move || api.render(&parsed, Coding::Identity)).await;
            if let Ok(Ok(bytes)) = rendered
                && bytes != last
            {
                self.streams.send(stream::event(SNAPSHOT, id, &bytes));
                last = bytes;
            }
        }
    }

    /// Ends all streams.
    pub(super) fn end_streams(&self) {
        self.streams.end();
    }
}

/// The name of the event with a snapshot.
const SNAPSHOT: &str = "snapshot";

/// The head of an answer; one with a file name is to be saved.
fn head(tag: &str, coding: Coding, file_name: Option<&str>) -> Answer {
    let mut answer = Response::new(Body::Ended);
    add_headers(&mut answer, tag, CACHING);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(if file_name.is_some() { CSV } else { JSON }));
    if coding == Coding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let disposition = file_name.map(|name| format!("attachment; filename=\"{name}\""));
    if let Some(Ok(disposition)) = disposition.map(|text| HeaderValue::from_str(&text)) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    answer
}
