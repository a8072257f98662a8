//! An AMI server that says what a test wants.

use std::net::SocketAddr;
use std::sync::Arc;

use ami::{Decoder, Limits, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::PATIENT;
use crate::console::pbx::connect::ByteStream;
use crate::console::pbx::{AmiSecurity, PbxOptions};

const BANNER: &[u8] = b"Asterisk Call Manager/11.0.0\r\n";
pub(super) const SECRET: &[u8] = b"the secret";

/// Where clients connect.
pub(super) struct FakePbx {
    listener: TcpListener,
}

impl FakePbx {
    pub(super) async fn new() -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address")).await
    }

    pub(super) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        Self { listener }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    pub(super) fn options(&self) -> PbxOptions {
        PbxOptions {
            name: "main".to_owned(),
            address: self.address().to_string(),
            security: AmiSecurity::Loopback,
            user: "pinset".to_owned(),
            secret: Zeroizing::new(SECRET.to_vec()),
            timing: PATIENT,
        }
    }

    pub(super) async fn accept_tcp(&self) -> TcpStream {
        self.listener.accept().await.expect("a connection").0
    }

    /// Accepts and sends nothing.
    pub(super) async fn accept_raw(&self) -> FakeSession {
        FakeSession::new(Box::new(self.accept_tcp().await))
    }

    /// Accepts and sends the banner.
    pub(super) async fn accept(&self) -> FakeSession {
        let mut session = self.accept_raw().await;
        session.send_bytes(BANNER).await;
        session
    }

    pub(super) async fn accept_tls(
        &self,
        config: Arc<ServerConfig>,
    ) -> std::io::Result<FakeSession> {
        let tcp = self.accept_tcp().await;
        let mut session = FakeSession::new(Box::new(TlsAcceptor::from(config).accept(tcp).await?));
        session.send_bytes(BANNER).await;
        Ok(session)
    }

    /// Accepts and admits the client.
    pub(super) async fn accept_login(&self) -> FakeSession {
        let mut session = self.accept().await;
        session.admit().await;
        session
    }
}

/// One connection.
pub(super) struct FakeSession {
    stream: Box<dyn ByteStream>,
    decoder: Decoder,
}

impl FakeSession {
    fn new(stream: Box<dyn ByteStream>) -> Self {
        let mut decoder = Decoder::new(Limits::default());
        // Actions have no banner.
        let mut banner = BANNER;
        assert_eq!(decoder.decode(&mut banner), Ok(None));
        Self { stream, decoder }
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// Sends lines, and a blank one after them.
    pub(super) async fn send(&mut self, lines: &[&str]) {
        let text = format!("{}\r\n\r\n", lines.join("\r\n"));
        self.send_bytes(text.as_bytes()).await;
    }

    /// Returns the next action, or `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let mut byte = [0];
        loop {
            // One byte at a time, so that nothing is read ahead.
            if self.stream.read(&mut byte).await.unwrap_or(0) == 0 {
                return None;
            }
            let decoded = self.decoder.decode(&mut byte.as_slice());
            if let Some(action) = decoded.expect("an action") {
                return Some(action);
            }
        }
    }

    /// Returns the next action, which has this name.
    pub(super) async fn action(&mut self, name: &str) -> Message {
        let action = self.next().await.expect("an action");
        assert!(action.has("Action", name.as_bytes()), "{action:?}");
        action
    }

    pub(super) async fn admit(&mut self) {
        let login = self.action("Login").await;
        assert!(login.has("Username", b"pinset") && login.has("Secret", SECRET));
        self.respond(
            &login,
            &["Response: Success", "Message: Authentication accepted"],
        )
        .await;
    }

    /// Sends a response or a row of a list.
    pub(super) async fn respond(&mut self, action: &Message, lines: &[&str]) {
        let mut lines = lines.to_vec();
        let id = format!("ActionID: {}", id(action));
        lines.insert(1, &id);
        self.send(&lines).await;
    }

    /// Sends a list with these rows.
    pub(super) async fn list(&mut self, action: &Message, rows: &[&[&str]]) {
        self.list_of(action, rows, &[]).await;
    }

    /// Sends a list whose last event has these lines, too.
    pub(super) async fn list_of(&mut self, action: &Message, rows: &[&[&str]], last: &[&str]) {
        self.respond(action, &["Response: Success", "EventList: start"])
            .await;
        for row in rows {
            self.respond(action, row).await;
        }
        let count = format!("ListItems: {}", rows.len());
        let end = ["Event: Complete", "EventList: Complete", &count];
        self.respond(action, &[&end, last].concat()).await;
    }
}

fn id(action: &Message) -> &str {
    let id = action.get("ActionID").expect("an id");
    std::str::from_utf8(id).expect("text")
}
