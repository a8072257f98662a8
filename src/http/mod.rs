//! HTTP requests: one thread does them for all calls, as long as there are any, and
//! connections are used again.

mod exchange;
pub mod sound_cache;
mod transfer_thread;

use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use url::Url;
use zeroize::Zeroizing;

use crate::sync::oneshot::{Awaited, Oneshot};
use pinset::verify::ServiceChannel;
use thiserror::Error;

pub use transfer_thread::{close_connections, wake};

/// How much longer than a request may take a caller waits for its result.
const GRACE: Duration = Duration::from_secs(1);

/// A request to a service.
pub struct Request {
    /// Of scheme http or https.
    pub url: Url,
    /// JSON to post. Without it, the URL is only read.
    pub post: Option<Zeroizing<Vec<u8>>>,
    /// Headers, `Name: value`.
    pub headers: Vec<Zeroizing<String>>,
    /// Whether it is for a web service or for the dialplan.
    pub origin: Origin,
    /// How long it may take.
    pub limits: Limits,
    /// Whether the post has been sent.
    pub sending: Sending,
}

/// Where the URL of a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The configuration of a web service, or the service itself: redirects are not
    /// followed, proxies not used.
    Service,
    /// The dialplan, or a PIN set's prompt: redirects are followed, and the
    /// environment's proxy is used, as Asterisk's media cache does.
    Dialplan,
}

/// Limits of an exchange.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Until there is a connection, name lookup and TLS included.
    pub connect: Duration,
    /// Until the whole answer has been received.
    pub whole: Duration,
    /// The most bytes of an answer, without its headers.
    pub max_bytes: usize,
}

/// An answer.
pub struct Response {
    /// The HTTP status, 200.
    pub code: u32,
    /// The body.
    pub body: Vec<u8>,
    /// The headers.
    pub headers: Headers,
}

/// Headers of an answer, as far as they are used.
#[derive(Default)]
pub struct Headers {
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
pub enum RequestError {
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
pub struct RequestFailure {
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
pub type Reply = Result<Response, RequestFailure>;

/// Whether a post has been sent, so that the service may have received part of it.
/// Either it is sent, or it is canceled before.
#[derive(Clone, Default)]
pub struct Sending(Arc<AtomicU8>);

const UNSENT: u8 = 0;
const SENT: u8 = 1;
const CANCELED: u8 = 2;

impl Sending {
    /// Marks the post as sent. Returns false if it was canceled: nothing of it may be
    /// sent.
    fn begin(&self) -> bool {
        self.decide(SENT) == SENT
    }

    /// Cancels the post. Returns whether it had been sent already.
    fn cancel(&self) -> bool {
        self.decide(CANCELED) == SENT
    }

    fn decide(&self, wanted: u8) -> u8 {
        match self.0.compare_exchange(UNSENT, wanted, AcqRel, Acquire) {
            Ok(_) => wanted,
            Err(decided) => decided,
        }
    }
}

/// The result of a request for a caller.
pub enum CallerReply {
    /// The exchange is over.
    Finished(Reply),
    /// The exchange should be over by now, but the transfer thread has not reported
    /// that: it is canceled.
    Overdue {
        /// The service may have received the post.
        sent: bool,
    },
    /// The caller has hung up, and the request is canceled.
    HungUp {
        /// The service may have received the post.
        sent: bool,
    },
}

/// What is done with a reply.
pub trait ReplyHandler: Send {
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

/// Does a request for a caller, while servicing the channel.
pub fn request_for<H: ServiceChannel>(host: &mut H, request: Request) -> CallerReply {
    let result = Arc::new(Oneshot::new());
    let (whole, sending) = (request.limits.whole, request.sending.clone());
    start(request, Box::new(Arc::downgrade(&result)));
    let awaited = result.wait_while_servicing(host, Instant::now() + whole + GRACE);
    drop(result);
    let cancel = || {
        let sent = sending.cancel();
        transfer_thread::wake();
        sent
    };
    match awaited {
        Awaited::Value(reply) => CallerReply::Finished(reply),
        Awaited::Timeout => CallerReply::Overdue { sent: cancel() },
        Awaited::HungUp => CallerReply::HungUp { sent: cancel() },
    }
}

/// Returns a URL as the log may show it: without its query, which may hold secrets.
pub fn url_for_log(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Why no sound can be fetched from a URL.
#[derive(Debug, Error)]
pub enum SoundUrlError {
    /// It is not UTF-8.
    #[error("it is not a URL")]
    NotUtf8,
    /// It can't be parsed.
    #[error("it is not a URL: {0}")]
    Invalid(url::ParseError),
    /// Its scheme is neither http nor https.
    #[error("{0}: is not supported, only http: and https:")]
    Scheme(String),
}

/// Parses the URL of a sound of the dialplan.
///
/// # Errors
///
/// Fails if no sound can be fetched from it.
pub fn url_of_sound(sound: &[u8]) -> Result<Url, SoundUrlError> {
    let text = std::str::from_utf8(sound).map_err(|_| SoundUrlError::NotUtf8)?;
    let url = Url::parse(text).map_err(SoundUrlError::Invalid)?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(SoundUrlError::Scheme(scheme.to_owned())),
    }
}

/// Starts a request, whose reply goes to `handler`.
pub fn start(request: Request, handler: Box<dyn ReplyHandler>) {
    transfer_thread::put(request, handler);
}
