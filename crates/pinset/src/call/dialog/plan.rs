//! How a conversation is to go, and how it comes out.

use std::time::Duration;

use crate::config::AccountCode;
use crate::dialplan::{Place, Route};
use crate::prompt::Sound;
use crate::verdict::{Entry, Grant, Verdict};

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
    /// So long for the first key. `None`: the channel's time, 10 s unless
    /// `TIMEOUT(response)` says otherwise, 6 s on a channel without a dialplan.
    FirstKey(Option<Duration>),
    /// So long for each further key. `None`: the channel's time, 5 s unless
    /// `TIMEOUT(digit)` says otherwise, 2 s on a channel without a dialplan.
    NextKey(Option<Duration>),
}

/// What came of waiting for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    /// The PIN was right.
    Success,
    /// Every attempt is used up.
    Failure,
    /// No key in any attempt.
    Timeout,
    /// The last entry was right, but outside its dates, times or uses.
    Expired,
    /// There were too many wrong entries before, or this was one too many.
    Locked,
    /// The caller hung up, or was redirected, before a verdict.
    Hangup,
    /// Nobody could have got in: the log says why.
    Error,
}

impl Status {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Failure,
        Self::Timeout,
        Self::Expired,
        Self::Locked,
        Self::Hangup,
        Self::Error,
    ];

    /// The word the dialplan sees.
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
    Input(Input),
    /// What the list says of the entry.
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
    /// Wait for a key.
    NextKey(Wait),
    /// Verify the entry.
    Verify(Entry<'a>),
    /// Show the verdict on the channel.
    Settle(Settlement<'a>),
    /// Go to priority n+101.
    Jump,
    /// The end.
    Finish(Next),
}

/// The verdict on a call, as the channel is to show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settlement<'a> {
    /// How it came out.
    pub status: Status,
    /// Whose PIN it was: on success alone.
    pub grant: Option<&'a Grant>,
    /// What the channel's account code becomes; `None` leaves it alone.
    pub account_code: Option<&'a [u8]>,
    /// How many entries were verified, silent ones included.
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

/// How one conversation goes.
pub struct Plan {
    /// How the channel is opened if it is not up.
    pub opening: Opening,
    /// What asks for an account number first; `None`: none is asked for.
    pub account: Option<Vec<Sound>>,
    /// What asks for the PIN.
    pub prompts: Vec<Sound>,
    /// What asks for it if none of [`Plan::prompts`] can be played.
    pub fallback_prompt: Option<Sound>,
    /// What asks again after a wrong entry.
    pub retry: Vec<Sound>,
    /// What thanks for the right one.
    pub success: Vec<Sound>,
    /// What is said before a failure hangs up or goes elsewhere.
    pub failure: Vec<Sound>,
    /// The same for who is locked out.
    pub locked: Vec<Sound>,
    /// How many entries a caller has.
    pub attempts: u32,
    /// An entry of this many keys is complete without `#`.
    pub max_digits: usize,
    /// How long the first key, and each further one, is waited for; `None`: as
    /// long as the channel says.
    pub first_key: Option<Duration>,
    /// See [`Plan::first_key`].
    pub next_key: Option<Duration>,
    /// The key that starts an entry over.
    pub clear_key: Option<u8>,
    /// What the channel's account code becomes with success.
    pub account_code: AccountCode,
    /// Option `j`: on failure to priority n+101, if there is one.
    pub jump: bool,
    /// Where a call goes with success.
    pub on_success: Route,
    /// Where a failure goes that does not jump.
    pub on_failure: Route,
    /// Likewise, who is locked out.
    pub on_locked: Route,
    /// The final prompt starts even if the caller has hung up, and so does the
    /// goodbye if that was before a verdict, as in the stock application.
    pub final_prompt_when_gone: bool,
    /// Nothing is asked: the call fails with this status.
    pub refused: Option<Status>,
}
