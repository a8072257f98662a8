//! The conversation with a caller: prompt, read, judge, answer, route. A pure
//! state machine: it is told what happened and says what to do next.
//!
//! The order of prompts, the three attempts and the waits are the stock
//! application's (`apps/app_authenticate.c`, `ast_app_getdata` and
//! `ast_readstring`); where we differ, `docs/compatibility.md` says why.

use std::time::Duration;

use crate::pin::Pin;
use crate::prompt::Sound;
use crate::source::Verdict;

/// A `#` this soon after an entry that `maxdigits` ended belongs to that
/// entry, out of habit, and is not the next one (hazard L).
const HABITUAL_HASH: Duration = Duration::from_secs(2);

/// How to make the channel fit to talk on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// Answer it.
    Answer,
    /// Option `n`: early media, nothing is billed.
    Progress,
}

/// How long to wait for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// As long as the sound plays.
    Sound,
    /// Between two sounds of a list.
    BetweenSounds,
    /// The channel's time for the first key: 10 s unless `TIMEOUT(response)`
    /// says otherwise, 6 s on a channel without a dialplan.
    FirstKey,
    /// The channel's time for each further key: 5 s unless `TIMEOUT(digit)`
    /// says otherwise, 2 s on a channel without a dialplan.
    NextKey,
}

/// What came of waiting for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// One of `0`-`9`, `*`, `#`, `A`-`D`.
    Key(u8),
    /// The sound has ended ([`Wait::Sound`] only).
    SoundEnded,
    /// The time is up.
    Silence,
    /// Hung up, or somebody has redirected the call.
    Gone,
}

/// `AUTHENTICATESTATUS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The PIN was right.
    Success,
    /// Every attempt is used up.
    Failure,
    /// No key in any attempt.
    Timeout,
    /// The caller hung up, or was redirected, before a verdict.
    Hangup,
    /// Nobody could have got in: the log says why.
    Error,
}

impl Status {
    /// The word the dialplan sees.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Timeout => "TIMEOUT",
            Self::Hangup => "HANGUP",
            Self::Error => "ERROR",
        }
    }
}

/// The verdict on a call, as the channel is to show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settlement<'a> {
    /// How it came out.
    pub status: Status,
    /// Who the caller is, where the list says so.
    pub account: Option<&'a [u8]>,
    /// What the channel's account code becomes; `None` leaves it alone.
    pub account_code: Option<&'a [u8]>,
    /// How many entries were judged, silent ones included.
    pub attempts: u32,
}

/// Where the call goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// On with the dialplan (or where the jump has put it).
    Continue,
    /// Hang up: the application returns −1.
    HangUp,
}

/// How one conversation goes.
pub struct Plan {
    /// How the channel is opened if it is not up.
    pub opening: Opening,
    /// What asks for the PIN.
    pub prompts: Vec<Sound>,
    /// What asks again after a wrong entry.
    pub retry: Vec<Sound>,
    /// What thanks for the right one.
    pub success: Vec<Sound>,
    /// What is said before hanging up.
    pub failure: Vec<Sound>,
    /// How many entries a caller has.
    pub attempts: u32,
    /// An entry of this many keys is complete without `#`.
    pub max_digits: usize,
    /// Option `a`.
    pub account_code: bool,
    /// Option `j`: on failure to priority n+101, if there is one.
    pub jump: bool,
    /// Option `c`: on failure on at the next priority.
    pub carry_on: bool,
    /// Nothing is asked: nobody could get in.
    pub refused: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The call has come in.
    Begin,
    /// The channel is up, or early media is.
    Opened,
    /// The sound plays.
    Playing,
    /// There is no such sound.
    Missing,
    /// A key, the end of the sound, silence, or the caller's end.
    Heard(Heard),
    /// What the list says of the entry.
    Judged(Verdict),
    /// The channel shows the verdict.
    Settled,
    /// Whether there was a priority n+101 to go to.
    Jumped(bool),
}

