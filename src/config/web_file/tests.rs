use super::*;

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

fn read(text: &str) -> Result<WebSettings, String> {
    parse(text, Path::new("/etc/web.yml"))
}

fn tls_of(more: &str) -> Result<WebSettings, String> {
    read(&format!("tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n{more}"))
}

#[track_caller]
fn is_refused(text: &str, expected: &str) {
    let fault = read(text).expect_err(text);
    assert!(fault.starts_with(expected), "{text}\nexpected {expected}\nfound    {fault}");
}

#[test]
fn file_without_keys_restricts_nothing() {
    let empty = "tls_server_config:\nhttp_server_config: {}\nbasic_auth_users:\nrate_limit: {interval: 0}\n";
    for text in ["", "# nothing\n", "tls_server_config: {}\n", empty] {
        assert_eq!(read(text), Ok(WebSettings::default()), "{text}");
    }
}

#[test]
fn defaults_are_those_of_the_toolkit_and_paths_are_relative_to_the_file() {
    let tls = tls_of("").unwrap().tls.unwrap();
    assert_eq!(tls.certificate.pem, PemText::File("/etc/server.crt".into()));
    assert_eq!(tls.certificate.place, "/etc/web.yml:2:14");
    assert_eq!(tls.key.pem, PemText::File("/keys/server.key".into()));
    assert_eq!((tls.clients, tls.versions), (ClientCertificates::None, TlsVersions::Both));
    assert!(tls.prefers_own_order && tls.suites.is_empty() && tls.curves.is_empty() && tls.allowed_names.is_empty());
}

#[test]
fn all_types_of_client_authentication_are_known() {
    let with = |word: &str| tls_of(&format!("  client_ca_file: ca.crt\n  client_auth_type: {word}\n"));
    for (word, expected) in [
        ("RequestClientCert", ClientCertificates::Requested),
        ("RequireAnyClientCert", ClientCertificates::AnyRequired),
        ("RequireClientCert", ClientCertificates::AnyRequired),
        ("VerifyClientCertIfGiven", ClientCertificates::VerifiedIfGiven),
        ("RequireAndVerifyClientCert", ClientCertificates::VerifiedRequired),
    ] {
        assert_eq!(with(word).unwrap().tls.unwrap().clients, expected, "{word}");
    }
    let none = tls_of("  client_auth_type: NoClientCert\n").unwrap().tls.unwrap();
    assert_eq!(none.clients, ClientCertificates::None);
    assert!(with("NoClientCert").unwrap_err().contains("it has no effect without client_auth_type"));
    assert!(with("RequireCert").unwrap_err().starts_with("/etc/web.yml:5:21: RequireCert: "));
}

