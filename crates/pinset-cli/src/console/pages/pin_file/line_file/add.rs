//! Adding of a PIN to a plain or MD5 file.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use pinset::list::format::csv::Column;
use pinset::list::{FileKind, Format};
use pinset::timestamp::since_epoch;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::super::edit_error;
use super::super::super::layout::{self, safe};
use super::super::fields::{PinChoice, DEFAULT_DIGITS};
use super::super::form::{FormError, FormField};
use super::super::row::not_again;
use super::super::save::{new_pin, rules, warnings, SaveError, SavedRow};
use super::super::{saved, url, FileName};
use super::{format, other_kind};
use crate::common::csv_list::{kind, load};
use crate::common::secret_maker::SecretForm;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::{self, NewText};
use crate::console::form::{secret, Fields};
use crate::console::trail::Change;
use crate::pin_files::add::NewRow;

pub(super) const PATH: &str = "/pin-file/add-pin";

/// The fields of the form.
#[derive(Clone, Deserialize)]
pub(in crate::console) struct AddFields {
    name: String,
    /// The number of the form, see [`crate::console::once`].
    once: String,
    /// Nothing in a plain file.
    #[serde(default)]
    account: String,
    #[serde(default)]
    pin_choice: PinChoice,
    digits: String,
    #[serde(default, deserialize_with = "secret")]
    pin: Zeroizing<String>,
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
    let fields = AddFields {
        name,
        once: app.once.number(),
        account: String::new(),
        pin_choice: PinChoice::Make,
        digits: DEFAULT_DIGITS.to_owned(),
        pin: Zeroizing::default(),
    };
    form(StatusCode::OK, &user, &fields, format, None)
}

/// Adds a PIN, once.
pub(in crate::console) async fn add(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<AddFields>,
) -> Response {
    let now = i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX);
    if let Err(why) = app.once.take(user.session, &fields.once, now) {
        return not_again(&fields.name, why);
    }
    let (for_edit, own_app) = (fields.clone(), Arc::clone(&app));
    let edited = edits::edit(&app, &user, &fields.name, move |text| {
        for_edit.add(text, &own_app)
    });
    let why = match edited.await {
        Ok(row) => return saved::page(&user, &fields.name, &row),
        Err(why) => why,
    };
    app.once.give_back(user.session, &fields.once);
    edit_error::failed(&fields.name, why, |(format, why)| match format {
        None => other_kind(&fields.name),
        Some(format) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            form(status, &user, &fields, format, Some(&why.in_form()))
        }
    })
}

impl AddFields {
    /// Returns the file with the PIN, or its format, if it has one of these, and the reason
    /// why the PIN is not added.
    fn add(
        &self,
        text: Zeroizing<Vec<u8>>,
        app: &App,
    ) -> Result<NewText<SavedRow>, (Option<Format>, SaveError)> {
        match kind(&text) {
            Some(FileKind::Lines(format)) => self
                .add_to(text, format, app)
                .map_err(|why| (Some(format), why)),
            Some(FileKind::Csv) | None => Err((None, SaveError::Unchanged)),
        }
    }

    fn add_to(
        &self,
        text: Zeroizing<Vec<u8>>,
        format: Format,
        app: &App,
    ) -> Result<NewText<SavedRow>, SaveError> {
        let form = match format {
            Format::Plain => SecretForm::Plain,
            Format::Md5 => SecretForm::Md5,
        };
        let maker = app.secret_maker(form);
        let rules = rules(&maker, &app.config.numbering);
        let rows = load(&text, FileKind::Lines(format), rules.numbering);
        let rows = rows.map_err(|why| SaveError::Add(why.into()))?;
        let pin = new_pin(self.pin_choice, (&self.pin, &self.digits), &rows, &rules)?;
        let pin = pin.ok_or(SaveError::InvalidPin)?;
        let account = self.account.trim();
        let values = match account {
            "" => Vec::new(),
            account => vec![(Column::Account, account)],
        };
        let row = NewRow {
            values,
            pin: &pin,
            kind: Some(FileKind::Lines(format)),
            form: Some(form),
        };
        let added = row.add(text, &rules)?;
        let text = added.result.map_err(SaveError::Duplicate)?;
        Ok(NewText {
            text,
            change: Change {
                account: account.to_owned(),
                after: format!("secret={}", form.name()),
                ..Change::of("add PIN")
            },
            result: SavedRow {
                account: account.to_owned(),
                warnings: warnings(&added.warnings, Some(&pin)),
                made: (self.pin_choice == PinChoice::Make).then_some(pin),
                form: Some(form),
            },
        })
    }
}

fn form(
    status: StatusCode,
    user: &CurrentUser,
    fields: &AddFields,
    format: Format,
    error: Option<&FormError>,
) -> Response {
    let at = |field| error.filter(|error| error.field == Some(field));
    let choice = |value: PinChoice, word: &str, text: &str| {
        html! {
            label.choice {
                input type="radio" name="pin_choice" value=(word) checked[fields.pin_choice == value];
                (text)
            }
        }
    };
    let stored = match format {
        Format::Plain => "The PIN is stored in the clear, as all PINs of a plain file are.",
        Format::Md5 => "The PIN is stored as MD5, which is found quickly by trying all PINs.",
    };
    let (digits, pin) = (at(FormField::Digits), at(FormField::Pin));
    let account = at(FormField::Column(Column::Account));
    let content = html! {
        @if let Some(error) = error { (layout::summary(&error.summary())) }
        form.fields method="post" action=(PATH) autocomplete="off" {
            input type="hidden" name="name" value=(fields.name);
            input type="hidden" name="once" value=(fields.once);
            @if format == Format::Md5 {
                label {
                    "Account"
                    input name="account" value=(fields.account)
                        aria-invalid=[invalid(account)] aria-describedby=[describes(account)];
                    (text(account))
                }
            }
            fieldset.pin {
                legend { "PIN" }
                (choice(PinChoice::Make, "make", "Make a PIN, and show it once"))
                label {
                    "Its digits"
                    input name="digits" inputmode="numeric" value=(fields.digits)
                        aria-invalid=[invalid(digits)] aria-describedby=[describes(digits)];
                    (text(digits))
                }
                (choice(PinChoice::Enter, "enter", "Enter a PIN"))
                label {
                    "PIN to enter"
                    input name="pin" type="password" autocomplete="off"
                        aria-invalid=[invalid(pin)] aria-describedby=[describes(pin)];
                    (text(pin))
                }
            }
            p { (stored) }
            button type="submit" { "Add the PIN" }
            a href=(url("/pin-file", &fields.name)) { "Back without a change" }
        }
    };
    let title = format!("Add a PIN to {}", safe(&fields.name));
    layout::page(status, &title, Some(user), "", content)
}

fn invalid(error: Option<&FormError>) -> Option<&'static str> {
    error.map(|_| "true")
}

fn describes(error: Option<&FormError>) -> Option<&'static str> {
    error.map(|_| "error")
}

fn text(error: Option<&FormError>) -> Markup {
    html! { @if let Some(error) = error { span.error id="error" { (error.text) } } }
}
