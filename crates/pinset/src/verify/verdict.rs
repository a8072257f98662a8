//! The verdict on one attempt.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::SystemTime;

use thiserror::Error;

use super::attempt_limiter::{AttemptError, LockoutContext, ServiceChannel};
use super::backend::{Answer, BackEnd, Entries, RowQuery, Use, Verification, Work};
use super::notice::Notice;
use super::reason::{Reason, Searched};
use super::ticket::Ticket;
use super::Verifier;
use crate::config::{Identify, Source};
use crate::credential::table::{Candidate, Rows};
use crate::database::StoredRows;
use crate::list::FileKind;
use crate::lockout::Account;
use crate::pin::Pin;
use crate::timestamp::Moment;
use crate::verdict::{Entry, Grant, Verdict};
use crate::verify::admission::{admit, digest_of_entry, Denial, Taken, Terms};

/// Why there is no verdict.
#[derive(Debug, Error)]
pub(super) enum DecisionError {
    /// The caller has hung up.
    #[error("the caller has hung up")]
    Gone,
    /// There is a lock.
    #[error("locked")]
    Locked,
    /// The lockouts are not known, which was reported.
    #[error("lockouts unknown")]
    Unknown,
    /// The entry is refused, for this reason.
    #[error("{0}")]
    Refused(String),
}

impl From<AttemptError> for DecisionError {
    fn from(halt: AttemptError) -> Self {
        match halt {
            AttemptError::Gone => Self::Gone,
            AttemptError::Locked => Self::Locked,
            AttemptError::Busy => Self::Refused("too many entries are verified at once".to_owned()),
            AttemptError::Unknown => Self::Unknown,
        }
    }
}

impl From<String> for DecisionError {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl<B: BackEnd, K: LockoutContext> Verifier<B, K> {
    /// Verifies an entry that is charged to this ticket.
    pub(super) fn decide<H: ServiceChannel>(
        &self,
        host: &mut H,
        entry: Entry<'_>,
        ticket: &mut Ticket<'_, K>,
    ) -> Result<Verdict, DecisionError> {
        let pin = entry.pin;
        if pin.len() < self.set.min_digits {
            self.keeper().reason(Reason::TooShort(self.set.min_digits));
            return Ok(Verdict::Wrong);
        }
        let who = match (self.set.identify, entry.account, &self.caller) {
            (Identify::Pin, ..) => RowQuery::Anybody,
            (_, Some(account), _) if self.asks_account() => RowQuery::Account(account.as_bytes()),
            (Identify::Caller, _, Some(number)) => RowQuery::Caller(number),
            _ => {
                self.keeper().reason(Reason::NoNumber);
                return Ok(Verdict::Wrong);
            }
        };
        let answer = self.back_end.ask(host, self.name(), &self.set, &who, pin);
        let answer = answer.ok_or(DecisionError::Gone)?;
        let has_key = |key| self.back_end.pepper().key(key).is_some();
        if let Some(why) = self.set.objection(&answer, &has_key) {
            return Err(why.into());
        }
        match answer {
            Answer::Refused(why) => Err(why.into()),
            Answer::Entry(Verdict::Right(grant), entries) => {
                ticket.compare();
                self.entry(host, grant, entries, pin)
            }
            Answer::Entry(verdict, _) => {
                self.keeper().reason(Reason::WrongPin(who.searched()));
                Ok(verdict)
            }
            Answer::Rows(rows, kind) => {
                let take = |host: &mut H, row: &Candidate| self.take_of_row(host, row);
                let verdict = self.rows(host, &rows, &who, pin, ticket, take)?;
                Ok(match kind {
                    FileKind::Csv => verdict,
                    FileKind::Lines(_) => without_level(verdict),
                })
            }
            Answer::Family(family) => {
                let take = |host: &mut H, row: &Candidate| match self.set.one_time {
                    true => self.take_key(host, family.key(row).unwrap_or_default()),
                    false => Ok(Taken::Yes),
                };
                let verdict = self.rows(host, &family.rows, &who, pin, ticket, take)?;
                Ok(without_level(verdict))
            }
            Answer::Stored(stored) => {
                let take = |host: &mut H, row: &Candidate| self.take_stored(host, &stored, row);
                self.rows(host, &stored.rows, &who, pin, ticket, take)
            }
        }
    }

