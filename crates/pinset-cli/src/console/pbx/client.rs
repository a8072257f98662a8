//! A client of one PBX that connects, and connects again, by itself.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at, Instant};

use super::connect::AmiConnection;
use super::error::{ConnectionError, RequestError};
use super::events::LiveEvents;
use super::options::{PbxOptions, Timing};
use super::pending::{Answer, AnswerKind, Request};
use super::session::AmiSession;
use super::state::{Outage, PbxState};
use super::stop::stopped;
use crate::common::error::note;

/// Requests that wait to be sent; further ones fail.
const MAX_WAITING: usize = 64;

/// A PBX. All pages share one connection to it.
#[derive(Clone)]
pub(crate) struct PbxClient {
    timing: Timing,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<PbxState>,
    certificate: watch::Receiver<Option<Timestamp>>,
    events: Arc<LiveEvents>,
}

impl PbxClient {
    /// Starts connecting, until `stopping` says true. The task has ended when the
    /// connection is closed.
    pub(crate) fn start(
        options: PbxOptions,
        stopping: watch::Receiver<bool>,
    ) -> (Self, JoinHandle<()>) {
        let (sender, requests) = mpsc::channel(MAX_WAITING);
        let (state, receiver) = watch::channel(PbxState::Connecting);
        let (expiry, certificate) = watch::channel(None);
        let events = Arc::new(LiveEvents::new());
        let client = Self {
            timing: options.timing,
            requests: sender,
            state: receiver,
            certificate,
            events: Arc::clone(&events),
        };
        let connector = Connector {
            options,
            requests,
            state,
            expiry,
            events,
            stopping,
        };
        (client, tokio::spawn(connector.run()))
    }

    /// Returns whether the PBX is connected now.
    pub(crate) fn state(&self) -> PbxState {
        self.state.borrow().clone()
    }

    /// Returns the states of the connection as they change.
    pub(crate) fn states(&self) -> watch::Receiver<PbxState> {
        self.state.clone()
    }

    /// Returns when the certificate of the last connection expires, if that had TLS.
    pub(crate) fn certificate_expiry(&self) -> Option<Timestamp> {
        *self.certificate.borrow()
    }

    /// Waits for the first attempt to connect and returns how it has ended.
    pub(crate) async fn first_state(&self) -> PbxState {
        let mut states = self.states();
        let known = states.wait_for(|state| !matches!(state, PbxState::Connecting));
        let known = known.await.map(|state| state.clone());
        known.unwrap_or(PbxState::Stopped)
    }

    /// Returns the latest events.
    pub(crate) fn events(&self) -> &LiveEvents {
        &self.events
    }

    /// Sends an action and returns its response.
    ///
    /// # Errors
    ///
    /// Fails if the PBX is not connected, does not answer in time, or refuses.
    pub(super) async fn ask(
        &self,
        action: &'static str,
        headers: Vec<(&'static str, Vec<u8>)>,
    ) -> Result<Answer, RequestError> {
        self.request(action, headers, AnswerKind::Response).await
    }

    /// Sends an action that is answered with a list.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::ask`] does, and if the list is too long or incomplete.
    pub(super) async fn list(
        &self,
        action: &'static str,
        headers: Vec<(&'static str, Vec<u8>)>,
    ) -> Result<Answer, RequestError> {
        self.request(action, headers, AnswerKind::List).await
    }

    async fn request(
        &self,
        action: &'static str,
        headers: Vec<(&'static str, Vec<u8>)>,
        kind: AnswerKind,
    ) -> Result<Answer, RequestError> {
        self.check_connected()?;
        let limit = self.timing.answer;
        let end = Instant::now() + limit;
        let (reply, answer) = oneshot::channel();
        let request = Request {
            action,
            headers,
            kind,
            end,
            reply,
        };
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => RequestError::Busy,
                mpsc::error::TrySendError::Closed(_) => RequestError::Lost,
            })?;
        match timeout_at(end, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(RequestError::Lost),
            Err(_) => Err(RequestError::TimedOut(limit)),
        }
    }

    fn check_connected(&self) -> Result<(), RequestError> {
        match &*self.state.borrow() {
            PbxState::Up => Ok(()),
            PbxState::Down(outage) => Err(RequestError::Down(outage.clone())),
            PbxState::Connecting => Err(RequestError::Connecting),
            PbxState::Stopped => Err(RequestError::Lost),
        }
    }
}

/// The task that keeps one PBX connected.
struct Connector {
    options: PbxOptions,
    requests: mpsc::Receiver<Request>,
    state: watch::Sender<PbxState>,
    expiry: watch::Sender<Option<Timestamp>>,
    events: Arc<LiveEvents>,
    stopping: watch::Receiver<bool>,
}

impl Connector {
    async fn run(mut self) {
        let mut retries = RetryDelay::new(self.options.timing);
        loop {
            let failure = match self.connect().await {
                None => break,
                Some(Err(failure)) => failure,
                Some(Ok(connection)) => {
                    retries.reset();
                    match self.serve(connection).await {
                        Ok(()) => break,
                        Err(failure) => failure,
                    }
                }
            };
            let delay = retries.after(&failure);
            self.put_down(failure);
            if self.wait(delay).await.is_none() {
                break;
            }
        }
        self.state.send_replace(PbxState::Stopped);
    }

