//! Answers of the module.
//!
//! All text is kept escaped as the module sends it, with anything invisible in it escaped,
//! too. A path is text: that the PBX names a file says nothing about the file of that name
//! here.

use std::str::FromStr;

use ami::Message;
use pinset::lockout::Kind;

use super::error::RequestError;
use super::pending::Answer;
use super::text::escaped;

/// The longest value that is kept, in bytes before escaping.
const MAX_VALUE_BYTES: usize = 4096;
/// What begins the header of an option of a PIN set.
const OPTION: &[u8] = b"option-";

/// A PIN set as [`super::client::PbxClient::pin_sets`] lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PinSetSummary {
    pub name: String,
    /// Whether it can admit anybody, as far as known.
    pub usable: bool,
    /// `ok`, or why nobody can be admitted.
    pub state: String,
    /// Where its PINs are, such as `file:/etc/asterisk/pins/doors`.
    pub source: String,
    pub format: String,
    /// The detected format; empty if unknown.
    pub format_found: String,
    pub identify: String,
    /// The number of entries when its PIN file was last read.
    pub entries: Option<u64>,
    pub lockouts: u64,
    pub counts: OutcomeCounts,
}

/// The version of the module on a PBX.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ModuleVersion {
    /// The version, and the commit it was built from.
    pub version: String,
    /// The major version of the Asterisk it was built for.
    pub built_for: String,
}

/// A PIN set with its options in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PinSetDetail {
    pub summary: PinSetSummary,
    /// Names and values; none if its section has errors.
    pub options: Vec<(String, String)>,
    pub pepper_keys: Vec<String>,
    /// Whether its PIN file is being read now.
    pub reading: bool,
    /// When its PIN file was last read.
    pub read_seconds_ago: Option<u64>,
}

/// Calls by outcome, and attempts, since the module was loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OutcomeCounts {
    pub success: u64,
    pub failure: u64,
    pub timeout: u64,
    pub expired: u64,
    pub locked: u64,
    pub hangup: u64,
    pub error: u64,
    pub attempts: u64,
}

/// A lockout in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lockout {
    pub pin_set: String,
    pub by: Kind,
    /// What is locked; empty for an account that is in no PIN file.
    pub value: String,
    /// The endpoint of a locked caller.
    pub endpoint: String,
    /// The remaining seconds, or `None` for a lock that lasts until it is unlocked by hand.
    pub seconds: Option<u64>,
    /// The number of locks in a row.
    pub times: u64,
    pub failures: u64,
    /// What names it in [`super::requests::ListPart::after`].
    pub key: String,
}

/// How often a row has been used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RowUses {
    pub pin_set: String,
    /// Empty if the PIN file has none.
    pub account: String,
    /// As the database has it.
    pub uses: String,
    pub max_uses: Option<u64>,
    /// The row's line, if the PIN file has the row.
    pub line: Option<u64>,
    /// The row's id, if it is in PostgreSQL.
    pub id: Option<u64>,
    /// What names it in [`super::requests::ListPart::after`] and for a reset.
    pub key: String,
}

/// The PostgreSQL of a PBX's PIN sets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DatabaseState {
    /// `db1:5432`; empty before there was a connection.
    pub server: String,
    /// `primary` or `standby`; empty if it is not known.
    pub role: String,
    /// `yes`, `no`, or `not tried yet`.
    pub reached: String,
    /// Why it is not reached.
    pub reason: String,
}

/// The result of a reload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ReloadResult {
    /// Whether the new configuration is in force.
    pub applied: bool,
    /// The first errors.
    pub errors: Vec<ReloadError>,
    /// The number of all errors.
    pub total: u64,
}

/// An error of `authenticate.conf`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ReloadError {
    pub file: String,
    /// Empty if it is about no line.
    pub line: String,
    pub section: String,
    pub option: String,
    pub message: String,
}

/// A part of a list, and the length of all of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AmiPage<T> {
    pub rows: Vec<T>,
    pub total: u64,
}

impl ModuleVersion {
    /// Reads the end of a list of PIN sets.
    pub(super) fn read(last: &Message) -> Option<Self> {
        let reader = RowReader(last);
        Some(Self {
            version: reader.text("ModuleVersion").ok()?,
            built_for: reader.text("BuiltFor").ok()?,
        })
    }
}

impl<T> AmiPage<T> {
    pub(super) fn read(
        answer: &Answer,
        row: impl Fn(&Message) -> Result<T, RequestError>,
    ) -> Result<Self, RequestError> {
        Ok(Self {
            rows: answer.rows.iter().map(row).collect::<Result<_, _>>()?,
            total: RowReader(&answer.last).number("Total")?,
        })
    }
}

impl ReloadResult {
    pub(super) fn read(answer: &Answer) -> Result<Self, RequestError> {
        let errors: AmiPage<ReloadError> = AmiPage::read(answer, ReloadError::read)?;
        Ok(Self {
            applied: RowReader(&answer.last).yes_or_no("Applied")?,
            errors: errors.rows,
            total: errors.total,
        })
    }
}

impl ReloadError {
    fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        Ok(Self {
            file: reader.text("File")?,
            line: reader.text("Line")?,
            section: reader.text("Section")?,
            option: reader.text("Option")?,
            message: reader.text("Message")?,
        })
    }
}

