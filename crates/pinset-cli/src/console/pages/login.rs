//! Log-in and log-out.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::html;
use pinset::timestamp::since_epoch;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{error, layout};
use crate::common::error::note;
use crate::console::access::{client, local_path, CurrentUser};
use crate::console::app::App;
use crate::console::cookie;
use crate::console::form::{secret, Fields};
use crate::console::guard::PasswordError;
use crate::console::trail::Change;
use crate::console::users::{User, Users};

/// The page to go on with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Target {
    pub next: String,
}

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct LogIn {
    name: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(default)]
    next: String,
}

/// Answers with the form.
pub(in crate::console) async fn page(Query(target): Query<Target>) -> Response {
    form(StatusCode::OK, None, &target.next)
}

fn form(status: StatusCode, why: Option<&str>, next: &str) -> Response {
    let content = html! {
        @if let Some(why) = why {
            (layout::summary(why))
        }
        form.fields method="post" action="/login" {
            input type="hidden" name="next" value=(local_path(next));
            label {
                "Name"
                input name="name" autocomplete="username" autocapitalize="none" required;
            }
            label {
                "Password"
                input name="password" type="password" autocomplete="current-password" required;
            }
            button type="submit" { "Log in" }
        }
    };
    layout::page(status, "Log in", None, "", content)
}

/// Begins a session.
pub(in crate::console) async fn log_in(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Response {
    let client = client(&app, &request);
    let old = cookie::session(&app, request.headers());
    let fields = match Fields::<LogIn>::from_request(request, &app).await {
        Ok(Fields(fields)) => fields,
        Err(response) => return response,
    };
    let next = fields.next.clone();
    let user = match verify(&app, fields.name, fields.password, client).await {
        Ok(user) => user,
        Err(why) => return refused(why, |status, why| form(status, Some(why), &next)),
    };
    let begin = || {
        let now = since_epoch();
        let change = Change::of("log in");
        let recorded = app.trail.record(&user.name, client, &change, now);
        recorded.map_err(|error| error.to_string())?;
        // The identity of the browser changes, so the old session must not go on.
        if let Some(old) = old {
            app.end_session(old).map_err(|error| error.to_string())?;
        }
        let begun = app.sessions.begin(&user, now);
        begun.map_err(|error| error.to_string())
    };
    match begin() {
        Ok(token) => {
            let mut response = Redirect::to(local_path(&next)).into_response();
            if let Some(cookie) = cookie::value(&app, Some(&token)) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
        Err(why) => unrecorded(&why),
    }
}

/// Verifies a password, whether or not the client waits for it, and records a wrong one.
pub(in crate::console) async fn verify(
    app: &Arc<App>,
    name: String,
    password: Zeroizing<String>,
    client: IpAddr,
) -> Result<User, PasswordError> {
    let users = Users::read(&app.config.users).unwrap_or_else(|error| {
        note(format!("users file: nobody can log in: {error}"));
        Users::default()
    });
    let app = Arc::clone(app);
    let verified = async move {
        let user = users.find(&name).cloned();
        // Who enters the password as the name must not find it in the trail.
        let known = user.as_ref().map_or("(unknown)", |_| &name).to_owned();
        let verified = app.guard.verify(&name, user, password, client, since_epoch);
        let verified = verified.await;
        let action = match &verified {
            Err(PasswordError::Wrong) => Some("wrong password"),
            Err(PasswordError::Locked(_)) => Some("wrong password, locked out"),
            Ok(_) | Err(PasswordError::Busy) => None,
        };
        if let Some(action) = action {
            let change = Change::of(action);
            // The refusal stands whether or not it is recorded.
            if let Err(error) = app.trail.record(&known, client, &change, since_epoch()) {
                note(error);
            }
        }
        verified
    };
    tokio::spawn(verified)
        .await
        .unwrap_or(Err(PasswordError::Busy))
}

/// Answers a password that is not accepted, with a page of this status and text.
pub(in crate::console) fn refused(
    why: PasswordError,
    page: impl Fn(StatusCode, &str) -> Response,
) -> Response {
    match why {
        PasswordError::Wrong => page(
            StatusCode::UNAUTHORIZED,
            "The name or the password is wrong.",
        ),
        PasswordError::Busy => page(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many log-ins at once. Try again in some seconds.",
        ),
        PasswordError::Locked(lock) => {
            let left = lock.until.map(|until| until.saturating_sub(since_epoch()));
            let seconds = left.map_or(0, |left| left.as_secs() + 1);
            let text = match left {
                Some(_) => format!(
                    "Too many wrong passwords. Try again in {} min.",
                    seconds.div_ceil(60)
                ),
                None => "Too many wrong passwords. As root: systemctl restart pinset-console."
                    .to_owned(),
            };
            let mut response = page(StatusCode::TOO_MANY_REQUESTS, &text);
            if left.is_some() {
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// Ends the session.
pub(in crate::console) async fn log_out(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
) -> Response {
    if let Err(error) = app.end_session(user.session) {
        return unrecorded(&error.to_string());
    }
    let change = Change::of("log out");
    if let Err(error) = app
        .trail
        .record(&user.name, user.client, &change, since_epoch())
    {
        note(error);
    }
    leave(&app)
}

/// Sends the browser to the log-in, without its cookie.
pub(in crate::console) fn leave(app: &App) -> Response {
    let mut response = Redirect::to("/login").into_response();
    if let Some(cookie) = cookie::value(app, None) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Answers what can't be done because the database can't be written.
pub(in crate::console) fn unrecorded(why: &str) -> Response {
    note(why);
    error::page(
        StatusCode::SERVICE_UNAVAILABLE,
        "The database can't be written, so nothing was done.",
        "Look at the disk and the rights of the file database in console.toml: journalctl -u \
         pinset-console has the reason.",
    )
}
