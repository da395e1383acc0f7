//! TLS, users and headers by `--web.config.file`, with the clients of curl and Python. No root: the program reads a file
//! and serves it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "web_access/check.rs"]
mod check;
#[path = "web_access/python.rs"]
mod python;
#[path = "web_access/reload.rs"]
mod reload;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::client::{self, connect};
use common::exporter::{Exporter, program, wait_for};
use common::{mix, openapi};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tempfile::TempDir;
use trafficmonitor::export::api::Resource;

/// curl's exit status: the handshake failed, the certificate is not trusted, receiving failed.
const HANDSHAKE: i32 = 35;
const UNTRUSTED: i32 = 60;
const RECEIVING: i32 = 56;

/// A hash that is fast to check.
fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// An authority with certificates that it has signed, and web configuration files.
struct Site {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder, authority: authority("test authority") };
        fs::write(site.path("ca.crt"), site.authority.pem()).unwrap();
        site.sign("server", "localhost");
        mix::write(site.folder.path(), "mix.pcap");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `NAME.crt` and `NAME.key` for `dns` and 127.0.0.1.
    fn sign(&self, name: &str, dns: &str) {
        self.sign_by(&self.authority, name, dns);
    }

    fn sign_by(&self, authority: &CertifiedIssuer<'static, KeyPair>, name: &str, dns: &str) {
        let mut parameters = CertificateParams::new(vec![dns.to_owned()]).unwrap();
        parameters.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, authority).unwrap();
        fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        self.write_key(name, &key);
    }

    /// `NAME.key`, for the owner alone.
    fn write_key(&self, name: &str, key: &KeyPair) {
        let path = self.path(&format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn configure(&self, text: &str) {
        fs::write(self.path("web.yml"), text).unwrap();
    }

    /// The exporter with this web configuration file.
    fn serve(&self, text: &str) -> Exporter {
        self.configure(text);
        let mut command = program(["-r", "mix.pcap", "-promHTTP", "127.0.0.1:0", "--web.config.file", "web.yml"]);
        Exporter::spawn(command.current_dir(self.folder.path()), 1)
    }

    /// The status of the answer to curl, with its head and body; or curl's exit status.
    fn curl(&self, exporter: &Exporter, scheme: &str, path: &str, options: &[&str]) -> Result<(u16, String), i32> {
        let url = format!("{scheme}://{}{path}", exporter.address());
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--include", "--max-time", "60", "--write-out", "\n%{http_code}"]);
        let output =
            command.args(options).arg(url).current_dir(self.folder.path()).output().expect("the tests need curl");
        if !output.status.success() {
            return Err(output.status.code().unwrap());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (answer, status) = text.rsplit_once('\n').unwrap();
        Ok((status.parse().unwrap(), answer.to_owned()))
    }

    /// The status over TLS, with the authority trusted.
    fn status(&self, exporter: &Exporter, path: &str, options: &[&str]) -> Result<u16, i32> {
        let options = [&["--cacert", "ca.crt"], options].concat();
        self.curl(exporter, "https", path, &options).map(|(status, _)| status)
    }

    fn is_ready(&self, exporter: &Exporter, options: &[&str]) {
        wait_for("ready", || (self.status(exporter, "/-/ready", options) == Ok(200)).then_some(()));
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";
const PATHS: [&str; 8] =
    ["/metrics", "/active", "/all", "/dashboard", "/api/v1/snapshot", "/-/healthy", "/-/ready", "/nowhere"];

// ---- TLS -----------------------------------------------------------------------------------------------------------------

#[test]
fn every_path_is_served_over_tls_1_2_and_1_3() {
    let site = Site::new();
    let exporter = site.serve(TLS);
    site.is_ready(&exporter, &[]);
    for path in PATHS {
        let expected = if path == "/nowhere" { 404 } else { 200 };
        assert_eq!(site.status(&exporter, path, &[]), Ok(expected), "{path}");
    }
    for options in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        assert_eq!(site.status(&exporter, "/metrics", &options), Ok(200), "{options:?}");
    }
    let (_, old) = site.curl(&exporter, "https", "/metrics", &["--cacert", "ca.crt", "--http1.0"]).unwrap();
    assert!(old.contains("\ntrafficmonitor_queue_dropped_total{queue=\"scrapes\"} 0\n"), "to its end: {old}");
    let (_, answer) = site.curl(&exporter, "https", "/metrics", &["--cacert", "ca.crt"]).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("\ntrafficmonitor_web_config_last_reload_successful 1\n"));
    assert!(answer.contains("\ntrafficmonitor_web_certificate_not_after_timestamp_seconds "));
}

#[test]
fn clients_that_do_not_trust_the_certificate_or_speak_old_tls_get_nothing() {
    let site = Site::new();
    let exporter = site.serve(TLS);
    site.is_ready(&exporter, &[]);
    assert_eq!(site.curl(&exporter, "https", "/metrics", &[]), Err(UNTRUSTED));
    let old = ["--tls-max", "1.1", "--tlsv1.0", "--ciphers", "DEFAULT:@SECLEVEL=0"];
    assert_eq!(site.status(&exporter, "/metrics", &old), Err(HANDSHAKE));
    assert_eq!(
        site.status(&exporter, "/metrics", &["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA"]),
        Err(HANDSHAKE)
    );
    assert_eq!(site.status(&exporter, "/metrics", &[]), Ok(200));
}

#[test]
fn versions_and_cipher_suites_are_those_of_the_file() {
    let site = Site::new();
    let suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    let tls =
        TLS.replace('}', &format!(", max_version: TLS12, cipher_suites: [{suite}], curve_preferences: [CurveP384]}}"));
    let exporter = site.serve(&tls);
    site.is_ready(&exporter, &[]);
    assert_eq!(site.status(&exporter, "/", &["--tlsv1.3"]), Err(HANDSHAKE));
    assert_eq!(site.status(&exporter, "/", &["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"]), Err(HANDSHAKE));
    assert_eq!(site.status(&exporter, "/", &["--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"]), Ok(200));
    assert_eq!(site.status(&exporter, "/", &["--curves", "X25519"]), Err(HANDSHAKE));
}

#[test]
fn plain_http_at_the_port_with_tls_is_told_so() {
    let site = Site::new();
    let exporter = site.serve(TLS);
    let mut stream = connect(exporter.address());
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    site.is_ready(&exporter, &[]);
    let (_, page) = site.curl(&exporter, "https", "/metrics", &["--cacert", "ca.crt"]).unwrap();
    assert!(page.contains("trafficmonitor_web_denied_total{reason=\"plaintext\"} 1"), "{page}");
}

#[test]
fn silent_handshakes_do_not_keep_others_out() {
    let site = Site::new();
    let exporter = site.serve(TLS);
    let silent: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = connect(exporter.address());
            stream.write_all(&[22, 3, 1]).unwrap();
            stream
        })
        .collect();
    site.is_ready(&exporter, &[]);
    for mut stream in silent {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(rest.is_empty(), "closed without an answer");
    }
}

