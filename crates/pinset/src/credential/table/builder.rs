//! A builder of credential tables.

use foldhash::quality::RandomState;

use super::blocks::{BlockWriter, Blocks};
use super::error::{RowError, RowErrorKind, TableError};
use super::index::{IndexDraft, Keyed};
use super::record::{CallerNumber, Record, Terms};
use super::signed::{SignedDraft, SignedRows};
use super::weighing::{Dearest, Weighing};
use super::{Profile, Rows};
use crate::credential::secret::{Form, Secret};
use crate::list::format::csv::Column;
use crate::list::index::MAX_REPORTED_LINES;
use crate::phone_number::{Number, Numbering};

/// The most memory of a record, without its texts.
const MAX_RECORD_OVERHEAD_BYTES: usize = 128;

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
        let secret = match Secret::parse(text) {
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
            secret: secret.view(text),
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
        if self.size() > self.limit {
            return Err(TableError::TooLarge(self.limit));
        }
        Ok(())
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

    /// What the rows will take of memory, with their indexes.
    fn size(&self) -> u64 {
        let blocks = self.blocks.count();
        let indexes = self
            .indexed
            .map(|entries| IndexDraft::memory(entries, blocks));
        let bytes = self.blocks.size() + self.signed.size() + indexes.sum();
        bytes as u64
    }

    /// No more will come.
    pub(super) fn index(self) -> Result<RowIndexing, TableError> {
        let too_large = |_| TableError::TooLarge(self.limit);
        let (keys, signed) = self.signed.finish();
        let plain = self.has_plain.then_some(Form::Plain);
        let md5 = self.has_md5.then_some(Form::Md5);
        let hmac = signed.iter().map(|rows| Form::Hmac(rows.key));
        let forms = plain.into_iter().chain(md5).chain(hmac).collect();
        let blocks = self.blocks.finish(keys).map_err(too_large)?;
        let index = |entries| IndexDraft::new(entries, blocks.count()).map_err(too_large);
        let indexes = Keyed {
            pins: index(self.indexed.pins)?,
            callers: index(self.indexed.callers)?,
            accounts: index(self.indexed.accounts)?,
        };
        Ok(RowIndexing {
            blocks,
            indexes,
            stage: IndexStage::Counting,
            next: 0,
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
    stage: IndexStage,
    /// The next block of this stage.
    next: u32,
    forms: Vec<Form>,
    signed: Vec<SignedRows>,
    about: About,
}

#[derive(Clone, Copy)]
enum IndexStage {
    Counting,
    Filling,
    Placing,
}

impl RowIndexing {
    /// Does a part; false when all is done.
    pub(super) fn step(&mut self) -> bool {
        match self.stage {
            IndexStage::Counting => {
                if !self.visit(IndexDraft::count) {
                    self.stage = IndexStage::Filling;
                }
            }
            IndexStage::Filling => {
                let Keyed {
                    pins,
                    callers,
                    accounts,
                } = &mut self.indexes;
                if !(pins.fill() || callers.fill() || accounts.fill()) {
                    for index in [pins, callers, accounts] {
                        index.begin_to_place();
                    }
                    (self.stage, self.next) = (IndexStage::Placing, 0);
                }
            }
            IndexStage::Placing => return self.visit(IndexDraft::place),
        }
        true
    }

    /// Shows the indexes the hashes of some rows; false when that were all.
    fn visit(&mut self, see: impl Fn(&mut IndexDraft, u32, u32)) -> bool {
        let end = self
            .blocks
            .count()
            .min(self.next.saturating_add(BLOCKS_PER_STEP));
        let indexes = &mut self.indexes;
        for block in self.next..end {
            let mut rows = self.blocks.block(block);
            while let Some(record) = rows.next() {
                let hashes = record.hashes(&self.about.hasher);
                for (index, hash) in [
                    (&mut indexes.pins, hashes.pins),
                    (&mut indexes.callers, hashes.callers),
                    (&mut indexes.accounts, hashes.accounts),
                ] {
                    if let Some(hash) = hash {
                        see(index, hash, block);
                    }
                }
            }
        }
        self.next = end;
        end < self.blocks.count()
    }

    /// The rows, to be weighed; what is not indexed yet is.
    pub(super) fn finish(mut self) -> Weighing {
        while self.step() {}
        Weighing::new(Rows {
            blocks: self.blocks,
            indexes: self.indexes.map(IndexDraft::finish),
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
