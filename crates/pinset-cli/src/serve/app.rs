//! What is served, by its path.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::State as Extracted;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Extensions, HeaderValue, Request, Response, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, Next};
use axum::routing::get;
use axum::Router;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::serve::asks::Asks;
use crate::serve::checks::{Unusable, Warnings};
use crate::serve::config::{self, Config};
use crate::serve::log::Log;
use crate::serve::metrics::Metrics;
use crate::serve::state::State;
use crate::serve::verify::{Bench, Lists};
use crate::serve::workers::Workers;
use crate::serve::{pages, request};

/// The most queries of the log at once, and the most that wait.
const LOG_THREADS: usize = 2;
const MAX_WAITING_QUERIES: usize = 8;

/// What requests are answered by.
pub struct App {
    config: RwLock<Arc<Config>>,
    pub state: Arc<State>,
    pub asks: Asks,
    pub log: Option<Arc<Log>>,
    bench: Arc<Bench>,
    pub metrics: Arc<Metrics>,
    pub log_queries: Workers,
}

/// Whose connection a request came on.
#[derive(Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Returns the address of the peer, which each connection puts there.
pub fn peer(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip())
}

pub type Reply = Response<Body>;

impl App {
    pub fn new(config: Config, state: State, log: Option<Log>) -> Self {
        Self {
            config: RwLock::new(Arc::new(config)),
            state: Arc::new(state),
            asks: Asks::default(),
            log: log.map(Arc::new),
            bench: Arc::new(Bench::new()),
            metrics: Arc::new(Metrics::new()),
            log_queries: Workers::new(LOG_THREADS, MAX_WAITING_QUERIES),
        }
    }

    /// What is in force. A reload puts something else in its place and leaves
    /// this as it is.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What lists are read by.
    pub fn lists(&self, config: &Arc<Config>) -> Lists {
        Lists {
            config: Arc::clone(config),
            bench: Arc::clone(&self.bench),
            metrics: Arc::clone(&self.metrics),
        }
    }

    pub fn put(&self, config: Config) {
        self.bench.keep(&config);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

/// All there is.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(config::LOGS, get(pages::logs))
        .route(config::LOGS_STYLE, get(pages::style))
        .route(config::LOGS_JSON, get(pages::logs_json))
        .route(config::HEALTH, get(health))
        .route(config::METRICS, get(metrics))
        .fallback(others)
        .layer(from_fn_with_state(Arc::clone(&app), counted))
        .with_state(app)
}

/// Counts what is no service's: those count for themselves.
async fn counted(Extracted(app): Extracted<Arc<App>>, request: Request<Body>, next: Next) -> Reply {
    let began = Instant::now();
    let is_service = app.config().paths.contains_key(request.uri().path());
    let reply = next.run(request).await;
    if !is_service {
        let status = reply.status().as_u16();
        app.metrics.answered("", status, began.elapsed());
    }
    reply
}

/// Services and sounds.
async fn others(Extracted(app): Extracted<Arc<App>>, request: Request<Body>) -> Reply {
    let config = app.config();
    let path = request.uri().path();
    if let Some(service) = config.paths.get(path).cloned() {
        let peer = peer(request.extensions());
        // It runs to its end, and has its row in the log, also for a client that
        // does not wait for the answer.
        let answer = async move { request::answer(&app, config, service, peer, request).await };
        let failed = |_| text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
        return tokio::spawn(answer).await.unwrap_or_else(failed);
    }
    let sound = path.strip_prefix(config::AUDIO).map(str::to_owned);
    match (&config.audio, sound.as_deref().map(str::parse::<Uri>)) {
        (Some(folder), Some(Ok(file))) => {
            let (mut head, body) = request.into_parts();
            head.uri = file;
            let folder = ServeDir::new(folder).append_index_html_on_directories(false);
            let served = folder.oneshot(Request::from_parts(head, body)).await;
            served.map_or_else(
                |never: Infallible| match never {},
                |reply| reply.map(Body::new),
            )
        }
        _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
    }
}

/// Checks the lists of all services at once.
async fn health_of_lists(
    app: &App,
    config: &Arc<Config>,
) -> Vec<(String, Result<Warnings, Unusable>)> {
    let checks = config.services.values().map(|service| {
        let check = app.lists(config).health(Arc::clone(service));
        (service.name.clone(), tokio::spawn(check))
    });
    let checks: Vec<_> = checks.collect();
    let mut results = Vec::new();
    for (name, check) in checks {
        results.push((name, check.await.unwrap_or(Err(Unusable::NoAnswer))));
    }
    results
}

/// 200 if lists and log can be used, 503 and why if not; and warnings about lists.
async fn health(Extracted(app): Extracted<Arc<App>>) -> Reply {
    let config = app.config();
    let (mut wrong, mut warned) = (String::new(), String::new());
    for (name, result) in health_of_lists(&app, &config).await {
        // Why, the administrator is told: here anybody may ask.
        match result {
            Ok(warnings) => {
                for warning in warnings {
                    warned.push_str(&format!("the list of '{name}': {warning}\n"));
                }
            }
            Err(Unusable::Because(why)) => {
                app.metrics
                    .say(&format!("service '{name}' admits nobody: {why}"));
                wrong.push_str(&format!("the list of '{name}' can't be used\n"));
            }
            Err(Unusable::NoAnswer) => {
                wrong.push_str(&format!("the list of '{name}' does not answer\n"));
            }
        }
    }
    if app.log.as_ref().is_some_and(|log| log.is_failing()) {
        wrong.push_str("the request log can't be written\n");
    }
    match wrong.is_empty() {
        true => text(StatusCode::OK, format!("ok\n{warned}")),
        false => text(StatusCode::SERVICE_UNAVAILABLE, wrong + &warned),
    }
}

async fn metrics(Extracted(app): Extracted<Arc<App>>) -> Reply {
    let lost = app.log.as_ref().map_or(0, |log| log.lost());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut reply = text(StatusCode::OK, app.metrics.text(lost));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

pub fn text(status: StatusCode, text: impl Into<Body>) -> Reply {
    let mut reply = Response::new(text.into());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
