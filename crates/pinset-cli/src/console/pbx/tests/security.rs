//! TLS: certificates that are accepted and refused.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::ServerConfig;

use super::*;
use crate::console::pbx::{tls, AmiSecurity};

/// A CA file, and a certificate of it for one name.
struct Certificates {
    folder: tempfile::TempDir,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificates {
    fn of(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("valid");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self {
            folder,
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Returns a server with the certificate and the key, even if they do not fit.
    fn server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.clone().into());
        let key = ring::sign::any_supported_type(&key).expect("a key");
        let certified = CertifiedKey::new(vec![self.certificate.clone()], key);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("valid")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Arc::new(config)
    }

    fn by_ca(&self) -> AmiSecurity {
        AmiSecurity::Tls(tls::with_ca(&self.ca_file()).expect("valid"))
    }

    fn by_fingerprint(&self) -> AmiSecurity {
        AmiSecurity::Tls(tls::with_fingerprint(self.fingerprint()).expect("valid"))
    }
}

async fn start_with(security: AmiSecurity) -> (Started, FakePbx) {
    let pbx = FakePbx::new().await;
    let options = PbxOptions {
        security,
        ..pbx.options()
    };
    (start(options), pbx)
}

#[tokio::test]
async fn certificate_of_ca_file_or_fingerprint_is_accepted() {
    let here = Certificates::of("127.0.0.1");
    let elsewhere = Certificates::of("pbx.example.com");
    for (security, of) in [
        (here.by_ca(), &here),
        (here.by_fingerprint(), &here),
        (elsewhere.by_fingerprint(), &elsewhere),
    ] {
        let (started, pbx) = start_with(security).await;
        let mut session = within(pbx.accept_tls(of.server())).await.expect("TLS");
        within(session.admit()).await;
        state(&started.client, |state| matches!(state, PbxState::Up)).await;
        let expiry = started.client.certificate_expiry();
        assert_eq!(expiry.expect("TLS").to_string(), "4096-01-01T00:00:00Z");
        let client = started.client.clone();
        let asked = tokio::spawn(async move { client.pin_sets().await });
        let action = within(session.action("AuthenticatePinsets")).await;
        session.list(&action, &[]).await;
        within(asked).await.expect("no panic").expect("an answer");
    }
}

#[tokio::test]
async fn other_certificate_is_refused_before_the_login() {
    let here = Certificates::of("127.0.0.1");
    let elsewhere = Certificates::of("pbx.example.com");
    for (security, of, wanted) in [
        (elsewhere.by_ca(), &here, "BadSignature"),
        (elsewhere.by_ca(), &elsewhere, "not valid for name"),
        (
            here.by_fingerprint(),
            &elsewhere,
            "is not the one of fingerprint",
        ),
    ] {
        let (started, pbx) = start_with(security).await;
        // The server sees the alert at the handshake or at its first reading.
        if let Ok(mut session) = within(pbx.accept_tls(of.server())).await {
            assert_eq!(within(session.next()).await, None, "no secret is sent");
        }
        let why = failure(&started.client).await;
        assert!(why.contains(wanted), "{why}");
    }
}

#[tokio::test]
async fn other_certificate_is_named_by_its_fingerprint() {
    let (wanted, found) = (Certificates::of("127.0.0.1"), Certificates::of("127.0.0.1"));
    let (started, pbx) = start_with(wanted.by_fingerprint()).await;
    let _ = within(pbx.accept_tls(found.server())).await;
    let why = failure(&started.client).await;
    let digest: Vec<_> = found
        .fingerprint()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    assert!(why.contains(&digest.join(":")), "{why}");
}

#[tokio::test]
async fn pinned_certificate_without_its_key_is_refused() {
    let right = Certificates::of("127.0.0.1");
    let thief = Certificates {
        key: KeyPair::generate().expect("a key").serialize_der(),
        certificate: right.certificate.clone(),
        folder: tempfile::tempdir().expect("a folder"),
    };
    let (started, pbx) = start_with(right.by_fingerprint()).await;
    let server = thief.server();
    if let Ok(mut session) = within(pbx.accept_tls(server)).await {
        assert_eq!(within(session.next()).await, None, "no secret is sent");
    }
    let why = failure(&started.client).await;
    assert!(why.starts_with("TLS: "), "{why}");
}

#[tokio::test]
async fn port_without_tls_is_named() {
    let (started, pbx) = start_with(Certificates::of("127.0.0.1").by_ca()).await;
    let _session = within(pbx.accept()).await;
    let why = failure(&started.client).await;
    assert!(why.starts_with("the port does not speak TLS"), "{why}");
}

#[tokio::test]
async fn connection_without_tls_stays_on_this_machine() {
    let started = start(PbxOptions {
        address: "192.0.2.1:5038".to_owned(),
        ..FakePbx::new().await.options()
    });
    let why = failure(&started.client).await;
    assert_eq!(
        why,
        "192.0.2.1:5038 is another machine, and there is no TLS"
    );
}

#[test]
fn ca_file_must_have_certificates() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let read = || {
        tls::with_ca(&path)
            .map(|_| ())
            .expect_err("refused")
            .to_string()
    };
    assert!(read().contains("No such file"));
    std::fs::write(&path, "").expect("written");
    assert_eq!(read(), "no certificate found");
    std::fs::write(
        &path,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .expect("written");
    assert!(!read().is_empty());
}
