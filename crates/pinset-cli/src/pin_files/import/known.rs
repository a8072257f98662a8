//! Comparison of an import with the list that it is for.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use pinset::credential::table::{digest, Candidate, Rows, SignedRows, TableError};
use pinset::list::format::csv::Column;
use pinset::list::FileKind;

use super::sources::{SourceRow, SourceSecret};
use super::{Import, ImportError, SkipReason, SkippedLine};
use crate::common::csv_list::{load, same_caller, CsvList};
use crate::pin_files::{DuplicatePin, RowRules};

/// Whether a list has the PIN of a row, by the line.
enum Presence {
    New,
    /// Rows of the same account, or any rows if the source has no accounts.
    Known(Vec<u64>),
    OtherAccount(u64),
    /// A row of the account, which may have the PIN.
    Incomparable(u64),
}

/// A list without the rows that an import lacks.
pub(crate) struct Replacement {
    pub list: CsvList,
    /// The accounts of the removed rows, in order.
    pub removed: Vec<String>,
    /// Number of rows that stay as they are.
    pub kept: usize,
}

/// The list, in a form in which rows are found.
pub(super) struct Comparison<'a> {
    rows: Rows,
    /// The lines of rows by account and secret.
    secrets: HashMap<[u8; 16], u64>,
    /// The caller numbers of rows by line.
    callers: HashMap<u64, &'a str>,
    rules: &'a RowRules<'a>,
}

impl Import {
    /// Skips the rows whose PIN a list has already, so that the rest can be appended to
    /// it, and numbers rows without an account apart from those of the list. Returns the
    /// rows that can't be compared because the pepper lacks their key.
    pub(crate) fn skip_known(
        &mut self,
        list: &CsvList,
        rules: &RowRules<'_>,
    ) -> Result<Vec<SignedRows>, TableError> {
        let comparison = Comparison::new(list, rules)?;
        self.skip_present(&comparison);
        self.number_apart(&accounts(list));
        Ok(comparison.unchecked())
    }

    /// Skips the rows whose PIN a list has already.
    pub(super) fn skip_present(&mut self, comparison: &Comparison<'_>) {
        let mut known = Vec::new();
        self.rows.retain(|row| {
            let reason = match comparison.presence(row) {
                Presence::New => return true,
                Presence::Known(lines) => {
                    let line = lines.first().copied().unwrap_or_default();
                    SkipReason::InList(DuplicatePin::SameRow(line))
                }
                Presence::OtherAccount(line) => {
                    SkipReason::InList(DuplicatePin::OtherAccount(line))
                }
                Presence::Incomparable(line) => SkipReason::Incomparable(line),
            };
            known.push(SkippedLine {
                line: row.line,
                reason,
            });
            false
        });
        self.skipped.extend(known);
        self.skipped.sort_by_key(|skipped| skipped.line);
    }

    /// Removes the rows of a list that the import lacks, and the rows of the import that
    /// the list has, so that the list is exactly the import once the rest is appended.
    pub(crate) fn replace(
        &mut self,
        list: &CsvList,
        rules: &RowRules<'_>,
    ) -> Result<Replacement, ImportError> {
        let kept = self.take_present(&Comparison::new(list, rules)?);
        let rows = list.rows().iter();
        let removed = rows.filter(|row| !kept.contains(&row.line));
        let removed = removed.map(|row| row.account.clone()).collect();
        let (text, _) = list.without_rows(|row| !kept.contains(&row.line));
        let list = CsvList::read(text)?;
        self.number_apart(&accounts(&list));
        Ok(Replacement {
            removed,
            kept: kept.len(),
            list,
        })
    }

    /// Removes the rows that a list has already. Returns the lines of the list.
    pub(super) fn take_present(&mut self, comparison: &Comparison<'_>) -> HashSet<u64> {
        let mut kept = HashSet::new();
        self.rows.retain(|row| match comparison.presence(row) {
            Presence::Known(lines) => {
                kept.extend(lines);
                false
            }
            _ => true,
        });
        kept
    }

    /// Gives rows without an account numbers that are not among these accounts of the list.
    pub(super) fn number_apart<A: Borrow<str> + Eq + Hash>(&mut self, there: &HashSet<A>) {
        let numbers = there
            .iter()
            .filter_map(|account| account.borrow().parse().ok());
        let highest: u64 = numbers.max().unwrap_or(0);
        let numbered = self.rows.iter_mut().filter(|row| row.is_numbered);
        let mut numbered: Vec<_> = numbered.collect();
        if !numbered.iter().any(|row| there.contains(row.account())) {
            return;
        }
        for (row, number) in numbered.iter_mut().zip(highest.saturating_add(1)..) {
            let mut values = row.values.iter_mut();
            if let Some((_, account)) = values.find(|(column, _)| *column == Column::Account) {
                *account = number.to_string();
            }
        }
    }
}

/// Returns the accounts of a list.
fn accounts(list: &CsvList) -> HashSet<&str> {
    list.rows().iter().map(|row| row.account.as_str()).collect()
}

