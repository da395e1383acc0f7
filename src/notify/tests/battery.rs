//! The battery that every receiver passes: all outcomes of a request.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;

use super::notices::firing;
use super::server::{Answer, Server};
use super::*;
use crate::notify::receivers;

/// Every kind of receivers, with its settings. A new kind is added here.
fn vendors() -> Vec<(&'static str, Vendor)> {
    let key = || SecretSource::Given(Secret::new("key"));
    vec![
        ("alertmanager", Vendor::Alertmanager),
        ("slack", Vendor::Slack { channel: None, emoji: None, icon: None }),
        ("pagerduty", Vendor::PagerDuty { routing_key: key() }),
        ("opsgenie", Vendor::Opsgenie { api_key: key() }),
        ("webhook", Vendor::Webhook),
    ]
}

/// A vendor's receiver that does not wait for further notices.
struct Quick(Box<dyn Receiver>);

impl Receiver for Quick {
    fn batching(&self) -> Batching {
        match self.0.batching() {
            Batching::Group { .. } => QUICK_GROUP,
            other => other,
        }
    }

    fn default_url(&self) -> Option<&'static str> {
        self.0.default_url()
    }

    fn request(&self, notices: &[Notice], context: &Context<'_>) -> Request {
        self.0.request(notices, context)
    }
}

/// Deliveries to receivers of the vendors' own kinds.
fn start_vendors(receivers: Vec<ReceiverConfig>) -> Notifier {
    let of = |config: &ReceiverConfig| Box::new(Quick(receivers::of(config))) as Box<dyn Receiver>;
    Notifier::start_with(config(receivers, None), EvidenceIndex::default(), "host".to_owned(), of).unwrap()
}

/// The answers to the first requests, and what is expected: the failed attempts, and the reason if the alert is lost.
struct Case {
    name: String,
    script: Vec<Answer>,
    attempts: Vec<FailureReason>,
    lost: Option<FailureReason>,
}

/// The timeout of a case that does not wait for its end. A busy machine may take long for an answer.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(50);

impl Case {
    /// The timeout of an attempt: short if an answer does not come, or does not end.
    fn timeout(&self) -> Duration {
        let is_waited_for = self.script.iter().any(|answer| match answer {
            Answer::Hang | Answer::Drip => true,
            Answer::Late(delay) => *delay >= LONGEST_ATTEMPT,
            _ => false,
        });
        if is_waited_for { Duration::from_secs(6) } else { LONGEST_ATTEMPT }
    }
}

fn case(name: impl ToString, script: &[Answer], attempts: &[FailureReason], lost: Option<FailureReason>) -> Case {
    Case { name: name.to_string(), script: script.to_vec(), attempts: attempts.to_vec(), lost }
}

fn cases() -> Vec<Case> {
    let refused = |reason| (vec![reason], Some(reason));
    let of_status = |status: u16| {
        let (attempts, lost) = match status {
            200..=299 => (Vec::new(), None),
            429 => (vec![FailureReason::RateLimited], None),
            400..=499 => refused(FailureReason::ClientError),
            500..=599 => (vec![FailureReason::ServerError], None),
            _ => refused(FailureReason::Redirect),
        };
        let lines = if (300..400).contains(&status) { "Location: /other\r\n" } else { "" };
        case(status, &[Answer::Status(status, lines)], &attempts, lost)
    };
    let statuses = [
        200, 201, 202, 204, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 408, 409, 410, 413, 422, 429,
        451, 499, 500, 501, 502, 503, 504, 511, 599,
    ];
    let mut cases: Vec<Case> = statuses.map(of_status).into();
    cases.extend([
        case("late", &[Answer::Late(Duration::from_millis(100))], &[], None),
        case("hung", &[Answer::Hang], &[FailureReason::Timeout], None),
        case("too late", &[Answer::Late(LONGEST_ATTEMPT)], &[FailureReason::Timeout], None),
        case("closed", &[Answer::Cut("")], &[FailureReason::Connection], None),
        case("cut in the status", &[Answer::Cut("HTTP/1.1 20")], &[FailureReason::Connection], None),
        case("cut in the head", &[Answer::Cut("HTTP/1.1 200 OK\r\nContent-")], &[FailureReason::Connection], None),
        case("cut in the body", &[Answer::Cut("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")], &[], None),
        case("no HTTP", &[Answer::Cut("SSH-2.0-OpenSSH_9.2\r\n\r\n")], &[FailureReason::Protocol], None),
        case("10 MB", &[Answer::Long], &[], None),
        case("endless", &[Answer::Drip], &[], None),
        case(
            "two faults",
            &[Answer::Status(503, "Retry-After: 0\r\n"), Answer::Status(500, "")],
            &[FailureReason::ServerError, FailureReason::ServerError],
            None,
        ),
    ]);
    cases
}

