//! Limits on how often a call is prompted for digits that it does not enter.
//!
//! A PBX posts a call again at once if the caller is silent or the prompt can't be
//! played, so prompting without a limit would never end. The counts are in memory only
//! and restart from zero.

use parking_lot::Mutex;

use crate::serve::tally::{key, Tallies, Tally};

/// Fewest prompts per variable that a call gets; it gets more if it has more attempts.
const MIN_PROMPTS: u32 = 3;
/// Time after its last prompt at which a call is removed, in seconds.
const CALL_LIFETIME_SECS: u64 = 60 * 60;

/// Maximum number of prompts of a caller number within [`CALLER_WINDOW_SECS`] without
/// any entry, in posts that do not name their call.
const MAX_CALLER_PROMPTS: u32 = 60;
/// Window of [`MAX_CALLER_PROMPTS`], in seconds from the first prompt.
const CALLER_WINDOW_SECS: u64 = 60;

/// A prompt for a variable in a call.
#[derive(Clone, Copy)]
pub(super) struct Prompt<'a> {
    pub service: &'a str,
    pub variable: &'a str,
    pub uuid: Option<&'a str>,
    /// The normalized caller number; empty if there is none.
    pub caller: &'a str,
}

/// The counts of prompts.
#[derive(Default)]
pub(super) struct PromptLimiter(Mutex<Tallies>);

impl PromptLimiter {
    /// Counts a prompt. Returns how many prompts for the variable the call has had
    /// before, or `None` if it has reached the limit.
    ///
    /// A post with a `uuid` is limited by its call alone: anybody can show another
    /// caller's number, or none, and must not use up the prompts of others.
    pub(super) fn take(&self, prompt: Prompt<'_>, attempts: u32, now: u64) -> Option<u32> {
        let mut tallies = self.0.lock();
        let (key, most, lifetime) = match prompt.uuid {
            Some(uuid) => (
                key(&[prompt.service, "call", prompt.variable, uuid]),
                attempts.max(MIN_PROMPTS),
                CALL_LIFETIME_SECS,
            ),
            None => (
                key(&[prompt.service, "caller", prompt.caller]),
                MAX_CALLER_PROMPTS,
                CALLER_WINDOW_SECS,
            ),
        };
        let known = tallies.get(&key, now);
        let before = known.as_ref().map_or(0, |tally| tally.count);
        if before >= most {
            return None;
        }
        let until = match (prompt.uuid, known) {
            (None, Some(first)) => first.until,
            _ => now + lifetime,
        };
        let count = before + 1;
        tallies.put(key, Tally { count, until }, now, drop);
        // Without a `uuid`, it is unknown whether the call was prompted before.
        Some(prompt.uuid.map_or(0, |_| before))
    }

    /// Resets the count of a caller number, which has entered something.
    pub(super) fn entered(&self, service: &str, caller: &str) {
        let mut tallies = self.0.lock();
        tallies.remove(&key(&[service, "caller", caller]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt<'a>(uuid: Option<&'a str>, caller: &'a str) -> Prompt<'a> {
        Prompt {
            service: "hipcall",
            variable: "pin_code",
            uuid,
            caller,
        }
    }

    #[test]
    fn prompts_per_variable_equal_attempts_but_at_least_three() {
        for (attempts, most) in [(1, 3), (3, 3), (5, 5)] {
            let limiter = PromptLimiter::default();
            let call = prompt(Some("one"), "1");
            let account = Prompt {
                variable: "account_number",
                ..call
            };
            for before in 0..most {
                assert_eq!(limiter.take(call, attempts, 0), Some(before));
            }
            assert_eq!(limiter.take(call, attempts, 0), None);
            assert_eq!(limiter.take(account, attempts, 0), Some(0));
            assert_eq!(limiter.take(prompt(Some("two"), "1"), attempts, 0), Some(0));
            // An entry does not reset the count of a call.
            limiter.entered("hipcall", "1");
            assert_eq!(limiter.take(call, attempts, CALL_LIFETIME_SECS - 1), None);
            assert_eq!(limiter.take(call, attempts, CALL_LIFETIME_SECS), Some(0));
        }
    }

    #[test]
    fn caller_number_is_limited_only_without_uuid() {
        let limiter = PromptLimiter::default();
        let take = |caller: &str, now| limiter.take(prompt(None, caller), 1, now);
        for _ in 0..MAX_CALLER_PROMPTS {
            assert_eq!(take("1", 0), Some(0));
        }
        assert_eq!(take("1", CALLER_WINDOW_SECS - 1), None);
        // Neither another caller nor the next minute is limited.
        assert_eq!(take("2", 0), Some(0));
        assert_eq!(take("1", CALLER_WINDOW_SECS), Some(0));
        for _ in 0..2 * MAX_CALLER_PROMPTS {
            assert_eq!(take("3", 0), Some(0));
            limiter.entered("hipcall", "3");
        }
    }

    #[test]
    fn silent_calls_use_up_no_prompts_of_other_calls() {
        for caller in ["", "+905060508161"] {
            let limiter = PromptLimiter::default();
            for silent in 0..2 * MAX_CALLER_PROMPTS {
                let uuid = silent.to_string();
                limiter.take(prompt(Some(&uuid), caller), 1, 0);
            }
            assert_eq!(limiter.take(prompt(Some("honest"), caller), 1, 0), Some(0));
        }
    }
}
