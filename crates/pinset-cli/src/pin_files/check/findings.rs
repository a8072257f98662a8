//! Findings about a list. The names of the fields are those of the JSON, which
//! `docs/pin-lists.md` documents. No field contains a PIN.

use std::fmt;

use pinset::credential::secret;
use pinset::list::format::csv::{self, Column};
use pinset::list::LineError;
use pinset::phone_number::is_passed_over;
use serde::{Serialize, Serializer};

use super::odds::Odds;
use crate::common::weak_pins::Weakness;

/// The verdict on a list; the worst is the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Clean,
    Warnings,
    Broken,
}

impl Verdict {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Warnings => 1,
            Self::Broken => 2,
        }
    }
}

/// The findings about a readable list.
#[derive(Serialize)]
pub(crate) struct List {
    pub format: &'static str,
    /// Number of lines with a valid PIN.
    pub entries: u64,
    pub broken: Findings<InvalidLine>,
    pub duplicates: Findings<Duplicate>,
    pub weak: Findings<Weak>,
    /// For CSV files only.
    pub unreachable: Findings<Unreachable>,
    /// For plain files only: the digits that guesses consist of.
    pub alphabet: Option<&'static str>,
    pub odds: Vec<Odds>,
    pub unended: bool,
    pub empty: bool,
    pub world_writable: bool,
    /// Of the PIN sets that use the list, with `--config`.
    pub pin_sets: Vec<Objection>,
}

impl List {
    /// Replaces the lines of all findings.
    pub(super) fn replace_lines(&mut self, new: impl Fn(u64) -> u64) {
        let lines = self.broken.lines.iter_mut().map(|found| &mut found.line);
        let duplicates = self.duplicates.lines.iter_mut();
        let duplicates = duplicates.flat_map(|found| [&mut found.line, &mut found.first]);
        let lines = lines.chain(duplicates);
        let lines = lines.chain(self.weak.lines.iter_mut().map(|found| &mut found.line));
        let unreachable = self.unreachable.lines.iter_mut();
        for line in lines.chain(unreachable.map(|found| &mut found.line)) {
            *line = new(*line);
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        if self.broken.count > 0 {
            Verdict::Broken
        } else if self.unended
            || self.empty
            || self.world_writable
            || self.duplicates.count > 0
            || self.weak.count > 0
            || self.unreachable.count > 0
            || !self.pin_sets.is_empty()
            || self.odds.iter().any(|odds| odds.practical)
        {
            Verdict::Warnings
        } else {
            Verdict::Clean
        }
    }
}

/// The reason why a PIN set can't admit the callers in the list, or not all.
#[derive(Serialize)]
pub(crate) struct Objection {
    /// The name of the PIN set.
    pub pin_set: String,
    /// The option that conflicts.
    pub option: &'static str,
    pub reason: String,
}

/// A finding about one line.
pub(crate) trait AtLine {
    fn line(&self) -> u64;
}

/// A line without a valid PIN.
#[derive(Serialize)]
pub(crate) struct InvalidLine {
    pub line: u64,
    pub reason: Reason,
}

/// A line with the PIN of an earlier one, or in a CSV file its account and caller.
#[derive(Serialize)]
pub(crate) struct Duplicate {
    pub line: u64,
    pub first: u64,
}

/// A line with a weak PIN.
#[derive(Serialize)]
pub(crate) struct Weak {
    pub line: u64,
    pub reason: Weakness,
}

/// A row that no caller can use.
#[derive(Serialize)]
pub(crate) struct Unreachable {
    pub line: u64,
}

impl AtLine for Unreachable {
    fn line(&self) -> u64 {
        self.line
    }
}

impl AtLine for InvalidLine {
    fn line(&self) -> u64 {
        self.line
    }
}

impl AtLine for Duplicate {
    fn line(&self) -> u64 {
        self.line
    }
}

impl AtLine for Weak {
    fn line(&self) -> u64 {
        self.line
    }
}

/// The reason why a line has no valid PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// An error of the module.
    Line(LineError),
    /// The MD5 of digits and a line end, which nobody can enter. The module can't
    /// detect it.
    LineEnd,
    /// The value of a column in a CSV file.
    Value(Column, csv::ValueError),
    /// The secret of a row in a CSV file.
    Secret(secret::SecretError),
    /// The caller of a row in a CSV file.
    Caller(NotANumber),
}

/// The reason why a caller is not a usable number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotANumber {
    /// A spreadsheet has rounded the number: `5.06051E+09`.
    Rounded,
    /// The text contains this character, which no number contains.
    Character(char),
    /// The number of digits is wrong.
    Digits,
}

