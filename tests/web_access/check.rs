//! Mistakes in the web configuration file: what `--config.check` says, and that the program does not start with them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use super::common::exporter::program;
use super::{Site, TLS, authority, hash};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A hash of cost 10.
const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
/// A certificate of X.509 version 1, as `openssl x509 -req` of OpenSSL 3.0 makes it without extensions.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBJTCBywIUXlUaSvjcbB9H/B9SRMBC9VcrVdowCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTE5MTcxM1oYDzIwODEwOTAxMTkxNzEz
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATEj90EO4GM0afVTjqJiNTwcz0aQaY+PD5gyfItLM+HE3FrURp/OJRDWj5vLnMW
fHEEwel5cEjk1P6MyiayBIaLMAoGCCqGSM49BAMCA0kAMEYCIQDXrh8/OP5znIQF
IceQT7RxCE1eB1hBKL8Yt0N6iZ21sQIhAMgurdM8dpfzFWsPeF7aqxzDonoLEjHW
/1dOKY/4NZdr
-----END CERTIFICATE-----
";

/// The messages of `--config.check`, and its exit status.
fn checked(site: &Site, text: &str) -> (String, Option<i32>) {
    site.configure(text);
    let output = program(["-r", "mix.pcap", "--config.check", "--web.config.file", "web.yml"])
        .current_dir(site.folder.path())
        .output()
        .unwrap();
    (String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), output.status.code())
}

#[track_caller]
fn is_refused(site: &Site, text: &str, expected: &str) {
    let (said, status) = checked(site, text);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains(expected) && said.lines().count() == 1, "expected {expected}\nfound {said}");
}

#[test]
fn right_file_is_checked_and_found_right() {
    let site = Site::new();
    let text = format!("{TLS}basic_auth_users: {{alice: {HASH}}}\n");
    assert_eq!(checked(&site, &text), ("configuration OK\n".to_owned(), Some(0)));
}

#[test]
fn missing_certificate_is_named_with_its_line() {
    let site = Site::new();
    fs::remove_file(site.path("server.crt")).unwrap();
    is_refused(&site, TLS, "web.yml:1:32: cert_file: server.crt: cannot read the file: No such file or directory");
}

#[test]
fn directory_in_place_of_a_file_is_named() {
    let site = Site::new();
    fs::create_dir(site.path("folder")).unwrap();
    let text = TLS.replace("server.key", "folder");
    is_refused(&site, &text, "key_file: folder: cannot read the file: it is a directory; name a file");
    fs::remove_file(site.path("web.yml")).unwrap();
    let output = program(["--config.check", "--web.config.file", "folder"]).current_dir(site.folder.path()).output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains("folder: cannot read the web configuration: it is a directory; name a file"), "{said}");
}

#[test]
fn file_that_is_no_certificate_is_named() {
    let site = Site::new();
    fs::write(site.path("server.crt"), "hello").unwrap();
    is_refused(&site, TLS, "web.yml:1:32: cert_file: server.crt: no certificate in PEM format");
}

#[test]
fn key_of_another_certificate_is_named() {
    let site = Site::new();
    site.sign("other", "localhost");
    let text = TLS.replace("server.key", "other.key");
    is_refused(&site, &text, "key_file: other.key: the key does not belong to the first certificate");
}

#[test]
fn bad_hash_is_named_without_being_shown() {
    let site = Site::new();
    is_refused(&site, "basic_auth_users:\n  alice: secret-word\n", "web.yml:2:10: not a bcrypt hash; ");
    assert!(!checked(&site, "basic_auth_users:\n  alice: secret-word\n").0.contains("secret-word"));
}

#[test]
fn unknown_key_wrong_type_and_duplicate_user_are_named() {
    let site = Site::new();
    is_refused(
        &site,
        "tls_server_confg: {}\n",
        "web.yml:1:1: unknown key tls_server_confg; did you mean tls_server_config?",
    );
    is_refused(&site, "tls_server_config: {cert_file: [a]}\n", "web.yml:1:32: expected text");
    let twice = format!("basic_auth_users:\n  a: {}\n  a: {}\n", hash("a"), hash("b"));
    is_refused(&site, &twice, "web.yml:3:3: duplicate key a; remove one");
}

#[test]
fn authority_that_is_none_is_named() {
    let site = Site::new();
    fs::write(site.path("none.crt"), "hello").unwrap();
    let text = TLS.replace('}', ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: none.crt}");
    is_refused(&site, &text, "client_ca_file: none.crt: no certificate in PEM format");
}

