//! A builder of credential tables.

use foldhash::quality::RandomState;
use zeroize::Zeroizing;

use super::arena::ArenaFullError;
use super::blocks::{BlockWriter, Blocks};
use super::error::{RowError, RowErrorKind, TableError};
use super::index::{IndexDraft, Keyed};
use super::record::{CallerNumber, Record, Terms};
use super::signed::{FoundBy, SignedDraft, SignedRows};
use super::weighing::{Dearest, Weighing};
use super::{Profile, Rows};
use crate::credential::secret::{Form, SecretView};
use crate::list::format::csv::Column;
use crate::list::index::MAX_REPORTED_LINES;
use crate::phone_number::{Number, Numbering};

/// The most memory of a record, without its texts.
const MAX_RECORD_OVERHEAD_BYTES: usize = 128;

/// After how many rows it is checked whether they take too much memory.
const ROWS_PER_CHECK: u64 = 64;

/// How many blocks are indexed in one step.
const BLOCKS_PER_STEP: u32 = 512;

/// Rows as they come.
pub(super) struct Draft {
    blocks: BlockWriter,
    /// How many rows each index will have.
    indexed: Keyed<usize>,
    has_plain: bool,
    has_md5: bool,
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
            blocks: BlockWriter::new(),
            indexed: Keyed::default(),
            has_plain: false,
            has_md5: false,
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

    /// Adds a row of this account, secret and number, if it has one. Its secret is as it
    /// stands in the list; whether it is slow is seen here.
    pub(super) fn add(
        &mut self,
        line: u64,
        (account, text): (&[u8], &[u8]),
        terms: Terms<'_>,
        number: Option<&Number>,
    ) -> Result<(), TableError> {
        let mut digest = Zeroizing::default();
        let secret = match SecretView::parse(text, &mut digest) {
            Ok(secret) => secret,
            Err(error) => {
                self.note(RowError {
                    line,
                    column: Some(Column::Secret),
                    error: RowErrorKind::Secret(error),
                });
                return Ok(());
            }
        };
        let record = Record {
            line,
            account,
            secret,
            caller: number.map(CallerNumber::of),
            terms,
        };
        let key = self.note_form(&record);
        let most = account.len() + text.len() + terms.context.map_or(0, str::len);
        let added = self
            .blocks
            .add(&record, key, most + MAX_RECORD_OVERHEAD_BYTES);
        added.map_err(|_| TableError::TooLarge(self.limit))?;
        self.indexed.pins += usize::from(record.secret.index_bytes().is_some());
        self.indexed.callers += usize::from(record.caller.is_some());
        self.indexed.accounts += usize::from(!account.is_empty());
        self.about.profile.add(account, number);
        if self.about.limited.is_none() {
            self.about.limited = limit_of(&terms).map(|column| (line, column));
        }
        match self.about.profile.rows % ROWS_PER_CHECK {
            0 => self.check_size(),
            _ => Ok(()),
        }
    }

    fn check_size(&self) -> Result<(), TableError> {
        match self.peak() > self.limit {
            true => Err(TableError::TooLarge(self.limit)),
            false => Ok(()),
        }
    }

    /// Notes the form of a row's secret, and returns the place of its key.
    fn note_form(&mut self, record: &Record<'_>) -> usize {
        match record.secret.form() {
            Form::Plain => self.has_plain = true,
            Form::Md5 => self.has_md5 = true,
            Form::Hmac(key) => return self.signed.add(key, record.line),
            Form::Argon2id => self.about.argon2id += 1,
        }
        0
    }

    /// What the rows will take of memory at most, while their indexes are made, one after
    /// the other.
    fn peak(&self) -> u64 {
        let blocks = self.blocks.count();
        let rows = self.indexed.all();
        let indexes = rows.map(|(by, rows)| IndexDraft::memory(*rows, blocks, by));
        let shares = rows.map(|(_, rows)| IndexDraft::memory_of_shares(*rows));
        let bytes = self.blocks.size()
            + self.signed.size()
            + indexes.iter().sum::<usize>()
            + shares.into_iter().max().unwrap_or_default();
        bytes as u64
    }

    /// No more will come.
    pub(super) fn index(self) -> Result<RowIndexing, TableError> {
        self.check_size()?;
        let too_large = |_| TableError::TooLarge(self.limit);
        let (keys, signed) = self.signed.finish();
        let plain = self.has_plain.then_some(Form::Plain);
        let md5 = self.has_md5.then_some(Form::Md5);
        let hmac = signed.iter().map(|rows| Form::Hmac(rows.key));
        let forms = plain.into_iter().chain(md5).chain(hmac).collect();
        let blocks = self.blocks.finish(keys).map_err(too_large)?;
        let index = |by, rows| IndexDraft::new(rows, blocks.count(), by);
        let indexes = self.indexed.map(index).transpose().map_err(too_large)?;
        Ok(RowIndexing {
            blocks,
            indexes,
            to_do: vec![FoundBy::Pin, FoundBy::Caller, FoundBy::Account],
            next: 0,
            limit: self.limit,
            forms,
            signed,
            about: self.about,
        })
    }
}

/// The column by which a row limits more than whether a PIN is right.
fn limit_of(terms: &Terms<'_>) -> Option<Column> {
    let uses = terms.max_uses.map(|_| Column::MaxUses);
    uses.or(terms.context.map(|_| Column::Context))
}

/// Rows being indexed, a part at a time.
pub(super) struct RowIndexing {
    blocks: Blocks,
    indexes: Keyed<IndexDraft>,
    /// The indexes that are not made yet, the next one last.
    to_do: Vec<FoundBy>,
    /// The next block to be indexed.
    next: u32,
    forms: Vec<Form>,
    signed: Vec<SignedRows>,
    about: About,
    limit: u64,
}

impl RowIndexing {
    /// Does a part; false when all is done.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub(super) fn step(&mut self) -> Result<bool, TableError> {
        let Some(by) = self.to_do.last().copied() else {
            return Ok(false);
        };
        let index = self.indexes.of_mut(by);
        let end = self
            .next
            .saturating_add(BLOCKS_PER_STEP)
            .min(self.blocks.count());
        if self.next < end && index.lacks_rows() {
            let (blocks, hasher) = (&self.blocks, &self.about.hasher);
            let added =
                (self.next..end).try_for_each(|block| add(blocks, block, by, hasher, index));
            added.map_err(|_| TableError::TooLarge(self.limit))?;
            self.next = end;
        } else if !index.place() {
            self.to_do.pop();
            self.next = 0;
        }
        Ok(true)
    }

    /// The rows, to be weighed; what is not indexed yet is.
    pub(super) fn finish(mut self) -> Result<Weighing, TableError> {
        while self.step()? {}
        Ok(Weighing::new(Rows {
            blocks: self.blocks,
            indexes: self.indexes.map(|_, index| index.finish()),
            forms: self.forms,
            signed: self.signed,
            hasher: self.about.hasher,
            profile: self.about.profile,
            argon2id: self.about.argon2id,
            dearest: Dearest::default(),
            broken: self.about.broken,
            limited: self.about.limited,
            now: None,
        }))
    }
}

/// Adds the rows of a block to an index.
fn add(
    blocks: &Blocks,
    block: u32,
    by: FoundBy,
    hasher: &RandomState,
    index: &mut IndexDraft,
) -> Result<(), ArenaFullError> {
    let mut rows = blocks.block(block);
    while let Some(row) = rows.next() {
        if let Some(hash) = row.hash(by, hasher) {
            index.add(hash, block)?;
        }
    }
    Ok(())
}
