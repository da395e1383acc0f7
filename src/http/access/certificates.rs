//! Certificates and keys. Takes PEM texts; gives what TLS needs of them, or the fault. Must not know connections.

use std::net::IpAddr;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Version};

/// The certificates in a PEM text; at least one.
///
/// # Errors
/// The fault as the end of a sentence.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| pem_fault(&error))?;
    if certificates.is_empty() && pem.trim_ascii().is_empty() {
        return Err("the file or text is empty; expected a certificate in PEM format".to_owned());
    }
    if certificates.is_empty() && is_binary(pem) {
        return Err("binary (DER); convert it with `openssl x509 -inform der -in FILE -out NEW`".to_owned());
    }
    if certificates.is_empty() {
        return Err("no certificate in PEM format (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    certificates.iter().try_for_each(|certificate| Validity::of(certificate).map(drop))?;
    Ok(certificates)
}

/// Refuses a server's certificate of another version than 3: TLS knows no others.
///
/// # Errors
/// The fault as the end of a sentence.
pub(super) fn check_version(certificate: &CertificateDer<'_>) -> Result<(), String> {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) if parsed.version() != X509Version::V3 => Err(format!(
            "an X.509 certificate of version {}, but TLS needs version 3; make one with the names of this host, as \
             `openssl req -x509 … -addext subjectAltName=DNS:HOST` does",
            parsed.version().0 + 1
        )),
        _ => Ok(()),
    }
}

/// A reason why clients refuse a chain that is valid for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortcoming {
    /// The server's certificate has no alternative names.
    NoNames,
    /// The server's certificate has an extended key usage without that of servers.
    NotForServers,
    /// A certificate is not followed by that of its issuer.
    BrokenChain,
}

/// The shortcomings of a server's certificate and those that follow it.
pub(super) fn shortcomings(chain: &[CertificateDer<'_>]) -> Vec<Shortcoming> {
    let parsed: Vec<_> = chain.iter().filter_map(|certificate| X509Certificate::from_der(certificate).ok()).collect();
    let Some((_, first)) = parsed.first() else { return Vec::new() };
    let usage = first.extended_key_usage().ok().flatten();
    let is_other = usage.is_some_and(|usage| !usage.value.server_auth && !usage.value.any);
    let is_broken = parsed.windows(2).any(|pair| match pair {
        [(_, signed), (_, issuer)] => signed.issuer() != issuer.subject(),
        _ => false,
    });
    let has_names = chain.first().is_some_and(|certificate| !alternative_names(certificate).is_empty());
    let found = [
        (!has_names).then_some(Shortcoming::NoNames),
        is_other.then_some(Shortcoming::NotForServers),
        is_broken.then_some(Shortcoming::BrokenChain),
    ];
    found.into_iter().flatten().collect()
}

/// The private key in a PEM text.
///
/// # Errors
/// The fault as the end of a sentence, without a part of the text.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let has = |word: &[u8]| pem.windows(word.len()).any(|window| window == word);
    if has(b"ENCRYPTED") {
        return Err("the key is encrypted; decrypt it with `openssl pkey -in KEY -out NEW`".to_owned());
    }
    if pem.trim_ascii().is_empty() {
        return Err("the file or text is empty; expected a private key in PEM format".to_owned());
    }
    if is_binary(pem) {
        return Err("binary (DER); convert it with `openssl pkey -inform der -in FILE -out NEW`".to_owned());
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => "no private key in PEM format (-----BEGIN PRIVATE KEY-----)".to_owned(),
        error => pem_fault(&error),
    })
}

/// The fault of a PEM text, without a part of it.
fn pem_fault(error: &pem::Error) -> String {
    let fault = match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("the line -----END {}----- is missing", String::from_utf8_lossy(end_marker))
        }
        pem::Error::IllegalSectionStart { .. } => "a line that begins with -----BEGIN has no right end".to_owned(),
        _ => "it has characters that are not base64".to_owned(),
    };
    format!("a damaged PEM text: {fault}; copy the whole file again")
}

/// True if the bytes begin as DER does: with a sequence whose length has more than one byte.
fn is_binary(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x81..=0x84, ..])
}

