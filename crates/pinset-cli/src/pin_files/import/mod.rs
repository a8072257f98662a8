//! Import of rows from lists of other products and of our own.

mod sources;

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::str::Utf8Error;

use pinset::credential::secret;
use pinset::credential::table::TableError;
use pinset::list::format::csv::Column;
use pinset::list::{FileKind, LineError};
use pinset::pin::{is_key, MAX_DIGITS};
use pinset::{Numbering, Pepper, Pin, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use sources::SourceFormat;

use super::field_error::FieldError;
use super::RowRules;
use crate::common::csv::RowReadError;
use crate::common::csv_list::{check_values, load, CsvList, CsvListError, RowValues};
use crate::common::reach::is_out_of_reach;
use crate::common::secret_maker::SecretMakerError;
use sources::{SourceRow, SourceSecret};

/// The reason why a source can't be read. Lines are counted from 1.
#[derive(Debug, Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    NotUtf8(#[from] Utf8Error),
    #[error(transparent)]
    Row(#[from] RowReadError),
    #[error(transparent)]
    Csv(#[from] CsvListError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("line {0}: another family begins: convert each family separately")]
    SecondFamily(u64),
    #[error("line {0}: no column {1}")]
    MissingColumn(u64, String),
    #[error(
        "line {0}: no column enabled, which determines whether FusionPBX admits a PIN: export it \
         as well, or convert all PINs with --assume-enabled"
    )]
    MissingEnabled(u64),
}

/// A line that is not imported. Neither field contains a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SkippedLine {
    /// The line, from 1.
    pub line: u64,
    pub reason: SkipReason,
}

/// The reason why a line is not imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum SkipReason {
    #[error(transparent)]
    Line(LineError),
    #[error("account is not UTF-8")]
    AccountNotUtf8,
    #[error("not /FAMILY/KEY : VALUE")]
    NotAKey,
    #[error("not enabled")]
    Disabled,
    #[error("number of values differs from number of columns")]
    ValueCount,
    #[error("no PIN")]
    NoPin,
    #[error("PIN too long")]
    PinTooLong,
    #[error("PIN with a character that can't be entered on a telephone")]
    NotOnKeypad,
    #[error(transparent)]
    Field(FieldError),
    /// A line before it has the same PIN.
    #[error("same PIN as line {0}")]
    SamePin(u64),
}

/// The rows of a source that the module would accept, and the other lines.
pub(crate) struct Import {
    pub rows: Vec<SourceRow>,
    /// In the order of the lines.
    pub skipped: Vec<SkippedLine>,
}

