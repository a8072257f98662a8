//! What is served, by its path.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State as Extracted;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use axum::routing::get;
use axum::Router;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::serve::checks::Unusable;
use crate::serve::config::{self, Config};
use crate::serve::judging::{Bench, Lists};
use crate::serve::log::{page, Filter, Log};
use crate::serve::metrics::Metrics;
use crate::serve::state::State;
use crate::serve::{client, ingress};

/// So many look at the log at once.
const LOOKING_AT_ONCE: usize = 2;
/// How long a look at the lists may take.
const HEALTH: Duration = Duration::from_secs(5);

/// What requests are answered by.
pub struct App {
    config: RwLock<Arc<Config>>,
    pub state: Arc<State>,
    pub log: Option<Arc<Log>>,
    bench: Arc<Bench>,
    pub metrics: Arc<Metrics>,
    looking: Semaphore,
}

/// Whose connection a request came on.
#[derive(Clone, Copy)]
pub struct Peer(pub SocketAddr);

type Reply = Response<Body>;

impl App {
    pub fn new(config: Config, state: State, log: Option<Log>) -> Self {
        Self {
            config: RwLock::new(Arc::new(config)),
            state: Arc::new(state),
            log: log.map(Arc::new),
            bench: Arc::new(Bench::new()),
            metrics: Arc::new(Metrics::new()),
            looking: Semaphore::new(LOOKING_AT_ONCE),
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
        .route(config::HEALTH, get(health))
        .route(config::METRICS, get(metrics))
        .route(config::LOGS, get(logs))
        .route(config::LOGS_STYLE, get(style))
        .route(config::LOGS_JSON, get(logs_json))
        .fallback(others)
        .with_state(app)
}

/// Services and sounds.
async fn others(Extracted(app): Extracted<Arc<App>>, request: Request<Body>) -> Reply {
    let config = app.config();
    let path = request.uri().path();
    if let Some(service) = config.services.get(path).map(Arc::clone) {
        let peer = request.extensions().get::<Peer>();
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
        let client = client::of(peer, request.headers(), &config.trusted_proxies);
        return ingress::answer(&app, config, service, client, request).await;
    }
    let began = Instant::now();
    let sound = path.strip_prefix(config::AUDIO).map(str::to_owned);
    let reply = match (&config.audio, sound.as_deref().map(str::parse::<Uri>)) {
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
    };
    app.metrics
        .answered("", reply.status().as_u16(), began.elapsed());
    reply
}

/// Checks the lists of all services at once.
async fn health_of_lists(app: &App, config: &Arc<Config>) -> Vec<(String, Result<(), Unusable>)> {
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

/// 200 if lists and log can be used, 503 and why if not.
async fn health(Extracted(app): Extracted<Arc<App>>) -> Reply {
    let config = app.config();
    let mut wrong = String::new();
    for (name, result) in health_of_lists(&app, &config).await {
        // Why, the administrator is told: here anybody may ask.
        match result {
            Ok(()) => {}
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
        true => text(StatusCode::OK, "ok\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, wrong),
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

async fn logs(Extracted(app): Extracted<Arc<App>>, headers: HeaderMap, uri: Uri) -> Reply {
    match looked(&app, &headers, &uri).await {
        Ok((filter, rows)) => html(StatusCode::OK, page::rows(&filter, &rows)),
        Err(reply) => *reply,
    }
}

async fn logs_json(Extracted(app): Extracted<Arc<App>>, headers: HeaderMap, uri: Uri) -> Reply {
    match looked(&app, &headers, &uri).await {
        Ok((_, rows)) => {
            let mut reply = text(StatusCode::OK, page::json(&rows));
            let headers = reply.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply
        }
        Err(reply) => *reply,
    }
}

async fn style(Extracted(app): Extracted<Arc<App>>) -> Reply {
    let shown = app
        .config()
        .log
        .as_ref()
        .is_some_and(|log| log.auth.is_some());
    if !shown {
        return text(StatusCode::NOT_FOUND, "there is nothing here\n");
    }
    let mut reply = text(StatusCode::OK, page::STYLE);
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    reply
}

/// The rows that are asked for, if the log may be looked at.
async fn looked(
    app: &App,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(Filter, Vec<crate::serve::log::Row>), Box<Reply>> {
    let config = app.config();
    let auth = config.log.as_ref().and_then(|log| log.auth.as_ref());
    let (Some(log), Some(auth)) = (&app.log, auth) else {
        return Err(text(StatusCode::NOT_FOUND, "there is nothing here\n").into());
    };
    if !auth.admits(headers) {
        let mut reply = text(StatusCode::UNAUTHORIZED, "no, or wrong, credentials\n");
        auth.challenge()
            .map(|challenge| reply.headers_mut().insert(WWW_AUTHENTICATE, challenge));
        return Err(reply.into());
    }
    let wrong = |name: &str| {
        let why = format!("{name}: this can't be meant\n");
        Box::new(text(StatusCode::BAD_REQUEST, why))
    };
    let filter = axum::extract::Query::<Filter>::try_from_uri(uri);
    let filter = filter.map_err(|_| wrong("the query"))?.0;
    if let Some(name) = filter.wrong() {
        return Err(wrong(name));
    }
    let _free = self::free(app).await?;
    // What was answered before is there.
    log.flush().await;
    let (log, wanted) = (Arc::clone(log), filter.clone());
    let found = tokio::task::spawn_blocking(move || log.find(&wanted)).await;
    match found {
        Ok(Ok(rows)) => Ok((filter, rows)),
        Ok(Err(why)) => {
            app.metrics
                .say(&format!("the request log can't be read: {why}"));
            let why = "the log can't be read, or there is too much of it to look through\n";
            Err(text(StatusCode::SERVICE_UNAVAILABLE, why).into())
        }
        Err(_) => Err(text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into()),
    }
}

async fn free(app: &App) -> Result<tokio::sync::SemaphorePermit<'_>, Box<Reply>> {
    let busy = |()| {
        Box::new(text(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many look at the log\n",
        ))
    };
    let free = timeout(HEALTH, app.looking.acquire()).await;
    free.map_err(|_| ())
        .and_then(|free| free.map_err(|_| ()))
        .map_err(busy)
}

fn text(status: StatusCode, text: impl Into<Body>) -> Reply {
    let mut reply = Response::new(text.into());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A page that runs no script, whatever is in it.
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
