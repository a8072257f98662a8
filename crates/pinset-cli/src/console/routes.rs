//! All paths of the console, and what each needs. The router is built from this table, so
//! no path can be without an entry.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post, MethodRouter};
use axum::Router;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::access::{add_navigation, authorize, Access};
use super::app::App;
use super::pages::{
    account, callers, calls, changes, confirm, error, hand_out, job, layout, live, locked, login,
    make_pins, new_pin_set, paste, pin_file, pin_files, pin_set, reload, setup,
};
use super::users::Role::{Admin, Operator, Viewer};
use super::{headers, origin};

/// Maximum number of bytes of a form.
const MAX_FORM_BYTES: usize = 64 << 10;
/// The same of a form with a list.
const MAX_LIST_FORM_BYTES: usize = paste::MAX_LIST_BYTES + MAX_FORM_BYTES;

/// A path with a method, and what a request needs.
struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<Arc<App>>,
}

const fn page(
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<Arc<App>>,
) -> Route {
    Route {
        method: Method::GET,
        path,
        access,
        handler,
    }
}

const fn action(
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<Arc<App>>,
) -> Route {
    Route {
        method: Method::POST,
        path,
        access,
        handler,
    }
}

const ROUTES: [Route; 57] = [
    page("/", Access::Role(Viewer), || get(pin_files::page)),
    page("/account", Access::Role(Viewer), || get(account::page)),
    action("/account/end-sessions", Access::Confirmed(Viewer), || {
        post(account::end_sessions)
    }),
    page("/callers", Access::Role(Viewer), || get(callers::page)),
    page("/calls", Access::Role(Viewer), || get(calls::page)),
    page("/calls-totals.csv", Access::Role(Viewer), || {
        get(calls::totals_csv)
    }),
    page("/calls.csv", Access::Role(Viewer), || get(calls::csv)),
    page("/changes", Access::Role(Viewer), || get(changes::page)),
    page("/changes.csv", Access::Role(Viewer), || get(changes::csv)),
    page("/confirm", Access::Role(Viewer), || get(confirm::page)),
    action("/confirm", Access::Role(Viewer), || post(confirm::confirm)),
    page("/live", Access::Role(Viewer), || get(live::page)),
    page("/live/events", Access::Role(Viewer), || get(live::stream)),
    page("/live.js", Access::Public, || get(live::script)),
    page("/locked", Access::Role(Viewer), || get(locked::page)),
    action("/locked/unlock", Access::Role(Operator), || {
        post(locked::unlock)
    }),
    page("/login", Access::Public, || get(login::page)),
    action("/login", Access::Public, || post(login::log_in)),
    action("/logout", Access::Role(Viewer), || post(login::log_out)),
    page("/new-pin-set", Access::Role(Admin), || {
        get(new_pin_set::page)
    }),
    action("/new-pin-set", Access::Role(Admin), || {
        post(new_pin_set::create)
    }),
    page("/pin-file", Access::Role(Viewer), || get(pin_file::page)),
    page("/pin-file/add", Access::Role(Operator), || {
        get(pin_file::row::add_page)
    }),
    action("/pin-file/add", Access::Role(Operator), || {
        post(pin_file::row::add)
    }),
    page("/pin-file/add-pin", Access::Role(Operator), || {
        get(pin_file::line_file::add::page)
    }),
    action("/pin-file/add-pin", Access::Role(Operator), || {
        post(pin_file::line_file::add::add)
    }),
    page("/pin-file/change", Access::Role(Operator), || {
        get(pin_file::row::change_page)
    }),
    action("/pin-file/change", Access::Role(Operator), || {
        post(pin_file::row::change)
    }),
    page("/pin-file/check", Access::Role(Operator), || {
        get(pin_file::check::page)
    }),
    page("/pin-file/convert", Access::Role(Admin), || {
        get(paste::convert::page)
    }),
    action("/pin-file/convert", Access::Confirmed(Admin), || {
        post(paste::convert::convert)
    }),
    action("/pin-file/download", Access::Confirmed(Admin), || {
        post(pin_file::download::with_secrets)
    }),
    page("/pin-file/job", Access::Role(Operator), || get(job::page)),
    action("/pin-file/job/stop", Access::Role(Operator), || {
        post(job::stop)
    }),
    page("/pin-file/make-pins", Access::Role(Operator), || {
        get(make_pins::page)
    }),
    action("/pin-file/make-pins", Access::Role(Operator), || {
        post(make_pins::make)
    }),
    page("/pin-file/paste", Access::Role(Operator), || {
        get(paste::page)
    }),
    action("/pin-file/paste", Access::Role(Operator), || {
        post(paste::upload).layer(DefaultBodyLimit::max(MAX_LIST_FORM_BYTES))
    }),
    action("/pin-file/paste/add", Access::Role(Operator), || {
        post(paste::add)
    }),
    action("/pin-file/paste/discard", Access::Role(Operator), || {
        post(paste::discard)
    }),
    page("/pin-file/paste/preview", Access::Role(Operator), || {
        get(paste::preview)
    }),
    action("/pin-file/paste/replace", Access::Confirmed(Admin), || {
        post(paste::replace)
    }),
    action("/pin-file/pins/csv", Access::Confirmed(Operator), || {
        post(hand_out::csv)
    }),
    action(
        "/pin-file/pins/letters",
        Access::Confirmed(Operator),
        || post(hand_out::letters),
    ),
    page("/pin-file/remove-pin", Access::Role(Operator), || {
        get(pin_file::line_file::remove::page)
    }),
    action("/pin-file/remove-pin", Access::Role(Operator), || {
        post(pin_file::line_file::remove::remove)
    }),
    action("/pin-file/rows", Access::Role(Operator), || {
        post(pin_file::chosen::change)
    }),
    page("/pin-file/rows.csv", Access::Role(Viewer), || {
        get(pin_file::download::without_secrets)
    }),
    page("/pin-file/saving", Access::Role(Operator), || {
        get(pin_file::saving::page)
    }),
    action("/pin-file/undo", Access::Role(Operator), || {
        post(pin_file::undo::undo)
    }),
    page("/pin-file/verify", Access::Role(Operator), || {
        get(pin_file::verify::page)
    }),
    action("/pin-file/verify", Access::Role(Operator), || {
        post(pin_file::verify::check)
    }),
    page("/pin-set", Access::Role(Viewer), || get(pin_set::page)),
    action("/pin-set/reset-uses", Access::Role(Operator), || {
        post(pin_set::reset_uses)
    }),
    action("/reload", Access::Role(Admin), || post(reload::reload)),
    page("/setup", Access::Role(Viewer), || get(setup::page)),
    page("/style.css", Access::Public, || get(layout::style)),
];

