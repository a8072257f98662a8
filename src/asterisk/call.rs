//! A call, as the conversation sees it: `pinset::Host` on a channel.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pinset::call::dtmf_buffer::Keys;
use pinset::dialplan::Place;
use pinset::prompt::is_url;
use pinset::verify::ServiceChannel;
use pinset::{Grant, Heard, Host, Opening, Settlement, Started, Status, Wait};

use super::channel::{self, Channel, Ran, Silence, Waited};
use super::dtmf_hook::Hidden;
use super::playback::{self, Tried};

/// A priority for failures lies this far on (option `j`).
const JUMP: i32 = 101;
/// The wait between the sounds of a list, as in `ast_app_getdata`.
const BETWEEN_SOUNDS: i32 = 50;

/// The word for how it came out.
pub const STATUS: &CStr = c"AUTHENTICATESTATUS";
const ACCOUNT: &CStr = c"AUTHENTICATEACCOUNT";
const LEVEL: &CStr = c"AUTHENTICATELEVEL";
const CONTEXT: &CStr = c"AUTHENTICATECONTEXT";
/// How many entries were judged.
pub const ATTEMPTS: &CStr = c"AUTHENTICATEATTEMPTS";
/// What nothing is left in of an earlier verdict.
pub const CLEARED: [&CStr; 4] = [ACCOUNT, LEVEL, CONTEXT, ATTEMPTS];

