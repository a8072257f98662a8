//! One connection: HTTP/1.1 or 2, with TLS or without.
//!
//! It ends when it has had no request for a while, which a client that sends
//! one a byte at a time has not; when a response is not taken; and when the
//! service stops, once what is under way is answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, Version};
use axum::Router;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout, timeout_at, Instant};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::serve::app::App;
use crate::serve::client::Peer;
use crate::serve::connections::Place;

/// A response of which nothing was taken for so long is not wanted.
const STALLED: Duration = Duration::from_secs(60);
/// While the service stops, a connection stays so long for a request that is on
/// its way; one that has not had any, for longer: nobody sends that again.
const LINGER: Duration = Duration::from_millis(500);
const FRESH: Duration = Duration::from_secs(5);
/// How long a client has to end a connection that it was told to.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is looked whether a connection can end, while the service stops.
const GLANCE: Duration = Duration::from_millis(20);
/// The most of an HTTP/2 connection.
const STREAMS: u32 = 100;
const HEADERS: u32 = 16 << 10;
const WINDOW_BYTES: u32 = 64 << 10;
const MAX_SEND_BYTES: usize = 64 << 10;
/// The most bytes of a head of HTTP/1.1, and of what is read ahead.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// What connections share.
#[derive(Clone)]
pub struct Shared {
    pub app: Arc<App>,
    pub router: Router,
    /// True: the service stops.
    pub stopping: watch::Receiver<bool>,
}

/// What happens on a connection.
struct Activity {
    place: Place,
    now: Mutex<Now>,
    is_http2: AtomicBool,
}

#[derive(Clone, Copy)]
struct Now {
    /// Requests that are not answered.
    under_way: usize,
    /// When that changed, or something was taken of a response.
    since: Instant,
    /// There was a request.
    used: bool,
}

impl Activity {
    fn touch(&self) {
        self.now.lock().since = Instant::now();
    }
}

/// A request that is under way, until it is dropped.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn new(activity: &Arc<Activity>) -> Self {
        let mut now = activity.now.lock();
        (now.under_way, now.used) = (now.under_way + 1, true);
        drop(now);
        activity.touch();
        Self(Arc::clone(activity))
    }
}

/// A request that is not answered, until it is dropped.
struct Unanswered<'a>(&'a Place);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.now.lock().under_way -= 1;
        self.0.touch();
    }
}

/// The body of a response, which keeps its request under way.
struct Sent {
    body: Body,
    under_way: UnderWay,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.under_way.0.touch();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves a connection until it ends.
pub async fn serve(shared: Shared, stream: TcpStream, peer: SocketAddr, place: Place) {
    // The answer is one packet, which is not to wait for more.
    let _ = stream.set_nodelay(true);
    let config = shared.app.config();
    let times = Times {
        head: Instant::now() + config.limits.head_timeout,
        idle: config.limits.idle_timeout,
    };
    match config.tls.as_ref().map(Arc::clone) {
        None => {
            drop(config);
            http(shared, stream, peer, times, place).await;
        }
        Some(tls) => {
            drop(config);
            let accepted = timeout_at(times.head, TlsAcceptor::from(tls).accept(stream));
            let accepted = tokio::select! {
                accepted = accepted => accepted,
                () = place.evicted() => return,
            };
            // Who can't do it is told so by TLS itself.
            if let Ok(Ok(stream)) = accepted {
                http(shared, stream, peer, times, place).await;
            }
        }
    }
}

/// How long a connection may be without a request.
#[derive(Clone, Copy)]
struct Times {
    /// When the head of the first one must be there.
    head: Instant,
    /// Between two.
    idle: Duration,
}

async fn http(
    mut shared: Shared,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    times: Times,
    place: Place,
) {
    let activity = Arc::new(Activity {
        place,
        now: Mutex::new(Now {
            under_way: 0,
            since: Instant::now(),
            used: false,
        }),
        is_http2: AtomicBool::new(false),
    });
    let (router, stopping) = (shared.router, shared.stopping.clone());
    let ours = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, stopping) = (router.clone(), stopping.clone());
        answer(router, stopping, UnderWay::new(&ours), peer, request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(MAX_HEAD_BYTES)
        .header_read_timeout(None);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS);
    http2
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(MAX_SEND_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let (mut ending, mut stopped) = (false, None);
    loop {
        let now = *activity.now.lock();
        let stops = *shared.stopping.borrow();
        if stops && stopped.is_none() {
            stopped = Some(Instant::now());
        }
        let end = match (now.under_way, stopped) {
            (0, None) if !now.used => times.head,
            (0, None) => now.since + times.idle,
            (0, Some(stopped)) if now.used => now.since.max(stopped) + LINGER,
            (0, Some(stopped)) => stopped + FRESH,
            _ => now.since + STALLED,
        };
        let look = match stops {
            true => end.min(Instant::now() + GLANCE),
            false => end,
        };
        tokio::select! {
            // Whether it has ended well or not, nobody is left to tell.
            _ = connection.as_mut() => return,
            // It has no request, unless one came in this moment: that is refused.
            () = activity.place.evicted() => return,
            changed = shared.stopping.changed(), if !stops => {
                if changed.is_err() {
                    return;
                }
                // HTTP/2 has a word for it.
                if activity.is_http2.load(Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
            () = sleep_until(look) => {
                let later = *activity.now.lock();
                if Instant::now() < end || later.since != now.since {
                    continue;
                }
                if ending || later.under_way > 0 {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                if timeout(FAREWELL, connection.as_mut()).await.is_ok() {
                    return;
                }
                ending = true;
            }
        }
    }
}

/// Another connection took the place before the request arrived.
#[derive(Debug, Error)]
#[error("the connection has made room for another")]
struct EvictedError;

async fn answer(
    router: Router,
    stopping: watch::Receiver<bool>,
    under_way: UnderWay,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Sent>, EvictedError> {
    let is_http2 = request.version() == Version::HTTP_2;
    under_way.0.is_http2.store(is_http2, Relaxed);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer));
    let activity = Arc::clone(&under_way.0);
    if !activity.place.begin() {
        return Err(EvictedError);
    }
    let unanswered = Unanswered(&activity.place);
    let mut response = router
        .oneshot(request)
        .await
        .map_err(|never: Infallible| match never {})?;
    drop(unanswered);
    if *stopping.borrow() && !is_http2 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response.map(|body| Sent { body, under_way }))
}