// ---- Certificates of clients ---------------------------------------------------------------------------------------------

#[test]
fn each_type_of_client_authentication_lets_the_right_clients_in() {
    let site = Site::new();
    site.sign("client", "prometheus.example");
    site.sign_by(&authority("stranger"), "stranger", "prometheus.example");
    let own: &[&str] = &["--cert", "client.crt", "--key", "client.key"];
    let strange: &[&str] = &["--cert", "stranger.crt", "--key", "stranger.key"];
    // Without a certificate, with one of a stranger, with one of the authority.
    for (word, expected) in [
        ("NoClientCert", [true, true, true]),
        ("RequestClientCert", [true, true, true]),
        ("RequireAnyClientCert", [false, true, true]),
        ("VerifyClientCertIfGiven", [true, false, true]),
        ("RequireAndVerifyClientCert", [false, false, true]),
    ] {
        let authorities = if word == "NoClientCert" { "" } else { ", client_ca_file: ca.crt" };
        let exporter = site.serve(&TLS.replace('}', &format!(", client_auth_type: {word}{authorities}}}")));
        for (options, expected) in [&[], strange, own].into_iter().zip(expected) {
            let status = site.status(&exporter, "/-/healthy", options);
            let is_right = if expected { status == Ok(200) } else { matches!(status, Err(HANDSHAKE | RECEIVING)) };
            assert!(is_right, "{word} {options:?}: {status:?}");
        }
    }
}

#[test]
fn certificates_without_an_allowed_name_are_refused() {
    let site = Site::new();
    site.sign("client", "prometheus.example");
    site.sign("other", "other.example");
    let more = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, \
                client_allowed_sans: [prometheus.example]}";
    let exporter = site.serve(&TLS.replace('}', more));
    let with = |name: &str| {
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
        site.status(&exporter, "/-/healthy", &["--cert", &certificate, "--key", &key])
    };
    assert_eq!(with("client"), Ok(200));
    assert!(matches!(with("other"), Err(HANDSHAKE | RECEIVING)));
}

// ---- Users ---------------------------------------------------------------------------------------------------------------

#[test]
fn users_get_in_with_their_password_alone_on_every_path() {
    let site = Site::new();
    let exporter = site.serve(&format!("{TLS}basic_auth_users: {{alice: {}, bob: {}}}\n", hash("a:b"), hash("ü")));
    site.is_ready(&exporter, &["--user", "alice:a:b"]);
    for path in PATHS {
        for wrong in [&[][..], &["--user", "alice:wrong"], &["--user", "eve:a:b"], &["--oauth2-bearer", "x"]] {
            assert_eq!(site.status(&exporter, path, wrong), Ok(401), "{path} {wrong:?}");
        }
        let expected = if path == "/nowhere" { 404 } else { 200 };
        assert_eq!(site.status(&exporter, path, &["--user", "alice:a:b"]), Ok(expected), "{path}");
    }
    assert_eq!(site.status(&exporter, "/metrics", &["--user", "bob:ü"]), Ok(200));
    let (_, answer) = site.curl(&exporter, "https", "/metrics", &["--cacert", "ca.crt"]).unwrap();
    assert!(answer.contains("www-authenticate: Basic realm=\"trafficmonitor\""), "{answer}");
    assert!(!answer.contains("trafficmonitor_build_info"), "{answer}");
}

