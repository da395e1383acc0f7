//! Mistakes in the web configuration file: what `--config.check` says, and that the program does not start with them.

use std::fs;

use super::common::exporter::program;
use super::{Site, TLS, authority, hash};

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
    let text = format!("{TLS}basic_auth_users: {{alice: {}}}\n", hash("a"));
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
    is_refused(&site, &text, "key_file: other.key: the key does not belong to the certificate");
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
    fs::write(site.path("none.crt"), "").unwrap();
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

    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, &authority("any")).unwrap();
    fs::write(site.path("server.crt"), certificate.pem()).unwrap();
    fs::write(site.path("server.key"), key.serialize_pem()).unwrap();
    let exporter = site.serve(TLS);
    drop(site.curl(&exporter, "https", "/-/healthy", &["--insecure"]).unwrap());
    exporter.signal("TERM");
    let (_, said) = exporter.ended();
    assert!(said.contains("the certificate has expired"), "{said}");
}
