//! The configuration of TLS. Takes the settings with the texts of certificates and key; gives rustls's configuration, or
//! the fault with its place. Must not know files.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{Error, InconsistentKeys, NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::certificates::{Validity, certificates, check_version, private_key};
use super::clients::ClientCheck;
use super::settings::{ClientCertificates, PemSource, PemText, TlsSettings, TlsVersions};

/// The names of the protocols that are spoken (ALPN); HTTP/2 is not among them.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Go's names of the cipher suites that are available here. Those of TLS 1.3 are always in use.
pub const CIPHER_SUITES: [&str; 9] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];
/// Go's names of the cipher suites that exporter-toolkit accepts as well, and that are not available here.
pub const OTHER_CIPHER_SUITES: [&str; 4] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];
/// Go's names of the groups for the exchange of keys that are available here.
pub const CURVES: [&str; 3] = ["X25519", "CurveP256", "CurveP384"];
/// The one that is not available here.
pub const OTHER_CURVES: [&str; 1] = ["CurveP521"];

/// The texts that the settings of TLS name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TlsTexts {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) client_authorities: Option<Vec<u8>>,
}

/// The configuration of TLS, and the validity of the server's certificate.
///
/// # Errors
/// The place and the fault.
pub(super) fn tls_rules(settings: &TlsSettings, texts: &TlsTexts) -> Result<(ServerConfig, Validity), String> {
    let chain = certificates(&texts.certificate).map_err(|fault| at(&settings.certificate, &fault))?;
    let first = chain.first().ok_or("no certificate")?;
    check_version(first).map_err(|fault| at(&settings.certificate, &fault))?;
    let validity = Validity::of(first).map_err(|fault| at(&settings.certificate, &fault))?;
    let key = private_key(&texts.key).map_err(|fault| at(&settings.key, &fault))?;
    let provider = Arc::new(provider(settings));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions(settings.versions)).map_err(|error| error.to_string())?;
    let builder = builder.with_client_cert_verifier(client_check(settings, texts, &provider)?);
    let mut rules = builder.with_single_cert(chain, key).map_err(|error| fault_of_pair(settings, &error))?;
    rules.ignore_client_order = settings.prefers_own_order;
    rules.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok((rules, validity))
}

/// A fault of a PEM text, with its place.
pub(super) fn at(source: &PemSource, fault: &str) -> String {
    match &source.pem {
        PemText::File(path) => format!("{}: {}: {}: {fault}", source.place, source.key, path.display()),
        PemText::Inline(_) => format!("{}: {}: {fault}", source.place, source.key),
    }
}

fn fault_of_pair(settings: &TlsSettings, error: &Error) -> String {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => at(
            &settings.key,
            "the key does not belong to the first certificate; give the key that it was made for, and put the server's \
             certificate before those of its issuers",
        ),
        Error::InvalidCertificate(fault) => at(
            &settings.certificate,
            &format!("the certificate cannot be used: {fault:?}; make one that TLS servers can use"),
        ),
        _ => at(
            &settings.key,
            "the key cannot be used; expected an RSA key of 2048 to 4096 bits, an ECDSA key of P-256 or P-384, or an \
             Ed25519 key",
        ),
    }
}

/// The algorithms that the settings allow.
fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    let is_13 = |name: &str| name.starts_with("TLS13_");
    if !settings.suites.is_empty() {
        let all = provider.cipher_suites;
        // rustls calls TLS_AES_128_GCM_SHA256 TLS13_AES_128_GCM_SHA256.
        let name = |suite: &rustls::SupportedCipherSuite| format!("{:?}", suite.suite());
        let of_13 = all.iter().copied().filter(|suite| is_13(&name(suite)));
        let named =
            settings.suites.iter().filter_map(|wanted| all.iter().copied().find(|suite| name(suite) == *wanted));
        provider.cipher_suites = of_13.chain(named).collect();
    }
    if !settings.curves.is_empty() {
        provider.kx_groups = settings.curves.iter().filter_map(|curve| group(curve)).collect();
    }
    provider
}

fn group(curve: &str) -> Option<&'static dyn SupportedKxGroup> {
    let name = match curve {
        "X25519" => NamedGroup::X25519,
        "CurveP256" => NamedGroup::secp256r1,
        _ => NamedGroup::secp384r1,
    };
    ring::ALL_KX_GROUPS.iter().copied().find(|group| group.name() == name)
}

fn versions(versions: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
    let [only_13, only_12] = [&BOTH[..1], &BOTH[1..]];
    match versions {
        TlsVersions::Both => &BOTH,
        TlsVersions::Only12 => only_12,
        TlsVersions::Only13 => only_13,
    }
}

fn client_check(
    settings: &TlsSettings,
    texts: &TlsTexts,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if settings.clients == ClientCertificates::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let authorities = match (&settings.client_authorities, &texts.client_authorities) {
        (Some(source), Some(text)) => Some(authorities(text, provider).map_err(|fault| at(source, &fault))?),
        _ => None,
    };
    Ok(Arc::new(ClientCheck {
        clients: settings.clients,
        authorities: authorities.filter(|_| settings.clients.is_verified()),
        allowed_names: settings.allowed_names.clone(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

fn authorities(text: &[u8], provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    let add = |certificate: CertificateDer<'static>| {
        roots.add(certificate).map_err(|error| format!("not a certificate of an authority: {error}"))
    };
    certificates(text)?.into_iter().try_for_each(add)?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| error.to_string())
}
