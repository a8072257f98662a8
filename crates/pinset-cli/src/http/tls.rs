//! TLS certificates.

use std::io;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::common::secret_file::{self, AllowedGroups, SecretFileError};

/// The reason why a certificate and its key can't be used.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    CertificateFile(io::Error),
    #[error(transparent)]
    Certificate(pem::Error),
    #[error("no certificate found")]
    NoCertificate,
    #[error(transparent)]
    KeyFile(SecretFileError),
    #[error(transparent)]
    Key(pem::Error),
    /// The key, or both together.
    #[error(transparent)]
    Server(#[from] rustls::Error),
}

impl TlsError {
    /// Returns whether the certificate file is the one to correct, and not the key.
    pub(crate) fn is_about_certificate(&self) -> bool {
        matches!(
            self,
            Self::CertificateFile(_) | Self::Certificate(_) | Self::NoCertificate
        )
    }
}

/// Returns the configuration of a server with this certificate: TLS 1.2 and 1.3,
/// HTTP/2 and 1.1.
pub(crate) fn config(
    certificate: &Path,
    key: &Path,
    allowed: AllowedGroups,
) -> Result<ServerConfig, TlsError> {
    let chain = std::fs::read(certificate).map_err(TlsError::CertificateFile)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let text = secret_file::read(key, allowed).map_err(TlsError::KeyFile)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(TlsError::Key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
