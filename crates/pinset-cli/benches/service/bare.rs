//! The limit: a handler of axum that parses the same JSON, and answers a constant.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::must;

/// The argument by which this program is the service.
pub(crate) const ARGUMENT: &str = "bare";

/// As long as the answer to a right PIN.
const ANSWER: &str = r#"{"version":"1","seq":[{"action":"play","args":{"url":"https://your-server.example.com/static/audio/success.mp3"}},{"action":"connect","args":{"destination":"1091"}}]}"#;

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed only")]
struct Post {
    caller: String,
    callee: String,
    direction: String,
    uuid: String,
    timestamp: u64,
    external_manager_id: u32,
    data: BTreeMap<String, String>,
    callflow: Vec<Call>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed only")]
struct Call {
    timestamp: u64,
    action: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed only")]
struct Detail {
    id: u32,
    r#type: String,
}

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
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

async fn answer(body: Bytes) -> impl IntoResponse {
    black_box(must(serde_json::from_slice::<Post>(&body)));
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}
