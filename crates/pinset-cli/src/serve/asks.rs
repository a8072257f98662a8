//! Limits on how often a call is asked for something that it does not enter.
//!
//! A PBX posts a call again at once if the caller is silent or the prompt can't be
//! played, so that asking without a limit never ends. Memory alone keeps these
//! counts: after a restart they start over.

use parking_lot::Mutex;

use crate::serve::tally::{key, Tallies, Tally};

/// A call is asked for each variable as often as it has attempts, but not less
/// often than this.
const MIN_ASKS: u32 = 3;
/// A call is forgotten this long after it was last asked, in seconds.
const CALL_LIFETIME: u64 = 60 * 60;

/// How often a caller number is asked within [`CALLER_WINDOW`] without entering
/// anything, in posts that do not say which call they belong to.
const MAX_CALLER_ASKS: u32 = 60;
/// In seconds, from the first time.
const CALLER_WINDOW: u64 = 60;

/// What is asked for, and in which call.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub service: &'a str,
    pub variable: &'a str,
    pub uuid: Option<&'a str>,
    /// The caller number, in its one spelling; empty if there is none.
    pub caller: &'a str,
}

/// The counts.
#[derive(Default)]
pub struct Asks(Mutex<Tallies>);

impl Asks {
    /// Counts one more. Returns how often this call was asked for it before, or
    /// `None` if it has been asked often enough.
    ///
    /// A post with a `uuid` is limited by its call alone: anybody can show another
    /// caller's number, or none, and must not use up what others have.
    pub fn take(&self, ask: Ask<'_>, attempts: u32, now: u64) -> Option<u32> {
        let mut tallies = self.0.lock();
        let (key, most, lifetime) = match ask.uuid {
            Some(uuid) => (
                key(&[ask.service, "call", ask.variable, uuid]),
                attempts.max(MIN_ASKS),
                CALL_LIFETIME,
            ),
            None => (
                key(&[ask.service, "caller", ask.caller]),
                MAX_CALLER_ASKS,
                CALLER_WINDOW,
            ),
        };
        let known = tallies.get(&key, now);
        let before = known.as_ref().map_or(0, |tally| tally.count);
        if before >= most {
            return None;
        }
        let until = match (ask.uuid, known) {
            (None, Some(first)) => first.until,
            _ => now + lifetime,
        };
        let count = before + 1;
        tallies.put(key, Tally { count, until }, now, drop);
        // Without a call, nobody knows that it was asked before.
        Some(ask.uuid.map_or(0, |_| before))
    }

    /// Notes that this caller number has entered something.
    pub fn entered(&self, service: &str, caller: &str) {
        let mut tallies = self.0.lock();
        tallies.remove(&key(&[service, "caller", caller]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask<'a>(uuid: Option<&'a str>, caller: &'a str) -> Ask<'a> {
        Ask {
            service: "hipcall",
            variable: "pin_code",
            uuid,
            caller,
        }
    }

    #[test]
    fn call_is_asked_for_each_variable_as_often_as_it_has_attempts() {
        for (attempts, most) in [(1, 3), (3, 3), (5, 5)] {
            let asks = Asks::default();
            let call = ask(Some("one"), "1");
            let account = Ask {
                variable: "account_number",
                ..call
            };
            for before in 0..most {
                assert_eq!(asks.take(call, attempts, 0), Some(before));
            }
            assert_eq!(asks.take(call, attempts, 0), None);
            assert_eq!(asks.take(account, attempts, 0), Some(0));
            assert_eq!(asks.take(ask(Some("two"), "1"), attempts, 0), Some(0));
            // An entry gives a call nothing back.
            asks.entered("hipcall", "1");
            assert_eq!(asks.take(call, attempts, CALL_LIFETIME - 1), None);
            assert_eq!(asks.take(call, attempts, CALL_LIFETIME), Some(0));
        }
    }

    #[test]
    fn caller_number_is_limited_without_uuid_alone() {
        let asks = Asks::default();
        let take = |caller: &str, now| asks.take(ask(None, caller), 1, now);
        for _ in 0..MAX_CALLER_ASKS {
            assert_eq!(take("1", 0), Some(0));
        }
        assert_eq!(take("1", CALLER_WINDOW - 1), None);
        // Neither another caller nor another minute is.
        assert_eq!(take("2", 0), Some(0));
        assert_eq!(take("1", CALLER_WINDOW), Some(0));
        for _ in 0..2 * MAX_CALLER_ASKS {
            assert_eq!(take("3", 0), Some(0));
            asks.entered("hipcall", "3");
        }
    }

    #[test]
    fn silent_calls_use_up_no_asks_of_other_calls() {
        for caller in ["", "+905060508161"] {
            let asks = Asks::default();
            for silent in 0..2 * MAX_CALLER_ASKS {
                let uuid = silent.to_string();
                asks.take(ask(Some(&uuid), caller), 1, 0);
            }
            assert_eq!(asks.take(ask(Some("honest"), caller), 1, 0), Some(0));
        }
    }
}