/// Who is told what becomes of a call.
pub trait OutcomeObserver {
    /// The call begins.
    fn begins(&self, channel: &Channel<'_>);
    /// Whose PIN it was.
    fn admitted(&self, grant: &Grant);
    /// How it has come out, with so many entries judged. What is said first
    /// counts.
    fn verdict(&self, channel: &Channel<'_>, outcome: Status, attempts: u32);
}

/// Fetches a sound from the web, whose URL is given, and starts it.
pub type StartUrl = fn(&mut Call<'_>, &[u8]) -> Started;

/// One call inside the application.
pub struct Call<'call> {
    channel: Channel<'call>,
    start_url: StartUrl,
    began: Instant,
    /// Keys that came while something else was waited for.
    typed_ahead: Keys,
    hidden: Option<Hidden<'call>>,
    silence: Option<Silence<'call>>,
    witness: Option<Box<dyn OutcomeObserver>>,
}

impl<'call> Call<'call> {
    /// Takes a call in. The first thing it does is to fail closed: the status
    /// is `ERROR` until there is a verdict, nothing is left of an earlier
    /// `Authenticate`, and with `hides_arguments` the arguments are out of sight.
    pub fn new(channel: Channel<'call>, start_url: StartUrl, hides_arguments: bool) -> Self {
        let mut call = Self {
            channel,
            start_url,
            began: Instant::now(),
            typed_ahead: Keys::new(),
            hidden: None,
            silence: None,
            witness: None,
        };
        call.channel
            .fail_closed(STATUS, c"ERROR", &CLEARED, hides_arguments);
        call
    }

    /// Sets the status to `ERROR`.
    pub fn fail(&mut self) {
        self.channel.set_variable(STATUS, b"ERROR");
    }

    /// The call leaves the application; without a verdict, that is an error.
    pub fn leave(&self) {
        self.tell(Status::Error, 0);
    }

    fn tell(&self, status: Status, attempts: u32) {
        if let Some(witness) = &self.witness {
            witness.verdict(&self.channel, status, attempts);
        }
    }

    /// Has somebody told what becomes of it.
    pub fn watched_by(&mut self, witness: impl OutcomeObserver + 'static) {
        witness.begins(&self.channel);
        self.witness = Some(Box::new(witness));
    }

    /// Who calls, and on which channel.
    pub fn origin(&self) -> channel::Origin {
        self.channel.origin()
    }

    /// The channel's name.
    pub fn name(&self) -> String {
        self.channel.name()
    }

    /// Where it is in the dialplan: `context,extension,priority`.
    pub fn place(&self) -> String {
        self.channel.place()
    }

    /// The number that calls, if there is one.
    pub fn caller_number(&self) -> Option<Vec<u8>> {
        self.channel.caller_number()
    }

    /// Keeps what is keyed from Asterisk's log and events, as long as the call is
    /// in here. False: there is no memory for it.
    pub fn hide_digits(&mut self) -> bool {
        self.hidden = Hidden::new(&self.channel);
        self.hidden.is_some()
    }

    /// Goes to a place of the dialplan; false: there is none.
    pub fn go_to(&mut self, place: &Place) -> bool {
        self.channel.go_to(place)
    }

    /// The number that was dialled, or the extension.
    pub fn dialled(&self) -> Vec<u8> {
        self.channel.dialled()
    }

    /// Whether the caller is gone, or a redirect waits for us to return.
    pub fn is_gone(&self) -> bool {
        self.channel.is_gone()
    }

    /// Whether there is such a place in the dialplan; its priority is the first.
    pub fn has_place(&self, place: &Place) -> bool {
        self.channel.has_place(&place.context, &place.exten)
    }

    /// Runs another application, in this language.
    pub fn run(&mut self, application: &str, data: &str, language: Option<&str>) -> Ran {
        self.silence = None;
        self.channel.run(application, data, language)
    }

    /// Starts a file, without its extension. [`Started::Missing`]: it can't be
    /// played, of which nothing is said.
    pub fn start_file(&mut self, path: &[u8]) -> Started {
        self.silence = None;
        if self.channel.is_gone() {
            return Started::Gone;
        }
        match playback::try_start(&mut self.channel, path) {
            Tried::Plays => Started::Playing,
            Tried::Missing | Tried::New => Started::Missing,
        }
    }

    /// A key that has come already.
    fn typed(&mut self) -> Option<u8> {
        let (typed_ahead, hidden) = (&mut self.typed_ahead, &self.hidden);
        let next = || typed_ahead.take().or_else(|| hidden.as_ref()?.take());
        std::iter::from_fn(next).find(|key| is_key(*key))
    }

    /// Whether a signal that has come is that of a hidden key, which may have
    /// been taken before.
    fn is_of_a_key(&self) -> bool {
        self.hidden.as_ref().is_some_and(Hidden::is_signal)
    }

    /// Waits for a key until the time is up, whatever else comes along.
    fn wait_digit(&mut self, milliseconds: i32) -> Waited {
        let began = Instant::now();
        let mut left = milliseconds;
        loop {
            match self.channel.wait_digit(left) {
                Waited::Controlled => {
                    self.is_of_a_key();
                    if let Some(key) = self.typed() {
                        return Waited::Digit(key);
                    }
                }
                Waited::Digit(key) if !is_key(key) => {}
                waited => return waited,
            }
            let gone = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
            left = milliseconds.saturating_sub(gone).max(0);
        }
    }

    fn wait_sound(&mut self) -> Waited {
        loop {
            match self.channel.wait_sound() {
                Waited::Digit(key) if !is_key(key) => {}
                Waited::Over if self.channel.is_streaming() => {
                    let of_a_key = self.is_of_a_key();
                    match self.typed() {
                        Some(key) => return Waited::Digit(key),
                        None if of_a_key => {}
                        None => return Waited::Controlled,
                    }
                }
                waited => return waited,
            }
        }
    }
}

/// What is keyed meanwhile is kept.
impl ServiceChannel for Call<'_> {
    fn listen(&mut self, milliseconds: i32) -> bool {
        match self.channel.wait_digit(milliseconds) {
            Waited::Digit(key) => {
                self.typed_ahead.push(key);
                true
            }
            Waited::Controlled => {
                self.is_of_a_key();
                true
            }
            waited => waited != Waited::Gone,
        }
    }
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Sets the variables that say whose PIN it was.
pub fn announce(channel: &mut Channel<'_>, grant: &Grant) {
    if let Some(account) = &grant.account {
        channel.set_variable(ACCOUNT, account);
    }
    if let Some(level) = grant.level {
        channel.set_variable(LEVEL, level.to_string().as_bytes());
    }
    if let Some(context) = &grant.context {
        channel.set_variable(CONTEXT, context.as_bytes());
    }
}

/// What a telephone can key; drivers also report a fax tone as a digit.
fn is_key(key: u8) -> bool {
    key == b'#' || pinset::pin::is_key(key)
}

impl Host for Call<'_> {
    fn open(&mut self, how: Opening) -> bool {
        if self.channel.is_up() {
            self.channel.publish();
            return !self.channel.is_gone();
        }
        let opened = match how {
            Opening::Answer => self.channel.answer(),
            Opening::Progress => {
                self.channel.progress();
                !self.channel.is_gone()
            }
        };
        // Answering has told the others already, and of the hidden arguments
        // with it.
        if !self.channel.is_up() {
            self.channel.publish();
        }
        opened
    }

    fn start_sound(&mut self, name: &[u8]) -> Started {
        self.silence = None;
        if self.channel.is_gone() {
            return Started::Gone;
        }
        if is_url(name) {
            return (self.start_url)(self, name);
        }
        self.start_final_sound(name)
    }

    /// Asterisk starts it on a channel that has been hung up, too.
    fn start_final_sound(&mut self, name: &[u8]) -> Started {
        self.silence = None;
        if playback::start(&mut self.channel, name) {
            Started::Playing
        } else {
            Started::Missing
        }
    }

    fn stop_sound(&mut self) {
        self.channel.stop_stream();
    }

    fn next_key(&mut self, wait: Wait) -> Heard {
        if let Some(key) = self.typed() {
            return Heard::Key(key);
        }
        let waited = match wait {
            Wait::Sound => self.wait_sound(),
            Wait::BetweenSounds | Wait::FirstKey(_) | Wait::NextKey(_) => {
                let (first, next) = self.channel.key_timeouts();
                if self.silence.is_none() {
                    self.silence = self.channel.silence();
                }
                self.wait_digit(match wait {
                    Wait::FirstKey(time) => time.map_or(first, milliseconds),
                    Wait::NextKey(time) => time.map_or(next, milliseconds),
                    _ => BETWEEN_SOUNDS,
                })
            }
        };
        match waited {
            Waited::Digit(key) => Heard::Key(key),
            Waited::Gone => Heard::Gone,
            Waited::Over | Waited::Controlled if wait == Wait::Sound => Heard::SoundEnded,
            Waited::Over | Waited::Controlled => Heard::Silence,
        }
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        self.silence = None;
        if let Some(code) = settlement.account_code {
            self.channel.set_account_code(code);
        }
        if let Some(grant) = settlement.grant {
            if let Some(witness) = &self.witness {
                witness.admitted(grant);
            }
            announce(&mut self.channel, grant);
        }
        let attempts = settlement.attempts.to_string();
        self.channel.set_variable(ATTEMPTS, attempts.as_bytes());
        let status = settlement.status.word();
        self.channel.set_variable(STATUS, status.as_bytes());
        self.tell(settlement.status, settlement.attempts);
    }

    fn jump(&mut self) -> bool {
        self.channel.jump(JUMP)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}
