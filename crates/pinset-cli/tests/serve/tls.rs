//! TLS, HTTP/2 and reloading of certificates.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{generate_simple_self_signed, CertifiedKey};
use rustix::process::Signal;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{request, Connection, PATIENCE};
use crate::lab::Lab;
use crate::server::{configure, lab, until, Server, HIPCALL, INGRESS};

const CALL: &str = r#"{"caller":"+905060508169","data":{"pin_code":"1234"}}"#;
pub(crate) const TLS: &str = "[tls]\ncertificate = \"LAB/cert.pem\"\nkey = \"LAB/key.pem\"";

pub(crate) fn certify(lab: &Lab) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    lab.file("cert.pem", cert.pem(), 0o644);
    lab.file("key.pem", signing_key.serialize_pem(), 0o600);
    cert.der().clone()
}

fn client(trusted: &CertificateDer<'static>, protocol: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
) -> Connection<StreamOwned<ClientConnection, TcpStream>> {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let config = Arc::new(client(trusted, b"http/1.1"));
    let tls = ClientConnection::new(config, name).unwrap();
    Connection::over(StreamOwned::new(tls, stream))
}

#[test]
fn certificate_is_served_and_reloaded() {
    let lab = lab();
    let old = certify(&lab);
    configure(&lab, TLS, HIPCALL);
    let server = Server::start(&lab);
    let mut kept = connect(&server, &old);
    kept.send(&request("POST", INGRESS, &[], CALL));
    assert_eq!(kept.response().unwrap().destination(), "1091");
    let new = certify(&lab);
    server.signal(Signal::HUP);
    until("a note", || lab.text("err").contains("serve.toml: loaded"));
    kept.send(&request("POST", INGRESS, &[], CALL));
    assert_eq!(kept.response().unwrap().destination(), "1091");
    let mut fresh = connect(&server, &new);
    fresh.send(&request("POST", INGRESS, &[], CALL));
    assert_eq!(fresh.response().unwrap().destination(), "1091");
    let mut stale = connect(&server, &old);
    assert!(stale
        .try_send(&request("POST", INGRESS, &[], CALL))
        .is_err());
    // A client without TLS gets no answer.
    let mut plain = Connection::new(server.address);
    plain.send(&request("POST", INGRESS, &[], CALL));
    assert!(plain.is_closed());
    assert!(server.stop().success());
    // A key that others can read is refused.
    let key = lab.text("key.pem");
    lab.file("key.pem", key, 0o644);
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert!(
        ran.code == 3 && ran.err.contains("[tls] key: ") && ran.err.contains("others"),
        "{}",
        ran.err
    );
    certify(&lab);
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    lab.file("key.pem", other, 0o600);
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert!(
        ran.code == 3 && ran.err.contains("[tls] key: "),
        "{}",
        ran.err
    );
}

/// With TLS by ALPN, without TLS by prior knowledge.
#[test]
fn http_2_is_served() {
    let lab = lab();
    let trusted = certify(&lab);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for tls in [true, false] {
        configure(&lab, if tls { TLS } else { "" }, HIPCALL);
        let server = Server::start(&lab);
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(server.address)
                .await
                .unwrap();
            let bodies = if tls {
                let config = Arc::new(client(&trusted, b"h2"));
                let name = ServerName::try_from("localhost").unwrap();
                let connector = tokio_rustls::TlsConnector::from(config);
                calls(connector.connect(name, stream).await.unwrap()).await
            } else {
                calls(stream).await
            };
            for body in bodies {
                assert!(body.contains("1091"), "{body}");
            }
        });
        assert!(server.stop().success());
    }
}

/// Makes three calls on one connection.
async fn calls<S>(stream: S) -> Vec<String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        sender = sender.ready().await.unwrap();
        let request = axum::http::Request::post(format!("http://localhost{INGRESS}"));
        let request = request.body(()).unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(CALL.into(), true).unwrap();
        let mut response = response.await.unwrap();
        let mut text = Vec::new();
        while let Some(part) = response.body_mut().data().await {
            text.extend_from_slice(&part.unwrap());
        }
        bodies.push(String::from_utf8(text).unwrap());
    }
    bodies
}