    /// The verdict on an entry that is in the list.
    fn entry<H: ServiceChannel>(
        &self,
        host: &mut H,
        grant: Grant,
        entries: Entries,
        pin: &Pin,
    ) -> Result<Verdict, DecisionError> {
        // An entry without a level has none that is required.
        let required = self.set.required_level;
        if grant.level.unwrap_or_default() < required {
            return Ok(self.deny(Denial::Level { required }));
        }
        if !self.is_open() {
            return Ok(self.deny(Denial::Closed));
        }
        if !self.set.one_time {
            return Ok(Verdict::Right(grant));
        }
        let (taken, without) = match entries {
            Entries::Lines(format) => {
                let account = grant.account.as_deref().unwrap_or_default();
                let digest = digest_of_entry(format, account, pin);
                let taken = self.count(host, account, digest, NonZeroU32::MIN)?;
                (taken, Verdict::Expired)
            }
            // Another call has just removed it.
            Entries::Keys => (self.take_key(host, pin.as_bytes())?, Verdict::Wrong),
        };
        Ok(match taken {
            Taken::Yes => Verdict::Right(grant),
            Taken::NoneLeft => {
                self.deny(Denial::Used);
                without
            }
            Taken::Failed => self.deny(Denial::Uncounted),
        })
    }

    /// Notes why a right PIN does not admit; returns the verdict.
    fn deny(&self, denial: Denial) -> Verdict {
        self.keeper().reason(Reason::Denied(denial));
        denial.verdict()
    }

    /// Verifies by rows; `take` takes one of the uses of a row.
    fn rows<H: ServiceChannel>(
        &self,
        host: &mut H,
        rows: &Rows,
        who: &RowQuery<'_>,
        pin: &Pin,
        ticket: &mut Ticket<'_, K>,
        take: impl FnMut(&mut H, &Candidate) -> Result<Taken, DecisionError>,
    ) -> Result<Verdict, DecisionError> {
        let theirs: Vec<Candidate> = match who {
            RowQuery::Anybody => {
                ticket.compare();
                self.keeper().reason(Reason::WrongPin(Searched::Pin));
                let found = self.found(rows, pin);
                return self.admit(host, found, rows, take);
            }
            RowQuery::Caller(number) => rows.by_caller(number).collect(),
            RowQuery::Account(account) => rows.by_account(account).collect(),
        };
        self.keeper().identified(only_account(&theirs));
        self.keeper().reason(match theirs.is_empty() {
            true => Reason::NoRow(who.searched()),
            false => Reason::WrongPin(who.searched()),
        });
        // Before any hash is computed.
        let theirs = charged(host, who, theirs, ticket)?;
        let (slow, fast): (Vec<_>, Vec<_>) = theirs
            .into_iter()
            .partition(|row| row.secret.form().is_slow());
        let work = Work {
            filler: rows.filler(who.found_by(), &slow),
            rows: slow,
            pin: pin.clone(),
        };
        let right = self.right(host, work, fast, ticket)?;
        self.admit(host, right, rows, take)
    }

