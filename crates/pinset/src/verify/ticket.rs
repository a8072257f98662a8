//! An entry that is charged, until it is settled.

use super::attempt_limiter::{AttemptError, Counter, LockoutContext, ServiceChannel};
use super::notice::Notice;
use super::shared_lockouts::{AnyCharge, Uncharged};
use crate::lockout::{Account, AttemptResult, Lock};

/// An entry that is being verified, charged to its caller and PIN set.
///
/// It ends in one of two ways: [`Self::settle`] gives the result, or it is
/// dropped (a hang-up, a panic) and counts as wrong. Once it has been compared
/// with a credential, only a right PIN refunds it.
pub struct Ticket<'a, K: LockoutContext> {
    counter: &'a Counter<K>,
    counted: bool,
    /// `None` if it is not counted, or settled.
    charge: Option<AnyCharge>,
    compared: bool,
    /// How many entries of the call were charged before.
    tries: u32,
    /// The lock of one of its accounts: it is verified for the others.
    pub(super) locked: Option<Lock>,
}

impl<'a, K: LockoutContext> Ticket<'a, K> {
    /// An entry of a call with `tries` charged entries before it. Without a charge, it
    /// is not counted.
    pub(super) fn new(counter: &'a Counter<K>, charge: Option<AnyCharge>, tries: u32) -> Self {
        Self {
            counter,
            counted: charge.is_some(),
            charge,
            compared: false,
            tries,
            locked: None,
        }
    }

    /// Notes that the entry is compared with a credential from now on, or waits
    /// in the queue for that. To be called before the first comparison.
    pub fn compare(&mut self) {
        self.compared = true;
    }

    /// Charges the entry to these accounts as well, before it is compared with a
    /// secret of theirs. Returns for each whether it may be: locked accounts are
    /// left out. While others in flight may fill a limit, nothing of the entry
    /// is in flight: it waits, and is then charged again.
    ///
    /// # Errors
    ///
    /// The entry is not to be verified: all of them are locked.
    pub fn accounts<H: ServiceChannel>(
        &mut self,
        host: &mut H,
        accounts: &[Account<'_>],
    ) -> Result<Vec<bool>, AttemptError> {
        if !self.counted {
            return Ok(vec![true; accounts.len()]);
        }
        let Self { counter, tries, .. } = *self;
        let held = &mut self.charge;
        let locks = counter.charged(host, |host| {
            let mut charge = match held.take() {
                Some(charge) => charge,
                None => counter.try_charge(host, tries)?,
            };
            let locks = counter.try_accounts(host, &mut charge, accounts);
            if let Err(Uncharged::Refused(_)) = locks {
                counter.settle_charge(None, charge, AttemptResult::Void);
            } else {
                *held = Some(charge);
            }
            locks
        })?;
        self.locked = locks.iter().flatten().next().copied();
        Ok(locks.iter().map(Option::is_none).collect())
    }

    /// Takes the entry out of flight as one step of several. It counts as wrong
    /// once the [`Debt`] is dropped, unless that is forgiven first. The try goes
    /// on with the next step.
    pub fn owe(mut self) -> Debt<'a, K> {
        let (counter, owed) = (self.counter, self.charge.is_some());
        self.end(None, AttemptResult::Void);
        counter.tries.set(counter.tries.get().saturating_sub(1));
        Debt { counter, owed }
    }

    /// Settles the entry; returns whether that locks the caller out, which a database says
    /// only with a `host`.
    /// [`AttemptResult::Void`] refunds an entry that was compared with nothing; any other
    /// counts as wrong.
    pub fn settle(
        mut self,
        host: Option<&mut dyn ServiceChannel>,
        verified: AttemptResult<'_>,
    ) -> bool {
        let verified = match verified {
            AttemptResult::Void if self.compared => AttemptResult::Wrong,
            verified => verified,
        };
        self.end(host, verified)
    }

    fn end(&mut self, host: Option<&mut dyn ServiceChannel>, verified: AttemptResult<'_>) -> bool {
        let Some(charge) = self.charge.take() else {
            return false;
        };
        let over_budget = charge.is_over_budget();
        let counter = self.counter;
        let begins = counter.settle_charge(host, charge, verified);
        let notice = begins.and_then(|lock| Notice::of(counter.name(), lock, over_budget));
        if let Some(notice) = notice {
            counter.keeper().notice(&notice);
        }
        if let Some(lock) = begins {
            counter.leave(lock);
        }
        begins.is_some()
    }
}

impl<K: LockoutContext> Drop for Ticket<'_, K> {
    fn drop(&mut self) {
        self.end(None, AttemptResult::Wrong);
    }
}

/// An entry that was one step of several and is not in flight any more. Dropped,
/// it counts as wrong, whatever else is in flight or locked by then.
pub struct Debt<'a, K: LockoutContext> {
    counter: &'a Counter<K>,
    owed: bool,
}

impl<K: LockoutContext> Debt<'_, K> {
    /// The last step has admitted the caller: it does not count.
    pub fn forgive(mut self) {
        self.owed = false;
    }
}

impl<K: LockoutContext> Drop for Debt<'_, K> {
    fn drop(&mut self) {
        if !self.owed {
            return;
        }
        let counter = self.counter;
        let charge =
            counter.with_lockouts(|lockouts, now| lockouts.charge_owed(&counter.subject(), now));
        drop(Ticket::new(counter, Some(AnyCharge::Own(charge)), 0));
    }
}
