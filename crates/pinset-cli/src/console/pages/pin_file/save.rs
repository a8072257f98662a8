//! Adding and changing of a row: from the fields of the form to the new text.

use pinset::credential::table::Rows;
use pinset::list::format::csv::Column;
use pinset::list::FileKind;
use pinset::{Numbering, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

use super::describe::described;
use super::fields::{changed, PinChoice, RowFields};
use super::form::{FormError, FormField};
use crate::common::csv_list::{CsvList, RowValues};
use crate::common::secret_maker::{SecretForm, SecretMaker};
use crate::common::weak_pins::weakness;
use crate::console::app::App;
use crate::console::edits::NewText;
use crate::console::trail::Change;
use crate::pin_files::add::{self, AddError, NewRow};
use crate::pin_files::change::{
    csv_list, loaded, ChangeError, ComparedPin, RowChange, RowSelector,
};
use crate::pin_files::generate::{unused_pins, GenerateError};
use crate::pin_files::tags::RowTag;
use crate::pin_files::{DuplicatePin, EditedRow, FieldError, RowRules, Warning};

/// A saved row.
pub(super) struct SavedRow {
    pub account: String,
    /// The PIN that was made for it.
    pub made: Option<Pin>,
    /// The form of its secret if it is new.
    pub form: Option<SecretForm>,
    pub warnings: Vec<String>,
}

/// The reason why a row is not saved.
#[derive(Debug, Error)]
pub(super) enum SaveError {
    #[error(transparent)]
    Add(#[from] AddError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("{0}")]
    Duplicate(DuplicatePin),
    #[error("enter a PIN of 1 to 254 of the keys 0 to 9, * and A to D")]
    InvalidPin,
    #[error("choose a form")]
    InvalidForm,
    #[error("nothing is different, so nothing was changed")]
    Unchanged,
    /// With the row that has its account and number now, if there is only one.
    #[error("the row was changed or deleted meanwhile")]
    Gone(Option<CurrentRow>),
}

/// A row as it is now, without its secret.
#[derive(Debug)]
pub(super) struct CurrentRow {
    pub tag: RowTag,
    pub line: u64,
    pub values: Vec<(Column, String)>,
}

impl SaveError {
    /// Returns the text for the form, and the field it belongs to.
    pub(super) fn in_form(&self) -> FormError {
        let of_column = |column| match column {
            // The form has no secret, but a PIN.
            Column::Secret => FormField::Pin,
            column => FormField::Column(column),
        };
        let (field, text) = match self {
            Self::Add(AddError::Field(error)) | Self::Change(ChangeError::Field(error)) => {
                let FieldError { column, error } = error;
                (Some(of_column(*column)), error.to_string())
            }
            Self::Add(AddError::InvalidMd5Account) => {
                (Some(FormField::Column(Column::Account)), self.to_string())
            }
            Self::Add(AddError::OtherFormat) | Self::Change(ChangeError::NotCsv) => {
                let text = "the file is no CSV file. \"Make it a CSV file\" on its page does that";
                (None, text.to_owned())
            }
            Self::Add(AddError::Secret(_)) | Self::Change(ChangeError::Secret(_)) => {
                (Some(FormField::Stored), self.to_string())
            }
            Self::InvalidForm => (Some(FormField::Stored), self.to_string()),
            Self::Generate(GenerateError::MissingKey(id)) => {
                let text = format!(
                    "a new PIN can't be compared with rows of key {id}: pepper_file of console.toml \
                     lacks it"
                );
                (Some(FormField::Pin), text)
            }
            Self::Generate(_) => (Some(FormField::Digits), self.to_string()),
            Self::Duplicate(_) | Self::InvalidPin => (Some(FormField::Pin), self.to_string()),
            _ => (None, self.to_string()),
        };
        FormError { field, text }
    }
}

/// Returns the file with the new row.
pub(super) fn add(
    fields: &RowFields,
    text: Zeroizing<Vec<u8>>,
    app: &App,
) -> Result<NewText<SavedRow>, SaveError> {
    let form = fields.secret_form().ok_or(SaveError::InvalidForm)?;
    let maker = app.secret_maker(form);
    let all = fields.values();
    let is_given =
        |(column, value): &&(Column, String)| *column == Column::Account || !value.is_empty();
    let given = all.iter().filter(is_given);
    let values: RowValues<'_> = given
        .map(|(column, value)| (*column, value.as_str()))
        .collect();
    let rules = rules(&maker, &app.config.numbering);
    let list = add::csv_list(text, &values)?;
    let rows = loaded(&list, rules.numbering)?;
    let given = (fields.pin.as_str(), fields.digits.as_str());
    let pin = new_pin(fields.pin_choice, given, &rows, &rules)?.ok_or(SaveError::InvalidPin)?;
    let row = NewRow {
        values,
        pin: &pin,
        kind: Some(FileKind::Csv),
        form: Some(form),
    };
    let added = row.add_to(&list, &rows, &rules)?;
    let change = Change {
        after: described(&added.row, 0),
        ..Change::of("add row")
    };
    saved(added, change, fields, Some((pin, form)))
}

/// Returns the file with the changed row.
pub(super) fn change(
    fields: &RowFields,
    text: Zeroizing<Vec<u8>>,
    app: &App,
) -> Result<NewText<SavedRow>, SaveError> {
    let form = fields.secret_form().ok_or(SaveError::InvalidForm)?;
    let maker = app.secret_maker(form);
    let list = csv_list(text)?;
    let tag = RowTag::parse(&fields.row);
    let Some(row) = tag.and_then(|tag| app.edits.tags.find(&list, tag, fields.line)) else {
        return Err(SaveError::Gone(current(fields, &list, app)));
    };
    let all = fields.values();
    let values = changed(&all, &list, row);
    let rules = rules(&maker, &app.config.numbering);
    let rows = match fields.pin_choice {
        PinChoice::Keep => None,
        PinChoice::Make | PinChoice::Enter => Some(loaded(&list, rules.numbering)?),
    };
    let given = (fields.pin.as_str(), fields.digits.as_str());
    let pin = match &rows {
        Some(rows) => new_pin(fields.pin_choice, given, rows, &rules)?,
        None => None,
    };
    if values.is_empty() && pin.is_none() {
        return Err(SaveError::Unchanged);
    }
    let compared = pin.as_ref().zip(rows.as_ref());
    let change = RowChange {
        values,
        pin: compared.map(|(pin, rows)| ComparedPin { pin, rows }),
    };
    let edited = change.change(&list, row, &rules)?;
    let action = match pin {
        Some(_) => "change row and PIN",
        None => "change row",
    };
    let change = Change {
        before: described(&list, row),
        after: described(&edited.row, 0),
        ..Change::of(action)
    };
    saved(edited, change, fields, pin.map(|pin| (pin, form)))
}

/// Returns the rules for new rows and PINs.
pub(super) fn rules<'a>(maker: &'a SecretMaker, numbering: &'a Numbering) -> RowRules<'a> {
    RowRules {
        numbering,
        maker,
        shared_pins: false,
    }
}

/// Returns the new PIN of a row, if it gets one: the one that was entered, or one with this
/// number of digits. `rows` are those of the file.
pub(super) fn new_pin(
    choice: PinChoice,
    (entered, digits): (&str, &str),
    rows: &Rows,
    rules: &RowRules<'_>,
) -> Result<Option<Pin>, SaveError> {
    match choice {
        PinChoice::Keep => Ok(None),
        PinChoice::Enter => {
            let pin = Pin::parse(entered.trim().as_bytes());
            let pin = pin.filter(|pin| !pin.is_empty());
            pin.map(Some).ok_or(SaveError::InvalidPin)
        }
        PinChoice::Make => {
            let digits = digits.trim().parse().unwrap_or_default();
            let pins = unused_pins(rows, 1, digits, &rules.maker.pepper)?;
            Ok(pins.into_iter().next())
        }
    }
}

/// Returns what a page says of a saved row, and of its new PIN.
pub(super) fn warnings(warnings: &[Warning], pin: Option<&Pin>) -> Vec<String> {
    let weak = pin.and_then(|pin| weakness(pin.as_bytes()));
    let mut texts: Vec<String> = warnings.iter().map(warning).collect();
    texts.extend(weak.map(|weakness| format!("The PIN is weak: {weakness}.")));
    texts
}

/// Returns a warning without the options of a command.
fn warning(warning: &Warning) -> String {
    match warning {
        Warning::MissingKey(id) => format!(
            "The PIN was not compared with rows of key {id}: pepper_file of console.toml lacks it."
        ),
        Warning::OutOfReach => "No caller can use the row: argon2id is found by caller number or \
                                account, but there is no caller number, and the account can't be \
                                entered on a telephone. Add a caller number, or make a new PIN \
                                that is stored as hmac-sha256."
            .to_owned(),
        Warning::OnlyArgon2id => "No other row is stored as argon2id: a PIN set with identify = \
                                  pin does not find this one."
            .to_owned(),
    }
}

fn saved(
    new: EditedRow,
    change: Change,
    fields: &RowFields,
    pin: Option<(Pin, SecretForm)>,
) -> Result<NewText<SavedRow>, SaveError> {
    let EditedRow { edited, row } = new;
    let text = edited.result.map_err(SaveError::Duplicate)?;
    let account = row.value(0, Column::Account).unwrap_or_default();
    let account = account.into_owned();
    let (pin, form) = pin.unzip();
    let warnings = warnings(&edited.warnings, pin.as_ref());
    Ok(NewText {
        text,
        change: Change {
            account: account.clone(),
            ..change
        },
        result: SavedRow {
            account,
            made: pin.filter(|_| fields.pin_choice == PinChoice::Make),
            form,
            warnings,
        },
    })
}

/// Returns the only row with the account and number that the changed row had.
fn current(fields: &RowFields, list: &CsvList, app: &App) -> Option<CurrentRow> {
    let selector = RowSelector {
        account: Some(&fields.old_account),
        caller: Some(fields.old_caller.as_str()).filter(|caller| !caller.is_empty()),
        line: None,
    };
    let row = selector.find(list, &app.config.numbering).ok()?;
    let value = |column| list.value(row, column).unwrap_or_default().into_owned();
    let columns = fields.values().into_iter().map(|(column, _)| column);
    Some(CurrentRow {
        tag: app.edits.tags.row(list, row),
        line: list.rows().get(row).map_or(0, |row| row.line),
        values: columns.map(|column| (column, value(column))).collect(),
    })
}
