//! Entries judged by a PIN set: who calls, which rows are theirs, whether these
//! admit, and what is counted of it. The one code path of the module and of
//! `pinset serve`.
//!
//! A [`Judge`] is made for one call. What it needs is brought by a [`BackEnd`]
//! (lists, slow hashes, uses, times) and a [`Keeper`] (the lockouts, what becomes
//! known of the call); the caller is looked after by who is [`Patient`].
//! A [`Counter`] counts entries without a PIN set, too.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use crate::admission::{admit, digest_of_entry, Terms};
use crate::conversation::Status;
use crate::list::Kind;
use crate::lockout::{Account, Caller, Limits};
use crate::moment::Moment;
use crate::number::{Number, Numbering};
use crate::pin::Pin;
use crate::rows::{Candidate, Rows};
use crate::secret::{Cost, Unverifiable};
use crate::settings::{Identify, NoCaller, PinSet, Source};
use crate::source::{Entry, Grant, PinSource, Verdict};

mod back_end;
mod counter;
mod notice;
mod wanted;

pub use back_end::{Answer, BackEnd, Entries, Family, Use, Work};
pub use counter::{Counter, Debt, Halt, Keeper, Patient, Ticket, Waiting};
pub use notice::Notice;
pub use wanted::{Asked, Asking, Wanted};

/// The PIN set of a call.
pub struct Judge<B, K> {
    set: Arc<PinSet>,
    caller: Option<Number>,
    back_end: B,
    counter: Counter<K>,
}

/// Who calls, as it is known before anything is looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calling<'a> {
    /// The number that calls, however it is spelled.
    pub number: Option<&'a [u8]>,
    /// The name of the channel, or of where else the call comes in.
    pub channel: &'a str,
}

impl Calling<'_> {
    /// Whom entries are counted under, their number as it is compared by these
    /// rules.
    pub fn caller(&self, numbering: &Numbering) -> Caller {
        Caller::normalized(self.number, self.channel, numbering)
    }
}

/// What has come of an entry that somebody else has collected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// How it has come out.
    pub status: Status,
    /// Whose PIN it is: with success alone.
    pub grant: Option<Grant>,
    /// 1, or 0 if there was a lock: then the entry was not judged.
    pub attempts: u32,
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        Self {
            status,
            grant: None,
            attempts: 1,
        }
    }
}

