//! Pages of the request log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Query, State as Extracted};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, REFRESH, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use pinset::timestamp::since_epoch;
use tokio::time::timeout;

use crate::common::workers::BusyError;
use crate::http::client;
use crate::serve::app::App;
use crate::serve::auth::{self, Denied};
use crate::serve::log::{page, CallEnd, Entry, Filter, LogRow, RequestLog, UNAUTHORIZED};
use crate::serve::reply::{text, Reply};

/// Longest wait for a query of the log.
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a browser loads the page of requests again, in seconds.
const REFRESH_INTERVAL: HeaderValue = HeaderValue::from_static("5");

pub(super) async fn logs(Extracted(app): Extracted<Arc<App>>, head: Parts) -> Reply {
    match query(&app, &head).await {
        Ok((filter, rows)) => {
            let mut reply = html(StatusCode::OK, page::rows(&filter, &rows));
            if page::refreshes(&filter) {
                reply.headers_mut().insert(REFRESH, REFRESH_INTERVAL);
            }
            reply
        }
        Err(reply) => *reply,
    }
}

pub(super) async fn logs_json(Extracted(app): Extracted<Arc<App>>, head: Parts) -> Reply {
    match query(&app, &head).await {
        Ok((_, rows)) => {
            let mut reply = text(StatusCode::OK, page::json(&rows));
            let headers = reply.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply
        }
        Err(reply) => *reply,
    }
}

pub(super) async fn style(Extracted(app): Extracted<Arc<App>>) -> Reply {
    let shown = app
        .config()
        .log
        .as_ref()
        .is_some_and(|log| log.auth.is_some());
    if !shown {
        return text(StatusCode::NOT_FOUND, "not found\n");
    }
    let mut reply = text(StatusCode::OK, page::STYLE);
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    reply
}

/// Returns the requested rows if the client may read the log.
async fn query(app: &App, head: &Parts) -> Result<(Filter, Vec<LogRow>), Box<Reply>> {
    let config = app.config();
    let auth = config.log.as_ref().and_then(|log| log.auth.as_ref());
    let (Some(log), Some(auth)) = (&app.log, auth) else {
        return Err(text(StatusCode::NOT_FOUND, "not found\n").into());
    };
    let (began, peer) = (Instant::now(), client::peer(&head.extensions));
    if let Err(denied) = auth::check(auth, config.exposure(), peer, &head.headers) {
        let client = client::of(peer, &head.headers, &config.transport.trusted_proxies);
        return Err(deny(app, log, denied, client, head, began).into());
    }
    let invalid = |name: &str| {
        let why = format!("{name}: invalid value\n");
        Box::new(text(StatusCode::BAD_REQUEST, why))
    };
    let filter = Query::<Filter>::try_from_uri(&head.uri);
    let filter = filter.map_err(|_| invalid("query"))?.0;
    if let Some(name) = filter.invalid_field() {
        return Err(invalid(name));
    }
    let (log, wanted) = (Arc::clone(log), filter.clone());
    let found = app.log_queries.run(move || {
        // Requests that were answered before must be in the log.
        log.flush();
        log.find(&wanted)
    });
    let unavailable = |why: &'static str| Box::new(text(StatusCode::SERVICE_UNAVAILABLE, why));
    let found = found.map_err(|BusyError| unavailable("too many concurrent log queries\n"))?;
    match timeout(QUERY_TIMEOUT, found).await {
        Ok(Ok(Ok(rows))) => Ok((filter, rows)),
        Ok(Ok(Err(why))) => {
            app.metrics
                .warn(&format!("the request log can't be read: {why}"));
            let why = "the log can't be read, or the query took too long\n";
            Err(unavailable(why))
        }
        Ok(Err(_)) => Err(text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into()),
        Err(_) => Err(unavailable("the log query timed out\n")),
    }
}

/// Answers a request without valid credentials, and records it.
fn deny(
    app: &App,
    log: &RequestLog,
    denied: Denied,
    client: IpAddr,
    head: &Parts,
    began: Instant,
) -> Reply {
    let path = head.uri.path();
    app.metrics.outcome("", UNAUTHORIZED);
    if denied.is_guess {
        app.metrics.warn(&format!(
            "{path}: invalid credentials; the request log has the address"
        ));
    }
    let body = Bytes::from(format!("{}\n", denied.why));
    log.add(Entry {
        time: i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX),
        method: head.method.to_string(),
        path: path.to_owned(),
        client: client.to_string(),
        caller: String::new(),
        outcome: UNAUTHORIZED,
        account: String::new(),
        status: denied.status.as_u16(),
        duration: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        request: String::new(),
        response: body.clone(),
        service: String::new(),
        uuid: String::new(),
        call: CallEnd::default(),
    });
    let mut reply = text(denied.status, body);
    if let Some(challenge) = denied.challenge {
        reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    reply
}

/// Returns a reply with a page in which no script runs, whatever it contains.
fn html(status: StatusCode, page: String) -> Reply {
    let mut reply = text(status, page);
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
        ),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}
