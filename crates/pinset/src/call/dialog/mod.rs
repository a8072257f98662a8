//! The dialog with a caller: prompt, read digits, verify, answer, route. A pure state
//! machine: it takes an event and returns the next step.
//!
//! The order of prompts, the three attempts and the waits are the stock
//! application's (`apps/app_authenticate.c`, `ast_app_getdata` and
//! `ast_readstring`); where we differ, `docs/compatibility.md` says why.

mod plan;

use std::time::Duration;

use crate::config::AccountCode;
use crate::dialplan::Route;
use crate::pin::{Pin, MAX_DIGITS};
use crate::prompt::Sound;
use crate::verdict::{Entry, Grant, Verdict};

pub use plan::{Event, Input, Next, Opening, Plan, Settlement, Status, Step, Wait};

/// A `#` this soon after an entry that `maxdigits` ended belongs to that
/// entry, out of habit, and is not the next one (docs/compatibility.md, row L).
pub(crate) const HABITUAL_HASH: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum DialogState {
    Opening,
    /// Sound `.0` of the prompt plays.
    /// The one behind the last is the fallback.
    Prompting(usize),
    /// Sound `.0` of the prompt is over; no digit yet.
    Listening(usize),
    Reading,
    Verifying,
    Settling(AfterVerdict),
    Jumping,
    /// Sound `.0` of the final_prompt plays: thank-you or goodbye.
    Leaving(usize),
    Over,
}

/// The field that the caller is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryField {
    Account,
    Pin,
}

/// The result of the last attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastAttempt {
    Wrong,
    Expired,
    Unavailable,
}

/// The step after the verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterVerdict {
    /// A failure looks for its way.
    Route,
    /// The rest of sound `.0`, which plays.
    Hear(usize),
    /// Sound `.0`, or the end if there is none.
    Permit(usize),
    HangUp,
}

