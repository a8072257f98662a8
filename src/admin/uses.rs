//! Numbers of uses of rows, for administrators: shown by row and set back to zero.
//!
//! In Asterisk's database a number has a key with a digest of the row's secret, from
//! which a short PIN is found by trial. It is shown nowhere: a row is named by its account
//! and line, and by an opaque key.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use pinset::admin::{EntryKey, EntryKeys, Page, PageRequest};
use pinset::audit::change::{Action, Administrator, ChangeRecord};
use pinset::credential::table::absent::{account_of_key, digest_of_key};
use pinset::credential::table::Rows;
use pinset::database::DatabaseError;
use pinset::escape::escape;
use pinset::verify::RowQuery;
use pinset::PinSet;
use thiserror::Error;

use super::paging::{PageError, MAX_LIMIT};
use crate::auth::backend;
use crate::config::{self, InForce, PinSetError};
use crate::database;
use crate::state::audit;
use crate::state::use_ledger::{self, UseError, FAMILY};

/// Why uses can't be shown or set back.
#[derive(Debug, Error)]
pub(super) enum UsesError {
    /// There is no such PIN set, or it has errors.
    #[error(transparent)]
    PinSet(#[from] PinSetError),
    /// The database has not answered, or can't be written.
    #[error(transparent)]
    Use(#[from] UseError),
    /// PostgreSQL has not answered.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A key is of another list.
    #[error(transparent)]
    Page(#[from] PageError),
    /// Neither an account nor a key is given.
    #[error("Account or Key is missing")]
    NoRow,
    /// No uses are counted there.
    #[error("no uses are counted for this account or key")]
    NoUses,
}

/// The uses of a row.
pub(super) struct RowUses {
    /// The account; empty if the PIN file has none.
    pub account: Vec<u8>,
    /// The number of uses, as the database has it.
    pub uses: Vec<u8>,
    /// Its line, if the PIN file has it and is read as rows.
    pub line: Option<u64>,
    /// Its id, if it is in PostgreSQL.
    pub id: Option<u64>,
    /// How many uses it has, or `None` for any number, or if the row is not known.
    pub max_uses: Option<NonZeroU32>,
}

/// The uses of a row of a PIN file in Asterisk's database.
struct CountedUses {
    account: Vec<u8>,
    uses: Vec<u8>,
    /// Its key there, not to be shown.
    key: Vec<u8>,
}

/// A row of a PIN file.
#[derive(Clone, Copy)]
struct Row {
    line: u64,
    max_uses: Option<NonZeroU32>,
}

/// Returns a page of the uses in a PIN set, and the number of all of them.
///
/// # Errors
///
/// Fails if there is no PIN set of this name, or the database has not answered.
pub(super) fn page(
    pin_set: &[u8],
    request: PageRequest,
    keys: &EntryKeys,
) -> Result<(Vec<(EntryKey, RowUses)>, usize), UsesError> {
    let (name, set, in_force) = find(pin_set)?;
    let one_time = set.one_time.then_some(NonZeroU32::MIN);
    let (mut entries, total) = match database::stored_name(&name, &set) {
        Some(stored) => stored_page(stored, &in_force, request, one_time)?,
        None => {
            let page = all(&name, &in_force, request, keys)?;
            let (total, entries) = (page.total(), page.entries());
            let rows = rows(&name, &set, in_force, &entries);
            let with_row = |(key, uses): (EntryKey, CountedUses)| {
                let row = digest_of_key(&uses.key).and_then(|digest| rows.get(&digest));
                let uses = RowUses {
                    account: uses.account,
                    uses: uses.uses,
                    line: row.map(|row| row.line),
                    id: None,
                    max_uses: row.and_then(|row| row.max_uses.or(one_time)),
                };
                (key, uses)
            };
            (entries.into_iter().map(with_row).collect(), total)
        }
    };
    if request.is_whole() {
        entries.sort_by(|(_, one), (_, other)| one.account.cmp(&other.account));
    }
    Ok((entries, total))
}

/// Returns a page of the uses of a PIN set in PostgreSQL, whose rows have their ids as keys,
/// and the number of all of them.
fn stored_page(
    stored_name: &str,
    in_force: &InForce,
    request: PageRequest,
    one_time: Option<NonZeroU32>,
) -> Result<(Vec<(EntryKey, RowUses)>, usize), UsesError> {
    let after = match request.after {
        Some(after) => after.number().ok_or(PageError::InvalidKey("After"))?,
        None => 0,
    };
    let limit = request.limit.unwrap_or(MAX_LIMIT);
    let (rows, total) = database::uses(in_force, stored_name, after, limit)?;
    let rows = rows.into_iter().map(|row| {
        let uses = RowUses {
            account: row.account.into_bytes(),
            uses: row.uses.to_string().into_bytes(),
            line: None,
            id: Some(row.id),
            max_uses: row.max_uses.or(one_time),
        };
        (EntryKey::of_number(row.id), uses)
    });
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    Ok((rows.collect(), total))
}

/// Returns the rows of these uses that the PIN file has, by their digests.
fn rows(
    name: &str,
    set: &Arc<PinSet>,
    in_force: Arc<InForce>,
    entries: &[(EntryKey, CountedUses)],
) -> BTreeMap<[u8; 16], Row> {
    let of_accounts = |rows: &Rows| {
        let mut found = BTreeMap::new();
        for (_, uses) in entries {
            for row in rows.by_account(&uses.account) {
                let (line, max_uses) = (row.line, row.max_uses);
                found.insert(row.digest(), Row { line, max_uses });
            }
        }
        found
    };
    // A PIN set that admits nobody has no rows to show.
    let query = RowQuery::Account(b"");
    backend::find_rows(name, set, &query, in_force, of_accounts).unwrap_or_default()
}

/// Sets the uses of rows back to zero, by account or key, and reports it. Returns how many
/// rows.
///
/// # Errors
///
/// Fails if there is no such PIN set or no such row, or the change is not certain to be on
/// disk.
pub(super) fn reset(
    pin_set: &[u8],
    account: Option<&[u8]>,
    key: Option<EntryKey>,
    keys: &EntryKeys,
    administrator: &Administrator,
) -> Result<usize, UsesError> {
    if account.is_none() && key.is_none() {
        return Err(UsesError::NoRow);
    }
    let (name, set, in_force) = find(pin_set)?;
    let (value, count) = match database::stored_name(&name, &set) {
        Some(stored) => reset_stored(stored, &in_force, account, key)?,
        None => reset_counted(&name, &in_force, account, key, keys)?,
    };
    audit::report_change(&ChangeRecord {
        action: Action::ResetUses,
        pin_set: Some(&name),
        value: &value,
        count,
        by: administrator,
    });
    Ok(count)
}

/// Sets the uses of rows in PostgreSQL back to zero. Returns their account, and how many
/// rows.
fn reset_stored(
    stored_name: &str,
    in_force: &InForce,
    account: Option<&[u8]>,
    key: Option<EntryKey>,
) -> Result<(Vec<u8>, usize), UsesError> {
    let id = match key {
        Some(key) => Some(key.number().ok_or(PageError::InvalidKey("Key"))?),
        None => None,
    };
    let account = account.map(String::from_utf8_lossy);
    let mut reset = database::reset_uses(in_force, stored_name, account.as_deref(), id)?;
    let count = reset.len();
    match reset.pop() {
        Some(account) => Ok((account.into_bytes(), count)),
        None => Err(UsesError::NoUses),
    }
}

/// Sets the uses of rows in Asterisk's database back to zero. Returns their account, and
/// how many rows.
fn reset_counted(
    name: &str,
    in_force: &InForce,
    account: Option<&[u8]>,
    key: Option<EntryKey>,
    keys: &EntryKeys,
) -> Result<(Vec<u8>, usize), UsesError> {
    let all = all(name, in_force, PageRequest::default(), keys)?.entries();
    let is_meant = |own: EntryKey, uses: &CountedUses| {
        let is_named = |given: &[u8]| {
            // It may be given as it was shown.
            given == uses.account || given == escape(&uses.account).as_bytes()
        };
        key.is_none_or(|key| key == own) && account.is_none_or(is_named)
    };
    let meant: Vec<CountedUses> = all
        .into_iter()
        .filter(|(own, uses)| is_meant(*own, uses))
        .map(|(_, uses)| uses)
        .collect();
    let Some(value) = meant.first().map(|uses| uses.account.clone()) else {
        return Err(UsesError::NoUses);
    };
    let timeout = in_force.settings.source_timeout;
    let keys = meant.into_iter().map(|uses| uses.key).collect();
    match use_ledger::reset(family(name), keys, timeout)? {
        0 => Err(UsesError::NoUses),
        count => Ok((value, count)),
    }
}

/// Returns the name of a PIN set in lower case, and its options.
fn find(name: &[u8]) -> Result<(String, Arc<PinSet>, Arc<InForce>), PinSetError> {
    let in_force = config::current();
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let set = in_force.pin_set(&name)?;
    Ok((name, set, in_force))
}

fn family(name: &str) -> Vec<u8> {
    format!("{FAMILY}/{name}").into_bytes()
}

/// Returns a page of the uses as the database has them.
fn all(
    name: &str,
    in_force: &InForce,
    request: PageRequest,
    keys: &EntryKeys,
) -> Result<Page<CountedUses>, UseError> {
    let mut page = Page::new(request);
    for (key, uses) in use_ledger::uses_in(family(name), in_force.settings.source_timeout)? {
        let identity = [name.as_bytes(), b"/", &key].concat();
        let uses = CountedUses {
            account: account_of_key(&key),
            uses,
            key,
        };
        page.add(keys.of(&identity), uses);
    }
    Ok(page)
}