/// The reason why rows can't be appended to a list.
#[derive(Debug, Error)]
pub(crate) enum AppendError {
    #[error(transparent)]
    Secret(#[from] SecretMakerError),
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A list with new rows.
pub(crate) struct Appended {
    pub text: Zeroizing<Vec<u8>>,
    /// Number of new rows that admit nobody.
    pub out_of_reach: usize,
}

impl Import {
    /// Reads and checks a source. With `assume_enabled`, PINs of a FusionPBX export
    /// without the column `enabled` are imported as well.
    pub(crate) fn read(
        text: &[u8],
        format: SourceFormat,
        assume_enabled: bool,
        numbering: &Numbering,
    ) -> Result<Self, ImportError> {
        let source = format.read(text, assume_enabled)?;
        let mut import = Self {
            rows: Vec::new(),
            skipped: source.skipped,
        };
        // The lines of PINs, unless other columns distinguish rows with the same PIN.
        let mut lines = (!source.doubles).then(HashMap::new);
        for row in source.rows {
            let reason = match row.error(numbering)? {
                Some(reason) => Some(reason),
                None => lines.as_mut().and_then(|lines| row.same_pin(lines)),
            };
            match reason {
                Some(reason) => import.skipped.push(SkippedLine {
                    line: row.line,
                    reason,
                }),
                None => import.rows.push(row),
            }
        }
        import.skipped.sort_by_key(|skipped| skipped.line);
        Ok(import)
    }

    /// Returns the number of PINs that are hashed.
    pub(crate) fn pins(&self) -> usize {
        let is_pin = |row: &&SourceRow| matches!(row.secret, SourceSecret::Pin(_));
        self.rows.iter().filter(is_pin).count()
    }

    /// Returns the list with these rows. PINs become secrets of the form of the rules,
    /// and other secrets are kept. Calls `progress` after each PIN that was hashed.
    pub(crate) fn append(
        &self,
        list: &CsvList,
        rules: &RowRules<'_>,
        progress: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Appended, AppendError> {
        let pins: Vec<Pin> = self.rows.iter().filter_map(SourceRow::pin).collect();
        let made = rules.maker.make_all(&pins, progress)?;
        let mut made = made.iter();
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let secret = match &row.secret {
                SourceSecret::Pin(_) => made.next().map_or("", |secret| secret.as_str()),
                SourceSecret::Secret(secret) => secret,
            };
            rows.push(row.values_with(secret));
        }
        let text = list.with_rows(&rows);
        load(&text, FileKind::Csv, rules.numbering)?;
        Ok(Appended {
            text,
            out_of_reach: rows.iter().filter(|values| is_unreachable(values)).count(),
        })
    }
}

impl SourceRow {
    /// Returns all values, with the secret last.
    fn values_with<'a>(&'a self, secret: &'a str) -> RowValues<'a> {
        let values = self.values.iter();
        let values = values.map(|(column, value)| (*column, value.as_str()));
        values.chain([(Column::Secret, secret)]).collect()
    }

    /// Returns the PIN, if the row has one that telephones have the keys for.
    fn pin(&self) -> Option<Pin> {
        match &self.secret {
            SourceSecret::Pin(pin) => Pin::parse(pin.as_bytes()),
            SourceSecret::Secret(_) => None,
        }
    }

    /// Returns why the module would refuse the row, or `None` if it would not.
    fn error(&self, numbering: &Numbering) -> Result<Option<SkipReason>, TableError> {
        let secret = match &self.secret {
            SourceSecret::Pin(pin) => match invalid_pin(pin) {
                Some(reason) => return Ok(Some(reason)),
                // The form of the secret does not matter for the other values.
                None => "plain:0",
            },
            SourceSecret::Secret(secret) => secret,
        };
        let mut values = self.values_with(secret);
        // A row without an account is refused.
        if !values.iter().any(|(column, _)| *column == Column::Account) {
            values.push((Column::Account, ""));
        }
        let error = check_values(&values, numbering)?;
        Ok(error.map(|error| SkipReason::Field(FieldError::of(&error))))
    }

    /// Returns whether a row before this one has the same PIN, and adds this one.
    fn same_pin(&self, lines: &mut HashMap<secret::IndexKey, u64>) -> Option<SkipReason> {
        let key = secret::Form::Plain.index_key(&self.pin()?, &Pepper::default());
        let line = *lines.entry(key.ok().flatten()?).or_insert(self.line);
        (line != self.line).then_some(SkipReason::SamePin(line))
    }
}

/// Returns whether nobody can use the row with these values.
fn is_unreachable(values: &RowValues<'_>) -> bool {
    let value = |wanted| {
        let found = values.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, value)| *value)
    };
    let secret = value(Column::Secret).map(|secret| Secret::parse(secret.as_bytes()));
    let is_argon2id =
        secret.is_some_and(|secret| secret.is_ok_and(|secret| secret.form().is_slow()));
    let account = value(Column::Account).unwrap_or_default();
    is_out_of_reach(account, value(Column::Caller), is_argon2id)
}

/// Returns why this PIN can't be entered, or `None` if it can.
fn invalid_pin(pin: &str) -> Option<SkipReason> {
    if pin.is_empty() {
        Some(SkipReason::NoPin)
    } else if pin.len() > MAX_DIGITS {
        Some(SkipReason::PinTooLong)
    } else if !pin.bytes().all(is_key) {
        Some(SkipReason::NotOnKeypad)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::secret_maker::{SecretForm, SecretMaker};

    fn list(text: &str) -> CsvList {
        CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
    }

    fn import(text: &str) -> Import {
        let numbering = Numbering::default();
        Import::read(text.as_bytes(), SourceFormat::Auto, false, &numbering).expect("a source")
    }

    #[test]
    fn stopped_import_changes_nothing() {
        let maker = SecretMaker {
            form: SecretForm::Md5,
            pepper: Pepper::default(),
        };
        let rules = RowRules {
            numbering: &Numbering::default(),
            maker: &maker,
            shared_pins: false,
        };
        let mut hashed = 0;
        let stopped =
            import("1001\n2002\n3003\n").append(&list("account,secret\n"), &rules, || {
                hashed += 1;
                if hashed < 2 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        assert!(matches!(
            stopped,
            Err(AppendError::Secret(SecretMakerError::Stopped))
        ));
        assert_eq!(hashed, 2);
    }
}