    /// Returns the rows whose PIN it is, of all callers.
    fn found<'a>(&self, rows: &'a Rows, pin: &Pin) -> impl Iterator<Item = Candidate> + 'a {
        if rows.argon2id() > 0 {
            let notice = Notice::Argon2id(self.name(), rows.argon2id());
            self.keeper().notice(&notice);
        }
        rows.by_pin(pin, self.back_end.pepper())
    }

    /// The rows whose PIN it is, among those that are to be hashed and others. One
    /// that can't be checked is none of them.
    fn right<H: ServiceChannel>(
        &self,
        host: &mut H,
        slow: Work,
        fast: Vec<Candidate>,
        ticket: &mut Ticket<'_, K>,
    ) -> Result<Vec<Candidate>, DecisionError> {
        let pin = slow.pin.clone();
        let (mut right, mut late) = (Vec::new(), None);
        // First: if the queue is full, it is for everybody, and nothing was compared.
        if !slow.is_empty() {
            match self.run_work(host, slow, ticket)? {
                Ok(rows) => right = rows,
                Err(why) => late = Some(why),
            }
        }
        ticket.compare();
        let pepper = self.back_end.pepper();
        let is_right = |row: &Candidate| row.secret.verify(&pin, pepper) == Ok(true);
        right.extend(fast.into_iter().filter(is_right));
        right.sort_by_key(|row| row.line);
        match late {
            Some(why) if right.is_empty() => Err(why.into()),
            _ => Ok(right),
        }
    }

    /// Has slow hashes computed: the rows whose PIN it is, or why they have not
    /// been in time.
    fn run_work<H: ServiceChannel>(
        &self,
        host: &mut H,
        work: Work,
        ticket: &mut Ticket<'_, K>,
    ) -> Result<Result<Vec<Candidate>, String>, DecisionError> {
        let verification = self.back_end.run_work(host, work);
        if !matches!(verification, Verification::Rejected(_)) {
            ticket.compare();
        }
        match verification {
            Verification::Done(hashed) => {
                if let Some(failed) = hashed.failed {
                    self.reject(&failed.to_string());
                }
                Ok(Ok(hashed.right))
            }
            Verification::Late(why) => Ok(Err(why)),
            Verification::Rejected(why) => Err(why.into()),
            Verification::Gone => Err(DecisionError::Gone),
        }
    }

    /// The verdict on an entry that is the PIN of `right`, some of these rows.
    fn admit<H: ServiceChannel>(
        &self,
        host: &mut H,
        right: impl IntoIterator<Item = Candidate>,
        rows: &Rows,
        mut take: impl FnMut(&mut H, &Candidate) -> Result<Taken, DecisionError>,
    ) -> Result<Verdict, DecisionError> {
        let ours = || Moment::of(SystemTime::UNIX_EPOCH + self.keeper().now());
        let terms = Terms {
            required_level: self.set.required_level,
            open: self.is_open(),
            now: rows.now().unwrap_or_else(ours),
        };
        // The account of the PIN is known, whether or not the row admits.
        let right = right.into_iter().inspect(|row| {
            self.keeper().identified(&row.account);
        });
        let deny = |denial| {
            self.deny(denial);
        };
        let verdict = admit(right, terms, |row| take(host, row), deny)?;
        if verdict == Verdict::Wrong {
            self.note_unchecked(rows);
        }
        Ok(verdict)
    }

    /// Reports the rows that a wrong entry was not compared with. The report does not
    /// depend on the caller.
    fn note_unchecked(&self, rows: &Rows) {
        let pepper = self.back_end.pepper();
        let mut unchecked = rows.unchecked(|key| pepper.key(key).is_some());
        if let Some(rows) = unchecked.next() {
            let notice = Notice::Unchecked(self.name(), rows);
            self.keeper().notice(&notice);
        }
    }

    /// Reports a failure of ours that makes an entry wrong.
    fn reject(&self, why: &str) {
        let notice = Notice::Rejected(self.name(), why);
        self.keeper().notice(&notice);
    }

    /// Whether it admits at this time.
    fn is_open(&self) -> bool {
        let is_time = |times| self.back_end.is_time(times);
        self.set.times.as_ref().is_none_or(is_time)
    }

    /// Takes one of the uses of a row of a list.
    fn take_of_row<H: ServiceChannel>(
        &self,
        host: &mut H,
        row: &Candidate,
    ) -> Result<Taken, DecisionError> {
        self.limit_of(row).map_or(Ok(Taken::Yes), |limit| {
            self.count(host, &row.account, row.digest(), limit)
        })
    }

    /// How many calls a row admits, or `None` for any number.
    fn limit_of(&self, row: &Candidate) -> Option<NonZeroU32> {
        match self.set.one_time {
            true => Some(NonZeroU32::MIN),
            false => row.max_uses,
        }
    }

    /// Takes one of the uses of a row in PostgreSQL, or in a table of Realtime.
    fn take_stored<H: ServiceChannel>(
        &self,
        host: &mut H,
        stored: &StoredRows,
        row: &Candidate,
    ) -> Result<Taken, DecisionError> {
        let Some(limit) = self.limit_of(row) else {
            return Ok(Taken::Yes);
        };
        let (Some((id, secret)), Some(source)) = (stored.id(row), &self.set.source) else {
            return Ok(Taken::NoneLeft);
        };
        let use_of_row = Use::Stored {
            source,
            pin_set: self.name(),
            id,
            secret,
            limit,
            clock: &stored.clock,
        };
        self.take(host, use_of_row)
    }

    fn count<H: ServiceChannel>(
        &self,
        host: &mut H,
        account: &[u8],
        digest: [u8; 16],
        limit: NonZeroU32,
    ) -> Result<Taken, DecisionError> {
        let pin_set = self.name();
        let counted = Use::Counted {
            pin_set,
            account,
            digest,
            limit,
        };
        self.take(host, counted)
    }

    /// Removes a key of the database; none is left if it is gone already.
    fn take_key<H: ServiceChannel>(
        &self,
        host: &mut H,
        key: &[u8],
    ) -> Result<Taken, DecisionError> {
        match &self.set.source {
            Some(Source::Astdb(family)) => self.take(host, Use::Key { family, key }),
            _ => Ok(Taken::NoneLeft),
        }
    }

    /// Takes a use. One that can't be counted makes the entry wrong: neither status,
    /// sound nor lockout reveals that the PIN was right.
    fn take<H: ServiceChannel>(&self, host: &mut H, what: Use<'_>) -> Result<Taken, DecisionError> {
        let taken = self.back_end.take(host, what).ok_or(DecisionError::Gone)?;
        Ok(match taken {
            Ok(true) => Taken::Yes,
            Ok(false) => Taken::NoneLeft,
            Err(why) => {
                self.reject(&why.to_string());
                Taken::Failed
            }
        })
    }
}

