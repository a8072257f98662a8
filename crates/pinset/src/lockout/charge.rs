//! Charges of an attempt: to caller, PIN set and accounts, until they are settled.

use std::cmp::Reverse;
use std::time::Duration;

use super::bounded_table::BoundedTable;
use super::counter::{Count, CounterError, FailureOwner};
use super::key::Key;
use super::subject::account_text;
use super::trust::Trust;
use super::{
    account_key, fly, Account, AttemptResult, Caller, ChargeError, Kind, Limits, Lock, Lockouts,
};
use crate::config::Lockout;

/// An entry that is being verified. It counts as wrong until it is settled, so it
/// must be settled even if the call ends.
#[must_use = "it counts as wrong until it is settled"]
#[derive(Debug)]
pub struct Charge {
    pub(super) pin_set: String,
    pub(super) caller: Caller,
    pub(super) limits: Limits,
    /// How many entries of the call were charged before.
    pub(super) tries: u32,
    /// Where it was charged. `None` if nothing is counted there, or there is no room.
    pub(super) by_caller: Option<Key>,
    pub(super) by_pin_set: Option<Key>,
    /// There it counts among those of trusted callers while it is locked.
    pub(super) over_budget: bool,
    pub(super) by_accounts: Vec<AccountCharge>,
}

/// The part of a [`Charge`] that stands at an account.
#[derive(Debug)]
pub(super) struct AccountCharge {
    key: Key,
    /// False if there was no room.
    counted: bool,
    /// The caller has succeeded with it before.
    is_trusted: bool,
    /// There it counts among those of trusted callers while the account is
    /// locked.
    on_reserve: bool,
}

impl AccountCharge {
    /// Settles it. `admits` if the entry admits with this account. Returns the end of
    /// the lock that begins.
    fn settle(
        &self,
        count: &mut Count,
        result: AttemptResult<'_>,
        admits: bool,
        limit: Option<Lockout>,
        now: u64,
    ) -> Option<u64> {
        match (result, limit, self.on_reserve) {
            (AttemptResult::Wrong, Some(limit), true) => count.wrong_on_reserve(&limit, now),
            (AttemptResult::Wrong, Some(limit), false) => count.wrong(&limit, self.is_trusted, now),
            (_, _, true) if admits => count.right_on_reserve(now),
            (_, _, false) if admits => count.right(self.is_trusted, now),
            (_, _, true) => count.refund_reserve(now),
            (_, _, false) => count.refund(now),
        }
    }
}

impl Charge {
    /// Whether the PIN set is over its budget, and the entry is from a caller with an
    /// earlier success there.
    pub fn is_over_budget(&self) -> bool {
        self.over_budget
    }
}

impl Lockouts {
    /// Charges the entry to an account as well, before it is verified for it. A
    /// number may belong to several; each is charged once. The lock of an
    /// account does not stop callers who have succeeded with it: they have a
    /// reserve of wrong entries during the lock, and one try a call.
    ///
    /// # Errors
    ///
    /// It is not to be verified for this account. The charge as a whole is still
    /// to be settled.
    pub fn charge_account(
        &mut self,
        charge: &mut Charge,
        account: Account<'_>,
        now: Duration,
    ) -> Result<(), ChargeError> {
        let now = self.now(now);
        let Some(limit) = charge.limits.account else {
            return Ok(());
        };
        let name = account_text(account.name);
        let key = account_key(&charge.pin_set, &name);
        if charge.by_accounts.iter().any(|charged| charged.key == key) {
            return Ok(());
        }
        let known = account.known.then(|| name.as_ref());
        let full = self.accounts.change(&key, |count| {
            count.known_as(known, now);
            count.full(&limit, now)
        });
        let is_trusted = self.trusts_for(charge, &name, now);
        let on_reserve = match full.flatten() {
            None => false,
            Some(locked @ CounterError::Locked(_)) if is_trusted => {
                let count = self.accounts.get(&key);
                let full = count.and_then(|count| count.reserve_full(&limit));
                // One try a call.
                if let Some(full) = full.or((charge.tries > 0).then_some(locked)) {
                    return Err(self.refused(Kind::Account, full));
                }
                true
            }
            Some(full) => return Err(self.refused(Kind::Account, full)),
        };
        let counted = if on_reserve {
            let fly = |count: &mut Count| count.fly_on_reserve(now);
            self.accounts.change(&key, fly).is_some()
        } else {
            let known = known.map(str::to_owned);
            let new = || Count::new(&charge.pin_set, FailureOwner::Account(known));
            fly(&mut self.accounts, &key, new, now)
        };
        charge.by_accounts.push(AccountCharge {
            key,
            counted,
            is_trusted,
            on_reserve,
        });
        Ok(())
    }

