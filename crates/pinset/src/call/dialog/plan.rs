//! Plans and outcomes of a dialog with a caller.

use std::time::Duration;

use crate::config::AccountCode;
use crate::dialplan::{Place, Route};
use crate::prompt::Sound;
use crate::verdict::{Entry, Grant, Verdict};

/// The way in which the channel is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// Answer it.
    Answer,
    /// Option `n`: early media, nothing is billed.
    Progress,
}

/// How long to wait for a digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Until the sound ends.
    Sound,
    /// Between two sounds of a list.
    BetweenSounds,
    /// For the first digit. `None` stands for the channel's own timeout: `TIMEOUT(response)`,
    /// which is 10 s by default, or 6 s on a channel without a dialplan.
    FirstKey(Option<Duration>),
    /// For each further digit. `None` stands for the channel's own timeout: `TIMEOUT(digit)`,
    /// which is 5 s by default, or 2 s on a channel without a dialplan.
    NextKey(Option<Duration>),
}

/// The result of waiting for a digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// One of `0`-`9`, `*`, `#`, `A`-`D`.
    Key(u8),
    /// The sound has ended ([`Wait::Sound`] only).
    SoundEnded,
    /// The timeout has expired.
    Silence,
    /// The caller has hung up, or the call was redirected.
    Gone,
}

/// `AUTHENTICATESTATUS`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    /// The PIN was right.
    Success,
    /// Every attempt is used up.
    Failure,
    /// No digit in any attempt.
    Timeout,
    /// The last entry was right, but outside its dates, times or uses.
    Expired,
    /// Locked out: by earlier failures, or by this one.
    Locked,
    /// The caller hung up, or was redirected, before a verdict.
    Hangup,
    /// No caller could have been admitted; the log has the reason.
    Error,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Timeout,
        Self::Expired,
        Self::Locked,
        Self::Hangup,
        Self::Error,
    ];

    /// Returns the value of the dialplan variable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Timeout => "TIMEOUT",
            Self::Expired => "EXPIRED",
            Self::Locked => "LOCKED",
            Self::Hangup => "HANGUP",
            Self::Error => "ERROR",
        }
    }
}

/// The result of a step.
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
    /// A digit, the end of the sound, a timeout, or a hangup.
    Input(Input),
    /// The verdict on the entry.
    Verified(Verdict),
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
    /// Start a sound, even if the caller has hung up.
    PlayFinal(&'a [u8]),
    /// Wait for a digit.
    NextKey(Wait),
    /// Verify the entry.
    Verify(Entry<'a>),
    /// Show the verdict on the channel.
    Settle(Settlement<'a>),
    /// Go to priority n+101.
    Jump,
    /// The dialog has ended.
    Finish(Next),
}

/// The verdict on a call, as the channel is to show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settlement<'a> {
    /// The outcome.
    pub status: Status,
    /// Whose PIN it was: on success alone.
    pub grant: Option<&'a Grant>,
    /// The new account code of the channel; `None` leaves it alone.
    pub account_code: Option<&'a [u8]>,
    /// How many entries were verified, including empty ones.
    pub attempts: u32,
}

/// Where the call goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// On with the dialplan (or where the jump has put it).
    Continue,
    /// On at this place of the dialplan; there may be none.
    Goto(Place),
    /// Hang up: the application returns −1.
    HangUp,
}

/// The course of one conversation.
pub struct Plan {
    /// The way in which the channel is opened if it is not up.
    pub opening: Opening,
    /// The prompt for an account number, which comes first, or `None` to ask for none.
    pub account: Option<Vec<Sound>>,
    /// The prompt for the PIN.
    pub prompts: Vec<Sound>,
    /// The prompt if none of [`Plan::prompts`] can be played.
    pub fallback_prompt: Option<Sound>,
    /// The prompt after a wrong entry.
    pub retry: Vec<Sound>,
    /// The prompt after success.
    pub success: Vec<Sound>,
    /// The prompt after failure, before the call is hung up or sent elsewhere.
    pub failure: Vec<Sound>,
    /// The same for callers who are locked out.
    pub locked: Vec<Sound>,
    /// How many attempts a caller has.
    pub attempts: u32,
    /// How many digits complete an entry without `#`.
    pub max_digits: usize,
    /// The timeout of the first digit, or `None` for the channel's own.
    pub first_key: Option<Duration>,
    /// The timeout of each further digit, or `None` for the channel's own.
    pub next_key: Option<Duration>,
    /// The key that clears an entry.
    pub clear_key: Option<u8>,
    /// The account code of the channel after success.
    pub account_code: AccountCode,
    /// Option `j`: on failure to priority n+101, if there is one.
    pub jump: bool,
    /// Where the call goes after success.
    pub on_success: Route,
    /// Where the call goes after a failure that does not jump.
    pub on_failure: Route,
    /// Where the call goes if the caller is locked out.
    pub on_locked: Route,
    /// The final prompt starts even if the caller has hung up, and so does the
    /// goodbye if that was before a verdict, as in the stock application.
    pub final_prompt_when_gone: bool,
    /// Nothing is asked: the call fails with this status.
    pub refused: Option<Status>,
}
