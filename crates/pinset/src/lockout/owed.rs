//! Attempts that were charged, are no longer in flight, and are counted later.

use std::time::Duration;

use super::{Charge, ChargeError, Keys, Limits, Lockouts, Subject};

impl Lockouts {
    /// Charges such an entry again, whatever else is in flight: it is about to be
    /// settled as wrong. Nothing is added to what is locked.
    pub fn charge_owed(&mut self, who: &Subject<'_>, now: Duration) -> Charge {
        let now = self.now(now);
        let keys = Keys::of(who);
        let Limits {
            caller, pin_set, ..
        } = who.limits;
        let only = |caller, pin_set| Subject {
            limits: Limits {
                caller,
                pin_set,
                account: None,
            },
            ..*who
        };
        let locked = |room| matches!(room, Err(ChargeError::Locked(_)));
        let (_, room) = self.standing(&only(caller, None), &keys, now);
        let caller = caller.filter(|_| !locked(room));
        let (budget, room) = self.standing(&only(None, pin_set), &keys, now);
        let pin_set = pin_set.filter(|_| !locked(room));
        let over_budget = budget.is_some() && pin_set.is_some();
        self.put_in_flight(&only(caller, pin_set), keys, over_budget, 0, now)
    }
}
