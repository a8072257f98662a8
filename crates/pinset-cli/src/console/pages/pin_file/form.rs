//! The form of a row, to add or to change it.

use maud::{html, Markup};
use pinset::list::format::csv::Column;

use super::super::layout::{self, safe};
use super::fields::{PinChoice, RowFields, STORED};
use super::query::url;
use crate::common::secret_maker::SecretForm;
use crate::console::app::App;

/// A field of the form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FormField {
    Column(Column),
    Pin,
    Digits,
    Stored,
}

/// An error, and the field that it is about, if it is about one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FormError {
    pub field: Option<FormField>,
    pub text: String,
}

impl FormError {
    /// Returns the text with the label of the field.
    pub(super) fn summary(&self) -> String {
        let field = match self.field {
            None => return self.text.clone(),
            Some(FormField::Column(column)) => label(column),
            Some(FormField::Pin) => "PIN",
            Some(FormField::Digits) => "Digits",
            Some(FormField::Stored) => "Stored as",
        };
        format!("{field}: {}", self.text)
    }
}

/// Labels of the columns, and examples.
const LABELS: [(Column, &str, &str); 9] = [
    (Column::Account, "Account", ""),
    (Column::Caller, "Caller number", "+905060508169"),
    (Column::Name, "Name", ""),
    (Column::Level, "Level, 0 to 255", ""),
    (
        Column::ValidFrom,
        "Valid from",
        "2026-11-22 or 2026-11-22 13:30",
    ),
    (
        Column::ValidUntil,
        "Valid until; a day is included",
        "2026-12-31",
    ),
    (Column::MaxUses, "Maximum number of calls", ""),
    (
        Column::Context,
        "Context, instead of that of on_success",
        "",
    ),
    (Column::Enabled, "Enabled", ""),
];

/// Returns the label of a column.
pub(super) fn label(column: Column) -> &'static str {
    let mut all = LABELS.into_iter();
    all.find_map(|(other, label, _)| (other == column).then_some(label))
        .unwrap_or_default()
}

/// Returns the form. It changes a row if `fields` has the tag of one.
pub(super) fn form(
    app: &App,
    fields: &RowFields,
    error: Option<&FormError>,
    button: &str,
) -> Markup {
    let action = match fields.row.is_empty() {
        true => "/pin-file/add",
        false => "/pin-file/change",
    };
    html! {
        @if let Some(error) = error { (layout::summary(&error.summary())) }
        form.fields method="post" action=(action) autocomplete="off" {
            input type="hidden" name="name" value=(fields.name);
            input type="hidden" name="row" value=(fields.row);
            input type="hidden" name="line" value=(fields.line);
            input type="hidden" name="once" value=(fields.once);
            input type="hidden" name="old_account" value=(fields.old_account);
            input type="hidden" name="old_caller" value=(fields.old_caller);
            @for (column, value) in fields.values() { (input(column, &value, error)) }
            (pin(app, fields, error))
            button type="submit" { (button) }
            a href=(url("/pin-file", &fields.name)) { "Back without a change" }
        }
    }
}

/// Returns the attributes of a field with an error, and the text of it.
fn marks(
    field: FormField,
    error: Option<&FormError>,
) -> (Option<&'static str>, Option<&'static str>, Markup) {
    match error.filter(|error| error.field == Some(field)) {
        None => (None, None, html! {}),
        Some(error) => (
            Some("true"),
            Some("error"),
            html! { span.error id="error" { (error.text) } },
        ),
    }
}

fn input(column: Column, value: &str, error: Option<&FormError>) -> Markup {
    let (invalid, described, text) = marks(FormField::Column(column), error);
    let mut all = LABELS.into_iter();
    let example = all.find_map(|(other, _, example)| (other == column).then_some(example));
    let name = match column {
        // The name of the file has this name.
        Column::Name => "full_name",
        column => column.name(),
    };
    html! {
        label {
            (label(column))
            @if column == Column::Enabled {
                (enabled(value, invalid, described))
            } @else if value.contains('\n') {
                textarea name=(name) rows="3" aria-invalid=[invalid] aria-describedby=[described] {
                    // The first line end after the tag is not part of the value.
                    "\n" (value)
                }
            } @else {
                input name=(name) value=(value) placeholder=[example.filter(|text| !text.is_empty())]
                    aria-invalid=[invalid] aria-describedby=[described];
            }
            (text)
        }
    }
}

/// Returns the choice whether the row is enabled. Another value than these is invalid, and
/// stays until another one is chosen.
fn enabled(value: &str, invalid: Option<&'static str>, described: Option<&'static str>) -> Markup {
    let choices = [("", "yes"), ("no", "no")];
    let is_other = choices.iter().all(|(choice, _)| *choice != value);
    html! {
        select name=(Column::Enabled.name()) aria-invalid=[invalid] aria-describedby=[described] {
            @for (choice, text) in choices {
                option value=(choice) selected[choice == value] { (text) }
            }
            @if is_other { option value=(value) selected { (safe(value)) } }
        }
    }
}

fn pin(app: &App, fields: &RowFields, error: Option<&FormError>) -> Markup {
    let choice = |value: PinChoice, word: &str, text: &str| {
        html! {
            label.choice {
                input type="radio" name="pin_choice" value=(word) checked[fields.pin_choice == value];
                (text)
            }
        }
    };
    let (digits_invalid, digits_described, digits_error) = marks(FormField::Digits, error);
    let (pin_invalid, pin_described, pin_error) = marks(FormField::Pin, error);
    let (stored_invalid, stored_described, stored_error) = marks(FormField::Stored, error);
    html! {
        fieldset.pin {
            legend { "PIN" }
            @if !fields.row.is_empty() { (choice(PinChoice::Keep, "keep", "Keep the PIN")) }
            (choice(PinChoice::Make, "make", "Make a PIN, and show it once"))
            label {
                "Its digits"
                input name="digits" inputmode="numeric" value=(fields.digits)
                    aria-invalid=[digits_invalid] aria-describedby=[digits_described];
                (digits_error)
            }
            (choice(PinChoice::Enter, "enter", "Enter a PIN"))
            label {
                "PIN to enter"
                input name="pin" type="password" autocomplete="off"
                    aria-invalid=[pin_invalid] aria-describedby=[pin_described];
                (pin_error)
            }
            label {
                "A new PIN is stored as"
                select name="stored" aria-invalid=[stored_invalid] aria-describedby=[stored_described] {
                    @for (form, word, text) in STORED {
                        @if form != SecretForm::Hmac || app.config.pepper.signing().is_some() {
                            option value=(word) selected[word == fields.stored] { (text) }
                        }
                    }
                }
                (stored_error)
            }
        }
    }
}