/// Whose rows may be the caller's.
enum Who<'a> {
    Anybody,
    Caller(&'a Number),
    Account(&'a [u8]),
}

/// Nobody gets in, and why; or the caller is gone, or locked out.
enum Failure {
    Gone,
    Locked,
    Refused(String),
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Gone => Self::Gone,
            Halt::Locked => Self::Locked,
            Halt::Busy => Self::Refused("too many entries are judged at once".to_owned()),
        }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl<B: BackEnd, K: Keeper> Judge<B, K> {
    /// The PIN set of this name, for who calls.
    pub fn new(
        name: &str,
        set: Arc<PinSet>,
        calling: Calling<'_>,
        numbering: &Numbering,
        back_end: B,
        keeper: K,
    ) -> Self {
        let caller = calling.caller(numbering);
        let number = calling.number;
        Self {
            counter: Counter::new(name, Limits::from(&*set), caller, keeper),
            caller: number.and_then(|number| numbering.normalize(number)),
            set,
            back_end,
        }
    }

    /// What its entries are counted under.
    pub fn counter(&self) -> &Counter<K> {
        &self.counter
    }

    /// Its options.
    pub fn set(&self) -> &PinSet {
        &self.set
    }

    /// Whether the caller is to be asked for an account number.
    pub fn asks_account(&self) -> bool {
        match self.set.identify {
            Identify::Pin => false,
            Identify::Account => true,
            Identify::Caller => self.caller.is_none() && self.set.no_caller == NoCaller::AskAccount,
        }
    }

    /// Whether the caller can't be anybody in it, whatever is keyed.
    pub fn refuses(&self) -> bool {
        self.set.identify == Identify::Caller && self.caller.is_none() && !self.asks_account()
    }

    /// Judges an entry that somebody else has collected, for this account;
    /// empty: none is named. No entry, or one of more than `max_digits`, is
    /// one that nobody can key here: it fails, and is not counted.
    pub fn outcome<H: Patient>(
        &mut self,
        host: &mut H,
        account: &[u8],
        entry: Option<&Pin>,
    ) -> Outcome {
        let most = self.set.max_digits;
        let Some(pin) = entry.filter(|pin| pin.len() <= most) else {
            return Status::Failure.into();
        };
        let mut number = Pin::new();
        account.iter().for_each(|byte| number.push(*byte));
        let account = (!account.is_empty()).then_some(&number);
        match self.judge(host, Entry { account, pin }) {
            Some(Verdict::Right(grant)) => Outcome {
                grant: Some(grant),
                ..Status::Success.into()
            },
            Some(Verdict::Locked { judged }) => Outcome {
                attempts: judged.into(),
                ..Status::Locked.into()
            },
            Some(Verdict::Expired) => Status::Expired.into(),
            Some(Verdict::Wrong) => Status::Failure.into(),
            Some(Verdict::Unavailable) => Status::Error.into(),
            None => Status::Hangup.into(),
        }
    }

    fn keeper(&self) -> &K {
        self.counter.keeper()
    }

    fn name(&self) -> &str {
        self.counter.name()
    }

    fn decide<H: Patient>(
        &self,
        host: &mut H,
        entry: Entry<'_>,
        ticket: &mut Ticket<'_, K>,
    ) -> Result<Verdict, Failure> {
        let pin = entry.pin;
        if pin.len() < self.set.min_digits {
            return Ok(Verdict::Wrong);
        }
        let who = match (self.set.identify, entry.account, &self.caller) {
            (Identify::Pin, ..) => Who::Anybody,
            (_, Some(account), _) if self.asks_account() => Who::Account(account.as_bytes()),
            (Identify::Caller, _, Some(number)) => Who::Caller(number),
            _ => return Ok(Verdict::Wrong),
        };
        let answer = self.back_end.ask(host, &self.set, pin);
        match answer.ok_or(Failure::Gone)? {
            Answer::Refused(why) => Err(why.into()),
            Answer::Entry(Verdict::Right(grant), entries) => self.entry(host, grant, entries, pin),
            Answer::Entry(verdict, _) => Ok(verdict),
            Answer::Rows(rows, kind) => {
                let take = |host: &mut H, row: &Candidate| self.take_of_row(host, row);
                let verdict = self.rows(host, &rows, &who, pin, ticket, take)?;
                Ok(match kind {
                    Kind::Csv => verdict,
                    Kind::Lines(_) => without_level(verdict),
                })
            }
            Answer::Family(family) => {
                let take = |host: &mut H, row: &Candidate| match self.set.one_time {
                    true => self.take_key(host, family.key(row).unwrap_or_default()),
                    false => Ok(true),
                };
                let verdict = self.rows(host, &family.rows, &who, pin, ticket, take)?;
                Ok(without_level(verdict))
            }
        }
    }

    /// An entry that is in the list.
    fn entry<H: Patient>(
        &self,
        host: &mut H,
        grant: Grant,
        entries: Entries,
        pin: &Pin,
    ) -> Result<Verdict, Failure> {
        if !self.is_open() {
            return Ok(Verdict::Expired);
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
        Ok(if taken {
            Verdict::Right(grant)
        } else {
            without
        })
    }

    /// Judges by rows; `take` takes one of the uses of a row.
    fn rows<H: Patient>(
        &self,
        host: &mut H,
        rows: &Rows,
        who: &Who<'_>,
        pin: &Pin,
        ticket: &mut Ticket<'_, K>,
        take: impl FnMut(&mut H, &Candidate) -> Result<bool, Failure>,
    ) -> Result<Verdict, Failure> {
        let theirs: Vec<Candidate> = match who {
            Who::Anybody => return self.anybody(host, rows, pin, take),
            Who::Caller(number) => rows.by_caller(number).collect(),
            Who::Account(account) => rows.by_account(account).collect(),
        };
        self.keeper().identified(only_account(&theirs));
        // Before any hash is computed.
        let theirs = charged(host, who, theirs, ticket)?;
        let right = self.right(host, theirs, rows.dummy(), pin)?;
        self.admit(host, right, take)
    }

    fn anybody<H: Patient>(
        &self,
        host: &mut H,
        rows: &Rows,
        pin: &Pin,
        take: impl FnMut(&mut H, &Candidate) -> Result<bool, Failure>,
    ) -> Result<Verdict, Failure> {
        if rows.argon2id() > 0 {
            let notice = Notice::Argon2id(self.name(), rows.argon2id());
            self.keeper().notice(&notice);
        }
        let found = rows.by_pin(pin, self.back_end.pepper());
        let missing = found.missing().first().copied();
        match (self.admit(host, found, take)?, missing) {
            // It may be the PIN of a row that can't be checked.
            (Verdict::Wrong, Some(key)) => Err(Unverifiable::NoKey(key).to_string().into()),
            (verdict, _) => Ok(verdict),
        }
    }

    /// Of these rows, those whose PIN it is. With `cost`, the list has rows whose
    /// hash costs so much.
    fn right<H: Patient>(
        &self,
        host: &mut H,
        theirs: Vec<Candidate>,
        cost: Option<Cost>,
        pin: &Pin,
    ) -> Result<Vec<Candidate>, Failure> {
        let (slow, fast): (Vec<_>, Vec<_>) = theirs
            .into_iter()
            .partition(|row| row.secret.form().is_slow());
        let mut why = None;
        let mut right = Vec::new();
        for row in fast {
            match row.secret.verify(pin, self.back_end.pepper()) {
                Ok(true) => right.push(row),
                Ok(false) => {}
                Err(unverifiable) => why = Some(unverifiable.to_string()),
            }
        }
        // Whether somebody has a row must not be told by the time it takes.
        let dummy = cost.filter(|_| slow.is_empty());
        if !slow.is_empty() || dummy.is_some() {
            let work = Work {
                rows: slow,
                dummy,
                pin: pin.clone(),
            };
            let verified = self.back_end.verify(host, work);
            right.extend(verified.ok_or(Failure::Gone)??);
            right.sort_by_key(|row| row.line);
        }
        match why {
            Some(why) if right.is_empty() => Err(why.into()),
            _ => Ok(right),
        }
    }

    fn admit<H: Patient>(
        &self,
        host: &mut H,
        rows: impl IntoIterator<Item = Candidate>,
        mut take: impl FnMut(&mut H, &Candidate) -> Result<bool, Failure>,
    ) -> Result<Verdict, Failure> {
        let terms = Terms {
            required_level: self.set.required_level,
            open: self.is_open(),
            now: Moment::of(SystemTime::UNIX_EPOCH + self.keeper().now()),
        };
        // Whose PIN it is is known, whether or not it admits.
        let rows = rows.into_iter().inspect(|row| {
            self.keeper().identified(&row.account);
        });
        admit(rows, terms, |row| take(host, row))
    }

    /// Whether it admits at this time.
    fn is_open(&self) -> bool {
        let is_time = |times| self.back_end.is_time(times);
        self.set.times.as_ref().is_none_or(is_time)
    }

    /// Takes one of the uses of a row of a list.
    fn take_of_row<H: Patient>(&self, host: &mut H, row: &Candidate) -> Result<bool, Failure> {
        let limit = if self.set.one_time {
            Some(NonZeroU32::MIN)
        } else {
            row.max_uses
        };
        limit.map_or(Ok(true), |limit| {
            self.count(host, &row.account, row.digest(), limit)
        })
    }

    fn count<H: Patient>(
        &self,
        host: &mut H,
        account: &[u8],
        digest: [u8; 16],
        limit: NonZeroU32,
    ) -> Result<bool, Failure> {
        let pin_set = self.name();
        let counted = Use::Counted {
            pin_set,
            account,
            digest,
            limit,
        };
        self.take(host, counted)
    }

    /// Removes a key of the database; false if it is gone already.
    fn take_key<H: Patient>(&self, host: &mut H, key: &[u8]) -> Result<bool, Failure> {
        match &self.set.source {
            Some(Source::Astdb(family)) => self.take(host, Use::Key { family, key }),
            _ => Ok(false),
        }
    }

    fn take<H: Patient>(&self, host: &mut H, what: Use<'_>) -> Result<bool, Failure> {
        let taken = self.back_end.take(host, what);
        Ok(taken.ok_or(Failure::Gone)??)
    }
}

impl<H: Patient, B: BackEnd, K: Keeper> PinSource<H> for Judge<B, K> {
    fn judge(&mut self, host: &mut H, entry: Entry<'_>) -> Option<Verdict> {
        self.keeper().identified(b"");
        self.counter.judge(host, entry.pin, |host, ticket| {
            match self.decide(host, entry, ticket) {
                Ok(verdict) => Some(verdict),
                Err(Failure::Gone) => None,
                Err(Failure::Locked) => Some(Verdict::Locked { judged: false }),
                Err(Failure::Refused(why)) => {
                    let notice = Notice::Refused(self.name(), &why);
                    self.keeper().notice(&notice);
                    Some(Verdict::Unavailable)
                }
            }
        })
    }
}

/// Charges the entry to the account that was asked for, and to those of these
/// rows. Returns the rows it may be compared with: those of locked accounts are
/// left out.
fn charged<H: Patient, K: Keeper>(
    host: &mut H,
    who: &Who<'_>,
    rows: Vec<Candidate>,
    ticket: &mut Ticket<'_, K>,
) -> Result<Vec<Candidate>, Halt> {
    let named = match who {
        Who::Account(name) => Some(Account {
            name,
            known: !rows.is_empty(),
        }),
        Who::Anybody | Who::Caller(_) => None,
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

#[cfg(test)]
mod tests;