    /// Connects. Returns `None` if the console stops meanwhile.
    async fn connect(&mut self) -> Option<Result<AmiConnection, ConnectionError>> {
        tokio::select! {
            () = stopped(&mut self.stopping) => None,
            opened = AmiConnection::open(&self.options) => Some(opened),
        }
    }

    async fn serve(&mut self, connection: AmiConnection) -> Result<(), ConnectionError> {
        self.expiry.send_replace(connection.certificate_expiry());
        self.state.send_replace(PbxState::Up);
        note(format!("PBX {}: connected", self.options.name));
        let events = Arc::clone(&self.events);
        let session = AmiSession::new(connection, self.options.timing, events);
        session.run(&mut self.requests, &mut self.stopping).await
    }

    /// Publishes a failure. Reports the first one in a row.
    fn put_down(&mut self, failure: ConnectionError) {
        let why = Arc::new(failure);
        let since = match &*self.state.borrow() {
            PbxState::Down(outage) => outage.since,
            _ => {
                note(format!("PBX {}: {why}", self.options.name));
                Timestamp::now()
            }
        };
        let outage = Outage {
            pbx: self.options.name.clone(),
            since,
            why,
        };
        self.state.send_replace(PbxState::Down(outage));
        // Those that were not sent in time.
        while self.requests.try_recv().is_ok() {}
    }

    /// Waits before the next attempt. Returns `None` if the console stops meanwhile.
    async fn wait(&mut self, delay: Duration) -> Option<()> {
        tokio::select! {
            () = stopped(&mut self.stopping) => None,
            () = sleep(delay) => Some(()),
        }
    }
}

/// Waits between attempts to connect.
struct RetryDelay {
    timing: Timing,
    next: Duration,
}

impl RetryDelay {
    fn new(timing: Timing) -> Self {
        Self {
            timing,
            next: timing.first_retry,
        }
    }

    fn reset(&mut self) {
        self.next = self.timing.first_retry;
    }

    /// Returns the wait after a failure.
    fn after(&mut self, failure: &ConnectionError) -> Duration {
        let last = self.timing.last_retry;
        if matches!(failure, ConnectionError::LoginRefused) {
            return last;
        }
        let delay = self.next.min(last);
        self.next = delay * 2;
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_last_and_refused_login_waits_longest() {
        let seconds = Duration::from_secs;
        let timing = Timing {
            first_retry: seconds(1),
            last_retry: seconds(5),
            ..Timing::default()
        };
        let mut delay = RetryDelay::new(timing);
        let waits: Vec<_> = (0..5)
            .map(|_| delay.after(&ConnectionError::Closed).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        delay.reset();
        assert_eq!(delay.after(&ConnectionError::LoginRefused), seconds(5));
        assert_eq!(delay.after(&ConnectionError::Closed), seconds(1));
    }
}