/// Returns the router of all paths.
pub(super) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let authorized = from_fn_with_state((Arc::clone(app), route.access), authorize);
        let handler = (route.handler)().route_layer(authorized);
        assert!(matches!(route.method, Method::GET | Method::POST));
        router = router.route(route.path, handler);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CsrfLayer::new())
        .layer(map_response(explain_csrf))
        .layer(from_fn_with_state(Arc::clone(app), add_navigation))
        .layer(from_fn_with_state(Arc::clone(app), origin::check))
        .layer(map_response(headers::add))
        .with_state(Arc::clone(app))
}

async fn not_found() -> Response {
    error::page(
        StatusCode::NOT_FOUND,
        "There is no such page.",
        "The PIN sets are at /.",
    )
}

async fn not_allowed() -> Response {
    error::page(
        StatusCode::METHOD_NOT_ALLOWED,
        "Nothing is done by this kind of request.",
        "Use the button on the page.",
    )
}

/// Gives the refusal of a request from another site a page.
async fn explain_csrf(response: Response) -> Response {
    match response.extensions().get::<ProtectionError>() {
        None => response,
        Some(_) => error::page(
            StatusCode::FORBIDDEN,
            "The form was sent from another site, so nothing was changed.",
            "Use the form on the console's own page. A proxy must forward Host and Origin \
             unchanged.",
        ),
    }
}

#[cfg(test)]
mod tests;
