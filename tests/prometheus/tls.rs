//! A real Prometheus scrapes over TLS, with its own certificate and a password: it knows every byte, as over plain HTTP.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{End, Namespace, connect};
use super::{Prometheus, knows_what_is_sent, values};

/// Writes `ca.crt`, and `NAME.crt` and `NAME.key` for both sides.
fn write_certificates(folder: &Path) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("ca.crt"), issuer.pem()).unwrap();
    for name in ["server", "client"] {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn prometheus_knows_every_flow_over_tls_with_certificate_and_password() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let web = folder.path().join("web.yml");
    let settings = format!(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ca.crt\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [client]\n\
         basic_auth_users:\n  prometheus: {}\n",
        bcrypt::hash("secret", 5).unwrap()
    );
    fs::write(&web, settings).unwrap();
    let options = ["-iface", "near", "--web.config.file", web.to_str().unwrap()];
    let monitor = Monitor::spawn(&inside, Command::new(PROGRAM), &options);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let job = |tls: &str| {
        format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: trafficmonitor\n  \
             scheme: https\n  basic_auth: {{username: prometheus, password: secret}}\n  \
             tls_config: {{ca_file: {}{tls}}}\n  static_configs: [{{targets: ['127.0.0.1:8888']}}]\n",
            at("ca.crt")
        )
    };
    let pair = format!(", cert_file: {}, key_file: {}", at("client.crt"), at("client.key"));
    let prometheus = Prometheus::running(&inside, &job(&pair));
    knows_what_is_sent(&prometheus, &outside);
    drop(prometheus);

    let without_certificate = Prometheus::running(&inside, &job(""));
    without_certificate.gives("up", &vec![0], values);
    drop(without_certificate);
    drop(monitor);
}
