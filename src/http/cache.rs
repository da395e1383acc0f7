//! Answers that were rendered lately, so that equal requests cost one. Takes the key of an answer and a function that
//! renders it; gives its bytes. Must not know the contents.
//!
//! Requests for an answer that is being rendered wait for it. The cache is bounded: it forgets all answers when the
//! data changes, and when it is full. Answers of earlier data cannot be asked for again: keeping them would only take memory.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use tokio::sync::OnceCell;

use super::negotiate::Coding;

/// The most answers that are kept.
const MAXIMUM_ANSWERS: usize = 256;
/// The most bytes of all kept answers.
const MAXIMUM_BYTES: usize = 4 << 20;
/// The most bytes of a kept answer.
const MAXIMUM_ANSWER_BYTES: usize = 1 << 20;

/// The data that answers are made of: the numbers of the report, the history and the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct DataVersion {
    pub report: u64,
    pub history: u64,
    pub names: u64,
}

/// The key of an answer. Equal keys have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AnswerKey {
    pub version: DataVersion,
    /// The second of an answer that depends on the time too.
    pub second: Option<u64>,
    /// Path and query.
    pub target: String,
    pub coding: Coding,
}

/// Kept answers.
#[derive(Debug, Default)]
pub(super) struct AnswerCache(Mutex<CachedAnswers>);

#[derive(Debug, Default)]
struct CachedAnswers {
    version: DataVersion,
    bytes: usize,
    answers: HashMap<AnswerKey, Arc<OnceCell<Bytes>>>,
}

impl CachedAnswers {
    fn clear(&mut self) {
        // A new map, so that the memory of the table is freed too.
        self.answers = HashMap::new();
        self.bytes = 0;
    }

    /// Forgets all answers that were not made from this version of the data.
    fn keep_only(&mut self, version: DataVersion) {
        if self.version != version {
            self.clear();
            self.version = version;
        }
    }
}

impl AnswerCache {
    /// The answer of `key`: kept, or from `render`.
    pub(super) async fn get<E>(
        &self,
        key: AnswerKey,
        render: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let cell = self.cell(&key);
        let rendered = cell.get_or_try_init(|| async {
            let bytes = render.await?;
            self.note(&key, bytes.len());
            Ok(bytes)
        });
        rendered.await.cloned()
    }

    /// Forgets all answers that were not made from this version of the data.
    pub(super) fn keep_only(&self, version: DataVersion) {
        self.lock().keep_only(version);
    }

    fn cell(&self, key: &AnswerKey) -> Arc<OnceCell<Bytes>> {
        let mut cached = self.lock();
        cached.keep_only(key.version);
        if cached.answers.len() >= MAXIMUM_ANSWERS && !cached.answers.contains_key(key) {
            cached.clear();
        }
        Arc::clone(cached.answers.entry(key.clone()).or_default())
    }

    /// Counts a new answer, and forgets it if it is too large to be kept. An answer that was forgotten and asked for again
    /// while it was being rendered counts twice until the cache is cleared.
    fn note(&self, key: &AnswerKey, bytes: usize) {
        let mut cached = self.lock();
        if bytes > MAXIMUM_ANSWER_BYTES {
            cached.answers.remove(key);
        } else if cached.answers.contains_key(key) {
            if cached.bytes + bytes > MAXIMUM_BYTES {
                cached.clear();
            } else {
                cached.bytes += bytes;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, CachedAnswers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn key(report: u64, target: &str) -> AnswerKey {
        let version = DataVersion { report, ..DataVersion::default() };
        AnswerKey { version, second: None, target: target.to_owned(), coding: Coding::Identity }
    }

    impl AnswerCache {
        fn assert_empty(&self) {
            let cached = self.lock();
            assert_eq!((cached.answers.len(), cached.bytes), (0, 0));
        }
    }

    /// A cache, and the number of answers that it had rendered.
    #[derive(Default)]
    struct Counted {
        cache: AnswerCache,
        rendered: AtomicUsize,
    }

    impl Counted {
        async fn get(&self, key: AnswerKey, bytes: usize) -> usize {
            let render = async {
                tokio::task::yield_now().await;
                self.rendered.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(Bytes::from(vec![0; bytes]))
            };
            self.cache.get(key, render).await.unwrap().len()
        }

        fn rendered(&self) -> usize {
            self.rendered.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn equal_requests_are_rendered_once_until_the_data_changes() {
        let counted = Counted::default();
        let ten = (0..10).map(|_| counted.get(key(1, "/a"), 5));
        let answers = tokio::join!(async { futures(ten).await }, counted.get(key(1, "/b"), 6));
        assert_eq!(answers, (vec![5; 10], 6));
        assert_eq!(counted.rendered(), 2);
        assert_eq!(counted.get(key(2, "/a"), 7).await, 7);
        assert_eq!(counted.rendered(), 3);
        assert_eq!(counted.cache.lock().answers.len(), 1);
    }

    #[tokio::test]
    async fn answers_of_other_data_are_forgotten() {
        let counted = Counted::default();
        counted.get(key(1, "/a"), 5).await;
        counted.cache.keep_only(key(1, "/a").version);
        assert_eq!(counted.cache.lock().bytes, 5);
        counted.cache.keep_only(key(2, "/a").version);
        counted.cache.assert_empty();
        assert_eq!(counted.get(key(2, "/a"), 7).await, 7);
    }

    #[tokio::test]
    async fn answer_of_data_that_changed_meanwhile_is_given_and_not_kept() {
        let cache = AnswerCache::default();
        let render = async {
            cache.keep_only(key(2, "/a").version);
            Ok::<_, ()>(Bytes::from_static(b"old"))
        };
        assert_eq!(cache.get(key(1, "/a"), render).await.unwrap(), "old");
        cache.assert_empty();
    }

    /// The results of futures that run at the same time.
    async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
        let mut all: Vec<_> = all.map(Box::pin).collect();
        let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            for (future, done) in all.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
                if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
                    *done = Some(output);
                }
            }
            if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        done.into_iter().flatten().collect()
    }

    #[tokio::test]
    async fn rendering_that_fails_is_tried_again() {
        let cache = AnswerCache::default();
        assert_eq!(cache.get(key(1, "/a"), async { Err("busy") }).await, Err("busy"));
        assert_eq!(cache.get(key(1, "/a"), async { Ok::<_, ()>(Bytes::from_static(b"x")) }).await.unwrap(), "x");
    }

    #[tokio::test]
    async fn cache_is_bounded_in_answers_and_in_bytes() {
        let counted = Counted::default();
        for number in 0..1_000 {
            counted.get(key(1, &format!("/{number}")), 10).await;
            assert!(counted.cache.lock().answers.len() <= MAXIMUM_ANSWERS);
        }
        for number in 0..20 {
            counted.get(key(2, &format!("/{number}")), MAXIMUM_ANSWER_BYTES).await;
            let cached = counted.cache.lock();
            let kept: usize = cached.answers.values().filter_map(|cell| cell.get()).map(Bytes::len).sum();
            assert!(kept <= MAXIMUM_BYTES && cached.bytes == kept, "{kept}, counted {}", cached.bytes);
        }
        counted.get(key(3, "/large"), MAXIMUM_ANSWER_BYTES + 1).await;
        assert!(counted.cache.lock().answers.is_empty());
    }
}
