//! TLS of clients, and to upstreams and clusters: certificates and keys from PEM, by rustls with ring.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Why TLS can't be spoken with what was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

fn error(what: &str, why: impl fmt::Display) -> TlsError {
    TlsError(format!("{what}: {why}"))
}

/// HTTP/2 before HTTP/1.1, both by ALPN.
fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|why| error(what, why))?;
    if certificates.is_empty() {
        return Err(error(what, "no certificate in it"));
    }
    Ok(certificates)
}

fn roots(pem: &[u8], what: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, what)? {
        roots.add(certificate).map_err(|why| error(what, why))?;
    }
    Ok(roots)
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug)]
pub enum ClientCertificates<'p> {
    /// They are not.
    Ignored,
    /// One that was issued by these certificates, in PEM, is checked; a client may have none.
    Optional(&'p [u8]),
    /// The same, and a client without one is turned away.
    Required(&'p [u8]),
}

/// TLS for clients: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
#[derive(Clone, Debug)]
pub struct ServerTls(pub(crate) Arc<ServerConfig>);

impl ServerTls {
    /// With that chain and key, both in PEM.
    ///
    /// # Errors
    /// When a part can't be read, or the key is not the certificate's.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        clients: ClientCertificates<'_>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(chain, "the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|why| error("the key", why))?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|why| error("TLS", why))?;
        let verifier = |pem, optional: bool| {
            let what = "certificates for clients";
            let roots = Arc::new(roots(pem, what)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if optional {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            verifier.build().map_err(|why| error(what, why))
        };
        let builder = match clients {
            ClientCertificates::Ignored => builder.with_no_client_auth(),
            ClientCertificates::Optional(pem) => {
                builder.with_client_cert_verifier(verifier(pem, true)?)
            }
            ClientCertificates::Required(pem) => {
                builder.with_client_cert_verifier(verifier(pem, false)?)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|why| error("the certificate and its key", why))?;
        config.alpn_protocols = protocols();
        Ok(Self(Arc::new(config)))
    }
}

/// TLS to origins: their certificates must come from these, and be for the name in the origin.
#[derive(Clone, Debug)]
pub struct OriginTls(pub(crate) Arc<ClientConfig>);

impl OriginTls {
    /// Trusts what these certificates, in PEM, have issued.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsError> {
        let roots = roots(pem, "certificates for origins")?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|why| error("TLS", why))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols();
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pem_is_told_by_its_part() {
        let none = ClientCertificates::Ignored;
        let told = ServerTls::from_pem(b"", b"", none).unwrap_err().to_string();
        assert!(told.starts_with("the certificate: "), "{told}");
        let told = OriginTls::trusting(b"no").unwrap_err().to_string();
        assert!(told.starts_with("certificates for origins: "), "{told}");
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let chain = params.self_signed(&key).unwrap().pem();
        let good = ServerTls::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes(), none);
        assert!(good.is_ok());
        let told = ServerTls::from_pem(chain.as_bytes(), b"", none).unwrap_err();
        assert!(told.to_string().starts_with("the key: "), "{told}");
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(ServerTls::from_pem(chain.as_bytes(), other.as_bytes(), none).is_err());
    }
}
