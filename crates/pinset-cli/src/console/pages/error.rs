//! Pages of errors: what is wrong, and the remedy.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::layout;
use crate::console::access::CurrentUser;

/// What a page of an error says.
#[derive(Clone)]
pub(in crate::console) struct ErrorText {
    status: StatusCode,
    what: String,
    remedy: String,
}

/// Returns a page of an error. The router adds the navigation, see [`for_user`].
pub(in crate::console) fn page(status: StatusCode, what: &str, remedy: &str) -> Response {
    let text = ErrorText {
        status,
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    };
    let mut response = text.page(None);
    response.extensions_mut().insert(text);
    response
}

/// Returns whether a response is a page of an error.
pub(in crate::console) fn is_error(response: &Response) -> bool {
    response.extensions().get::<ErrorText>().is_some()
}

/// Returns the page of an error as this user sees it; other responses as they are.
pub(in crate::console) fn for_user(response: Response, user: &CurrentUser) -> Response {
    let Some(text) = response.extensions().get::<ErrorText>() else {
        return response;
    };
    let body: Body = text.page(Some(user)).into_body();
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, body)
}

impl ErrorText {
    fn page(&self, user: Option<&CurrentUser>) -> Response {
        let title = match self.status.canonical_reason() {
            Some(reason) => format!("{}: {reason}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        };
        let content = html! {
            p { (self.what) }
            p { (self.remedy) }
            p { a href="/" { "To the PIN sets" } }
        };
        layout::page(self.status, &title, user, "", content)
    }
}