#[test]
fn every_receiver_passes_every_case() {
    let (vendors, cases) = (vendors(), cases());
    let pairs: Vec<(&str, &Vendor, &Case)> =
        vendors.iter().flat_map(|(name, vendor)| cases.iter().map(move |case| (*name, vendor, case))).collect();
    let servers: Vec<Server> = pairs.iter().map(|(_, _, case)| Server::start(case.script.clone())).collect();
    let config_of = |((name, vendor, case), server): (&(&str, &Vendor, &Case), &Server)| ReceiverConfig {
        vendor: (*vendor).clone(),
        timeout: case.timeout(),
        ..receiver(&format!("{name}: {}", case.name), &server.url())
    };
    let configs = pairs.iter().zip(&servers).map(config_of).collect();
    let notifier = start_vendors(configs);
    put(&notifier, [firing(1)]);
    let figures = notifier.figures();
    for (at, ((_, _, case), server)) in pairs.iter().zip(&servers).enumerate() {
        let (name, figures) = &figures[at];
        wait_settled(&notifier, at, 1);
        let lost = FailureReason::ALL.into_iter().find(|reason| figures.lost(*reason) > 0);
        assert_eq!((lost, figures.delivered()), (case.lost, u64::from(case.lost.is_none())), "{name}");
        let counts = |reason: &FailureReason| case.attempts.iter().filter(|attempt| *attempt == reason).count() as u64;
        for reason in FailureReason::ALL {
            assert_eq!(figures.failed_attempts(reason), counts(&reason), "{name}: {reason:?}");
        }
        let requests = server.requests();
        let expected = case.attempts.len() + usize::from(case.lost.is_none());
        assert_eq!(requests.len(), expected, "{name}: {requests:?}");
        assert!(requests.iter().all(|request| request.head.starts_with("POST /hook")), "{name}: {requests:?}");
        assert_eq!(figures.waiting(), 0, "{name}");
    }
    finish(notifier);
}

#[test]
fn every_receiver_waits_as_long_as_it_is_asked_to() {
    for status in [429, 503] {
        let answer = || [Answer::Status(status, "Retry-After: 3\r\n")];
        let servers: Vec<Server> = vendors().iter().map(|_| Server::start(answer())).collect();
        let configs = vendors().into_iter().zip(&servers);
        let configs =
            configs.map(|((name, vendor), server)| ReceiverConfig { vendor, ..receiver(name, &server.url()) });
        let notifier = start_vendors(configs.collect());
        put(&notifier, [firing(1)]);
        for (at, (server, (name, _))) in servers.iter().zip(vendors()).enumerate() {
            wait_settled(&notifier, at, 1);
            let [first, second] = &server.requests()[..] else { panic!("{name}: {:?}", server.requests()) };
            let delay = second.at - first.at;
            assert!(delay >= Duration::from_millis(2_900), "{name}: {status}: {delay:?}");
        }
    }
}

// ---- TLS -----------------------------------------------------------------------------------------------------------------

/// A certificate authority in a file, and an acceptor with its certificate for a name.
fn authority(name: &str, folder: &std::path::Path) -> (PathBuf, TlsAcceptor) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let ca_file = folder.join(format!("{name}.pem"));
    std::fs::write(&ca_file, issuer.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = server.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (ca_file, TlsAcceptor::from(Arc::new(server)))
}

#[test]
fn every_receiver_needs_a_certificate_of_the_given_authority_for_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (ca_file, acceptor) = authority("localhost", folder.path());
    let (wrong_ca_file, wrong_acceptor) = authority("example.org", folder.path());
    let cases = [
        ("right", Some(&acceptor), Some(&ca_file), None),
        ("unknown authority", Some(&acceptor), None, Some(FailureReason::Tls)),
        ("other authority", Some(&acceptor), Some(&wrong_ca_file), Some(FailureReason::Tls)),
        ("other name", Some(&wrong_acceptor), Some(&wrong_ca_file), Some(FailureReason::Tls)),
        ("no TLS at all", None, Some(&ca_file), Some(FailureReason::Timeout)),
    ];
    let vendors = vendors();
    let pairs: Vec<_> = vendors.iter().flat_map(|vendor| cases.iter().map(move |case| (vendor, case))).collect();
    let server = |acceptor: Option<&TlsAcceptor>| match acceptor {
        Some(acceptor) => Server::start_tls([], acceptor.clone()),
        None => Server::start([]),
    };
    let servers: Vec<Server> = pairs.iter().map(|(_, (_, acceptor, ..))| server(*acceptor)).collect();
    let configs = pairs.iter().zip(&servers).map(|(((name, vendor), (case, _, roots, _)), server)| ReceiverConfig {
        vendor: vendor.clone(),
        ca_file: roots.cloned(),
        timeout: Duration::from_secs(10),
        ..receiver(&format!("{name}: {case}"), &format!("https://localhost:{}/hook", server.address.port()))
    });
    let notifier = start_vendors(configs.collect());
    put(&notifier, [firing(1)]);
    for (((_, (_, _, _, fault)), server), (name, figures)) in pairs.iter().zip(&servers).zip(notifier.figures()) {
        match fault {
            None => wait(&name, || (figures.delivered(), server.requests().len()) == (1, 1)),
            Some(reason) => {
                wait(&name, || figures.failed_attempts(*reason) > 0);
                assert_eq!((figures.delivered(), figures.waiting()), (0, 1), "{name}");
                assert!(server.requests().is_empty(), "{name}: {:?}", server.requests());
            }
        }
    }
}

#[test]
fn file_without_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, missing) = (folder.path().join("empty.pem"), folder.path().join("missing.pem"));
    std::fs::write(&empty, "").unwrap();
    for ca_file in [empty, missing] {
        let config = config(
            vec![ReceiverConfig { ca_file: Some(ca_file.clone()), ..receiver("one", "https://localhost/") }],
            None,
        );
        let error = Notifier::start(config, EvidenceIndex::default(), "host".to_owned()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("receiver one: {}: ", ca_file.display())), "{error}");
    }
}
