//! The answer to a saved row. A new PIN is on this page only.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::super::layout::{self, safe};
use super::query::url;
use super::save::SavedRow;
use crate::common::secret_maker::SecretForm;
use crate::console::access::CurrentUser;

/// Returns the page.
pub(super) fn page(user: &CurrentUser, file: &str, saved: &SavedRow) -> Response {
    // A plain file has no accounts.
    let of = match saved.account.as_str() {
        "" => safe(file),
        account => safe(account),
    };
    let pin = saved.made.as_ref();
    // A PIN has the characters of a keypad only.
    let pin = pin.and_then(|pin| std::str::from_utf8(pin.as_bytes()).ok());
    let stored = saved.form.map(SecretForm::name);
    let title = match pin {
        Some(_) => format!("New PIN of {of}"),
        None => format!("{of} is saved"),
    };
    let content = html! {
        @if let Some(pin) = pin {
            p { "PIN of " (of) ": " strong.secret { (pin) } }
        }
        @for warning in &saved.warnings { p.warning.screen { "Warning: " (warning) } }
        @if let Some(stored) = stored {
            p.screen {
                @if pin.is_some() { "It is shown this once, and stored as " (stored) ". If it is lost, make a new one. " }
                @else { "The PIN is stored as " (stored) ". " }
                @if pin.is_some() { "If this page is printed, only the account and the PIN are on the paper." }
            }
        }
        p.screen { a href=(url("/pin-file", file)) { "Done" } }
    };
    layout::page(StatusCode::OK, &title, Some(user), "", content)
}