/// What to do next. A sound that plays is stopped by any step but
/// `NextKey(Wait::Sound)` and `Settle`.
pub enum Step<'a> {
    /// Make the channel fit to talk on.
    Open(Opening),
    /// Start a sound.
    Play(&'a [u8]),
    /// Wait for a key.
    NextKey(Wait),
    /// Judge the entry.
    Judge(&'a Pin),
    /// Show the verdict on the channel.
    Settle(Settlement<'a>),
    /// Go to priority n+101.
    Jump,
    /// The end.
    Finish(Next),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    /// Sound `.0` of the prompt plays.
    Prompting(usize),
    /// Sound `.0` of the prompt is over; no key yet.
    Listening(usize),
    Reading,
    Judging,
    Settling(Then),
    Jumping,
    /// Sound `.0` of the farewell plays: thank-you or goodbye.
    Leaving(usize),
    Over,
}

/// What follows the verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// A failure looks for its way.
    Route,
    /// The rest of sound `.0`, which plays.
    Hear(usize),
    /// Sound `.0`, or the end if there is none.
    Leave(usize),
    HangUp,
}

/// The conversation of one call.
pub struct Conversation {
    plan: Plan,
    state: State,
    pin: Pin,
    attempts: u32,
    /// The prompt is the retry prompt from now on.
    retrying: bool,
    any_key: bool,
    unavailable: bool,
    /// When the last entry was ended by `max_digits`.
    filled_at: Option<Duration>,
    /// `None` until there is a verdict.
    status: Option<Status>,
    /// The channel shows the verdict.
    settled: bool,
    account: Option<Vec<u8>>,
}

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            state: State::Opening,
            pin: Pin::new(),
            attempts: 0,
            retrying: false,
            any_key: false,
            unavailable: false,
            filled_at: None,
            status: None,
            settled: false,
            account: None,
        }
    }

    /// Takes what came of the last step, and the time since any fixed
    /// moment; says what to do next. An event that can't follow the last step
    /// ends the call as an error.
    pub fn step(&mut self, event: Event, now: Duration) -> Step<'_> {
        if let Event::Heard(Heard::Gone) = event {
            return self.gone();
        }
        match (self.state, event) {
            (State::Opening, Event::Begin) => Step::Open(self.plan.opening),
            (State::Opening, Event::Opened) if self.plan.refused => {
                self.settle(Status::Error, Then::Route)
            }
            (State::Opening, Event::Opened) => self.ask(),

            (State::Prompting(_), Event::Playing) => Step::NextKey(Wait::Sound),
            (State::Prompting(sound), Event::Missing) => self.after_missing(sound),
            (State::Prompting(sound), Event::Heard(Heard::SoundEnded)) => self.listen(sound),
            (State::Prompting(_), Event::Heard(Heard::Key(key))) => self.key(key, now, Wait::Sound),

            (State::Listening(sound), Event::Heard(Heard::Silence)) => {
                if sound + 1 < self.prompt().len() {
                    self.prompt_at(sound + 1)
                } else {
                    self.judge()
                }
            }
            (State::Listening(sound), Event::Heard(Heard::Key(key))) => {
                let wait = self.wait_after(sound);
                self.key(key, now, wait)
            }

            (State::Reading, Event::Heard(Heard::Key(key))) => self.key(key, now, Wait::NextKey),
            (State::Reading, Event::Heard(Heard::Silence)) => self.judge(),

            (State::Judging, Event::Judged(verdict)) => self.judged(verdict),

            (State::Settling(then), Event::Settled) => self.go_on(then),
            (State::Jumping, Event::Jumped(true)) => self.finish(Next::Continue),
            (State::Jumping, Event::Jumped(false)) => self.route(),

            (State::Leaving(sound), Event::Playing) if !self.settled => {
                self.settle(Status::Success, Then::Hear(sound))
            }
            (State::Leaving(_), Event::Playing | Event::Heard(Heard::Key(_))) => {
                Step::NextKey(Wait::Sound)
            }
            (State::Leaving(sound), Event::Missing | Event::Heard(Heard::SoundEnded)) => {
                self.leave(sound + 1)
            }
            _ => self.finish(Next::HangUp),
        }
    }

    fn prompt(&self) -> &[Sound] {
        if self.retrying {
            &self.plan.retry
        } else {
            &self.plan.prompts
        }
    }

    /// A new attempt.
    fn ask(&mut self) -> Step<'_> {
        self.pin.clear();
        if self.prompt().is_empty() {
            self.listen(0)
        } else {
            self.prompt_at(0)
        }
    }

    fn prompt_at(&mut self, sound: usize) -> Step<'_> {
        self.state = State::Prompting(sound);
        match self.prompt().get(sound) {
            Some(name) => Step::Play(name),
            None => Step::Finish(Next::HangUp),
        }
    }

    /// A missing sound is not waited for; the last one's silence is.
    fn after_missing(&mut self, sound: usize) -> Step<'_> {
        if sound + 1 < self.prompt().len() {
            self.prompt_at(sound + 1)
        } else {
            self.listen(sound)
        }
    }

    fn listen(&mut self, sound: usize) -> Step<'_> {
        self.state = State::Listening(sound);
        Step::NextKey(self.wait_after(sound))
    }

    fn wait_after(&self, sound: usize) -> Wait {
        if sound + 1 < self.prompt().len() {
            Wait::BetweenSounds
        } else {
            Wait::FirstKey
        }
    }

    /// A key; `wait` is what we were waiting in, to be resumed if the key is
    /// to be ignored.
    fn key(&mut self, key: u8, now: Duration, wait: Wait) -> Step<'_> {
        let filled_at = self.filled_at.take();
        if key == b'#' {
            if filled_at.is_some_and(|at| now.saturating_sub(at) <= HABITUAL_HASH) {
                return Step::NextKey(wait);
            }
            self.any_key = true;
            return self.judge();
        }
        self.any_key = true;
        self.pin.push(key);
        if self.pin.len() >= self.plan.max_digits {
            self.filled_at = Some(now);
            return self.judge();
        }
        self.state = State::Reading;
        Step::NextKey(Wait::NextKey)
    }

    fn judge(&mut self) -> Step<'_> {
        self.state = State::Judging;
        self.attempts += 1;
        Step::Judge(&self.pin)
    }

    fn judged(&mut self, verdict: Verdict) -> Step<'_> {
        self.unavailable = verdict == Verdict::Unavailable;
        match verdict {
            Verdict::Right { account } => {
                self.account = account;
                self.status = Some(Status::Success);
                // The caller hears the answer first; what the dialplan is to
                // know, it knows in time.
                return self.leave(0);
            }
            Verdict::Wrong => self.retrying = true,
            // As the stock application does for a file it can't open: the
            // same prompt again.
            Verdict::Unavailable => {}
        }
        if self.attempts < self.plan.attempts {
            self.ask()
        } else if self.unavailable {
            self.settle(Status::Error, Then::Route)
        } else if self.any_key {
            self.settle(Status::Failure, Then::Route)
        } else {
            self.settle(Status::Timeout, Then::Route)
        }
    }

    fn settle(&mut self, status: Status, then: Then) -> Step<'_> {
        self.state = State::Settling(then);
        self.status = Some(status);
        self.settled = true;
        let account = self.account.as_deref();
        let account_code = (status == Status::Success && self.plan.account_code)
            .then(|| account.unwrap_or(self.pin.as_bytes()));
        Step::Settle(Settlement {
            status,
            account,
            account_code,
            attempts: self.attempts,
        })
    }

    fn go_on(&mut self, then: Then) -> Step<'_> {
        self.pin.clear();
        match then {
            Then::Route if self.plan.jump => {
                self.state = State::Jumping;
                Step::Jump
            }
            Then::Route => self.route(),
            Then::Hear(sound) => {
                self.state = State::Leaving(sound);
                Step::NextKey(Wait::Sound)
            }
            Then::Leave(sound) => self.leave(sound),
            Then::HangUp => self.finish(Next::HangUp),
        }
    }

    /// The caller is gone: nothing is played, nothing is jumped to, and
    /// before a verdict it counts as no failure.
    fn gone(&mut self) -> Step<'_> {
        if self.settled {
            return self.finish(Next::HangUp);
        }
        let status = self.status.unwrap_or(Status::Hangup);
        self.settle(status, Then::HangUp)
    }

    /// A failure that did not jump.
    fn route(&mut self) -> Step<'_> {
        if self.plan.carry_on {
            self.finish(Next::Continue)
        } else {
            self.leave(0)
        }
    }

    fn leave(&mut self, sound: usize) -> Step<'_> {
        if sound < self.farewell().len() {
            self.state = State::Leaving(sound);
            return Step::Play(&self.farewell()[sound]);
        }
        match self.status {
            Some(Status::Success) if self.settled => self.finish(Next::Continue),
            Some(Status::Success) => self.settle(Status::Success, Then::Leave(sound)),
            _ => self.finish(Next::HangUp),
        }
    }

    fn farewell(&self) -> &[Sound] {
        match self.status {
            Some(Status::Success) => &self.plan.success,
            _ => &self.plan.failure,
        }
    }

    fn finish(&mut self, next: Next) -> Step<'_> {
        self.state = State::Over;
        self.pin.clear();
        Step::Finish(next)
    }
}

#[cfg(test)]
mod tests;
