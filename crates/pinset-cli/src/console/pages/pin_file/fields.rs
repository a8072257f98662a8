//! The fields of the form of a row.

use pinset::list::format::csv::Column;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::common::csv_list::{CsvList, RowValues};
use crate::common::secret_maker::SecretForm;
use crate::console::form::secret;

/// Number of digits of a new PIN unless another is chosen.
pub(super) const DEFAULT_DIGITS: &str = "6";

/// Where the PIN of a row comes from.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum PinChoice {
    #[default]
    Keep,
    Make,
    Enter,
}

/// A form in which a new secret can be stored, by its word in the form.
pub(super) const STORED: [(SecretForm, &str, &str); 3] = [
    (
        SecretForm::Argon2id,
        "argon2id",
        "argon2id: slow to guess, but only found by caller number or account",
    ),
    (
        SecretForm::Hmac,
        "hmac-sha256",
        "hmac-sha256: also found by the PIN alone",
    ),
    (
        SecretForm::Plain,
        "plain",
        "plain: readable for everybody who can read the file",
    ),
];

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct RowFields {
    /// The name of the file.
    pub name: String,
    /// The tag of the row to change.
    #[serde(default)]
    pub row: String,
    /// The line in which that row was. It helps to find it in a large file.
    #[serde(default)]
    pub line: u64,
    /// The number of the form, see [`crate::console::once`].
    pub once: String,
    /// Account and caller number of the row when the form was made.
    #[serde(default)]
    pub old_account: String,
    #[serde(default)]
    pub old_caller: String,
    account: String,
    caller: String,
    full_name: String,
    level: String,
    valid_from: String,
    valid_until: String,
    max_uses: String,
    context: String,
    enabled: String,
    #[serde(default)]
    pub pin_choice: PinChoice,
    pub digits: String,
    #[serde(default, deserialize_with = "secret")]
    pub pin: Zeroizing<String>,
    pub stored: String,
}

impl RowFields {
    /// Returns the fields of a new row.
    pub(super) fn new(name: &str, once: String, stored: &str) -> Self {
        let empty = String::new;
        Self {
            name: name.to_owned(),
            row: empty(),
            line: 0,
            once,
            old_account: empty(),
            old_caller: empty(),
            account: empty(),
            caller: empty(),
            full_name: empty(),
            level: empty(),
            valid_from: empty(),
            valid_until: empty(),
            max_uses: empty(),
            context: empty(),
            enabled: empty(),
            pin_choice: PinChoice::Make,
            digits: DEFAULT_DIGITS.to_owned(),
            pin: Zeroizing::default(),
            stored: stored.to_owned(),
        }
    }

    /// Returns the fields of a row of a file.
    pub(super) fn of(
        name: &str,
        once: String,
        stored: &str,
        (list, row): (&CsvList, usize),
        (tag, line): (String, u64),
    ) -> Self {
        let value = |column| list.value(row, column).unwrap_or_default().into_owned();
        Self {
            row: tag,
            line,
            old_account: value(Column::Account),
            old_caller: value(Column::Caller),
            account: value(Column::Account),
            caller: value(Column::Caller),
            full_name: value(Column::Name),
            level: value(Column::Level),
            valid_from: value(Column::ValidFrom),
            valid_until: value(Column::ValidUntil),
            max_uses: value(Column::MaxUses),
            context: value(Column::Context),
            enabled: value(Column::Enabled),
            pin_choice: PinChoice::Keep,
            ..Self::new(name, once, stored)
        }
    }

    /// Returns all values except the secret. Blanks around them and the line ends of forms
    /// are those of the file.
    pub(super) fn values(&self) -> Vec<(Column, String)> {
        [
            (Column::Account, &self.account),
            (Column::Caller, &self.caller),
            (Column::Name, &self.full_name),
            (Column::Level, &self.level),
            (Column::ValidFrom, &self.valid_from),
            (Column::ValidUntil, &self.valid_until),
            (Column::MaxUses, &self.max_uses),
            (Column::Context, &self.context),
            (Column::Enabled, &self.enabled),
        ]
        .into_iter()
        .map(|(column, value)| (column, value.trim().replace("\r\n", "\n")))
        .collect()
    }

    /// Returns the form of a new secret.
    pub(super) fn secret_form(&self) -> Option<SecretForm> {
        let mut all = STORED.into_iter();
        all.find_map(|(form, word, _)| (word == self.stored).then_some(form))
    }

    /// Returns these fields for another row, without the PIN.
    pub(super) fn for_row(&self, (row, line): (String, u64), once: String) -> Self {
        Self {
            row,
            line,
            once,
            old_account: self.old_account.clone(),
            old_caller: self.old_caller.clone(),
            account: self.account.clone(),
            caller: self.caller.clone(),
            full_name: self.full_name.clone(),
            level: self.level.clone(),
            valid_from: self.valid_from.clone(),
            valid_until: self.valid_until.clone(),
            max_uses: self.max_uses.clone(),
            context: self.context.clone(),
            enabled: self.enabled.clone(),
            pin_choice: self.pin_choice,
            digits: self.digits.clone(),
            name: self.name.clone(),
            stored: self.stored.clone(),
            pin: Zeroizing::default(),
        }
    }
}

/// Returns the values that differ from those of a row.
pub(super) fn changed<'a>(
    values: &'a [(Column, String)],
    list: &CsvList,
    row: usize,
) -> RowValues<'a> {
    let is_new = |(column, value): &&(Column, String)| {
        list.value(row, *column).unwrap_or_default() != value.as_str()
    };
    let changed = values.iter().filter(is_new);
    changed
        .map(|(column, value)| (*column, value.as_str()))
        .collect()
}
