//! One connection that is logged in: requests and answers, events, keep-alive.

use std::sync::Arc;
use std::time::Duration;

use ami::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout, Instant};

use super::connect::AmiConnection;
use super::error::ConnectionError;
use super::events::LiveEvents;
use super::options::Timing;
use super::pending::{PendingRequests, Request};
use super::stop::stopped;

/// Longest time for a logoff.
const LOGOFF_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection in use.
pub(super) struct AmiSession {
    connection: AmiConnection,
    timing: Timing,
    pending: PendingRequests,
    events: Arc<LiveEvents>,
    /// When the last message came.
    last_received: Instant,
    /// When the PBX must have answered a `Ping`, if it is asked.
    ping_end: Option<Instant>,
}

impl AmiSession {
    pub(super) fn new(connection: AmiConnection, timing: Timing, events: Arc<LiveEvents>) -> Self {
        Self {
            connection,
            timing,
            pending: PendingRequests::new(),
            events,
            last_received: Instant::now(),
            ping_end: None,
        }
    }

    /// Serves requests until the client is stopped. Requests in flight at the end are
    /// dropped, which their requesters notice.
    ///
    /// # Errors
    ///
    /// Fails if the connection is lost.
    pub(super) async fn run(
        mut self,
        requests: &mut mpsc::Receiver<Request>,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), ConnectionError> {
        loop {
            let (has_room, next_timeout) = (!self.pending.is_full(), self.next_timeout());
            tokio::select! {
                () = stopped(stopping) => break,
                request = requests.recv(), if has_room => match request {
                    Some(request) => self.send(request).await?,
                    None => break,
                },
                message = self.connection.read() => self.receive(message?),
                () = sleep_until(next_timeout) => self.check_timeouts().await?,
            }
        }
        self.log_off().await;
        Ok(())
    }

    fn receive(&mut self, message: Message) {
        self.last_received = Instant::now();
        self.ping_end = None;
        match message.get("ActionID").map(<[u8]>::to_vec) {
            Some(id) => self.pending.receive(&id, message),
            None => self.events.push(&message),
        }
    }

    async fn send(&mut self, request: Request) -> Result<(), ConnectionError> {
        match self.pending.add(request) {
            Some(action) => self.write(&action).await,
            None => Ok(()),
        }
    }

    /// Writes an action. A PBX that reads nothing is lost.
    async fn write(&mut self, action: &[u8]) -> Result<(), ConnectionError> {
        let limit = self.timing.answer;
        let written = timeout(limit, self.connection.write(action)).await;
        written.unwrap_or(Err(ConnectionError::Silent(limit)))
    }

    fn next_timeout(&self) -> Instant {
        let ping = self
            .ping_end
            .unwrap_or(self.last_received + self.timing.idle);
        self.pending.next_end().map_or(ping, |end| end.min(ping))
    }

    async fn check_timeouts(&mut self) -> Result<(), ConnectionError> {
        let now = Instant::now();
        self.pending.drop_expired(now);
        match self.ping_end {
            Some(end) if end <= now => Err(ConnectionError::Silent(self.timing.answer)),
            None if self.last_received + self.timing.idle <= now => {
                self.ping_end = Some(now + self.timing.answer);
                self.write(&ami::encode("Ping", &[("ActionID", b"ping")])?)
                    .await
            }
            _ => Ok(()),
        }
    }

    /// Ends the connection. It is closed even if the PBX does not read this.
    async fn log_off(&mut self) {
        if let Ok(action) = ami::encode("Logoff", &[]) {
            let _ = timeout(LOGOFF_TIMEOUT, self.connection.write(&action)).await;
        }
    }
}