impl<'a> Comparison<'a> {
    fn new(list: &'a CsvList, rules: &'a RowRules<'a>) -> Result<Self, TableError> {
        let secrets = list.rows().iter().enumerate().filter_map(|(at, row)| {
            let secret = list.value(at, Column::Secret)?;
            Some((digest(row.account.as_bytes(), secret.as_bytes()), row.line))
        });
        let callers = list.rows().iter();
        let callers = callers.filter_map(|row| Some((row.line, row.caller.as_deref()?)));
        Ok(Self {
            secrets: secrets.collect(),
            callers: callers.collect(),
            rows: load(list.text(), FileKind::Csv, rules.numbering)?,
            rules,
        })
    }

    /// Returns the comparison with a file without columns, which has these rows, and lines
    /// by account and secret.
    pub(super) fn without_columns(
        rows: Rows,
        secrets: HashMap<[u8; 16], u64>,
        rules: &'a RowRules<'a>,
    ) -> Self {
        Self {
            rows,
            secrets,
            callers: HashMap::new(),
            rules,
        }
    }

    /// Returns the rows whose key the pepper lacks.
    fn unchecked(&self) -> Vec<SignedRows> {
        let pepper = &self.rules.maker.pepper;
        let has_key = |id| pepper.key(id).is_some();
        self.rows.unchecked(has_key).cloned().collect()
    }

    fn presence(&self, row: &SourceRow) -> Presence {
        let account = row.account().as_bytes();
        if let SourceSecret::Secret(secret) = &row.secret {
            return match self.secrets.get(&digest(account, secret.as_bytes())) {
                Some(line) => Presence::Known(vec![*line]),
                None => Presence::New,
            };
        }
        let Some(pin) = row.pin() else {
            return Presence::New;
        };
        let found = self.rows.by_pin(&pin, &self.rules.maker.pepper);
        let is_own = |other: &Candidate| row.is_numbered || other.account == account;
        let (own, others): (Vec<_>, Vec<_>) = found.partition(is_own);
        let own = own.iter().map(|other| other.line);
        let own: Vec<u64> = own.filter(|line| self.is_same_caller(row, *line)).collect();
        if !own.is_empty() {
            return Presence::Known(own);
        }
        if let Some(other) = others.first().filter(|_| !self.rules.shared_pins) {
            return Presence::OtherAccount(other.line);
        }
        if row.is_numbered {
            return Presence::New;
        }
        let slow = self
            .rows
            .by_account(account)
            .find(|other| other.secret.form().is_slow());
        slow.map_or(Presence::New, |other| Presence::Incomparable(other.line))
    }

