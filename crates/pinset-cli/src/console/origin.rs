//! Checks of a request before its path is looked at: where it came from, and which host
//! it was sent to. A rebound DNS name leads a browser to the console, but not past these.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::app::App;
use super::pages::error;
use crate::http::client;

/// Refuses requests without TLS from peers that must have it, and requests to a host
/// that is not the console's.
pub(super) async fn check(
    State(app): State<Arc<App>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let peer = client::peer(request.extensions());
    let proxies = &app.config.transport.trusted_proxies;
    if !app.config.plain_http.admits(peer, proxies) {
        return error::page(
            StatusCode::FORBIDDEN,
            "Passwords would be readable on the network.",
            "Use the proxy that has TLS, or connect from this machine: ssh -L \
             5100:127.0.0.1:5100 HOST.",
        );
    }
    let given = host(&request);
    if !given.is_some_and(|given| is_ours(given, app.address, &app.config.hosts)) {
        return error::page(
            StatusCode::MISDIRECTED_REQUEST,
            "The console has no host of this name.",
            "Add the name to hosts in console.toml, and restart pinset-console.",
        );
    }
    next.run(request).await
}

/// Returns the host that a request was sent to, unless several are given.
fn host(request: &Request<Body>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut all = request.headers().get_all(HOST).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// Returns whether this is the address of the socket, the loopback address, or one of
/// the names. The port is not compared: a tunnel may change it, and DNS does not.
fn is_ours(given: &str, address: SocketAddr, names: &[String]) -> bool {
    let name = match given.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => given,
    };
    let literal = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    match literal.unwrap_or(name).parse::<IpAddr>() {
        Ok(ip) => {
            let (ip, own) = (ip.to_canonical(), address.ip().to_canonical());
            ip == own || ip.is_loopback() || own.is_unspecified()
        }
        Err(_) => {
            let name = name.to_ascii_lowercase();
            name == "localhost" || names.contains(&name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_must_be_the_address_or_a_configured_name() {
        let names = ["pbx.example.com".to_owned()];
        for (given, listen, is_right) in [
            ("127.0.0.1:5100", "127.0.0.1:5100", true),
            ("127.0.0.1:8080", "127.0.0.1:5100", true),
            ("localhost:5100", "127.0.0.1:5100", true),
            ("[::1]:5100", "[::1]:5100", true),
            ("pbx.example.com", "192.0.2.1:443", true),
            ("PBX.example.com:443", "192.0.2.1:443", true),
            ("192.0.2.1", "192.0.2.1:443", true),
            ("192.0.2.2", "192.0.2.1:443", false),
            // Any address of this machine; a rebound name is none.
            ("192.0.2.2", "0.0.0.0:443", true),
            ("evil.example.net", "0.0.0.0:443", false),
            ("evil.example.net:5100", "127.0.0.1:5100", false),
            ("pbx.example.com.evil.example.net", "192.0.2.1:443", false),
            ("xpbx.example.com", "192.0.2.1:443", false),
            ("localhost.evil.example.net", "127.0.0.1:5100", false),
            ("127.0.0.1.evil.example.net", "127.0.0.1:5100", false),
            ("127.0.0.1:x", "127.0.0.1:5100", false),
            ("user@127.0.0.1", "127.0.0.1:5100", false),
            ("", "127.0.0.1:5100", false),
        ] {
            let listen = listen.parse().expect("an address");
            assert_eq!(
                is_ours(given, listen, &names),
                is_right,
                "{given} at {listen}"
            );
        }
    }
}
