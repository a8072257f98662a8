//! Access to paths: the session of a request, and the role that a path needs.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::REFERER;
use axum::http::{Method, Request, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use pinset::timestamp::since_epoch;
use thiserror::Error;
use url::Position;

use super::app::App;
use super::cookie;
use super::pages::{confirm, error};
use super::sessions::{SessionError, SessionId};
use super::users::{Role, Users, UsersError};
use crate::common::error::note;
use crate::http::client;

/// What a request to a path needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Nothing.
    Public,
    /// A session of a user with this role, or one that includes it.
    Role(Role),
    /// The same, and the password within the last five minutes.
    Confirmed(Role),
}

impl Access {
    fn role(self) -> Option<Role> {
        match self {
            Self::Public => None,
            Self::Role(role) | Self::Confirmed(role) => Some(role),
        }
    }
}

/// The user of a request.
#[derive(Clone, Debug)]
pub(super) struct CurrentUser {
    pub name: String,
    pub role: Role,
    pub session: SessionId,
    pub client: IpAddr,
    is_confirmed: bool,
}

impl CurrentUser {
    /// Returns whether the password was entered within the last five minutes.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }
}

/// The reason why users can't be known.
#[derive(Debug, Error)]
enum IdentityError {
    #[error("users file: {0}")]
    Users(#[from] UsersError),
    #[error("sessions: {0}")]
    Session(#[from] SessionError),
}

/// Returns the address of the client of a request.
pub(super) fn client(app: &App, request: &Request<Body>) -> IpAddr {
    let peer = client::peer(request.extensions());
    client::of(
        peer,
        request.headers(),
        &app.config.transport.trusted_proxies,
    )
}

/// Lets a request pass if its user may make it, and adds the [`CurrentUser`] to it.
pub(super) async fn authorize(
    State((app, access)): State<(Arc<App>, Access)>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let Some(role) = access.role() else {
        return next.run(request).await;
    };
    let user = match current(&app, &request) {
        Ok(Some(user)) => user,
        Ok(None) => return log_in(&request),
        Err(why) => return unavailable(&why),
    };
    if user.role < role {
        return error::page(
            StatusCode::FORBIDDEN,
            &format!(
                "This needs the role {role}, and {} is {}.",
                user.name, user.role
            ),
            &format!(
                "As root, remove the user and add it again: pinset console user add {} --role \
                 {role}.",
                user.name
            ),
        );
    }
    if matches!(access, Access::Confirmed(_)) && !user.is_confirmed {
        return confirm::needed(&user, &previous_page(&request));
    }
    request.extensions_mut().insert(user);
    next.run(request).await
}

/// Gives pages of errors the navigation, if the request is one of a session that stands.
pub(super) async fn add_navigation(
    State(app): State<Arc<App>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let id = cookie::session(&app, request.headers());
    let client = client(&app, &request);
    let response = next.run(request).await;
    if !error::is_error(&response) {
        return response;
    }
    match id.map(|id| of_session(&app, id, client)) {
        Some(Ok(Some(user))) => error::for_user(response, &user),
        _ => response,
    }
}

/// Returns whether the session of a user stands. Open pages ask, so it counts as no use.
pub(super) fn stands(app: &App, user: &CurrentUser) -> bool {
    let found = || {
        let session = app.sessions.look(user.session, since_epoch())?;
        let users = Users::read(&app.config.users)?;
        let stored = users.find(&user.name);
        Ok::<_, IdentityError>(session.zip(stored).is_some_and(|(s, user)| s.is_of(user)))
    };
    found().unwrap_or_else(|why| {
        note(format!("an open page ends: {why}"));
        false
    })
}

/// Returns the user of a request, if its session stands.
fn current(app: &App, request: &Request<Body>) -> Result<Option<CurrentUser>, IdentityError> {
    match cookie::session(app, request.headers()) {
        Some(id) => of_session(app, id, client(app, request)),
        None => Ok(None),
    }
}

/// Returns the user of a session, if it stands.
fn of_session(
    app: &App,
    id: SessionId,
    client: IpAddr,
) -> Result<Option<CurrentUser>, IdentityError> {
    let now = since_epoch();
    let Some(session) = app.sessions.find(id, now)? else {
        return Ok(None);
    };
    let users = Users::read(&app.config.users)?;
    let user = users.find(&session.user);
    let Some(user) = user.filter(|user| session.is_of(user)) else {
        // The user was changed or removed.
        app.end_session(id)?;
        return Ok(None);
    };
    Ok(Some(CurrentUser {
        name: user.name.clone(),
        role: user.role,
        session: id,
        client,
        is_confirmed: session.is_confirmed(now),
    }))
}

fn log_in(request: &Request<Body>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return error::page(
            StatusCode::UNAUTHORIZED,
            "Your session has ended, so nothing was changed.",
            "Log in, and do it again.",
        );
    }
    let target = request.uri().path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", target);
    Redirect::to(&format!("/login?{}", query.finish())).into_response()
}

fn unavailable(why: &IdentityError) -> Response {
    // The reason goes to the administrator only.
    note(format!("nobody can use the console: {why}"));
    error::page(
        StatusCode::SERVICE_UNAVAILABLE,
        "Users or sessions can't be read.",
        "As root: pinset console --check, and journalctl -u pinset-console.",
    )
}

/// Returns path and query of the page that a form was on.
fn previous_page(request: &Request<Body>) -> String {
    let referer = request.headers().get(REFERER);
    let url = referer.and_then(|referer| url::Url::parse(referer.to_str().ok()?).ok());
    let path = url.map_or_else(String::new, |url| {
        url[Position::BeforePath..Position::AfterQuery].to_owned()
    });
    local_path(&path).to_owned()
}

/// Returns a path if it is one of this site, else `/`. Browsers take `//host` and
/// `/\host` for other sites, and remove control characters.
pub(super) fn local_path(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local {
        path
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_this_site() {
        for (given, path) in [
            ("/changes?before=3", "/changes?before=3"),
            ("/", "/"),
            ("", "/"),
            ("//evil.example.net", "/"),
            ("/\\evil.example.net", "/"),
            ("/\t/evil.example.net", "/"),
            ("https://evil.example.net", "/"),
            ("changes", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(local_path(given), path, "{given:?}");
        }
    }
}
