//! Limits of the PINs that users check on pages, so that nobody finds those of others by
//! trying. A right one does not reset the count: a user who knows one could go on for ever.

use std::time::Duration;

use parking_lot::Mutex;
use pinset::lockout::{
    AttemptResult, Caller, Capacity, ChargeError, Limits, Lock, Lockouts, Subject,
};

use super::guard::USER_LIMIT;

/// The name under which attempts are counted.
const SUBJECT: &str = "pins";

/// Wrong PINs of one user.
const LIMITS: Limits = Limits {
    caller: Some(USER_LIMIT),
    account: None,
    pin_set: None,
};

/// The wrong PINs of all users.
pub(super) struct PinTries(Mutex<Lockouts>);

impl PinTries {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Lockouts::new(Capacity::DEFAULT)))
    }

    /// Calls `verify`, which returns whether a PIN is right, unless the user has tried too many
    /// wrong ones. `now` is the clock. The attempt counts as wrong until `verify` has returned.
    ///
    /// # Errors
    ///
    /// Nothing is verified, because of a lock or too many attempts at a time.
    pub(super) fn verify<T>(
        &self,
        user: &str,
        now: impl Fn() -> Duration,
        verify: impl FnOnce() -> (bool, T),
    ) -> Result<T, Option<Lock>> {
        let caller = Caller::new(Some(user.as_bytes()), SUBJECT);
        let subject = Subject {
            pin_set: SUBJECT,
            limits: LIMITS,
            caller: &caller,
        };
        let charged = self.0.lock().charge(&subject, 0, now());
        let charge = charged.map_err(|error| match error {
            ChargeError::Locked(lock) => Some(lock),
            ChargeError::Busy => None,
        })?;
        let (is_right, result) = verify();
        let attempt = match is_right {
            true => AttemptResult::Void,
            false => AttemptResult::Wrong,
        };
        self.0.lock().settle(charge, attempt, now());
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn fifth_wrong_pin_locks_the_user_whatever_was_right_between() {
        let tries = PinTries::new();
        let start = Duration::from_secs(1_800_000_000);
        let attempt = |user, is_right, now| tries.verify(user, || now, || (is_right, ()));
        for at in 0..5 {
            assert!(attempt("ada", true, start).is_ok());
            assert!(attempt("ada", false, start).is_ok(), "{at}");
        }
        for is_right in [false, true] {
            assert!(matches!(attempt("ada", is_right, start), Err(Some(_))));
        }
        assert!(attempt("bob", false, start).is_ok());
        assert!(attempt("ada", true, start + MINUTE * 31).is_ok());
    }
}
