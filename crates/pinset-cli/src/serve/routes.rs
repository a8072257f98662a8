//! Routes of `pinset serve`: services, sounds, the request log, health and metrics.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State as Extracted;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, Next};
use axum::routing::get;
use axum::Router;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::http::client;
use crate::serve::app::App;
use crate::serve::checks::{CheckError, Warnings};
use crate::serve::config::{self, Config};
use crate::serve::reply::{text, Reply};
use crate::serve::{pages, request};

/// Returns the router of all paths.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(config::LOGS, get(pages::logs))
        .route(config::LOGS_STYLE, get(pages::style))
        .route(config::LOGS_JSON, get(pages::logs_json))
        .route(config::HEALTH, get(health))
        .route(config::METRICS, get(metrics))
        // Services count their own requests, and sounds are counted below.
        .route_layer(from_fn_with_state(Arc::clone(&app), counted))
        .fallback(others)
        .with_state(app)
}

/// Counts requests to paths of no service.
async fn counted(Extracted(app): Extracted<Arc<App>>, request: Request<Body>, next: Next) -> Reply {
    let began = Instant::now();
    let reply = next.run(request).await;
    let status = reply.status().as_u16();
    app.metrics.answered("", status, began.elapsed());
    reply
}

/// Answers requests to services, and for sounds.
async fn others(Extracted(app): Extracted<Arc<App>>, request: Request<Body>) -> Reply {
    let (began, config) = (Instant::now(), app.config());
    let path = request.uri().path();
    if let Some(service) = config.paths.get(path).cloned() {
        let peer = client::peer(request.extensions());
        // It runs to its end, and gets its row in the log, even if the client does not
        // wait for the answer.
        let answer = async move { request::answer(&app, config, service, peer, request).await };
        let failed = |_| text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
        return tokio::spawn(answer).await.unwrap_or_else(failed);
    }
    let reply = sound(&config, request).await;
    let status = reply.status().as_u16();
    app.metrics.answered("", status, began.elapsed());
    reply
}

/// Answers a request for a sound.
async fn sound(config: &Config, request: Request<Body>) -> Reply {
    let path = request.uri().path();
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
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// Checks the PIN files of all services concurrently.
async fn health_of_lists(
    app: &App,
    config: &Arc<Config>,
) -> Vec<(String, Result<Warnings, CheckError>)> {
    let checks = config.services.values().map(|service| {
        let check = app.pin_files(config).health(Arc::clone(service));
        (service.name.clone(), tokio::spawn(check))
    });
    let checks: Vec<_> = checks.collect();
    let mut results = Vec::new();
    for (name, check) in checks {
        results.push((name, check.await.unwrap_or(Err(CheckError::Timeout))));
    }
    results
}

/// Answers 200 if PIN files and log can be used, else 503 with the reason, and lists
/// warnings about PIN files.
async fn health(Extracted(app): Extracted<Arc<App>>) -> Reply {
    let config = app.config();
    let (mut wrong, mut warned) = (String::new(), String::new());
    for (name, result) in health_of_lists(&app, &config).await {
        // The reason goes to the administrator only: anybody may request this page.
        match result {
            Ok(warnings) => {
                for warning in warnings {
                    warned.push_str(&format!("the list of '{name}': {warning}\n"));
                }
            }
            Err(CheckError::Timeout) => {
                wrong.push_str(&format!("the list of '{name}' did not respond in time\n"));
            }
            Err(error) => {
                app.metrics
                    .warn(&format!("service '{name}' admits nobody: {error}"));
                wrong.push_str(&format!("the list of '{name}' can't be used\n"));
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
