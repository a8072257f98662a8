//! Checks of web services: a connection to each, and the TLS handshake. No request is sent.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use pinset::config::Source;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};
use url::Url;

use crate::common::config_file::PinSets;
use crate::common::finding::Finding;

const CHECK: &str = "web_service";

/// Longest wait for the services, which are checked side by side: name lookup, connection
/// and handshake.
const SERVICES_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for each address of a service.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn findings(pin_sets: &PinSets) -> Vec<Finding> {
    // Each host once, with the first URL that names it.
    let mut urls: BTreeMap<(String, String, u16), Url> = BTreeMap::new();
    for (_, set) in pin_sets {
        let source = match &set.source {
            Some(Source::Url(url)) => Some(url),
            _ => None,
        };
        for url in source.into_iter().chain(&set.external.hangup_url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            let port = url.port_or_known_default().unwrap_or_default();
            urls.entry((url.scheme().to_owned(), host, port))
                .or_insert_with(|| url.clone());
        }
    }
    let end = Instant::now() + SERVICES_TIMEOUT;
    let waiting: Vec<_> = urls.into_values().map(|url| (start(&url), url)).collect();
    waiting
        .into_iter()
        .map(|(receiver, url)| {
            // The lookup of the name has no limit of its own.
            let done = receiver.recv_timeout(end.saturating_duration_since(Instant::now()));
            finding(
                &url,
                done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            )
        })
        .collect()
}

fn finding(url: &Url, done: io::Result<()>) -> Finding {
    let place = url.origin().ascii_serialization();
    match done {
        Ok(()) => Finding::ok(CHECK, format_args!("{place} is reachable")),
        Err(error) => Finding::error(
            CHECK,
            format_args!("{place}: {error}"),
            format_args!("curl -v {place}; calls get status ERROR until it is reachable"),
        ),
    }
}

/// Connects on a thread of its own, so that the services are checked side by side.
fn start(url: &Url) -> mpsc::Receiver<io::Result<()>> {
    let (sender, receiver) = mpsc::channel();
    let url = url.clone();
    thread::spawn(move || {
        // The receiver no longer waits after the time limit.
        let _ = sender.send(connect(&url, ADDRESS_TIMEOUT));
    });
    receiver
}

fn connect(url: &Url, timeout: Duration) -> io::Result<()> {
    let host = url.host_str().unwrap_or_default();
    let addresses = url.socket_addrs(|| None)?;
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) if url.scheme() == "https" => return handshake(host, stream, timeout),
            Ok(_) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Verifies the certificate with those that the system trusts.
fn handshake(host: &str, mut stream: TcpStream, timeout: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                io::Error::new(io::ErrorKind::TimedOut, "no answer to the TLS handshake")
            } else {
                io::Error::new(error.kind(), format!("TLS: {error}"))
            }
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio_rustls::rustls::{ServerConfig, ServerConnection};

    /// Serves one connection on a free port. Returns the URL of the server.
    fn serve(scheme: &str, answer: impl FnOnce(TcpStream) + Send + 'static) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("address");
        thread::spawn(move || answer(listener.accept().expect("accepted").0));
        Url::parse(&format!("{scheme}://{address}/call")).expect("URL")
    }

    fn error(url: &Url, timeout: Duration) -> String {
        connect(url, timeout).expect_err("no service").to_string()
    }

    #[test]
    fn unreachable_service_and_untrusted_certificate_are_named() {
        // Nothing waits this long: an event ends each wait.
        let long = Duration::from_secs(600);
        assert!(connect(&serve("http", drop), long).is_ok());
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
            listener.local_addr().expect("address")
        };
        let closed = Url::parse(&format!("https://{closed}/")).expect("URL");
        assert!(error(&closed, long).contains("refused"));
        let untrusted = serve("https", |mut stream| {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            let config = ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
                .expect("configuration");
            let mut tls = ServerConnection::new(Arc::new(config)).expect("TLS");
            // The client ends it.
            while tls
                .complete_io(&mut stream)
                .is_ok_and(|done| done != (0, 0))
            {}
        });
        let text = error(&untrusted, long);
        assert!(text.contains("TLS: invalid peer certificate"), "{text}");
        let silent = serve("https", |stream| {
            let _ = io::copy(&mut &stream, &mut io::sink());
        });
        let text = error(&silent, Duration::from_millis(50));
        assert_eq!(text, "no answer to the TLS handshake");
    }
}
