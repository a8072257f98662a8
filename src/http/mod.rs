//! HTTP requests: one thread does them for all calls, as long as there are any, and
//! connections are used again.

mod exchange;
mod request;
pub(crate) mod sound_cache;
mod transfer_thread;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pinset::verify::ServiceChannel;
use thiserror::Error;
use url::Url;

use crate::sync::oneshot::{Awaited, Oneshot};

pub(crate) use request::{
    Limits, Reply, ReplyHandler, Request, RequestError, RequestFailure, Response, Sending,
    UrlOrigin,
};
pub(crate) use transfer_thread::{close_connections, wake};

/// How much longer than a request may take a caller waits for its result.
const GRACE: Duration = Duration::from_secs(1);

/// The result of a request for a caller.
pub(crate) enum CallerReply {
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

/// Does a request for a caller, while servicing the channel.
pub(crate) fn request_for<H: ServiceChannel>(host: &mut H, request: Request) -> CallerReply {
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
pub(crate) fn url_for_log(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Why no sound can be fetched from a URL.
#[derive(Debug, Error)]
pub(crate) enum SoundUrlError {
    /// It is not UTF-8.
    #[error("not a URL")]
    NotUtf8,
    /// It can't be parsed.
    #[error("not a URL: {0}")]
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
pub(crate) fn url_of_sound(sound: &[u8]) -> Result<Url, SoundUrlError> {
    let text = std::str::from_utf8(sound).map_err(|_| SoundUrlError::NotUtf8)?;
    let url = Url::parse(text).map_err(SoundUrlError::Invalid)?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(SoundUrlError::Scheme(scheme.to_owned())),
    }
}

/// Starts a request, whose reply goes to `handler`.
pub(crate) fn start(request: Request, handler: Box<dyn ReplyHandler>) {
    transfer_thread::put(request, handler);
}
