//! Asking web services: one thread does so for all calls, as long as there is
//! anything to ask, and connections are used again.

mod exchange;
pub mod sound_cache;
mod transfer_thread;

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use url::Url;
use zeroize::Zeroizing;

use crate::sync::oneshot::{Awaited, Oneshot};
use pinset::verify::ServiceChannel;

pub use transfer_thread::{close_connections, wake};

/// So much longer than a request may take, a caller waits for what has become of
/// it.
const GRACE: Duration = Duration::from_secs(1);

/// What is asked of a service.
pub struct Request {
    /// Of scheme http or https.
    pub url: Url,
    /// JSON to post; `None`: the URL is only read.
    pub post: Option<Zeroizing<Vec<u8>>>,
    /// Headers, `Name: value`.
    pub headers: Vec<Zeroizing<String>>,
    /// Whether it is for a web service or for the dialplan.
    pub origin: Origin,
    /// How long it may take.
    pub limits: Limits,
    /// Whether the post was sent.
    pub sending: Sending,
}

/// Who has named the URL of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The configuration of a web service, or the service itself: redirects are not
    /// followed, proxies not used.
    Service,
    /// The dialplan, or a PIN set's prompt: redirects are followed, and the
    /// environment's proxy is used, as Asterisk's media cache does.
    Dialplan,
}

/// How long an exchange may take, and how much may come back.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Until there is a connection, the name's look-up and TLS included.
    pub connect: Duration,
    /// Until all of the answer is there.
    pub whole: Duration,
    /// The most bytes of an answer, without its headers.
    pub largest: usize,
}

/// What has come back.
pub struct Response {
    /// HTTP's status, 200.
    pub code: u32,
    /// The answer itself.
    pub body: Vec<u8>,
    /// Some of the headers.
    pub headers: Headers,
}

/// Headers of an answer, as far as they matter here.
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

/// Why nothing has come back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failed {
    /// There was no connection in this time.
    Unconnected(Duration),
    /// There was no whole answer in this time.
    Late(Duration),
    /// The answer has more bytes.
    TooLarge(usize),
    /// What libcurl says.
    Broken(String),
    /// There is no thread to ask on.
    NoThread,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconnected(time) => {
                write!(f, "no connection within {:.1} s", time.as_secs_f64())
            }
            Self::Late(time) => write!(f, "timeout after {:.1} s", time.as_secs_f64()),
            Self::TooLarge(largest) => write!(f, "the answer is larger than {largest} bytes"),
            Self::Broken(why) => f.write_str(why),
            Self::NoThread => f.write_str("there is no thread to be had to ask it on"),
        }
    }
}

/// A request without a whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Why.
    pub why: Failed,
    /// The service has begun to answer, or may have and we can't tell.
    pub answered: bool,
}

impl From<Failed> for Failure {
    /// The service has answered nothing.
    fn from(why: Failed) -> Self {
        let answered = false;
        Self { why, answered }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

/// What comes of a request.
pub type Reply = Result<Response, Failure>;

/// Whether a post was sent, as far as the service may have received any of it.
/// Either it is sent, or it is canceled before.
#[derive(Clone, Default)]
pub struct Sending(Arc<AtomicU8>);

const UNSENT: u8 = 0;
const SENT: u8 = 1;
const CANCELED: u8 = 2;

impl Sending {
    /// Notes that the post is sent from now on. Returns false if it was canceled:
    /// nothing of it may be sent.
    fn begin(&self) -> bool {
        self.decide(SENT) == SENT
    }

    /// Cancels the post. Returns whether it was sent already.
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
pub enum Asked {
    /// The exchange is over.
    Over(Reply),
    /// The exchange should be over by now, but the thread that does it has not
    /// said so: it is given up.
    Overdue {
        /// The service may have received the post.
        sent: bool,
    },
    /// The caller has hung up, and the request is given up.
    Gone {
        /// The service may have received the post.
        sent: bool,
    },
}

/// Who waits for a reply.
pub trait Asker: Send {
    /// Whether anybody still does.
    fn waits(&self) -> bool;
    /// Takes it, at once: all others wait meanwhile.
    fn take(self: Box<Self>, reply: Reply);
}

impl Asker for Weak<Oneshot<Reply>> {
    fn waits(&self) -> bool {
        self.strong_count() > 0
    }

    fn take(self: Box<Self>, reply: Reply) {
        if let Some(promise) = self.upgrade() {
            promise.keep(reply);
        }
    }
}

/// Asks for a caller, who is served meanwhile.
pub fn ask<H: ServiceChannel>(host: &mut H, request: Request) -> Asked {
    let promise = Arc::new(Oneshot::new());
    let (whole, sending) = (request.limits.whole, request.sending.clone());
    start(request, Box::new(Arc::downgrade(&promise)));
    let awaited = promise.wait_with(host, Instant::now() + whole + GRACE);
    drop(promise);
    let given_up = || {
        let sent = sending.cancel();
        transfer_thread::wake();
        sent
    };
    match awaited {
        Awaited::There(reply) => Asked::Over(reply),
        Awaited::Late => Asked::Overdue { sent: given_up() },
        Awaited::Gone => Asked::Gone { sent: given_up() },
    }
}

/// A URL as the log may show it: without its query, in which anything may be.
pub fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The URL of a sound of the dialplan.
///
/// # Errors
///
/// No sound can be fetched from it, and why.
pub fn url_of_sound(sound: &[u8]) -> Result<Url, String> {
    let text = std::str::from_utf8(sound).map_err(|_| "it is not a URL".to_owned())?;
    let url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("{scheme}: is not supported, only http: and https:")),
    }
}

/// Asks; `asker` is told what comes of it.
pub fn start(request: Request, asker: Box<dyn Asker>) {
    transfer_thread::put(request, asker);
}
