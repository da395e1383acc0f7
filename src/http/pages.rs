//! Paths → answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::account::snapshot::Published;
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
    is_ready: AtomicBool,
}

type Answer = Response<Full<Bytes>>;

impl Site {
    /// Pages of what is published; not ready yet.
    #[must_use]
    pub fn new(published: Arc<Published>, export: export::Config, program: SelfMetrics, version: String) -> Self {
        Self { published, export, program, version, is_ready: AtomicBool::new(false) }
    }

    /// From here on `/-/ready` says so.
    pub fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Release);
    }

    /// Answers a request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET and HEAD only\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/metrics" => self.metrics().await,
            "/" => page(StatusCode::OK, HTML, self.landing()),
            "/-/healthy" => page(StatusCode::OK, PLAIN, "healthy\n"),
            "/-/ready" if self.is_ready.load(Ordering::Acquire) => page(StatusCode::OK, PLAIN, "ready\n"),
            "/-/ready" => page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not every capture is open yet\n"),
            _ => page(StatusCode::NOT_FOUND, PLAIN, "no such page; see /\n"),
        }
    }

    /// Rendered apart from the threads that answer, because a large one takes tens of milliseconds.
    async fn metrics(self: Arc<Self>) -> Answer {
        match tokio::task::spawn_blocking(move || self.render()).await {
            Ok(Ok(text)) => page(StatusCode::OK, TEXT_FORMAT, text),
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    }

    fn render(&self) -> io::Result<Vec<u8>> {
        let snapshot = self.published.latest();
        let mut text = Vec::new();
        export::write_text(&self.export, &snapshot, Some(&self.program), &mut text)?;
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
