//! Checks of passwords. Takes the users of the file and the pair of a request; tells whether the pair is right. Must not
//! know what a right pair opens.
//!
//! A check by bcrypt takes tens of milliseconds of CPU time. So only one runs at a time, a client gets few of them, and
//! the result is kept: as a keyed hash, never as a password. A check for an unknown user takes as long as one for a known
//! user, because it uses the hash of another user.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::HeaderMap;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::super::slots::{ClientId, Slots};
use super::credentials::Credentials;
use super::pace::CheckPace;
use super::settings::PasswordHash;

/// The most checks at once. A second one would take the second core of a small machine.
const MAXIMUM_CHECKS: usize = 1;
/// Longest time to wait for a check to begin.
const CHECK_WAIT: Duration = Duration::from_secs(5);
/// The most wrong pairs that are remembered, so that a client with an old password costs one check.
const MAXIMUM_WRONG_PAIRS: usize = 256;

/// A user, the user's hash and a password, hashed with a key of this process.
type PairDigest = [u8; 32];

/// The reason why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckRefusal {
    /// No pair that can be read.
    Missing,
    /// A wrong pair.
    Wrong,
    /// The client asked for too many checks.
    TooMany,
    /// Others kept the check busy.
    Busy,
}

/// The users of a web configuration file.
pub(super) type Users = BTreeMap<String, PasswordHash>;

/// The results of checks, and the limits on further ones.
pub(super) struct PasswordChecks {
    key: [u8; 32],
    known: Mutex<KnownPairs>,
    pace: Mutex<CheckPace>,
    checks: Arc<Slots>,
}

/// Pairs that were checked.
#[derive(Default)]
struct KnownPairs {
    /// The right pair of each user; at most one a user of the file.
    right: BTreeMap<String, PairDigest>,
    /// Wrong pairs, the oldest first.
    wrong: VecDeque<PairDigest>,
}

