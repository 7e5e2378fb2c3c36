//! TLS as `serve` takes it from the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use host_test::serve::{ClientCertificates, Options, OriginTls, ServerTls};

/// Certificates and keys, all in PEM.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tls {
    /// Serve over TLS with this certificate and what it was issued by, in PEM; HTTP/2 and HTTP/1.1 by ALPN
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Ask clients for certificates that these, in PEM, have issued; the filter sees them as Envoy's `connection.*` attributes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Whether a client may come without a certificate
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "optional",
        requires = "client_ca"
    )]
    client_certificates: Demand,
    /// Believe an https upstream or cluster when one of these certificates, in PEM, has issued its own
    #[arg(long, value_name = "FILE")]
    origin_ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Demand {
    Optional,
    Required,
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

impl Tls {
    /// Reads the files into the options.
    pub(crate) fn apply(&self, options: &mut Options) -> Result<()> {
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let (chain, key) = (read(cert)?, read(key)?);
            let authority = self.client_ca.as_deref().map(read).transpose()?;
            let clients = match (&authority, self.client_certificates) {
                (None, _) => ClientCertificates::Ignored,
                (Some(pem), Demand::Optional) => ClientCertificates::Optional(pem),
                (Some(pem), Demand::Required) => ClientCertificates::Required(pem),
            };
            options.tls = Some(ServerTls::from_pem(&chain, &key, clients)?);
        }
        if let Some(path) = &self.origin_ca {
            let trusted = OriginTls::trusting(&read(path)?);
            options.origin_tls = Some(trusted.with_context(|| path.display().to_string())?);
        }
        Ok(())
    }
}