/// Charges the entry to the account that was asked for, and to those of these
/// rows. Returns the rows it may be compared with: those of locked accounts are
/// left out.
fn charged<H: ServiceChannel, K: LockoutContext>(
    host: &mut H,
    who: &RowQuery<'_>,
    rows: Vec<Candidate>,
    ticket: &mut Ticket<'_, K>,
) -> Result<Vec<Candidate>, AttemptError> {
    let named = match who {
        RowQuery::Account(name) => Some(Account {
            name,
            known: !rows.is_empty(),
        }),
        RowQuery::Anybody | RowQuery::Caller(_) => None,
    };
    let of_rows = rows.iter().map(|row| Account {
        name: &row.account,
        known: true,
    });
    let of_rows = of_rows.filter(|account| !account.name.is_empty());
    let accounts: Vec<Account<'_>> = named.into_iter().chain(of_rows).collect();
    let open = ticket.accounts(host, &accounts)?;
    let locked: HashSet<Vec<u8>> = (accounts.iter().zip(open))
        .filter(|(_, open)| !open)
        .map(|(account, _)| account.name.to_vec())
        .collect();
    let is_open = |row: &Candidate| !locked.contains(row.account.as_slice());
    Ok(rows.into_iter().filter(is_open).collect())
}

/// The account that all of these have; empty if there are several, or none.
fn only_account(rows: &[Candidate]) -> &[u8] {
    match rows {
        [first, others @ ..] if others.iter().all(|row| row.account == first.account) => {
            &first.account
        }
        _ => b"",
    }
}

/// Of a list that has no levels.
fn without_level(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Right(grant) => Verdict::Right(Grant {
            level: None,
            ..grant
        }),
        verdict => verdict,
    }
}