impl NotANumber {
    /// Returns the reason for a text that is not a usable number.
    pub(crate) fn of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let exponent = text.to_ascii_uppercase();
        let rounded = exponent.split_once("E+").is_some_and(|(number, power)| {
            number.starts_with(|letter: char| letter.is_ascii_digit())
                && !power.is_empty()
                && power.bytes().all(|byte| byte.is_ascii_digit())
        });
        let strange = text
            .chars()
            .find(|letter| !letter.is_ascii_digit() && *letter != '+' && !is_passed_over(*letter));
        match strange {
            _ if rounded => Self::Rounded,
            Some(letter) => Self::Character(letter),
            None => Self::Digits,
        }
    }
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounded => f.write_str(
                "a spreadsheet has rounded the number: format the column as text and enter it again",
            ),
            Self::Character(letter) => {
                write!(f, "not a usable number: contains U+{:04X}", u32::from(*letter))
            }
            Self::Digits => f.write_str(
                "not a usable number: too few or too many digits for the numbering options",
            ),
        }
    }
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Line(LineError::TooLong) => "too_long",
            Self::Line(LineError::Nul) => "nul",
            Self::Line(LineError::NotOnKeypad) => "not_keyable",
            Self::Line(LineError::MissingColon) => "no_colon",
            Self::Line(LineError::MissingAccount) => "no_account",
            Self::Line(LineError::MissingDigest) => "no_digest",
            Self::Line(LineError::EmptyTextDigest) => "digest_of_nothing",
            Self::LineEnd => "digest_with_line_end",
            Self::Value(..) => "value",
            Self::Secret(_) => "secret",
            Self::Caller(_) => "caller",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(error) => error.fmt(f),
            Self::LineEnd => f.write_str("MD5 of digits and a line end (echo without -n)"),
            Self::Value(column, fault) => write!(f, "{}: {fault}", column.name()),
            Self::Secret(fault) => write!(f, "{}: {fault}", Column::Secret.name()),
            Self::Caller(fault) => write!(f, "{}: {fault}", Column::Caller.name()),
        }
    }
}

/// The findings of one kind: all are counted, but only the first lines are kept,
/// because a list may have millions of them, in any order.
#[derive(Serialize)]
pub(crate) struct Findings<T> {
    pub count: u64,
    pub lines: Vec<T>,
    #[serde(skip)]
    most: usize,
}

impl<T: AtLine> Findings<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            count: 0,
            lines: Vec::new(),
            most,
        }
    }

    pub(crate) fn add(&mut self, finding: T) {
        self.count += 1;
        self.lines.push(finding);
        // Not for each finding: sorting twice as many half as often is cheap.
        if self.lines.len() >= self.most.saturating_mul(2).max(64) {
            self.finish();
        }
    }

    /// Sorts the findings and drops all but the first. Must be called at the end.
    pub(crate) fn finish(&mut self) {
        self.lines.sort_unstable_by_key(T::line);
        self.lines.truncate(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn findings_keep_the_first_lines(lines: Vec<u64>, most in 0usize..100) {
            let mut findings = Findings::new(most);
            for line in &lines {
                findings.add(Duplicate { line: *line, first: 0 });
            }
            findings.finish();
            let mut wanted = lines.clone();
            wanted.sort_unstable();
            wanted.truncate(most);
            let kept: Vec<u64> = findings.lines.iter().map(AtLine::line).collect();
            prop_assert_eq!(findings.count, lines.len() as u64);
            prop_assert_eq!(kept, wanted);
        }
    }

    #[test]
    fn verdicts_by_what_is_found() {
        type Change = fn(&mut List);
        let clean = || List {
            format: "plain",
            entries: 1,
            broken: Findings::new(1),
            duplicates: Findings::new(1),
            weak: Findings::new(1),
            unreachable: Findings::new(1),
            alphabet: None,
            odds: Vec::new(),
            unended: false,
            empty: false,
            world_writable: false,
            pin_sets: Vec::new(),
        };
        let changes: [(Change, Verdict); 10] = [
            (|_| {}, Verdict::Clean),
            (|list| list.unended = true, Verdict::Warnings),
            (|list| list.empty = true, Verdict::Warnings),
            (|list| list.world_writable = true, Verdict::Warnings),
            (|list| list.duplicates.count = 1, Verdict::Warnings),
            (|list| list.weak.count = 1, Verdict::Warnings),
            (|list| list.unreachable.count = 1, Verdict::Warnings),
            (
                |list| {
                    list.pin_sets.push(Objection {
                        pin_set: "callers".to_owned(),
                        option: "identify",
                        reason: String::new(),
                    });
                },
                Verdict::Warnings,
            ),
            (
                |list| list.odds.push(Odds::new(4, 1, 10)),
                Verdict::Warnings,
            ),
            (|list| list.broken.count = 1, Verdict::Broken),
        ];
        for (number, (change, verdict)) in changes.iter().enumerate() {
            let mut list = clean();
            change(&mut list);
            assert_eq!(list.verdict(), *verdict, "change {number}");
        }
        let mut list = clean();
        list.odds.push(Odds::new(8, 1, 10));
        assert_eq!(list.verdict(), Verdict::Clean);
    }
}
