//! Import of rows from lists of other products and of our own.

mod known;
mod line_list;
mod sources;

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::str::Utf8Error;

use pinset::credential::pepper::KeyId;
use pinset::credential::secret;
use pinset::credential::table::TableError;
use pinset::list::format::csv::Column;
use pinset::list::{FileKind, Format, LineError};
use pinset::pin::{is_key, MAX_DIGITS};
use pinset::{Numbering, Pepper, Pin, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use line_list::LineList;
pub(crate) use sources::{SourceFormat, SourceOptions};

use super::add::format_name;
use super::field_error::FieldError;
use super::{DuplicatePin, RowRules};
use crate::common::csv::RowReadError;
use crate::common::csv_list::{check_values, load, CsvList, CsvListError, RowValues};
use crate::common::numbering_args::{PbxNumbering, NATIONAL_CALLER};
use crate::common::reach::is_out_of_reach;
use crate::common::secret_maker::{SecretMaker, SecretMakerError};
use crate::common::weak_pins::weakness;
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
    /// This other line has the same PIN.
    #[error("same PIN as line {0}")]
    SamePin(u64),
    /// The list that the rows are for has the PIN.
    #[error("PIN file: {0}")]
    InList(DuplicatePin),
    /// The list has a row of the account, whose PIN can't be compared.
    #[error("PIN file: line {0} is of this account, and its hash can't be compared")]
    Incomparable(u64),
    #[error("an MD5 hash, which no database has: the PIN itself is needed")]
    Md5InDatabase,
    #[error(
        "secret: key '{0}' is not in the pepper file, so nobody could be admitted: name the right \
         one by --pepper"
    )]
    UnknownKey(KeyId),
    #[error("caller: {NATIONAL_CALLER}")]
    NationalCaller,
    #[error("{} has no column {}: make it a CSV file first", format_name(*.0), .1.name())]
    NoSuchColumn(Format, Column),
    #[error("{} has no secrets of this form", format_name(*.0))]
    NoSuchForm(Format),
    #[error("account with : or a line end, which an MD5 file can't have")]
    InvalidMd5Account,
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
    /// Reads and checks a source.
    pub(crate) fn read(
        text: &[u8],
        options: SourceOptions,
        numbering: &Numbering,
    ) -> Result<Self, ImportError> {
        let mut source = options.format.read(text, options.assume_enabled)?;
        // Of rows with the same PIN, an enabled one is kept.
        source.rows.sort_by_key(SourceRow::is_disabled);
        let mut import = Self {
            rows: Vec::new(),
            skipped: source.skipped,
        };
        // The lines of PINs, unless other columns distinguish rows with the same PIN.
        let doubles = source.doubles || options.shared_pins;
        let mut lines = (!doubles).then(HashMap::new);
        let errors = row_errors(&source.rows, numbering)?;
        for (row, error) in source.rows.into_iter().zip(errors) {
            let reason = match error {
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
        import.rows.sort_by_key(|row| row.line);
        import.skipped.sort_by_key(|skipped| skipped.line);
        Ok(import)
    }

    /// Returns the number of PINs that are hashed.
    pub(crate) fn pins(&self) -> usize {
        let is_pin = |row: &&SourceRow| matches!(row.secret, SourceSecret::Pin(_));
        self.rows.iter().filter(is_pin).count()
    }

    /// Returns the lines of rows with a weak PIN.
    pub(crate) fn weak_lines(&self) -> Vec<u64> {
        let is_weak = |row: &&SourceRow| {
            row.pin()
                .is_some_and(|pin| weakness(pin.as_bytes()).is_some())
        };
        let weak = self.rows.iter().filter(is_weak);
        weak.map(|row| row.line).collect()
    }

    /// Returns whether rows have no account but the number of their line.
    pub(crate) fn is_numbered(&self) -> bool {
        self.rows.iter().any(|row| row.is_numbered)
    }

    /// Skips rows that would admit nobody in a database: with an MD5, with a key that the
    /// pepper lacks, and, unless `numbering` is that of the PBXs, with a national number.
    pub(crate) fn skip_unusable(&mut self, pepper: &Pepper, numbering: PbxNumbering<'_>) {
        let mut skipped = Vec::new();
        self.rows.retain(|row| {
            let reason = row.unusable(pepper, numbering);
            let line = row.line;
            skipped.extend(reason.map(|reason| SkippedLine { line, reason }));
            reason.is_none()
        });
        self.skipped.extend(skipped);
        self.skipped.sort_by_key(|skipped| skipped.line);
    }

    /// Returns the list with these rows. PINs become secrets of the form of the rules,
    /// and other secrets are kept. Calls `progress` after each PIN that was hashed.
    pub(crate) fn append(
        &self,
        list: &CsvList,
        rules: &RowRules<'_>,
        progress: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Appended, AppendError> {
        let secrets = self.secrets(rules.maker, progress)?;
        Ok(self.append_with(list, &secrets, rules.numbering)?)
    }

    /// Returns the secrets of all PINs, in order. Calls `progress` after each.
    pub(crate) fn secrets(
        &self,
        maker: &SecretMaker,
        progress: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Vec<Zeroizing<String>>, SecretMakerError> {
        let pins: Vec<Pin> = self.rows.iter().filter_map(SourceRow::pin).collect();
        maker.make_all(&pins, progress)
    }

    /// Returns the list with these rows, whose PINs have these secrets.
    pub(crate) fn append_with(
        &self,
        list: &CsvList,
        secrets: &[Zeroizing<String>],
        numbering: &Numbering,
    ) -> Result<Appended, TableError> {
        let mut made = secrets.iter();
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let secret = match &row.secret {
                SourceSecret::Pin(_) => made.next().map_or("", |secret| secret.as_str()),
                SourceSecret::Secret(secret) => secret,
            };
            rows.push(row.values_with(secret));
        }
        let text = list.with_rows(&rows);
        load(&text, FileKind::Csv, numbering)?;
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

    fn account(&self) -> &str {
        let mut all = self.values.iter();
        let account = all.find(|(column, _)| *column == Column::Account);
        account.map_or("", |(_, value)| value)
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
        match self.checked_values() {
            Ok(values) => {
                let error = check_values(&values, numbering)?;
                Ok(error.map(|error| SkipReason::Field(FieldError::of(&error))))
            }
            Err(reason) => Ok(Some(reason)),
        }
    }

    /// Returns values that are valid if the row is, or what is wrong with its PIN.
    fn checked_values(&self) -> Result<RowValues<'_>, SkipReason> {
        let secret = match &self.secret {
            SourceSecret::Pin(pin) => match invalid_pin(pin) {
                Some(reason) => return Err(reason),
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
        Ok(values)
    }

    /// Returns why the row would admit nobody in a database.
    fn unusable(&self, pepper: &Pepper, numbering: PbxNumbering<'_>) -> Option<SkipReason> {
        if let SourceSecret::Secret(secret) = &self.secret {
            match Secret::parse(secret.as_bytes()).map(|secret| secret.form()) {
                Ok(secret::Form::Md5) => return Some(SkipReason::Md5InDatabase),
                Ok(secret::Form::Hmac(id)) if pepper.key(id).is_none() => {
                    return Some(SkipReason::UnknownKey(id))
                }
                _ => {}
            }
        }
        let mut values = self.values.iter();
        let caller = values.find(|(column, _)| *column == Column::Caller);
        let is_national = caller.is_some_and(|(_, number)| numbering.is_unclear(number));
        is_national.then_some(SkipReason::NationalCaller)
    }

    /// Returns whether the row is disabled.
    fn is_disabled(&self) -> bool {
        let mut values = self.values.iter();
        values.any(|(column, value)| *column == Column::Enabled && value == "no")
    }

    /// Returns whether a row added before has the same PIN, and adds this one.
    fn same_pin(&self, lines: &mut HashMap<secret::IndexKey, u64>) -> Option<SkipReason> {
        let key = secret::Form::Plain.index_key(&self.pin()?, &Pepper::default());
        let line = *lines.entry(key.ok().flatten()?).or_insert(self.line);
        (line != self.line).then_some(SkipReason::SamePin(line))
    }
}

/// Returns why the module would refuse each of these rows, or `None` if it would not.
fn row_errors(
    rows: &[SourceRow],
    numbering: &Numbering,
) -> Result<Vec<Option<SkipReason>>, TableError> {
    /// Number of rows that are checked at once. Only if one of them is invalid, each is
    /// checked by itself, which takes ten times as long.
    const ROWS_AT_ONCE: usize = 500;
    let mut errors = Vec::with_capacity(rows.len());
    for some in rows.chunks(ROWS_AT_ONCE) {
        let values: Result<Vec<_>, _> = some.iter().map(SourceRow::checked_values).collect();
        let are_valid = values.is_ok_and(|values| {
            let text = CsvList::new(&[Column::Account, Column::Secret]).with_rows(&values);
            let rows = load(&text, FileKind::Csv, numbering);
            rows.is_ok_and(|rows| rows.broken().is_empty())
        });
        if are_valid {
            errors.resize_with(errors.len() + some.len(), || None);
        } else {
            for row in some {
                errors.push(row.error(numbering)?);
            }
        }
    }
    Ok(errors)
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
    use std::sync::Arc;

    use super::*;
    use crate::common::secret_maker::SecretForm;

    fn list(text: &str) -> CsvList {
        CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
    }

    fn import(text: &str) -> Import {
        let options = SourceOptions {
            format: SourceFormat::Auto,
            assume_enabled: false,
            shared_pins: false,
        };
        Import::read(text.as_bytes(), options, &Numbering::default()).expect("a source")
    }

    #[test]
    fn invalid_rows_are_found_among_many() {
        const ROWS: u64 = 1_300;
        const INVALID: [u64; 4] = [2, 501, 502, 1_300];
        let row = |line| match INVALID.contains(&line) {
            true => format!("c{line},{},256\n", 100_000 + line),
            false => format!("c{line},{},7\n", 100_000 + line),
        };
        let text = "account,pin,level\n".to_owned() + &(2..=ROWS).map(row).collect::<String>();
        let import = import(&text);
        let skipped: Vec<_> = import.skipped.iter().map(|skipped| skipped.line).collect();
        assert_eq!(skipped, INVALID);
        let level = |skipped: &SkippedLine| matches!(skipped.reason, SkipReason::Field(error) if error.column == Column::Level);
        assert!(import.skipped.iter().all(level));
        assert_eq!(import.rows.len(), ROWS as usize - 1 - INVALID.len());
    }

    /// More than one account may have, which only counts for the list as a whole.
    #[test]
    fn slow_secrets_of_one_account_are_valid_rows() {
        const SECRET: &str = "$argon2id$v=19$m=19456,t=2,p=1$u+HEuopQuMVvvr7tu+jbiQ$\
                              Te+BIn6pin/Px+G5Bjq6mRx+O9NE6tFdPyvaMu/vC94";
        let rows = format!("1,\"{SECRET}\"\n").repeat(9);
        let import = import(&format!("account,secret\n{rows}"));
        assert_eq!((import.rows.len(), import.skipped.len()), (9, 0));
    }

    #[test]
    fn stopped_import_changes_nothing() {
        let maker = SecretMaker {
            form: SecretForm::Md5,
            pepper: Arc::default(),
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
