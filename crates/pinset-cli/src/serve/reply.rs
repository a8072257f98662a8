//! Plain-text replies.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};

pub(super) type Reply = Response<Body>;

/// Returns a reply that is neither cached nor interpreted as another type.
pub(super) fn text(status: StatusCode, text: impl Into<Body>) -> Reply {
    let mut reply = Response::new(text.into());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