/// The time in which a certificate is valid, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Validity {
    /// # Errors
    /// If the bytes are no X.509 certificate; the fault as the end of a sentence.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| "not an X.509 certificate".to_owned())?;
        let validity = parsed.validity();
        Ok(Self { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
    }
}

/// The subject alternative names of a certificate: DNS names, e-mail addresses, URIs and IP addresses.
pub(super) fn alternative_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(text_of).collect()
}

fn text_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};

    use super::*;

    fn certificate() -> (CertificateDer<'static>, String, String) {
        let mut parameters = CertificateParams::new(vec!["monitor.example".to_owned()]).unwrap();
        let more = [
            SanType::Rfc822Name("ops@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/x".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ];
        parameters.subject_alt_names.extend(more);
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        (certificate.der().clone(), certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn names_of_every_kind_and_the_validity_are_read() {
        let (der, _, _) = certificate();
        let names = ["monitor.example", "ops@example.org", "spiffe://example.org/x", "192.0.2.1", "2001:db8::1"];
        assert_eq!(alternative_names(&der), names);
        assert_eq!(Validity::of(&der), Ok(Validity { not_before: 1_577_836_800, not_after: 1_609_459_200 }));
    }

    #[test]
    fn shortcomings_that_clients_refuse_are_found() {
        let key = KeyPair::generate().unwrap();
        let made = |names: &[&str], usages: &[ExtendedKeyUsagePurpose]| {
            let mut parameters =
                CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
            parameters.distinguished_name.push(DnType::CommonName, names.concat());
            parameters.extended_key_usages = usages.to_vec();
            parameters.self_signed(&key).unwrap().der().clone()
        };
        let (client, server) = (ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth);
        let good = made(&["a"], &[]);
        assert_eq!(shortcomings(std::slice::from_ref(&good)), []);
        assert_eq!(shortcomings(&[made(&["a"], &[client.clone(), server])]), []);
        assert_eq!(shortcomings(&[made(&["a"], &[client])]), [Shortcoming::NotForServers]);
        assert_eq!(shortcomings(&[made(&[], &[])]), [Shortcoming::NoNames]);
        assert_eq!(shortcomings(&[good, made(&["b"], &[])]), [Shortcoming::BrokenChain]);
        assert_eq!(shortcomings(&[]), []);
    }

    #[test]
    fn texts_without_a_certificate_or_a_key_are_refused() {
        let (_, pem, key) = certificate();
        assert_eq!(certificates(pem.as_bytes()).unwrap().len(), 1);
        assert!(private_key(key.as_bytes()).is_ok());
        assert!(certificates(b" \n").unwrap_err().starts_with("the file or text is empty; "));
        assert!(private_key(b"").unwrap_err().starts_with("the file or text is empty; "));
        let (der, _, _) = certificate();
        assert!(certificates(&der).unwrap_err().starts_with("binary (DER); convert it with `openssl x509"));
        assert!(private_key(&der).unwrap_err().starts_with("binary (DER); convert it with `openssl pkey"));
        assert!(certificates(key.as_bytes()).unwrap_err().starts_with("no certificate in PEM format"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(certificates(broken.as_bytes()).unwrap_err(), "not an X.509 certificate");
        for (damaged, fault) in [
            (pem.replace("-----END CERTIFICATE-----", ""), "the line -----END CERTIFICATE----- is missing"),
            (pem.replace("MII", "M!I"), "it has characters that are not base64"),
            (pem.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE"), "a line that begins with -----BEGIN"),
        ] {
            let found = certificates(damaged.as_bytes()).unwrap_err();
            assert!(found.starts_with(&format!("a damaged PEM text: {fault}")), "{found}");
        }
        let cut = private_key(key.replace("-----END PRIVATE KEY-----", "").as_bytes()).unwrap_err();
        assert!(cut.starts_with("a damaged PEM text: the line -----END PRIVATE KEY----- is missing; "), "{cut}");
        assert!(private_key(pem.as_bytes()).unwrap_err().starts_with("no private key in PEM format"));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(private_key(encrypted.as_bytes()).unwrap_err().starts_with("the key is encrypted; "));
    }
}