/// The conversation of one call.
pub struct Conversation {
    plan: Plan,
    state: DialogState,
    field: EntryField,
    account: Pin,
    pin: Pin,
    /// The digits of this entry, including those that were cleared.
    keys: usize,
    attempts: u32,
    /// The number of prompts for the account.
    accounts: u32,
    /// The prompt is the retry prompt from now on.
    retrying: bool,
    any_key: bool,
    /// A sound of this prompt has played.
    prompted: bool,
    last: LastAttempt,
    /// When the last entry was ended by `max_digits`.
    filled_at: Option<Duration>,
    /// The outcome, once there is a verdict.
    status: Option<Status>,
    /// The channel shows the verdict.
    settled: bool,
    grant: Option<Grant>,
}

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self {
            field: EntryField::first(&plan),
            plan,
            state: DialogState::Opening,
            account: Pin::new(),
            pin: Pin::new(),
            keys: 0,
            attempts: 0,
            accounts: 0,
            retrying: false,
            any_key: false,
            prompted: false,
            last: LastAttempt::Wrong,
            filled_at: None,
            status: None,
            settled: false,
            grant: None,
        }
    }

    /// Takes the result of the last step and the time since any fixed point; returns the
    /// next step. An event that can't follow the last step ends the call as an error.
    pub fn step(&mut self, event: Event, now: Duration) -> Step<'_> {
        if let Event::Input(Input::Gone) = event {
            return self.gone();
        }
        match (self.state, event) {
            (DialogState::Opening, Event::Begin) => Step::Open(self.plan.opening),
            (DialogState::Opening, Event::Opened) => match self.plan.refused {
                Some(status) => self.settle(status, AfterVerdict::Route),
                None => self.ask(),
            },

            (DialogState::Prompting(_), Event::Playing) => {
                self.prompted = true;
                Step::NextKey(Wait::Sound)
            }
            (DialogState::Prompting(sound), Event::Missing) => self.after_missing(sound),
            (DialogState::Prompting(sound), Event::Input(Input::SoundEnded)) => self.listen(sound),
            (DialogState::Prompting(_), Event::Input(Input::Key(key))) => {
                self.key(key, now, Wait::Sound)
            }

            (DialogState::Listening(sound), Event::Input(Input::Silence)) => {
                if sound + 1 < self.prompt().len() {
                    self.prompt_at(sound + 1)
                } else {
                    self.entered()
                }
            }
            (DialogState::Listening(sound), Event::Input(Input::Key(key))) => {
                let wait = self.wait_after(sound);
                self.key(key, now, wait)
            }

            (DialogState::Reading, Event::Input(Input::Key(key))) => {
                let wait = self.wait_in_entry();
                self.key(key, now, wait)
            }
            (DialogState::Reading, Event::Input(Input::Silence)) => self.entered(),

            (DialogState::Verifying, Event::Verified(verdict)) => self.verified(verdict),

            (DialogState::Settling(then), Event::Settled) => self.go_on(then),
            (DialogState::Jumping, Event::Jumped(true)) => self.finish(Next::Continue),
            (DialogState::Jumping, Event::Jumped(false)) => self.route(),

            (DialogState::Leaving(sound), Event::Playing) if !self.settled => {
                self.settle(Status::Success, AfterVerdict::Hear(sound))
            }
            (DialogState::Leaving(_), Event::Playing | Event::Input(Input::Key(_))) => {
                Step::NextKey(Wait::Sound)
            }
            (DialogState::Leaving(sound), Event::Missing | Event::Input(Input::SoundEnded)) => {
                self.leave(sound + 1)
            }
            _ => self.finish(Next::HangUp),
        }
    }

    fn prompt(&self) -> &[Sound] {
        match (self.field, &self.plan.account) {
            (EntryField::Account, Some(prompt)) => prompt,
            _ if self.retrying => &self.plan.retry,
            _ => &self.plan.prompts,
        }
    }

    fn entry(&mut self) -> &mut Pin {
        match self.field {
            EntryField::Account => &mut self.account,
            EntryField::Pin => &mut self.pin,
        }
    }

    /// A new entry.
    fn ask(&mut self) -> Step<'_> {
        self.entry().clear();
        self.keys = 0;
        self.prompted = false;
        self.accounts += u32::from(self.field == EntryField::Account);
        if self.prompt().is_empty() {
            self.listen(0)
        } else {
            self.prompt_at(0)
        }
    }

    fn prompt_at(&mut self, sound: usize) -> Step<'_> {
        self.state = DialogState::Prompting(sound);
        let fallback = self.fallback().filter(|_| sound == self.prompt().len());
        match self.prompt().get(sound).or(fallback) {
            Some(name) => Step::Play(name),
            None => Step::Finish(Next::HangUp),
        }
    }

    /// The prompt that asks for the PIN if all of its sounds are missing. After a
    /// wrong entry the caller knows what is asked for.
    fn fallback(&self) -> Option<&Sound> {
        let fallback = self.plan.fallback_prompt.as_ref();
        fallback.filter(|_| self.field == EntryField::Pin && !self.retrying)
    }

    /// A missing sound is not waited for; the last one's silence is, if there is no
    /// other prompt.
    fn after_missing(&mut self, sound: usize) -> Step<'_> {
        let next = sound + 1;
        let falls_back = !self.prompted && self.fallback().is_some();
        let last = self.prompt().len() - usize::from(!falls_back);
        if next <= last {
            self.prompt_at(next)
        } else {
            self.listen(sound)
        }
    }

    fn listen(&mut self, sound: usize) -> Step<'_> {
        self.state = DialogState::Listening(sound);
        Step::NextKey(self.wait_after(sound))
    }

    fn wait_after(&self, sound: usize) -> Wait {
        if sound + 1 < self.prompt().len() {
            Wait::BetweenSounds
        } else {
            Wait::FirstKey(self.plan.first_key)
        }
    }

    /// An entry that was cleared waits as if it had not begun.
    fn wait_in_entry(&mut self) -> Wait {
        if self.entry().is_empty() {
            Wait::FirstKey(self.plan.first_key)
        } else {
            Wait::NextKey(self.plan.next_key)
        }
    }

    /// Handles a digit, `#` or the clear key. `wait` is the wait it ended, resumed if
    /// the key is ignored.
    fn key(&mut self, key: u8, now: Duration, wait: Wait) -> Step<'_> {
        let filled_at = self.filled_at.take();
        if key == b'#' {
            if filled_at.is_some_and(|at| now.saturating_sub(at) <= HABITUAL_HASH) {
                return Step::NextKey(wait);
            }
            self.any_key = true;
            return self.entered();
        }
        self.any_key = true;
        self.keys += 1;
        self.state = DialogState::Reading;
        if Some(key) == self.plan.clear_key {
            return self.cleared();
        }
        let longest = match self.field {
            EntryField::Account => MAX_DIGITS,
            EntryField::Pin => self.plan.max_digits,
        };
        let entry = self.entry();
        entry.push(key);
        if entry.len() >= longest {
            self.filled_at = Some(now);
            return self.entered();
        }
        Step::NextKey(self.wait_in_entry())
    }

    /// The key that starts an entry over. Of a PIN that has not begun, it goes
    /// back to the account number, as often as there are attempts.
    fn cleared(&mut self) -> Step<'_> {
        if self.keys >= MAX_DIGITS {
            // A caller who clears the entry endlessly can't hold the line.
            self.entry().clear();
            return self.entered();
        }
        let back = self.pin.is_empty() && self.accounts < self.plan.attempts;
        if self.field == EntryField::Pin && self.plan.account.is_some() && back {
            self.field = EntryField::Account;
            return self.ask();
        }
        self.entry().clear();
        Step::NextKey(self.wait_in_entry())
    }

    /// An entry is complete.
    fn entered(&mut self) -> Step<'_> {
        match self.field {
            EntryField::Pin => self.verify(),
            EntryField::Account if self.account.is_empty() => {
                self.attempts += 1;
                self.verified(Verdict::Wrong)
            }
            EntryField::Account => {
                self.field = EntryField::Pin;
                self.ask()
            }
        }
    }

    fn verify(&mut self) -> Step<'_> {
        self.state = DialogState::Verifying;
        self.attempts += 1;
        Step::Verify(Entry {
            account: self.plan.account.is_some().then_some(&self.account),
            pin: &self.pin,
        })
    }

    fn verified(&mut self, verdict: Verdict) -> Step<'_> {
        self.last = match verdict {
            Verdict::Right(grant) => {
                self.grant = Some(grant);
                self.status = Some(Status::Success);
                // The caller hears the answer first; what the dialplan is to
                // know, it knows in time.
                return self.leave(0);
            }
            Verdict::Expired => LastAttempt::Expired,
            Verdict::Wrong => LastAttempt::Wrong,
            Verdict::Locked { verified } => {
                self.attempts -= u32::from(!verified);
                return self.settle(Status::Locked, AfterVerdict::Route);
            }
            Verdict::Unavailable => LastAttempt::Unavailable,
        };
        // As the stock application does for a file it can't open: the same
        // prompt again.
        self.retrying |= self.last != LastAttempt::Unavailable && self.field == EntryField::Pin;
        if self.attempts < self.plan.attempts {
            return self.ask();
        }
        let status = match self.last {
            LastAttempt::Unavailable => Status::Error,
            LastAttempt::Expired => Status::Expired,
            LastAttempt::Wrong if self.any_key => Status::Failure,
            LastAttempt::Wrong => Status::Timeout,
        };
        self.settle(status, AfterVerdict::Route)
    }

    fn settle(&mut self, status: Status, then: AfterVerdict) -> Step<'_> {
        self.state = DialogState::Settling(then);
        self.status = Some(status);
        self.settled = true;
        let grant = self.grant.as_ref();
        let account_code = grant.and_then(|grant| match self.plan.account_code {
            AccountCode::Keep => None,
            AccountCode::Account => grant.account.as_deref(),
            AccountCode::Pin => Some(self.pin.as_bytes()),
        });
        Step::Settle(Settlement {
            status,
            grant,
            account_code,
            attempts: self.attempts,
        })
    }

    fn go_on(&mut self, then: AfterVerdict) -> Step<'_> {
        self.pin.clear();
        match then {
            AfterVerdict::Route if self.plan.jump => {
                self.state = DialogState::Jumping;
                Step::Jump
            }
            AfterVerdict::Route => self.route(),
            AfterVerdict::Hear(sound) => {
                self.state = DialogState::Leaving(sound);
                Step::NextKey(Wait::Sound)
            }
            AfterVerdict::Permit(sound) => self.leave(sound),
            AfterVerdict::HangUp => self.finish(Next::HangUp),
        }
    }

    /// Ends a call whose caller has hung up: there is no jump, and before a
    /// verdict it counts as no failure.
    fn gone(&mut self) -> Step<'_> {
        if self.settled {
            return self.finish(Next::HangUp);
        }
        let then = if self.says_goodbye_when_gone() {
            AfterVerdict::Permit(0)
        } else {
            AfterVerdict::HangUp
        };
        let status = self.status.unwrap_or(Status::Hangup);
        self.settle(status, then)
    }

    /// Whether the goodbye starts although the caller has hung up. A call that goes
    /// on after a failure has none, nor has one that could not be answered.
    fn says_goodbye_when_gone(&self) -> bool {
        let goes_on = self.plan.jump || self.plan.on_failure == Route::Continue;
        self.plan.final_prompt_when_gone
            && !goes_on
            && self.status.is_none()
            && self.state != DialogState::Opening
    }

    /// A failure that did not jump.
    fn route(&mut self) -> Step<'_> {
        match self.on_failure() {
            Route::Continue => self.finish(Next::Continue),
            Route::Hangup | Route::Goto(_) => self.leave(0),
        }
    }

    fn on_failure(&self) -> &Route {
        match self.status {
            Some(Status::Locked) => &self.plan.on_locked,
            _ => &self.plan.on_failure,
        }
    }

    fn leave(&mut self, sound: usize) -> Step<'_> {
        if sound < self.final_prompt().len() {
            self.state = DialogState::Leaving(sound);
            let gone_too = self.plan.final_prompt_when_gone;
            let sound = &self.final_prompt()[sound];
            return if gone_too {
                Step::PlayFinal(sound)
            } else {
                Step::Play(sound)
            };
        }
        match self.status {
            Some(Status::Success) if !self.settled => {
                self.settle(Status::Success, AfterVerdict::Permit(sound))
            }
            Some(Status::Success) => {
                let next = match (&self.plan.on_success, &self.grant) {
                    (Route::Continue, _) => Next::Continue,
                    (Route::Hangup, _) => Next::HangUp,
                    (Route::Goto(place), grant) => {
                        let context = grant.as_ref().and_then(|grant| grant.context.clone());
                        let mut place = place.clone();
                        place.context = context.unwrap_or(place.context);
                        Next::Goto(place)
                    }
                };
                self.finish(next)
            }
            _ => {
                let next = match self.on_failure() {
                    Route::Goto(place) => Next::Goto(place.clone()),
                    Route::Continue | Route::Hangup => Next::HangUp,
                };
                self.finish(next)
            }
        }
    }

    fn final_prompt(&self) -> &[Sound] {
        match self.status {
            Some(Status::Success) => &self.plan.success,
            Some(Status::Locked) => &self.plan.locked,
            _ => &self.plan.failure,
        }
    }

    fn finish(&mut self, next: Next) -> Step<'_> {
        self.state = DialogState::Over;
        self.pin.clear();
        Step::Finish(next)
    }
}

impl EntryField {
    fn first(plan: &Plan) -> Self {
        match plan.account {
            Some(_) => Self::Account,
            None => Self::Pin,
        }
    }
}

#[cfg(test)]
mod tests;