#[test]
fn header_with_a_line_end_is_refused() {
    let site = Site::new();
    let text = "http_server_config: {headers: {Content-Security-Policy: \"x\\r\\nset-cookie: y\"}}\n";
    is_refused(&site, text, "not a value of a header");
}

#[test]
fn program_does_not_start_with_a_mistake_and_warns_of_an_expired_certificate() {
    let site = Site::new();
    site.configure("basic_auth_users: {a: b}\n");
    let options = ["-r", "mix.pcap", "-promHTTP", "127.0.0.1:0", "--web.config.file", "web.yml"];
    let output = program(options).current_dir(site.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    write_certificate(&site, |parameters| parameters.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let exporter = site.serve(TLS);
    drop(site.curl(&exporter, "https", "/-/healthy", &["--insecure"]).unwrap());
    exporter.signal("TERM");
    let (_, said) = exporter.ended();
    assert!(said.contains("the certificate expired on 2021-01-01"), "{said}");
}

/// The server's certificate and key, with changed parameters.
fn write_certificate(site: &Site, change: impl FnOnce(&mut rcgen::CertificateParams)) {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut parameters);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, &authority("any")).unwrap();
    fs::write(site.path("server.crt"), certificate.pem()).unwrap();
    site.write_key("server", &key);
}

#[track_caller]
fn is_warned(site: &Site, text: &str, expected: &str) {
    let (said, status) = checked(site, text);
    assert_eq!(status, Some(0), "a warning is no fault: {said}");
    assert!(said.contains(expected) && said.lines().count() == 2, "expected {expected}\nfound {said}");
}

#[test]
fn certificate_that_clients_refuse_or_that_ends_soon_is_warned_of() {
    let site = Site::new();
    let place = "web.yml:1:32: cert_file: server.crt: the certificate ";
    write_certificate(&site, |parameters| parameters.not_after = rcgen::date_time_ymd(2021, 1, 1));
    is_warned(&site, TLS, &format!("{place}expired on 2021-01-01; clients refuse it until you renew it"));
    write_certificate(&site, |parameters| parameters.not_before = rcgen::date_time_ymd(2999, 1, 1));
    is_warned(&site, TLS, &format!("{place}is not valid before 2999-01-01; "));
    write_certificate(&site, |parameters| parameters.not_after = (SystemTime::now() + 20 * DAY).into());
    is_warned(&site, TLS, &format!("{place}expires on "));
    write_certificate(&site, |parameters| parameters.not_after = (SystemTime::now() + 40 * DAY).into());
    assert_eq!(checked(&site, TLS).0, "configuration OK\n");
    write_certificate(&site, |parameters| parameters.subject_alt_names.clear());
    is_warned(&site, TLS, &format!("{place}has no alternative names"));
}

#[test]
fn settings_that_protect_less_than_they_seem_to_are_warned_of() {
    let site = Site::new();
    let users = format!("basic_auth_users: {{alice: {HASH}}}\n");
    is_warned(&site, &users, "web.yml: passwords cross the network unencrypted; ");
    is_warned(&site, "", "web.yml: the file has no settings; ");
    is_warned(&site, &format!("{TLS}basic_auth_users: {{alice: {}}}\n", hash("a")), "user alice has bcrypt cost 4");
    let any = TLS.replace('}', ", client_auth_type: RequireAnyClientCert}");
    is_warned(&site, &any, "web.yml: client_auth_type: RequireAnyClientCert lets in every client");
}

#[test]
fn key_that_all_users_can_read_is_warned_of() {
    let site = Site::new();
    fs::set_permissions(site.path("server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let expected =
        "web.yml:1:54: key_file: server.key: every user of this host can read the private key; run `chmod o-r ";
    is_warned(&site, TLS, expected);
}

#[test]
fn certificate_of_version_1_is_named_as_such() {
    let site = Site::new();
    fs::write(site.path("server.crt"), VERSION_1).unwrap();
    is_refused(
        &site,
        TLS,
        "web.yml:1:32: cert_file: server.crt: an X.509 certificate of version 1, but TLS needs version 3",
    );
}

#[test]
fn empty_file_and_key_of_an_unknown_kind_are_named() {
    let site = Site::new();
    fs::write(site.path("server.key"), "").unwrap();
    is_refused(&site, TLS, "web.yml:1:54: key_file: server.key: the file or text is empty; expected a private key");
    fs::write(site.path("server.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    is_refused(&site, TLS, "web.yml:1:54: key_file: server.key: the key cannot be used; expected an RSA key");
    fs::write(site.path("server.crt"), "").unwrap();
    is_refused(&site, TLS, "web.yml:1:32: cert_file: server.crt: the file or text is empty; expected a certificate");
}
