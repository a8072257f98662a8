//! TLS to a PBX: a certificate of a CA file, or one that is known by its fingerprint.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    ring, verify_tls12_signature, verify_tls13_signature, CryptoProvider,
};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::error::ConnectionError;

/// The reason why a CA file can't be used.
#[derive(Debug, Error)]
pub(crate) enum CaFileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Pem(#[from] pem::Error),
    #[error("no certificate found")]
    NoCertificate,
    #[error(transparent)]
    Invalid(#[from] rustls::Error),
}

/// Returns TLS that accepts certificates of this CA file, issued for the host.
///
/// # Errors
///
/// Fails if the file can't be read or has no valid certificate.
pub(crate) fn with_ca(file: &Path) -> Result<Arc<ClientConfig>, CaFileError> {
    let text = std::fs::read(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err(CaFileError::NoCertificate);
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Returns TLS that accepts the certificate with this SHA-256 digest, whatever its host
/// and dates are, and no other one.
///
/// # Errors
///
/// Fails if there is no cipher suite, which is a mistake of the build.
pub(crate) fn with_fingerprint(digest: [u8; 32]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = provider();
    let verifier = PinnedCertificate {
        digest,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Verifies that the certificate is a known one. That the peer has its key is verified
/// as for any other.
#[derive(Debug)]
struct PinnedCertificate {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: [u8; 32] = Sha256::digest(certificate).into();
        if found.ct_eq(&self.digest).into() {
            return Ok(ServerCertVerified::assertion());
        }
        let error = OtherError(Arc::new(OtherCertificateError(found)));
        Err(CertificateError::Other(error).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The digest of a certificate that is not the known one.
#[derive(Debug, Error)]
#[error("not the certificate of fingerprint")]
struct OtherCertificateError([u8; 32]);

/// Returns the reason why a handshake has failed.
pub(super) fn handshake_error(error: io::Error) -> ConnectionError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => ConnectionError::NotTls,
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
            match other.0.downcast_ref() {
                Some(OtherCertificateError(found)) => ConnectionError::OtherCertificate(*found),
                None => ConnectionError::Tls(error),
            }
        }
        _ => ConnectionError::Tls(error),
    }
}
