//! One connection: HTTP/1.1 or 2, with or without TLS.
//!
//! A connection ends when it has had no complete request for a while, so that sending
//! one byte at a time does not keep it open; when the client does not read a response;
//! and when the service stops, once pending requests are answered.

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

use crate::http::client::Peer;
use crate::http::connections::ConnectionSlot;
use crate::http::server::Host;

/// Longest time in which a client reads nothing of a response.
const STALLED_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time that an idle connection stays open while the service stops, for a request that
/// is on its way.
const LINGER_TIMEOUT: Duration = Duration::from_millis(500);
/// The same for a connection that has had no request yet: its client would not send
/// the request again.
const FIRST_REQUEST_LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time in which a connection must end after its graceful shutdown has begun.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval of checks whether a connection can end, while the service stops.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Limits of an HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
const MAX_HEADER_LIST_BYTES: u32 = 16 << 10;
const WINDOW_BYTES: u32 = 64 << 10;
const MAX_SEND_BYTES: usize = 64 << 10;
/// Maximum number of bytes of an HTTP/1.1 head, and of what is read ahead.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// The stop of the service, which each connection adds to its requests: a response without
/// an end must end then.
#[derive(Clone)]
pub(crate) struct Stopping(pub watch::Receiver<bool>);

impl Stopping {
    /// Waits until the service stops.
    pub(crate) async fn wait(&mut self) {
        // Fails only if the sender is dropped, which happens later.
        let _ = self.0.wait_for(|stops| *stops).await;
    }
}

/// State that connections share.
#[derive(Clone)]
pub(crate) struct ConnectionShared {
    pub host: Arc<dyn Host>,
    pub router: Router,
    /// `true` once the service stops.
    pub stopping: watch::Receiver<bool>,
}

/// Activity of a connection.
struct Activity {
    slot: ConnectionSlot,
    now: Mutex<ActivityState>,
    is_http2: AtomicBool,
}

#[derive(Clone, Copy)]
struct ActivityState {
    /// Number of requests whose response is not sent completely.
    active: usize,
    /// The time of the last change of that number, or of the last read of a response.
    since: Instant,
    /// Whether there has been a request.
    used: bool,
}

impl Activity {
    fn touch(&self) {
        self.now.lock().since = Instant::now();
    }
}

/// A request whose response is not sent completely, until it is dropped.
struct ActiveRequest(Arc<Activity>);

impl ActiveRequest {
    fn new(activity: &Arc<Activity>) -> Self {
        let mut now = activity.now.lock();
        (now.active, now.used) = (now.active + 1, true);
        drop(now);
        activity.touch();
        Self(Arc::clone(activity))
    }
}

/// A request without a response, until it is dropped.
struct SlotGuard<'a>(&'a ConnectionSlot);

impl Drop for SlotGuard<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.now.lock().active -= 1;
        self.0.touch();
    }
}

/// The body of a response. Its request counts as active until it is dropped.
struct TrackedBody {
    body: Body,
    active: ActiveRequest,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.active.0.touch();
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
pub(crate) async fn serve(
    shared: ConnectionShared,
    stream: TcpStream,
    peer: SocketAddr,
    slot: ConnectionSlot,
) {
    // The answer is one packet, which must not wait for more data.
    let _ = stream.set_nodelay(true);
    let transport = shared.host.transport();
    let times = Deadlines {
        head: Instant::now() + transport.limits.head_timeout,
        idle: transport.limits.idle_timeout,
    };
    let tls = transport.tls.clone();
    drop(transport);
    match tls {
        None => http(shared, stream, peer, times, slot).await,
        Some(tls) => {
            let accepted = timeout_at(times.head, TlsAcceptor::from(tls).accept(stream));
            let accepted = tokio::select! {
                accepted = accepted => accepted,
                () = slot.evicted() => return,
            };
            // TLS itself reports a failed handshake to the client.
            if let Ok(Ok(stream)) = accepted {
                http(shared, stream, peer, times, slot).await;
            }
        }
    }
}

/// Limits on the time of a connection without a request.
#[derive(Clone, Copy)]
struct Deadlines {
    /// The time at which the head of the first request must be complete.
    head: Instant,
    /// Longest time between two requests.
    idle: Duration,
}

async fn http(
    mut shared: ConnectionShared,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    times: Deadlines,
    slot: ConnectionSlot,
) {
    let activity = Arc::new(Activity {
        slot,
        now: Mutex::new(ActivityState {
            active: 0,
            since: Instant::now(),
            used: false,
        }),
        is_http2: AtomicBool::new(false),
    });
    let (router, stopping) = (shared.router, shared.stopping.clone());
    let ours = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, stopping) = (router.clone(), stopping.clone());
        answer(router, stopping, ActiveRequest::new(&ours), peer, request)
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
        .max_concurrent_streams(MAX_STREAMS);
    http2
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
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
        let end = match (now.active, stopped) {
            (0, None) if !now.used => times.head,
            (0, None) => now.since + times.idle,
            (0, Some(stopped)) if now.used => now.since.max(stopped) + LINGER_TIMEOUT,
            (0, Some(stopped)) => stopped + FIRST_REQUEST_LINGER_TIMEOUT,
            _ => now.since + STALLED_RESPONSE_TIMEOUT,
        };
        let look = match stops {
            true => end.min(Instant::now() + STOP_POLL_INTERVAL),
            false => end,
        };
        tokio::select! {
            // An error of the connection can't be reported to anybody.
            _ = connection.as_mut() => return,
            // There is no request, unless one arrives right now: that is refused.
            () = activity.slot.evicted() => return,
            changed = shared.stopping.changed(), if !stops => {
                if changed.is_err() {
                    return;
                }
                // HTTP/2 tells the client to close by GOAWAY.
                if activity.is_http2.load(Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
            () = sleep_until(look) => {
                let later = *activity.now.lock();
                if Instant::now() < end || later.since != now.since {
                    continue;
                }
                if ending || later.active > 0 {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                if timeout(CLOSE_TIMEOUT, connection.as_mut()).await.is_ok() {
                    return;
                }
                ending = true;
            }
        }
    }
}

/// Another connection took the slot before the request arrived.
#[derive(Debug, Error)]
#[error("the connection has made room for another")]
struct EvictedError;

async fn answer(
    router: Router,
    stopping: watch::Receiver<bool>,
    active: ActiveRequest,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<TrackedBody>, EvictedError> {
    let is_http2 = request.version() == Version::HTTP_2;
    active.0.is_http2.store(is_http2, Relaxed);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer));
    request.extensions_mut().insert(Stopping(stopping.clone()));
    let activity = Arc::clone(&active.0);
    if !activity.slot.begin() {
        return Err(EvictedError);
    }
    let slot_guard = SlotGuard(&activity.slot);
    let mut response = router
        .oneshot(request)
        .await
        .map_err(|never: Infallible| match never {})?;
    drop(slot_guard);
    if *stopping.borrow() && !is_http2 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response.map(|body| TrackedBody { body, active }))
}