    /// Records the result of an entry. The account it admits starts over, and nothing
    /// else does: neither the caller, nor the PIN set, nor the other accounts it
    /// was charged to. Returns the longest of the locks that begin with it, if
    /// any do, or from now on hold for trusted callers as well: the call it was
    /// made in is locked out.
    pub fn settle(
        &mut self,
        charge: Charge,
        result: AttemptResult<'_>,
        now: Duration,
    ) -> Option<Lock> {
        let now = self.now(now);
        let limits = charge.limits;
        let admitted = match result {
            AttemptResult::Right(account) => account.map(account_text),
            AttemptResult::Wrong | AttemptResult::Void => None,
        };
        let admitted = admitted.as_deref();
        let admitted_key = admitted.map(|name| account_key(&charge.pin_set, name));
        let mut locks = Vec::new();
        let mut settle = |kind, table: &mut BoundedTable<Count>, key: &Key, limit, on_reserve| {
            let lock = table.change(key, |count| match (result, limit) {
                (AttemptResult::Wrong, Some(limit)) if on_reserve => {
                    count.wrong_on_reserve(&limit, now)
                }
                (AttemptResult::Wrong, Some(limit)) => count.wrong(&limit, false, now),
                _ if on_reserve => count.refund_reserve(now),
                _ => count.refund(now),
            });
            locks.extend(lock.flatten().map(|end| (end, kind)));
        };
        if let Some(key) = charge.by_caller {
            settle(Kind::Caller, &mut self.callers, &key, limits.caller, false);
        }
        if let Some(key) = charge.by_pin_set {
            let (kind, over_budget) = (Kind::PinSet, charge.over_budget);
            settle(kind, &mut self.pin_sets, &key, limits.pin_set, over_budget);
        }
        for at in charge.by_accounts.iter().filter(|at| at.counted) {
            let admits = admitted_key == Some(at.key);
            let lock = self.accounts.change(&at.key, |count| {
                at.settle(count, result, admits, limits.account, now)
            });
            locks.extend(lock.flatten().map(|end| (end, Kind::Account)));
        }
        if matches!(result, AttemptResult::Right(_)) && limits.pin_set.is_some() {
            self.trust(&charge.pin_set, &charge.caller, None, now);
        }
        // Where accounts are not charged, none can be locked.
        let charged = |key| charge.by_accounts.iter().any(|at| at.key == key);
        if admitted_key.is_some_and(charged) {
            self.trust(&charge.pin_set, &charge.caller, admitted, now);
        }
        let (end, kind) = locks
            .into_iter()
            .max_by_key(|(end, kind)| (*end, Reverse(*kind)))?;
        Some(self.lock(kind, end))
    }

    /// Whether the caller has succeeded with this account.
    fn trusts_for(&self, charge: &Charge, account: &str, now: u64) -> bool {
        let (_, key) = Trust::key(&charge.pin_set, &charge.caller, Some(account));
        let trust = self.trusted_for_account.get(&key);
        trust.is_some_and(|trust| trust.holds(now))
    }

    fn trust(&mut self, pin_set: &str, caller: &Caller, account: Option<&str>, now: u64) {
        let (table, key) = Trust::key(pin_set, caller, account);
        let trusted = self.trusted(table);
        if trusted.change(&key, |trust| trust.renew(now)).is_none() {
            trusted.insert(key, Trust::new(pin_set, caller, account, now));
        }
    }
}
