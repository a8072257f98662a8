//! Certificates.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::ServerConfig;

use crate::serve::secret_file;

/// What is wrong with one of the files.
pub enum Wrong {
    /// The certificates.
    Certificate(String),
    /// The key, or both together.
    Key(String),
}

/// What a server with these is: TLS 1.2 and 1.3, HTTP/2 and 1.1.
pub fn config(certificate: &Path, key: &Path) -> Result<ServerConfig, Wrong> {
    let in_certificate = |why: &dyn std::fmt::Display| Wrong::Certificate(why.to_string());
    let in_key = |why: &dyn std::fmt::Display| Wrong::Key(why.to_string());
    let chain = std::fs::read(certificate).map_err(|why| in_certificate(&why))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|why| in_certificate(&why))?;
    if chain.is_empty() {
        return Err(in_certificate(&"there is no certificate in it"));
    }
    let text = secret_file::read(key).map_err(Wrong::Key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|why| in_key(&why))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| in_key(&why))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|why| in_key(&why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
