//! HTTP requests, their replies and their errors.

use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Weak};
use std::time::Duration;

use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

use crate::sync::oneshot::Oneshot;

/// A request to a service.
pub(crate) struct Request {
    /// Of scheme http or https.
    pub url: Url,
    /// JSON to post. Without it, the URL is only read.
    pub post: Option<Zeroizing<Vec<u8>>>,
    /// Headers, `Name: value`.
    pub headers: Vec<Zeroizing<String>>,
    /// Whether it is for a web service or for the dialplan.
    pub origin: UrlOrigin,
    /// How long it may take.
    pub limits: Limits,
    /// Whether the post has been sent.
    pub sending: Sending,
}

/// Where the URL of a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UrlOrigin {
    /// The configuration of a web service, or the service itself: redirects are not
    /// followed, proxies not used.
    Service,
    /// The dialplan, or a PIN set's prompt: redirects are followed, and the
    /// environment's proxy is used, as Asterisk's media cache does.
    Dialplan,
}

/// Limits of an exchange.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Until there is a connection, name lookup and TLS included.
    pub connect: Duration,
    /// Until the whole answer has been received.
    pub whole: Duration,
    /// The most bytes of an answer, without its headers.
    pub max_bytes: usize,
}

/// An answer.
pub(crate) struct Response {
    /// The HTTP status, 200.
    pub code: u32,
    /// The body.
    pub body: Vec<u8>,
    /// The headers.
    pub headers: Headers,
}

/// Headers of an answer, as far as they are used.
#[derive(Default)]
pub(crate) struct Headers {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum RequestError {
    /// There was no connection in this time.
    #[error("no connection within {:.1} s", .0.as_secs_f64())]
    ConnectTimeout(Duration),
    /// There was no whole answer in this time.
    #[error("timeout after {:.1} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The answer has more bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The error text of libcurl.
    #[error("{0}")]
    Transfer(String),
    /// There is no free thread.
    #[error("no free thread for the request")]
    NoThread,
}

/// A request without a whole answer.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{error}")]
pub(crate) struct RequestFailure {
    /// Why there is none.
    pub error: RequestError,
    /// The service has begun to answer, or may have.
    pub answered: bool,
}

impl From<RequestError> for RequestFailure {
    /// Returns the failure of a request to which the service has answered nothing.
    fn from(error: RequestError) -> Self {
        let answered = false;
        Self { error, answered }
    }
}

/// The result of a request.
pub(crate) type Reply = Result<Response, RequestFailure>;

/// Whether a post has been sent, so that the service may have received part of it.
/// Either it is sent, or it is canceled before.
#[derive(Clone, Default)]
pub(crate) struct Sending(Arc<AtomicU8>);

const UNSENT: u8 = 0;
const SENT: u8 = 1;
const CANCELED: u8 = 2;

impl Sending {
    /// Marks the post as sent. Returns false if it was canceled: nothing of it may be
    /// sent.
    pub(crate) fn begin(&self) -> bool {
        self.decide(SENT) == SENT
    }

    /// Cancels the post. Returns whether it had been sent already.
    pub(crate) fn cancel(&self) -> bool {
        self.decide(CANCELED) == SENT
    }

    fn decide(&self, wanted: u8) -> u8 {
        match self.0.compare_exchange(UNSENT, wanted, AcqRel, Acquire) {
            Ok(_) => wanted,
            Err(decided) => decided,
        }
    }
}

/// The processing of a reply.
pub(crate) trait ReplyHandler: Send {
    /// Returns whether the reply is still wanted.
    fn is_wanted(&self) -> bool;
    /// Handles the reply, without waiting for anything: all other requests wait
    /// meanwhile.
    fn handle(self: Box<Self>, reply: Reply);
}

impl ReplyHandler for Weak<Oneshot<Reply>> {
    fn is_wanted(&self) -> bool {
        self.strong_count() > 0
    }

    fn handle(self: Box<Self>, reply: Reply) {
        if let Some(result) = self.upgrade() {
            result.set(reply);
        }
    }
}
