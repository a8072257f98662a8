//! A builder of credential tables.

use std::collections::BTreeSet;

use foldhash::quality::RandomState;
use zeroize::Zeroizing;

use super::arena::{ArenaFullError, Chunks};
use super::error::{RowError, RowErrorKind, TableError};
use super::index::{self, IndexHeap};
use super::record::{caller, Record};
use super::signed::{SignedDraft, SignedRows};
use super::weighing::{Dearest, Weighing};
use super::{hash, normal, Profile, Rows};
use crate::credential::secret::{Form, Secret};
use crate::list::format::csv::Column;
use crate::list::index::MAX_REPORTED_LINES;
use crate::phone_number::{Number, Numbering};

/// The size of a chunk of rows.
const CHUNK_BYTES: usize = 1 << 20;

/// The most memory of a record, without its texts.
const MAX_RECORD_OVERHEAD_BYTES: usize = 128;

/// The approximate memory of a form in the set of forms.
const FORM_BYTES: usize = 64;

/// Rows as they come.
pub(super) struct Draft {
    records: Chunks<u8>,
    pins: IndexHeap,
    callers: IndexHeap,
    accounts: IndexHeap,
    /// A record being written.
    record: Zeroizing<Vec<u8>>,
    forms: BTreeSet<Form>,
    signed: SignedDraft,
    /// Without records and indexes, so far.
    about: About,
    limit: u64,
}

/// Properties of all rows together.
struct About {
    hasher: RandomState,
    profile: Profile,
    argon2id: u64,
    broken: Vec<RowError>,
    limited: Option<(u64, Column)>,
}

impl Draft {
    /// No rows yet. They may take `limit` bytes of memory.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            records: Chunks::new(CHUNK_BYTES),
            pins: IndexHeap::new(),
            callers: IndexHeap::new(),
            accounts: IndexHeap::new(),
            record: Zeroizing::default(),
            forms: BTreeSet::new(),
            signed: SignedDraft::default(),
            about: About {
                hasher: RandomState::default(),
                profile: Profile::default(),
                argon2id: 0,
                broken: Vec::new(),
                limited: None,
            },
            limit,
        }
    }

    /// Notes a row that admits nobody.
    pub(super) fn note(&mut self, row: RowError) {
        if self.about.broken.len() <= MAX_REPORTED_LINES {
            self.about.broken.push(row);
        }
    }

    /// Notes whether a number is one of the country.
    pub(super) fn note_number(&mut self, number: &Number, numbering: &Numbering) {
        self.about.profile.note_number(number, numbering);
    }

    /// Adds a row of this number, if it has one. Its secret is as it stands in
    /// the list; whether it is slow is seen here.
    pub(super) fn add(
        &mut self,
        row: Record<'_>,
        number: Option<&Number>,
    ) -> Result<(), TableError> {
        let secret = match Secret::parse(row.secret) {
            Ok(secret) => secret,
            Err(error) => {
                self.note(RowError {
                    line: row.line,
                    column: Some(Column::Secret),
                    error: RowErrorKind::Secret(error),
                });
                return Ok(());
            }
        };
        let record = Record {
            secret: &normal(row.secret),
            cost: secret.cost().map(|cost| cost.parts()),
            caller: number.map(caller),
            ..row
        };
        let too_large = |_| TableError::TooLarge(self.limit);
        let hasher = &self.about.hasher;
        let at = write(&record, &mut self.record, &mut self.records).map_err(too_large)?;
        if let Some(key) = secret.index_key() {
            self.pins.push(hash(hasher, &key), at).map_err(too_large)?;
            self.forms.insert(secret.form());
        }
        if let Form::Hmac(key) = secret.form() {
            self.signed.add(key, row.line);
        }
        if let Some(caller) = record.caller {
            self.callers
                .push(hash(hasher, &caller), at)
                .map_err(too_large)?;
        }
        if !record.account.is_empty() {
            self.accounts
                .push(hash(hasher, record.account), at)
                .map_err(too_large)?;
        }
        self.about.profile.add(record.account, number);
        self.about.argon2id += u64::from(record.cost.is_some());
        if self.about.limited.is_none() {
            self.about.limited = limit_of(&record).map(|column| (record.line, column));
        }
        if self.peak() > self.limit {
            return Err(TableError::TooLarge(self.limit));
        }
        Ok(())
    }

    /// What the rows will take of memory at most, while they are sorted: an
    /// index replaces what it is made of, one after the other.
    fn peak(&self) -> u64 {
        let sizes = [&self.pins, &self.callers, &self.accounts].map(IndexHeap::sizes);
        let either = sizes.map(|(heap, index)| heap.max(index));
        let largest = sizes.map(|(_, index)| index).into_iter().max();
        let bytes = self.records.size()
            + self.forms.len() * FORM_BYTES
            + self.signed.size()
            + either.iter().sum::<usize>()
            + largest.unwrap_or_default();
        bytes as u64
    }

    /// No more will come.
    pub(super) fn sort(self) -> Result<RowSorting, TableError> {
        let too_large = |_| TableError::TooLarge(self.limit);
        Ok(RowSorting {
            records: self.records,
            pins: self.pins.sort().map_err(too_large)?,
            callers: self.callers.sort().map_err(too_large)?,
            accounts: self.accounts.sort().map_err(too_large)?,
            forms: self.forms.into_iter().collect(),
            signed: self.signed.finish(),
            about: self.about,
        })
    }
}

/// The column by which a row limits more than whether a PIN is right.
fn limit_of(record: &Record<'_>) -> Option<Column> {
    let uses = record.max_uses.map(|_| Column::MaxUses);
    uses.or(record.context.map(|_| Column::Context))
}

/// Writes a record, by way of `buffer`: where it is.
fn write(
    record: &Record<'_>,
    buffer: &mut Zeroizing<Vec<u8>>,
    records: &mut Chunks<u8>,
) -> Result<u32, ArenaFullError> {
    let context = record.context.map_or(0, str::len);
    let room = record.account.len() + record.secret.len() + context + MAX_RECORD_OVERHEAD_BYTES;
    buffer.clear();
    if buffer.capacity() < room {
        // What grows leaves behind is not wiped; what is replaced is.
        *buffer = Zeroizing::new(Vec::with_capacity(2 * room));
    }
    record.write(buffer);
    records.add(buffer)
}

/// Rows being sorted, a part at a time.
pub(super) struct RowSorting {
    records: Chunks<u8>,
    pins: index::IndexSorting,
    callers: index::IndexSorting,
    accounts: index::IndexSorting,
    forms: Vec<Form>,
    signed: Vec<SignedRows>,
    about: About,
}

impl RowSorting {
    /// Does a part; false when all is done.
    pub(super) fn step(&mut self) -> bool {
        self.pins.step() || self.callers.step() || self.accounts.step()
    }

    /// The rows, to be weighed; what is not sorted yet is.
    pub(super) fn finish(self) -> Weighing {
        Weighing::new(Rows {
            records: self.records,
            pins: self.pins.finish(),
            callers: self.callers.finish(),
            accounts: self.accounts.finish(),
            forms: self.forms,
            signed: self.signed,
            hasher: self.about.hasher,
            profile: self.about.profile,
            argon2id: self.about.argon2id,
            dearest: Dearest::default(),
            broken: self.about.broken,
            limited: self.about.limited,
            now: None,
        })
    }
}
