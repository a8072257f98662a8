//! The interface of verification to its environment: the module or `pinset serve`.

use std::num::NonZeroU32;
use std::sync::Arc;

use thiserror::Error;

use super::attempt_limiter::ServiceChannel;
use super::reason::Searched;
use crate::cache::Report;
use crate::config::{PinSet, Source, Times};
use crate::credential::pepper::Pepper;
use crate::credential::secret::{Cost, VerifyError};
use crate::credential::table::{Candidate, FoundBy, Rows};
use crate::database::{LookupClock, StoredRows};
use crate::list::{FileKind, Format};
use crate::phone_number::Number;
use crate::pin::Pin;
use crate::verdict::Verdict;

/// The environment of the verification: the module in Asterisk, or `pinset serve`.
/// [`Verifier`](super::Verifier) decides; this gives it the data.
///
/// Slow methods service the channel of `host` meanwhile, and return `None` only if
/// the caller has hung up.
pub trait BackEnd {
    /// Asks the source of the PIN set of this name, as it is now. Query and entry are
    /// needed where the source is asked for them alone: [`Answer::Entry`],
    /// [`Answer::Stored`].
    fn ask<H: ServiceChannel>(
        &self,
        host: &mut H,
        name: &str,
        set: &Arc<PinSet>,
        query: &RowQuery<'_>,
        pin: &Pin,
    ) -> Option<Answer>;

    /// Runs [`Work::carry_out`] where it blocks no other call.
    fn run_work<H: ServiceChannel>(&self, host: &mut H, work: Work) -> Verification;

    /// Takes a use, for good, while the caller is served. Returns false if
    /// there is none left, and `None` if the caller has hung up: the use may be
    /// taken all the same.
    ///
    /// # Errors
    ///
    /// The use can't be counted, and why: the entry is refused as a wrong one.
    fn take<H: ServiceChannel>(
        &self,
        host: &mut H,
        what: Use<'_>,
    ) -> Option<Result<bool, UseError>>;

    /// Returns whether it is one of these times now.
    fn is_time(&self, times: &Times) -> bool;

    /// The keys of hmac-sha256 secrets.
    fn pepper(&self) -> &Pepper;
}

/// The way in which the caller's rows are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowQuery<'a> {
    /// By the PIN alone.
    Anybody,
    /// By the number of the caller.
    Caller(&'a Number),
    /// By an account number.
    Account(&'a [u8]),
}

impl RowQuery<'_> {
    pub(super) fn found_by(&self) -> FoundBy {
        match self {
            Self::Anybody => FoundBy::Pin,
            Self::Caller(_) => FoundBy::Caller,
            Self::Account(_) => FoundBy::Account,
        }
    }

    pub(super) fn searched(&self) -> Searched {
        match self {
            Self::Anybody => Searched::Pin,
            Self::Caller(number) => Searched::Caller(**number),
            Self::Account(_) => Searched::Account,
        }
    }
}

/// Why a use can't be taken.
#[derive(Debug, Error)]
pub enum UseError {
    /// The use of a row can't be written, for this reason.
    #[error("a use can't be counted: {0}")]
    NotCounted(String),
    /// A key of Asterisk's database can't be removed, for this reason.
    #[error("a PIN can't be used up: {0}")]
    NotRemoved(String),
    /// The environment counts no uses, for this reason.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// The answer of the source of a PIN set.
pub enum Answer {
    /// The verdict on the entry, before times and uses are checked, and the kind of
    /// source it is from.
    Entry(Verdict, Entries),
    /// All the rows of a list, and its kind.
    Rows(Arc<Rows>, FileKind),
    /// All the values of a family of Asterisk's database.
    Family(Box<Family>),
    /// The rows that PostgreSQL, or a table of Realtime, has found for this query.
    Stored(Box<StoredRows>),
    /// All entries are refused, for this reason.
    Refused(String),
}

impl Answer {
    /// The answer of rows that were read, or why nothing of them counts.
    pub fn of_rows(rows: &Result<Arc<Rows>, Report>, kind: FileKind) -> Self {
        match rows {
            Ok(rows) => Self::Rows(Arc::clone(rows), kind),
            Err(report) => Self::Refused(report.to_string()),
        }
    }
}

/// A source that is asked for one entry instead of all its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entries {
    /// A list with lines of this format.
    Lines(Format),
    /// The keys of a family of Asterisk's database.
    Keys,
}

