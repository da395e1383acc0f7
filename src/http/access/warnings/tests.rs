use std::collections::BTreeMap;

use rcgen::{CertificateParams, KeyPair};

use super::super::settings::{PasswordHash, ResponseHeader};
use super::*;

const DAY: i64 = 24 * 60 * 60;
/// 2020-01-01 and 2021-01-01, between which the certificates are valid.
const BEGIN: i64 = 1_577_836_800;
const END: i64 = 1_609_459_200;

fn pem(names: &[&str]) -> String {
    let mut parameters = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn source(key: &'static str, pem: PemText) -> PemSource {
    PemSource { place: "/nowhere/web.yml:2:3".to_owned(), key, pem }
}

fn tls() -> TlsSettings {
    TlsSettings {
        certificate: source("cert", PemText::Inline(String::new())),
        key: source("key_file", PemText::File("/nowhere/server.key".into())),
        client_authorities: None,
        clients: ClientCertificates::None,
        allowed_names: Vec::new(),
        versions: TlsVersions::Both,
        suites: Vec::new(),
        prefers_own_order: true,
        curves: Vec::new(),
    }
}

fn with_tls(tls: TlsSettings) -> WebSettings {
    WebSettings { tls: Some(tls), ..WebSettings::default() }
}

/// The warnings about `settings` with a right certificate.
fn warnings(settings: &WebSettings) -> Vec<String> {
    let texts = TlsTexts { certificate: pem(&["a"]).into_bytes(), key: Vec::new(), client_authorities: None };
    Warnings::new(Path::new("/nowhere/web.yml"), settings, Some(&texts)).at(BEGIN + DAY)
}

#[track_caller]
fn is_warned(settings: &WebSettings, expected: &str) {
    let found = warnings(settings);
    let [warning] = &found[..] else { panic!("one warning: {found:?}") };
    assert!(warning.starts_with("/nowhere/web.yml: ") && warning.contains(expected), "{warning}");
}

fn users(costs: &[u32]) -> WebSettings {
    let hash = |cost| format!("$2y${cost:02}$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
    let user = |(index, cost): (usize, &u32)| (format!("user{index}"), PasswordHash::parse(&hash(*cost)).unwrap());
    let users: BTreeMap<_, _> = costs.iter().enumerate().map(user).collect();
    WebSettings { users, ..with_tls(tls()) }
}

#[test]
fn right_settings_are_not_warned_of() {
    assert_eq!(warnings(&with_tls(tls())), Vec::<String>::new());
    assert_eq!(warnings(&users(&[10, 10])), Vec::<String>::new());
    let verified = TlsSettings { clients: ClientCertificates::VerifiedRequired, ..tls() };
    assert_eq!(warnings(&with_tls(verified)), Vec::<String>::new());
}

#[test]
fn file_without_settings_restricts_nothing() {
    is_warned(&WebSettings::default(), "the file has no settings; everything is served in plain HTTP to every client");
}

#[test]
fn passwords_and_transport_security_need_tls() {
    is_warned(&WebSettings { tls: None, ..users(&[10]) }, "passwords cross the network unencrypted; configure tls_");
    let header = ResponseHeader::new("Strict-Transport-Security", "max-age=1").unwrap();
    let headers = WebSettings { headers: vec![header], ..WebSettings::default() };
    is_warned(&headers, "browsers ignore Strict-Transport-Security over plain HTTP");
    assert!(warnings(&WebSettings { tls: Some(tls()), ..headers }).is_empty());
}

#[test]
fn client_types_that_keep_no_client_out_are_named() {
    let of = |clients| TlsSettings { clients, ..tls() };
    is_warned(&with_tls(of(ClientCertificates::Requested)), "RequestClientCert checks no certificate");
    is_warned(&with_tls(of(ClientCertificates::AnyRequired)), "RequireAnyClientCert lets in every client");
    let if_given = of(ClientCertificates::VerifiedIfGiven);
    is_warned(&with_tls(if_given.clone()), "VerifyClientCertIfGiven lets in clients without a certificate");
    assert!(warnings(&WebSettings { tls: Some(if_given), ..users(&[10]) }).is_empty(), "they need a password");
}

#[test]
fn cipher_suites_without_effect_are_named() {
    let suites = vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
    let only_13 = TlsSettings { versions: TlsVersions::Only13, suites, ..tls() };
    is_warned(&with_tls(only_13), "cipher_suites has no effect");
}

#[test]
fn costs_of_hashes_that_help_an_attacker_are_named() {
    is_warned(
        &users(&[4, 4]),
        "the hash of user user0 has bcrypt cost 4 and is quickly guessed; make one with cost 10",
    );
    is_warned(&users(&[10, 12]), "the hashes of passwords have different costs");
}

#[test]
fn notices_of_the_file_are_warnings() {
    let settings = WebSettings { notices: vec!["/nowhere/web.yml: x".to_owned()], ..with_tls(tls()) };
    is_warned(&settings, "/nowhere/web.yml: x");
}

#[test]
fn certificates_are_compared_with_the_clock() {
    let texts = TlsTexts {
        certificate: (pem(&["a"]) + &pem(&["b"])).into_bytes(),
        key: Vec::new(),
        client_authorities: Some(pem(&["c"]).into_bytes()),
    };
    let authorities = Some(source("client_ca_file", PemText::File("/nowhere/ca.crt".into())));
    let settings = with_tls(TlsSettings { client_authorities: authorities, ..tls() });
    let warnings = Warnings::new(Path::new("/nowhere/web.yml"), &settings, Some(&texts));
    let (own, of_clients) = ("/nowhere/web.yml:2:3: cert: ", "/nowhere/web.yml:2:3: client_ca_file: /nowhere/ca.crt: ");
    assert_eq!(warnings.at(BEGIN), Vec::<String>::new());
    assert_eq!(warnings.at(END - 30 * DAY), Vec::<String>::new());
    let expected = |of_own: &str, of_authority: &str| {
        vec![
            format!("{own}the certificate {of_own}"),
            format!("{own}certificate 2 of this file {of_own}"),
            format!("{of_clients}the certificate {of_authority}"),
        ]
    };
    let soon = "expires on 2021-01-01; renew it before";
    assert_eq!(warnings.at(END - 30 * DAY + 1), expected(soon, soon));
    assert_eq!(
        warnings.at(END + 1),
        expected(
            "expired on 2021-01-01; clients refuse it until you renew it",
            "expired on 2021-01-01; replace it: clients with certificates that it signed are still let in",
        )
    );
    let early = "is not valid before 2020-01-01; ";
    let clock = "check the clock of this host";
    let found = warnings.at(BEGIN - 1);
    assert_eq!(found, expected(&format!("{early}clients refuse it; {clock}"), &format!("{early}{clock}")));
}

#[test]
fn shortcomings_of_the_certificate_are_named_with_its_place() {
    let texts = TlsTexts { certificate: pem(&[]).into_bytes(), key: Vec::new(), client_authorities: None };
    let found = Warnings::new(Path::new("web.yml"), &with_tls(tls()), Some(&texts)).at(BEGIN);
    let [warning] = &found[..] else { panic!("{found:?}") };
    assert!(warning.starts_with("/nowhere/web.yml:2:3: cert: the certificate has no alternative names"), "{warning}");
}

#[test]
fn rights_of_other_users_are_read_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (web, key) = (folder.path().join("web.yml"), folder.path().join("server.key"));
    let allow = |path: &Path, mode| {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&web, 0o644);
    allow(&key, 0o640);
    let texts = TlsTexts { certificate: pem(&["a"]).into_bytes(), key: Vec::new(), client_authorities: None };
    let tls = TlsSettings { key: source("key_file", PemText::File(key.clone())), ..tls() };
    let warnings = Warnings::new(&web, &with_tls(tls.clone()), Some(&texts));
    assert_eq!(warnings.at(BEGIN), Vec::<String>::new());
    allow(&key, 0o644);
    allow(&web, 0o646);
    let (web_name, key_name) = (web.display(), key.display());
    let expected = [
        format!("{web_name}: every user of this host can change this file; run `chmod o-w {web_name}`"),
        format!(
            "/nowhere/web.yml:2:3: key_file: {key_name}: every user of this host can read the private key; run `chmod \
             o-r {key_name}`"
        ),
    ];
    assert_eq!(warnings.at(BEGIN), expected);
    // A key in the web configuration itself.
    let inline = TlsSettings { key: source("key", PemText::Inline(String::new())), ..tls };
    allow(&web, 0o644);
    let found = Warnings::new(&web, &with_tls(inline), Some(&texts)).at(BEGIN);
    assert_eq!(
        found,
        [format!("{web_name}: every user of this host can read the private key; run `chmod o-r {web_name}`")]
    );
}
