//! The rows of a PIN set in memory, made to answer in a few microseconds,
//! however many there are: by PIN, by the number that calls, by account.
//!
//! [`Reading`] makes [`Rows`] of a list, a part at a time; they do not change.
//! An index gets close by a hash that is seeded at random, then the row itself
//! is compared; secrets in constant time.

use std::hash::{BuildHasher, Hash};
use std::iter::Peekable;
use std::num::NonZeroU32;
use std::vec;

use foldhash::quality::RandomState;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::credential::pepper::{KeyId, Pepper};
use crate::credential::secret::{Form, IndexKey, Secret, SecretView, VerifyError};
use crate::list::format::csv::Column;
use crate::list::format::md5;
use crate::list::Gives;
use crate::phone_number::Number;
use crate::pin::Pin;
use crate::timestamp::Moment;

pub mod absent;
mod arena;
mod blocks;
mod builder;
mod error;
mod index;
mod loader;
mod profile;
mod record;
mod signed;
mod weighing;

pub use error::{RowError, RowErrorKind, TableError};
pub use loader::{of_credentials, of_stored, Reading, StoredRow};
pub use profile::Profile;
pub use signed::{FoundBy, SignedRows};

use blocks::Blocks;
use index::{BlockRun, Keyed, RowIndex};
use record::{CallerNumber, Record};
use weighing::Dearest;

/// The most rows with Argon2id for one caller number, and for one account: each may
/// have to be verified in one call.
pub const MAX_ARGON2ID_ROWS: usize = 8;

/// The most accounts with rows for one caller number: an entry from it is charged to
/// each of them at once.
pub const MAX_ACCOUNTS: usize = 500;

/// The prefix that is hashed before an account and its secret, so that no other
/// digest is one of these.
const PURPOSE: &[u8] = b"authenticate-uses-v1\0";

/// The rows of a list, in memory. They are wiped when dropped, which takes a
/// while if they are many.
pub struct Rows {
    blocks: Blocks,
    indexes: Keyed<RowIndex>,
    hasher: RandomState,
    /// The forms of the secrets that a PIN finds.
    forms: Vec<Form>,
    signed: Vec<SignedRows>,
    argon2id: u64,
    dearest: Dearest,
    broken: Vec<RowError>,
    limited: Option<(u64, Column)>,
    profile: Profile,
    /// The time by the clock of the source, if it has one of its own.
    now: Option<Moment>,
}

/// A row that may be the caller's. It has no `Debug`; its secret is wiped when
/// dropped.
pub struct Candidate {
    /// Its line in the list, from 1; of a database, its place among the entries.
    pub line: u64,
    /// Whose it is; empty in a plain list.
    pub account: Vec<u8>,
    /// The secret that the entry is checked against.
    pub secret: Secret,
    /// For `required_level`; 0 if there is none.
    pub level: u8,
    /// It admits from this moment on.
    pub from: Option<Moment>,
    /// It admits until just before this moment.
    pub until: Option<Moment>,
    /// How many calls it admits, or `None` for any number.
    pub max_uses: Option<NonZeroU32>,
    /// Takes the place of the context of `on_success`.
    pub context: Option<String>,
    /// Whether it admits at all.
    pub enabled: bool,
    /// The text of a secret with Argon2id.
    phc: Zeroizing<Vec<u8>>,
}

/// The rows that a PIN finds, in the order of the list.
pub struct Found<'a> {
    rows: &'a Rows,
    /// For each form of secret, what has the PIN, and the blocks that are left.
    runs: Vec<(IndexKey, Peekable<BlockRun<'a>>)>,
    /// The rows found in the last block, that are left.
    found: vec::IntoIter<Candidate>,
    missing: Vec<KeyId>,
}

/// The key under which the uses of a row are counted: the first 16 bytes of SHA-256 over
/// `authenticate-uses-v1`, a NUL, the account, a NUL and the secret as it stands
/// in the list, without the blanks around it and with small letters in the
/// digits of md5 and hmac-sha256. It stays the same while account and secret do.
pub fn digest(account: &[u8], secret: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new_with_prefix(PURPOSE);
    hash.update(account);
    hash.update(b"\0");
    hash.update(&*normal(secret));
    let hash = hash.finalize();
    let (first, _) = hash.split_first_chunk().unwrap_or((&[0; 16], &[]));
    *first
}

/// The account and the text of the secret that a line of a plain or md5 list
/// stands for: numbers of uses are kept by them. Returns `None` if it holds no PIN.
fn credential<'a>(gives: &Gives<'a>) -> Option<(&'a [u8], Zeroizing<Vec<u8>>)> {
    match *gives {
        Gives::Blank | Gives::Invalid(_) => None,
        Gives::Pin(pin) => Some((b"", Zeroizing::new([b"plain:", pin].concat()))),
        Gives::Account(account, hash) => {
            let hash = Zeroizing::new(md5::to_hex(&hash));
            let secret = [b"md5:", hash.as_slice()].concat();
            Some((account, Zeroizing::new(secret)))
        }
    }
}

/// The one spelling of a secret.
fn normal(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(secret.trim_ascii().to_vec());
    if text.starts_with(b"md5:") || text.starts_with(b"hmac-sha256:") {
        // The name of a key keeps its capital letters.
        let digits = text.rsplit_mut(|byte| *byte == b':').next();
        digits.unwrap_or_default().make_ascii_lowercase();
    }
    text
}