#[test]
fn guesses_of_one_client_are_limited_and_known_users_still_get_in() {
    let site = Site::new();
    let exporter = site.serve(&format!("basic_auth_users: {{alice: {}}}\n", hash("right")));
    let status = |user: &str| site.curl(&exporter, "http", "/-/healthy", &["--user", user]).unwrap().0;
    assert_eq!(status("alice:right"), 200);
    let guess = |guess: u32| {
        let header = format!("authorization: Basic {}", STANDARD.encode(format!("alice:{guess}")));
        client::ask(exporter.address(), "GET", "/-/healthy", &[&header]).unwrap().status
    };
    let guessed: Vec<u16> = (0..60).map(guess).collect();
    assert!(guessed.contains(&401) && guessed.contains(&429), "{guessed:?}");
    assert_eq!(status("alice:right"), 200);
    exporter.signal("TERM");
    let (_, said) = exporter.ended();
    assert!(said.contains("passwords cross the network unencrypted"), "{said}");
}

// ---- Headers, rate and other sites ---------------------------------------------------------------------------------------

#[test]
fn configured_headers_are_in_every_answer() {
    let site = Site::new();
    let headers = "http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n    \
                   Strict-Transport-Security: max-age=31536000\n    Content-Security-Policy: \"default-src 'none'\"\n";
    let exporter = site.serve(&format!("{TLS}{headers}"));
    for path in ["/metrics", "/dashboard", "/nowhere"] {
        let (_, answer) = site.curl(&exporter, "https", path, &["--cacert", "ca.crt"]).unwrap();
        for header in [
            "x-frame-options: deny",
            "strict-transport-security: max-age=31536000",
            "content-security-policy: default-src 'none'\r",
        ] {
            assert_eq!(answer.matches(header).count(), 1, "{path}: {answer}");
        }
    }
}

#[test]
fn requests_over_the_limit_get_429() {
    let site = Site::new();
    let exporter = site.serve("rate_limit: {interval: 1h, burst: 3}\n");
    let statuses: Vec<u16> = (0..5).map(|_| site.curl(&exporter, "http", "/-/healthy", &[]).unwrap().0).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[test]
fn denials_of_every_path_of_the_api_are_as_its_description_says() {
    let site = Site::new();
    let users = site.serve(&format!("basic_auth_users: {{alice: {}}}\n", hash("right")));
    let limited = site.serve("rate_limit: {interval: 1h, burst: 1}\n");
    wait_for("the first request", || client::try_request(limited.address(), "GET", "/").ok());
    let other_site = ["origin: https://evil.example"];
    let mut answers = Vec::new();
    for path in Resource::ALL.map(Resource::path) {
        for (exporter, method, headers, status) in
            [(&users, "GET", &[][..], 401), (&users, "POST", &other_site[..], 403), (&limited, "GET", &[][..], 429)]
        {
            let answer = client::ask(exporter.address(), method, path, headers).unwrap();
            assert_eq!(answer.status, status, "{path}");
            answers.push(openapi::error(path, &answer));
        }
    }
    for (pair, sentence) in
        [("alice:wrong", "the user or the password is wrong"), ("", "a user and a password are needed")]
    {
        let header = format!("authorization: Basic {}", STANDARD.encode(pair));
        let headers: Vec<&str> = (!pair.is_empty()).then_some(header.as_str()).into_iter().collect();
        let answer = client::ask(users.address(), "GET", "/api/v1/hosts", &headers).unwrap();
        assert!(answer.status == 401 && answer.body.contains(sentence), "{}", answer.body);
    }
    assert_eq!(openapi::complaints(&answers), "");
    let page = client::request(users.address(), "GET", "/metrics");
    assert_eq!(page.header("content-type"), "text/plain; charset=utf-8", "pages for people stay text");
}

#[test]
fn requests_of_other_sites_that_could_change_something_are_refused() {
    let site = Site::new();
    let exporter = site.serve("");
    let post = |header: &str| {
        site.curl(&exporter, "http", "/-/healthy", &["--request", "POST", "--header", header]).unwrap().0
    };
    assert_eq!(post("origin: https://evil.example"), 403);
    assert_eq!(post("sec-fetch-site: cross-site"), 403);
    assert_eq!(post("sec-fetch-site: same-origin"), 405, "nothing is changed by POST");
    assert_eq!(post(&format!("origin: http://{}", exporter.address())), 405);
}