impl PasswordChecks {
    /// No pair is known. `key` is random.
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key, known: Mutex::default(), pace: Mutex::default(), checks: Slots::new(MAXIMUM_CHECKS) }
    }

    /// Forgets the pairs of users that the file has no more.
    pub(super) fn retain(&self, users: &Users) {
        lock(&self.known).right.retain(|user, _| users.contains_key(user));
    }

    /// Checks the pair in the headers of a request.
    pub(super) async fn check(
        self: &Arc<Self>,
        users: &Users,
        headers: &HeaderMap,
        client: ClientId,
    ) -> Result<(), CheckRefusal> {
        let credentials = Credentials::of(headers).ok_or(CheckRefusal::Missing)?;
        let digest = self.digest(&credentials, users.get(&credentials.user));
        if let Some(known) = self.known(&credentials.user, &digest) {
            return known;
        }
        if !lock(&self.pace).admit(client, Instant::now()) {
            return Err(CheckRefusal::TooMany);
        }
        let slot = self.checks.wait(client, sleep(CHECK_WAIT)).await.map_err(|_| CheckRefusal::Busy)?;
        // Another request with the pair may have come first.
        if let Some(known) = self.known(&credentials.user, &digest) {
            return known;
        }
        let Some(hash) = self.hash_to_compare(users, &credentials.user, &digest) else {
            return Err(CheckRefusal::Wrong);
        };
        let is_known = users.contains_key(&credentials.user);
        let checks = Arc::clone(self);
        let checked = tokio::task::spawn_blocking(move || {
            let is_right = bcrypt::verify(&credentials.password, hash.text()).unwrap_or(false) && is_known;
            checks.remember(credentials.user, digest, client, is_right);
            // A client that has gone does not free the slot before the check is over.
            drop(slot);
            is_right
        });
        if checked.await.unwrap_or(false) { Ok(()) } else { Err(CheckRefusal::Wrong) }
    }

    /// The hash of the user; for an unknown user that of another, always the same one for the same name.
    fn hash_to_compare(&self, users: &Users, user: &str, digest: &PairDigest) -> Option<PasswordHash> {
        let another = || users.values().nth(usize::from(digest[0]) % users.len().max(1));
        users.get(user).or_else(another).cloned()
    }

    /// The result of an earlier check.
    fn known(&self, user: &str, digest: &PairDigest) -> Option<Result<(), CheckRefusal>> {
        let known = lock(&self.known);
        if known.right.get(user) == Some(digest) {
            return Some(Ok(()));
        }
        known.wrong.contains(digest).then_some(Err(CheckRefusal::Wrong))
    }

    fn remember(&self, user: String, digest: PairDigest, client: ClientId, is_right: bool) {
        let mut known = lock(&self.known);
        if is_right {
            known.right.insert(user, digest);
            lock(&self.pace).forgive(client);
            return;
        }
        if known.wrong.len() >= MAXIMUM_WRONG_PAIRS {
            known.wrong.pop_front();
        }
        known.wrong.push_back(digest);
    }

    /// The lengths keep two pairs apart that are the same bytes in a row.
    fn digest(&self, credentials: &Credentials, hash: Option<&PasswordHash>) -> PairDigest {
        let hash = hash.map_or("", PasswordHash::text);
        let mut digest = Sha256::new();
        digest.update(self.key);
        for part in [credentials.user.as_bytes(), hash.as_bytes(), &credentials.password] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hyper::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn client(number: u32) -> ClientId {
        IpAddr::from(Ipv4Addr::from_bits(number)).into()
    }

    fn users(pairs: &[(&str, &str)]) -> Users {
        let hash = |password: &str| PasswordHash::parse(&bcrypt::hash(password, 4).unwrap()).unwrap();
        pairs.iter().map(|(user, password)| ((*user).to_owned(), hash(password))).collect()
    }

    fn checks() -> Arc<PasswordChecks> {
        Arc::new(PasswordChecks::new([7; 32]))
    }

    fn headers(user: &str, password: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        [(AUTHORIZATION, HeaderValue::try_from(value).unwrap())].into_iter().collect()
    }

    #[tokio::test]
    async fn right_pairs_are_let_in_and_no_other() {
        let (checks, users) = (checks(), users(&[("alice", "a"), ("bob", "b")]));
        for (user, password) in [("alice", "a"), ("bob", "b"), ("alice", "a")] {
            assert_eq!(checks.check(&users, &headers(user, password), client(1)).await, Ok(()));
        }
        for (user, password) in [("alice", "b"), ("bob", "a"), ("eve", "a"), ("eve", "b"), ("", "a"), ("alice", "")] {
            let refused = checks.check(&users, &headers(user, password), client(1)).await;
            assert_eq!(refused, Err(CheckRefusal::Wrong), "{user}:{password}");
        }
        assert_eq!(checks.check(&users, &HeaderMap::new(), client(1)).await, Err(CheckRefusal::Missing));
    }

    #[tokio::test]
    async fn client_that_guesses_gets_few_checks_and_others_still_get_in() {
        let (checks, users) = (checks(), users(&[("alice", "a")]));
        assert_eq!(checks.check(&users, &headers("alice", "a"), client(1)).await, Ok(()));
        let mut refusals = Vec::new();
        for guess in 0..40 {
            refusals.push(checks.check(&users, &headers("alice", &guess.to_string()), client(1)).await.unwrap_err());
        }
        assert!(refusals.contains(&CheckRefusal::TooMany), "{refusals:?}");
        assert_eq!(checks.check(&users, &headers("alice", "a"), client(1)).await, Ok(()), "it is known");
        let mut both = users.clone();
        both.extend(self::users(&[("bob", "b")]));
        assert_eq!(checks.check(&both, &headers("bob", "b"), client(2)).await, Ok(()));
    }

    #[tokio::test]
    async fn repeated_wrong_pair_costs_one_check() {
        let (checks, users) = (checks(), users(&[("alice", "a")]));
        for _ in 0..100 {
            assert_eq!(checks.check(&users, &headers("alice", "old"), client(1)).await, Err(CheckRefusal::Wrong));
        }
        assert_eq!(lock(&checks.known).wrong.len(), 1);
    }

    #[tokio::test]
    async fn new_password_or_removed_user_takes_effect_at_once() {
        let (checks, before) = (checks(), users(&[("alice", "a"), ("bob", "b")]));
        for (user, password) in [("alice", "a"), ("bob", "b")] {
            assert_eq!(checks.check(&before, &headers(user, password), client(1)).await, Ok(()));
        }
        let after = users(&[("alice", "new")]);
        checks.retain(&after);
        assert!(!lock(&checks.known).right.contains_key("bob"));
        for (user, password) in [("alice", "a"), ("bob", "b")] {
            let refused = checks.check(&after, &headers(user, password), client(1)).await;
            assert_eq!(refused, Err(CheckRefusal::Wrong), "{user}");
        }
        assert_eq!(checks.check(&after, &headers("alice", "new"), client(1)).await, Ok(()));
    }

    #[tokio::test]
    async fn remembered_wrong_pairs_are_limited() {
        let checks = checks();
        for number in 0..1_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            checks.remember("alice".to_owned(), digest, client(1), false);
        }
        assert_eq!(lock(&checks.known).wrong.len(), MAXIMUM_WRONG_PAIRS);
    }

    #[test]
    fn unknown_user_is_compared_with_the_hash_of_a_known_one() {
        let (checks, users) = (checks(), users(&[("alice", "a"), ("bob", "b")]));
        let compared = |digest: u8| checks.hash_to_compare(&users, "eve", &[digest; 32]);
        assert!([0, 1].iter().all(|digest| users.values().any(|hash| Some(hash) == compared(*digest).as_ref())));
        assert_eq!(checks.hash_to_compare(&users, "bob", &[0; 32]).as_ref(), users.get("bob"));
        assert_eq!(checks.hash_to_compare(&Users::new(), "eve", &[0; 32]), None);
    }
}
