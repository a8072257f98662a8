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
use pinset::escape::escape;
use pinset::verify::RowQuery;
use pinset::PinSet;
use thiserror::Error;

use crate::auth::backend;
use crate::config::{self, InForce, PinSetError};
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
    /// The row, if the PIN file has it and is read as rows.
    pub row: Option<Row>,
    /// Its key in the database, not to be shown.
    key: Vec<u8>,
}

/// A row of a PIN file.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Its line.
    pub line: u64,
    /// How many uses it has, or `None` for any number.
    pub max_uses: Option<NonZeroU32>,
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
    let page = all(&name, &in_force, request, keys)?;
    let total = page.total();
    let mut entries = page.entries();
    let one_time = set.one_time.then_some(NonZeroU32::MIN);
    let rows = rows(&name, &set, in_force, &entries);
    for (_, uses) in &mut entries {
        let row = digest_of_key(&uses.key).and_then(|digest| rows.get(&digest).copied());
        uses.row = row.map(|row| Row {
            max_uses: row.max_uses.or(one_time),
            ..row
        });
    }
    if request.is_whole() {
        entries.sort_by(|(_, one), (_, other)| one.account.cmp(&other.account));
    }
    Ok((entries, total))
}

/// Returns the rows of these uses that the PIN file has, by their digests.
fn rows(
    name: &str,
    set: &Arc<PinSet>,
    in_force: Arc<InForce>,
    entries: &[(EntryKey, RowUses)],
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
    let (name, _, in_force) = find(pin_set)?;
    let all = all(&name, &in_force, PageRequest::default(), keys)?.entries();
    let is_meant = |own: EntryKey, uses: &RowUses| {
        let is_named = |given: &[u8]| {
            // It may be given as it was shown.
            given == uses.account || given == escape(&uses.account).as_bytes()
        };
        key.is_none_or(|key| key == own) && account.is_none_or(is_named)
    };
    let meant: Vec<RowUses> = all
        .into_iter()
        .filter(|(own, uses)| is_meant(*own, uses))
        .map(|(_, uses)| uses)
        .collect();
    let Some(value) = meant.first().map(|uses| uses.account.clone()) else {
        return Err(UsesError::NoUses);
    };
    let timeout = in_force.settings.source_timeout;
    let keys = meant.into_iter().map(|uses| uses.key).collect();
    let count = match use_ledger::reset(family(&name), keys, timeout)? {
        0 => return Err(UsesError::NoUses),
        count => count,
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
) -> Result<Page<RowUses>, UseError> {
    let mut page = Page::new(request);
    for (key, uses) in use_ledger::uses_in(family(name), in_force.settings.source_timeout)? {
        let identity = [name.as_bytes(), b"/", &key].concat();
        let uses = RowUses {
            account: account_of_key(&key),
            uses,
            row: None,
            key,
        };
        page.add(keys.of(&identity), uses);
    }
    Ok(page)
}
