//! Deletion of PINs from a plain or MD5 file, by the PIN or the account.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::html;
use pinset::list::{FileKind, Format};
use pinset::lockout::Lock;
use pinset::timestamp::since_epoch;
use pinset::Pin;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use super::super::super::layout::{self, safe};
use super::super::super::{confirm, edit_error};
use super::super::chosen::MAX_UNCONFIRMED_DELETES;
use super::super::verify::too_many_wrong;
use super::super::{url, FileName};
use super::{format, other_kind};
use crate::common::csv_list::kind;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::{self, NewText};
use crate::console::form::{secret, Fields};
use crate::console::trail::Change;
use crate::pin_files::remove::{RemoveError, RemovedRows};

pub(super) const PATH: &str = "/pin-file/remove-pin";

/// The fields of the form.
#[derive(Clone, Deserialize)]
pub(in crate::console) struct RemoveFields {
    name: String,
    /// Nothing in a plain file.
    #[serde(default)]
    account: String,
    #[serde(default, deserialize_with = "secret")]
    pin: Zeroizing<String>,
}

/// The lines to delete.
enum Selection {
    Account(String),
    Pin(Box<Pin>),
}

/// The reason why nothing is deleted.
#[derive(Debug, Error)]
enum RemovePinError {
    #[error("another format")]
    OtherKind,
    #[error("no line has this {1}")]
    NoneFound(Format, &'static str),
    #[error("too many wrong PINs")]
    Locked(Option<Lock>),
    #[error("the password is needed")]
    Unconfirmed,
    #[error("{1}")]
    Remove(Format, RemoveError),
}

/// Answers with the form.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(FileName { name }): Query<FileName>,
) -> Response {
    let format = match format(&app, &name).await {
        Ok(format) => format,
        Err(answer) => return *answer,
    };
    let fields = RemoveFields {
        name,
        account: String::new(),
        pin: Zeroizing::default(),
    };
    form(StatusCode::OK, &user, &fields, format, None)
}

/// Deletes the lines with a PIN or of an account. A wrong PIN counts as one that was
/// checked, because the answer says that it is wrong.
pub(in crate::console) async fn remove(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<RemoveFields>,
) -> Response {
    let selection = match fields.selection() {
        Ok(selection) => selection,
        Err(why) => {
            return match format(&app, &fields.name).await {
                Ok(format) => refused(&user, &fields, format, why),
                Err(answer) => *answer,
            };
        }
    };
    let (own_app, of_user) = (Arc::clone(&app), user.clone());
    let edited = edits::edit(&app, &user, &fields.name, move |text| match &selection {
        Selection::Account(_) => selection.remove(text, &of_user, &own_app),
        Selection::Pin(_) => {
            let tried = own_app.pin_tries.verify(&of_user.name, since_epoch, || {
                let removed = selection.remove(text, &of_user, &own_app);
                let is_wrong = matches!(removed, Err(RemovePinError::NoneFound(..)));
                (!is_wrong, removed)
            });
            tried.unwrap_or_else(|lock| Err(RemovePinError::Locked(lock)))
        }
    });
    let page = url("/pin-file", &fields.name);
    match edited.await {
        Ok(()) => Redirect::to(&page).into_response(),
        Err(why) => edit_error::failed(&fields.name, why, |why| match why {
            RemovePinError::OtherKind => other_kind(&fields.name),
            RemovePinError::Locked(lock) => too_many_wrong(lock),
            RemovePinError::Unconfirmed => confirm::needed(&user, &page),
            RemovePinError::NoneFound(format, what) => {
                let why = format!("{what}: no line of the file has it, so nothing was deleted.");
                refused(&user, &fields, format, &why)
            }
            RemovePinError::Remove(format, why) => {
                let why = format!("Nothing was deleted: {why}.");
                refused(&user, &fields, format, &why)
            }
        }),
    }
}

impl RemoveFields {
    /// Returns what is deleted, or what is wrong with the form.
    fn selection(&self) -> Result<Selection, &'static str> {
        match (self.account.trim(), self.pin.trim()) {
            ("", "") => Err("PIN: enter the PIN to delete."),
            ("", pin) => match Pin::parse(pin.as_bytes()) {
                Some(pin) => Ok(Selection::Pin(Box::new(pin))),
                None => Err("PIN: enter 1 to 254 of the keys 0 to 9, * and A to D."),
            },
            (account, "") => Ok(Selection::Account(account.to_owned())),
            _ => Err("Account, PIN: enter one of them, not both."),
        }
    }
}

impl Selection {
    fn remove(
        &self,
        text: Zeroizing<Vec<u8>>,
        user: &CurrentUser,
        app: &App,
    ) -> Result<NewText<()>, RemovePinError> {
        let Some(FileKind::Lines(format)) = kind(&text) else {
            return Err(RemovePinError::OtherKind);
        };
        let (rows, what) = match self {
            Self::Account(account) => {
                let caller = None;
                (RemovedRows::Account { account, caller }, "Account")
            }
            Self::Pin(pin) => (RemovedRows::Pin(pin), "PIN"),
        };
        let removed = rows.remove(text, &app.config.numbering);
        let (text, gone) = removed.map_err(|why| RemovePinError::Remove(format, why))?;
        if gone == 0 {
            return Err(RemovePinError::NoneFound(format, what));
        }
        if gone > MAX_UNCONFIRMED_DELETES && !user.is_confirmed() {
            return Err(RemovePinError::Unconfirmed);
        }
        Ok(NewText {
            text,
            change: Change {
                account: match self {
                    Self::Account(account) => account.clone(),
                    Self::Pin(_) => String::new(),
                },
                before: format!("PINs removed: {gone}"),
                ..Change::of("delete PINs")
            },
            result: (),
        })
    }
}

fn refused(user: &CurrentUser, fields: &RemoveFields, format: Format, why: &str) -> Response {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    form(status, user, fields, format, Some(why))
}

fn form(
    status: StatusCode,
    user: &CurrentUser,
    fields: &RemoveFields,
    format: Format,
    wrong: Option<&str>,
) -> Response {
    let invalid = wrong.map(|_| "true");
    let describes = wrong.map(|_| "error");
    let content = html! {
        @if let Some(why) = wrong { (layout::summary(why)) }
        p {
            "All lines with the PIN are deleted. After five wrong PINs within 15 minutes, you \
             can't delete or check others for 30 minutes."
        }
        form.fields method="post" action=(PATH) autocomplete="off" {
            input type="hidden" name="name" value=(fields.name);
            label {
                "PIN"
                input name="pin" type="password" autocomplete="off"
                    aria-invalid=[invalid] aria-describedby=[describes];
            }
            @if format == Format::Md5 {
                label {
                    "Or the account, whose lines are all deleted"
                    input name="account" value=(fields.account)
                        aria-invalid=[invalid] aria-describedby=[describes];
                }
            }
            @if let Some(why) = wrong { span.error id="error" { (why) } }
            button type="submit" { "Delete" }
            a href=(url("/pin-file", &fields.name)) { "Back without a change" }
        }
    };
    let title = format!("Delete PINs from {}", safe(&fields.name));
    layout::page(status, &title, Some(user), "", content)
}
