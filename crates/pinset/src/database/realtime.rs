//! PIN sets in tables of Asterisk's Realtime: queries of the module, and rows of the
//! answers. Asterisk's drivers send the queries: `docs/realtime.md`.
//!
//! A driver answers alike whether there is no row or no database. So each query also finds
//! the row of the table with the account `.`: without it, the database has not answered.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use thiserror::Error;
use zeroize::Zeroizing;

use super::digests::hex_digests;
use super::rows::{invalid, LookupClock, StoredRows, StoredRowsError};
use crate::credential::pepper::Pepper;
use crate::credential::secret::{Form, Secret};
use crate::credential::table::{Reading, Rows};
use crate::dialplan::MAX_NAME_BYTES;
use crate::list::format::csv::Column;
use crate::list::FileKind;
use crate::phone_number::{Number, Numbering};
use crate::pin::Pin;
use crate::timestamp::Zone;

/// The account of the row that each table must have. It admits nobody.
const MARKER: &str = ".";

/// How often a use is tried: each time, another PBX may have taken one.
const MAX_TRIES: usize = 100;

/// A query of rows. The driver puts the condition into its statement as it is, the value as
/// a value, and the name of the PIN set behind both: `AND pinset = '…'`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RealtimeQuery {
    /// The condition, without its last value.
    pub condition: &'static CStr,
    /// Its last value: never a PIN.
    pub value: String,
}

const BY_DIGEST: &CStr = c"account = '.' OR digest =";
const BY_CALLER: &CStr = c"account = '.' OR caller =";
const BY_ACCOUNT: &CStr = c"account = '.' OR account =";
const BY_ID: &CStr = c"account = '.' OR id =";

/// A row as a driver returns it: the names of its columns, and their values. Drivers leave
/// out those that are empty.
pub type RealtimeRow = Vec<(String, Zeroizing<Vec<u8>>)>;

/// A table of Realtime, as Asterisk's drivers serve it. The functions block for as long as
/// the driver does.
pub trait RealtimeTable {
    /// Returns the rows of a query, and the marker row; none if the database does not
    /// answer.
    fn find(&self, query: &RealtimeQuery, pin_set: &str) -> Vec<RealtimeRow>;

    /// Sets the number of uses of the row with this id, if it has the first one. Returns
    /// the number of changed rows, or `None` if that has failed.
    fn set_uses(&self, id: &str, from: u32, to: u32) -> Option<u32>;

    /// Forgets the columns of the table, as the driver remembers them.
    fn forget_columns(&self);
}

/// Why there is no answer of a table.
#[derive(Debug, Error)]
pub enum RealtimeError {
    /// There is no marker row.
    #[error(
        "no row has the account '.', which must be there: the database does not answer, or \
         the row is missing"
    )]
    NoMarker,
    /// A use can't be written.
    #[error("id {0}: uses can't be written: Asterisk's log says why")]
    NotWritten(String),
    /// Several rows have one id.
    #[error("id {0}: several rows have this id")]
    SeveralRows(String),
    /// There is no number of uses.
    #[error("id {0}: uses: must be a whole number, 0 at first")]
    InvalidUses(String),
    /// Others have changed the number of uses at each try.
    #[error("id {0}: uses: too many PBXs change it at once")]
    Contended(String),
}