#[test]
fn whole_file_is_read() {
    let text = format!(
        "tls_server_config:\n  cert: |\n    CERT\n  key: KEY\n  client_ca: CA\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example, 192.0.2.1]\n  \
         min_version: TLS13\n  max_version: TLS13\n  prefer_server_cipher_suites: false\n  \
         cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n  \
         curve_preferences: [CurveP256, CurveP521]\n\
         http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 0\n\
         basic_auth_users:\n  alice: {HASH}\nrate_limit:\n  interval: 100ms\n  burst: 20\n"
    );
    let settings = read(&text).unwrap();
    let tls = settings.tls.unwrap();
    assert_eq!(tls.certificate.pem, PemText::Inline("CERT\n".to_owned()));
    assert_eq!(tls.key.pem, PemText::Inline("KEY".to_owned()));
    assert_eq!(tls.client_authorities.unwrap().pem, PemText::Inline("CA".to_owned()));
    assert_eq!(tls.allowed_names, ["prometheus.example", "192.0.2.1"]);
    assert_eq!((tls.versions, tls.prefers_own_order), (TlsVersions::Only13, false));
    assert_eq!((tls.suites, tls.curves), (vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], vec!["CurveP256"]));
    assert_eq!(settings.headers.len(), 2);
    assert_eq!(settings.users["alice"], PasswordHash::parse(HASH).unwrap());
    assert_eq!(settings.rate_limit, Some(RequestRate { interval: Duration::from_millis(100), burst: 20 }));
    let [suite, curve] = &settings.notices[..] else { panic!("{:?}", settings.notices) };
    assert!(suite.contains("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not available here"), "{suite}");
    assert!(curve.contains("CurveP521 is not available here"), "{curve}");
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    is_refused("tls_server: {}\n", "/etc/web.yml:1:1: unknown key tls_server; did you mean tls_server_config?");
    is_refused(
        "tls_server_config: {cert_fil: x}\n",
        "/etc/web.yml:1:21: unknown key cert_fil; did you mean cert_file?",
    );
    is_refused("tls_server_config:\n  cert_file: x\n", "/etc/web.yml:2:3: tls_server_config needs key_file or key");
    is_refused("tls_server_config: {key_file: x}\n", "/etc/web.yml:1:20: tls_server_config needs cert_file or cert");
    is_refused("tls_server_config: {min_version: TLS12}\n", "/etc/web.yml:1:20: tls_server_config needs cert_file");
    is_refused("tls_server_config: x\n", "/etc/web.yml:1:20: expected keys with values");
    is_refused(
        "tls_server_config: {cert: a, cert_file: b}\n",
        "/etc/web.yml:1:41: give only one of cert and cert_file",
    );
    is_refused("tls_server_config: {cert_file: 1}\n", "/etc/web.yml:1:32: expected text");
    is_refused("basic_auth_users: {alice: 1}\n", "/etc/web.yml:1:27: expected the bcrypt hash of a password");
    is_refused("basic_auth_users: {alice: secret}\n", "/etc/web.yml:1:27: not a bcrypt hash; make one with `htpasswd");
    is_refused("basic_auth_users: [alice]\n", "/etc/web.yml:1:19: expected keys with values");
    let twice = format!("basic_auth_users:\n  alice: {HASH}\n  alice: {HASH}\n");
    is_refused(&twice, "/etc/web.yml:3:3: duplicate key alice; remove one");
    is_refused("http_server_config: {http2: yes}\n", "/etc/web.yml:1:29: ");
    is_refused("http_server_config: {headers: {Server: x}}\n", "/etc/web.yml:1:32: unknown key Server; ");
    let frame = "http_server_config: {headers: {X-Frame-Options: allow}}\n";
    is_refused(frame, "/etc/web.yml:1:49: expected deny or sameorigin");
    let injected = "http_server_config: {headers: {Content-Security-Policy: \"a\\r\\nSet-Cookie: b\"}}\n";
    is_refused(injected, "/etc/web.yml:1:57: not a value of a header");
    is_refused("rate_limit: {interval: 5, burst: 1}\n", "/etc/web.yml:1:24: expected a duration with a unit");
    is_refused("rate_limit: {interval: -1s, burst: 1}\n", "/etc/web.yml:1:24: ");
    is_refused("rate_limit: {interval: 1s, burst: 0}\n", "/etc/web.yml:1:35: ");
    is_refused("rate_limit: {interval: 1s}\n", "/etc/web.yml:1:13: the key burst is missing");
    is_refused("a: [\n", "/etc/web.yml:");
}

#[test]
fn contradictions_in_tls_are_refused() {
    let refused = |more: &str, expected: &str| {
        let fault = tls_of(more).expect_err(more);
        assert!(fault.contains(expected), "{more}: {fault}");
    };
    refused("  min_version: TLS13\n  max_version: TLS12\n", ":5:16: max_version is below min_version");
    refused("  max_version: TLS11\n", ":4:16: TLS 1.0 and 1.1 are not available here");
    refused("  min_version: SSL3\n", ":4:16: SSL3: ");
    refused("  cipher_suites: [RC4]\n", ":4:19: RC4: not known; ");
    refused("  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n", "none of these is available here");
    refused("  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "of TLS 1.2");
    refused("  curve_preferences: X25519\n", "expected a list");
    refused("  client_auth_type: RequireAndVerifyClientCert\n", ":4:21: certificates of clients cannot be verified");
    refused("  client_auth_type: VerifyClientCertIfGiven\n", "give client_ca_file");
    refused("  client_allowed_sans: [a]\n", "it needs client_auth_type");
    let notices = tls_of("  min_version: TLS10\n").unwrap().notices;
    assert_eq!(notices, ["/etc/web.yml:4:16: TLS 1.0 and 1.1 are not available here; TLS 1.2 is the lowest version"]);
}

#[test]
fn messages_show_no_hash_and_no_key() {
    for text in [
        format!("basic_auth_users:\n  alice:{HASH}\n"),
        format!("basic_auth_users: {HASH}\n"),
        format!("basic_auth_users: {{alice: {HASH}x}}\n"),
        format!("basic_auth_users:\n  alice: '{HASH}'\n bob: 'x'\n"),
    ] {
        let fault = read(&text).unwrap_err();
        assert!(!fault.contains("X0h1gDsPszWURQaxFh"), "{fault}");
    }
    assert_eq!(without_hashes("write `alice: $2y$10$abc` or `$2b$x`"), "write `alice: …` or `…`");
}