impl Rows {
    /// The rows whose PIN this is, for `identify = pin`. No slow hash is
    /// computed: rows with Argon2id are not found. An empty PIN finds none.
    pub fn by_pin(&self, pin: &Pin, pepper: &Pepper) -> Found<'_> {
        let (mut runs, mut missing) = (Vec::new(), Vec::new());
        for form in &self.forms {
            match form.index_key(pin, pepper) {
                Ok(Some(key)) => {
                    let run = self.indexes.pins.get(hash(&self.hasher, key.bytes()));
                    runs.push((key, run.peekable()));
                }
                Err(VerifyError::MissingKey(id)) => missing.push(id),
                Ok(None) | Err(VerifyError::Argon2) => {}
            }
        }
        Found {
            rows: self,
            runs,
            found: Vec::new().into_iter(),
            missing,
        }
    }

    /// The rows of a number, in the order of the list. Whether the PIN is theirs
    /// is not known yet.
    pub fn by_caller<'a>(&'a self, number: &Number) -> impl Iterator<Item = Candidate> + 'a {
        let caller = CallerNumber::of(number);
        let run = self.indexes.callers.get(hash(&self.hasher, &caller));
        run.flat_map(move |block| self.matching(block, |row| row.caller == Some(caller)))
    }

    /// The rows of an account, in the order of the list. Whether the PIN is
    /// theirs is not known yet. An empty account has no rows.
    pub fn by_account<'a>(&'a self, account: &'a [u8]) -> impl Iterator<Item = Candidate> + 'a {
        let run = self.indexes.accounts.get(hash(&self.hasher, account));
        let is_its = move |row: &Record<'_>| row.account == account && !account.is_empty();
        run.flat_map(move |block| self.matching(block, is_its))
    }

    /// The rows of a block that are such, in order.
    fn matching(&self, block: u32, is_such: impl Fn(&Record<'_>) -> bool) -> Vec<Candidate> {
        let (mut rows, mut matching) = (self.blocks.block(block), Vec::new());
        while let Some(row) = rows.next() {
            if is_such(&row) {
                matching.extend(Candidate::of(&row));
            }
        }
        matching
    }

    /// How many rows have Argon2id, so that no PIN alone finds them.
    pub fn argon2id(&self) -> u64 {
        self.argon2id
    }

    /// How many rows there are, those that are broken not counted.
    pub fn len(&self) -> u64 {
        self.profile.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.profile.rows == 0
    }

    /// The first rows that admit nobody: 20, or one more if there are more.
    pub fn broken(&self) -> &[RowError] {
        &self.broken
    }

    /// The line of the first row with a value for `max_uses` or `context`, and
    /// that column: not everything that verifies PINs can carry these out.
    pub fn limited(&self) -> Option<(u64, Column)> {
        self.limited
    }

    /// The time by the clock of their source, if it has one of its own: it decides about
    /// the dates of the rows.
    pub fn now(&self) -> Option<Moment> {
        self.now
    }

    /// Returns the memory they take, in bytes.
    pub fn memory(&self) -> u64 {
        let indexes = self.indexes.all().map(|(_, index)| index.size());
        let bytes = self.blocks.size()
            + indexes.iter().sum::<usize>()
            + self.forms.capacity() * size_of::<Form>()
            + self.signed.capacity() * size_of::<SignedRows>()
            + self.broken.capacity() * size_of::<RowError>();
        bytes as u64
    }
}

/// The first half of a hash.
fn hash(hasher: &RandomState, key: &(impl Hash + ?Sized)) -> u32 {
    (hasher.hash_one(key) >> 32) as u32
}

impl Found<'_> {
    /// The keys that rows need and the pepper lacks: whether these rows have the PIN
    /// is unknown.
    pub fn missing(&self) -> &[KeyId] {
        &self.missing
    }
}

impl Iterator for Found<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            if let Some(found) = self.found.next() {
                return Some(found);
            }
            let heads = self.runs.iter_mut().filter_map(|(_, run)| run.peek());
            let block = heads.copied().min()?;
            // Two forms may have rows in the same block.
            for (_, run) in &mut self.runs {
                run.next_if_eq(&block);
            }
            let runs = &self.runs;
            let has_pin = |row: &Record<'_>| runs.iter().any(|(key, _)| key.is_of(row.secret));
            self.found = self.rows.matching(block, has_pin).into_iter();
        }
    }
}

impl Candidate {
    /// Returns `None` if the secret is invalid, which it is in no row in memory.
    fn of(record: &Record<'_>) -> Option<Self> {
        Some(Self {
            line: record.line,
            account: record.account.to_vec(),
            secret: record.secret.to_secret().ok()?,
            level: record.terms.level,
            from: record.terms.from,
            until: record.terms.until,
            max_uses: record.terms.max_uses,
            context: record.terms.context.map(str::to_owned),
            enabled: record.terms.enabled,
            phc: match record.secret {
                SecretView::Argon2id(text, _) => Zeroizing::new(text.to_vec()),
                _ => Zeroizing::default(),
            },
        })
    }

    /// Returns the key under which its uses are counted: [`digest`].
    pub fn digest(&self) -> [u8; 16] {
        digest(&self.account, &self.secret.view(&self.phc).text())
    }
}

#[cfg(test)]
mod tests;