/// The rows to look for: those of a PIN, of a number, or of an account.
#[derive(Clone, Copy)]
pub enum RealtimeSearch<'a> {
    /// Those of a PIN.
    Pin(&'a Pin),
    /// Those of a number.
    Caller(&'a Number),
    /// Those of an account.
    Account(&'a [u8]),
}

/// Returns the queries that find the rows. There is none if no row can be found.
pub fn queries(search: RealtimeSearch<'_>, pepper: &Pepper) -> Vec<RealtimeQuery> {
    let (condition, values) = match search {
        RealtimeSearch::Pin(pin) => (BY_DIGEST, hex_digests(pin, pepper)),
        RealtimeSearch::Caller(number) => (BY_CALLER, vec![number.to_string()]),
        RealtimeSearch::Account(account) => (BY_ACCOUNT, account_of(account).into_iter().collect()),
    };
    let query = |value| RealtimeQuery { condition, value };
    values.into_iter().map(query).collect()
}

/// An account as it may be sent. Of one that no row can have there is none.
fn account_of(account: &[u8]) -> Option<String> {
    let is_short = account.len() <= MAX_NAME_BYTES;
    let account = text(account).filter(|_| is_short)?;
    (!account.is_empty() && account != MARKER).then(|| account.to_owned())
}

/// A text that drivers neither change nor refuse: they take `;` for the end of a value,
/// `^` for an escape, and strip blanks.
pub fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_changed = |letter: char| letter.is_control() || matches!(letter, ';' | '^');
    (!text.contains(is_changed) && text.trim() == text).then_some(text)
}

/// Looks up rows of a PIN set, as long as they are `wanted`.
///
/// # Errors
///
/// The database has not answered.
pub fn find(
    table: &impl RealtimeTable,
    queries: &[RealtimeQuery],
    pin_set: &str,
    wanted: &dyn Fn() -> bool,
) -> Option<Result<Vec<RealtimeRow>, RealtimeError>> {
    let mut found = Vec::new();
    for query in queries {
        if !wanted() {
            return None;
        }
        let rows = table.find(query, pin_set);
        if !rows.iter().any(is_marker) {
            return Some(Err(RealtimeError::NoMarker));
        }
        found.extend(rows);
    }
    Some(Ok(found))
}

/// Takes a use of a row, for good, as long as that is `wanted`. Returns false if none is
/// left, or if the row is gone, disabled or has another secret. Calls `unsure` if a use may
/// be taken without a call.
///
/// # Errors
///
/// The use can't be taken; it may be taken all the same, and nobody is admitted by it.
pub fn consume(
    table: &impl RealtimeTable,
    pin_set: &str,
    (id, secret): (&str, &str),
    limit: NonZeroU32,
    wanted: &dyn Fn() -> bool,
    unsure: impl Fn(),
) -> Option<Result<bool, RealtimeError>> {
    let by_id = [RealtimeQuery {
        condition: BY_ID,
        value: id.to_owned(),
    }];
    let mut has_failed = false;
    for _ in 0..MAX_TRIES {
        let rows = match find(table, &by_id, pin_set, wanted)? {
            Ok(rows) => rows,
            Err(error) => return Some(Err(error)),
        };
        let is_it = |row: &&RealtimeRow| !is_marker(row) && value(row, "id") == id.as_bytes();
        let Some(row) = rows.iter().find(is_it) else {
            return Some(Ok(false));
        };
        let is_same = value(row, "pinset") == pin_set.as_bytes()
            && value(row, "secret") == secret.as_bytes()
            // As in a CSV file; anything else admits nobody.
            && matches!(value(row, "enabled"), b"" | b"yes");
        if !is_same {
            return Some(Ok(false));
        }
        let Some(uses) = uses_of(row) else {
            return Some(Err(RealtimeError::InvalidUses(id.to_owned())));
        };
        if uses >= limit.get() {
            return Some(Ok(false));
        }
        if !wanted() {
            return None;
        }
        match table.set_uses(id, uses, uses + 1) {
            Some(1) => return Some(Ok(true)),
            // Another PBX has taken one meanwhile.
            Some(0) => {}
            Some(_) => return Some(Err(RealtimeError::SeveralRows(id.to_owned()))),
            None => {
                unsure();
                if std::mem::replace(&mut has_failed, true) {
                    return Some(Err(RealtimeError::NotWritten(id.to_owned())));
                }
                // res_config_pgsql remembers a table without columns if it has first seen
                // it without a connection.
                table.forget_columns();
            }
        }
    }
    Some(Err(RealtimeError::Contended(id.to_owned())))
}

/// Reads the rows that were found for a PIN set of `family`. They have the columns of a CSV
/// file, and are read as such; `left` is what is left of the time that the caller may wait.
///
/// # Errors
///
/// A row has an invalid value: nobody is verified, for it may be the row that refuses.
pub fn stored_rows(
    found: Vec<RealtimeRow>,
    family: &str,
    pin_set: &str,
    (zone, numbering): (&Zone, &Numbering),
    left: Duration,
) -> Result<StoredRows, StoredRowsError> {
    let table = format!("realtime:{family}");
    let (markers, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_marker);
    let is_of_set = |row: &RealtimeRow| value(row, "pinset") == pin_set.as_bytes();
    let mut others: Vec<RealtimeRow> = others.into_iter().filter(is_of_set).collect();
    // By their numbers, if they are numbers.
    others.sort_by_key(|row| {
        let id = value(row, "id").to_vec();
        (id.len(), id)
    });
    let mut text = Zeroizing::new(Vec::new());
    let mut ids = vec![Default::default()];
    let mut known = BTreeSet::new();
    text.extend_from_slice(header().as_bytes());
    for row in &others {
        let id = id_of(row);
        let checked = match &id {
            None => Err("id: must be of letters, digits and '-'".to_owned()),
            Some(id) if !known.insert(id.clone()) => Err("several rows have this id".to_owned()),
            Some(_) => add_line(row, &mut text),
        };
        let id = id.unwrap_or_default();
        match checked {
            Ok(secret) => ids.push((id, secret)),
            Err(error) => {
                let table = table.into();
                return Err(StoredRowsError::Row { table, id, error });
            }
        }
    }
    let mut reading = Reading::new(&**text, FileKind::Csv, true, zone, numbering, u64::MAX);
    let mut rows: Rows = loop {
        match reading.step() {
            Ok(Some(rows)) => break rows,
            Ok(None) => {}
            Err(error) => return Err(invalid(table, &error)),
        }
    };
    let secrets = markers.iter().map(|row| value(row, "secret"));
    for secret in secrets.filter_map(|secret| Secret::parse(secret).ok()) {
        rows.cost_at_least(&secret);
    }
    let clock = LookupClock {
        database: String::new(),
        replied: Instant::now(),
        left,
    };
    StoredRows::new(table, rows, ids, None, clock)
}

/// Columns of the table that no CSV file has.
const OTHER_COLUMNS: [&str; 4] = ["id", "pinset", "digest", "uses"];

/// The columns that are read as those of a CSV file.
fn csv_columns() -> impl Iterator<Item = Column> {
    let all = Column::ALL.into_iter();
    all.filter(|column| *column != Column::Name)
}

fn header() -> String {
    let names: Vec<&str> = csv_columns().map(Column::name).collect();
    names.join(",") + "\n"
}

/// Adds a row to a CSV list, and returns its secret.
fn add_line(row: &RealtimeRow, csv: &mut Vec<u8>) -> Result<Zeroizing<String>, String> {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    for (at, (name, bytes)) in row.iter().enumerate() {
        if is(name, Column::Name.name()) {
            continue;
        }
        let mut columns = csv_columns().map(Column::name).chain(OTHER_COLUMNS);
        if !columns.any(|column| is(name, column)) {
            let name = name.escape_default();
            return Err(format!(
                "column '{name}' is none of a PIN set: leave it out by a view"
            ));
        }
        let is_double = row.iter().take(at).any(|(other, _)| is(name, other));
        if is_double || text(bytes).is_none() {
            return Err(format!(
                "{name}: a value with ';', '^', control characters, outer blanks, or not in UTF-8"
            ));
        }
    }
    let secret = value(row, Column::Secret.name());
    // What is no secret is found by the reading.
    let form = Secret::parse(secret).map(|secret| secret.form());
    if matches!(form, Ok(Form::Plain | Form::Md5)) {
        return Err("secret: must be hmac-sha256 or Argon2id: pinset hash".to_owned());
    }
    let secret = String::from_utf8_lossy(secret).into_owned();
    for (at, column) in csv_columns().enumerate() {
        csv.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        for byte in value(row, column.name()) {
            csv.push(*byte);
            if *byte == b'"' {
                csv.push(b'"');
            }
        }
        csv.push(b'"');
    }
    csv.push(b'\n');
    Ok(Zeroizing::new(secret))
}

fn is_marker(row: &RealtimeRow) -> bool {
    value(row, "account") == MARKER.as_bytes()
}

/// The id of a row.
fn id_of(row: &RealtimeRow) -> Option<String> {
    let id = std::str::from_utf8(value(row, "id")).ok()?;
    let right = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    (!id.is_empty() && id.chars().all(right)).then(|| id.to_owned())
}

fn uses_of(row: &RealtimeRow) -> Option<u32> {
    let uses = std::str::from_utf8(value(row, "uses")).ok()?;
    let is_number = uses.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| uses.parse().ok()).flatten()
}

/// The value of a column; empty if there is none.
fn value<'a>(row: &'a RealtimeRow, column: &str) -> &'a [u8] {
    let mut values = row.iter();
    let found = values.find(|(name, _)| name.eq_ignore_ascii_case(column));
    found.map_or(b"", |(_, value)| value)
}

#[cfg(test)]
mod tests;