    /// Returns whether the row in this line has the caller number of a row, unless the
    /// source has no numbers.
    fn is_same_caller(&self, row: &SourceRow, line: u64) -> bool {
        let mut values = row.values.iter();
        let caller = values.find(|(column, _)| *column == Column::Caller);
        let caller = caller.map(|(_, value)| value.as_str());
        let other = self.callers.get(&line).copied();
        caller.is_none() || same_caller(other, caller, self.rules.numbering)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use pinset::Numbering;
    use zeroize::Zeroizing;

    use super::*;
    use crate::common::secret_maker::{SecretForm, SecretMaker};
    use crate::pin_files::import::{SourceFormat, SourceOptions};
    use pinset::list::LineError;

    const ARGON2ID: &str = "$argon2id$v=19$m=19456,t=2,p=1$u+HEuopQuMVvvr7tu+jbiQ$\
                            Te+BIn6pin/Px+G5Bjq6mRx+O9NE6tFdPyvaMu/vC94";

    const MD5: &str = "81dc9bdb52d04dc20036dbd8313ed055";

    fn list(text: &str) -> CsvList {
        CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
    }

    fn import(text: &str, shared_pins: bool) -> Import {
        let options = SourceOptions {
            format: SourceFormat::Auto,
            assume_enabled: false,
            shared_pins,
        };
        Import::read(text.as_bytes(), options, &Numbering::default()).expect("a source")
    }

    fn with_rules<T>(shared_pins: bool, run: impl FnOnce(&RowRules<'_>) -> T) -> T {
        let maker = SecretMaker {
            form: SecretForm::Plain,
            pepper: Arc::default(),
        };
        run(&RowRules {
            numbering: &Numbering::default(),
            maker: &maker,
            shared_pins,
        })
    }

    fn lines(import: &Import) -> Vec<u64> {
        import.rows.iter().map(|row| row.line).collect()
    }

    fn skipped(import: &Import) -> Vec<(u64, String)> {
        let skipped = import.skipped.iter();
        skipped
            .map(|skipped| (skipped.line, skipped.reason.to_string()))
            .collect()
    }

    /// Returns the text of the list with the rest of the import.
    fn appended(import: &Import, list: &CsvList, rules: &RowRules<'_>) -> String {
        let appended = import.append(list, rules, || ControlFlow::Continue(()));
        String::from_utf8(appended.expect("appended").text.to_vec()).expect("text")
    }

    #[test]
    fn pins_alone_are_compared_whatever_their_account() {
        // 1234 is the PIN of ada.
        let old = "account,secret\n2,plain:2002\nada,md5:81dc9bdb52d04dc20036dbd8313ed055\n";
        let list = list(old);
        let mut import = import("1001\n2002\n1234\n1001\n12x\n4004\n", false);
        assert_eq!(lines(&import), [1, 2, 3, 6]);
        with_rules(false, |rules| {
            let unchecked = import.skip_known(&list, rules).expect("compared");
            assert_eq!((lines(&import), unchecked.len()), (vec![1, 6], 0));
            let skipped = [
                (2, SkipReason::InList(DuplicatePin::SameRow(2))),
                (3, SkipReason::InList(DuplicatePin::SameRow(3))),
                (4, SkipReason::SamePin(1)),
                (5, SkipReason::Line(LineError::NotOnKeypad)),
            ];
            let skipped = skipped.map(|(line, reason)| SkippedLine { line, reason });
            assert_eq!(import.skipped, skipped);
            let text = appended(&import, &list, rules);
            assert_eq!(text, format!("{old}1,plain:1001\n6,plain:4004\n"));
        });
    }

    #[test]
    fn lines_are_numbered_apart_from_accounts_of_the_list() {
        let list = list("account,secret\n2,plain:2002\n7,plain:7007\n");
        let mut import = import("1001\n3003\n", false);
        with_rules(false, |rules| {
            import.skip_known(&list, rules).expect("compared");
            let text = appended(&import, &list, rules);
            assert!(
                text.ends_with("7,plain:7007\n8,plain:1001\n9,plain:3003\n"),
                "{text}"
            );
        });
    }

    #[test]
    fn accounts_with_known_shared_and_incomparable_pins_are_skipped() {
        let list = list(&format!(
            "account,secret,caller\nada,plain:1001,\nbob,plain:2002,+4930\neve,\"{ARGON2ID}\",\n"
        ));
        let text = "account,pin,number\nada,1001,\nmax,1001,\nbob,2002,+4931\nbob,2002,+4930\n\
                    eve,5005,\nada,6006,\n";
        let mut once = import(text, false);
        with_rules(false, |rules| once.skip_known(&list, rules)).expect("compared");
        assert_eq!(lines(&once), [4, 7]);
        let same = |line, other| (line, format!("same PIN as line {other}"));
        assert_eq!(
            skipped(&once),
            [
                (2, "PIN file: line 2 has the same PIN already".to_owned()),
                same(3, 2),
                same(5, 4),
                (
                    6,
                    "PIN file: line 4 is of this account, and its hash can't be compared"
                        .to_owned()
                ),
            ]
        );
        let mut shared = import(text, true);
        with_rules(true, |rules| shared.skip_known(&list, rules)).expect("compared");
        assert_eq!(lines(&shared), [3, 4, 7]);
        let mut other = import("account,pin\nmax,1001\n", false);
        with_rules(false, |rules| other.skip_known(&list, rules)).expect("compared");
        let reason = "PIN file: line 2 has the same PIN for another account";
        assert_eq!(skipped(&other), [(2, reason.to_owned())]);
    }

    #[test]
    fn kept_secrets_are_compared_as_text() {
        let old = format!("account,secret\neve,\"{ARGON2ID}\"\nmax,md5:{MD5}\n");
        let new = old.replace(MD5, &MD5.to_uppercase());
        let mut import = import(&format!("{new}bob,\"{ARGON2ID}\"\n"), false);
        with_rules(false, |rules| import.skip_known(&list(&old), rules)).expect("compared");
        assert_eq!(lines(&import), [4]);
    }

    #[test]
    fn replaced_list_keeps_known_rows_as_they_are() {
        let list = list(&format!(
            "account,secret,name\nada,plain:1001,Ada\nbob,plain:2002,\neve,\"{ARGON2ID}\",\nmax,plain:4004,\n"
        ));
        let mut import = import("account,pin\nada,1001\neve,5005\nnew,2002\n", false);
        with_rules(false, |rules| {
            let replaced = import.replace(&list, rules).expect("compared");
            assert_eq!(replaced.removed, ["bob", "eve", "max"]);
            assert_eq!(replaced.kept, 1);
            let text = appended(&import, &replaced.list, rules);
            let wanted =
                "account,secret,name\nada,plain:1001,Ada\neve,plain:5005,\nnew,plain:2002,\n";
            assert_eq!(text, wanted);
        });
    }

    #[test]
    fn rows_whose_key_is_missing_are_returned() {
        let digest = "0".repeat(64);
        let list = list(&format!("account,secret\nada,hmac-sha256:main:{digest}\n"));
        let mut import = import("1001\n2002\n", false);
        let unchecked = with_rules(false, |rules| import.skip_known(&list, rules));
        let unchecked = unchecked.expect("compared");
        assert_eq!((lines(&import), unchecked.len()), (vec![1, 2], 1));
    }
}