/// The values of a family of Asterisk's database, each `account:secret`.
pub struct Family {
    /// The values; the line of each is its place among them, from 1.
    pub rows: Rows,
    /// The key of each, in the same order.
    pub keys: Vec<Vec<u8>>,
}

impl Family {
    /// The key whose value a row is.
    pub(super) fn key(&self, row: &Candidate) -> Option<&[u8]> {
        let at = usize::try_from(row.line).ok()?.checked_sub(1)?;
        self.keys.get(at).map(Vec::as_slice)
    }
}

/// A use of a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use<'a> {
    /// One of the uses of a row or a line.
    Counted {
        /// The PIN set's name.
        pin_set: &'a str,
        /// The account, empty if it has none.
        account: &'a [u8],
        /// What stands for its secret: [`digest`](crate::credential::table::digest()).
        digest: [u8; 16],
        /// How many it may have.
        limit: NonZeroU32,
    },
    /// One of the uses of a row in PostgreSQL, or in a table of Realtime.
    Stored {
        /// Where it was found.
        source: &'a Source,
        /// The PIN set's name.
        pin_set: &'a str,
        /// The row's id.
        id: &'a str,
        /// Its secret, as it was found.
        secret: &'a str,
        /// How many it may have.
        limit: NonZeroU32,
        /// When it was found.
        clock: &'a LookupClock,
    },
    /// The one use of a key of Asterisk's database: it is removed.
    Key {
        /// The family.
        family: &'a str,
        /// The key.
        key: &'a [u8],
    },
}

/// The result of [`BackEnd::run_work`].
pub enum Verification {
    /// The hashes were computed.
    Done(Hashed),
    /// The queue was full: nothing was compared, and nothing will be. Holds why.
    Rejected(String),
    /// The work was queued, but its result did not come in time. Holds why.
    Late(String),
    /// The caller has hung up.
    Gone,
}

/// The result of [`Work::carry_out`].
pub struct Hashed {
    /// The rows whose PIN it is, in their order.
    pub right: Vec<Candidate>,
    /// Why some of the hashes can't be computed: whether these rows match is
    /// unknown.
    pub failed: Option<VerifyError>,
}

/// The hashing for one entry.
pub struct Work {
    /// The rows whose hash may be that of the PIN.
    pub(super) rows: Vec<Candidate>,
    /// Costs that are spent for no result, so that the response time does not reveal how
    /// many such rows there are.
    pub(super) filler: Vec<Cost>,
    /// The digits that were entered.
    pub(super) pin: Pin,
}

impl Work {
    /// Whether there is nothing to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.filler.is_empty()
    }

    /// Computes the hashes: up to a second for each row. Returns `None` once `forsaken`
    /// returns true, because no call waits for the result any more.
    pub fn carry_out(self, mut forsaken: impl FnMut() -> bool) -> Option<Hashed> {
        let Self { rows, filler, pin } = self;
        let mut hashed = Hashed {
            right: Vec::new(),
            failed: None,
        };
        for cost in filler {
            if forsaken() {
                return None;
            }
            if let Err(why) = cost.spend(&pin) {
                hashed.failed = Some(why);
            }
        }
        for row in rows {
            if forsaken() {
                return None;
            }
            // All of them, so that the time does not reveal which row matched.
            match row.secret.verify(&pin, &Pepper::default()) {
                Ok(true) => hashed.right.push(row),
                Ok(false) => {}
                Err(why) => hashed.failed = Some(why),
            }
        }
        Some(hashed)
    }
}
