//! The lifecycle of the program over HTTP: `POST /-/reload`, if it is enabled. Takes requests; gives them to the thread
//! that reloads, and its outcome to the client. Must not know what a reload does.
//!
//! While a reload runs, further requests wait. They are all answered with the outcome of the one reload after it.

use std::time::Duration;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::answer::{Answer, PLAIN, page, unavailable};

/// The path of a reload.
pub(super) const PATH: &str = "/-/reload";

/// The most requests that wait for a reload. A further client gets status 503; a further signal is served by the reload
/// that waits.
const MOST_WAITING: usize = 16;
/// Longest time that a client waits for its reload.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The outcome of a reload: in force, or the reason why not.
pub type ReloadOutcome = Result<(), String>;

/// A request for a reload. Without a sender no client waits for the outcome.
type ReloadRequest = Option<oneshot::Sender<ReloadOutcome>>;

/// Asks for reloads. Clones share one queue.
#[derive(Debug, Clone)]
pub struct ReloadRequester(mpsc::Sender<ReloadRequest>);

/// The requests for reloads.
#[derive(Debug)]
pub struct ReloadRequests(mpsc::Receiver<ReloadRequest>);

/// The clients of one reload.
#[derive(Debug)]
pub struct ReloadClients(Vec<oneshot::Sender<ReloadOutcome>>);

/// The queue of requests.
pub fn reloads() -> (ReloadRequester, ReloadRequests) {
    let (requester, requests) = mpsc::channel(MOST_WAITING);
    (ReloadRequester(requester), ReloadRequests(requests))
}

impl ReloadRequester {
    /// Asks for a reload; returns at once. With a full queue there is nothing to do: a reload is waiting already.
    pub fn request(&self) {
        match self.0.try_send(None) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => tracing::trace!("a reload is waiting already"),
            Err(TrySendError::Closed(_)) => tracing::error!("nothing is reloaded: the thread `reload` has ended"),
        }
    }

    /// Asks for a reload, and answers with its outcome.
    pub(super) async fn answer(&self) -> Answer {
        let (sender, outcome) = oneshot::channel();
        if self.0.try_send(Some(sender)).is_err() {
            return unavailable(if self.0.is_closed() {
                "there is no reload: a capture file is read, or the thread `reload` has ended; see the log\n"
            } else {
                "no reload is possible now: too many clients wait for one\n"
            });
        }
        match timeout(LONGEST_WAIT, outcome).await {
            Ok(Ok(Ok(()))) => page(StatusCode::OK, PLAIN, "the configuration is in force\n"),
            Ok(Ok(Err(reason))) => page(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{reason}\n")),
            _ => unavailable("the reload has not ended yet; see the log for its outcome\n"),
        }
    }
}

impl ReloadRequests {
    /// Waits for a request; gives the clients of all that are there. None once no requester is left.
    pub fn wait(&mut self) -> Option<ReloadClients> {
        let first = self.0.blocking_recv()?;
        let others = std::iter::from_fn(|| self.0.try_recv().ok());
        Some(ReloadClients(std::iter::once(first).chain(others).flatten().collect()))
    }
}

impl ReloadClients {
    /// Gives all clients the outcome. One that has gone needs none.
    pub fn answer(self, outcome: &ReloadOutcome) {
        self.0.into_iter().for_each(|client| drop(client.send(outcome.clone())));
    }
}

/// The answer to a request for a reload by `requester`, which is there if reloads over HTTP are enabled.
pub(super) async fn reload(method: &Method, requester: Option<&ReloadRequester>) -> Answer {
    if !matches!(*method, Method::POST | Method::PUT) {
        let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only POST and PUT are allowed\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, PUT"));
        return answer;
    }
    match requester {
        Some(requester) => requester.answer().await,
        None => {
            let text = "reloads over HTTP are not enabled; start with --web.enable-lifecycle, or send SIGHUP\n";
            page(StatusCode::FORBIDDEN, PLAIN, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(requester: Option<&ReloadRequester>, method: Method) -> u16 {
        reload(&method, requester).await.status().as_u16()
    }

    #[tokio::test]
    async fn without_permission_or_by_another_method_nothing_is_asked_for() {
        let (requester, mut requests) = reloads();
        assert_eq!(status(None, Method::POST).await, 403);
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            assert_eq!(status(Some(&requester), method).await, 405);
        }
        assert!(requests.0.try_recv().is_err());
        drop(requests);
        assert_eq!(status(Some(&requester), Method::POST).await, 503, "a capture file is read");
    }

    #[tokio::test]
    async fn requests_during_a_reload_are_answered_by_one_more() {
        let (requester, mut requests) = reloads();
        let ask =
            |requester: ReloadRequester| tokio::spawn(async move { status(Some(&requester), Method::POST).await });
        let clients: Vec<_> = (0..MOST_WAITING).map(|_| ask(requester.clone())).collect();
        while requester.0.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        requester.request();
        assert_eq!(status(Some(&requester), Method::PUT).await, 503, "the queue is full");
        let all = tokio::task::spawn_blocking(move || {
            let clients = requests.wait().unwrap();
            assert_eq!(clients.0.len(), MOST_WAITING);
            clients.answer(&Err("t.yml:1:1: no".to_owned()));
            requests
        });
        let mut requests = all.await.unwrap();
        for client in clients {
            assert_eq!(client.await.unwrap(), 500);
        }
        assert!(requests.0.try_recv().is_err(), "one reload served them all");
    }
}
