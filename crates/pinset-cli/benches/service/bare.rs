//! The limit: a handler of axum that parses the same JSON, and answers a constant, served as
//! `axum::serve` does.

use std::hint::black_box;
use std::io::Write;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::must;

/// The argument by which this program is the service.
pub(crate) const ARGUMENT: &str = "bare";

/// As long as the answer to a right PIN.
const ANSWER: &str = r#"{"version":"1","seq":[{"action":"play","args":{"url":"https://your-server.example.com/static/audio/success.mp3"}},{"action":"connect","args":{"destination":"1091"}}]}"#;

/// Serves until it is killed. Prints the address first.
pub(crate) fn serve() {
    must(Runtime::new()).block_on(async {
        let listener = must(TcpListener::bind("127.0.0.1:0").await);
        let address = must(listener.local_addr());
        let mut out = std::io::stdout().lock();
        must(writeln!(out, "listening on http://{address}").and_then(|()| out.flush()));
        drop(out);
        let router = Router::new().route("/api/external/hipcall-ingress", post(answer));
        let service = TowerToHyperService::new(router);
        loop {
            let (stream, _) = must(listener.accept().await);
            must(stream.set_nodelay(true));
            let service = service.clone();
            tokio::spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                // A client that goes away is none of its business.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}

async fn answer(body: Bytes) -> impl IntoResponse {
    black_box(must(serde_json::from_slice::<Value>(&body)));
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}
