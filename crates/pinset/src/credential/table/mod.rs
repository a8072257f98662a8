//! The rows of a PIN set in memory, made to answer in a few microseconds,
//! however many there are: by PIN, by the number that calls, by account.
//!
//! [`Reading`] makes [`Rows`] of a list, a part at a time; they do not change.
//! An index gets close by a hash that is seeded at random, then the row itself
//! is compared; secrets in constant time.

use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;

use foldhash::quality::RandomState;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::credential::pepper::{KeyId, Pepper};
use crate::credential::secret::{Form, IndexKey, Secret, VerifyError};
use crate::list::format::csv::Column;
use crate::list::format::md5;
use crate::list::Gives;
use crate::phone_number::Number;
use crate::pin::Pin;
use crate::timestamp::Moment;

pub mod absent;
mod arena;
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

use arena::Chunks;
use index::{row, RowIndex};
use record::{caller, Record};
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
    records: Chunks<u8>,
    pins: RowIndex,
    callers: RowIndex,
    accounts: RowIndex,
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
    /// The secret as it stands in the list.
    text: Zeroizing<Vec<u8>>,
}

/// The rows that a PIN finds, in the order of the list.
pub struct Found<'a> {
    rows: &'a Rows,
    /// For each form of secret, what has the PIN, and the rows that are left.
    runs: Vec<(IndexKey, &'a [u64])>,
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
                    let run = self.pins.get(hash(&self.hasher, &key));
                    runs.push((key, run));
                }
                Err(VerifyError::MissingKey(id)) => missing.push(id),
                Ok(None) | Err(VerifyError::Argon2) => {}
            }
        }
        Found {
            rows: self,
            runs,
            missing,
        }
    }

    /// The rows of a number, in the order of the list. Whether the PIN is theirs
    /// is not known yet.
    pub fn by_caller<'a>(&'a self, number: &'a Number) -> impl Iterator<Item = Candidate> + 'a {
        let run = self.callers.get(hash(&self.hasher, &caller(number)));
        run.iter()
            .filter_map(|entry| self.record(row(*entry)))
            .filter(|record| record.caller == Some(caller(number)))
            .filter_map(|record| Candidate::of(&record))
    }

    /// The rows of an account, in the order of the list. Whether the PIN is
    /// theirs is not known yet. An empty account has no rows.
    pub fn by_account<'a>(&'a self, account: &'a [u8]) -> impl Iterator<Item = Candidate> + 'a {
        let run = self.accounts.get(hash(&self.hasher, account));
        run.iter()
            .filter_map(|entry| self.record(row(*entry)))
            .filter(move |record| record.account == account)
            .filter_map(|record| Candidate::of(&record))
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
        let indexes = [&self.pins, &self.callers, &self.accounts].map(RowIndex::size);
        let bytes = self.records.size()
            + indexes.iter().sum::<usize>()
            + self.forms.capacity() * size_of::<Form>()
            + self.signed.capacity() * size_of::<SignedRows>()
            + self.broken.capacity() * size_of::<RowError>();
        bytes as u64
    }

    fn record(&self, at: u32) -> Option<Record<'_>> {
        Record::read(self.records.get(at))
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
            let heads = self.runs.iter().filter_map(|(_, run)| run.first());
            let at = heads.map(|entry| row(*entry)).min()?;
            let candidate = self.rows.record(at).as_ref().and_then(Candidate::of);
            let mut right = false;
            // Two forms may have the same hash, and so the same rows.
            for (key, run) in &mut self.runs {
                if run.first().is_some_and(|first| row(*first) == at) {
                    *run = run.get(1..).unwrap_or_default();
                    right |= candidate.as_ref().is_some_and(|row| key.is_of(&row.secret));
                }
            }
            if right {
                return candidate;
            }
        }
    }
}

impl Candidate {
    /// Returns `None` if the secret is invalid, which it is in no row in memory.
    fn of(record: &Record<'_>) -> Option<Self> {
        Some(Self {
            line: record.line,
            account: record.account.to_vec(),
            secret: Secret::parse(record.secret).ok()?,
            level: record.level,
            from: record.from,
            until: record.until,
            max_uses: record.max_uses,
            context: record.context.map(str::to_owned),
            enabled: record.enabled,
            text: Zeroizing::new(record.secret.to_vec()),
        })
    }

    /// Returns the key under which its uses are counted: [`digest`].
    pub fn digest(&self) -> [u8; 16] {
        digest(&self.account, &self.text)
    }
}

#[cfg(test)]
mod tests;
