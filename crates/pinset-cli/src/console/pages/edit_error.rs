//! Answers to changes of PIN files that were not made.

use std::io;

use axum::http::StatusCode;
use axum::response::Response;

use super::error;
use super::layout::safe;
use super::login::unrecorded;
use crate::console::edits::EditError;
use crate::console::lists::ListError;

/// Returns the page of a change that was not made. `refused` makes the one of an
/// operation's own reason.
pub(super) fn failed<E>(
    name: &str,
    why: EditError<E>,
    refused: impl FnOnce(E) -> Response,
) -> Response {
    let name = safe(name);
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let again = "It is unchanged. Send the form again.";
    match why {
        EditError::List(why) => unreadable(&name, &why),
        EditError::Denied(remedy) => denied(&name, &remedy),
        EditError::Save(why) if is_full(&why) => error::page(
            StatusCode::INSUFFICIENT_STORAGE,
            &format!("{name} can't be saved: {why}"),
            "It is unchanged. Free space on the disk, and send the form again.",
        ),
        EditError::Save(why) => error::page(
            status,
            &format!("{name} can't be saved: {why}"),
            "It is unchanged. The page /setup shows whether the folder can be written.",
        ),
        EditError::Changed => error::page(
            StatusCode::CONFLICT,
            &format!("Another program has changed {name} at the same time."),
            again,
        ),
        EditError::Trail(why) => unrecorded(&why.to_string()),
        EditError::Panicked => {
            error::page(status, &format!("{name}: the change has failed."), again)
        }
        EditError::Refused(why) => refused(why),
    }
}

/// Returns the page of a PIN file that the console may not change.
pub(super) fn denied(name: &str, remedy: &str) -> Response {
    let name = safe(name);
    error::page(
        StatusCode::FORBIDDEN,
        &format!("{name} can't be changed from here: it is not the console's own file."),
        &format!("As root: {}", safe(remedy)),
    )
}

fn is_full(why: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(why.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

/// Returns the page of a PIN file that can't be read.
pub(super) fn unreadable(name: &str, why: &ListError) -> Response {
    let name = safe(name);
    match why {
        ListError::Missing => error::page(
            StatusCode::NOT_FOUND,
            &format!("There is no PIN file {name}."),
            "The page of PIN sets lists those of the folder.",
        ),
        ListError::TooLarge => error::page(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("{name}: {why}."),
            "Use the command pinset on the PBX.",
        ),
        ListError::Replaced | ListError::Io(_) => error::page(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("{name} can't be read: {why}."),
            "The page /setup shows whether the console may read it.",
        ),
    }
}
