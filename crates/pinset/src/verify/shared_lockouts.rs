//! Lockouts of one call, in memory or in a database that many PBXs share.

use std::time::Duration;

use libpq::Reply;

use super::attempt_limiter::{Counter, LockoutContext, ServiceChannel};
use super::notice::Notice;
use crate::database::{Request, UnreadableReply};
use crate::lockout::stored::{self, StoredCharge};
use crate::lockout::{Account, AttemptResult, Charge, ChargeError, Lock, Lockouts, Standing};

/// The database with the lockouts of a PIN set.
pub trait SharedLockouts {
    /// An entry begins: its requests together may wait for `source_timeout`.
    fn begin(&self);

    /// Runs a request while the channel is served. Returns `None` if the caller has hung
    /// up: it may be run all the same.
    ///
    /// # Errors
    ///
    /// There is no answer in time, and why.
    fn query(
        &self,
        host: &mut dyn ServiceChannel,
        request: Request,
    ) -> Option<Result<Reply, String>>;

    /// Has a request run, and waits for nothing.
    fn send(&self, request: Request);
}

/// An entry that is charged.
#[derive(Debug)]
pub(super) enum AnyCharge {
    /// In memory.
    Own(Charge),
    /// In the database.
    Stored(StoredCharge),
}

impl AnyCharge {
    pub(super) fn is_over_budget(&self) -> bool {
        match self {
            Self::Own(charge) => charge.is_over_budget(),
            Self::Stored(charge) => charge.is_over_budget(),
        }
    }
}

/// Why an entry is not charged now.
#[derive(Debug)]
pub(super) enum Uncharged {
    /// The lockouts say so.
    Refused(ChargeError),
    /// The caller has hung up.
    Gone,
    /// The database has not answered, and why.
    Failed(String),
}

impl From<ChargeError> for Uncharged {
    fn from(error: ChargeError) -> Self {
        Self::Refused(error)
    }
}

impl From<UnreadableReply> for Uncharged {
    fn from(error: UnreadableReply) -> Self {
        Self::Failed(error.to_string())
    }
}

impl<K: LockoutContext> Counter<K> {
    /// What the caller may do, by the lockouts alone.
    pub(super) fn standing<H: ServiceChannel>(&self, host: &mut H) -> Standing {
        let Some(shared) = self.keeper().shared() else {
            let look = |lockouts: &mut Lockouts, now| lockouts.look(&self.subject(), now);
            return self.with_lockouts(look);
        };
        shared.begin();
        let reply = self.ask(shared, host, stored::look(&self.subject()));
        let standing = reply.and_then(|reply| match reply {
            Some(reply) => Ok(stored::standing(&reply, self.keeper().now())?),
            None => Ok(Standing::Open),
        });
        standing.unwrap_or_else(|error| match error {
            Uncharged::Failed(why) => {
                let notice = Notice::Refused(self.name(), &why);
                self.keeper().notice(&notice);
                Standing::Unknown
            }
            // The call ends by itself.
            Uncharged::Refused(_) | Uncharged::Gone => Standing::Open,
        })
    }

    /// Tries to charge an entry once; `tries` of the call were charged before.
    pub(super) fn try_charge<H: ServiceChannel>(
        &self,
        host: &mut H,
        tries: u32,
    ) -> Result<AnyCharge, Uncharged> {
        let who = self.subject();
        let Some(shared) = self.keeper().shared() else {
            let charge = |lockouts: &mut Lockouts, now| lockouts.charge(&who, tries, now);
            return Ok(AnyCharge::Own(self.with_lockouts(charge)?));
        };
        let reply = self.ask(shared, host, stored::charge(&who, tries))?;
        let charge = StoredCharge::of(reply.as_ref(), &who, tries, self.keeper().now())?;
        Ok(AnyCharge::Stored(charge?))
    }

    /// Tries once to charge an entry to these accounts as well. Returns the lock of each
    /// that is locked, unless all are.
    pub(super) fn try_accounts<H: ServiceChannel>(
        &self,
        host: &mut H,
        charge: &mut AnyCharge,
        accounts: &[Account<'_>],
    ) -> Result<Vec<Option<Lock>>, Uncharged> {
        match (charge, self.keeper().shared()) {
            (AnyCharge::Own(charge), _) => Ok(self
                .with_lockouts(|lockouts, now| charge_accounts(lockouts, charge, accounts, now))?),
            (AnyCharge::Stored(_), None) => Ok(vec![None; accounts.len()]),
            (AnyCharge::Stored(charge), Some(shared)) => {
                let reply = self.ask(shared, host, charge.charge_accounts(accounts))?;
                let now = self.keeper().now();
                Ok(charge.accounts_charged(accounts, reply.as_ref(), now)??)
            }
        }
    }

    /// Records the result of an entry. Returns the lock that begins. A database is waited
    /// for only if the entry is wrong, which may begin one, and there is a `host`.
    pub(super) fn settle_charge(
        &self,
        host: Option<&mut dyn ServiceChannel>,
        charge: AnyCharge,
        result: AttemptResult<'_>,
    ) -> Option<Lock> {
        let charge = match charge {
            AnyCharge::Stored(charge) => charge,
            AnyCharge::Own(charge) => {
                let settle = |lockouts: &mut Lockouts, now| lockouts.settle(charge, result, now);
                return self.with_lockouts(settle);
            }
        };
        let (request, shared) = (charge.settle(result)?, self.keeper().shared()?);
        let Some(host) = host.filter(|_| result == AttemptResult::Wrong) else {
            shared.send(request);
            return None;
        };
        // Without an answer it counts as wrong a minute after its charge.
        let lock = match shared.query(host, request)? {
            Ok(reply) => stored::settled(&reply, self.keeper().now()).map_err(|e| e.to_string()),
            Err(why) => Err(why),
        };
        lock.unwrap_or_else(|why| {
            let notice = Notice::Unrecorded(self.name(), &why);
            self.keeper().notice(&notice);
            None
        })
    }

    /// Runs a request, if there is one.
    fn ask<H: ServiceChannel>(
        &self,
        shared: &dyn SharedLockouts,
        host: &mut H,
        request: Option<Request>,
    ) -> Result<Option<Reply>, Uncharged> {
        let Some(request) = request else {
            return Ok(None);
        };
        let answer = shared.query(host, request).ok_or(Uncharged::Gone)?;
        answer.map(Some).map_err(Uncharged::Failed)
    }
}

/// Charges an entry to accounts. Returns the lock of each that is locked, unless
/// all are.
fn charge_accounts(
    lockouts: &mut Lockouts,
    charge: &mut Charge,
    accounts: &[Account<'_>],
    now: Duration,
) -> Result<Vec<Option<Lock>>, ChargeError> {
    let mut locks = Vec::with_capacity(accounts.len());
    for account in accounts {
        match lockouts.charge_account(charge, *account, now) {
            Ok(()) => locks.push(None),
            Err(ChargeError::Locked(lock)) => locks.push(Some(lock)),
            Err(ChargeError::Busy) => return Err(ChargeError::Busy),
        }
    }
    let all_locked = locks.iter().all(Option::is_some);
    match locks.first() {
        Some(Some(lock)) if all_locked => Err(ChargeError::Locked(*lock)),
        _ => Ok(locks),
    }
}
