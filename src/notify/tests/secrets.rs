//! Tests of secrets: they can be replaced, and no log line and no panic contains them.

use std::os::unix::fs::PermissionsExt as _;

use super::faults::{dead, received, url};
use super::notices::firing;
use super::server::{Answer, Server};
use super::*;
use crate::os::rerun;

#[test]
fn secret_file_that_is_missing_for_a_while_delays_deliveries() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start([]));
    let path = folder.path().join("url");
    let write = || {
        std::fs::write(&path, format!("{}\n", server.url())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write();
    let config =
        config(vec![ReceiverConfig { url: Some(SecretSource::File(path.clone())), ..receiver("one", "") }], None);
    let notifier = start(config, Batching::Each);
    let figures = &notifier.figures()[0].1;
    std::fs::remove_file(&path).unwrap();
    put(&notifier, [firing(1)]);
    wait("the attempt fails", || figures.failed_attempts(FailureReason::Secret) > 0);
    write();
    wait_settled(&notifier, 0, 1);
    assert_eq!((figures.delivered(), received(&server)), (1, vec![(1, true)]));
}

/// In all secrets of the next test.
const CANARY: &str = "canary7f3a";

/// Writes all log lines of all libraries at all levels.
struct LogAll;

impl tracing::Subscriber for LogAll {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        println!("{attributes:?}");
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        println!("{values:?}");
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        println!("{event:?}");
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// A receiver that panics with all that it is given.
struct Panicking;

impl Receiver for Panicking {
    fn batching(&self) -> Batching {
        Batching::Each
    }

    fn default_url(&self) -> Option<&'static str> {
        None
    }

    fn request(&self, _: &[Notice], context: &Context<'_>) -> Request {
        let request = Request { path: String::new(), headers: vec![("x", Secret::new(CANARY))], body: CANARY.into() };
        panic!("the panic of this test: {:?}", (context.key, request));
    }
}

#[test]
fn no_secret_is_in_the_text_of_a_panic() {
    let output = rerun::output(rerun::start("notify::tests::secrets::process_that_panics", "run"));
    for word in ["thread 'notify'", "the panic of this test: (Some(…), Request", "after an internal error"] {
        assert!(output.contains(word), "no {word:?} in {output}");
    }
    assert!(!output.contains(CANARY) && !output.contains("99, 97, 110"), "{output}");
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_that_panics() {
    if rerun::parameter().is_none() {
        return;
    }
    tracing::subscriber::set_global_default(LogAll).unwrap();
    let key = SecretSource::Given(Secret::new(CANARY));
    let config = ReceiverConfig {
        vendor: Vendor::PagerDuty { routing_key: key.clone() },
        headers: [("authorization".to_owned(), key)].into(),
        ..receiver("one", &format!("http://{CANARY}.invalid/{CANARY}"))
    };
    let config = self::config(vec![config], None);
    let of = |_: &ReceiverConfig| Box::new(Panicking) as Box<dyn Receiver>;
    let notifier = Notifier::start_with(config, EvidenceIndex::default(), "host".to_owned(), of).unwrap();
    put(&notifier, [firing(1)]);
    finish(notifier);
}

#[test]
fn no_secret_is_in_a_log_line_at_any_level() {
    let output = rerun::output(rerun::start("notify::tests::secrets::process_that_logs_all", "run"));
    assert!(output.contains("receiver refused"), "something is logged: {output}");
    assert!(!output.contains(CANARY), "{output}");
}

#[test]
#[ignore = "another test runs it as a process of its own"]
fn process_that_logs_all() {
    if rerun::parameter().is_none() {
        return;
    }
    tracing::subscriber::set_global_default(LogAll).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let (refusing, redirecting) =
        (Server::start([Answer::Status(403, "")]), Server::start([Answer::Status(302, "Location: /canary7f3a\r\n")]));
    std::fs::write(&file, format!("{}/{CANARY}", refusing.url())).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let with_secrets = |name: &str, url: &str| ReceiverConfig {
        headers: [("Authorization".to_owned(), SecretSource::Given(Secret::new(CANARY)))].into(),
        ..receiver(name, &format!("{url}/{CANARY}?{CANARY}"))
    };
    let configs = vec![
        with_secrets("refused", &refusing.url()),
        with_secrets("redirected", &redirecting.url()),
        with_secrets("dead", &url(dead())),
        with_secrets("unknown", "http://canary7f3a.invalid"),
        with_secrets("tls", &format!("https://{}", refusing.address)),
        ReceiverConfig { url: Some(SecretSource::File(file.clone())), ..with_secrets("file", "") },
    ];
    println!("{configs:?}");
    let notifier = start(config(configs, Some(folder.path().to_owned())), Batching::Each);
    std::fs::write(&file, format!("ftp://{CANARY}/")).unwrap();
    put(&notifier, [firing(1)]);
    wait_settled(&notifier, 0, 1);
    wait_settled(&notifier, 1, 1);
    let figures = notifier.figures();
    let failed = |at: usize| FailureReason::ALL.map(|reason| figures[at].1.failed_attempts(reason)).iter().sum::<u64>();
    wait("all attempts fail", || (2..6).all(|at| failed(at) > 0));
    println!("{notifier:?}");
    finish(notifier);
    for url in [format!("ftp://{CANARY}/"), format!("http://{CANARY}@host/"), CANARY.to_owned()] {
        let config = config(vec![receiver("one", &url)], None);
        let error = Notifier::start(config, EvidenceIndex::default(), "host".to_owned()).unwrap_err();
        println!("{error} {error:?}");
    }
}
