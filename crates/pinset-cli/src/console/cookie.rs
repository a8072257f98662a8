//! The cookie of a session.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use cookie::{Cookie, SameSite};

use super::app::App;
use super::sessions::{SessionId, Token};

/// Returns the name of the cookie. Programs at all ports of a host share its cookies, so
/// it has the port.
fn name(app: &App) -> String {
    let prefix = if app.is_https() { "__Host-" } else { "" };
    format!("{prefix}pinset-{}", app.address.port())
}

/// Returns the session of a request, which may have ended.
pub(super) fn session(app: &App, headers: &HeaderMap) -> Option<SessionId> {
    let name = name(app);
    let lines = headers.get_all(COOKIE).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).flatten();
    let found = cookies.find(|cookie| cookie.name() == name)?;
    Some(SessionId::of(found.value()))
}

/// Returns the cookie that begins a session, or, without a token, the one that ends it.
pub(super) fn value(app: &App, token: Option<&Token>) -> Option<HeaderValue> {
    let cookie = Cookie::build((name(app), token.map_or("", Token::as_str)))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.is_https())
        .path("/");
    let cookie = match token {
        Some(_) => cookie,
        None => cookie.removal(),
    };
    HeaderValue::from_str(&cookie.build().to_string()).ok()
}
