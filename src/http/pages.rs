//! Paths → answers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::scrape::{Client, Reports};
use crate::account::snapshot::{Published, Snapshot};
use crate::export;
use crate::export::process::SelfMetrics;

/// The content type of the text format 0.0.4.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What the pages are made from.
pub struct Site {
    published: Arc<Published>,
    export: export::Config,
    program: SelfMetrics,
    version: String,
    reports: Option<Reports>,
    is_ready: AtomicBool,
}

type Answer = Response<Full<Bytes>>;

impl Site {
    /// Pages of what is published; not ready yet. Scrapes are reported where there is somebody to report to.
    #[must_use]
    pub fn new(
        published: Arc<Published>,
        export: export::Config,
        program: SelfMetrics,
        version: String,
        reports: Option<Reports>,
    ) -> Self {
        Self { published, export, program, version, reports, is_ready: AtomicBool::new(false) }
    }

    /// A client that has connected from `address`.
    pub(super) fn client(&self, address: IpAddr) -> Client {
        Client::new(address, self.reports.clone())
    }

    /// What `client` was sent last has been received.
    pub(super) fn record_received(&self, client: &Client) {
        self.count_unless_reported(client.has_received());
    }

    fn count_unless_reported(&self, is_reported: bool) {
        if !is_reported {
            self.program.count_dropped_report();
        }
    }

    /// From here on `/-/ready` says so.
    pub fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Release);
    }

    /// Answers a request of `client`.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>, client: &Client) -> Answer {
        self.record_received(client);
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET and HEAD only\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/metrics" => self.metrics(client, request.method() == Method::GET).await,
            "/" => page(StatusCode::OK, HTML, self.landing()),
            "/-/healthy" => page(StatusCode::OK, PLAIN, "healthy\n"),
            "/-/ready" if self.is_ready.load(Ordering::Acquire) => page(StatusCode::OK, PLAIN, "ready\n"),
            "/-/ready" => page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not every capture is open yet\n"),
            _ => page(StatusCode::NOT_FOUND, PLAIN, "no such page; see /\n"),
        }
    }

    /// Rendered apart from the threads that answer, because a large one takes tens of milliseconds.
    async fn metrics(self: Arc<Self>, client: &Client, is_get: bool) -> Answer {
        let snapshot = self.published.latest();
        if is_get && snapshot.number > 0 {
            self.count_unless_reported(client.is_sent(snapshot.number));
        }
        match tokio::task::spawn_blocking(move || self.render(&snapshot)).await {
            Ok(Ok(text)) => page(StatusCode::OK, TEXT_FORMAT, text),
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    }

    fn render(&self, snapshot: &Snapshot) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        export::write_text(&self.export, snapshot, Some(&self.program), &mut text)?;
        Ok(text)
    }

    fn landing(&self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>trafficmonitor</title></head>\n\
             <body>\n<h1>trafficmonitor</h1>\n<p>Who talks to whom, on what protocol, how much.</p>\n<ul>\n\
             <li><a href=\"/metrics\">Metrics</a></li>\n<li><a href=\"/-/healthy\">Health</a></li>\n\
             <li><a href=\"/-/ready\">Readiness</a></li>\n</ul>\n<p>Version {}</p>\n</body>\n</html>\n",
            self.version
        )
    }
}

fn failed(error: &dyn std::error::Error) -> Answer {
    tracing::error!(%error, "cannot render the metrics");
    page(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "the metrics could not be rendered; see the log\n")
}

fn page(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