impl RowUses {
    pub(super) fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        Ok(Self {
            pin_set: reader.text("PinSet")?,
            account: reader.text("Account")?,
            uses: reader.text("Uses")?,
            max_uses: reader.number_if_any("MaxUses")?,
            line: reader.number_if_any("Line")?,
            id: reader.number_if_any("Id")?,
            key: reader.text("Key")?,
        })
    }
}

impl DatabaseState {
    pub(super) fn read(answer: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(answer);
        Ok(Self {
            server: reader.text("Server")?,
            role: reader.text("Role")?,
            reached: reader.text("Reached")?,
            reason: reader.text("Reason")?,
        })
    }
}

impl PinSetSummary {
    /// Returns the name that it has in PostgreSQL, if it is there.
    pub(crate) fn stored_name(&self) -> Option<&str> {
        match self.source.strip_prefix("database")? {
            "" => Some(&self.name),
            other => other.strip_prefix(':'),
        }
    }

    pub(super) fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        Ok(Self {
            name: reader.text("PinSet")?,
            usable: reader.yes_or_no("Usable")?,
            state: reader.text("State")?,
            source: reader.text("Source")?,
            format: reader.text("Format")?,
            format_found: reader.text("FormatFound")?,
            identify: reader.text("Identify")?,
            entries: reader.number_if_any("Entries")?,
            lockouts: reader.number("Lockouts")?,
            counts: OutcomeCounts::read(row)?,
        })
    }
}

impl PinSetDetail {
    pub(super) fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        let options = row.headers().filter_map(|(name, value)| {
            let (start, option) = name.split_at_checked(OPTION.len())?;
            let is_option = start.eq_ignore_ascii_case(OPTION);
            let text = |bytes| escaped(bytes, MAX_VALUE_BYTES);
            is_option.then(|| (text(option), text(value)))
        });
        let keys = reader.text_if_any("PepperKeys")?.unwrap_or_default();
        let keys = keys.split(',').filter(|key| !key.is_empty());
        Ok(Self {
            summary: PinSetSummary::read(row)?,
            options: options.collect(),
            pepper_keys: keys.map(str::to_owned).collect(),
            reading: reader.text_if_any("Reading")?.as_deref() == Some("yes"),
            read_seconds_ago: reader.number_if_any("ReadSecondsAgo")?,
        })
    }
}

impl OutcomeCounts {
    pub(super) fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        Ok(Self {
            success: reader.number("Success")?,
            failure: reader.number("Failure")?,
            timeout: reader.number("Timeout")?,
            expired: reader.number("Expired")?,
            locked: reader.number("Locked")?,
            hangup: reader.number("Hangup")?,
            error: reader.number("Error")?,
            attempts: reader.number("Attempts")?,
        })
    }
}

impl Lockout {
    pub(super) fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        let by = reader.text("LockedBy")?;
        let by = Kind::ALL.into_iter().find(|kind| kind.word() == by);
        let by_hand = reader.one("LockedSeconds")? == Some(b"by hand");
        Ok(Self {
            pin_set: reader.text("PinSet")?,
            by: by.ok_or(RequestError::InvalidHeader("LockedBy"))?,
            value: reader.text("Value")?,
            endpoint: reader.text("Endpoint")?,
            seconds: match by_hand {
                true => None,
                false => Some(reader.number("LockedSeconds")?),
            },
            times: reader.number("Times")?,
            failures: reader.number("Failures")?,
            key: reader.text("Key")?,
        })
    }
}

/// Reads the headers of a row. A repeated one is an error, because either could be
/// forged.
#[derive(Clone, Copy)]
pub(super) struct RowReader<'a>(pub &'a Message);

impl<'a> RowReader<'a> {
    fn one(self, name: &'static str) -> Result<Option<&'a [u8]>, RequestError> {
        let mut values = self.0.all(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(RequestError::InvalidHeader(name)),
            None => Ok(value),
        }
    }

    pub(super) fn text(self, name: &'static str) -> Result<String, RequestError> {
        let text = self.text_if_any(name)?;
        text.ok_or(RequestError::InvalidHeader(name))
    }

    fn text_if_any(self, name: &'static str) -> Result<Option<String>, RequestError> {
        let value = self.one(name)?;
        Ok(value.map(|value| escaped(value, MAX_VALUE_BYTES)))
    }

    pub(super) fn number(self, name: &'static str) -> Result<u64, RequestError> {
        let number = self.number_if_any(name)?;
        number.ok_or(RequestError::InvalidHeader(name))
    }

    /// Returns a number, or `None` if the header is empty or missing.
    fn number_if_any(self, name: &'static str) -> Result<Option<u64>, RequestError> {
        let value = self.one(name)?.filter(|value| !value.is_empty());
        let parse = |value: &[u8]| {
            let text = std::str::from_utf8(value).ok();
            let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| u64::from_str(digits).ok())
        };
        let number = value.map(|value| parse(value).ok_or(RequestError::InvalidHeader(name)));
        number.transpose()
    }

    fn yes_or_no(self, name: &'static str) -> Result<bool, RequestError> {
        match self.one(name)? {
            Some(b"yes") => Ok(true),
            Some(b"no") => Ok(false),
            _ => Err(RequestError::InvalidHeader(name)),
        }
    }
}
