//! Connecting to a PBX and logging in.

use std::net::SocketAddr;

use ami::{Decoder, Limits, Message};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{lookup_host, TcpStream};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::error::ConnectionError;
use super::options::{AmiSecurity, PbxOptions};
use super::tls;
use crate::common::certificate;

/// Bytes that are read at a time.
const READ_BYTES: usize = 16 * 1024;

/// The action that logs in, and its response.
const LOGIN_ID: &str = "login";

/// Bytes in both directions, with or without TLS.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection that is logged in.
pub(super) struct AmiConnection {
    stream: Box<dyn ByteStream>,
    certificate_expiry: Option<Timestamp>,
    decoder: Decoder,
    buffer: Box<[u8]>,
    /// Which part of the buffer is not decoded.
    unread: std::ops::Range<usize>,
}

impl AmiConnection {
    /// Connects and logs in.
    ///
    /// # Errors
    ///
    /// Fails if that takes too long or anything else goes wrong.
    pub(super) async fn open(options: &PbxOptions) -> Result<Self, ConnectionError> {
        let limit = options.timing.connect;
        let opened = timeout(limit, async {
            let (stream, certificate_expiry) = stream(options).await?;
            let mut connection = Self::new(stream, certificate_expiry);
            connection.read_banner().await?;
            connection.log_in(options).await?;
            Ok(connection)
        });
        opened.await.unwrap_or(Err(ConnectionError::Silent(limit)))
    }

    fn new(stream: Box<dyn ByteStream>, certificate_expiry: Option<Timestamp>) -> Self {
        Self {
            stream,
            certificate_expiry,
            decoder: Decoder::new(Limits::default()),
            buffer: vec![0; READ_BYTES].into(),
            unread: 0..0,
        }
    }

    /// Returns when the certificate of the PBX expires, if there is TLS.
    pub(super) fn certificate_expiry(&self) -> Option<Timestamp> {
        self.certificate_expiry
    }

    /// Returns the next message. If this future is dropped, nothing is lost.
    pub(super) async fn read(&mut self) -> Result<Message, ConnectionError> {
        loop {
            if let Some(message) = self.decode()? {
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    /// Waits for the banner. What comes before the login is dropped.
    async fn read_banner(&mut self) -> Result<(), ConnectionError> {
        loop {
            self.decode()?;
            if self.decoder.has_banner() {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    fn decode(&mut self) -> Result<Option<Message>, ConnectionError> {
        let mut input = &self.buffer[self.unread.clone()];
        let decoded = self.decoder.decode(&mut input);
        self.unread.start = self.unread.end - input.len();
        Ok(decoded?)
    }

    /// Reads more, once all that has been read is decoded.
    async fn fill(&mut self) -> Result<(), ConnectionError> {
        let length = self.stream.read(&mut self.buffer).await?;
        self.unread = 0..length;
        match length {
            0 => Err(ConnectionError::Closed),
            _ => Ok(()),
        }
    }

    pub(super) async fn write(&mut self, action: &[u8]) -> Result<(), ConnectionError> {
        self.stream.write_all(action).await?;
        Ok(self.stream.flush().await?)
    }

    async fn log_in(&mut self, options: &PbxOptions) -> Result<(), ConnectionError> {
        let headers: [(&str, &[u8]); 4] = [
            ("ActionID", LOGIN_ID.as_bytes()),
            ("Username", options.user.as_bytes()),
            ("Secret", &options.secret),
            // No others, whatever the AMI user may read.
            ("Events", b"security"),
        ];
        let login = Zeroizing::new(ami::encode("Login", &headers)?);
        self.write(&login).await?;
        loop {
            let message = self.read().await?;
            if message.event().is_none() && message.has("ActionID", LOGIN_ID.as_bytes()) {
                return match message.has("Response", b"Success") {
                    true => Ok(()),
                    false => Err(ConnectionError::LoginRefused),
                };
            }
        }
    }
}

/// Connects. Returns also when the certificate of the PBX expires, if there is TLS.
async fn stream(
    options: &PbxOptions,
) -> Result<(Box<dyn ByteStream>, Option<Timestamp>), ConnectionError> {
    let tcp = connect(options).await?;
    // Actions are small, and each waits for its answer.
    tcp.set_nodelay(true)?;
    let AmiSecurity::Tls(config) = &options.security else {
        return Ok((Box::new(tcp), None));
    };
    let host = options.address.rsplit_once(':').unwrap_or_default().0;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host)
        .map_err(|error| ConnectionError::Tls(std::io::Error::other(error)))?;
    let connector = TlsConnector::from(std::sync::Arc::clone(config));
    let connected = connector.connect(name, tcp).await;
    let stream = connected.map_err(tls::handshake_error)?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate_expiry = chain.first().and_then(|own| certificate::expiry(own));
    Ok((Box::new(stream), certificate_expiry))
}

/// Connects to the first address that accepts, and without TLS only to this machine,
/// whatever the name is resolved to.
async fn connect(options: &PbxOptions) -> Result<TcpStream, ConnectionError> {
    let addresses = lookup_host(&options.address).await;
    let mut failure = ConnectionError::Lookup(std::io::ErrorKind::NotFound.into());
    for address in addresses.map_err(ConnectionError::Lookup)? {
        if matches!(options.security, AmiSecurity::Loopback) && !is_loopback(address) {
            failure = ConnectionError::NotLoopback(address);
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
